package format

import (
	"context"
	"errors"
	"iter"

	"github.com/firnlog/firn/storage"
)

// DefaultBatchRows is the default of ReadOptions.BatchRows.
const DefaultBatchRows = 4096

// ReadOptions say how rows are read. The zero value gives the defaults.
type ReadOptions struct {
	BatchRows int // rows of a batch, at most; default DefaultBatchRows
}

// File is an open Parquet file: its footer, and those parts of its page index that were asked for. It is immutable, safe
// for concurrent use, holds no resources but memory, and is small enough to be cached.
type File struct{}

// Open reads the footer of a file with one ranged read (two if the footer is unusually large). size is the file's size, 0 if it is not known.
// schema is the table's schema: its columns are found by field id, or by name in a file without field ids, and columns
// that the file lacks read as null. A nil schema stands for the file's own. Damage is reported as ErrCorrupt, errors of the storage as they are.
func Open(ctx context.Context, store storage.Store, name string, size int64, schema *Schema) (*File, error) {
	return nil, errors.ErrUnsupported
}

// Name returns the name that the file was opened by.
func (f *File) Name() string { return "" }

// Size returns the size of the file in bytes.
func (f *File) Size() int64 { return 0 }

// Rows returns the number of rows in the file.
func (f *File) Rows() uint32 { return 0 }

// Schema returns the schema that the file is read as.
func (f *File) Schema() *Schema { return nil }

// Sorted tells whether every row group records the schema's _timestamp column (ascending) as its first sorting column.
func (f *File) Sorted() bool { return false }

// SizeInMemory returns about how many bytes the File holds now; it grows when parts of the page index are loaded.
func (f *File) SizeInMemory() int64 { return 0 }

// RowGroup describes one row group of a file.
type RowGroup struct {
	FirstRow uint32 // number in the file of its first row
	Rows     uint32
	Bytes    int64 // compressed size of its column chunks
}

// Bounds returns the statistics of a column in this row group; false if the file has none that can be trusted.
func (g *RowGroup) Bounds(fieldID int) (Bounds, bool) { return Bounds{}, false }

// RowGroups returns the row groups in file order. The slice must not be changed.
func (f *File) RowGroups() []RowGroup { return nil }

// Pages returns the bounds of every page of a column, over all row groups in file order, from the page index, which it loads if need be (one
// ranged read for a file's whole page index). Where a row group has no page index, the whole row group stands for a page. Map columns have no bounds.
func (f *File) Pages(ctx context.Context, fieldID int) ([]PageBounds, error) {
	return nil, errors.ErrUnsupported
}

// BloomMayContain asks Parquet's bloom filter of a row group whether a column may hold the value (int64, float64, string or bool,
// as in Bounds). present tells whether there is a filter; without one, may is true.
func (f *File) BloomMayContain(ctx context.Context, rowGroup, fieldID int, value any) (may, present bool, err error) {
	return true, false, errors.ErrUnsupported
}

// Read yields the columns with these ids of the rows in these ranges, in ascending order of rows. Ranges must be ascending
// and not overlap. Only the pages that hold the rows are fetched, row group by row group, neighbouring pages in one ranged read.
// A batch has the columns in the order of fieldIDs and its memory is valid until the next iteration. After an error the iteration ends.
func (f *File) Read(ctx context.Context, fieldIDs []int, rows []RowRange, opts ReadOptions) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) { yield(nil, errors.ErrUnsupported) }
}
