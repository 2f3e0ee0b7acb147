package query

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/index/analyzer"
)

// patternIndex is what a sidecar tells about patterns: see index.Sidecar.
type patternIndex interface {
	Patterns(ctx context.Context, fieldID int) (patterns []index.Pattern, rest *index.RowSet, err error)
	PatternRows(ctx context.Context, fieldID, pattern int) (*index.RowSet, error)
	PatternOfRows(ctx context.Context, fieldID int) ([]uint32, error)
}

// patternFile is a data file whose rows are counted.
type patternFile struct {
	run      *patternRun
	number   uint32 // in run.files
	plan     *filePlan
	view     *fileView // of plan, once it is open
	side     int
	position int  // in scan.files
	sorted   bool // by time
}

// fewPatternRows is how many rows are read faster than the pattern of each row of a file.
const fewPatternRows = 16

func (f *patternFile) of() *patternSide { return f.run.sides[f.side] }

// pass goes through the rows of all files.
func (run *patternRun) pass(ctx context.Context) error {
	for i, side := range run.sides {
		ctx := withCounters(ctx, &side.reading.counts)
		var files []*patternFile
		for j := range run.files {
			if run.files[j].side == i {
				files = append(files, &run.files[j])
			}
		}
		err := side.scan.planner.parallel(ctx, len(files), func(ctx context.Context, i int) error { return files[i].count(ctx) })
		if err != nil {
			return err
		}
	}
	return nil
}

// inSlot runs do when there is a free slot.
func (run *patternRun) inSlot(ctx context.Context, do func() error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case run.slots <- struct{}{}:
	}
	defer func() { <-run.slots }()
	return do()
}

// count counts the matching rows of a file, of which the indexes know some.
func (f *patternFile) count(ctx context.Context) error {
	p, plan := f.of().scan.planner, f.plan
	left, err := p.finish(ctx, plan, true, 1)
	if err != nil || !left {
		return err
	}
	if f.view, err = p.view(ctx, plan, true); err != nil {
		return err
	}
	f.sorted = p.trusted(f.view)
	must, may := f.view.bounds.must, f.view.bounds.may
	known := index.NoRows(plan.rows)
	var column patternColumn
	if may.Cardinality() > fewPatternRows {
		sidecar, err := f.openIndex(ctx)
		if err != nil {
			return err
		}
		if sidecar != nil {
			column = patternColumn{file: f, index: sidecar, lock: newPlanLock()}
			known = column.rows(ctx)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.engine.width)
	do := func(work func(ctx context.Context) error) {
		group.Go(func() error { return f.run.inSlot(ctx, func() error { return work(ctx) }) })
	}
	if certain := must.And(known); !certain.IsEmpty() {
		do(func(ctx context.Context) error { return column.countCertain(ctx, certain, certain.Equal(known)) })
	}
	for _, rows := range f.cut(may.And(known).AndNot(must)) {
		do(func(ctx context.Context) error { return column.countOpen(ctx, rows) })
	}
	for _, rows := range f.cut(must.AndNot(known)) {
		do(func(ctx context.Context) error { return f.countTexts(ctx, rows, false) })
	}
	for _, rows := range f.cut(may.AndNot(must).AndNot(known)) {
		do(func(ctx context.Context) error { return f.countTexts(ctx, rows, true) })
	}
	return group.Wait()
}

// cut cuts rows into pieces that are worked on at once.
func (f *patternFile) cut(rows *index.RowSet) [][]format.RowRange {
	if rows.IsEmpty() {
		return nil
	}
	return f.of().scan.planner.cutByRowGroups(f.view, rows, residualFields(f.view.residual, []format.Field{f.of().field}))
}

// openIndex opens the sidecar of a file if it may be used and may know patterns; else it returns nil.
func (f *patternFile) openIndex(ctx context.Context) (patternIndex, error) {
	p := f.of().scan.planner
	if p.request.NoIndex || !f.sorted || !p.indexed[f.of().field.ID] || f.plan.sidecarName == "" {
		return nil, nil
	}
	sidecar, problem, err := p.engine.openSidecar(ctx, f.plan)
	if err != nil {
		return nil, fmt.Errorf("reading the sidecar of %s: %w", f.plan.data.Path, err)
	}
	if problem != "" {
		return nil, f.noteProblem(ctx, problem)
	}
	return p.engine.patternsOf(sidecar), nil
}

// patternsOf returns what a sidecar tells about patterns.
func (e *Engine) patternsOf(sidecar *index.Sidecar) patternIndex {
	if e.patternIndex != nil {
		return e.patternIndex(sidecar)
	}
	return sidecar
}

// noteProblem remembers for Stats that the sidecar was no help.
func (f *patternFile) noteProblem(ctx context.Context, problem IndexProblem) error {
	if err := f.plan.mu.lock(ctx); err != nil {
		return err
	}
	defer f.plan.mu.Unlock()
	if f.plan.problem == "" {
		f.plan.problem = problem
	}
	return nil
}

// drop remembers that the sidecar failed, unless the context ended, which is the only error.
func (f *patternFile) drop(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return f.noteProblem(ctx, f.of().scan.planner.engine.dropSidecar(f.plan, err))
}

// countTexts reads the texts of rows and counts those that match: if open, those for which the residual is true.
func (f *patternFile) countTexts(ctx context.Context, rows []format.RowRange, open bool) error {
	side, spans := f.of(), newPatternSpans(f)
	also := []format.Field{side.field}
	timed := !f.sorted && side.scan.planner.time.Type != format.TypeInvalid
	if timed {
		also = append(also, side.scan.planner.time)
	}
	var signer analyzer.Signer
	use := func(b *format.Batch, hits []int32) {
		texts, times := b.Columns[0].Texts, []int64(nil)
		if timed {
			times = timesOf(&b.Columns[1])
		}
		missing := int64(0)
		for _, row := range hits {
			switch text := texts[row]; {
			case text == nil:
				missing++
			case timed:
				spans.add(signer.Signature(text), b.Ordinals[row], times[row])
			default:
				spans.add(signer.Signature(text), b.Ordinals[row], 0)
			}
		}
		side.rows.Add(int64(len(hits)))
		side.noText.Add(missing)
	}
	err := f.read(ctx, rows, also, open, use)
	spans.flush()
	return err
}

// read calls use with rows of the file, and the first columns of them: if open, only with those for which the residual is true.
func (f *patternFile) read(ctx context.Context, rows []format.RowRange, fields []format.Field, open bool,
	use func(b *format.Batch, hits []int32)) error {
	r := f.of().reading
	if open {
		return r.check(ctx, f.view, f.position, rows, fields, use)
	}
	var every []int32
	return r.read(ctx, f.view, f.position, residualFields(constNode(true), fields), rows, func(b *format.Batch) {
		r.decoded.Add(int64(b.Rows))
		for len(every) < b.Rows {
			every = append(every, int32(len(every)))
		}
		use(b, every[:b.Rows])
	})
}
