package format

import (
	"errors"
	"io"
)

// Defaults of WriterOptions.
const (
	DefaultRowGroupRows = 128 << 10
	DefaultPageBytes    = 64 << 10
	// DefaultSortColumn is recorded as the sorting column if the schema has a column of that name.
	DefaultSortColumn = "_timestamp"
)

// WriterOptions say how a file is laid out. The zero value gives the defaults.
type WriterOptions struct {
	RowGroupRows int               // rows of a row group; default DefaultRowGroupRows
	PageBytes    int               // bytes of a data page before compression, roughly; default DefaultPageBytes
	BloomColumns []string          // columns that get Parquet's own bloom filter (one for each row group with a non-null value)
	Observer     Observer          // told every text written; nil: none
	SortedBy     string            // column recorded as sorting column (ascending, nulls first); default DefaultSortColumn if present, "-" for none
	Metadata     map[string]string // key-value pairs for the footer
}

// Footer describes a finished file.
type Footer struct {
	Rows int64
	Size int64 // bytes of the whole file
	// Metadata is a *metadata.FileMetaData of arrow-go, for the catalog to take the column statistics from.
	Metadata any
}

// Writer writes one Parquet file. It is not safe for concurrent use.
type Writer struct{}

// NewWriter starts a file of this schema on w, which gets the bytes in order and need not be buffered.
func NewWriter(w io.Writer, schema *Schema, opts WriterOptions) (*Writer, error) {
	return nil, errors.ErrUnsupported
}

// Write writes the rows of b, which must be in the file's sort order and follow all rows written before. The batch has one column
// for each field of the schema, found by field id. Rows are split into row groups of RowGroupRows, and the end of a call ends its last row group: callers pass
// full row groups. An empty batch writes nothing. After an error the file is unusable.
func (w *Writer) Write(b *Batch) error { return errors.ErrUnsupported }

// Rows returns the number of rows written so far.
func (w *Writer) Rows() int64 { return 0 }

// BytesWritten returns the number of (compressed) bytes given to the underlying writer so far.
func (w *Writer) BytesWritten() int64 { return 0 }

// Close writes the footer. A file without rows is refused: nothing in a table may be empty. The underlying writer is not closed.
func (w *Writer) Close() (*Footer, error) { return nil, errors.ErrUnsupported }
