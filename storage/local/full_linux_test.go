package local

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// TestFullDisk writes to a file system of 1 MiB until it is full.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("firn-test", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small tmpfs cannot be mounted here (it needs root): %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	s, err := New(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	ctx := t.Context()
	require.NoError(t, storage.WriteObject(ctx, s, "a/kept", make([]byte, 400<<10)))

	// Too large: the write itself fails.
	err = storage.WriteObject(ctx, s, "b/large", make([]byte, 2<<20))
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "b/large")
	require.ErrorContains(t, err, "free space")

	// The disk fills up while the bytes wait in the writer's buffer: Commit fails.
	w, err := s.Create(ctx, "b/late")
	require.NoError(t, err)
	_, err = w.Write(make([]byte, writeBuffer/2))
	require.NoError(t, err)
	hog := filepath.Join(dir, "hog")
	require.Error(t, os.WriteFile(hog, make([]byte, 2<<20), 0o600))
	err = w.Commit(ctx)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, w.Abort())
	require.NoError(t, os.Remove(hog))

	requireTidy(t, dir)
	info, err := s.Stat(ctx, "a/kept")
	require.NoError(t, err)
	require.EqualValues(t, 400<<10, info.Size)
	require.NoError(t, storage.WriteObject(ctx, s, "b/large", make([]byte, 400<<10)), "all space was given back")
}
