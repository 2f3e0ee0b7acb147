package catalog

import (
	"path"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
)

// objectCacheBytes is how much of manifests and manifest lists, packed as they are stored, a catalog keeps, and objectCacheLargest the
// largest one that is worth it. A writer that appends again and again thus reads nothing of what it wrote itself.
const (
	objectCacheBytes   = 16 << 20
	objectCacheLargest = 2 << 20
	objectCacheCount   = 4096
)

// objectCache keeps small immutable objects by name. It is safe for concurrent use; nil keeps nothing.
type objectCache struct {
	mu    sync.Mutex
	lru   *lru.Cache[string, []byte]
	bytes int
}

func newObjectCache() (*objectCache, error) {
	c := &objectCache{}
	var err error
	c.lru, err = lru.NewWithEvict(objectCacheCount, func(_ string, content []byte) { c.bytes -= len(content) })
	return c, err
}

func (c *objectCache) get(name string) ([]byte, bool) {
	if c == nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lru.Get(name)
}

func (c *objectCache) add(name string, content []byte) {
	// metadata.json is kept parsed, elsewhere.
	if c == nil || len(content) > objectCacheLargest || strings.HasSuffix(path.Base(name), ".json") {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Remove(name)
	c.bytes += len(content)
	c.lru.Add(name, content)
	for c.bytes > objectCacheBytes {
		c.lru.RemoveOldest()
	}
}
