package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// DataFile is a data file of a snapshot with the statistics that the table's metadata holds about it.
type DataFile struct {
	Path   string // URI, as the metadata spells it
	Format string // "PARQUET", "ORC", "AVRO"
	Size   int64  // bytes
	Rows   int64
	// Partition maps the names of the partition fields of the file's own partition spec to values: "log_date" to an int32 of days
	// since 1970-01-01, an identity field to int32, int64, float32, float64, string or bool, nil for null.
	Partition map[string]any
	// Lower and Upper map field ids of top-level columns to bounds of all values that are neither null nor NaN: int64 (int, long,
	// date in days, timestamp in µs), float64, string or bool. They may be wider than the true minimum and maximum (texts are cut
	// after 16 characters, an upper bound then raised). A field without a bound is missing.
	Lower, Upper map[int]any
	// NullCounts and ValueCounts (nulls included) by field id, where known. NaNCounts for float and double, where known: firn and
	// many others do not count NaNs, which lie outside all bounds.
	NullCounts, ValueCounts, NaNCounts map[int]int64
	// ColumnSizes are the compressed bytes of columns in the file, where known (not of manifests that are read the slow way), by the field id of what is
	// stored: a map column has one for its keys and one for its values.
	ColumnSizes map[int]int64
	// SortOrderID is the sort order that the writer claims for the file; 0 is unsorted or unknown.
	SortOrderID int
	// TimeSorted says that this sort order begins with _timestamp ascending.
	TimeSorted bool
	// HasDeletes says that delete files or deletion vectors may remove rows of this file: the file alone does not tell its rows.
	HasDeletes bool
}

// Files returns the data files of this view's snapshot. The slice is made once for each Table and shared: callers must not change it.
//
// Manifests are read directly, side by side, one request each, with only the statistics that prune decoded (see manifest.go);
// iceberg-go's own scan planning builds filters and tasks that nobody here needs. A manifest that an earlier view of the table has
// read is not read again.
func (t *Table) Files(ctx context.Context) ([]DataFile, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listed {
		return t.files, nil
	}
	files, err := t.readFiles(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the files of %s: %w", t.Name(), err)
	}
	t.files, t.listed = files, true
	return files, nil
}

func (t *Table) readFiles(ctx context.Context) ([]DataFile, error) {
	snapshot := t.inner.CurrentSnapshot()
	if snapshot == nil {
		return nil, nil
	}
	list, err := t.catalog.fileSystem(ctx)
	if err != nil {
		return nil, err
	}
	manifests, err := snapshot.Manifests(list)
	if err != nil {
		return nil, err
	}
	for _, field := range t.inner.Schema().Fields() {
		if field.InitialDefault != nil {
			return nil, fmt.Errorf("%w: column %q has a default value for the rows that were there before it", ErrUnsupported, field.Name)
		}
	}
	contents, err := t.readManifests(ctx, manifests)
	if err != nil {
		return nil, err
	}
	deletesOf := make([][]iceberg.ManifestEntry, len(contents))
	total := 0
	for i, content := range contents {
		deletesOf[i] = content.deletes
		total += len(content.data)
	}
	deletes := newDeleteIndex(deletesOf)
	files := make([]DataFile, 0, total)
	for _, content := range contents {
		for _, file := range content.data {
			file.HasDeletes = deletes.mayApply(file)
			files = append(files, file.DataFile)
		}
	}
	return files, nil
}

// readManifests returns what the manifests hold, in their order, those that hold nothing left out. Only those are read that no view of
// the table has read before.
func (t *Table) readManifests(ctx context.Context, manifests []iceberg.ManifestFile) ([]*manifestContent, error) {
	manifests = slices.DeleteFunc(slices.Clone(manifests), func(m iceberg.ManifestFile) bool { return !mayHoldLive(m) })
	layout := layoutOf(t.inner.Metadata())
	known := t.manifests.known(layout)
	decoder := newFileDecoder(t)
	contents := make([]*manifestContent, len(manifests))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelRequests(t.catalog.store))
	for i, manifest := range manifests {
		if contents[i] = known[manifest.FilePath()]; contents[i] != nil {
			continue
		}
		group.Go(func() (err error) {
			contents[i], err = t.decodeManifest(ctx, decoder, manifest)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	t.manifests.replace(layout, manifests, contents)
	return contents, nil
}

func (t *Table) decodeManifest(ctx context.Context, decoder *fileDecoder, manifest iceberg.ManifestFile) (*manifestContent, error) {
	content, err := t.readManifest(ctx, manifest)
	if err != nil {
		return nil, err
	}
	decoded := &manifestContent{}
	if manifest.ManifestContent() == iceberg.ManifestContentDeletes {
		decoded.deletes, err = manifestEntries(manifest, content)
		return decoded, err
	}
	if decoded.data, err = decoder.decodeManifest(manifest, content); err == nil {
		return decoded, nil
	}
	t.catalog.logger.Debug("reading a manifest the slow way", "manifest", manifest.FilePath(), "reason", err)
	entries, err := manifestEntries(manifest, content)
	if err != nil {
		return nil, err
	}
	decoded.data, err = decoder.decode(entries)
	return decoded, err
}

// manifestContent is what a manifest holds, decoded.
type manifestContent struct {
	data    []liveFile
	deletes []iceberg.ManifestEntry
}

// manifestCache keeps the decoded manifests of a table's latest snapshot that was listed, so that the next one costs only what is new
// in it. It is safe for concurrent use.
type manifestCache struct {
	table uuid.UUID

	mu       sync.Mutex
	layout   tableLayout
	contents map[string]*manifestContent // by location
}

// tableLayout is what the decoding of a manifest depends on besides its bytes.
type tableLayout struct{ schema, schemas, specs, orders int }

func layoutOf(metadata table.Metadata) tableLayout {
	return tableLayout{
		schema: metadata.CurrentSchema().ID, schemas: len(metadata.Schemas()),
		specs: len(metadata.PartitionSpecs()), orders: len(metadata.SortOrders()),
	}
}

// known returns what was decoded for a layout. The map must not be changed.
func (c *manifestCache) known(layout tableLayout) map[string]*manifestContent {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.layout != layout {
		return nil
	}
	return c.contents
}

func (c *manifestCache) replace(layout tableLayout, manifests []iceberg.ManifestFile, contents []*manifestContent) {
	byPath := make(map[string]*manifestContent, len(manifests))
	for i, manifest := range manifests {
		byPath[manifest.FilePath()] = contents[i]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.layout, c.contents = layout, byPath
}

// mayHoldLive says whether a manifest can hold entries that are not deleted. Version 1 writers may leave the counts out (-1).
func mayHoldLive(manifest iceberg.ManifestFile) bool {
	return manifest.AddedDataFiles() != 0 || manifest.ExistingDataFiles() != 0
}

// readManifest returns a manifest's bytes.
func (t *Table) readManifest(ctx context.Context, manifest iceberg.ManifestFile) ([]byte, error) {
	files := newFileIO(ctx, t.catalog.store, t.catalog.logger)
	files.known = t.catalog.objects
	content, err := files.read(manifest.FilePath(), manifest.Length())
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", manifest.FilePath(), err)
	}
	return content, nil
}

// manifestEntries decodes the live entries of a manifest with iceberg-go.
func manifestEntries(manifest iceberg.ManifestFile, content []byte) (entries []iceberg.ManifestEntry, err error) {
	reader, err := iceberg.NewManifestReaderWithProjection(manifest, bytes.NewReader(content),
		iceberg.ManifestEntryProjection{IncludePruningStats: true})
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", manifest.FilePath(), err)
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	for {
		entry, err := reader.ReadEntry()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, fmt.Errorf("manifest %s: %w", manifest.FilePath(), err)
		}
		if entry.Status() != iceberg.EntryStatusDELETED {
			entries = append(entries, entry)
		}
	}
}

func manifestPaths(manifests []iceberg.ManifestFile) []string {
	paths := make([]string, len(manifests))
	for i, manifest := range manifests {
		paths[i] = manifest.FilePath()
	}
	return paths
}
