package format

// Type is the type of a column, as both Parquet and Iceberg know it.
type Type uint8

// The column types. The comment names the Go vector that holds the values of a Column of that type.
const (
	TypeInvalid     Type = iota
	TypeString           // Texts, valid UTF-8
	TypeBool             // Bools
	TypeInt32            // Ints
	TypeInt64            // Ints
	TypeFloat32          // Floats
	TypeFloat64          // Floats
	TypeTimestamp        // Ints: microseconds since 1970-01-01T00:00:00Z (Iceberg timestamptz)
	TypeDate             // Ints: days since 1970-01-01
	TypeStringMap        // Entries: map<string, string>
	TypeUnsupported      // a column of a foreign table that firn cannot read; it can be listed but not read
)

// Field is one top-level column.
type Field struct {
	Name     string
	ID       int // Iceberg field id
	Type     Type
	Required bool
	KeyID    int // field ids of the map's key and value; zero for other types
	ValueID  int
}

// Schema is an ordered list of columns. It is immutable once made.
type Schema struct {
	Fields []Field
}

// Column holds the values of one field for a run of rows. Only the vector of its type is set. Byte slices may point into
// memory that the producer reuses: who keeps them longer than the batch copies them.
type Column struct {
	Field  Field
	Texts  [][]byte  // nil is null, empty and non-nil is the empty string
	Ints   []int64   // 0 where null
	Floats []float64 // 0 where null
	Bools  []bool    // false where null
	Valid  []bool    // for Ints, Floats, Bools: false where null; nil when no value is null
	Entries
}

// Entries holds a map<string, string> column: row i has the entries Offsets[i] up to Offsets[i+1]. A null map is written and read
// as an empty one. A nil value is null. Keys are distinct within a row.
type Entries struct {
	Offsets []int32 // rows + 1
	Keys    [][]byte
	Values  [][]byte
}

// Batch is a run of rows of one file.
type Batch struct {
	Rows    int
	Columns []Column
	// Ordinals are the row numbers in the file, ascending; only set by readers.
	Ordinals []uint32
}

// RowRange is a run of rows of one file: [Start, End).
type RowRange struct {
	Start, End uint32
}

// Observer is told every text that a Writer writes, in row order for each column. The slices must not be kept. Null values are
// not told. The index builder satisfies it; format knows no index.
type Observer interface {
	// ObserveText tells that the row with this number in the file holds text in the (string) field with this id.
	ObserveText(fieldID int, row uint32, text []byte)
}

// ColumnObserver is an Observer that is also told whole columns, of every type: rows [start, end) of c, of which the first has the number first in the
// file, in row order for each column. Nothing of c may be kept or changed.
type ColumnObserver interface {
	Observer
	ObserveColumn(c *Column, start, end int, first uint32)
}
