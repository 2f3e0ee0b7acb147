package catalog

import (
	"context"
	"errors"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// PropertyIndexLocation is the table property that says where the sidecar indexes lie (default: table location + ".index").
const PropertyIndexLocation = "firn.index.location"

// Table is an immutable view of a table at one snapshot. It is safe for concurrent use. Methods that change the table return a new
// Table and leave this one as it is.
type Table struct{}

// Snapshot describes one state in the table's history.
type Snapshot struct {
	ID        int64
	ParentID  int64 // 0: none
	Time      time.Time
	Operation string            // append, overwrite, replace, delete
	Summary   map[string]string // counters such as "added-records", and what AppendOptions.Summary gave
}

// Name returns the full name, "namespace.table".
func (t *Table) Name() string { return "" }

// Location returns the URI below which the table's data and metadata lie, without a trailing slash.
func (t *Table) Location() string { return "" }

// IndexLocation returns the URI below which the sidecar indexes lie, without a trailing slash.
func (t *Table) IndexLocation() string { return "" }

// MetadataLocation returns the URI of this view's metadata.json.
func (t *Table) MetadataLocation() string { return "" }

// Schema returns the current schema; each field carries its Iceberg field id as metadata "PARQUET:field_id".
func (t *Table) Schema() *arrow.Schema { return nil }

// Columns returns the top-level columns in schema order.
func (t *Table) Columns() []Column { return nil }

// Properties returns a copy of the table properties.
func (t *Table) Properties() map[string]string { return nil }

// SnapshotID returns the snapshot of this view; 0 for a table that never got data.
func (t *Table) SnapshotID() int64 { return 0 }

// SnapshotSummary returns the summary of this view's snapshot; nil if there is none.
func (t *Table) SnapshotSummary() map[string]string { return nil }

// Snapshots returns the snapshots that this view's metadata still knows, oldest first.
func (t *Table) Snapshots() []Snapshot { return nil }

// PartitionColumn returns the column of the second partition level, or "".
func (t *Table) PartitionColumn() string { return "" }

// SortOrderID returns the id of the table's sort order: files that carry it are sorted by _timestamp ascending.
func (t *Table) SortOrderID() int { return 0 }

// FormatVersion returns the version of the Iceberg format, 1 to 3.
func (t *Table) FormatVersion() int { return 0 }

// Refresh returns the table as it is now.
func (t *Table) Refresh(ctx context.Context) (*Table, error) { return nil, errors.ErrUnsupported }
