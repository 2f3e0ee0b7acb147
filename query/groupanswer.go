package query

import (
	"context"
	"fmt"
	"slices"

	"github.com/firnlog/firn/format"
)

// rows makes the groups and hands them out.
func (p *groupPlan) rows(ctx context.Context, r *answerReading, emit func(b *format.Batch, row int32) bool) error {
	g := &groupRun{plan: p, reading: r.reading, budget: memoryBudget{limit: p.memory}}
	var t *groupTable
	var err error
	if p.countsRows() {
		t, err = g.count(ctx)
	} else {
		t, err = g.run(ctx)
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.tally = answerTally{groups: int64(t.groups), rowsByFacts: g.byFacts.Load(), filesByFacts: int(g.files.Load())}
	r.mu.Unlock()
	list, err := p.results(t)
	if err != nil {
		return err
	}
	return p.emit(ctx, list, emit)
}

// count answers how many rows there are.
func (g *groupRun) count(ctx context.Context) (*groupTable, error) {
	r := g.reading
	ctx, end := r.begin(ctx)
	defer end()
	if err := r.forgive(ctx, r.count(ctx)); err != nil {
		return nil, err
	}
	t := g.take()
	for _, s := range t.states {
		s.addSame(0, scalar{}, r.matched.Load())
	}
	g.byFacts.Store(r.matched.Load() - r.passed.Load())
	return t, nil
}

// results returns the rows of the answer, with all columns, in order.
func (p *groupPlan) results(t *groupTable) ([][]scalar, error) {
	list := make([][]scalar, t.groups)
	for i := range list {
		group := uint32(i)
		row := t.valuesOf(group)
		for j, s := range t.states {
			v, err := s.result(group)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.columns[p.groups+j].field.Name, err)
			}
			row = append(row, v)
		}
		list[i] = row
	}
	order := slices.Clone(p.order)
	for i := range p.groups {
		order = append(order, columnOrder{column: i})
	}
	slices.SortFunc(list, func(a, b []scalar) int {
		for _, o := range order {
			if c := o.compare(p.columns[o.column].field.Type, a[o.column], b[o.column]); c != 0 {
				return c
			}
		}
		return 0
	})
	if p.limit > 0 {
		list = list[:min(len(list), p.limit)]
	}
	return list, nil
}

// compare orders values as a Sort does: nulls come last.
func (o columnOrder) compare(t format.Type, a, b scalar) int {
	if o.descending && !a.null && !b.null {
		a, b = b, a
	}
	return compareScalars(t, a, b)
}

// emit hands out rows.
func (p *groupPlan) emit(ctx context.Context, list [][]scalar, emit func(b *format.Batch, row int32) bool) error {
	for len(list) > 0 {
		n := min(len(list), batchRows)
		b := &format.Batch{Rows: n}
		values := make([]scalar, n)
		for _, column := range p.output {
			for i, row := range list[:n] {
				values[i] = row[column]
			}
			b.Columns = append(b.Columns, vectorOf(p.columns[column].field, values))
		}
		for row := range n {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !emit(b, int32(row)) {
				return nil
			}
		}
		list = list[n:]
	}
	return nil
}
