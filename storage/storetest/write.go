package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

func testAppearsAtCommit(t *testing.T, s storage.Store) {
	ctx := t.Context()
	w, err := s.Create(ctx, "dir/object")
	require.NoError(t, err)
	requireAbsent(t, s, "dir/object")
	_, err = w.Write(pattern(200_000, 1))
	require.NoError(t, err)
	requireAbsent(t, s, "dir/object")
	require.Empty(t, names(t, s, ""), "objects being written are not listed")
	require.NoError(t, w.Commit(ctx))
	require.Equal(t, pattern(200_000, 1), get(t, s, "dir/object"))
	require.Equal(t, []string{"dir/object"}, names(t, s, ""))
}

func testTakenAtCreate(t *testing.T, s storage.Store) {
	put(t, s, "object", []byte("first"))
	err := storage.WriteObject(t.Context(), s, "object", []byte("second"))
	require.ErrorIs(t, err, storage.ErrExist)
	require.Equal(t, []byte("first"), get(t, s, "object"))
	require.Equal(t, []string{"object"}, names(t, s, ""))
}

func testTakenAtCommit(t *testing.T, s storage.Store) {
	ctx := t.Context()
	first, err := s.Create(ctx, "object")
	require.NoError(t, err)
	second, err := s.Create(ctx, "object")
	require.NoError(t, err)
	_, err = first.Write([]byte("first"))
	require.NoError(t, err)
	_, err = second.Write([]byte("second"))
	require.NoError(t, err)
	require.NoError(t, second.Commit(ctx))
	require.ErrorIs(t, first.Commit(ctx), storage.ErrExist)
	require.NoError(t, first.Abort())
	require.NoError(t, second.Abort())
	require.Equal(t, []byte("second"), get(t, s, "object"))
	require.Equal(t, []string{"object"}, names(t, s, ""))
}

func testAbortLeavesNothing(t *testing.T, s storage.Store) {
	ctx := t.Context()
	for _, size := range []int{0, 10, 1 << 20} {
		w, err := s.Create(ctx, "dir/object")
		require.NoError(t, err)
		_, err = w.Write(pattern(size, 0))
		require.NoError(t, err)
		require.NoError(t, w.Abort())
		require.NoError(t, w.Abort(), "Abort may be called again")
		requireAbsent(t, s, "dir/object")
		require.Empty(t, names(t, s, ""))
	}
	put(t, s, "dir/object", []byte("the name is free"))
}

func testEndsOnce(t *testing.T, s storage.Store) {
	ctx := t.Context()
	w, err := s.Create(ctx, "object")
	require.NoError(t, err)
	_, err = w.Write([]byte("data"))
	require.NoError(t, err)
	require.NoError(t, w.Commit(ctx))
	require.Error(t, w.Commit(ctx), "Commit after Commit")
	_, err = w.Write([]byte("more"))
	require.Error(t, err, "Write after Commit")
	require.NoError(t, w.Abort(), "Abort after Commit does nothing")
	require.Equal(t, []byte("data"), get(t, s, "object"))

	w, err = s.Create(ctx, "other")
	require.NoError(t, err)
	require.NoError(t, w.Abort())
	require.Error(t, w.Commit(ctx), "Commit after Abort")
	_, err = w.Write([]byte("more"))
	require.Error(t, err, "Write after Abort")
	requireAbsent(t, s, "other")
}

// testBufferMayBeReused checks that a writer keeps no reference to what it was given.
func testBufferMayBeReused(t *testing.T, s storage.Store) {
	ctx := t.Context()
	w, err := s.Create(ctx, "object")
	require.NoError(t, err)
	buffer := make([]byte, 3)
	for _, text := range []string{"abc", "def", "ghi"} {
		copy(buffer, text)
		_, err = w.Write(buffer)
		require.NoError(t, err)
	}
	clear(buffer)
	require.NoError(t, w.Commit(ctx))
	require.Equal(t, []byte("abcdefghi"), get(t, s, "object"))
}

func testDelete(t *testing.T, s storage.Store) {
	ctx := t.Context()
	put(t, s, "dir/object", []byte("first"))
	put(t, s, "dir/other", []byte("other"))
	require.Equal(t, []byte("first"), get(t, s, "dir/object"))
	require.NoError(t, s.Delete(ctx, "dir/object"))
	requireAbsent(t, s, "dir/object")
	require.NoError(t, s.Delete(ctx, "dir/object"), "deleting again")
	require.NoError(t, s.Delete(ctx, "never/was"), "deleting what never was")
	require.NoError(t, s.Delete(ctx, "dir/other/below"), "deleting below an object")
	require.Equal(t, []string{"dir/other"}, names(t, s, ""))
	put(t, s, "dir/object", []byte("the second one"))
	require.Equal(t, []byte("the second one"), get(t, s, "dir/object"))
}

func testDeleteDirectory(t *testing.T, s storage.Store) {
	put(t, s, "a/b/object", []byte("x"))
	require.NoError(t, s.Delete(t.Context(), "a"))
	require.NoError(t, s.Delete(t.Context(), "a/b"))
	require.Equal(t, []string{"a/b/object"}, names(t, s, ""))
}
