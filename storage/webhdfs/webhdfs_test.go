package webhdfs

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/storetest"
)

// noPause is a pause that takes no time.
func noPause(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) }

func TestStore(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storage.Store { return newFake(t).open(t, Options{}) }, "a:b;c,d")
}

func TestStoreSpoolsToDisk(t *testing.T) {
	dir := t.TempDir()
	s := newFake(t).open(t, Options{SpoolBytes: 1000, SpoolDir: dir})
	for i, n := range []int{0, 999, 1000, 1001, 3 << 20} {
		data := content(byte(i), n)
		require.NoError(t, storage.WriteObject(t.Context(), s, strconv.Itoa(n), data))
		got, err := storage.ReadAll(t.Context(), s, strconv.Itoa(n))
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
	}
	w, err := s.Create(t.Context(), "aborted")
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 5000))
	require.NoError(t, err)
	require.NoError(t, w.Abort())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	w, err = newFake(t).open(t, Options{SpoolBytes: 1, SpoolDir: filepath.Join(dir, "missing")}).Create(t.Context(), "a")
	require.NoError(t, err)
	_, err = w.Write([]byte("abc"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "SpoolDir")
	require.Error(t, w.Commit(t.Context()), "what could not be written is not committed")
	require.NoError(t, w.Abort())
}

// TestRequests states what operations cost.
func TestRequests(t *testing.T) {
	f := newFake(t)
	s := f.open(t, Options{})
	ctx := t.Context()
	require.NoError(t, storage.WriteObject(ctx, s, "a/b", content(1, 1000)))
	require.Equal(t, []string{"CREATE", "dn CREATE", "GETFILESTATUS", "RENAME"}, f.seen())
	p := make([]byte, 100)
	require.NoError(t, s.ReadAt(ctx, "a/b", p, 0))
	require.Equal(t, []string{"OPEN", "dn OPEN"}, f.seen())
	_, _, err := s.ReadTail(ctx, "a/b", p)
	require.NoError(t, err)
	require.Equal(t, []string{"OPEN", "dn OPEN"}, f.seen(), "the size is known")
	_, _, err = f.open(t, Options{}).ReadTail(ctx, "a/b", p)
	require.NoError(t, err)
	require.Equal(t, []string{"GETFILESTATUS", "OPEN", "dn OPEN"}, f.seen())
	_, err = s.Stat(ctx, "a/b")
	require.NoError(t, err)
	require.Equal(t, []string{"GETFILESTATUS"}, f.seen())
}

// TestReplacedByAnother reads the ends of objects whose names were deleted and made again by another process.
func TestReplacedByAnother(t *testing.T) {
	f := newFake(t)
	s, other := f.open(t, Options{}), f.open(t, Options{})
	for i, size := range []int{1000, 500, 2000, 1, 3000} {
		require.NoError(t, other.Delete(t.Context(), "a"))
		want := content(byte(i), size)
		require.NoError(t, storage.WriteObject(t.Context(), other, "a", want))
		p := make([]byte, 700)
		n, got, err := s.ReadTail(t.Context(), "a", p)
		require.NoError(t, err)
		require.EqualValues(t, size, got)
		require.Equal(t, min(700, size), n)
		require.Equal(t, want[size-n:], p[:n])
	}
}

func TestRemoveStale(t *testing.T) {
	f := newFake(t)
	now := time.UnixMilli(1_000_000)
	s := f.open(t, Options{Now: func() time.Time { return now }})
	require.NoError(t, storage.WriteObject(t.Context(), s, "a/kept", []byte("x")))
	f.files["/lake/a/"+storage.TempPrefix+"old"] = fakeFile{id: 1}
	f.files["/lake/"+storage.TempPrefix+"new"] = fakeFile{id: 999_999}
	removed, err := s.RemoveStale(t.Context(), time.Minute)
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	require.Len(t, f.files, 2)
}
