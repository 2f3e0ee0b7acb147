package query

import (
	"context"

	"github.com/firnlog/firn/format"
)

// wholeBytes is up to how many bytes of other columns are read along with the predicate's columns of candidates, from a remote store, instead of
// with a second round trip for those that match.
const wholeBytes = 1 << 20

// atOnce says whether all columns of candidates should be read together.
func (r *reading) atOnce(f *fileView, candidates []format.RowRange, fields []format.Field) bool {
	if !r.scan.planner.engine.remote() {
		return false
	}
	extra := f.file.EstimateBytes(residualFields(f.residual, fields), candidates)
	if f.bounds.decided() {
		return extra <= wholeBytes
	}
	extra -= f.file.EstimateBytes(residualFields(f.residual, nil), candidates)
	rows := 0.0
	for _, c := range candidates {
		rows += float64(c.End - c.Start)
	}
	return float64(extra) <= wholeBytes*min(1, rows*r.yield()) // in vain, if no row matches
}

// matching returns the rows that match among candidates that ascend, with all these fields, read together.
func (r *reading) matching(ctx context.Context, f *fileView, position int, candidates []format.RowRange, fields []format.Field) ([]uint32, *gatherer, error) {
	var rows []uint32
	var e evaluator
	var every []int32
	kept, places, decided := newGatherer(fields), firstPlaces(len(fields)), f.bounds.decided()
	err := r.read(ctx, f, position, residualFields(f.residual, fields), candidates, func(b *format.Batch) {
		r.decoded.Add(int64(b.Rows))
		var hits []int32
		if decided {
			for len(every) < b.Rows {
				every = append(every, int32(len(every)))
			}
			hits = every[:b.Rows]
		} else {
			hits = r.hitsOf(f, b, e.filter(f.residual, b))
		}
		for _, row := range hits {
			rows = append(rows, b.Ordinals[row])
		}
		kept.add(b, places, hits)
	})
	return rows, kept, err
}

// hitsOf adds the rows of a batch that are certain to those for which the residual is true, and counts how many of the others it is true for.
func (r *reading) hitsOf(f *fileView, b *format.Batch, passed []int32) []int32 {
	if f.bounds.must.IsEmpty() {
		r.checked.Add(int64(b.Rows))
		r.passed.Add(int64(len(passed)))
		return passed
	}
	var hits []int32
	for i := range b.Rows {
		row := int32(i)
		is := len(passed) > 0 && passed[0] == row
		if is {
			passed = passed[1:]
		}
		if f.bounds.must.CountInRange(b.Ordinals[i], b.Ordinals[i]+1) > 0 {
			hits = append(hits, row)
			continue
		}
		r.checked.Add(1)
		if is {
			r.passed.Add(1)
			hits = append(hits, row)
		}
	}
	return hits
}
