package query

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/firnlog/firn/format"
)

// sortPlan answers a question for rows that are ordered by other columns than the time. It is immutable.
//
// Only the columns of the order are read of all rows that match; the others are read of the rows that are handed out. With a limit, a heap keeps the best
// rows so far, and files, row groups and pages whose bounds say that no row of theirs is better than the worst of these are not read.
type sortPlan struct {
	columns projector
	keys    []sortColumn
	limit   int // 0: none
	memory  int64
}

// sortColumn is a column of an order.
type sortColumn struct {
	groupInput
	order columnOrder // its column counts keys
}

// rankedRow is a row that may be handed out.
type rankedRow struct {
	keys     []scalar
	place    sortKey
	position int // of its file in scan.files
}

func (r *rankedRow) bytes() int64 {
	const fixed, key = 96, 40
	n := int64(fixed)
	for i := range r.keys {
		n += key + int64(len(r.keys[i].text))
	}
	return n
}

// sortBy binds the columns of an order.
func (b *bound) sortBy(by []Sort) ([]sortColumn, error) {
	var keys []sortColumn
	for i, s := range by {
		c, err := b.answerColumn(s.Column)
		if err != nil {
			return nil, err
		}
		if c.field.Type == format.TypeStringMap {
			return nil, fmt.Errorf("%w: column %q is a map; order by one of its keys, like %s.key", ErrInvalidRequest, c.field.Name, c.field.Name)
		}
		keys = append(keys, sortColumn{groupInput{column: c}, columnOrder{i, s.Descending}})
	}
	return keys, nil
}

// compare orders rows: by the columns, and then newest first.
func (p *sortPlan) compare(a, b *rankedRow) int {
	for i := range p.keys {
		k := &p.keys[i]
		if c := k.order.compare(k.column.field.Type, a.keys[i], b.keys[i]); c != 0 {
			return c
		}
	}
	return b.place.compare(a.place)
}

// rows finds the rows, sorts them and hands them out.
func (p *sortPlan) rows(ctx context.Context, r *answerReading, emit func(b *format.Batch, row int32) bool) error {
	limited, end := r.reading.begin(ctx)
	defer end()
	s := &sorter{sortPlan: p, reading: r.reading, views: make([]*fileView, len(r.reading.scan.files))}
	if err := s.readAll(limited); err != nil {
		if err := r.reading.forgive(limited, err); err != nil || p.limit == 0 {
			return err
		}
		limited = withCounters(ctx, &r.reading.counts) // the best rows of those seen are few
	}
	slices.SortFunc(s.best, p.compare)
	return r.reading.forgive(limited, s.emit(limited, emit))
}

// sorter is one run of a sortPlan.
type sorter struct {
	*sortPlan
	reading *reading
	views   []*fileView // by position

	mu    sync.Mutex
	best  []*rankedRow // with a limit a heap, the worst on top
	bytes int64
}

// Len, Less, Swap, Push and Pop are of container/heap.
func (s *sorter) Len() int           { return len(s.best) }
func (s *sorter) Less(i, j int) bool { return s.compare(s.best[i], s.best[j]) > 0 }
func (s *sorter) Swap(i, j int)      { s.best[i], s.best[j] = s.best[j], s.best[i] }
func (s *sorter) Push(x any)         { s.best = append(s.best, x.(*rankedRow)) }
func (s *sorter) Pop() any {
	last := s.best[len(s.best)-1]
	s.best = s.best[:len(s.best)-1]
	return last
}

// worst returns a row which those that come must be better than; nil if all are kept.
func (s *sorter) worst() *rankedRow {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit == 0 || len(s.best) < s.limit {
		return nil
	}
	return s.best[0]
}

// offer adds rows.
func (s *sorter) offer(rows []*rankedRow) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range rows {
		switch {
		case s.limit == 0:
			s.best = append(s.best, row)
		case len(s.best) < s.limit:
			heap.Push(s, row)
		case s.compare(row, s.best[0]) < 0:
			s.bytes -= s.best[0].bytes()
			s.best[0] = row
			heap.Fix(s, 0)
		default:
			continue
		}
		if s.bytes += row.bytes(); s.bytes > s.memory {
			return fmt.Errorf("%w: sorting takes more than %d bytes: give a limit of rows, restrict the search, or raise Limits.Memory", ErrMemory, s.memory)
		}
	}
	return nil
}

// bestOf returns a value of the first column that no row is better than, as far as facts tell.
func (p *sortPlan) bestOf(known facts) (scalar, bool) {
	k := &p.keys[0]
	if known.rows > 0 && known.nulls >= known.rows {
		return nullScalar, true
	}
	if !k.order.descending {
		return scalarOf(known.min)
	}
	if isFloat(k.column.field.Type) { // NaN is greater than all bounds
		return scalar{}, false
	}
	return scalarOf(known.max)
}

// hopeless says whether no row of which these facts are known can be better than the worst that is kept.
func (p *sortPlan) hopeless(known facts, worst *rankedRow) bool {
	best, ok := p.bestOf(known)
	k := &p.keys[0]
	return worst != nil && ok && k.order.compare(k.column.field.Type, best, worst.keys[0]) > 0
}

// readAll goes through all files, first those with rows that may be the best.
func (s *sorter) readAll(ctx context.Context) error {
	p, files := s.reading.scan.planner, s.reading.scan.files
	order, best := firstPlaces(len(files)), make([]*scalar, len(files))
	known := make([]facts, len(files))
	for i, f := range files {
		known[i].nulls = -1
		if k := &s.keys[0]; k.plain() {
			known[i] = p.fileFacts(f.data, k.column.field)
		}
		if v, ok := s.bestOf(known[i]); ok {
			best[i] = &v
		}
	}
	k := &s.keys[0]
	slices.SortStableFunc(order, func(a, b int) int {
		if best[a] == nil || best[b] == nil {
			return boolOrder(best[a] != nil, best[b] != nil)
		}
		return k.order.compare(k.column.field.Type, *best[a], *best[b])
	})
	return p.parallel(ctx, len(files), func(ctx context.Context, i int) error {
		if s.hopeless(known[order[i]], s.worst()) {
			return nil
		}
		return s.readFile(ctx, order[i])
	})
}

func (s *sorter) readFile(ctx context.Context, position int) error {
	p, f := s.reading.scan.planner, s.reading.scan.files[position]
	if left, err := p.finish(ctx, f, true, 1); err != nil || !left {
		return err
	}
	view, err := p.view(ctx, f, true)
	if err != nil {
		return err
	}
	s.views[position] = view
	for i, g := range view.file.RowGroups() {
		if view.bounds.may.CountInRange(g.FirstRow, g.FirstRow+g.Rows) == 0 {
			continue
		}
		if err := limiterOf(ctx).err(); err != nil {
			return err
		}
		if err := s.readGroup(ctx, view, position, i); err != nil {
			return err
		}
	}
	return nil
}

// readGroup reads the columns of the order of those matching rows of a row group that may be good enough.
func (s *sorter) readGroup(ctx context.Context, view *fileView, position, group int) error {
	hopeful, err := s.hopeful(ctx, view, group)
	if err != nil || len(hopeful) == 0 {
		return err
	}
	within := rowsInRanges(view.rows, hopeful)
	w := groupWork{groupRun: &groupRun{reading: s.reading}, groupPiece: &groupPiece{file: view, position: position}}
	rows := view.bounds.must.And(within)
	if open := view.bounds.may.AndNot(view.bounds.must).And(within); !open.IsEmpty() {
		found, err := w.check(ctx, open)
		if err != nil {
			return err
		}
		rows = rows.Or(found)
	}
	if rows.IsEmpty() {
		return nil
	}
	reader := newSortReader(s, position)
	var failed error
	err = s.reading.readChosen(ctx, view, position, reader.ids, rangesOf(rows), func(b *format.Batch, hits []int32) {
		if failed == nil {
			failed = reader.add(b, hits)
		}
	}, func() bool { return failed != nil })
	return cmp.Or(failed, err)
}

// hopeful returns the rows of a row group that may be good enough, by the bounds of the first column.
func (s *sorter) hopeful(ctx context.Context, view *fileView, group int) ([]format.RowRange, error) {
	g := &view.file.RowGroups()[group]
	whole := format.RowRange{Start: g.FirstRow, End: g.FirstRow + g.Rows}
	worst, k := s.worst(), &s.keys[0]
	if worst == nil || !k.plain() {
		return []format.RowRange{whole}, nil
	}
	if b, ok := g.Bounds(k.column.field.ID); ok && s.hopeless(runOf(whole, b, true).facts, worst) {
		return nil, nil
	}
	pages, err := view.file.Pages(ctx, k.column.field.ID)
	if err != nil {
		return nil, err
	}
	var hopeful []format.RowRange
	for _, page := range pages {
		if page.Rows.Start >= whole.Start && page.Rows.End <= whole.End && !s.hopeless(runOf(page.Rows, page.Bounds, true).facts, worst) {
			hopeful = appendRange(hopeful, page.Rows)
		}
	}
	if len(pages) == 0 {
		hopeful = []format.RowRange{whole}
	}
	return hopeful, nil
}

// sortReader makes rankedRows of batches.
type sortReader struct {
	*sorter
	position int
	fields   inputReader
	ids      []int
	time     int // field id of _timestamp; 0: none
	rank     int
	rows     []*rankedRow
}

func newSortReader(s *sorter, position int) *sortReader {
	x := &sortReader{sorter: s, position: position, rank: s.reading.scan.files[position].rank}
	for i := range s.keys {
		x.fields.inputs = append(x.fields.inputs, s.keys[i].groupInput)
	}
	x.ids = x.fields.ids(firstPlaces(len(s.keys)))
	if t := s.reading.scan.planner.time; t.Type != format.TypeInvalid {
		x.time = t.ID
		if !slices.Contains(x.ids, t.ID) {
			x.ids = append(x.ids, t.ID)
		}
	}
	return x
}

func (x *sortReader) add(b *format.Batch, hits []int32) error {
	columns := x.fields.fill(b, firstPlaces(len(x.keys)), hits)
	worst := x.worst()
	var times *format.Column
	if x.time != 0 {
		times = columns[x.time]
	}
	x.rows = x.rows[:0]
	for _, row := range hits {
		if worst != nil && x.keys[0].worse(&x.fields.vectors[0], row, worst.keys[0]) {
			continue
		}
		r := &rankedRow{keys: make([]scalar, len(x.keys)), position: x.position, place: sortKey{rank: x.rank, ordinal: b.Ordinals[row]}}
		for i := range x.keys {
			r.keys[i] = scalarAt(&x.fields.vectors[i], row)
		}
		if times != nil {
			r.place.time = timeAt(times, row)
		}
		x.rows = append(x.rows, r)
	}
	return x.offer(x.rows)
}

// worse says whether a value is worse than that of a row, without copying it.
func (k *sortColumn) worse(c *format.Column, row int32, than scalar) bool {
	if c.Field.Type == format.TypeString && c.Texts[row] != nil && !than.null {
		order := bytes.Compare(c.Texts[row], []byte(than.text))
		return order > 0 && !k.order.descending || order < 0 && k.order.descending
	}
	if c.Field.Type == format.TypeString && c.Texts[row] != nil {
		return false
	}
	return k.order.compare(c.Field.Type, scalarAt(c, row), than) > 0
}
