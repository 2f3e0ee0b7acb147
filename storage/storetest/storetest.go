// Package storetest checks that a store keeps the promises of storage.Store. Every implementation, and every wrapper, runs it in its
// own tests.
package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// Run runs the suite. Each test calls newStore for an empty store of its own, which is cleaned up through t.Cleanup. Of OddNames the
// store may refuse those that its file system cannot hold, with storage.ErrInvalidName; they are given as refused.
func Run(t *testing.T, newStore func(t testing.TB) storage.Store, refused ...string) {
	tests := []struct {
		name string
		test func(t *testing.T, s storage.Store)
	}{
		{"Names/Invalid", testInvalidNames},
		{"Names/Odd", func(t *testing.T, s storage.Store) { testOddNames(t, s, refused) }},
		{"Names/URI", testURI},
		{"Read/Ranges", testReadRanges},
		{"Read/Tail", testReadTail},
		{"Read/EmptyObject", testEmptyObject},
		{"Read/Missing", testMissing},
		{"Read/LargeObject", testLargeObject},
		{"Read/BufferIsNotKept", testBufferIsNotKept},
		{"Write/AppearsWholeAtCommit", testAppearsAtCommit},
		{"Write/TakenNameAtCreate", testTakenAtCreate},
		{"Write/TakenNameAtCommit", testTakenAtCommit},
		{"Write/AbortLeavesNothing", testAbortLeavesNothing},
		{"Write/EndsOnce", testEndsOnce},
		{"Write/BufferMayBeReused", testBufferMayBeReused},
		{"List/Order", testListOrder},
		{"List/Prefixes", testListPrefixes},
		{"List/StopsEarly", testListStops},
		{"List/DeleteWhileListing", testDeleteWhileListing},
		{"Delete/Object", testDelete},
		{"Delete/Directory", testDeleteDirectory},
		{"Context/Cancelled", testCancelled},
		{"Concurrent/OneWinner", testOneWinner},
		{"Concurrent/AtomicVisibility", testAtomicVisibility},
		{"Concurrent/CreateAndDeleteSiblings", testCreateAndDeleteSiblings},
		{"Concurrent/DeleteWhileReading", testDeleteWhileReading},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.test(t, newStore(t)) })
	}
}

// put creates an object.
func put(t testing.TB, s storage.Store, name string, data []byte) {
	t.Helper()
	require.NoError(t, storage.WriteObject(t.Context(), s, name, data))
}

// get returns a whole object.
func get(t testing.TB, s storage.Store, name string) []byte {
	t.Helper()
	data, err := storage.ReadAll(t.Context(), s, name)
	require.NoError(t, err)
	return data
}

// names returns the names of the objects with a prefix, and fails if List yields wrong ones.
func names(t testing.TB, s storage.Store, prefix string) []string {
	t.Helper()
	found := []string{}
	for info, err := range s.List(t.Context(), prefix) {
		require.NoError(t, err)
		found = append(found, info.Name)
	}
	return found
}

// requireAbsent fails unless an object is absent in every respect.
func requireAbsent(t testing.TB, s storage.Store, name string) {
	t.Helper()
	ctx := t.Context()
	_, err := s.Stat(ctx, name)
	require.ErrorIs(t, err, storage.ErrNotExist)
	require.ErrorIs(t, s.ReadAt(ctx, name, make([]byte, 1), 0), storage.ErrNotExist)
	_, _, err = s.ReadTail(ctx, name, make([]byte, 1))
	require.ErrorIs(t, err, storage.ErrNotExist)
	require.NotContains(t, names(t, s, ""), name)
}

// pattern returns n bytes that differ by place and seed.
func pattern(n int, seed byte) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16) ^ seed
	}
	return data
}

// InvalidNames are names that every store refuses.
func InvalidNames() []string {
	return []string{
		"", "/", ".", "..", "/a", "a/", "a//b", "./a", "a/.", "a/./b", "../a", "a/..", "a/../b", "a/../../b",
		"a\x00b", "a\xffb", "\xc3", storage.TempPrefix + "x", "a/" + storage.TempPrefix,
	}
}

// OddNames are unusual names that every store accepts, save those that Run is told of.
func OddNames() []string {
	return []string{
		"a b", " a", "a ", "a%20b", "a%2Fb", "100%", "a+b&c=d", "log_date=2026-11-22/app=shop eu/x.parquet", "ünïcödé/日本語/🦀", "e\u0301",
		"a#b?c", "a:b;c,d", "'a'\"b\"", "[a]{b}(c)", "*", "?", "~", "$HOME", "-rf", "...", "a..b", ".hidden", "..a", "a.", "tab\tnew\nline", "back\\slash",
		"very/deep/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/name", fmt.Sprintf("long/%0200d", 7),
	}
}

func testInvalidNames(t *testing.T, s storage.Store) {
	ctx := t.Context()
	for _, name := range InvalidNames() {
		_, err := s.Stat(ctx, name)
		require.ErrorIs(t, err, storage.ErrInvalidName, "Stat(%q)", name)
		require.ErrorIs(t, s.ReadAt(ctx, name, make([]byte, 1), 0), storage.ErrInvalidName, "ReadAt(%q)", name)
		_, _, err = s.ReadTail(ctx, name, make([]byte, 1))
		require.ErrorIs(t, err, storage.ErrInvalidName, "ReadTail(%q)", name)
		_, err = s.Create(ctx, name)
		require.ErrorIs(t, err, storage.ErrInvalidName, "Create(%q)", name)
		require.ErrorIs(t, s.Delete(ctx, name), storage.ErrInvalidName, "Delete(%q)", name)
	}
	require.Empty(t, names(t, s, ""))
}

func testOddNames(t *testing.T, s storage.Store, refused []string) {
	ctx := t.Context()
	for _, name := range refused {
		require.Contains(t, OddNames(), name)
		require.ErrorIs(t, storage.WriteObject(ctx, s, name, []byte("x")), storage.ErrInvalidName, "%q", name)
	}
	accepted := slices.DeleteFunc(OddNames(), func(name string) bool { return slices.Contains(refused, name) })
	for i, name := range accepted {
		put(t, s, name, pattern(10+i, byte(i)))
	}
	for i, name := range accepted {
		require.Equal(t, pattern(10+i, byte(i)), get(t, s, name), "%q", name)
		info, err := s.Stat(ctx, name)
		require.NoError(t, err)
		require.Equal(t, name, info.Name)
		require.EqualValues(t, 10+i, info.Size)
		require.False(t, info.ModTime.IsZero())
		require.Contains(t, names(t, s, name), name)
	}
	require.ElementsMatch(t, accepted, names(t, s, ""))
	for _, name := range accepted {
		require.NoError(t, s.Delete(ctx, name))
		requireAbsent(t, s, name)
	}
	require.Empty(t, names(t, s, ""))
}

func testURI(t *testing.T, s storage.Store) {
	root := s.URI("")
	require.NotEmpty(t, root)
	require.Contains(t, root, "://")
	require.NotEqual(t, byte('/'), root[len(root)-1], "the root %q ends with a slash", root)
	for _, name := range append(OddNames(), "a", "default/web/data/log_date=2026-11-22/x.parquet") {
		require.Equal(t, root+"/"+name, s.URI(name))
		back, ok := storage.NameOf(s, s.URI(name))
		require.True(t, ok, "%q", s.URI(name))
		require.Equal(t, name, back)
	}
	for _, foreign := range []string{"", "a", "other://host/a", root + "x/a", root + "/../a", "/nowhere/a", "s3://bucket/a"} {
		_, ok := storage.NameOf(s, foreign)
		require.False(t, ok, "%q", foreign)
	}
	name, ok := storage.NameOf(s, root)
	require.True(t, ok)
	require.Empty(t, name)
}

func testCancelled(t *testing.T, s storage.Store) {
	put(t, s, "a/kept", []byte("kept"))
	writer, err := s.Create(t.Context(), "a/begun")
	require.NoError(t, err)
	_, err = writer.Write([]byte("begun"))
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Stat(ctx, "a/kept")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.ReadAt(ctx, "a/kept", make([]byte, 1), 0), context.Canceled)
	_, _, err = s.ReadTail(ctx, "a/kept", make([]byte, 1))
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Create(ctx, "a/new")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.Delete(ctx, "a/kept"), context.Canceled)
	var listed []error
	for _, err := range s.List(ctx, "") {
		listed = append(listed, err)
	}
	require.Len(t, listed, 1, "a cancelled listing yields one error and ends")
	require.ErrorIs(t, listed[0], context.Canceled)

	require.ErrorIs(t, writer.Commit(ctx), context.Canceled)
	require.NoError(t, writer.Abort())
	require.Equal(t, []string{"a/kept"}, names(t, s, ""))
	require.Equal(t, []byte("kept"), get(t, s, "a/kept"))
	put(t, s, "a/begun", []byte("again"))
}
