package format

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
)

// maxIndexBytes is up to where the page index of a whole file is read in one request, whatever columns are asked for.
const maxIndexBytes = 1 << 20

// loadLock is held by the one who reads a part of a file for all. Waiting for it ends with the context, and it is not held by those
// who only want what is in memory.
type loadLock chan struct{}

func newLoadLock() loadLock { return make(loadLock, 1) }

func (l loadLock) lock(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l loadLock) unlock() { <-l }

// pageIndexes is the part of a file's page index that was needed so far.
type pageIndexes struct {
	loading loadLock // before mu

	mu       sync.Mutex
	segments fetcher
	whole    bool // all of it is in memory
	leaves   map[int]bool
	pages    map[indexKey][]pageAt
	bounds   map[int][]PageBounds // by field id
	memory   int64
}

type indexKey struct{ group, leaf int }

// loadIndexes reads the page indexes of these leaves, unless they are in memory. The store is waited for outside the gate, if there is one.
func (f *File) loadIndexes(ctx context.Context, leaves []int, gate Gate) error {
	x := &f.indexes
	if missing, _ := f.missingIndexes(leaves); len(missing) == 0 {
		return nil
	}
	wait := fetcher{gate: gate}
	return wait.wait(func() error {
		if err := x.loading.lock(ctx); err != nil {
			return err
		}
		defer x.loading.unlock()
		missing, ranges := f.missingIndexes(leaves)
		if len(missing) == 0 {
			return nil
		}
		r := f.fetcher()
		if err := r.plan(ctx, ranges); err != nil {
			return fmt.Errorf("read page index: %w", err)
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		x.segments.keep(transfer{segments: r.segments})
		x.memory = 0
		for _, s := range x.segments.segments {
			x.memory += int64(len(s.data))
		}
		for _, l := range missing {
			if l == everyLeaf {
				x.whole = true
			}
			x.leaves[l] = true
		}
		return nil
	})
}

// everyLeaf stands for the page index of the whole file.
const everyLeaf = -1

// missingIndexes returns which of the leaves have their page index not in memory, and what is to be read: of a file whose page index is
// small, all of it.
func (f *File) missingIndexes(leaves []int) (missing []int, ranges []location) {
	x := &f.indexes
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.whole {
		return nil, nil
	}
	all := f.indexRanges(nil)
	total := int64(0)
	for _, r := range coalesce(all, f.traits.ReadGap) {
		total += r.length
	}
	if total <= maxIndexBytes {
		missing, ranges = []int{everyLeaf}, all
	} else {
		for _, l := range leaves {
			if !x.leaves[l] {
				missing = append(missing, l)
			}
		}
		if len(missing) > 0 {
			ranges = f.indexRanges(missing)
		}
	}
	return missing, slices.DeleteFunc(ranges, func(r location) bool {
		_, ok := x.segments.bytes(r.offset, r.length)
		return ok
	})
}

// indexRanges returns where the page indexes of these leaves lie, nil standing for all.
func (f *File) indexRanges(leaves []int) []location {
	var out []location
	add := func(c *chunkMeta) {
		for _, l := range []location{c.columnIndex, c.offsetIndex} {
			if l.length > 0 {
				out = append(out, l)
			}
		}
	}
	for g := range f.groups {
		if leaves == nil {
			for l := range f.groups[g].chunks {
				add(&f.groups[g].chunks[l])
			}
			continue
		}
		for _, l := range leaves {
			add(&f.groups[g].chunks[l])
		}
	}
	return out
}

// pageIndex returns the pages of a column chunk; nil if it has no offset index. The caller holds the lock and has loaded the index.
func (f *File) pageIndex(group, leaf int) ([]pageAt, error) {
	x := &f.indexes
	key := indexKey{group, leaf}
	if pages, ok := x.pages[key]; ok {
		return pages, nil
	}
	at := f.groups[group].chunks[leaf].offsetIndex
	if at.length == 0 {
		return nil, nil
	}
	data, ok := x.segments.bytes(at.offset, at.length)
	if !ok {
		return nil, errors.New("the page index is not loaded")
	}
	pages, err := parseOffsetIndex(data, f.groups[group].rows, f.size)
	if err != nil {
		return nil, fmt.Errorf("offset index of row group %d, leaf column %d: %w", group, leaf, err)
	}
	x.pages[key] = pages
	x.memory += int64(len(pages)) * 24
	return pages, nil
}

// parseOffsetIndex reads Parquet's OffsetIndex and checks it against the rows of the row group and the size of the file.
func parseOffsetIndex(data []byte, rows, size int64) ([]pageAt, error) {
	r := &thriftReader{buf: data}
	var pages []pageAt
	sound := true
	next := int64(0)
	r.fields(func(id int, kind byte) bool {
		if id != 1 || kind != thriftList {
			return false
		}
		r.list(func(byte) {
			p, first := parsePageLocation(r)
			sound = sound && p.offset > 0 && p.length > 0 && p.length <= size && p.offset <= size-p.length
			sound = sound && first >= next && first < rows && (len(pages) > 0 || first == 0)
			next = first + 1
			pages = append(pages, pageAt{p, uint32(first)})
		})
		return true
	})
	if r.err != nil {
		return nil, r.err
	}
	if !sound || len(pages) == 0 && rows > 0 {
		return nil, errors.New("it contradicts the footer")
	}
	return pages, nil
}

func parsePageLocation(r *thriftReader) (at location, firstRow int64) {
	firstRow = -1
	r.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftI64:
			at.offset = r.int()
		case id == 2 && kind == thriftI32:
			at.length = int64(r.int32())
		case id == 3 && kind == thriftI64:
			firstRow = r.int()
		default:
			return false
		}
		return true
	})
	return at, firstRow
}

// columnIndex is Parquet's ColumnIndex.
type columnIndex struct {
	nullPages []bool
	min, max  [][]byte
	nulls     []int64
}

func parseColumnIndex(data []byte) (*columnIndex, error) {
	r := &thriftReader{buf: data}
	c := &columnIndex{}
	r.fields(func(id int, kind byte) bool {
		if kind != thriftList {
			return false
		}
		switch id {
		case 1:
			r.list(func(byte) { c.nullPages = append(c.nullPages, r.byte() == thriftTrue) })
		case 2:
			r.list(func(byte) { c.min = append(c.min, r.bytes()) })
		case 3:
			r.list(func(byte) { c.max = append(c.max, r.bytes()) })
		case 5:
			r.list(func(byte) { c.nulls = append(c.nulls, r.int()) })
		default:
			return false
		}
		return true
	})
	return c, r.err
}

// LoadPageIndex loads the page index of columns, as Read and Pages do, so that EstimateBytes knows it. It takes no request if the end of the file that Open
// read held it, as mostly.
func (f *File) LoadPageIndex(ctx context.Context, fieldIDs []int) (err error) {
	defer f.guard(&err)
	var leaves []int
	for _, id := range fieldIDs {
		c, err := f.bound(id)
		if err != nil {
			return err
		}
		if c.file != nil && c.reason == "" {
			for i := range c.file.leaves {
				leaves = append(leaves, c.file.leaf+i)
			}
		}
	}
	if len(leaves) == 0 {
		return nil
	}
	if err := f.loadIndexes(ctx, leaves, nil); err != nil {
		return f.damaged(err)
	}
	f.indexes.mu.Lock()
	defer f.indexes.mu.Unlock()
	for g := range f.groups {
		for _, leaf := range leaves {
			if _, err := f.pageIndex(g, leaf); err != nil {
				return f.damaged(err)
			}
		}
	}
	return nil
}

// Pages returns the bounds of every page of a column, over all row groups in file order, from the page index, which it loads if
// need be (one ranged read for a file's whole page index). Where a row group has no page index, the whole row group stands for a
// page. The pages of map columns have no bounds. The slice must not be changed.
func (f *File) Pages(ctx context.Context, fieldID int) (pages []PageBounds, err error) {
	defer f.guard(&err)
	column, err := f.bound(fieldID)
	if err != nil {
		return nil, err
	}
	x := &f.indexes
	if column.file != nil && column.reason == "" {
		if err := f.loadIndexes(ctx, []int{column.file.leaf}, nil); err != nil {
			return nil, f.wrap(err)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if pages, ok := x.bounds[fieldID]; ok {
		return pages, nil
	}
	for g := range f.rowGroups {
		if pages, err = f.groupPages(pages, column, g); err != nil {
			return nil, f.damaged(err)
		}
	}
	x.bounds[fieldID] = pages
	x.memory += int64(len(pages)) * 160
	return pages, nil
}

// groupPages appends the pages of a column in one row group.
func (f *File) groupPages(out []PageBounds, column *boundColumn, group int) ([]PageBounds, error) {
	g := &f.rowGroups[group]
	if g.Rows == 0 {
		return out, nil
	}
	whole := PageBounds{Rows: RowRange{g.FirstRow, g.FirstRow + g.Rows}, Bounds: unknownBounds()}
	if column.file == nil || column.reason != "" {
		whole.Bounds, _ = g.boundsOf(column)
		return append(out, whole), nil
	}
	at, err := f.pageIndex(group, column.file.leaf)
	if err != nil {
		return out, err
	}
	if at == nil {
		whole.Bounds, _ = g.boundsOf(column)
		return append(out, whole), nil
	}
	index, err := f.columnIndex(column, group, len(at))
	if err != nil {
		return out, err
	}
	trusted := f.trustedOrder(column.file)
	for i, p := range at {
		end := g.Rows
		if i+1 < len(at) {
			end = at[i+1].firstRow
		}
		b := PageBounds{Rows: RowRange{g.FirstRow + p.firstRow, g.FirstRow + end}, Bounds: unknownBounds()}
		if index != nil {
			b.Bounds = index.bounds(column, i, int64(end-p.firstRow), trusted)
		}
		out = append(out, b)
	}
	return out, nil
}

// columnIndex parses the column index of a column that is no map; nil if there is none.
func (f *File) columnIndex(column *boundColumn, group, pages int) (*columnIndex, error) {
	at := f.groups[group].chunks[column.file.leaf].columnIndex
	if at.length == 0 || column.file.maxRep > 0 {
		return nil, nil
	}
	data, ok := f.indexes.segments.bytes(at.offset, at.length)
	if !ok {
		return nil, errors.New("the page index is not loaded")
	}
	c, err := parseColumnIndex(data)
	if err == nil && (len(c.nullPages) != pages || len(c.min) != pages || len(c.max) != pages || c.nulls != nil && len(c.nulls) != pages) {
		err = errors.New("it has not one entry for each page")
	}
	if err != nil {
		return nil, fmt.Errorf("column index of row group %d, leaf column %d: %w", group, column.file.leaf, err)
	}
	return c, nil
}

// bounds returns the bounds of page i, which has so many rows.
func (c *columnIndex) bounds(column *boundColumn, i int, rows int64, trusted bool) Bounds {
	b := unknownBounds()
	if c.nulls != nil && c.nulls[i] >= 0 && c.nulls[i] <= rows {
		b.NullCount = c.nulls[i]
	}
	switch {
	case c.nullPages[i]:
		b.AllNull, b.NullCount = true, rows
	case trusted:
		b.Min, b.Max = column.decodeBound(c.min[i]), column.decodeBound(c.max[i])
		exact := column.field.Type != TypeString // the page index may hold short bounds for texts
		b.MinExact, b.MaxExact = exact && b.Min != nil, exact && b.Max != nil
		b.checkOrder()
	}
	return b
}

// maxRows is the number of rows from which on a file cannot be read.
const maxRows = math.MaxUint32
