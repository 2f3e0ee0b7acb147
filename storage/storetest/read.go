package storetest

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

func testReadRanges(t *testing.T, s storage.Store) {
	ctx := t.Context()
	data := pattern(10_000, 1)
	put(t, s, "dir/object", data)
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		off := random.IntN(len(data) + 1)
		p := make([]byte, random.IntN(len(data)-off+1))
		require.NoError(t, s.ReadAt(ctx, "dir/object", p, int64(off)))
		require.Equal(t, data[off:off+len(p)], p)
	}
	for _, r := range []storage.Range{
		{Offset: 0, Length: 10_001}, {Offset: 9_999, Length: 2}, {Offset: 10_000, Length: 1}, {Offset: 10_001, Length: 0},
		{Offset: 1 << 40, Length: 1}, {Offset: -1, Length: 1}, {Offset: -1, Length: 0}, {Offset: 1<<63 - 1, Length: 10},
	} {
		err := s.ReadAt(ctx, "dir/object", make([]byte, r.Length), r.Offset)
		require.ErrorIs(t, err, storage.ErrRange, "%d bytes at %d", r.Length, r.Offset)
	}
	require.NoError(t, s.ReadAt(ctx, "dir/object", nil, 10_000))
}

func testReadTail(t *testing.T, s storage.Store) {
	ctx := t.Context()
	data := pattern(1000, 2)
	put(t, s, "object", data)
	for _, want := range []int{0, 1, 8, 999, 1000, 1001, 100_000} {
		p := make([]byte, want)
		n, size, err := s.ReadTail(ctx, "object", p)
		require.NoError(t, err)
		require.EqualValues(t, 1000, size)
		require.Equal(t, min(want, 1000), n)
		require.Equal(t, data[1000-n:], p[:n])
	}
}

func testEmptyObject(t *testing.T, s storage.Store) {
	ctx := t.Context()
	w, err := s.Create(ctx, "empty")
	require.NoError(t, err)
	require.NoError(t, w.Commit(ctx))
	info, err := s.Stat(ctx, "empty")
	require.NoError(t, err)
	require.Zero(t, info.Size)
	n, size, err := s.ReadTail(ctx, "empty", make([]byte, 10))
	require.NoError(t, err)
	require.Zero(t, n)
	require.Zero(t, size)
	require.NoError(t, s.ReadAt(ctx, "empty", nil, 0))
	require.ErrorIs(t, s.ReadAt(ctx, "empty", make([]byte, 1), 0), storage.ErrRange)
	require.Empty(t, get(t, s, "empty"))
	require.Equal(t, []string{"empty"}, names(t, s, ""))
	require.ErrorIs(t, storage.WriteObject(ctx, s, "empty", []byte("x")), storage.ErrExist)
}

func testMissing(t *testing.T, s storage.Store) {
	put(t, s, "a/b/object", []byte("x"))
	for _, name := range []string{"missing", "a/missing", "missing/object", "a", "a/b", "a/b/object/below", "a/b/objec"} {
		requireAbsent(t, s, name)
		require.ErrorIs(t, s.ReadAt(t.Context(), name, nil, 0), storage.ErrNotExist)
	}
}

func testLargeObject(t *testing.T, s storage.Store) {
	ctx := t.Context()
	data := pattern(3<<20+17, 3)
	w, err := s.Create(ctx, "large")
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Abort()) }()
	random := rand.New(rand.NewPCG(3, 4))
	for rest := data; len(rest) > 0; {
		n := min(len(rest), random.IntN(300_000))
		written, err := w.Write(rest[:n])
		require.NoError(t, err)
		require.Equal(t, n, written)
		rest = rest[n:]
	}
	require.NoError(t, w.Commit(ctx))
	require.Equal(t, data, get(t, s, "large"))
	p := make([]byte, 100_000)
	require.NoError(t, s.ReadAt(ctx, "large", p, 2<<20))
	require.Equal(t, data[2<<20:2<<20+100_000], p)
}

// testBufferIsNotKept checks that what a read returned is the caller's own.
func testBufferIsNotKept(t *testing.T, s storage.Store) {
	ctx := t.Context()
	put(t, s, "object", []byte("abcdef"))
	p := make([]byte, 6)
	require.NoError(t, s.ReadAt(ctx, "object", p, 0))
	clear(p)
	require.Equal(t, []byte("abcdef"), get(t, s, "object"))
	_, _, err := s.ReadTail(ctx, "object", p)
	require.NoError(t, err)
	clear(p)
	require.Equal(t, []byte("abcdef"), get(t, s, "object"))
}

func testListOrder(t *testing.T, s storage.Store) {
	// In byte order "a-b" < "a.b" < "a/b" < "a0": a walk by directory gets this wrong.
	sorted := []string{"A", "a-b", "a-b.c", "a.b", "a/A", "a/b", "a/b-c/d", "a/b.c", "a/b0", "a0", "b", "ä", "日本"}
	for _, i := range rand.New(rand.NewPCG(5, 6)).Perm(len(sorted)) {
		put(t, s, sorted[i], pattern(i, 0))
	}
	require.Equal(t, sorted, names(t, s, ""))
	i := 0
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		require.EqualValues(t, i, info.Size)
		stat, err := s.Stat(t.Context(), info.Name)
		require.NoError(t, err)
		require.Equal(t, stat.Name, info.Name)
		require.Equal(t, stat.Size, info.Size)
		require.True(t, stat.ModTime.Equal(info.ModTime), "%v, %v", stat.ModTime, info.ModTime)
		i++
	}
}

func testListPrefixes(t *testing.T, s storage.Store) {
	for _, name := range []string{"a/x/1", "a/x/2", "a/xy/1", "a/z", "ab", "b/x/1"} {
		put(t, s, name, []byte(name))
	}
	for prefix, want := range map[string][]string{
		"":          {"a/x/1", "a/x/2", "a/xy/1", "a/z", "ab", "b/x/1"},
		"a":         {"a/x/1", "a/x/2", "a/xy/1", "a/z", "ab"},
		"a/":        {"a/x/1", "a/x/2", "a/xy/1", "a/z"},
		"a/x":       {"a/x/1", "a/x/2", "a/xy/1"},
		"a/x/":      {"a/x/1", "a/x/2"},
		"a/x/1":     {"a/x/1"},
		"a/x/1/":    {},
		"a/x/1/2":   {},
		"a/xyz":     {},
		"c":         {},
		"missing/":  {},
		"/":         {},
		"/a":        {},
		"a//":       {},
		"./":        {},
		".":         {},
		"..":        {},
		"../":       {},
		"a/../":     {},
		"a/../b/":   {},
		"a\x00/":    {},
		"b/x/1\xff": {},
	} {
		require.Equal(t, want, names(t, s, prefix), "prefix %q", prefix)
	}
}

func testListStops(t *testing.T, s storage.Store) {
	for _, name := range []string{"a/1", "a/2", "b/1", "b/2"} {
		put(t, s, name, nil)
	}
	list := s.List(t.Context(), "")
	for range 2 { // a listing may be iterated again
		var seen []string
		for info, err := range list {
			require.NoError(t, err)
			seen = append(seen, info.Name)
			if len(seen) == 2 {
				break
			}
		}
		require.Equal(t, []string{"a/1", "a/2"}, seen)
	}
}

func testDeleteWhileListing(t *testing.T, s storage.Store) {
	all := []string{"a/1", "a/2", "b/c/1", "b/c/2", "d"}
	for _, name := range all {
		put(t, s, name, nil)
	}
	var seen []string
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		require.NoError(t, s.Delete(t.Context(), info.Name))
		seen = append(seen, info.Name)
	}
	require.Equal(t, all, seen)
	require.Empty(t, names(t, s, ""))
}
