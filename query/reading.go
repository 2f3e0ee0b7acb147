package query

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

// reading is one run of Rows, Batches or Count.
type reading struct {
	scan   *Scan
	limit  int64 // math.MaxInt64: none
	counts counters
	slots  chan struct{} // one for each piece of work that may run at once, waiting for the store included
	gate   cpuGate       // of a remote store: bounds the pieces that use the CPU
	share  int           // of the requests of a remote store, that reading one of the files may make at once

	decoded         decodedRows
	matched         atomic.Int64
	checked, passed atomic.Int64  // rows that the residual was checked for, and for which it was true
	spanned, hits   atomic.Int64  // with a limit: rows that were gone through, those included that need not be looked at, and those of them that match
	touched         []atomic.Bool // by position in scan.files: data pages were read
	counting        bool
	start           time.Time

	mu      sync.Mutex
	over    bool
	took    time.Duration
	partial string // which limit ended it
}

func (s *Scan) newReading(counting bool) *reading {
	r := &reading{
		scan: s, limit: math.MaxInt64, counting: counting, start: s.planner.engine.now(),
		slots: make(chan struct{}, s.planner.engine.width), touched: make([]atomic.Bool, len(s.files)),
	}
	if e := s.planner.engine; e.remote() {
		r.gate = make(cpuGate, e.parallelism)
		r.share = max(leastShare, e.width/max(1, len(s.files)))
	}
	if n := s.planner.request.Limit; n > 0 && !counting {
		r.limit = int64(n)
	}
	s.mu.Lock()
	s.latest = r
	s.mu.Unlock()
	return r
}

// begin returns the context of the reading, with its counters and limits, and what ends it.
func (r *reading) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	s := r.scan
	ctx, end := s.planner.request.Limits.limit(ctx, r.counting, s.planTime, s.planCounts.bytes.Load())
	r.decoded.limiter.Store(limiterOf(ctx))
	return withCounters(ctx, &r.counts), end
}

// forgive returns nil, and remembers why the reading is not whole, if what ended it is a limit of the request.
func (r *reading) forgive(ctx context.Context, err error) error {
	why := reachedLimit(ctx, err)
	if why == "" {
		return err
	}
	r.mu.Lock()
	r.partial = why
	r.mu.Unlock()
	return nil
}

// finish ends the reading.
func (r *reading) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over, r.took = true, r.scan.planner.engine.now().Sub(r.start)
}

// yield returns which part of the rows that are checked turns out to match: a guess from those that were. As long as there are none it is 1, or half
// in a remote store, where it costs more to find out that it was too much than to read a few files in vain.
func (r *reading) yield() float64 {
	checked := r.checked.Load()
	if checked == 0 {
		if r.scan.planner.engine.remote() {
			return 0.5
		}
		return 1
	}
	return float64(r.passed.Load()+1) / float64(checked+1)
}

// inSlot runs do when there is a free slot.
func (r *reading) inSlot(ctx context.Context, do func() error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case r.slots <- struct{}{}:
	}
	defer func() { <-r.slots }()
	return do()
}

// leastShare is how many requests each of many files may make at once: with fewer, too many bytes would be read along.
const leastShare = 2

// cpuGate is a format.Gate with room for so many; a nil one is always open.
type cpuGate chan struct{}

// Enter waits for room.
func (g cpuGate) Enter() {
	if g != nil {
		g <- struct{}{}
	}
}

// Leave makes room.
func (g cpuGate) Leave() {
	if g != nil {
		<-g
	}
}

// read calls use with each batch of rows of a data file.
func (r *reading) read(ctx context.Context, f *fileView, position int, ids []int, rows []format.RowRange, use func(b *format.Batch)) error {
	r.touched[position].Store(true)
	engine := r.scan.planner.engine
	options := format.ReadOptions{Budget: engine.budget, Requests: r.share, Pages: &r.counts.pages, Kept: pageCache{engine.cache}}
	if r.gate != nil {
		options.Gate = r.gate
	}
	ctx = readingPages(ctx)
	r.gate.Enter()
	defer r.gate.Leave()
	var damaged error
	for again := true; ; again = false {
		if rows, damaged = r.readOnce(ctx, f, ids, rows, options, use); damaged == nil {
			return nil
		}
		if !again || !errors.Is(damaged, format.ErrCorrupt) || !r.scan.planner.engine.store.invalidate(f.name) {
			return damaged
		}
		// It may be the disk cache that is damaged: what is left is read once more.
	}
}

// readOnce calls use with each batch of rows, and returns the rows that are left after an error.
func (r *reading) readOnce(ctx context.Context, f *fileView, ids []int, rows []format.RowRange, options format.ReadOptions, use func(b *format.Batch)) (
	[]format.RowRange, error) {
	next := uint32(0)
	for b, err := range f.file.Read(ctx, ids, rows, options) {
		if err != nil {
			left := rowsInRanges(f.rows, rows).And(index.RowsInRange(f.rows, next, f.rows))
			return rangesOf(left), fmt.Errorf("reading data file %s: %w", f.data.Path, err)
		}
		use(b)
		if b.Rows > 0 {
			next = b.Ordinals[b.Rows-1] + 1
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// chunk is rows of one file, read and ready to be handed out.
type chunk struct {
	file     *filePlan
	batch    *format.Batch // columns of scan.fields
	times    []int64       // by row of batch; empty if the table has no _timestamp
	ordinals []uint32      // by row of batch: number in the file
	order    []int32       // rows of batch in the order in which they are handed out
	disorder bool          // times did not ascend with the ordinals
}

// key returns the place of a row of the batch in the order of all rows.
func (c *chunk) key(row int32) sortKey {
	k := sortKey{rank: c.file.rank, ordinal: c.ordinals[row]}
	if len(c.times) > 0 {
		k.time = c.times[row]
	}
	return k
}

// check reads the predicate's columns of rows, and calls found with those of each batch for which the residual is true.
func (r *reading) check(ctx context.Context, f *fileView, position int, rows []format.RowRange, also []format.Field,
	found func(b *format.Batch, hits []int32)) error {
	var e evaluator
	return r.read(ctx, f, position, residualFields(f.residual, also), rows, func(b *format.Batch) {
		hits := e.filter(f.residual, b)
		r.decoded.Add(int64(b.Rows))
		r.checked.Add(int64(b.Rows))
		r.passed.Add(int64(len(hits)))
		if len(hits) > 0 {
			found(b, hits)
		}
	})
}

// residualFields returns the ids of the fields that a residual looks at, those of also first.
func residualFields(x node, also []format.Field) (ids []int) {
	seen := map[int]bool{}
	for _, f := range also {
		seen[f.ID] = true
		ids = append(ids, f.ID)
	}
	needed := map[int]bool{}
	fieldsOf(x, needed)
	for id := range needed {
		if !seen[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// survivors returns the rows that match among candidates that ascend. Columns of keep that the check reads anyway are gathered on
// the way; they are returned if they were gathered for all survivors.
func (r *reading) survivors(ctx context.Context, f *fileView, position int, candidates []format.RowRange, keep []format.Field) (
	rows []uint32, kept *gatherer, err error) {
	span := index.RowsInRange(f.rows, candidates[0].Start, candidates[len(candidates)-1].End)
	certain := f.bounds.must.And(span)
	open := candidates
	if !certain.IsEmpty() {
		if together, err := r.cheaperTogether(ctx, f, candidates, certain, keep); err != nil || together {
			return r.matchingOf(ctx, f, position, candidates, keep, err)
		}
		open = rangesOf(rowsInRanges(f.rows, candidates).AndNot(certain))
		keep = nil
	}
	needed := map[int]bool{}
	fieldsOf(f.residual, needed)
	var fields []format.Field
	for _, field := range keep {
		if needed[field.ID] {
			fields = append(fields, field)
		}
	}
	if len(fields) > 0 {
		kept = newGatherer(fields)
	}
	places := firstPlaces(len(fields))
	if len(open) > 0 {
		err = r.check(ctx, f, position, open, fields, func(b *format.Batch, hits []int32) {
			for _, row := range hits {
				rows = append(rows, b.Ordinals[row])
			}
			if kept != nil {
				kept.add(b, places, hits)
			}
		})
	}
	if !certain.IsEmpty() {
		r.decoded.Add(int64(certain.Cardinality())) // by the caller
		rows = mergeSorted(rows, certain)
	}
	return rows, kept, err
}

// cheaperTogether says whether checking all candidates, those included that are certain, reads less than checking the others and reading columns to be handed
// out of them all once more.
func (r *reading) cheaperTogether(ctx context.Context, f *fileView, candidates []format.RowRange, certain *index.RowSet, keep []format.Field) (bool, error) {
	checked := residualFields(f.residual, nil)
	var twice []int
	for _, field := range keep {
		if slices.Contains(checked, field.ID) {
			twice = append(twice, field.ID)
		}
	}
	if len(twice) == 0 {
		return false, nil
	}
	if err := f.file.LoadPageIndex(ctx, checked); err != nil {
		return false, err
	}
	open := rangesOf(rowsInRanges(f.rows, candidates).AndNot(certain))
	apart := f.file.EstimateBytes(checked, open) + f.file.EstimateBytes(twice, rangesOf(certain))
	return f.file.EstimateBytes(checked, candidates) <= apart, nil
}

// matchingOf is matching for those columns alone that the check reads anyway.
func (r *reading) matchingOf(ctx context.Context, f *fileView, position int, candidates []format.RowRange, keep []format.Field, err error) (
	[]uint32, *gatherer, error) {
	if err != nil {
		return nil, nil, err
	}
	checked := residualFields(f.residual, nil)
	fields := slices.DeleteFunc(slices.Clone(keep), func(field format.Field) bool { return !slices.Contains(checked, field.ID) })
	return r.matching(ctx, f, position, candidates, fields)
}

func firstPlaces(n int) []int {
	places := make([]int, n)
	for i := range places {
		places[i] = i
	}
	return places
}

// mergeSorted joins two disjoint ascending lists of rows.
func mergeSorted(a []uint32, b *index.RowSet) []uint32 {
	out := make([]uint32, 0, len(a)+int(b.Cardinality()))
	for row := range b.Rows() {
		for len(a) > 0 && a[0] < row {
			out, a = append(out, a[0]), a[1:]
		}
		out = append(out, row)
	}
	return append(out, a...)
}

func rangesOf(s *index.RowSet) (ranges []format.RowRange) {
	for start, end := range s.Ranges() {
		ranges = append(ranges, format.RowRange{Start: start, End: end})
	}
	return ranges
}

func rangesOfRows(rows []uint32) (ranges []format.RowRange) {
	for _, row := range rows {
		ranges = appendRange(ranges, format.RowRange{Start: row, End: row + 1})
	}
	return ranges
}

// fetch reads fields of rows that ascend.
func (r *reading) fetch(ctx context.Context, f *fileView, position int, fields []format.Field, rows []uint32) (*gatherer, error) {
	g := newGatherer(fields)
	if len(fields) == 0 || len(rows) == 0 {
		return g, nil
	}
	ids := make([]int, len(fields))
	for i, field := range fields {
		ids[i] = field.ID
	}
	places := firstPlaces(len(fields))
	var every []int32
	err := r.read(ctx, f, position, ids, rangesOfRows(rows), func(b *format.Batch) {
		for len(every) < b.Rows {
			every = append(every, int32(len(every)))
		}
		g.add(b, places, every[:b.Rows])
	})
	if err != nil {
		return nil, err
	}
	if g.rows != len(rows) {
		return nil, fmt.Errorf("%w: reading data file %s: got %d rows of %d", format.ErrCorrupt, f.data.Path, g.rows, len(rows))
	}
	return g, nil
}

// assemble reads what is missing of the matching rows and makes a chunk of them, not yet ordered. kept are columns read already, or nil.
func (r *reading) assemble(ctx context.Context, f *fileView, position int, rows []uint32, kept *gatherer) (*chunk, error) {
	have := map[int]*format.Column{}
	if kept != nil {
		for i := range kept.columns {
			have[kept.columns[i].Field.ID] = &kept.columns[i]
		}
	}
	var missing []format.Field
	for _, field := range r.wanted() {
		if have[field.ID] == nil {
			missing = append(missing, field)
		}
	}
	g, err := r.fetch(ctx, f, position, missing, rows)
	if err != nil {
		return nil, err
	}
	for i := range g.columns {
		have[g.columns[i].Field.ID] = &g.columns[i]
	}
	c := &chunk{file: f.filePlan, ordinals: rows, batch: &format.Batch{Rows: len(rows)}}
	for _, field := range r.scan.fields {
		c.batch.Columns = append(c.batch.Columns, *have[field.ID])
	}
	if field := r.scan.planner.time; field.Type != format.TypeInvalid {
		c.times = timesOf(have[field.ID])
	}
	return c, nil
}

// wanted returns the fields that are handed out, and the timestamp, by which rows are ordered.
func (r *reading) wanted() []format.Field {
	fields, t := r.scan.fields, r.scan.planner.time
	if t.Type == format.TypeInvalid {
		return fields
	}
	for _, f := range fields {
		if f.ID == t.ID {
			return fields
		}
	}
	return append(fields[:len(fields):len(fields)], t)
}

// timesOf returns the timestamps of a column; a null counts as older than everything.
func timesOf(c *format.Column) []int64 {
	for i, valid := range c.Valid {
		if !valid {
			c.Ints[i] = math.MinInt64
		}
	}
	return c.Ints
}
