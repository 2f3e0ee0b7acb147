package maintain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
)

// IndexOptions refine PlanIndex. The zero value works.
type IndexOptions struct {
	// Rebuild plans every data file, also those whose sidecar is fine or of an unknown version.
	Rebuild     bool
	Parallelism int                     // files worked on at the same time; default: the number of CPUs, at most 4, since each holds an index being built
	Progress    func(done, total int64) // told now and then how many bytes of data files have been indexed; called from several goroutines
	Logger      *slog.Logger            // told about each file (debug); nil discards
	Now         func() time.Time        // the clock, for durations, ages and names of packs; nil is time.Now

	// PackFiles is the number of files of a partition from which it gets a bloom pack: 0 means 64, a negative number that packs are left alone.
	PackFiles int
	// PackBytes is how much memory the bloom filters of a pack may take while it is built; more make several parts. 0 means 128 MiB.
	PackBytes int64
	// Grace is how old a sidecar whose data file is in no snapshot must be to be dropped, because its file may be about to be committed, and how long a pack must
	// have been superseded, because searches may be using it. 0 means 24 hours; a negative time none.
	Grace time.Duration
}

func (o IndexOptions) withDefaults() IndexOptions {
	if o.Parallelism <= 0 {
		o.Parallelism = min(runtime.GOMAXPROCS(0), 4)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if o.PackFiles == 0 {
		o.PackFiles = DefaultPackFiles
	}
	if o.PackBytes <= 0 {
		o.PackBytes = DefaultPackBytes
	}
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	o.Grace = max(o.Grace, 0)
	return o
}

// IndexReason says why a sidecar is to be built.
type IndexReason string

// The reasons.
const (
	ReasonMissing  IndexReason = "missing"  // there is none
	ReasonDamaged  IndexReason = "damaged"  // its bytes are damaged
	ReasonForeign  IndexReason = "foreign"  // it belongs to another data file
	ReasonOutdated IndexReason = "outdated" // it lacks an index that the table asks for now
	ReasonRebuild  IndexReason = "rebuild"  // IndexOptions.Rebuild asks for it
)

// IndexItem is one sidecar that is to be built.
type IndexItem struct {
	DataFile string      `json:"data_file"`
	Sidecar  string      `json:"sidecar"`
	Reason   IndexReason `json:"reason"`
	Detail   string      `json:"detail,omitempty"`
	Rows     int64       `json:"rows"`
	Bytes    int64       `json:"bytes"` // of the data file
	file     catalog.DataFile
	replace  bool // there is an object of that name that must go first
}

// IndexPlan says which sidecars are to be built. Nothing has been changed yet: look at it, then Apply it.
type IndexPlan struct {
	Table          string      `json:"table"`
	SnapshotID     int64       `json:"snapshot_id"`
	Items          []IndexItem `json:"items"`           // ordered by data file
	Good           int         `json:"good"`            // data files whose sidecar is as it should be
	UnknownVersion int         `json:"unknown_version"` // data files whose sidecar a newer firn wrote; left alone without Rebuild
	Bytes          int64       `json:"bytes"`           // of the data files to be read
	Packs          []PackItem  `json:"packs"`           // bloom packs to be built, ordered by partition
	GoodPacks      int         `json:"good_packs"`      // partitions whose bloom pack is as it should be
	Drops          []DropItem  `json:"drops"`           // what nothing needs any more
	layout         *layout
	opts           IndexOptions
}

// PlanIndex looks at the sidecar of every data file of the table's snapshot, all of its bytes, and plans to build those that are
// missing, damaged, foreign, or lack an index that the table's properties ask for. It plans bloom packs for partitions of many files whose pack is missing,
// damaged or stale, and the removal of packs that were superseded and of sidecars whose data file is gone. It changes nothing.
func PlanIndex(ctx context.Context, store storage.Store, t *catalog.Table, opts IndexOptions) (*IndexPlan, error) {
	opts = opts.withDefaults()
	l, err := newLayout(store, t)
	if err != nil {
		return nil, err
	}
	p := &IndexPlan{Table: t.Name(), SnapshotID: t.SnapshotID(), Items: []IndexItem{}, Packs: []PackItem{}, Drops: []DropItem{}, layout: l, opts: opts}
	if !wantsIndex(l.wanted) {
		return p, nil
	}
	files, err := t.Files(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list the files of table %s: %w", t.Name(), err)
	}
	var mu sync.Mutex
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(opts.Parallelism)
	for _, f := range files {
		group.Go(func() error {
			item, err := l.planFile(groupCtx, f, opts.Rebuild)
			if err != nil {
				return fmt.Errorf("cannot plan the index of %s: %w", f.Path, err)
			}
			mu.Lock()
			defer mu.Unlock()
			p.add(item)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(p.Items, func(a, b IndexItem) int { return compareText(a.DataFile, b.DataFile) })
	return p, p.planPacks(ctx, files)
}

// planPacks plans what is to be done about bloom packs, and what nothing needs any more.
func (p *IndexPlan) planPacks(ctx context.Context, files []catalog.DataFile) error {
	packs, err := newPackPlanner(ctx, p.layout, p.opts)
	if err != nil || packs == nil {
		return err
	}
	items, good, err := packs.plan(ctx, files)
	if err != nil {
		return err
	}
	p.Packs, p.GoodPacks = append(p.Packs, items...), good
	drops, err := packs.drops(ctx, files)
	p.Drops = append(p.Drops, drops...)
	return err
}

func (p *IndexPlan) add(item IndexItem) {
	switch item.Reason {
	case "":
		p.Good++
	case reasonUnknown:
		p.UnknownVersion++
	default:
		p.Items = append(p.Items, item)
		p.Bytes += item.Bytes
	}
}

// reasonUnknown marks a sidecar of an unknown version, which is left alone.
const reasonUnknown IndexReason = "unknown version"

// planFile finds out whether a data file needs a new sidecar.
func (l *layout) planFile(ctx context.Context, f catalog.DataFile, rebuild bool) (IndexItem, error) {
	item := IndexItem{DataFile: f.Path, Rows: f.Rows, Bytes: f.Size, file: f}
	var err error
	if item.Sidecar, err = l.sidecarURI(f); err != nil {
		return item, err
	}
	name, err := l.name(item.Sidecar)
	if err != nil {
		return item, err
	}
	item.Reason, item.Detail, err = l.judge(ctx, f, name)
	if err != nil {
		return item, err
	}
	item.replace = item.Reason != ReasonMissing
	if rebuild && (item.Reason == "" || item.Reason == reasonUnknown) {
		item.Reason = ReasonRebuild
	}
	return item, nil
}

// judge says what is wrong with the sidecar of a data file; an empty reason says that nothing is.
func (l *layout) judge(ctx context.Context, f catalog.DataFile, name string) (IndexReason, string, error) {
	sidecar, err := index.Open(ctx, l.store, name, identity(f, uint32(f.Rows)))
	if err == nil {
		if column := lacking(sidecar.Options(), l.wanted); column != "" {
			return ReasonOutdated, "no index on column " + column, nil
		}
		_, err = sidecar.Describe(ctx, 0) // looks at every byte
	}
	switch kind, detail, _ := judgeOpen(err, true); kind {
	case SidecarMissing:
		return ReasonMissing, "", nil
	case SidecarForeign:
		return ReasonForeign, detail, nil
	case SidecarVersion:
		return reasonUnknown, detail, nil
	case SidecarDamaged:
		return ReasonDamaged, detail, nil
	}
	return "", "", err
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// IndexResult says what applying a plan did.
type IndexResult struct {
	Built      int64         `json:"built"`
	Skipped    int64         `json:"skipped"` // another process built the same sidecar meanwhile
	Failed     int64         `json:"failed"`
	Rows       int64         `json:"rows"`
	DataBytes  int64         `json:"data_bytes"`  // of the data files read
	IndexBytes int64         `json:"index_bytes"` // of the sidecars written
	Seconds    float64       `json:"seconds"`
	Problems   []IndexFailed `json:"problems"`

	Packs        int64 `json:"packs"`      // bloom packs built, one for each partition
	PackFiles    int64 `json:"pack_files"` // data files that they cover
	PackBytes    int64 `json:"pack_bytes"` // of them
	Dropped      int64 `json:"dropped"`    // objects that nothing needed any more
	DroppedBytes int64 `json:"dropped_bytes"`
}

// IndexFailed is something that could not be done.
type IndexFailed struct {
	DataFile string `json:"data_file"` // or what else it is about
	Error    string `json:"error"`
}

// Apply builds the planned sidecars, then the bloom packs, and drops what nothing needs any more. A file that fails does not stop the others; the error then says how many failed, and the result
// which. Searches that run meanwhile read files without a sidecar in full and stay right.
func (p *IndexPlan) Apply(ctx context.Context) (IndexResult, error) {
	start := p.opts.Now()
	r := IndexResult{Problems: []IndexFailed{}}
	var mu sync.Mutex
	var done int64
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(p.opts.Parallelism)
	for _, item := range p.Items {
		group.Go(func() error {
			summary, err := p.layout.build(groupCtx, item)
			if err != nil && groupCtx.Err() != nil {
				return groupCtx.Err()
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, storage.ErrExist):
				r.Skipped++
			case err != nil:
				r.fail(item.DataFile, err)
			default:
				r.Built++
				r.Rows += item.Rows
				r.DataBytes += item.Bytes
				r.IndexBytes += summary.Bytes
			}
			if done += item.Bytes; p.opts.Progress != nil {
				p.opts.Progress(done, p.Bytes)
			}
			return nil
		})
	}
	err := group.Wait()
	if err == nil {
		err = errors.Join(p.applyPacks(ctx, &r), p.applyDrops(ctx, &r))
	}
	r.Seconds = p.opts.Now().Sub(start).Seconds()
	if err == nil && r.Failed > 0 {
		err = fmt.Errorf("%d of %d changes to the indexes of table %s could not be made; the first: %s: %s",
			r.Failed, len(p.Items)+len(p.Packs)+len(p.Drops), p.Table, r.Problems[0].DataFile, r.Problems[0].Error)
	}
	return r, err
}
