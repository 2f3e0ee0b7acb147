package maintain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
)

// DefaultMaxProblems is the default of VerifyOptions.MaxProblems.
const DefaultMaxProblems = 1000

// VerifyOptions refine Verify. The zero value works.
type VerifyOptions struct {
	Parallelism int                     // files checked at the same time; default: the number of CPUs, at most 4, since each holds an index being built
	MaxProblems int                     // problems and notes that are listed; more are only counted. Default DefaultMaxProblems
	Progress    func(done, total int64) // told now and then how many bytes of data files have been checked; called from several goroutines
	Logger      *slog.Logger            // told about each file (debug); nil discards
}

// Verify reads every data file of the table's snapshot once and checks all that is claimed about it: the manifest (size, rows, bounds, null
// counts, partition, sort order), the file's own statistics of row groups and pages, Parquet's bloom filters, and the sidecar
// index, which is built again from the data and compared byte by byte. Bloom packs are compared with the filters of the sidecars. It changes nothing. Mismatches are in the Report, files that cannot
// be read among them; the error is for what kept Verify from going on (a cancelled context, manifests or listings that cannot be read). Memory is bounded by one index being built for each file in work.
func Verify(ctx context.Context, store storage.Store, t *catalog.Table, opts VerifyOptions) (*Report, error) {
	if opts.Parallelism <= 0 {
		opts.Parallelism = min(runtime.GOMAXPROCS(0), 4)
	}
	if opts.MaxProblems <= 0 {
		opts.MaxProblems = DefaultMaxProblems
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := newLayout(store, t)
	if err != nil {
		return nil, err
	}
	files, err := t.Files(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list the files of table %s: %w", t.Name(), err)
	}
	v := &verifier{layout: l, rec: newRecorder(t.Name(), t.SnapshotID(), opts.MaxProblems), opts: opts}
	for _, f := range files {
		v.total += f.Size
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(opts.Parallelism)
	for _, f := range files {
		group.Go(func() error { return v.file(groupCtx, f) })
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("cannot verify table %s: %w", t.Name(), err)
	}
	packs, err := v.packs(ctx, files)
	if err != nil {
		return nil, fmt.Errorf("cannot verify the bloom packs of table %s: %w", t.Name(), err)
	}
	if err := v.orphans(ctx, files, packs); err != nil {
		return nil, fmt.Errorf("cannot verify table %s: %w", t.Name(), err)
	}
	return v.rec.finish(), nil
}

// verifier is one run of Verify.
type verifier struct {
	*layout
	rec   *recorder
	opts  VerifyOptions
	total int64
	done  atomic.Int64
}

// file checks one data file and its sidecar. Only what makes going on pointless is an error.
func (v *verifier) file(ctx context.Context, df catalog.DataFile) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v.opts.Logger.DebugContext(ctx, "verifying", "file", df.Path, "rows", df.Rows)
	c := &fileCheck{verifier: v, data: df}
	err := c.run(ctx)
	if err != nil && (ctx.Err() != nil || errors.Is(err, context.Canceled)) {
		return err
	}
	if err != nil {
		c.problem(FileUnreadable, "", "%v", err)
	}
	v.rec.count(func(r *Report) { r.Files++ })
	if done := v.done.Add(df.Size); v.opts.Progress != nil {
		v.opts.Progress(done, v.total)
	}
	return nil
}

// orphans counts objects at the table's places that its snapshot does not name.
func (v *verifier) orphans(ctx context.Context, files []catalog.DataFile, packs []string) error {
	named := make(map[string]bool, 2*len(files))
	for _, name := range packs {
		named[name] = true
	}
	for _, f := range files {
		if name, err := v.name(f.Path); err == nil {
			named[name] = true
		}
		if uri, err := v.sidecarURI(f); err == nil {
			if name, err := v.name(uri); err == nil {
				named[name] = true
			}
		}
	}
	places := []struct {
		kind NoteKind
		uri  string
	}{{OrphanData, v.table.Location() + "/data"}, {OrphanSidecar, v.table.IndexLocation()}}
	for _, place := range places {
		prefix, err := v.name(place.uri)
		if err != nil {
			v.rec.note(OrphansUnchecked, place.uri, "%v", err)
			continue
		}
		for info, err := range v.store.List(ctx, prefix+"/") {
			if err != nil {
				return fmt.Errorf("cannot list %s: %w", place.uri, err)
			}
			if named[info.Name] {
				continue
			}
			kind := place.kind
			if index.IsPack(info.Name) && kind == OrphanSidecar {
				kind = SupersededPack
			}
			v.rec.note(kind, v.store.URI(info.Name), "%d bytes", info.Size)
			v.rec.count(func(r *Report) { r.OrphanFiles++; r.OrphanBytes += info.Size })
		}
	}
	return nil
}
