package query

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
)

// planner holds what the stages of one scan need to know.
type planner struct {
	*tableState

	engine  *Engine
	request Request
	table   *catalog.Table
	bound   *bound
	bloomed bool         // a match must have a value that Parquet's bloom filters know
	ledger  *ledger      // what may be spent on sidecars
	outputs map[int]bool // fields that are handed out
	needles bool         // a match must have a token that is probably in few rows
	times   *factColumn  // what the metadata tells about _timestamp; nil: the table has none

	packs   packTally    // what bloom packs did
	inRace  int64        // files that the metadata left
	guessed atomic.Int64 // data files opened on the chance that they are needed
}

// Plan prunes the table's files for a request. It reads metadata, sidecars and footers, no data pages. Errors: ErrInvalidRequest, ErrDeletes,
// errors of damaged data files (format.ErrCorrupt) and of the storage. Trouble with sidecars is no error, and neither is a limit that planning reaches: the Scan
// then has no rows, and Scan.Partial says why.
//
// With a Limit, the stages that need the data file itself (value bloom filters, row-group and page bounds) wait until a reading reaches the file, and
// so do sidecars, but for those of the first files in a remote store.
func (e *Engine) Plan(ctx context.Context, t *catalog.Table, r Request) (*Scan, error) {
	start := e.now()
	s := &Scan{}
	ctx = withCounters(ctx, &s.planCounts)
	p, err := e.newPlanner(ctx, t, r)
	if err != nil {
		return nil, err
	}
	s.planner = p
	if s.fields, s.arrow, err = p.project(r.Columns); err != nil {
		return nil, err
	}
	p.outputs = map[int]bool{}
	for _, f := range s.fields {
		p.outputs[f.ID] = true
	}
	ctx, end := r.Limits.limit(ctx, true, 0, 0)
	defer end()
	if err := s.prune(ctx); err != nil {
		if s.partial = reachedLimit(ctx, err); s.partial == "" {
			return nil, err
		}
		s.planTime = e.now().Sub(start)
		return s, nil
	}
	for _, f := range s.listed {
		if f.skipped == "" {
			s.files = append(s.files, f)
		}
	}
	s.sortFiles()
	s.planTime = e.now().Sub(start)
	return s, nil
}

// prune runs the stages of planning.
func (s *Scan) prune(ctx context.Context) error {
	p := s.planner
	start := p.engine.now()
	packs := p.findPacks(ctx)
	defer packs.end()
	files, err := p.list(ctx)
	if err != nil {
		return err
	}
	if s.listed, s.metadata, err = p.pruneByMetadata(files); err != nil {
		return err
	}
	pruned := p.engine.now()
	s.metadataTime = pruned.Sub(start)
	defer func() { s.indexTime = p.engine.now().Sub(pruned) }()
	if err := p.pruneByPacks(ctx, packs, files, s.listed); err != nil {
		return err
	}
	return p.pruneSurvivors(ctx, s.listed)
}

// list returns the files to be searched.
func (p *planner) list(ctx context.Context) (*fileList, error) {
	if p.request.Files != nil {
		return newFileList(p.engine.store, p.tableState, p.request.Files)
	}
	return p.engine.list(ctx, p.tableState, p.table)
}

func (e *Engine) newPlanner(ctx context.Context, t *catalog.Table, r Request) (*planner, error) {
	if r.Limit < 0 {
		return nil, fmt.Errorf("%w: the limit is %d; give 0 for none", ErrInvalidRequest, r.Limit)
	}
	state, err := e.state(ctx, t)
	if err != nil {
		return nil, err
	}
	p := &planner{tableState: state, engine: e, request: r, table: t, ledger: newLedger(r.ForceIndex)}
	if p.bound, err = bind(p.schema, r.Predicate, r.From, r.To, e.now()); err != nil {
		return nil, err
	}
	if r.beside != nil {
		p.bound.restrict(r.beside)
	}
	p.bloomed = !r.NoIndex && p.needsBloomed(p.bound.root)
	p.needles = p.needsNeedle(p.bound.root)
	return p, nil
}

// needsBloomed says whether every match of a node has a value of which Parquet's bloom filters are asked.
func (p *planner) needsBloomed(x node) bool {
	switch x := x.(type) {
	case *leaf:
		return x.kind == leafIn && !x.inMap && p.blooms[x.field.ID] && len(x.bloomValues()) > 0
	case andNode:
		return slices.ContainsFunc(x, p.needsBloomed)
	}
	return false
}

// needsNeedle says whether every match of a node has a token which looks like an id.
func (p *planner) needsNeedle(x node) bool {
	const length = 6
	switch x := x.(type) {
	case *leaf:
		for _, set := range x.evidence {
			if !slices.ContainsFunc(set, func(t string) bool { return len(t) >= length && strings.ContainsAny(t, "0123456789") }) {
				return false
			}
		}
		return len(x.evidence) > 0 && p.indexed[x.field.ID]
	case andNode:
		return slices.ContainsFunc(x, p.needsNeedle)
	case orNode:
		return !slices.ContainsFunc(x, func(kid node) bool { return !p.needsNeedle(kid) })
	}
	return false
}

// project returns the fields of the requested columns, in the table's order, and their Arrow schema.
func (p *planner) project(names []string) ([]format.Field, *arrow.Schema, error) {
	wanted := map[string]bool{}
	for _, name := range names {
		f, ok := p.schema.Lookup(name)
		switch {
		case !ok:
			return nil, nil, fmt.Errorf("%w: the table has no column %q; it has %s", ErrInvalidRequest, name, p.bound.columnNames())
		case f.Type == format.TypeUnsupported:
			return nil, nil, fmt.Errorf("%w: column %q has a type that firn cannot read", ErrInvalidRequest, name)
		}
		wanted[name] = true
	}
	var fields []format.Field
	var arrowFields []arrow.Field
	whole := p.arrow
	for _, f := range p.schema.Fields {
		if f.Type == format.TypeUnsupported || len(names) > 0 && !wanted[f.Name] {
			continue
		}
		fields = append(fields, f)
		arrowFields = append(arrowFields, whole.Field(whole.FieldIndices(f.Name)[0]))
	}
	metadata := whole.Metadata()
	return fields, arrow.NewSchema(arrowFields, &metadata), nil
}

// admit prepares a file that the metadata does not exclude.
func (p *planner) admit(f *filePlan) error {
	if f.data.HasDeletes {
		return fmt.Errorf("%w: table %s, file %s: delete files of another engine apply to it, and firn would show the deleted rows; "+
			"let that engine rewrite the file (Spark: CALL system.rewrite_data_files with delete-file-threshold 1; Trino: ALTER TABLE … EXECUTE optimize), "+
			"or restrict the search to other days", ErrDeletes, p.table.Name(), f.data.Path)
	}
	if f.data.Format != "" && !strings.EqualFold(f.data.Format, "PARQUET") {
		return fmt.Errorf("%w: data file %s is %s; firn reads Parquet", format.ErrUnsupported, f.data.Path, f.data.Format)
	}
	if f.outside {
		return fmt.Errorf("data file %s lies outside the store %s: open the warehouse that holds it", f.data.Path, p.engine.store.URI(""))
	}
	return nil
}

// ages returns bounds of the timestamps of those rows of a file that can be asked for. A null counts as older than everything.
func (p *planner) ages(times *factColumn, i int) (oldest, newest int64) {
	if times == nil {
		return 0, 0
	}
	oldest, newest = math.MinInt64, math.MaxInt64
	if s := times.state[i]; s&factLow != 0 && s&noNulls != 0 {
		oldest = times.wholeLow[i]
	}
	if times.state[i]&factHigh != 0 {
		newest = times.wholeHigh[i]
	}
	if !p.request.From.IsZero() {
		oldest = max(oldest, compareWhole(GreaterOrEqual, microsOf(p.request.From)).low)
	}
	if !p.request.To.IsZero() {
		newest = min(newest, compareWhole(Less, microsOf(p.request.To)).high)
	}
	switch b := p.request.beside; {
	case b != nil && b.after:
		oldest = max(oldest, b.at.time)
	case b != nil:
		newest = min(newest, b.at.time)
	}
	return oldest, newest
}

// parallel calls do for 0 up to n, several at once, and returns the first error.
func (p *planner) parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(n, p.engine.width) {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(ctx, i); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// Scan is a planned search. It is safe for concurrent use, but Stats and Explain tell about the latest reading only.
type Scan struct {
	planner    *planner
	fields     []format.Field // handed out
	arrow      *arrow.Schema  // of fields
	metadata   metadataTally  // what became of the files of the snapshot by the table's metadata
	listed     []*filePlan    // those that the metadata left
	files      []*filePlan    // those that Plan left, in the order in which they are read
	planTime   time.Duration
	planCounts counters

	metadataTime, indexTime time.Duration // parts of planTime
	partial                 string        // which limit ended the planning

	mu       sync.Mutex
	latest   *reading
	estimate *Estimate // nil: nobody asked before the first reading
}

// sortFiles puts the files into the order in which a reading opens them.
func (s *Scan) sortFiles() {
	slices.SortFunc(s.files, s.planner.readingOrder)
}

// readingOrder compares files by when a reading opens them.
func (p *planner) readingOrder(a, b *filePlan) int {
	if p.request.Order == OldestFirst {
		return cmp.Or(cmp.Compare(a.oldest, b.oldest), cmp.Compare(a.rank, b.rank))
	}
	return cmp.Or(cmp.Compare(b.newest, a.newest), cmp.Compare(b.rank, a.rank))
}

// Task is one data file that pruning left, for readers of any kind.
type Task struct {
	File       catalog.DataFile
	RowGroups  []int             // ordinals of the row groups that hold candidates; nil if the file's footer was not needed yet (only with a Limit)
	Rows       []format.RowRange // candidate rows, ascending
	Candidates int64             // number of candidate rows
	Residual   Predicate         // what is left to be checked for each candidate row, From and To included; nil: nothing
}

// Tasks returns what pruning left, in the order of the request. It reads nothing. With a Limit, files are listed before their page bounds were looked at,
// and most of them before their sidecars were.
func (s *Scan) Tasks() []Task {
	var tasks []Task
	for _, f := range s.files {
		f.mu.Lock()
		if f.skipped == "" {
			tasks = append(tasks, s.task(f))
		}
		f.mu.Unlock()
	}
	return tasks
}

func (s *Scan) task(f *filePlan) Task {
	t := Task{File: *f.data, Candidates: int64(f.bounds.may.Cardinality())}
	for start, end := range f.bounds.may.Ranges() {
		t.Rows = append(t.Rows, format.RowRange{Start: start, End: end})
	}
	if !f.bounds.decided() {
		t.Residual = predicateOf(residual(s.planner.bound.root, f.bounds.may, f.ofLeaf))
	}
	if f.file != nil {
		for i, g := range f.file.RowGroups() {
			if f.bounds.may.CountInRange(g.FirstRow, g.FirstRow+g.Rows) > 0 {
				t.RowGroups = append(t.RowGroups, i)
			}
		}
	}
	return t
}
