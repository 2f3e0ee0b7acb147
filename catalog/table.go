package catalog

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// PropertyIndexLocation is the table property that says where the sidecar indexes lie (default: table location + ".index").
const PropertyIndexLocation = "firn.index.location"

// fieldIDKey is the key under which an Arrow field carries its Iceberg field id.
const fieldIDKey = "PARQUET:field_id"

// Table is an immutable view of a table at one snapshot. It is safe for concurrent use. Methods that change the table return a new
// Table and leave this one as it is.
type Table struct {
	catalog *Catalog
	inner   *table.Table
	columns []Column
	arrow   *arrow.Schema

	manifests *manifestCache // shared by all views of the table

	mu     sync.Mutex
	files  []DataFile
	listed bool
}

func newTable(c *Catalog, inner *table.Table) *Table {
	return &Table{
		catalog: c, inner: inner,
		columns: columnsOf(inner.Schema()),
		arrow:   arrowSchema(inner.Schema()),

		manifests: &manifestCache{},
	}
}

// Snapshot describes one state in the table's history.
type Snapshot struct {
	ID        int64
	ParentID  int64 // 0: none
	Time      time.Time
	Operation string            // append, overwrite, replace, delete
	Summary   map[string]string // counters such as "added-records", and what AppendOptions.Summary gave
}

// PartitionField is one level of the table's partitioning.
type PartitionField struct {
	Name      string // the key in DataFile.Partition and NewFile.Partition
	Column    string // the column it is derived from
	Transform string // Iceberg's spelling: "day", "identity", "bucket[16]"
}

// Name returns the full name, "namespace.table".
func (t *Table) Name() string { return fullName(t.inner.Identifier()) }

// Location returns the URI below which the table's data and metadata lie, without a trailing slash.
func (t *Table) Location() string { return strings.TrimRight(t.inner.Location(), "/") }

// IndexLocation returns the URI below which the sidecar indexes lie, without a trailing slash.
func (t *Table) IndexLocation() string {
	if location := t.inner.Properties()[PropertyIndexLocation]; location != "" {
		return strings.TrimRight(location, "/")
	}
	return t.Location() + ".index"
}

// MetadataLocation returns the URI of this view's metadata.json. Two views with the same one are the same.
func (t *Table) MetadataLocation() string { return t.inner.MetadataLocation() }

// UUID tells the table from every other, also from one of the same name that was dropped before it was made.
func (t *Table) UUID() string { return t.inner.Metadata().TableUUID().String() }

// Schema returns the current schema; each field, nested ones too, carries its Iceberg field id as metadata "PARQUET:field_id".
func (t *Table) Schema() *arrow.Schema { return t.arrow }

// Columns returns the top-level columns in schema order.
func (t *Table) Columns() []Column { return append([]Column(nil), t.columns...) }

// Properties returns a copy of the table properties.
func (t *Table) Properties() map[string]string {
	return maps.Clone(map[string]string(t.inner.Properties()))
}

// SnapshotID returns the snapshot of this view; 0 for a table that never got data.
func (t *Table) SnapshotID() int64 {
	if snapshot := t.inner.CurrentSnapshot(); snapshot != nil {
		return snapshot.SnapshotID
	}
	return 0
}

// SnapshotSummary returns the summary of this view's snapshot; nil if there is none.
func (t *Table) SnapshotSummary() map[string]string {
	if snapshot := t.inner.CurrentSnapshot(); snapshot != nil {
		return describeSnapshot(snapshot).Summary
	}
	return nil
}

// Snapshots returns the snapshots that this view's metadata still knows, oldest first.
func (t *Table) Snapshots() []Snapshot {
	known := t.inner.Metadata().Snapshots()
	snapshots := make([]Snapshot, len(known))
	for i := range known {
		snapshots[i] = describeSnapshot(&known[i])
	}
	return snapshots
}

func describeSnapshot(s *table.Snapshot) Snapshot {
	d := Snapshot{ID: s.SnapshotID, Time: time.UnixMilli(s.TimestampMs).UTC()}
	if s.ParentSnapshotID != nil {
		d.ParentID = *s.ParentSnapshotID
	}
	if s.Summary != nil {
		d.Operation = string(s.Summary.Operation)
		d.Summary = maps.Clone(map[string]string(s.Summary.Properties))
	}
	return d
}

// PartitionFields returns the levels of the table's current partitioning, outermost first.
func (t *Table) PartitionFields() []PartitionField {
	spec, schema := t.inner.Spec(), t.inner.Schema()
	var fields []PartitionField
	for _, field := range spec.Fields() {
		column, _ := schema.FindColumnName(field.SourceID())
		fields = append(fields, PartitionField{Name: field.Name, Column: column, Transform: field.Transform.String()})
	}
	return fields
}

// PartitionColumn returns the column of the second partition level, or "".
func (t *Table) PartitionColumn() string {
	for _, field := range t.PartitionFields() {
		if field.Transform == (iceberg.IdentityTransform{}).String() {
			return field.Column
		}
	}
	return ""
}

// SortOrderID returns the id of the table's current sort order if that is _timestamp ascending first, else 0 (no promise).
func (t *Table) SortOrderID() int {
	if order := t.inner.SortOrder(); t.sortsByTime(order) {
		return order.OrderID()
	}
	return 0
}

// sortsByTime says whether an order begins with _timestamp ascending.
func (t *Table) sortsByTime(order table.SortOrder) bool {
	if order.Len() == 0 {
		return false
	}
	first := order.Field(0)
	column, _ := t.inner.Schema().FindColumnName(first.SourceID())
	return column == ColumnTimestamp && first.Direction == table.SortASC && first.Transform.Equals(iceberg.IdentityTransform{})
}

// FormatVersion returns the version of the Iceberg format, 1 to 3.
func (t *Table) FormatVersion() int { return t.inner.Metadata().Version() }

// Refresh returns the table as it is now: this very view if nothing was committed since.
func (t *Table) Refresh(ctx context.Context) (*Table, error) {
	fresh, err := t.catalog.load(ctx, t.inner.Identifier())
	if err != nil {
		return nil, err
	}
	if err := sameTable(t.inner, fresh.inner); err != nil {
		return nil, err
	}
	return fresh, nil
}

// sameTable tells a table from one that was made anew under its name.
func sameTable(before, now *table.Table) error {
	if was, is := before.Metadata().TableUUID(), now.Metadata().TableUUID(); was != is {
		return fmt.Errorf("%w: %s was dropped and made anew (it was %s, it is %s): load it again",
			ErrTableNotFound, fullName(now.Identifier()), was, is)
	}
	return nil
}

// arrowSchema converts field by field, so that one column of a type that Arrow cannot hold does not hide the others.
func arrowSchema(schema *iceberg.Schema) *arrow.Schema {
	fields := make([]arrow.Field, 0, schema.NumFields())
	for _, field := range schema.Fields() {
		one, err := table.SchemaToArrowSchema(iceberg.NewSchema(0, field), nil, true, false)
		if err != nil || one.NumFields() != 1 {
			id := arrow.NewMetadata([]string{fieldIDKey}, []string{strconv.Itoa(field.ID)})
			fields = append(fields, arrow.Field{Name: field.Name, Type: arrow.Null, Nullable: true, Metadata: id})
			continue
		}
		fields = append(fields, one.Field(0))
	}
	return arrow.NewSchema(fields, nil)
}
