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

// cacheKind is what kind of thing a cache holds.
type cacheKind uint8

const (
	kindPlan    cacheKind = iota // what planning derives from a state of a table
	kindFooter                   // opened data files: footers, page indexes, bloom filters
	kindSidecar                  // opened sidecars: heads, dictionaries, bloom filters, bitmaps; or why there is none
	kindPack                     // opened bloom packs, and listings of them
	kindRows                     // rows of tokens, as sidecars gave them
	kindPage                     // decompressed pages of data files, and which were read before
	numKinds
)

// cacheKey says what a value is of. Everything that the value depends on is part of its key, and is never changed in place; so a value never has to be
// compared with what is stored.
type cacheKey struct {
	kind    cacheKind
	name    string // of the object in the store, or what else identifies the source
	variant string // tells values apart that were made of one source in different ways
}

// cache keeps the most recently used values up to a number of bytes and a number of entries, and loads each value once however many ask for it at the same
// time. It is safe for concurrent use.
type cache struct {
	limit int64
	most  int // entries

	mu      sync.Mutex
	entries *simplelru.LRU[cacheKey, *cacheEntry]
	bytes   int64
	kinds   [numKinds]CacheCounts
	flights map[cacheKey]*flight
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

// CacheCounts tells about one kind of thing in an engine's cache. Hits, Misses and Evictions count from when the engine was made.
type CacheCounts struct {
	Hits      int64 `json:"hits"`      // found, or loaded at that moment by somebody else
	Misses    int64 `json:"misses"`    // loaded
	Evictions int64 `json:"evictions"` // dropped to stay within the bounds
	Entries   int   `json:"entries"`   // held now
	Bytes     int64 `json:"bytes"`     // of memory that these take, about
}

// CacheStats tells what an engine's cache holds and how it has served.
type CacheStats struct {
	LimitBytes   int64 `json:"limit_bytes"`   // EngineOptions.CacheBytes
	LimitEntries int   `json:"limit_entries"` // EngineOptions.CacheEntries
	Bytes        int64 `json:"bytes"`         // of all kinds together
	Entries      int   `json:"entries"`

	Plans    CacheCounts `json:"plans"`    // what planning derives from states of tables: schemas, lists of files with their bounds
	Footers  CacheCounts `json:"footers"`  // Parquet footers with page indexes and bloom filters
	Sidecars CacheCounts `json:"sidecars"` // heads of sidecars with dictionaries, bloom filters and bitmaps
	Packs    CacheCounts `json:"packs"`    // bloom packs, and listings of them
	Rows     CacheCounts `json:"rows"`     // sets of rows in which tokens are, as sidecars of large files told them
	Pages    CacheCounts `json:"pages"`    // decompressed pages of data files of which few rows were read more than once
}

func newCache(limit int64, most int) *cache {
	c := &cache{limit: limit, most: most, flights: map[cacheKey]*flight{}}
	// The list does not evict by itself, so the constructor has no reason to fail.
	c.entries, _ = simplelru.NewLRU(math.MaxInt, func(key cacheKey, e *cacheEntry) {
		c.bytes -= e.bytes
		c.kinds[key.kind].Bytes -= e.bytes
		c.kinds[key.kind].Entries--
	})
	return c
}

// stats returns what the cache holds and how it has served.
func (c *cache) stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CacheStats{
		LimitBytes: c.limit, LimitEntries: c.most, Bytes: c.bytes, Entries: c.entries.Len(),
		Plans: c.kinds[kindPlan], Footers: c.kinds[kindFooter], Sidecars: c.kinds[kindSidecar], Packs: c.kinds[kindPack], Rows: c.kinds[kindRows], Pages: c.kinds[kindPage],
	}
}

// get returns the value of a key, loading it if need be. A value for which stale is true is loaded again. Errors are not kept.
func (c *cache) get(ctx context.Context, key cacheKey, n *hitCounter, stale func(sized) bool, load func() (sized, error)) (sized, error) {
	for {
		c.mu.Lock()
		if e, ok := c.entries.Get(key); ok && !(stale != nil && stale(e.value)) {
			c.measure(key, e)
			c.kinds[key.kind].Hits++
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
			c.mu.Lock()
			c.kinds[key.kind].Hits++
			c.mu.Unlock()
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
	c.kinds[key.kind].Misses++
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

// find returns a value that is there, and counts that it was looked for.
func (c *cache) find(key cacheKey) (sized, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries.Get(key)
	if !ok {
		c.kinds[key.kind].Misses++
		return nil, false
	}
	c.kinds[key.kind].Hits++
	return e.value, true
}

// peek returns a value that is there, without loading or counting anything.
func (c *cache) peek(key cacheKey) (sized, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries.Peek(key)
	if !ok {
		return nil, false
	}
	return e.value, true
}

// remove forgets a value.
func (c *cache) remove(key cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(key)
}

// replace puts a value in the place of the one the cache has.
func (c *cache) replace(key cacheKey, value sized) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(key, value)
}

// remeasure takes note of what a value has grown to.
func (c *cache) remeasure(key cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries.Peek(key); ok {
		c.measure(key, e)
	}
}

// has says whether the cache holds a value now.
func (c *cache) has(key cacheKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries.Contains(key)
}

func (c *cache) add(key cacheKey, value sized) {
	c.entries.Remove(key)
	e := &cacheEntry{value: value, bytes: value.SizeInMemory()}
	c.entries.Add(key, e)
	c.bytes += e.bytes
	c.kinds[key.kind].Bytes += e.bytes
	c.kinds[key.kind].Entries++
	c.shrink()
}

func (c *cache) measure(key cacheKey, e *cacheEntry) {
	now := e.value.SizeInMemory()
	c.bytes += now - e.bytes
	c.kinds[key.kind].Bytes += now - e.bytes
	e.bytes = now
	c.shrink()
}

// shrink drops the least recently used values until the rest fits.
func (c *cache) shrink() {
	for c.bytes > c.limit || c.entries.Len() > c.most {
		key, _, ok := c.entries.RemoveOldest()
		if !ok {
			return
		}
		c.kinds[key.kind].Evictions++
	}
}
