package query

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

// groupRun is one run of a question for groups. Pieces of files are worked on side by side, each into a table of groups that no other piece has at that
// time; the tables are merged in the end.
//
// A value is read only if it must be: rows of a file, row group or page are counted by what indexes and bounds tell if all of them belong to one group, and
// the least value of a page, if all its rows match, is that of its bounds. For what is left the columns of the predicate are read first, and then the others
// of the rows that match.
type groupRun struct {
	plan    *groupPlan
	reading *reading
	budget  memoryBudget

	byFacts atomic.Int64 // rows of which no value was read
	files   atomic.Int64 // files that were not opened for it

	mu   sync.Mutex
	free []*groupTable
}

// groupPiece is a row group of a file.
type groupPiece struct {
	file     *fileView
	position int
	group    int
}

// run fills tables with groups, and returns all of them in one. A limit is no error.
func (g *groupRun) run(ctx context.Context) (*groupTable, error) {
	ctx, end := g.reading.begin(ctx)
	defer end()
	if err := g.reading.forgive(ctx, g.readAll(ctx)); err != nil {
		return nil, err
	}
	whole := g.take()
	for _, t := range g.free {
		whole.merge(t)
	}
	return whole, nil
}

// take returns a table that nobody uses.
func (g *groupRun) take() *groupTable {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.free); n > 0 {
		t := g.free[n-1]
		g.free = g.free[:n-1]
		return t
	}
	return newGroupTable(g.plan, &g.budget)
}

func (g *groupRun) give(t *groupTable) {
	g.mu.Lock()
	g.free = append(g.free, t)
	g.mu.Unlock()
}

func (g *groupRun) readAll(ctx context.Context) error {
	s := g.reading.scan
	if err := s.planner.earnCounts(ctx, s.files); err != nil {
		return err
	}
	lists := make([][]groupPiece, len(s.files))
	err := s.planner.parallel(ctx, len(s.files), func(ctx context.Context, i int) (err error) {
		lists[i], err = g.begin(ctx, i)
		return err
	})
	if err != nil {
		return err
	}
	pieces := slices.Concat(lists...)
	return s.planner.parallel(ctx, len(pieces), func(ctx context.Context, i int) error {
		t := g.take()
		defer g.give(t)
		w := groupWork{groupRun: g, groupPiece: &pieces[i], table: t}
		return w.run(ctx)
	})
}

// begin answers what it can about a file without opening it, and returns the pieces that are left otherwise.
func (g *groupRun) begin(ctx context.Context, position int) ([]groupPiece, error) {
	p, f := g.reading.scan.planner, g.reading.scan.files[position]
	if known, n, err := p.countByIndex(ctx, f); err != nil || known && n == 0 {
		return nil, err
	} else if known {
		done, err := g.byMetadata(f, n)
		if err != nil || done {
			return nil, err
		}
	}
	if left, err := p.finish(ctx, f, true, 1); err != nil || !left {
		return nil, err
	}
	view, err := p.view(ctx, f, true)
	if err != nil {
		return nil, err
	}
	var pieces []groupPiece
	for i, rg := range view.file.RowGroups() {
		if view.bounds.may.CountInRange(rg.FirstRow, rg.FirstRow+rg.Rows) > 0 {
			pieces = append(pieces, groupPiece{view, position, i})
		}
	}
	return pieces, nil
}

// byMetadata adds n matching rows of a file by what the table's metadata tells, if that is enough.
func (g *groupRun) byMetadata(f *filePlan, n int64) (bool, error) {
	p := g.reading.scan.planner
	values := make([]scalar, g.plan.groups)
	for i := range values {
		s := p.fileStretch(f, &g.plan.inputs[i])
		if s.same == nil {
			return false, nil
		}
		values[i] = *s.same
	}
	list := make([]stretch, len(g.plan.aggregates))
	for i, a := range g.plan.aggregates {
		if a.input < 0 {
			continue
		}
		list[i] = p.fileStretch(f, &g.plan.inputs[a.input])
		if !list[i].enough(a.aggregate.Function, n == int64(f.rows)) {
			return false, nil
		}
	}
	t := g.take()
	defer g.give(t)
	group, err := t.groupOf(values)
	if err != nil {
		return false, err
	}
	grown := int64(0)
	for i, a := range g.plan.aggregates {
		grown += list[i].addTo(t.states[i], a, group, n)
	}
	g.reading.matched.Add(n)
	g.byFacts.Add(n)
	g.files.Add(1)
	return true, t.settle(grown)
}

// enough says whether a function of all rows of the stretch, or of any number of them unless all match, is known.
func (s *stretch) enough(f Function, all bool) bool {
	if s.same != nil {
		return f != FuncQuantile || s.same.null // else a list of the same number has to be made
	}
	switch f {
	case FuncCount:
		return s.nulls == 0 || all && s.nulls > 0
	case FuncMin:
		return all && s.least != nil
	case FuncMax:
		return all && s.greatest != nil
	}
	return false
}

// addTo adds n rows of the stretch, which is enough for the aggregate.
func (s *stretch) addTo(to aggregateState, a boundAggregate, group uint32, n int64) int64 {
	switch {
	case a.input < 0:
		return to.addSame(group, scalar{}, n)
	case s.same != nil:
		return to.addSame(group, *s.same, n)
	case a.aggregate.Function == FuncMin:
		return to.addSame(group, *s.least, n)
	case a.aggregate.Function == FuncMax:
		return to.addSame(group, *s.greatest, n)
	}
	return to.addSame(group, scalar{}, n-s.nulls) // FuncCount: nulls are 0, or those of all rows
}

// groupWork adds the rows of a piece to a table.
type groupWork struct {
	*groupRun
	*groupPiece
	table *groupTable
}

func (w *groupWork) run(ctx context.Context) error {
	f := w.file
	rg := f.file.RowGroups()[w.group]
	span := index.RowsInRange(f.rows, rg.FirstRow, rg.FirstRow+rg.Rows)
	must := f.bounds.must.And(span)
	rows := must
	if open := f.bounds.may.AndNot(f.bounds.must).And(span); !open.IsEmpty() {
		found, err := w.check(ctx, open)
		if err != nil {
			return err
		}
		rows = must.Or(found)
	}
	if rows.IsEmpty() {
		return nil
	}
	areas, err := w.plan.areasOf(ctx, f, w.group)
	if err != nil {
		return err
	}
	jobs, err := w.byBounds(ctx, rows, areas)
	if err != nil {
		return err
	}
	w.reading.matched.Add(int64(rows.Cardinality()))
	if len(jobs) == 0 {
		w.byFacts.Add(int64(must.Cardinality()))
	}
	for _, j := range jobs {
		if err := w.do(ctx, j, rows); err != nil {
			return err
		}
	}
	return nil
}

// check returns those of the rows for which the residual is true.
func (w *groupWork) check(ctx context.Context, rows *index.RowSet) (*index.RowSet, error) {
	var found []uint32
	err := w.reading.check(ctx, w.file, w.position, rangesOf(rows), nil, func(b *format.Batch, hits []int32) {
		for _, row := range hits {
			found = append(found, b.Ordinals[row])
		}
	})
	return index.RowsFromSorted(w.file.rows, found), err
}

// groupJob is rows of which values must be read for some aggregates.
type groupJob struct {
	parts      []jobPart
	aggregates []int
	grouped    bool // the columns that are grouped by are read too
}

// jobPart is a run of rows, and their group unless the job reads it.
type jobPart struct {
	rows  format.RowRange
	group uint32
}

// byBounds adds what bounds and row numbers tell about matching rows, and returns what must be read for the rest.
func (w *groupWork) byBounds(ctx context.Context, rows *index.RowSet, areas []area) ([]groupJob, error) {
	lists := make([][]stretch, len(w.plan.aggregates))
	for i, a := range w.plan.aggregates {
		if a.input < 0 || !slices.ContainsFunc(areas, func(a area) bool { return a.values != nil }) {
			continue
		}
		var err error
		if lists[i], err = w.plan.inputs[a.input].stretches(ctx, w.file, w.group); err != nil {
			return nil, err
		}
	}
	open := groupJob{grouped: true, aggregates: firstPlaces(len(w.plan.aggregates))}
	jobs := make([]groupJob, len(w.plan.aggregates))
	for _, a := range areas {
		n := int64(rows.CountInRange(a.rows.Start, a.rows.End))
		if n == 0 {
			continue
		}
		if a.values == nil {
			open.parts = append(open.parts, jobPart{rows: a.rows})
			continue
		}
		group, err := w.table.groupOf(a.values)
		if err != nil {
			return nil, err
		}
		grown := int64(0)
		for i, aggregate := range w.plan.aggregates {
			if aggregate.input < 0 {
				grown += w.table.states[i].addSame(group, scalar{}, n)
				continue
			}
			jobs[i].parts, grown = w.addStretches(i, lists[i], a.rows, group, rows, jobs[i].parts, grown)
		}
		if err := w.table.settle(grown); err != nil {
			return nil, err
		}
	}
	return joinJobs(open, jobs), nil
}

// addStretches adds matching rows of an area to one aggregate where bounds tell enough, and appends the rest to parts.
func (w *groupWork) addStretches(i int, list []stretch, within format.RowRange, group uint32, rows *index.RowSet, parts []jobPart, grown int64) (
	[]jobPart, int64) {
	a, state := w.plan.aggregates[i], w.table.states[i]
	for k := range list {
		s := &list[k]
		part := format.RowRange{Start: max(s.rows.Start, within.Start), End: min(s.rows.End, within.End)}
		if part.Start >= part.End {
			continue
		}
		n := int64(rows.CountInRange(part.Start, part.End))
		switch all := part == s.rows && n == int64(part.End-part.Start); {
		case n == 0:
		case s.enough(a.aggregate.Function, all):
			grown += s.addTo(state, a, group, n)
		default:
			if last := len(parts) - 1; last >= 0 && parts[last].rows.End == part.Start && parts[last].group == group {
				parts[last].rows.End = part.End
			} else {
				parts = append(parts, jobPart{part, group})
			}
		}
	}
	return parts, grown
}

// joinJobs joins jobs that read the same rows. jobs has one for each aggregate.
func joinJobs(open groupJob, jobs []groupJob) (joined []groupJob) {
	if len(open.parts) > 0 {
		joined = append(joined, open)
	}
	for i := range jobs {
		if len(jobs[i].parts) == 0 {
			continue
		}
		same := slices.IndexFunc(joined, func(j groupJob) bool { return !j.grouped && slices.Equal(j.parts, jobs[i].parts) })
		if same < 0 {
			jobs[i].aggregates = []int{i}
			joined = append(joined, jobs[i])
			continue
		}
		joined[same].aggregates = append(joined[same].aggregates, i)
	}
	return joined
}
