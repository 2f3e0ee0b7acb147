package catalog

import (
	"context"
	"errors"
)

// NewFile is a stored Parquet file that is to become part of a table.
type NewFile struct {
	Path string // URI
	Size int64  // bytes
	// ParquetMetadata is the *metadata.FileMetaData of arrow-go that the file's writer ended with.
	ParquetMetadata any
	// Partition maps names of partition fields to values, as in DataFile. All rows of the file have these values.
	Partition map[string]any
}

// AppendOptions refines Append.
type AppendOptions struct {
	// Summary is added to the snapshot's summary.
	Summary map[string]string
}

// Append commits the files as one new snapshot on top of whatever the table is by then, and returns the table with them.
// It reads and writes metadata only. It retries when other writers are faster, and never commits twice: an attempt whose
// outcome is unknown is looked up in the table's history first. No files: the table is returned unchanged.
//
// Errors: ErrConflict (retries used up), ErrCommitUnknown, ErrTableNotFound (dropped meanwhile), ErrInvalid.
func (t *Table) Append(ctx context.Context, files []NewFile, opts AppendOptions) (*Table, error) {
	return nil, errors.ErrUnsupported
}
