package query

import (
	"context"
	"fmt"
	"slices"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

// Limits of what pruning tries.
const (
	maxLookups = 256 // values of In, to be looked up in indexes and bloom filters
	fewRows    = 64  // candidates that are read faster than the bounds of their pages
)

// finish runs the stages that are left, first the sidecar's if a reading is expected to need so much of the file that it is worth it, then those that need the
// data file's own footer, page index and bloom filters, and works out the residual. It does so once, and says whether
// candidates are left. Without open, a file is opened only if one of the stages may help.
func (p *planner) finish(ctx context.Context, f *filePlan, open bool, part share) (left bool, err error) {
	if err := f.mu.lock(ctx); err != nil {
		return false, err
	}
	defer f.mu.Unlock()
	if !f.finished && f.skipped == "" {
		if _, err := p.settleTokens(ctx, f, part, false); err != nil {
			return false, fmt.Errorf("reading the sidecar of %s: %w", f.data.Path, err)
		}
		f.publish()
	}
	if !f.finished && f.skipped == "" {
		if err := p.pruneInFile(ctx, f); err != nil {
			return false, fmt.Errorf("pruning data file %s: %w", f.data.Path, err)
		}
		f.finished = true
		p.endStages(f)
		f.settled.Store(true)
	}
	if open && f.skipped == "" {
		err = p.openOnce(ctx, f)
	}
	return f.skipped == "", err
}

// endStages works out what is left to be checked. The caller holds f.mu.
func (p *planner) endStages(f *filePlan) {
	f.residual = byCost(residual(p.bound.root, f.bounds.may.AndNot(f.bounds.must), f.ofLeaf))
	f.publish()
}

// askLate asks the sidecar of a file that is finished, if that is worth it by now. It says whether it did. If a reading has begun the file, it is not
// skipped any more.
func (p *planner) askLate(ctx context.Context, f *filePlan, part share, counting, begun bool) (bool, error) {
	if err := f.mu.lock(ctx); err != nil {
		return false, err
	}
	defer f.mu.Unlock()
	if f.asked || f.skipped != "" {
		return false, nil
	}
	if _, err := p.settleTokens(ctx, f, part, counting); err != nil {
		return false, fmt.Errorf("reading the sidecar of %s: %w", f.data.Path, err)
	}
	if begun {
		f.skipped = ""
	}
	for s := stageTokenBitmap + 1; s < numStages && f.asked; s++ {
		if f.stageRows[s] != notRun {
			f.stageRows[s] = min(f.stageRows[s], int64(f.bounds.may.Cardinality()))
		}
	}
	p.endStages(f)
	return f.asked, nil
}

// fileView is what a reading sees of a file: what was known when it began. A sidecar that is asked later makes a new view.
type fileView struct {
	*filePlan
	bounds   bounds
	residual node
	file     *format.File
}

// view returns a view of a file that is finished and open, for reading rows or for counting them.
func (p *planner) view(ctx context.Context, f *filePlan, counting bool) (*fileView, error) {
	if err := f.mu.lock(ctx); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	v := &fileView{filePlan: f, bounds: f.bounds, residual: f.residual, file: f.file}
	if f.before != nil && !counting {
		known := func(l *leaf) bounds {
			if slices.Contains(f.asking, l) {
				return f.before[l.id]
			}
			return f.known[l.id]
		}
		v.bounds = boundsOf(p.bound.root, f.rows, known)
		v.residual = byCost(residual(p.bound.root, v.bounds.may.AndNot(v.bounds.must), known))
	}
	return v, nil
}

// openOnce opens the data file. The caller holds f.mu.
func (p *planner) openOnce(ctx context.Context, f *filePlan) (err error) {
	if f.file == nil {
		f.file, err = p.engine.openFile(ctx, f, p.schema, p.schemaKey)
	}
	return err
}

func (p *planner) pruneInFile(ctx context.Context, f *filePlan) error {
	if left, err := p.askPatterns(ctx, f); err != nil || !left || f.bounds.decided() {
		return err
	}
	if left, err := p.pruneByValues(ctx, f); err != nil || !left || f.bounds.decided() {
		return err
	}
	active := f.activeLeaves(p.bound.root, nil)
	if left, err := p.askValueBlooms(ctx, f, active); err != nil || !left {
		return err
	}
	var boundable []*leaf
	for _, l := range f.activeLeaves(p.bound.root, nil) {
		if l.boundable() {
			boundable = append(boundable, l)
		}
	}
	if len(boundable) == 0 {
		return nil
	}
	if err := p.openOnce(ctx, f); err != nil {
		return err
	}
	defer p.engine.cache.remeasure(fileKey(f.name, p.schemaKey))
	for _, l := range boundable {
		f.refineByRuns(l, noteRowGroups, rowGroupFacts(f.file, l.field.ID))
	}
	if !f.conclude(stageRowGroupBounds, p.bound.root) || f.bounds.may.Cardinality() <= fewRows {
		return nil
	}
	for _, l := range f.activeLeaves(p.bound.root, nil) {
		if !l.boundable() {
			continue
		}
		pages, err := f.file.Pages(ctx, l.field.ID)
		if err != nil {
			return err
		}
		f.refineByRuns(l, notePages, pageFacts(pages))
		if !f.conclude(stagePageBounds, p.bound.root) {
			return nil
		}
	}
	return nil
}

// askValueBlooms asks Parquet's bloom filters for the values of Equal and In. It says whether candidates are left.
func (p *planner) askValueBlooms(ctx context.Context, f *filePlan, active []*leaf) (bool, error) {
	asked := false
	for _, l := range active {
		if l.kind != leafIn || l.inMap || !p.blooms[l.field.ID] {
			continue
		}
		if p.request.NoIndex {
			f.note(l.id, noteNoIndex, "")
			continue
		}
		values := l.bloomValues()
		if len(values) == 0 {
			continue
		}
		if len(values) > maxLookups {
			f.note(l.id, noteTooMany, "")
			continue
		}
		if err := p.openOnce(ctx, f); err != nil {
			return false, err
		}
		asked = true
		if err := p.askValueBloom(ctx, f, l, values); err != nil {
			return false, err
		}
	}
	return !asked || f.conclude(stageValueBloom, p.bound.root), nil
}

// bloomValues returns the values of a leafIn in the form that bloom filters know.
func (l *leaf) bloomValues() (values []any) {
	for text := range l.texts {
		values = append(values, text)
	}
	if l.field.Type != format.TypeBool {
		for n := range l.wholes {
			values = append(values, n)
		}
	}
	return values // floats are left out: 0 and -0 are equal, and have different hashes
}

func (p *planner) askValueBloom(ctx context.Context, f *filePlan, l *leaf, values []any) error {
	may, narrowed := f.known[l.id].may, false
	for i, g := range f.file.RowGroups() {
		end := g.FirstRow + g.Rows
		if f.bounds.may.CountInRange(g.FirstRow, end) == 0 {
			continue // not needed
		}
		found := false
		for _, v := range values {
			ok, _, err := f.file.BloomMayContain(ctx, i, l.field.ID, v)
			if err != nil {
				return err
			}
			if ok {
				found = true
				break
			}
		}
		if !found {
			may, narrowed = may.AndNot(index.RowsInRange(f.rows, g.FirstRow, end)), true
		}
	}
	if narrowed {
		f.note(l.id, noteValueBloom, "")
	}
	f.refine(l, bounds{must: index.NoRows(f.rows), may: may})
	return nil
}

// run is a run of rows with facts about one column.
type run struct {
	rows  format.RowRange
	facts facts
}

func runOf(rows format.RowRange, b format.Bounds, known bool) run {
	r := run{rows: rows, facts: facts{rows: int64(rows.End - rows.Start), nulls: -1}}
	if known {
		r.facts.min, r.facts.max, r.facts.nulls = b.Min, b.Max, b.NullCount
		if b.AllNull {
			r.facts.nulls = r.facts.rows
		}
	}
	return r
}

func rowGroupFacts(file *format.File, fieldID int) []run {
	groups := file.RowGroups()
	runs := make([]run, len(groups))
	for i := range groups {
		g := &groups[i]
		b, ok := g.Bounds(fieldID)
		runs[i] = runOf(format.RowRange{Start: g.FirstRow, End: g.FirstRow + g.Rows}, b, ok)
	}
	return runs
}

func pageFacts(pages []format.PageBounds) []run {
	runs := make([]run, len(pages))
	for i, page := range pages {
		runs[i] = runOf(page.Rows, page.Bounds, true)
	}
	return runs
}

// refineByRuns judges a leaf for each run of rows.
func (f *filePlan) refineByRuns(l *leaf, kind noteKind, runs []run) {
	var all, some []format.RowRange
	for _, r := range runs {
		v := l.judge(r.facts)
		if v.all {
			all = appendRange(all, r.rows)
		}
		if v.some {
			some = appendRange(some, r.rows)
		}
	}
	before := f.known[l.id]
	f.refine(l, bounds{must: rowsInRanges(f.rows, all), may: rowsInRanges(f.rows, some)})
	after := f.known[l.id]
	if after.may.Cardinality() < before.may.Cardinality() || after.must.Cardinality() > before.must.Cardinality() {
		f.note(l.id, kind, "")
	}
}

// appendRange appends a range of rows, joined to the last one if it follows on it.
func appendRange(list []format.RowRange, r format.RowRange) []format.RowRange {
	if n := len(list); n > 0 && list[n-1].End == r.Start {
		list[n-1].End = r.End
		return list
	}
	return append(list, r)
}

// rowsInRanges returns the rows of a file of n rows that lie in one of the ranges.
func rowsInRanges(n uint32, ranges []format.RowRange) *index.RowSet {
	switch len(ranges) {
	case 0:
		return index.NoRows(n)
	case 1:
		return index.RowsInRange(n, ranges[0].Start, ranges[0].End)
	}
	half := len(ranges) / 2
	return rowsInRanges(n, ranges[:half]).Or(rowsInRanges(n, ranges[half:]))
}
