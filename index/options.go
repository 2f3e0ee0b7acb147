package index

import "github.com/firnlog/firn/index/analyzer"

// ColumnSpec says which indexes one string column gets.
type ColumnSpec struct {
	Column  string `json:"column"`           // name at the time of building, for people
	FieldID int    `json:"field_id"`         // Iceberg field id: what look-ups go by
	Bitmap  bool   `json:"bitmap,omitempty"` // token -> rows (TokenBitMap)
	Bloom   bool   `json:"bloom,omitempty"`  // is the token anywhere in the file (TokenBloomFilter)
}

// Options say what an index holds. They are stored in the sidecar. Zero fields mean the defaults.
type Options struct {
	Columns  []ColumnSpec    `json:"columns"`
	Analyzer analyzer.Params `json:"analyzer"`
	// FalsePositiveRate of the bloom filters, above 0 and at most 0.5; 0 means 0.01.
	FalsePositiveRate float64 `json:"false_positive_rate"`
	// RareRows is the number of rows up to which a token's postings are a plain list; 0 means 64.
	RareRows int `json:"rare_rows"`
	// DenseFraction of all rows above which a token is recorded as dense, with its count and without postings; 0 means 0.5, 1 is never.
	DenseFraction float64 `json:"dense_fraction"`
}

// Names of the table properties that say what is indexed and where.
const (
	PropertyColumnPrefix  = "firn.index.column."        // + column name: "bitmap,bloom", "bitmap", "bloom" or "none"
	PropertyFPP           = "firn.index.fpp"            // Options.FalsePositiveRate
	PropertyRareRows      = "firn.index.rare-rows"      // Options.RareRows
	PropertyDenseFraction = "firn.index.dense-fraction" // Options.DenseFraction
	PropertyAnalyzer      = "firn.index.analyzer"       // Options.Analyzer as JSON
	PropertyLocation      = "firn.index.location"       // URI below which sidecars live; default: the table location + ".index"
)

// LocationSuffix is appended to a table's location to get the default place of its sidecars.
const LocationSuffix = ".index"

// OptionsFromProperties reads the Options of a table from its properties. textColumns are its string columns by name, with their field ids; a property for a
// column that is not among them is ignored (the column may have been dropped or renamed). A value that cannot be read is ErrInvalidOptions.
// Columns are ordered by field id.
func OptionsFromProperties(props map[string]string, textColumns map[string]int) (Options, error) {
	return Options{}, nil
}

// SidecarName returns the location (URI) of the sidecar of a data file. <table>/data/x/y.parquet maps to <indexLocation>/x/y.puffin; a file that is not
// below <table>/data maps to a name made from a hash of its URI. indexLocation may be empty: the default place beside the table.
func SidecarName(dataFile, tableLocation, indexLocation string) (string, error) {
	return "", nil
}
