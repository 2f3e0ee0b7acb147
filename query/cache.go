package query

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// sized is what a cache holds. Its size may change while it is held.
type sized interface{ SizeInMemory() int64 }

// cache keeps the most recently used values up to a number of bytes, and loads each value once however many ask for it at the same
// time. It is safe for concurrent use.
type cache struct {
	limit int64

	mu      sync.Mutex
	entries *simplelru.LRU[string, *cacheEntry]
	bytes   int64
	flights map[string]*flight
}

type cacheEntry struct {
	value sized
	bytes int64 // as last measured
}

// flight is a load in progress.
type flight struct {
	done  chan struct{}
	value sized
	err   error
}

// hitCounter counts what a scan found in a cache.
type hitCounter struct{ hits, misses atomic.Int64 }

func newCache(limit int64) *cache {
	c := &cache{limit: limit, flights: map[string]*flight{}}
	// The number of entries is not bounded, so the constructor has no reason to fail.
	c.entries, _ = simplelru.NewLRU(math.MaxInt, func(_ string, e *cacheEntry) { c.bytes -= e.bytes })
	return c
}

// get returns the value of a key, loading it if need be. A value for which stale is true is loaded again. Errors are not kept.
func (c *cache) get(ctx context.Context, key string, n *hitCounter, stale func(sized) bool, load func() (sized, error)) (sized, error) {
	for {
		c.mu.Lock()
		if e, ok := c.entries.Get(key); ok && !(stale != nil && stale(e.value)) {
			c.measure(e)
			c.mu.Unlock()
			n.hits.Add(1)
			return e.value, nil
		}
		f, ok := c.flights[key]
		if !ok {
			break // with the lock held
		}
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.done:
		}
		if f.err == nil {
			n.hits.Add(1)
			return f.value, nil
		}
		if !errors.Is(f.err, context.Canceled) && !errors.Is(f.err, context.DeadlineExceeded) {
			return nil, f.err
		}
		// The one who loaded gave up; this one has not.
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	f := &flight{done: make(chan struct{}), err: errors.New("loading was interrupted by a panic")}
	c.flights[key] = f
	c.mu.Unlock()
	n.misses.Add(1)
	defer func() {
		c.mu.Lock()
		delete(c.flights, key)
		if f.err == nil {
			c.add(key, f.value)
		}
		c.mu.Unlock()
		close(f.done)
	}()
	f.value, f.err = load()
	return f.value, f.err
}

// peek returns a value that is there, without loading or counting anything.
func (c *cache) peek(key string) (sized, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries.Peek(key)
	if !ok {
		return nil, false
	}
	return e.value, true
}

// remove forgets a value.
func (c *cache) remove(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(key)
}

// replace puts a value in the place of the one the cache has.
func (c *cache) replace(key string, value sized) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(key, value)
}

// remeasure takes note of what a value has grown to.
func (c *cache) remeasure(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries.Peek(key); ok {
		c.measure(e)
	}
}

func (c *cache) add(key string, value sized) {
	c.entries.Remove(key)
	e := &cacheEntry{value: value, bytes: value.SizeInMemory()}
	c.entries.Add(key, e)
	c.bytes += e.bytes
	c.shrink()
}

func (c *cache) measure(e *cacheEntry) {
	now := e.value.SizeInMemory()
	c.bytes += now - e.bytes
	e.bytes = now
	c.shrink()
}

// shrink drops the least recently used values until the rest fits.
func (c *cache) shrink() {
	for c.bytes > c.limit {
		if _, _, ok := c.entries.RemoveOldest(); !ok {
			return
		}
	}
}
