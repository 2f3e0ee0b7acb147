package ingest

import "time"

// Row is one record for Writer.Append.
type Row struct {
	// Time is when the event happened. The zero Time is taken for a missing timestamp, unless Fields hold one.
	Time   time.Time
	Fields []Field
}

// Field is a named value of a Row. Names are matched to columns as those of JSON input are (docs/INPUT.md): by name, by alias, and
// everything else goes to attrs.
type Field struct {
	Name string
	// Value is nil, a string, []byte (text), bool, any integer or float, time.Time, time.Duration (text such as "1.5s"), error, fmt.Stringer,
	// a slog.Value, []Field or map[string]any (flattened with dots); any other value is stored as its JSON text.
	Value any
}

// F returns a Field.
func F(name string, value any) Field { return Field{Name: name, Value: value} }
