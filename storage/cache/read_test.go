package cache

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/faultstore"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/metered"
)

// requests runs do and returns what it cost below the cache.
func requests(inner *metered.Store, do func()) (requests, bytes, stats int64) {
	before := inner.Counts()
	do()
	c := inner.Counts().Sub(before)
	return c.Requests, c.BytesRead, c.Stats
}

// requireCost runs do and compares its requests and bytes.
func requireCost(t *testing.T, inner *metered.Store, wantRequests, wantBytes int64, do func()) {
	t.Helper()
	n, bytes, stats := requests(inner, do)
	require.Equal(t, [3]int64{wantRequests, wantBytes, 0}, [3]int64{n, bytes, stats}, "requests, bytes, stats")
}

func TestRequests(t *testing.T) {
	const block = 64 << 10
	for _, memory := range []int64{-1, 1 << 20} {
		inner := metered.New(mem.New())
		data := content(1<<20-1000, 2)
		put(t, inner, "a", data)
		s := openCache(t, inner, Options{BlockBytes: block, MemoryBytes: memory})
		requireCost(t, inner, 1, 1000, func() { requireTail(t, s, "a", data, 1000) })
		settle(s)
		requireCost(t, inner, 0, 0, func() { requireTail(t, s, "a", data, 1000) })
		requireCost(t, inner, 0, 0, func() { requireRead(t, s, "a", data, len(data)-900, 800) })
		requireCost(t, inner, 1, 4*block, func() { requireRead(t, s, "a", data, 100_000, 200_000) })
		settle(s)
		requireCost(t, inner, 0, 0, func() { requireRead(t, s, "a", data, 70_000, 250_000) })
		requireCost(t, inner, 2, int64(len(data))-4*block, func() { requireRead(t, s, "a", data, 0, len(data)) })
		settle(s)
		requireCost(t, inner, 0, 0, func() { requireRead(t, s, "a", data, 0, len(data)) })
		requireCost(t, inner, 0, 0, func() { requireTail(t, s, "a", data, len(data)+5) })
		requireCost(t, inner, 0, 0, func() {
			require.ErrorIs(t, s.ReadAt(t.Context(), "a", make([]byte, 10), int64(len(data))-9), storage.ErrRange)
		})
		got := s.Stats()
		require.Zero(t, got.Damaged+got.Errors+got.Bypassed+got.Skipped+got.Evicted+got.Joined, got)
		require.EqualValues(t, 4, got.InnerRequests)
		require.EqualValues(t, len(data)+1000, got.InnerBytes)
		require.EqualValues(t, 17, got.Stored, "16 blocks, and the end before its block")
	}
}

// TestRestart reads the same in a second process: nothing is asked of the store.
func TestRestart(t *testing.T) {
	inner := metered.New(mem.New())
	dir := t.TempDir()
	objects := map[string][]byte{}
	for i, size := range []int{0, 1, 4095, 4096, 100_000, 262_144, 262_145, 1_500_000} {
		objects[fmt.Sprintf("o/%d", i)] = content(size, uint64(i))
	}
	for name, data := range objects {
		put(t, inner, name, data)
	}
	read := func(s *Store) {
		for name, data := range objects {
			requireTail(t, s, name, data, 1000)
			requireTail(t, s, name, data, 300_000)
			requireRead(t, s, name, data, 0, len(data))
		}
	}
	first := openCache(t, inner, Options{Dir: dir})
	read(first)
	require.NoError(t, first.Close())
	for range 2 {
		s := openCache(t, inner, Options{Dir: dir})
		requireCost(t, inner, 0, 0, func() { read(s) })
		got := s.Stats()
		require.Zero(t, got.InnerRequests+got.Misses+got.Damaged+got.Errors, got)
		require.NotZero(t, got.DiskHits)
		require.NoError(t, s.Close())
	}
	other := openCache(t, inner, Options{Dir: dir, BlockBytes: 64 << 10})
	read(other)
	require.NotZero(t, other.Stats().Misses, "blocks of another size are of no use")
	require.Zero(t, other.Stats().Damaged)
}

// TestUnknownSize reads an object of which nothing is known, as a Parquet reader does that has the size from the catalog.
func TestUnknownSize(t *testing.T) {
	const block = 64 << 10
	inner := metered.New(mem.New())
	dir := t.TempDir()
	data := content(1_000_000, 3)
	put(t, inner, "a", data)
	s := openCache(t, inner, Options{Dir: dir, BlockBytes: block})
	read := func(s *Store) {
		requireRead(t, s, "a", data, len(data)-65_536, 65_536) // the footer
		requireRead(t, s, "a", data, 200_000, 4_000)
	}
	requireCost(t, inner, 2, 65_536+block, func() { read(s) })
	requireCost(t, inner, 1, block, func() {
		requireRead(t, s, "a", data, 985_000, 10_000)
		requireRead(t, s, "a", data, 920_000, 10) // the block in which the footer began
	})
	require.NoError(t, s.Close())
	s = openCache(t, inner, Options{Dir: dir, BlockBytes: block})
	requireCost(t, inner, 0, 0, func() { read(s) })

	// Small reads from the front: the size is asked for once, so that whole blocks can be fetched.
	put(t, inner, "b", data)
	n, bytes, stats := requests(inner, func() {
		for off := 0; off < 2*block; off += 4096 {
			requireRead(t, s, "b", data, off, 4096)
		}
	})
	require.Equal(t, [3]int64{3, 4096 + 2*block, 1}, [3]int64{n, bytes, stats})
	requireCost(t, inner, 1, int64(len(data))%block, func() {
		require.ErrorIs(t, s.ReadAt(t.Context(), "b", make([]byte, 10), 1_000_000), storage.ErrRange)
		requireTail(t, s, "b", data, 10)
	})
	// A range that is wrong is one request, and what is cached stays.
	put(t, inner, "c", data)
	requireCost(t, inner, 1, 0, func() { require.ErrorIs(t, s.ReadAt(t.Context(), "c", make([]byte, 10), 999_999), storage.ErrRange) })
	require.Zero(t, s.Stats().Replaced)
}

// gate is a store whose reads wait until it is opened.
type gate struct {
	storage.Store
	waiting atomic.Int64
	open    chan struct{}
}

func newGate(inner storage.Store) *gate { return &gate{Store: inner, open: make(chan struct{})} }

func (g *gate) wait(ctx context.Context) error {
	g.waiting.Add(1)
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	if err := g.wait(ctx); err != nil {
		return err
	}
	return g.Store.ReadAt(ctx, name, p, off)
}

func (g *gate) ReadTail(ctx context.Context, name string, p []byte) (int, int64, error) {
	if err := g.wait(ctx); err != nil {
		return 0, 0, err
	}
	return g.Store.ReadTail(ctx, name, p)
}

// waiters returns how many readers wait for fetches of an object.
func waiters(s *Store, name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.objects[name]
	if !ok {
		return 0
	}
	o, n, seen := at.Value.(*object), 0, map[*flight]bool{}
	for _, f := range o.flights {
		if !seen[f] {
			n, seen[f] = n+f.waiters, true
		}
	}
	if o.tail != nil {
		n += o.tail.waiters
	}
	return n
}

func TestSingleFlight(t *testing.T) {
	inner := metered.New(mem.New())
	data := content(100_000, 4)
	put(t, inner, "a", data)
	g := newGate(inner)
	s := openCache(t, g, Options{})
	var group sync.WaitGroup
	const readers = 20
	for range readers {
		group.Go(func() { requireTail(t, s, "a", data, 5000) })
	}
	require.Eventually(t, func() bool { return waiters(s, "a") == readers }, waitFor, tick)
	close(g.open)
	group.Wait()
	require.EqualValues(t, 1, inner.Counts().Requests)
	require.EqualValues(t, readers-1, s.Stats().Joined)

	settle(s)
	g.open = make(chan struct{})
	for i := range readers {
		group.Go(func() { requireRead(t, s, "a", data, 10*i, 5000) })
	}
	require.Eventually(t, func() bool { return waiters(s, "a") == readers }, waitFor, tick)
	close(g.open)
	group.Wait()
	require.EqualValues(t, 2, inner.Counts().Requests)
	require.EqualValues(t, 2*(readers-1), s.Stats().Joined)
}

// TestRunsInParallel fetches two runs of one read at the same time.
func TestRunsInParallel(t *testing.T) {
	inner := metered.New(mem.New())
	data := content(100_000, 5)
	put(t, inner, "a", data)
	g := newGate(inner)
	close(g.open)
	s := openCache(t, g, Options{BlockBytes: 4096})
	requireTail(t, s, "a", data, 10)
	requireRead(t, s, "a", data, 50_000, 10)
	settle(s)
	g.open = make(chan struct{})
	g.waiting.Store(0)
	var group sync.WaitGroup
	group.Go(func() { requireRead(t, s, "a", data, 0, len(data)-20) })
	require.Eventually(t, func() bool { return g.waiting.Load() == 2 }, waitFor, tick, "neither waits for the other")
	close(g.open)
	group.Wait()
	require.EqualValues(t, 4, inner.Counts().Requests)
}

func TestCancelledReader(t *testing.T) {
	inner := metered.New(mem.New())
	data := content(100_000, 6)
	put(t, inner, "a", data)
	g := newGate(inner)
	s := openCache(t, g, Options{})
	for _, tail := range []bool{false, true} {
		read := func(ctx context.Context) error {
			if tail {
				_, _, err := s.ReadTail(ctx, "a", make([]byte, 5000))
				return err
			}
			return s.ReadAt(ctx, "a", make([]byte, 5000), 10)
		}
		s.Invalidate("a")
		g.open = make(chan struct{})
		before := inner.Counts().Requests
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { assert.ErrorIs(t, read(ctx), context.Canceled) })
		require.Eventually(t, func() bool { return waiters(s, "a") == 1 }, waitFor, tick)
		group.Go(func() { assert.NoError(t, read(t.Context())) })
		require.Eventually(t, func() bool { return waiters(s, "a") == 2 }, waitFor, tick)
		cancel()
		require.Eventually(t, func() bool { return waiters(s, "a") == 1 }, waitFor, tick)
		close(g.open)
		group.Wait()
		require.EqualValues(t, 1, inner.Counts().Requests-before, "the second reader had the first one's fetch")

		// When all have given up, the request is cancelled; the next reader makes a new one.
		s.Invalidate("a")
		g.open = make(chan struct{})
		ctx, cancel = context.WithCancel(t.Context())
		for range 3 {
			group.Go(func() { assert.ErrorIs(t, read(ctx), context.Canceled) })
		}
		require.Eventually(t, func() bool { return waiters(s, "a") == 3 }, waitFor, tick)
		cancel()
		group.Wait()
		settle(s) // ends, though the gate is shut
		close(g.open)
		require.NoError(t, read(t.Context()))
	}
}

// TestFaultsBelow makes each operation of the store below fail once: the caller sees that error and no other, and the cache is none the worse.
func TestFaultsBelow(t *testing.T) {
	memory := mem.New()
	data := content(300_000, 7)
	put(t, memory, "a", data)
	for n := int64(0); ; n++ {
		f := faultstore.New(memory, faultstore.Fault{At: n})
		s := openCache(t, f, Options{BlockBytes: 16 << 10})
		failures := 0
		try := func(err error) {
			if err != nil {
				require.ErrorIs(t, err, faultstore.ErrInjected)
				failures++
			}
		}
		p := make([]byte, 50_000)
		for range 2 {
			_, _, err := s.ReadTail(t.Context(), "a", p[:100])
			try(err)
			try(s.ReadAt(t.Context(), "a", p, 20_000))
			try(s.ReadAt(t.Context(), "a", p, 200_000))
			_, err = s.Stat(t.Context(), "a")
			try(err)
		}
		if f.Fired() == 0 {
			break
		}
		require.LessOrEqual(t, failures, 1)
		requireRead(t, s, "a", data, 0, len(data))
	}
}

func TestWriteThrough(t *testing.T) {
	inner := metered.New(mem.New())
	dir := t.TempDir()
	s := openCache(t, inner, Options{Dir: dir, WriteThrough: 100_000, BlockBytes: 16 << 10})
	small, large := content(100_000, 8), content(100_001, 9)
	put(t, s, "small", small)
	put(t, s, "large", large)
	put(t, s, "empty", nil)
	require.NoError(t, s.Close())
	s = openCache(t, inner, Options{Dir: dir, BlockBytes: 16 << 10})
	requireCost(t, inner, 0, 0, func() {
		requireTail(t, s, "small", small, 1000)
		requireRead(t, s, "small", small, 0, len(small))
		requireTail(t, s, "empty", nil, 1000)
	})
	requireCost(t, inner, 1, 10, func() { requireTail(t, s, "large", large, 10) })
}

// TestMemoryHoldsNoMoreThanItCounts reads small objects with large buffers: what the tier keeps is not the buffers.
func TestMemoryHoldsNoMoreThanItCounts(t *testing.T) {
	inner := mem.New()
	s := openCache(t, inner, Options{MemoryBytes: 100_000})
	for i := range 50 {
		name, data := fmt.Sprint(i), content(4000+i, uint64(i))
		put(t, inner, name, data)
		requireTail(t, s, name, data, 256<<10)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	require.LessOrEqual(t, s.memory.weight, int64(100_000))
	require.Greater(t, s.memory.weight, int64(80_000))
	for at := s.memory.blocks.Front(); at != nil; at = at.Next() {
		b := at.Value.(*block)
		require.Less(t, cap(b.data), 5000)
	}
}
