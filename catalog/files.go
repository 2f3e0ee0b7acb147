package catalog

import (
	"context"
	"errors"
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
	// Lower and Upper map field ids to bounds of all non-null values that are not NaN: int64 (int, long, date in days, timestamp in
	// µs), float64, string or bool. They may be wider than the true minimum and maximum (texts are cut after 16 characters). A
	// field without a bound is missing. Of the columns of a map, only the map's own field ids appear.
	Lower, Upper map[int]any
	// NullCounts and ValueCounts (nulls included) by field id, where known. NaNCounts only for float and double.
	NullCounts, ValueCounts, NaNCounts map[int]int64
	// SortOrderID is the sort order that the writer claims for the file; 0 is unsorted or unknown.
	SortOrderID int
	// HasDeletes says that delete files or deletion vectors may remove rows of this file: the file alone does not tell its rows.
	HasDeletes bool
}

// Files returns the data files of this view's snapshot. The slice is made once for each Table and shared: callers must not change it.
func (t *Table) Files(ctx context.Context) ([]DataFile, error) { return nil, errors.ErrUnsupported }
