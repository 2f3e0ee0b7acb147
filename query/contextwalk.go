package query

import (
	"cmp"
	"context"

	"github.com/firnlog/firn/format"
)

// mostWalkRows bounds how many rows a walk plans for at once.
const mostWalkRows = 1 << 14

// walk calls use with the rows of a stream before a place, or after it, the nearest first, until it returns false or there are none left. It reads so many rows at
// first, and twice as many each time that this was not enough.
func (x *contextReader) walk(ctx context.Context, s *contextStream, from position, after bool, rows int, use func(at position, row Row) bool) error {
	for limit := rows; ; limit = min(2*limit, max(limit, mostWalkRows)) {
		read, more, err := x.step(ctx, s, from, after, limit, func(at position, row Row) bool {
			from = at
			return use(at, row)
		})
		if err != nil || !more || read < limit {
			return err
		}
	}
}

// step is one reading of a walk. It returns how many rows it read, and whether use wants more.
func (x *contextReader) step(ctx context.Context, s *contextStream, from position, after bool, limit int, use func(at position, row Row) bool) (
	read int, more bool, err error) {
	request := Request{Order: NewestFirst, Limit: limit, NoIndex: x.scan.planner.request.NoIndex, beside: &beside{at: from, after: after, stream: s.stream}}
	if after {
		request.Order = OldestFirst
	}
	scan, err := x.plan(ctx, request)
	if err != nil {
		return 0, false, err
	}
	r := scan.newReading(false)
	defer func() {
		r.finish()
		x.reading.mu.Lock()
		x.reading.partial = cmp.Or(x.reading.partial, scan.Partial())
		x.reading.mu.Unlock()
		x.reading.counts.add(&scan.planCounts)
		x.reading.counts.add(&r.counts)
		x.reading.decoded.Add(r.decoded.Load())
	}()
	more = true
	var of *chunk
	var shaped *format.Batch
	err = r.run(ctx, func(c *chunk, row int32) bool {
		if of != c {
			of, shaped = c, x.shape(c.batch)
		}
		read++
		more = use(c.position(row), newRow(x.fields, shaped, row))
		return more
	})
	return read, more, err
}

// plan plans a reading of the rows around a hit, with the columns that are handed out.
func (x *contextReader) plan(ctx context.Context, r Request) (*Scan, error) {
	scan, err := x.scan.planner.engine.Plan(ctx, x.scan.planner.table, r)
	if err != nil {
		return nil, err
	}
	scan.fields, scan.arrow = x.scan.fields, x.scan.arrow
	return scan, nil
}
