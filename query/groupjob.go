package query

import (
	"context"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

// do reads the values of a job's matching rows and adds them.
func (w *groupWork) do(ctx context.Context, job groupJob, matching *index.RowSet) error {
	w.read.Store(true)
	ranges := make([]format.RowRange, 0, len(job.parts))
	for _, part := range job.parts {
		ranges = appendRange(ranges, part.rows)
	}
	wanted := rangesOf(matching.And(rowsInRanges(w.file.rows, ranges)))
	x := newJobReader(w, job)
	var failed error
	err := w.reading.readChosen(ctx, w.file, w.position, x.ids, wanted, func(b *format.Batch, hits []int32) {
		if failed == nil {
			failed = x.add(b, hits)
		}
	}, func() bool { return failed != nil })
	if failed != nil {
		return failed
	}
	return err
}

// jobReader adds batches.
type jobReader struct {
	*groupWork
	job     groupJob
	ids     []int           // of the fields that are read
	inputs  []int           // of the plan, that are used
	vectors []format.Column // by input of the plan
	part    int             // of the job: where the last row was
	extract extractor
}

func newJobReader(w *groupWork, job groupJob) *jobReader {
	x := &jobReader{groupWork: w, job: job, vectors: make([]format.Column, len(w.plan.inputs))}
	used := make([]bool, len(w.plan.inputs))
	for i := range w.plan.groups {
		used[i] = job.grouped
	}
	for _, i := range job.aggregates {
		if input := w.plan.aggregates[i].input; input >= 0 {
			used[input] = true
		}
	}
	seen := map[int]bool{}
	use := func(id int) {
		if !seen[id] {
			seen[id] = true
			x.ids = append(x.ids, id)
		}
	}
	for i, is := range used {
		if !is {
			continue
		}
		x.inputs = append(x.inputs, i)
		c := w.plan.inputs[i].column
		if c.places == nil {
			use(c.field.ID)
		}
		for _, place := range c.places {
			use(place.field.ID)
		}
	}
	return x
}

// add adds rows of a batch.
func (x *jobReader) add(b *format.Batch, hits []int32) error {
	columns := map[int]*format.Column{}
	for i := range b.Columns {
		columns[b.Columns[i].Field.ID] = &b.Columns[i]
	}
	x.extract.block = x.extract.block[:0] // nothing of the last batch is needed any more
	for _, i := range x.inputs {
		x.fill(i, columns, b.Rows, hits)
	}
	if x.job.grouped {
		keys := make([]*format.Column, x.plan.groups)
		for i := range keys {
			keys[i] = &x.vectors[i]
		}
		groups, err := x.table.groupsOf(keys, hits)
		if err != nil {
			return err
		}
		return x.addTo(groups, hits)
	}
	for len(hits) > 0 { // part by part
		row := b.Ordinals[hits[0]]
		for x.job.parts[x.part].rows.End <= row {
			x.part++
		}
		part, n := x.job.parts[x.part], 1
		for n < len(hits) && b.Ordinals[hits[n]] < part.rows.End {
			n++
		}
		if err := x.addTo(x.table.same(part.group, n), hits[:n]); err != nil {
			return err
		}
		hits = hits[n:]
	}
	return nil
}

func (x *jobReader) addTo(groups []uint32, hits []int32) error {
	grown := int64(0)
	for _, i := range x.job.aggregates {
		var c *format.Column
		if input := x.plan.aggregates[i].input; input >= 0 {
			c = &x.vectors[input]
		}
		grown += x.table.states[i].add(groups, c, hits)
	}
	return x.table.settle(grown)
}

// fill makes the vector of an input, of which only the rows in hits count.
func (x *jobReader) fill(input int, columns map[int]*format.Column, rows int, hits []int32) {
	c := x.plan.inputs[input].column
	if c.places == nil {
		x.vectors[input] = *columns[c.field.ID]
		return
	}
	v := &x.vectors[input]
	v.Field, v.Texts = c.field, resized(v.Texts, rows)
	for _, row := range hits {
		v.Texts[row] = nil
		for i := range c.places {
			place := &c.places[i]
			if v.Texts[row] = x.extract.text(place, columns[place.field.ID], int(row)); v.Texts[row] != nil {
				break
			}
		}
	}
}

// mostGap is up to how many rows are decoded for nothing, because it takes more time to leave them out.
const mostGap = 16

// readChosen reads rows that ascend, and calls use with batches and those rows of them that are wanted. It ends early when stop says so.
func (r *reading) readChosen(ctx context.Context, f *fileView, position int, ids []int, wanted []format.RowRange, use func(b *format.Batch, hits []int32),
	stop func() bool) error {
	var wide []format.RowRange
	for _, w := range wanted {
		if n := len(wide); n > 0 && w.Start-wide[n-1].End <= mostGap {
			wide[n-1].End = w.End
		} else {
			wide = append(wide, w)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var hits []int32
	next := 0
	return r.read(ctx, f, position, ids, wide, func(b *format.Batch) {
		hits = hits[:0]
		for i, row := range b.Ordinals[:b.Rows] {
			for next < len(wanted) && wanted[next].End <= row {
				next++
			}
			if next < len(wanted) && wanted[next].Start <= row {
				hits = append(hits, int32(i))
			}
		}
		r.decoded.Add(int64(b.Rows))
		if len(hits) > 0 {
			use(b, hits)
		}
		if stop() {
			cancel()
		}
	})
}
