package format

// Bounds are the statistics of one column over a row group or page. They are sound: no value lies outside Min..Max, whatever
// the writer of the file did. Values are int64 (integers, timestamps in µs, dates in days), float64, string or bool; strings compare by bytes.
type Bounds struct {
	Min, Max           any   // nil: unknown, or there is no value
	NullCount          int64 // -1: unknown
	AllNull            bool  // known that there is no value
	MinExact, MaxExact bool  // whether Min (Max) occurs as a value, rather than only bounding the values
}

// PageBounds are the bounds of one page.
type PageBounds struct {
	Rows RowRange
	Bounds
}
