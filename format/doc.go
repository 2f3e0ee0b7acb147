// Package format turns rows into one timestamp-sorted Parquet file, cut into row groups and pages, and reads rows of such a file
// back by row ranges. It is the only home of the Parquet library. FORMAT.md beside this file says how the files are laid out and why.
//
// The writer is told full, sorted batches and writes a column chunk at a time. The reader reads the footer once, the page index
// when it is needed, and then only the pages that hold the rows that are asked for. Files of other writers are read as well.
package format

import "errors"

// Sentinel errors, to be tested with errors.Is.
var (
	// ErrCorrupt says that a file is damaged, truncated, or no Parquet file. The error names the file and what was wrong.
	ErrCorrupt = errors.New("damaged Parquet file")
	// ErrUnsupported says that a file or column is sound but of a kind that firn does not read (an encrypted file, a nested column).
	ErrUnsupported = errors.New("unsupported Parquet feature")
	// ErrInvalidBatch says that a batch given to a Writer contradicts the writer's schema or itself.
	ErrInvalidBatch = errors.New("invalid batch")
	// ErrUnknownField says that a field id is neither in the schema that the file was opened with nor in the file.
	ErrUnknownField = errors.New("unknown field")
	// ErrInvalidRows says that the row ranges given to Read are not ascending, overlap, or lie outside the file.
	ErrInvalidRows = errors.New("invalid row ranges")
)
