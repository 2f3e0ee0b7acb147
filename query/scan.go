package query

import (
	"context"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

// Rows reads and yields the matching rows in the request's order, up to its limit. A Row stays valid. After an error the iteration ends.
func (s *Scan) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		r := s.newReading(false)
		defer r.finish()
		err := r.run(ctx, func(c *chunk, row int32) bool { return yield(newRow(s.fields, c.batch, row), nil) })
		if err != nil {
			yield(Row{}, err)
		}
	}
}

// batchRows is how many rows Batches puts into a record batch.
const batchRows = 8192

// Batches is Rows as Arrow record batches of ArrowSchema. The consumer releases each batch.
func (s *Scan) Batches(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		r := s.newReading(false)
		defer r.finish()
		b := newBatcher(s.fields, s.arrow, yield)
		b.end(r.run(ctx, func(c *chunk, row int32) bool { return b.add(c.batch, row) }))
	}
}

// batcher gathers rows into record batches.
type batcher struct {
	fields   []format.Field
	schema   *arrow.Schema // of fields
	gatherer *gatherer
	places   []int
	batch    *format.Batch
	rows     []int32 // of batch, not gathered yet
	yield    func(arrow.RecordBatch, error) bool
	stopped  bool
}

// newBatcher returns a batcher of batches with these fields.
func newBatcher(fields []format.Field, schema *arrow.Schema, yield func(arrow.RecordBatch, error) bool) *batcher {
	return &batcher{fields: fields, schema: schema, gatherer: newGatherer(fields), places: firstPlaces(len(fields)), yield: yield}
}

// add adds a row, and says whether the consumer wants more.
func (b *batcher) add(batch *format.Batch, row int32) bool {
	if b.batch != batch {
		b.gather()
		b.batch = batch
	}
	b.rows = append(b.rows, row)
	if b.gatherer.rows+len(b.rows) >= batchRows {
		return b.flush()
	}
	return true
}

// end hands out what is left, and the error that ended the reading if there is one.
func (b *batcher) end(err error) {
	if !b.stopped && err == nil && b.flush() {
		return
	}
	if !b.stopped && err != nil {
		b.yield(nil, err)
	}
}

func (b *batcher) gather() {
	if len(b.rows) > 0 {
		b.gatherer.add(b.batch, b.places, b.rows)
		b.rows = b.rows[:0]
	}
}

// flush hands out the rows gathered so far, and says whether the consumer wants more.
func (b *batcher) flush() bool {
	b.gather()
	if b.gatherer.rows == 0 {
		return true
	}
	record, err := b.gatherer.batch().ToArrow(b.schema, memory.DefaultAllocator)
	b.gatherer = newGatherer(b.fields)
	ok := b.yield(record, err) && err == nil
	b.stopped = !ok
	return ok
}

// ArrowSchema returns the schema of Batches: the table's, projected to the requested columns.
func (s *Scan) ArrowSchema() *arrow.Schema { return s.arrow }

// Partial returns why the latest reading, or the planning, is not whole although it ended without an error: because one of Request.Limits was reached; else "".
func (s *Scan) Partial() string {
	s.mu.Lock()
	r := s.latest
	s.mu.Unlock()
	if s.partial != "" || r == nil {
		return s.partial
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.partial
}

// Count returns how many rows match, regardless of the limit. Rows that are certain are counted without being read.
func (s *Scan) Count(ctx context.Context) (int64, error) {
	r := s.newReading(true)
	defer r.finish()
	ctx, end := r.begin(ctx)
	defer end()
	err := r.forgive(ctx, r.count(ctx))
	return r.matched.Load(), err
}

// count adds the matching rows to r.matched.
func (r *reading) count(ctx context.Context) error {
	s := r.scan
	counts := make([]int64, len(s.files))
	pieces := make([][]countPiece, len(s.files))
	if err := s.planner.earnCounts(ctx, s.files); err != nil {
		return err
	}
	err := s.planner.parallel(ctx, len(s.files), func(ctx context.Context, i int) (err error) {
		counts[i], pieces[i], err = r.countKnown(ctx, i)
		r.matched.Add(counts[i])
		return err
	})
	if err != nil {
		return err
	}
	var work []countPiece
	for i := range pieces {
		work = append(work, pieces[i]...)
	}
	return s.planner.parallel(ctx, len(work), func(ctx context.Context, i int) error {
		w := work[i]
		return r.check(ctx, w.file, w.position, w.rows, nil, func(_ *format.Batch, hits []int32) { r.matched.Add(int64(len(hits))) })
	})
}

// countPiece is a part of a file that must be read to be counted.
type countPiece struct {
	file     *fileView
	position int
	rows     []format.RowRange
}

// countKnown counts the rows of a file that are known to match, and returns what must be read for the rest, in pieces.
func (r *reading) countKnown(ctx context.Context, position int) (int64, []countPiece, error) {
	p, f := r.scan.planner, r.scan.files[position]
	if known, n, err := p.countByIndex(ctx, f); err != nil || known {
		return n, nil, err
	}
	if _, err := p.finish(ctx, f, true, 1); err != nil {
		return 0, nil, err
	}
	view, err := p.view(ctx, f, true)
	if err != nil {
		return 0, nil, err
	}
	var pieces []countPiece
	for _, rows := range p.cutByRowGroups(view, view.bounds.may.AndNot(view.bounds.must), residualFields(view.residual, nil)) {
		pieces = append(pieces, countPiece{view, position, rows})
	}
	return int64(view.bounds.must.Cardinality()), pieces, nil
}

// cutByRowGroups cuts rows of an opened file, of which these fields are to be read, into pieces: one for each row group. Row groups of a remote store of
// which little is to be read share a piece.
func (p *planner) cutByRowGroups(f *fileView, set *index.RowSet, fields []int) (pieces [][]format.RowRange) {
	last := int64(0) // bytes of the last piece
	for _, g := range f.file.RowGroups() {
		rows := rangesOf(set.And(index.RowsInRange(f.rows, g.FirstRow, g.FirstRow+g.Rows)))
		if len(rows) == 0 {
			continue
		}
		bytes := int64(wholeBytes)
		if p.engine.remote() {
			bytes = f.file.EstimateBytes(fields, rows)
		}
		if n := len(pieces); n > 0 && last+bytes <= wholeBytes {
			pieces[n-1] = append(pieces[n-1], rows...)
			last += bytes
			continue
		}
		pieces = append(pieces, rows)
		last = bytes
	}
	return pieces
}

// countByIndex counts the rows of a file without reading any, if bounds or its sidecar tell. A sidecar may be asked for that which was not worth it for rows.
func (p *planner) countByIndex(ctx context.Context, f *filePlan) (known bool, n int64, err error) {
	if err := p.settleForCount(ctx, f); err != nil {
		return false, 0, err
	}
	if left, err := p.finish(ctx, f, false, unknownYet); err != nil || !left {
		return true, 0, err
	}
	if err := f.mu.lock(ctx); err != nil {
		return false, 0, err
	}
	defer f.mu.Unlock()
	n, known = p.knownCount(f)
	return known, n, nil
}

// settleForCount asks the sidecar of a file if that is worth it for counting.
func (p *planner) settleForCount(ctx context.Context, f *filePlan) error {
	if f.settled.Load() {
		_, err := p.askLate(ctx, f, 1, true, false)
		return err
	}
	return p.settle(ctx, f, 1, true)
}

// knownCount returns the number of matching rows if the bounds tell it, or if it is that of a token which the index counted and on which all depends. The
// caller holds f.mu.
func (p *planner) knownCount(f *filePlan) (int64, bool) {
	if f.bounds.decided() {
		return int64(f.bounds.must.Cardinality()), true
	}
	for _, l := range f.activeLeaves(p.bound.root, nil) {
		if f.counted[l.id] == notRun {
			continue
		}
		others := func(x *leaf) bounds {
			if x == l {
				return unknown(f.rows)
			}
			return f.known[x.id]
		}
		switch x := residual(p.bound.root, index.AllRows(f.rows), others).(type) {
		case *leaf:
			return f.counted[l.id], x == l
		case notNode:
			return int64(f.rows) - f.counted[l.id], x.x == node(l)
		}
	}
	return 0, false
}
