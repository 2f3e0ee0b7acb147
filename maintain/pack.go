package maintain

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
)

// Defaults of IndexOptions for bloom packs.
const (
	DefaultPackFiles = 64
	DefaultPackBytes = 128 << 20
	DefaultGrace     = 24 * time.Hour
)

// ReasonStale says that a pack covers too few of the partition's files, or mostly files that are gone.
const ReasonStale IndexReason = "stale"

// PackItem is a partition whose bloom pack is to be built.
type PackItem struct {
	Partition string      `json:"partition"`
	Reason    IndexReason `json:"reason"`
	Detail    string      `json:"detail,omitempty"`
	Files     int         `json:"files"`
	files     []catalog.DataFile
}

// packPlanner finds out which packs are to be built and dropped.
type packPlanner struct {
	*layout
	opts     IndexOptions
	location string // of the indexes, in the store
	objects  []storage.Info
	packs    []index.PackName // of objects
	latest   map[string][]index.PackName
}

// newPackPlanner lists what is there. nil: the indexes lie outside the store.
func newPackPlanner(ctx context.Context, l *layout, opts IndexOptions) (*packPlanner, error) {
	location, err := l.name(l.table.IndexLocation())
	if err != nil {
		return nil, nil //nolint:nilerr // nothing can be built there either; planning the sidecars tells
	}
	p := &packPlanner{layout: l, opts: opts, location: location}
	for info, err := range l.store.List(ctx, location+"/") {
		if err != nil {
			return nil, fmt.Errorf("cannot list the indexes of table %s: %w", l.table.Name(), err)
		}
		p.objects = append(p.objects, info)
		if name, ok := index.ParsePackName(location, info.Name); ok {
			p.packs = append(p.packs, name)
		}
	}
	p.latest = index.LatestPacks(p.packs)
	return p, nil
}

// wantsPacks says whether the table is to have packs.
func (l *layout) wantsPacks() bool {
	on, err := strconv.ParseBool(l.table.Properties()[index.PropertyPacks])
	return (err != nil || on) && slices.ContainsFunc(l.wanted.Columns, func(c index.ColumnSpec) bool { return c.Bloom })
}

// plan returns the packs that are to be built, ordered by partition, and how many are as they should be.
func (p *packPlanner) plan(ctx context.Context, files []catalog.DataFile) (items []PackItem, good int, err error) {
	if p.opts.PackFiles < 0 || !p.wantsPacks() {
		return nil, 0, nil
	}
	byPartition := map[string][]catalog.DataFile{}
	for _, f := range files {
		partition := index.PackPartition(f.Partition)
		byPartition[partition] = append(byPartition[partition], f)
	}
	for partition, files := range byPartition {
		if len(files) < p.opts.PackFiles {
			continue
		}
		reason, detail, err := p.judge(ctx, partition, files)
		if err != nil {
			return nil, 0, fmt.Errorf("cannot plan the bloom pack of partition %s: %w", partition, err)
		}
		if p.opts.Rebuild && (reason == "" || reason == reasonUnknown) {
			reason = ReasonRebuild
		}
		if reason == "" || reason == reasonUnknown {
			good++
			continue
		}
		items = append(items, PackItem{partition, reason, detail, len(files), files})
	}
	slices.SortFunc(items, func(a, b PackItem) int { return compareText(a.Partition, b.Partition) })
	return items, good, nil
}

// judge says what is wrong with the pack of a partition; an empty reason says that nothing is. It reads all of it.
func (p *packPlanner) judge(ctx context.Context, partition string, files []catalog.DataFile) (reason IndexReason, detail string, err error) {
	parts := p.latest[partition]
	if len(parts) == 0 {
		return ReasonMissing, "", nil
	}
	covered, named := 0, 0
	for _, part := range parts {
		pack, err := index.OpenPack(ctx, p.store, part.Name, len(files)/len(parts))
		if err == nil {
			_, err = pack.Describe(ctx)
		}
		switch {
		case errors.Is(err, index.ErrCorrupt), errors.Is(err, storage.ErrNotExist):
			return ReasonDamaged, err.Error(), nil
		case errors.Is(err, index.ErrUnknownVersion):
			return reasonUnknown, err.Error(), nil
		case err != nil:
			return "", "", err
		}
		if lacking := p.packLacks(pack); lacking != "" {
			return ReasonOutdated, lacking, nil
		}
		named += len(pack.Files())
		for _, f := range files {
			if file, err := p.packFile(f); err == nil && pack.Find(file) >= 0 {
				covered++
			}
		}
	}
	const tolerated = 10 // one file in so many may be missing
	if (len(files)-covered)*tolerated > len(files) || covered*2 < named {
		return ReasonStale, fmt.Sprintf("it covers %d of %d files, and %d that are gone", covered, len(files), named-covered), nil
	}
	return "", "", nil
}

// packLacks says what a pack lacks that the table asks for.
func (p *packPlanner) packLacks(pack *index.Pack) string {
	if pack.Analyzer() != p.wanted.Analyzer {
		return "it was built with another analyzer"
	}
	for _, c := range p.wanted.Columns {
		if c.Bloom && !pack.Has(c.FieldID) {
			return "no filters of column " + c.Column
		}
	}
	return ""
}

// packFile returns a data file as packs know it.
func (l *layout) packFile(f catalog.DataFile) (index.PackFile, error) {
	return index.PackFileOf(f.Path, l.table.Location(), l.table.IndexLocation(), uint32(f.Rows), f.Size)
}

// packBuild builds the pack of one partition.
type packBuild struct {
	*layout
	opts       IndexOptions
	item       PackItem
	location   string
	generation string
	builder    *index.PackBuilder
	part       int
	files      int // covered
	bytes      int64
}

// packed is the filters of one file, on their way into a pack.
type packed struct {
	file    index.PackFile
	filters index.PackFilters
}

// buildPack builds and stores the pack of a partition out of the sidecars' filters. A file whose sidecar is missing or damaged is left out. The
// filters of one part are in memory; when they are too many, another part begins.
func (l *layout) buildPack(ctx context.Context, item PackItem, opts IndexOptions) (*packBuild, error) {
	b := &packBuild{layout: l, opts: opts, item: item}
	var err error
	if b.location, err = l.name(l.table.IndexLocation()); err != nil {
		return nil, err
	}
	if b.builder, err = index.NewPackBuilder(item.Partition, l.wanted); err != nil {
		return nil, err
	}
	// Two that build from the same snapshot at the same moment come to the same name, and one wins.
	salt := fnv.New32a()
	_, _ = fmt.Fprintf(salt, "%d %s", l.table.SnapshotID(), item.Partition)
	b.generation = index.PackGeneration(opts.Now(), salt.Sum32())
	files := slices.SortedFunc(slices.Values(item.files), func(x, y catalog.DataFile) int { return compareText(x.Path, y.Path) })
	width := max(opts.Parallelism, storage.TraitsOf(l.store).Parallel)
	for chunk := range slices.Chunk(files, 8*width) {
		loaded, err := b.load(ctx, chunk, width)
		if err != nil {
			return nil, err
		}
		for _, f := range loaded {
			if len(f.filters) == 0 {
				continue
			}
			if b.builder.Len() > 0 && b.builder.Bytes() >= opts.PackBytes {
				if err := b.write(ctx, false); err != nil {
					return nil, err
				}
			}
			b.builder.Add(f.file, f.filters)
		}
	}
	if b.builder.Len() == 0 && b.part == 0 {
		return b, nil
	}
	return b, b.write(ctx, true)
}

// load reads the filters of some files, side by side.
func (b *packBuild) load(ctx context.Context, files []catalog.DataFile, width int) ([]packed, error) {
	loaded := make([]packed, len(files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(width)
	for i, f := range files {
		group.Go(func() (err error) {
			loaded[i].file, loaded[i].filters, err = b.filters(ctx, f)
			return err
		})
	}
	return loaded, group.Wait()
}

// filters reads the filters of a file; none if its sidecar cannot be used. Only errors of the storage are errors.
func (b *packBuild) filters(ctx context.Context, f catalog.DataFile) (file index.PackFile, filters index.PackFilters, err error) {
	if file, err = b.packFile(f); err != nil {
		return file, nil, err
	}
	sidecar, err := b.openSidecar(ctx, f)
	if err == nil && sidecar != nil {
		filters, err = b.builder.Filters(ctx, sidecar)
	}
	if _, _, absent := judgeOpen(err, false); absent || index.PackUnusable(err) || errors.Is(err, index.ErrForeign) {
		return file, nil, nil
	}
	return file, filters, err
}

// openSidecar opens the sidecar of a data file.
func (l *layout) openSidecar(ctx context.Context, f catalog.DataFile) (*index.Sidecar, error) {
	uri, err := l.sidecarURI(f)
	if err != nil {
		return nil, err
	}
	name, err := l.name(uri)
	if err != nil {
		return nil, err
	}
	return index.Open(ctx, l.store, name, identity(f, uint32(f.Rows)))
}

// write stores the files gathered so far as a part.
func (b *packBuild) write(ctx context.Context, last bool) error {
	b.part++
	name := index.PackObject(b.location, b.item.Partition, b.generation, b.part, last)
	w, err := b.store.Create(ctx, name)
	if err != nil {
		return err
	}
	defer func() { _ = w.Abort() }()
	out := bufio.NewWriterSize(w, 1<<20)
	n, err := b.builder.Finish(out)
	if err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write bloom pack %s: %w", name, err)
	}
	if err := w.Commit(ctx); err != nil {
		return err
	}
	b.files += b.builder.Len()
	b.bytes += n
	b.builder.Reset()
	return nil
}
