package local

import (
	"errors"
	"os"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxHandles bounds the files that one store keeps open for reading.
const maxHandles = 256

// handle is a file open for reading. It is closed when it was dropped from the cache and its last user has released it.
type handle struct {
	file    *os.File
	users   int  // guarded by handleCache.mu
	dropped bool // guarded by handleCache.mu
}

// handleCache keeps the most recently used files open: a search makes many small reads of few files, and opening a file by a path of
// several directories costs several times as much as reading from an open one.
type handleCache struct {
	mu     sync.Mutex
	recent *simplelru.LRU[string, *handle]
	closed bool
	errs   []error // of closing handles; reported by close
}

// newHandleCache returns a cache that keeps at most size files open.
func newHandleCache(size int) *handleCache {
	c := &handleCache{}
	// NewLRU fails only for sizes below one.
	c.recent, _ = simplelru.NewLRU(max(size, 1), func(_ string, h *handle) { c.dropLocked(h) })
	return c
}

// acquire returns the open handle of a name, or nil.
func (c *handleCache) acquire(name string) *handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, ok := c.recent.Get(name)
	if !ok {
		return nil
	}
	h.users++
	return h
}

// add puts a newly opened file into the cache and returns its handle, acquired.
func (c *handleCache) add(name string, file *os.File) *handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := &handle{file: file, users: 1}
	if c.closed {
		h.dropped = true
		return h
	}
	c.recent.Remove(name) // another reader was faster, or an older file had that name
	c.recent.Add(name, h)
	return h
}

// release ends the use of a handle.
func (c *handleCache) release(h *handle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.users--
	if h.dropped {
		c.closeUnusedLocked(h)
	}
}

// drop forgets a name.
func (c *handleCache) drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recent.Remove(name)
}

// close forgets all names. Handles in use are closed by their last user.
func (c *handleCache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.recent.Purge()
	errs := c.errs
	c.errs = nil
	return errors.Join(errs...)
}

// dropLocked marks a handle that has left the cache.
func (c *handleCache) dropLocked(h *handle) {
	h.dropped = true
	c.closeUnusedLocked(h)
}

// closeUnusedLocked closes a dropped handle that nobody uses.
func (c *handleCache) closeUnusedLocked(h *handle) {
	if h.users > 0 {
		return
	}
	if err := h.file.Close(); err != nil {
		c.errs = append(c.errs, err)
	}
}
