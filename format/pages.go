package format

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"sort"
)

// pageAt is a data page as the offset index knows it.
type pageAt struct {
	location
	firstRow uint32 // in the row group
}

// page is a decompressed data page.
type page struct {
	pageHeader
	firstRow int // in the row group; of a page without index, of the first row that starts in it
	rows     int // -1: not known before the levels are decoded
	levels   []byte
	repLen   int // of version 2: where the definition levels start
	body     []byte
	held     bool      // values of the current batch point into body
	partial  *inflater // body is not decompressed to its end
	shared   bool      // body belongs to a PageCache
}

// pageReader yields the pages of one column chunk.
type pageReader struct {
	fetch  *fetcher
	dec    *decompressor
	chunk  *chunkMeta
	rows   int      // of the row group
	index  []pageAt // nil: the chunk has no page index and is read from its start on
	next   int      // with an index: the page after the current one
	dict   page
	noDict bool       // the dictionary page was looked for in vain, or read
	wanted []RowRange // the rows that will be read of the chunk, to see how far its pages need be decompressed

	// Without an index.
	at     int64 // where the next page header lies
	block  segment
	values int64 // values of the pages so far

	buffers *batchMemory
	cached  cachedPages
	own     bool // the page being unpacked gets memory of its own
}

// ranges returns the bytes that hold the rows in these ranges (of the row group), the dictionary page included.
func (r *pageReader) ranges(rows []RowRange) []location {
	if r.index == nil {
		if r.chunk.compressed > maxPlanBytes {
			return nil // it is read block by block
		}
		return []location{{r.chunk.start(), r.chunk.compressed}}
	}
	var out []location
	last := -1
	for _, rg := range rows {
		i := max(r.find(rg.Start), last+1)
		for ; i < len(r.index) && (r.index[i].firstRow < rg.End); i++ {
			last = i
			if !r.isKept(i, rows) {
				out = append(out, r.index[i].location)
			}
		}
	}
	if d := r.dictRange(); d.length > 0 && last >= 0 && !(len(r.cached.found) > 0 && r.cached.look(d.offset)) {
		out = append(out, d)
	}
	return out
}

// isKept says whether a page of which these rows will be read is in the cache.
func (r *pageReader) isKept(i int, rows []RowRange) bool {
	if r.cached.cache == nil {
		return false
	}
	first, end := r.pageRows(i)
	return few(rows, uint32(first), uint32(end)) && r.cached.look(r.index[i].offset)
}

// dictRange returns where the dictionary page lies: before the first data page.
func (r *pageReader) dictRange() location {
	start := r.chunk.start()
	first := r.chunk.dataAt
	if len(r.index) > 0 {
		first = r.index[0].offset
	}
	if first <= start {
		return location{}
	}
	return location{start, first - start}
}

// find returns the page that holds a row.
func (r *pageReader) find(row uint32) int {
	return sort.Search(len(r.index), func(i int) bool { return r.index[i].firstRow > row }) - 1
}

// pageRows returns the rows of page i of the index.
func (r *pageReader) pageRows(i int) (first, end int) {
	end = r.rows
	if i+1 < len(r.index) {
		end = int(r.index[i+1].firstRow)
	}
	return int(r.index[i].firstRow), end
}

var errNoPages = errors.New("the column chunk ends before its rows do")

// seek makes the page that holds the row the next one, if there is an index; row is not before the current page.
func (r *pageReader) seek(row int) {
	if r.index != nil {
		r.next = max(r.next, r.find(uint32(row)))
	}
}

// read reads the next data page into p, whose memory it first lets go of.
func (r *pageReader) read(ctx context.Context, p *page) error {
	r.drop(p)
	if r.index == nil {
		return r.readNext(ctx, p)
	}
	if r.next >= len(r.index) {
		return errNoPages
	}
	i := r.next
	r.next++
	at := r.index[i].location
	kept, keep := r.cached.get(at.offset)
	if kept != nil {
		*p = kept.page
		return nil
	}
	data, err := r.load(ctx, at)
	if err != nil {
		return err
	}
	h, n, err := parsePageHeader(data)
	if err != nil {
		return fmt.Errorf("page at byte %d: %w", at.offset, err)
	}
	if int64(n)+int64(h.compressed) > at.length {
		return fmt.Errorf("page at byte %d: it is longer than the offset index says", at.offset)
	}
	first, end := r.pageRows(i)
	p.firstRow, p.rows = first, end-first
	if h.kind == pageDataV2 && int(h.rows) != p.rows {
		return fmt.Errorf("page at byte %d: it has %d rows, the offset index says %d", at.offset, h.rows, p.rows)
	}
	r.own = keep
	err = r.unpack(p, &h, data[n:n+int(h.compressed)])
	r.own = false
	if err != nil {
		return fmt.Errorf("page at byte %d: %w", at.offset, err)
	}
	if keep {
		r.cached.keep(at.offset, p, nil)
	}
	return nil
}

// drop lets go of a page.
func (r *pageReader) drop(p *page) {
	if !p.shared {
		r.buffers.release(p.body, p.held)
	}
	if p.partial != nil {
		r.dec.stopInflate(p.partial)
	}
	*p = page{}
}

// load returns bytes of the file, from memory or by a request of its own.
func (r *pageReader) load(ctx context.Context, at location) ([]byte, error) {
	if data, ok := r.fetch.bytes(at.offset, at.length); ok {
		return data, nil
	}
	if r.block.holds(at.offset, at.length) {
		lo := at.offset - r.block.offset
		return r.block.data[lo : lo+at.length], nil
	}
	// What is decoded from the block is copied out of it, so its memory can be used again.
	r.block = segment{offset: at.offset, data: grow(r.block.data, int(at.length))}
	err := r.fetch.wait(func() error { return r.fetch.readAt(ctx, r.block.data, at.offset) })
	return r.block.data, err
}

// maxPageHeader is how long a page header can be; those of writers that put whole values into their statistics are long.
const maxPageHeader = 8 << 20

// readNext reads the next data page of a chunk without an index.
func (r *pageReader) readNext(ctx context.Context, p *page) error {
	for {
		if r.at == 0 {
			r.at = r.chunk.start()
		}
		end := r.chunk.start() + r.chunk.compressed
		if r.at >= end || r.values >= r.chunk.values {
			return errNoPages
		}
		h, n, err := r.header(ctx, end)
		if err != nil {
			return fmt.Errorf("page at byte %d: %w", r.at, err)
		}
		size := int64(n) + int64(h.compressed)
		if size > end-r.at {
			return fmt.Errorf("page at byte %d: it ends behind its column chunk", r.at)
		}
		data, err := r.window(ctx, size, end)
		if err != nil {
			return err
		}
		at := r.at
		r.at += size
		switch h.kind {
		case pageData, pageDataV2:
			r.values += int64(h.values)
			p.rows = -1
			if h.kind == pageDataV2 {
				p.rows = int(h.rows)
			}
			err = r.unpack(p, &h, data[n:size])
		case pageDictionary:
			err = r.unpackDict(&h, data[n:size])
		}
		if err != nil {
			return fmt.Errorf("page at byte %d: %w", at, err)
		}
		if h.kind == pageData || h.kind == pageDataV2 {
			return nil
		}
	}
}

// header parses the page header at r.at, with more and more bytes until it is whole.
func (r *pageReader) header(ctx context.Context, end int64) (pageHeader, int, error) {
	for want := int64(4 << 10); ; want *= 8 {
		n := min(want, end-r.at)
		data, err := r.window(ctx, n, end)
		if err != nil {
			return pageHeader{}, 0, err
		}
		h, used, err := parsePageHeader(data)
		if err == nil || n == end-r.at || want > maxPageHeader || !errors.Is(err, errThrift) {
			return h, used, err
		}
	}
}

// window returns n bytes at r.at, and reads a whole block if they are not in memory.
func (r *pageReader) window(ctx context.Context, n, end int64) ([]byte, error) {
	if data, ok := r.fetch.bytes(r.at, n); ok {
		return data, nil
	}
	if !r.block.holds(r.at, n) {
		if _, err := r.load(ctx, location{r.at, min(max(n, streamBlock), end-r.at)}); err != nil {
			return nil, err
		}
	}
	lo := r.at - r.block.offset
	return r.block.data[lo : lo+n : lo+n], nil
}

// unpack checks and decompresses a data page.
func (r *pageReader) unpack(p *page, h *pageHeader, data []byte) error {
	if h.kind != pageData && h.kind != pageDataV2 {
		return fmt.Errorf("it is of type %d, not a data page", h.kind)
	}
	if int64(h.values) > r.chunk.values {
		return fmt.Errorf("it has %d values, its column chunk %d", h.values, r.chunk.values)
	}
	r.fetch.countPage()
	p.pageHeader = *h
	if h.hasCRC && crc32.ChecksumIEEE(data) != h.crc {
		return errChecksum
	}
	compressed := r.chunk.codec != codecNone
	levels := 0
	if h.kind == pageDataV2 {
		levels = int(h.defBytes) + int(h.repBytes)
		compressed = compressed && h.valuesCompressed
	}
	p.levels, p.repLen = data[:levels], int(h.repBytes)
	var err error
	size := int64(h.uncompressed) - int64(levels)
	plainText := h.encoding == encodingPlain && r.chunk.physical == physicalBytes
	if compressed && r.chunk.codec == codecZstd && plainText && size >= minPartial && !r.own && r.lastWanted(p) < partialRows {
		if err = r.checkSize(codecZstd, data[levels:], size); err == nil {
			p.body = r.buffers.get(int(size))
			p.partial, err = r.dec.startInflate(p.body, data[levels:])
		}
		return err
	}
	p.body, err = r.inflate(data[levels:], size, compressed)
	return err
}

// A page is decompressed only as far as it is needed if it is so large and the rows that are wanted all lie in so much of it.
const (
	minPartial  = 2 * inflateStep
	partialRows = 0.8
)

// lastWanted returns where in the page, as a fraction of its rows, the last row lies that will be read.
func (r *pageReader) lastWanted(p *page) float64 {
	end := uint32(p.firstRow + p.rows)
	i := sort.Search(len(r.wanted), func(i int) bool { return r.wanted[i].Start >= end }) - 1
	if p.rows <= 0 || i < 0 {
		return 1
	}
	return float64(min(end, r.wanted[i].End)-uint32(p.firstRow)) / float64(p.rows)
}

var errChecksum = errors.New("its checksum does not match")

// inflate returns a page's decompressed bytes in memory from r.buffers.
func (r *pageReader) inflate(data []byte, size int64, compressed bool) ([]byte, error) {
	codec := r.chunk.codec
	if !compressed || len(data) == 0 && size == 0 {
		codec = codecNone
	}
	if err := r.checkSize(codec, data, size); err != nil {
		return nil, err
	}
	var body []byte
	if r.own {
		body = make([]byte, size)
	} else {
		body = r.buffers.get(int(size))
	}
	return body, r.dec.decompress(codec, body, data)
}

// checkSize tells whether a page can be as large decompressed as its header says.
func (r *pageReader) checkSize(codec int32, data []byte, size int64) error {
	if codec == codecNone && size != int64(len(data)) || !plausible(codec, int64(len(data)), size) || size > 2*r.chunk.uncompressed+1<<20 {
		return errPageSize
	}
	return nil
}

// dictionary returns the chunk's dictionary page, nil if it has none.
func (r *pageReader) dictionary(ctx context.Context) (*page, error) {
	if r.dict.kind == pageDictionary {
		return &r.dict, nil
	}
	at := r.dictRange()
	if r.noDict || r.index == nil || at.length == 0 {
		return nil, nil
	}
	r.noDict = true
	kept, keep := r.cached.get(at.offset)
	if kept != nil {
		r.dict = kept.page
		return &r.dict, nil
	}
	data, err := r.load(ctx, at)
	if err != nil {
		return nil, err
	}
	h, n, err := parsePageHeader(data)
	if err == nil && (h.kind != pageDictionary || int64(h.compressed) > int64(len(data)-n)) {
		err = errPageHeader
	}
	if err == nil {
		r.own = keep
		err = r.unpackDict(&h, data[n:n+int(h.compressed)])
		r.own = false
	}
	if err != nil {
		return nil, fmt.Errorf("dictionary page at byte %d: %w", at.offset, err)
	}
	return &r.dict, nil
}

func (r *pageReader) unpackDict(h *pageHeader, data []byte) error {
	r.fetch.countPage()
	if h.encoding != encodingPlain && h.encoding != encodingPlainDictionary {
		return errBadEncoding
	}
	if h.hasCRC && crc32.ChecksumIEEE(data) != h.crc {
		return errChecksum
	}
	body, err := r.inflate(data, int64(h.uncompressed), r.chunk.codec != codecNone)
	if err != nil {
		return err
	}
	r.dict = page{pageHeader: *h, body: body}
	return nil
}
