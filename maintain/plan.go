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
	Now         func() time.Time        // the clock, for durations; nil is time.Now
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
	layout         *layout
	opts           IndexOptions
}

// PlanIndex looks at the sidecar of every data file of the table's snapshot, all of its bytes, and plans to build those that are
// missing, damaged, foreign, or lack an index that the table's properties ask for. It changes nothing.
func PlanIndex(ctx context.Context, store storage.Store, t *catalog.Table, opts IndexOptions) (*IndexPlan, error) {
	if opts.Parallelism <= 0 {
		opts.Parallelism = min(runtime.GOMAXPROCS(0), 4)
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	l, err := newLayout(store, t)
	if err != nil {
		return nil, err
	}
	p := &IndexPlan{Table: t.Name(), SnapshotID: t.SnapshotID(), Items: []IndexItem{}, layout: l, opts: opts}
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
	return p, nil
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
}

// IndexFailed is a sidecar that could not be built.
type IndexFailed struct {
	DataFile string `json:"data_file"`
	Error    string `json:"error"`
}

// Apply builds the planned sidecars. A file that fails does not stop the others; the error then says how many failed, and the result
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
				r.Failed++
				r.Problems = append(r.Problems, IndexFailed{item.DataFile, err.Error()})
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
	r.Seconds = p.opts.Now().Sub(start).Seconds()
	if err == nil && r.Failed > 0 {
		err = fmt.Errorf("%d of %d sidecars of table %s could not be built; the first: %s: %s",
			r.Failed, len(p.Items), p.Table, r.Problems[0].DataFile, r.Problems[0].Error)
	}
	return r, err
}
