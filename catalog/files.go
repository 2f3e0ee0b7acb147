package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/iceberg-go"
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
	// SortOrderID is the sort order that the writer claims for the file; 0 is unsorted or unknown.
	SortOrderID int
	// TimeSorted says that this sort order begins with _timestamp ascending.
	TimeSorted bool
	// HasDeletes says that delete files or deletion vectors may remove rows of this file: the file alone does not tell its rows.
	HasDeletes bool
}

// manifestReaders is how many manifests are read at once.
const manifestReaders = 8

// Files returns the data files of this view's snapshot. The slice is made once for each Table and shared: callers must not change it.
//
// Manifests are read directly, one request each, with only the statistics that prune decoded (see manifest.go): iceberg-go's own scan
// planning builds filters and tasks that nobody here needs.
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
	manifests, err := snapshot.Manifests(newFileIO(ctx, t.catalog.store, t.catalog.logger))
	if err != nil {
		return nil, err
	}
	for _, field := range t.inner.Schema().Fields() {
		if field.InitialDefault != nil {
			return nil, fmt.Errorf("%w: column %q has a default value for the rows that were there before it", ErrUnsupported, field.Name)
		}
	}
	decoder := newFileDecoder(t)
	dataOf := make([][]liveFile, len(manifests))
	deletesOf := make([][]iceberg.ManifestEntry, len(manifests))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(manifestReaders)
	for i, manifest := range manifests {
		if !mayHoldLive(manifest) {
			continue
		}
		group.Go(func() error {
			content, err := t.readManifest(ctx, manifest)
			if err != nil {
				return err
			}
			if manifest.ManifestContent() == iceberg.ManifestContentDeletes {
				deletesOf[i], err = manifestEntries(manifest, content)
				return err
			}
			if dataOf[i], err = decoder.decodeManifest(manifest, content); err == nil {
				return nil
			}
			t.catalog.logger.Debug("reading a manifest the slow way", "manifest", manifest.FilePath(), "reason", err)
			entries, err := manifestEntries(manifest, content)
			if err != nil {
				return err
			}
			dataOf[i], err = decoder.decode(entries)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	deletes := newDeleteIndex(deletesOf)
	total := 0
	for _, live := range dataOf {
		total += len(live)
	}
	files := make([]DataFile, 0, total)
	for _, live := range dataOf {
		for _, file := range live {
			file.HasDeletes = deletes.mayApply(file)
			files = append(files, file.DataFile)
		}
	}
	return files, nil
}

// mayHoldLive says whether a manifest can hold entries that are not deleted. Version 1 writers may leave the counts out (-1).
func mayHoldLive(manifest iceberg.ManifestFile) bool {
	return manifest.AddedDataFiles() != 0 || manifest.ExistingDataFiles() != 0
}

// readManifest returns a manifest's bytes.
func (t *Table) readManifest(ctx context.Context, manifest iceberg.ManifestFile) ([]byte, error) {
	name, err := nameOf(t.catalog.store, manifest.FilePath())
	if err != nil {
		return nil, err
	}
	content, err := readObject(ctx, t.catalog.store, name, manifest.Length())
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
