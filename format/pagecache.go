package format

// PageCache keeps decompressed pages from one Read to the next: of pages that are read again and again for few of their rows, decompressing takes nearly all the
// time. It must be safe for concurrent use. Offsets are those of page headers in the file.
type PageCache interface {
	// Page returns the page that was kept; nil if there is none, and then whether Keep should be told the page.
	Page(file string, offset int64) (p *CachedPage, keep bool)
	// Keep is told a page.
	Keep(file string, offset int64, p *CachedPage)
}

// CachedPage is a decompressed page in memory of its own. It is immutable.
type CachedPage struct {
	page  page
	texts [][]byte // of a dictionary of texts: its entries
}

// SizeInMemory returns about how many bytes the page holds.
func (p *CachedPage) SizeInMemory() int64 {
	const fixed, perText = 300, 24
	return int64(len(p.page.body)+len(p.page.levels)) + perText*int64(len(p.texts)) + fixed
}

// cachedPages is what a reader of a column chunk knows about kept pages. Without a cache it is zero.
type cachedPages struct {
	cache PageCache
	file  string
	found map[int64]*CachedPage // by offset: nil is a page to be kept once it is read
}

// fewRows is the part of the rows of a page up to which the page is looked for: whoever reads most of its rows is likely to read all pages, once.
const fewRows = 0.5

// look finds a page, and says whether it is there.
func (c *cachedPages) look(offset int64) bool {
	if p, ok := c.found[offset]; ok && p != nil {
		return true
	}
	p, keep := c.cache.Page(c.file, offset)
	if p != nil || keep {
		if c.found == nil {
			c.found = map[int64]*CachedPage{}
		}
		c.found[offset] = p
	}
	return p != nil
}

// get returns a page that was found. keep says that the page is to be kept once it is read.
func (c *cachedPages) get(offset int64) (p *CachedPage, keep bool) {
	p, ok := c.found[offset]
	return p, ok && p == nil
}

// keep has the cache keep a page, whose body must be in memory of its own.
func (c *cachedPages) keep(offset int64, p *page, texts [][]byte) {
	p.shared = true
	p.levels = append([]byte(nil), p.levels...)
	kept := &CachedPage{page: *p, texts: texts}
	c.found[offset] = kept
	c.cache.Keep(c.file, offset, kept)
}

// few says whether rows, ascending ranges, hold few of the rows [first, end).
func few(rows []RowRange, first, end uint32) bool {
	wanted, most := uint32(0), uint32(float64(end-first)*fewRows)
	lo, hi := 0, len(rows)
	for lo < hi { // the first range that ends behind first
		if middle := (lo + hi) / 2; rows[middle].End <= first {
			lo = middle + 1
		} else {
			hi = middle
		}
	}
	for _, r := range rows[lo:] {
		if r.Start >= end || wanted > most {
			break
		}
		wanted += min(r.End, end) - max(r.Start, first)
	}
	return wanted <= most
}
