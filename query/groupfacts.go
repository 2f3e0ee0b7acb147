package query

import (
	"context"
	"sort"

	"github.com/firnlog/firn/format"
)

// stretch is a run of rows over which facts about an input are known.
type stretch struct {
	rows     format.RowRange
	same     *scalar // the value of all rows, rounded to its interval; nil: unknown
	least    *scalar // a value that is there, and no one is less; nil: unknown
	greatest *scalar
	nulls    int64 // -1: unknown
}

// stretchOf tells what bounds say about an input. They must be sound; exact says which of them occur.
func (in *groupInput) stretchOf(rows format.RowRange, known facts, minExact, maxExact bool) stretch {
	if known.nulls < 0 && in.column.field.Required {
		known.nulls = 0
	}
	s := stretch{rows: rows, nulls: known.nulls}
	if known.rows > 0 && known.nulls >= known.rows {
		s.same = &nullScalar
		return s
	}
	low, okLow := scalarOf(known.min)
	high, okHigh := scalarOf(known.max)
	if okLow && minExact {
		s.least = &low
	}
	if okHigh && maxExact {
		s.greatest = &high
	}
	if known.nulls != 0 || !okLow || !okHigh || isFloat(in.column.field.Type) { // NaN lies outside of all bounds
		return s
	}
	if in.bucket != nil {
		start, end := in.bucket.span(low.n)
		if low.n <= high.n && high.n < end {
			s.same = &scalar{n: start}
		}
	} else if low == high {
		s.same = &low
	}
	return s
}

// fileStretch tells what the table's metadata says about an input over a whole file.
func (p *planner) fileStretch(f *filePlan, in *groupInput) stretch {
	rows := format.RowRange{End: f.rows}
	if !in.plain() {
		return stretch{rows: rows, nulls: -1}
	}
	return in.stretchOf(rows, p.fileFacts(f.data, in.column.field), false, false)
}

// stretches tells what is known about an input in a row group, in order: at once, or page by page.
func (in *groupInput) stretches(ctx context.Context, f *fileView, group int) ([]stretch, error) {
	g := &f.file.RowGroups()[group]
	span := format.RowRange{Start: g.FirstRow, End: g.FirstRow + g.Rows}
	whole := stretch{rows: span, nulls: -1}
	if !in.plain() {
		return []stretch{whole}, nil
	}
	id := in.column.field.ID
	if b, ok := g.Bounds(id); ok {
		r := runOf(span, b, true)
		if whole = in.stretchOf(span, r.facts, b.MinExact, b.MaxExact); whole.same != nil {
			return []stretch{whole}, nil
		}
	}
	pages, err := f.file.Pages(ctx, id)
	if err != nil {
		return nil, err
	}
	var list []stretch
	first := sort.Search(len(pages), func(i int) bool { return pages[i].Rows.End > span.Start })
	for _, page := range pages[first:] {
		if page.Rows.Start >= span.End {
			break
		}
		r := runOf(page.Rows, page.Bounds, true)
		list = append(list, in.stretchOf(page.Rows, r.facts, page.MinExact, page.MaxExact))
	}
	if len(list) == 0 || list[0].rows.Start != span.Start || list[len(list)-1].rows.End != span.End {
		return []stretch{whole}, nil
	}
	return list, nil
}

// area is a run of rows that are in one group, if that is known.
type area struct {
	rows   format.RowRange
	values []scalar // by column that is grouped by; nil: unknown
}

// areasOf cuts a row group into areas, with as few as possible.
func (p *groupPlan) areasOf(ctx context.Context, f *fileView, group int) ([]area, error) {
	g := &f.file.RowGroups()[group]
	lists := make([][]stretch, p.groups)
	for i := range lists {
		var err error
		if lists[i], err = p.inputs[i].stretches(ctx, f, group); err != nil {
			return nil, err
		}
	}
	var areas []area
	for start, end := g.FirstRow, g.FirstRow+g.Rows; start < end; {
		next, values := end, make([]scalar, 0, p.groups)
		for i := range lists {
			for lists[i][0].rows.End <= start {
				lists[i] = lists[i][1:]
			}
			s := &lists[i][0]
			next = min(next, s.rows.End)
			if s.same != nil && values != nil {
				values = append(values, *s.same)
			} else {
				values = nil
			}
		}
		areas = appendArea(areas, area{format.RowRange{Start: start, End: next}, values})
		start = next
	}
	return areas, nil
}

func appendArea(areas []area, a area) []area {
	if n := len(areas); n > 0 {
		last := &areas[n-1]
		same := (last.values == nil) == (a.values == nil)
		for i := range a.values {
			same = same && last.values[i] == a.values[i]
		}
		if same {
			last.rows.End = a.rows.End
			return areas
		}
	}
	return append(areas, a)
}
