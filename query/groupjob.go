package query

import (
	"context"
	"slices"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

// do reads the values of a job's matching rows and adds them.
func (w *groupWork) do(ctx context.Context, job groupJob, matching *index.RowSet) error {
	ranges := make([]format.RowRange, 0, len(job.parts))
	for _, part := range job.parts {
		ranges = appendRange(ranges, part.rows)
	}
	wanted := rangesOf(matching.And(rowsInRanges(w.file.rows, ranges)))
	x := newJobReader(w, job)
	var failed error
	err := w.reading.readChosen(ctx, w.file, w.position, x.ids(x.used), wanted, func(b *format.Batch, hits []int32) {
		if failed == nil {
			failed = x.add(b, hits)
		}
	}, func() bool { return failed != nil })
	if failed != nil {
		return failed
	}
	return err
}

// inputReader makes the vectors of inputs.
type inputReader struct {
	inputs  []groupInput
	vectors []format.Column // by input
	extract extractor
}

// ids returns the ids of the fields that some of the inputs need.
func (x *inputReader) ids(used []int) (ids []int) {
	use := func(id int) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, i := range used {
		c := x.inputs[i].column
		if c.places == nil {
			use(c.field.ID)
		}
		for _, place := range c.places {
			use(place.field.ID)
		}
	}
	return ids
}

// fill makes the vectors of some inputs, of which only the rows in hits count. They are valid until the next call. It returns the columns of the batch by
// field id.
func (x *inputReader) fill(b *format.Batch, used []int, hits []int32) map[int]*format.Column {
	columns := make(map[int]*format.Column, len(b.Columns))
	for i := range b.Columns {
		columns[b.Columns[i].Field.ID] = &b.Columns[i]
	}
	x.extract.block = x.extract.block[:0] // nothing of the last batch is needed any more
	if x.vectors == nil {
		x.vectors = make([]format.Column, len(x.inputs))
	}
	for _, i := range used {
		c, v := x.inputs[i].column, &x.vectors[i]
		if c.places == nil {
			*v = *columns[c.field.ID]
			continue
		}
		v.Field, v.Texts = c.field, resized(v.Texts, b.Rows)
		for _, row := range hits {
			v.Texts[row] = nil
			for k := range c.places {
				if v.Texts[row] = x.extract.text(&c.places[k], columns[c.places[k].field.ID], int(row)); v.Texts[row] != nil {
					break
				}
			}
		}
	}
	return columns
}

// jobReader adds batches.
type jobReader struct {
	*groupWork
	inputReader
	job  groupJob
	used []int // inputs
	part int   // of the job: where the last row was
}

func newJobReader(w *groupWork, job groupJob) *jobReader {
	x := &jobReader{groupWork: w, job: job, inputReader: inputReader{inputs: w.plan.inputs}}
	if job.grouped {
		x.used = firstPlaces(w.plan.groups)
	}
	for _, i := range job.aggregates {
		if input := w.plan.aggregates[i].input; input >= 0 && !slices.Contains(x.used, input) {
			x.used = append(x.used, input)
		}
	}
	return x
}

// add adds rows of a batch.
func (x *jobReader) add(b *format.Batch, hits []int32) error {
	x.fill(b, x.used, hits)
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
