package index

import (
	"context"
	"sync"
)

// partKey names a loaded part of a sidecar.
type partKey struct {
	kind   blobKind
	column int
	number int
}

func bloomKey(column int) partKey { return partKey{kindBloom, column, 0} }

// kindRows is no kind of blob but that of a decoded posting, which the cache keeps like the parts that were read.
const kindRows blobKind = 1<<16 - 1

// rowsKey is the key of the posting that a part of a dictionary has under a number.
func rowsKey(column, part int, value uint64) partKey {
	return partKey{kindRows, column, part<<40 | int(value)}
}

const (
	// fixedBytes is about what a sidecar without any loaded part takes beside its head.
	fixedBytes = 1024
	// loadedBytes bounds the parts that a sidecar keeps. The one used last always stays.
	loadedBytes = 8 << 20
	// keptRows is the number of rows from which a decoded posting is kept; smaller ones are decoded as fast as found.
	keptRows = 512
)

// partCache keeps the parts of one sidecar that were used last. A part that several callers want at once is loaded once.
type partCache struct {
	mu      sync.Mutex
	fixed   int64 // bytes that are never dropped
	used    int64 // bytes of the parts
	clock   uint64
	parts   map[partKey]*cachedPart
	loading map[partKey]chan struct{} // closed when the load has ended, one way or the other
}

type cachedPart struct {
	value any
	bytes int64
	last  uint64 // clock when it was used last
}

func (c *partCache) init(fixed int64) {
	c.fixed = fixed
	c.parts = map[partKey]*cachedPart{}
	c.loading = map[partKey]chan struct{}{}
}

func (c *partCache) bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fixed + c.used
}

// get returns a part that is there, or nil.
func (c *partCache) get(key partKey) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.parts[key]
	if p == nil {
		return nil
	}
	c.clock++
	p.last = c.clock
	return p.value
}

// put keeps a part.
func (c *partCache) put(key partKey, value any, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(key, value, bytes)
}

// keep keeps a part and drops those that were not used for longest. The caller holds the lock.
func (c *partCache) keep(key partKey, value any, bytes int64) {
	c.clock++
	if p := c.parts[key]; p != nil {
		c.used -= p.bytes
	}
	c.parts[key] = &cachedPart{value: value, bytes: bytes, last: c.clock}
	c.used += bytes
	for c.used > loadedBytes && len(c.parts) > 1 {
		var oldest partKey
		last := c.clock
		for k, p := range c.parts {
			if p.last < last {
				oldest, last = k, p.last
			}
		}
		c.used -= c.parts[oldest].bytes
		delete(c.parts, oldest)
	}
}

// begin returns a part that is there, or else a channel: one that this caller must close after loading the part (mine), or one of
// another caller who is at it.
func (c *partCache) begin(key partKey) (part *cachedPart, done chan struct{}, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.parts[key]; p != nil {
		c.clock++
		p.last = c.clock
		return p, nil, false
	}
	if done := c.loading[key]; done != nil {
		return nil, done, false
	}
	done = make(chan struct{})
	c.loading[key] = done
	return nil, done, true
}

// end ends a load, with a part to keep or without.
func (c *partCache) end(key partKey, value any, bytes int64, done chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.loading, key)
	if value != nil {
		c.keep(key, value, bytes)
	}
	close(done)
}

// load returns a part, from the cache or by reading it. If another caller is reading it, load waits for that one, and tries itself if that one
// fails: the failure may have been of the other caller's context.
func load[T any](ctx context.Context, c *partCache, key partKey, bytes int64, read func() (T, error)) (T, error) {
	var none T
	for {
		p, done, mine := c.begin(key)
		switch {
		case p != nil:
			return p.value.(T), nil
		case mine:
			return loadMine(c, key, bytes, done, read)
		}
		select {
		case <-done:
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
}

// loadMine reads a part and lets the others go on, also if read panics.
func loadMine[T any](c *partCache, key partKey, bytes int64, done chan struct{}, read func() (T, error)) (value T, err error) {
	var kept any
	defer func() { c.end(key, kept, bytes, done) }()
	if value, err = read(); err == nil {
		kept = value
	}
	return value, err
}
