package query

import "github.com/firnlog/firn/format"

// pageCache keeps decompressed pages in the engine's cache. A page is kept from the second time on that few of its rows are read: whoever reads a page once, on
// the way through many, neither waits for more of it to be decompressed than is needed nor drives out what is read often.
type pageCache struct{ cache *cache }

// seenPage stands for a page that was read once.
type seenPage struct{}

// SizeInMemory returns about what the entry takes.
func (seenPage) SizeInMemory() int64 { return 200 }

// Page implements format.PageCache.
func (c pageCache) Page(file string, offset int64) (p *format.CachedPage, keep bool) {
	key := pageKey(file, offset)
	v, ok := c.cache.find(key)
	if !ok {
		c.cache.replace(key, seenPage{})
		return nil, false
	}
	if p, ok = v.(*format.CachedPage); ok {
		return p, false
	}
	return nil, true
}

// Keep implements format.PageCache.
func (c pageCache) Keep(file string, offset int64, p *format.CachedPage) {
	c.cache.replace(pageKey(file, offset), p)
}
