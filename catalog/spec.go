package catalog

// Names of the default columns.
const (
	ColumnTimestamp = "_timestamp" // when the event happened, µs, UTC; required; the sort key
	ColumnAppID     = "app_id"
	ColumnLevel     = "level"
	ColumnHost      = "host"
	ColumnTraceID   = "trace_id"
	ColumnMessage   = "log_msg" // the text that is searched
	ColumnAttrs     = "attrs"   // map<string, string> of everything that has no column of its own
)

// PartitionDay is the name of the partition field day(_timestamp); its values are int32 days since 1970-01-01.
const PartitionDay = "log_date"

// Names of column types. Other types of foreign tables appear in Iceberg's own spelling ("decimal(9, 2)").
const (
	TypeString    = "string"
	TypeBool      = "bool"
	TypeInt       = "int"
	TypeLong      = "long"
	TypeFloat     = "float"
	TypeDouble    = "double"
	TypeTimestamp = "timestamp" // Iceberg's timestamptz: µs, UTC
	TypeDate      = "date"
	TypeStringMap = "map<string,string>"
)

// Column is one top-level column of a table.
type Column struct {
	Name     string
	Type     string // one of the Type constants
	Required bool
	Doc      string
	ID       int // Iceberg field id; assigned by the catalog, ignored in a TableSpec
}

// TableSpec describes a table to be made.
type TableSpec struct {
	// Name is "table" (in the namespace "default") or "namespace.table"; letters, digits, _ and -.
	Name string
	// Columns come after DefaultColumns.
	Columns []Column
	// PartitionBy names a column whose value is the second partition level, below the day. Optional.
	PartitionBy string
	// Properties are added to the default ones and win over them.
	Properties map[string]string
}

// DefaultColumns returns the columns that every table of firn begins with.
func DefaultColumns() []Column {
	return []Column{
		{Name: ColumnTimestamp, Type: TypeTimestamp, Required: true, Doc: "when the event happened"},
		{Name: ColumnAppID, Type: TypeString, Doc: "the application or service that wrote the line"},
		{Name: ColumnLevel, Type: TypeString, Doc: "severity, as the application spells it"},
		{Name: ColumnHost, Type: TypeString, Doc: "the machine, pod or container"},
		{Name: ColumnTraceID, Type: TypeString, Doc: "identifier of the request or trace"},
		{Name: ColumnMessage, Type: TypeString, Doc: "the text of the line"},
		{Name: ColumnAttrs, Type: TypeStringMap, Doc: "all other fields, nested ones with dotted names"},
	}
}
