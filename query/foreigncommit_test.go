package query

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"io/fs"
	"testing"

	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// foreign commits to a table as another engine does: with iceberg-go, and with a database connection of its own.
type foreign struct {
	store    storage.Store
	database string // file
	name     table.Identifier
}

// commit changes the table as it is now.
func (f *foreign) commit(t *testing.T, stage func(now *table.Table, tx *table.Transaction) error) {
	t.Helper()
	now, err := f.LoadTable(context.Background(), f.name)
	require.NoError(t, err)
	tx := now.NewTransaction()
	require.NoError(t, stage(now, tx))
	_, err = tx.Commit(context.Background())
	require.NoError(t, err)
}

// rewrite replaces data files by others with the same rows, in a snapshot of the operation replace.
func (f *foreign) rewrite(t *testing.T, old map[string]string) {
	t.Helper()
	f.commit(t, func(now *table.Table, tx *table.Transaction) error {
		rewrite := tx.NewRewrite(nil)
		manifests, err := now.CurrentSnapshot().Manifests(f)
		require.NoError(t, err)
		for _, manifest := range manifests {
			for entry, err := range manifest.Entries(f, true) {
				require.NoError(t, err)
				file := entry.DataFile()
				path, ok := old[file.FilePath()]
				if !ok {
					continue
				}
				b, err := iceberg.NewDataFileBuilder(now.Spec(), iceberg.EntryContentData, path, iceberg.ParquetFile, file.Partition(), map[int]string{1000: "date"}, nil,
					file.Count(), file.FileSizeBytes())
				require.NoError(t, err)
				rewrite.DeleteFile(file).AddDataFile(b.Build())
			}
		}
		return rewrite.Commit(context.Background())
	})
}

// expire forgets all snapshots but the current one. Files stay.
func (f *foreign) expire(t *testing.T) {
	t.Helper()
	now, err := f.LoadTable(context.Background(), f.name)
	require.NoError(t, err)
	var old []int64
	for _, s := range now.Metadata().Snapshots() {
		if s.SnapshotID != now.CurrentSnapshot().SnapshotID {
			old = append(old, s.SnapshotID)
		}
	}
	_, _, err = f.CommitTable(context.Background(), f.name, nil, []table.Update{table.NewRemoveSnapshotsUpdate(old, false)})
	require.NoError(t, err)
}

func (f *foreign) rollBack(t *testing.T, to int64) {
	t.Helper()
	f.commit(t, func(_ *table.Table, tx *table.Transaction) error { return tx.RollbackToSnapshot(to) })
}

func (f *foreign) open(t func(db *sql.DB) error) error {
	db, err := sql.Open("sqlite", "file:"+f.database+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	return t(db)
}

func (f *foreign) LoadTable(ctx context.Context, name table.Identifier) (*table.Table, error) {
	var location string
	err := f.open(func(db *sql.DB) error {
		return db.QueryRowContext(ctx, "SELECT metadata_location FROM iceberg_tables WHERE table_namespace = ? AND table_name = ?", name[0], name[1]).Scan(&location)
	})
	if err != nil {
		return nil, err
	}
	return table.NewFromLocation(ctx, name, location, func(context.Context) (iceio.IO, error) { return f, nil }, f)
}

func (f *foreign) CommitTable(ctx context.Context, name table.Identifier, _ []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	now, err := f.LoadTable(ctx, name)
	if err != nil {
		return nil, "", err
	}
	metadata, err := table.UpdateTableMetadata(now.Metadata(), updates, now.MetadataLocation())
	if err != nil {
		return nil, "", err
	}
	content, err := json.Marshal(metadata)
	if err != nil {
		return nil, "", err
	}
	location := now.Location() + "/metadata/99999-" + uuid.NewString() + ".metadata.json"
	if err := f.WriteFile(location, content); err != nil {
		return nil, "", err
	}
	return metadata, location, f.open(func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, "UPDATE iceberg_tables SET metadata_location = ? WHERE table_namespace = ? AND table_name = ?", location, name[0], name[1])
		return err
	})
}

// What follows makes the store a file system of iceberg-go.

type foreignFile struct {
	*bytes.Reader
	name string
}

func (f foreignFile) Close() error               { return nil }
func (f foreignFile) Stat() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

func (f *foreign) Open(uri string) (iceio.File, error) {
	name, _ := storage.NameOf(f.store, uri)
	info, err := f.store.Stat(context.Background(), name)
	if err != nil {
		return nil, err
	}
	content := make([]byte, info.Size)
	if err := f.store.ReadAt(context.Background(), name, content, 0); err != nil {
		return nil, err
	}
	return foreignFile{bytes.NewReader(content), name}, nil
}

func (f *foreign) Remove(string) error { return nil }

type foreignWriter struct {
	bytes.Buffer
	close func(content []byte) error
}

func (w *foreignWriter) Close() error { return w.close(w.Bytes()) }

func (f *foreign) Create(uri string) (iceio.FileWriter, error) {
	return &foreignWriter{close: func(content []byte) error { return f.WriteFile(uri, content) }}, nil
}

func (f *foreign) WriteFile(uri string, content []byte) error {
	name, _ := storage.NameOf(f.store, uri)
	w, err := f.store.Create(context.Background(), name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, bytes.NewReader(content)); err != nil {
		return err
	}
	return w.Commit(context.Background())
}
