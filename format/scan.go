package format

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
)

// DefaultBatchRows is the default of ReadOptions.BatchRows.
const DefaultBatchRows = 4096

// ReadOptions say how rows are read. The zero value gives the defaults.
type ReadOptions struct {
	BatchRows int           // rows of a batch, at most; default DefaultBatchRows
	Requests  int           // that should be enough to read a few rows of a remote store, side by side; more bytes are read to save requests; default 16
	Gate      Gate          // bounds how many readers decode at once; nil: no bound
	Budget    *Budget       // bounds the memory of what was read and is not decoded yet; nil: no bound but that of each reader, 64 MiB
	Pages     *atomic.Int64 // grows by one with each page, dictionary pages included, whose values are unpacked; nil: nobody counts
	Kept      PageCache     // keeps decompressed pages of which few rows are read; nil: none are kept
}

// Read yields the columns with these ids of the rows in these ranges, in ascending order of rows. Ranges must be ascending and not
// overlap. Only the pages that hold the rows are fetched, row group by row group, neighbouring pages in one ranged read. From a remote store
// (storage.Traits) the pages of several row groups are fetched side by side, and the next ones while these are decoded. A batch
// has the columns in the order of fieldIDs and its memory is valid until the next iteration. After an error the iteration ends.
func (f *File) Read(ctx context.Context, fieldIDs []int, rows []RowRange, opts ReadOptions) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		s, err := f.newScan(ctx, fieldIDs, rows, opts)
		if err != nil {
			yield(nil, f.damaged(err))
			return
		}
		defer s.close()
		for {
			b, err := s.next(ctx)
			if err != nil {
				s.failed = true
				yield(nil, f.damaged(err))
				return
			}
			if b == nil || !yield(b, nil) {
				return
			}
		}
	}
}

// scan is the state of one call of Read.
type scan struct {
	file    *File
	columns []*boundColumn
	windows []window // still to be read
	ready   []window // of the unit that was read last: still to be decoded
	ahead   *flight  // the next unit, on its way
	budget  *Budget
	kept    PageCache
	held    int64 // bytes of the budget
	fetch   fetcher
	dec     *decompressor
	failed  bool // dec may be in any state
	memory  batchMemory
	batch   Batch
	limit   int // rows of the next batch
	vectors []vectors

	// The current window.
	group   int
	pending []RowRange
	readers [][]*leafReader // for each column, its leaves; none for a column that the file lacks
}

// vectors is the memory of one column's batches.
type vectors struct {
	texts        [][]byte
	ints         []int64
	floats       []float64
	bools        []bool
	offsets      []int32
	keys, values [][]byte
}

func (f *File) newScan(ctx context.Context, fieldIDs []int, rows []RowRange, opts ReadOptions) (s *scan, err error) {
	defer f.guard(&err)
	if opts.BatchRows <= 0 {
		opts.BatchRows = DefaultBatchRows
	}
	s = &scan{file: f, fetch: f.fetcher(), budget: opts.Budget, kept: opts.Kept, dec: newDecompressor()}
	s.fetch.gate, s.fetch.pages = opts.Gate, opts.Pages
	if opts.Requests > 0 {
		s.fetch.requests = opts.Requests
	}
	s.limit = min(opts.BatchRows, max(int(f.rows), 1))
	s.batch.Ordinals = make([]uint32, 0, s.limit)
	var leaves []int
	for _, id := range fieldIDs {
		c, err := f.bound(id)
		if err != nil {
			return nil, err
		}
		if c.reason != "" {
			return nil, fmt.Errorf("%w: column %q cannot be read: %s", ErrUnsupported, c.field.Name, c.reason)
		}
		s.columns = append(s.columns, c)
		if c.file != nil {
			for i := range c.file.leaves {
				leaves = append(leaves, c.file.leaf+i)
			}
		}
	}
	s.vectors = make([]vectors, len(s.columns))
	s.batch.Columns = make([]Column, len(s.columns))
	if s.windows, err = f.split(rows); err != nil {
		return nil, err
	}
	if len(s.windows) > 0 && len(leaves) > 0 {
		err = f.loadIndexes(ctx, leaves, opts.Gate)
	}
	return s, err
}

// split checks the row ranges and sorts them by row group.
func (f *File) split(rows []RowRange) ([]window, error) {
	var out []window
	next := uint32(0)
	g := 0
	for _, r := range rows {
		if r.Start < next || r.End < r.Start || r.End > f.rows {
			return nil, fmt.Errorf("%w: [%d, %d) after row %d in a file of %d rows", ErrInvalidRows, r.Start, r.End, next, f.rows)
		}
		next = r.End
		for r.Start < r.End {
			for r.Start >= f.rowGroups[g].FirstRow+f.rowGroups[g].Rows {
				g++
			}
			group := &f.rowGroups[g]
			end := min(r.End, group.FirstRow+group.Rows)
			if len(out) == 0 || out[len(out)-1].group != g {
				out = append(out, window{group: g})
			}
			w := &out[len(out)-1]
			w.rows = append(w.rows, RowRange{r.Start - group.FirstRow, end - group.FirstRow})
			r.Start = end
		}
	}
	return out, nil
}

func (s *scan) close() {
	s.leave()
	s.endUnit()
	s.stop()
	if !s.failed {
		s.dec.release()
	}
}

// next returns the next batch; nil at the end.
func (s *scan) next(ctx context.Context) (b *Batch, err error) {
	defer s.file.guard(&err)
	s.memory.recycle()
	for len(s.pending) == 0 {
		if more, err := s.enter(ctx); err != nil || !more {
			return nil, err
		}
	}
	return s.fill(ctx)
}

// enter starts the next window, and says whether there is one.
func (s *scan) enter(ctx context.Context) (bool, error) {
	s.leave()
	if len(s.ready) == 0 {
		s.endUnit()
		if more, err := s.nextUnit(ctx); err != nil || !more {
			return false, err
		}
	}
	w := s.ready[0]
	s.ready = s.ready[1:]
	s.group, s.pending, s.readers = w.group, slices.Clone(w.rows), w.readers
	return true, nil
}

// leave frees the memory of the window before.
func (s *scan) leave() {
	for _, leaves := range s.readers {
		for _, l := range leaves {
			l.page.held = false
			l.pages.drop(&l.page)
			if !l.pages.dict.shared {
				s.memory.release(l.pages.dict.body, false)
			}
		}
	}
	s.readers, s.pending = nil, nil
}

// openLeaves makes the readers for the columns' chunks in a row group.
func (s *scan) openLeaves(group int) ([][]*leafReader, error) {
	f := s.file
	f.indexes.mu.Lock()
	defer f.indexes.mu.Unlock()
	readers := make([][]*leafReader, len(s.columns))
	for i, c := range s.columns {
		if c.file == nil {
			continue
		}
		parts := []part{partValue}
		if c.field.Type == TypeStringMap {
			parts = []part{partMapKey, partMapValue}
		}
		for j, p := range parts {
			index, err := f.pageIndex(group, c.file.leaf+j)
			if err != nil {
				return nil, err
			}
			chunk := &f.groups[group].chunks[c.file.leaf+j]
			readers[i] = append(readers[i], &leafReader{column: c.file, part: p, physical: chunk.physical,
				pages: pageReader{fetch: &s.fetch, dec: s.dec, chunk: chunk, rows: int(f.groups[group].rows), index: index, buffers: &s.memory,
					cached: cachedPages{cache: s.kept, file: f.name}}})
		}
	}
	return readers, nil
}

// fill reads the next batch of the window.
func (s *scan) fill(ctx context.Context) (*Batch, error) {
	var ranges []RowRange
	rows := 0
	limit := s.limit
	for len(s.pending) > 0 && rows < limit {
		r := &s.pending[0]
		n := min(r.End-r.Start, uint32(limit-rows))
		ranges = append(ranges, RowRange{r.Start, r.Start + n})
		rows += int(n)
		if r.Start += n; r.Start == r.End {
			s.pending = s.pending[1:]
		}
	}
	first := s.file.rowGroups[s.group].FirstRow
	s.batch.Rows, s.batch.Ordinals = rows, s.batch.Ordinals[:0]
	for _, r := range ranges {
		for i := r.Start; i < r.End; i++ {
			s.batch.Ordinals = append(s.batch.Ordinals, first+i)
		}
	}
	for i, c := range s.columns {
		if err := s.fillColumn(ctx, i, c, ranges, rows); err != nil {
			return nil, fmt.Errorf("column %q, row group %d: %w", c.field.Name, s.group, err)
		}
	}
	s.adapt()
	return &s.batch, nil
}

// Where the values of a batch take so many bytes, the next one gets fewer or more rows.
const (
	largeBatch = 32 << 20
	smallBatch = 8 << 20
)

// adapt chooses the number of rows of the next batch so that long texts do not make it large.
func (s *scan) adapt() {
	switch {
	case s.memory.bytes > largeBatch:
		s.limit = max(s.limit/4, 1)
	case s.memory.bytes < smallBatch:
		s.limit = min(s.limit*2, cap(s.batch.Ordinals))
	}
}

// fillColumn reads the rows of one column into the batch.
func (s *scan) fillColumn(ctx context.Context, i int, c *boundColumn, ranges []RowRange, rows int) error {
	v, out := &s.vectors[i], &s.batch.Columns[i]
	if c.file == nil {
		if n := len(out.Texts) + len(out.Valid) + len(out.Offsets); n == 0 || n < rows {
			*out = nullColumn(c.field, cap(s.batch.Ordinals))
		}
		*out = prefix(out, rows)
		return nil
	}
	*out = Column{Field: c.field}
	switch c.field.Type {
	case TypeStringMap:
		return s.fillMap(ctx, v, out, s.readers[i], ranges)
	case TypeString:
		v.texts = grow(v.texts, rows)
		out.Texts = v.texts
	case TypeBool:
		v.bools = grow(v.bools, rows)
		out.Bools = v.bools
	case TypeFloat32, TypeFloat64:
		v.floats = grow(v.floats, rows)
		out.Floats = v.floats
	default:
		v.ints = grow(v.ints, rows)
		out.Ints = v.ints
	}
	at := 0
	for _, r := range ranges {
		if err := s.readers[i][0].readRows(ctx, out, at, int(r.Start), int(r.End)); err != nil {
			return err
		}
		at += int(r.End - r.Start)
	}
	return nil
}

// prefix returns the first rows of a column of nulls.
func prefix(c *Column, rows int) Column {
	out := Column{Field: c.Field}
	switch {
	case c.Texts != nil:
		out.Texts = c.Texts[:rows]
	case c.Offsets != nil:
		out.Offsets = c.Offsets[:rows+1]
	case c.Floats != nil:
		out.Floats, out.Valid = c.Floats[:rows], c.Valid[:rows]
	case c.Bools != nil:
		out.Bools, out.Valid = c.Bools[:rows], c.Valid[:rows]
	default:
		out.Ints, out.Valid = c.Ints[:rows], c.Valid[:rows]
	}
	return out
}

// fillMap reads the rows of a map column into the batch.
func (s *scan) fillMap(ctx context.Context, v *vectors, out *Column, leaves []*leafReader, ranges []RowRange) (err error) {
	v.keys, v.values, v.offsets = v.keys[:0], v.values[:0], v.offsets[:0]
	rows := 0
	for _, r := range ranges {
		lo, hi := int(r.Start), int(r.End)
		if v.keys, err = leaves[0].readMapRows(ctx, v.keys, &v.offsets, lo, hi); err != nil {
			return fmt.Errorf("keys: %w", err)
		}
		if v.values, err = leaves[1].readMapRows(ctx, v.values, nil, lo, hi); err != nil {
			return fmt.Errorf("values: %w", err)
		}
		rows += hi - lo
		if len(v.offsets) != rows || len(v.keys) != len(v.values) {
			return errPageRows
		}
	}
	v.offsets = append(v.offsets, int32(len(v.keys)))
	out.Offsets, out.Keys, out.Values = v.offsets, v.keys, v.values
	return nil
}
