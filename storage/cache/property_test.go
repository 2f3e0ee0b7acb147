package cache

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/faultstore"
	"github.com/firnlog/firn/storage/mem"
)

// How long a test waits for something that will come, and how often it looks.
const (
	waitFor = 20 * time.Second
	tick    = time.Millisecond
)

// randomReads reads n random ranges and tails and compares them with the objects. Injected errors are let pass.
func randomReads(t testing.TB, s storage.Store, objects [][]byte, random *rand.Rand, n int) bool {
	for range n {
		i := random.IntN(len(objects))
		name, data := fmt.Sprintf("dir/%d", i), objects[i]
		if random.IntN(10) == 0 {
			p := make([]byte, random.IntN(20_000))
			got, size, err := s.ReadTail(t.Context(), name, p)
			if errors.Is(err, faultstore.ErrInjected) {
				continue
			}
			if !assert.NoError(t, err) || !assert.EqualValues(t, len(data), size) || !assert.Equal(t, min(len(p), len(data)), got) ||
				!assert.True(t, string(data[len(data)-got:]) == string(p[:got]), "tail of %s", name) {
				return false
			}
			continue
		}
		off := random.IntN(len(data) + 1)
		length := random.IntN(len(data) - off + 1)
		if random.IntN(2) == 0 {
			length = min(length, random.IntN(10_000))
		}
		p := make([]byte, length)
		err := s.ReadAt(t.Context(), name, p, int64(off))
		if errors.Is(err, faultstore.ErrInjected) {
			continue
		}
		if !assert.NoError(t, err) || !assert.True(t, string(data[off:off+length]) == string(p), "%d bytes at %d of %s", length, off, name) {
			return false
		}
	}
	return true
}

// randomObjects makes objects of sizes around block and chunk boundaries.
func randomObjects(t testing.TB, s storage.Store, random *rand.Rand) [][]byte {
	var objects [][]byte
	for i, size := range []int{0, 1, 4095, 4096, 4097, 8192, 16_384, 50_000, 65_536, 65_537, 100_000, 200_000 + random.IntN(10_000)} {
		data := content(size, random.Uint64())
		put(t, s, fmt.Sprintf("dir/%d", i), data)
		objects = append(objects, data)
	}
	return objects
}

// TestRandomReads compares reads through caches of random settings, several at a time over one directory, with the objects themselves.
func TestRandomReads(t *testing.T) {
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 1))
		inner := mem.New()
		objects := randomObjects(t, inner, random)
		dir := t.TempDir()
		block := 4096 << random.IntN(4)
		var stores []*Store
		for range 2 {
			opts := Options{
				Dir: dir, BlockBytes: block, Bytes: int64(50_000 + random.IntN(500_000)), Objects: 3 + random.IntN(60),
				MemoryBytes: int64(random.IntN(100_000)) - 1, OpenFiles: 1 + random.IntN(10), RevalidateAfter: time.Duration(1 + random.IntN(1_000_000)),
			}
			if random.IntN(3) == 0 {
				opts.Revalidate = all
			}
			var below storage.Store = inner
			if random.IntN(3) == 0 {
				below = faultstore.New(inner, faultstore.Fault{At: 7, Times: 3}, faultstore.Fault{At: 50, Times: 10})
			}
			stores = append(stores, openCache(t, below, opts))
		}
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() { randomReads(t, stores[i%2], objects, rand.New(rand.NewPCG(seed, uint64(10+i))), 150) })
		}
		group.Wait()
		for _, s := range stores {
			require.NoError(t, s.Close())
			got := s.Stats()
			require.Zero(t, got.Errors, "seed %d: %v", seed, got)
			require.Zero(t, got.Damaged, "seed %d: %v", seed, got)
		}
		r, err := Inspect(t.Context(), dir, InspectOptions{Verify: true})
		require.NoError(t, err)
		require.Zero(t, r.Damaged, "seed %d", seed)
		require.Zero(t, r.Unfinished, "seed %d", seed)
	}
}

// TestBounds fills a cache to many times its bounds and looks at the directory again and again.
func TestBounds(t *testing.T) {
	inner := mem.New()
	data := content(2<<20, 1)
	put(t, inner, "a", data)
	for _, opts := range []Options{
		{Bytes: 256 << 10, BlockBytes: 16 << 10}, {Objects: 20, BlockBytes: 4 << 10}, {Bytes: 4096, BlockBytes: 16 << 10}, {Objects: 1, BlockBytes: 64 << 10},
	} {
		opts.Dir = t.TempDir()
		s := openCache(t, inner, opts)
		requireTail(t, s, "a", data, 100)
		for off := 0; off < len(data)-100; off += 100_000 {
			requireRead(t, s, "a", data, off, min(100_000, len(data)-off))
			settle(s)
			r, err := Inspect(t.Context(), opts.Dir, InspectOptions{})
			require.NoError(t, err)
			require.LessOrEqual(t, r.Bytes, s.opts.Bytes)
			require.LessOrEqual(t, r.Blocks, s.opts.Objects)
			require.Equal(t, s.opts.Bytes, r.BoundBytes)
			require.EqualValues(t, s.opts.Objects, r.BoundBlocks)
		}
		require.NotZero(t, s.Stats().Evicted)
		s.mu.Lock()
		require.LessOrEqual(t, s.handles.blocks.Len(), s.opts.Objects)
		s.mu.Unlock()
	}
}

// TestLeastRecentlyUsed keeps reading one block while others come and go: it stays, on the disk and in memory, in this process and for another.
func TestLeastRecentlyUsed(t *testing.T) {
	inner := mem.New()
	data := content(1<<20, 2)
	put(t, inner, "a", data)
	for _, memory := range []int64{-1, 32 << 10} {
		c := newClock()
		dir := t.TempDir()
		opts := Options{Dir: dir, BlockBytes: 16 << 10, Bytes: 160 << 10, MemoryBytes: memory, Now: c.Now, OpenFiles: 1}
		s := openCache(t, inner, opts)
		requireTail(t, s, "a", data, 100)
		for off := 16 << 10; off < len(data)-20_000; off += 16 << 10 {
			requireRead(t, s, "a", data, 0, 10)
			settle(s)
			before := s.Stats().InnerRequests
			requireRead(t, s, "a", data, off, 10)
			settle(s)
			require.EqualValues(t, 1, s.Stats().InnerRequests-before)
			before = s.Stats().InnerRequests
			requireRead(t, s, "a", data, 0, 10)
			require.Equal(t, before, s.Stats().InnerRequests, "block 0 is still there at %d", off)
			c.add(2 * time.Minute)
		}
		require.NotZero(t, s.Stats().Evicted)
		require.NoError(t, s.Close())
		s = openCache(t, inner, opts)
		requireRead(t, s, "a", data, 0, 10)
		require.Zero(t, s.Stats().InnerRequests)
	}
}
