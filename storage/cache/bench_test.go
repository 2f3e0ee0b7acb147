package cache

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/local"
)

// benchName is as deep as data files lie.
const benchName = "default/web/data/log_date=2026-11-22/0b6d5a3e-0b1c-4c66-9d5c-0d9b8a8d5f10.parquet"

// BenchmarkHits compares reads of a local lake with reads that the cache serves: from open files, from files that have to be opened, and from
// memory. The page cache holds all of it.
func BenchmarkHits(b *testing.B) {
	const size = 64 << 20
	inner, err := local.New(b.TempDir())
	require.NoError(b, err)
	defer func() { require.NoError(b, inner.Close()) }()
	require.NoError(b, storage.WriteObject(b.Context(), inner, benchName, content(size, 1)))
	stores := []struct {
		name  string
		store storage.Store
	}{
		{"local", inner},
		{"disk", openCache(b, inner, Options{MemoryBytes: -1})},
		{"disk-reopened", openCache(b, inner, Options{MemoryBytes: -1, OpenFiles: 1})},
		{"memory", openCache(b, inner, Options{MemoryBytes: 128 << 20})},
		{"memory-too-small", openCache(b, inner, Options{MemoryBytes: 16 << 20})},
	}
	for _, n := range []int{4 << 10, 64 << 10, 1 << 20} {
		for _, sequential := range []bool{false, true} {
			for _, s := range stores {
				order := map[bool]string{false: "random", true: "sequential"}[sequential]
				b.Run(fmt.Sprintf("%s/%dKiB/%s", order, n>>10, s.name), func(b *testing.B) { benchReads(b, s.store, size, n, sequential) })
			}
		}
	}
}

func benchReads(b *testing.B, s storage.Store, size, n int, sequential bool) {
	p := make([]byte, size)
	for range 2 {
		for off := 0; off < size; off += 1 << 20 {
			require.NoError(b, s.ReadAt(b.Context(), benchName, p[:1<<20], int64(off)))
		}
	}
	if c, ok := s.(*Store); ok {
		settle(c)
		before := c.Stats().Misses
		defer func() { require.Equal(b, before, c.Stats().Misses) }()
	}
	random := rand.New(rand.NewPCG(1, 2))
	b.SetBytes(int64(n))
	off, begin := 0, cpuTime()
	for b.Loop() {
		if sequential {
			if off += n; off+n > size {
				off = 0
			}
		} else {
			off = random.IntN(size - n)
		}
		if err := s.ReadAt(b.Context(), benchName, p[:n], int64(off)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime()-begin)/float64(b.N), "cpu-ns/op")
}

// BenchmarkOpen opens a cache of 90 000 blocks and reads one of them, and counts the files.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	inner, err := local.New(b.TempDir())
	require.NoError(b, err)
	defer func() { require.NoError(b, inner.Close()) }()
	data := content(100, 1)
	require.NoError(b, storage.WriteObject(b.Context(), inner, benchName, data))
	s := openCache(b, inner, Options{Dir: dir})
	for i := range 90_000 {
		h := &header{
			store: s.uri, name: fmt.Sprint(i), blockBytes: s.opts.BlockBytes, length: len(data), size: 100, flags: flagSizeKnown | flagLast,
			sums: checksums(data),
		}
		_, err := s.disk.write(s.disk.path(objectID(s.uri, h.name, h.blockBytes), lastSuffix), data, h.append(nil), s.now())
		require.NoError(b, err)
	}
	requireTail(b, s, benchName, data, 100)
	require.NoError(b, s.Close())
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			s, err := Open(inner, Options{Dir: dir, MinFree: -1})
			require.NoError(b, err)
			requireTail(b, s, benchName, data, 100)
			require.Zero(b, s.Stats().InnerRequests)
			require.NoError(b, s.Close())
		}
	})
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			found, err := s.disk.scan()
			require.NoError(b, err)
			require.Greater(b, len(found), 90_000)
		}
	})
}

// BenchmarkCold reads an object in order that is not cached yet, from a local store, and compares with reading the store itself: the difference is
// what the cache costs a first run, besides the network.
func BenchmarkCold(b *testing.B) {
	const size, n = 64 << 20, 1 << 20
	inner, err := local.New(b.TempDir())
	require.NoError(b, err)
	defer func() { require.NoError(b, inner.Close()) }()
	require.NoError(b, storage.WriteObject(b.Context(), inner, benchName, content(size, 1)))
	cached := openCache(b, inner, Options{})
	p := make([]byte, n)
	for _, s := range []storage.Store{inner, cached} {
		b.Run(fmt.Sprintf("%T", s), func(b *testing.B) {
			b.SetBytes(size)
			begin := cpuTime()
			for b.Loop() {
				cached.Invalidate(benchName)
				for off := int64(0); off < size; off += n {
					if err := s.ReadAt(b.Context(), benchName, p, off); err != nil {
						b.Fatal(err)
					}
				}
				settle(cached)
			}
			b.ReportMetric(float64(cpuTime()-begin)/float64(b.N)/1e6, "cpu-ms/op")
		})
	}
}
