// Package oracle is the truth that tests compare the engine with: a brute-force search over JSON lines that shares no code with
// the engine. It imports the standard library only, decodes with encoding/json, tokenises and compares on its own, and evaluates
// every query against every row. It is made to be obviously right; it is fast enough for millions of rows because it evaluates
// many queries in one pass and in parallel.
//
// The parts: Mapper turns a line into a Row, Node is a predicate, Query a predicate with a time window, Generator makes random
// queries from rows, Evaluate counts them.
package oracle

import (
	"strings"
	"time"
)

// Type is the type of a column.
type Type uint8

// The column types that a table can have beside attrs.
const (
	String    Type = iota
	Bool           // Value.Int is 0 or 1
	Int            // 32 bits, Value.Int
	Long           // Value.Int
	Float          // 32 bits, Value.Float
	Double         // Value.Float
	Timestamp      // Value.Int: microseconds since 1970
	Date           // Value.Int: days since 1970
)

// Column is one column of a table, attrs excepted.
type Column struct {
	Name string
	Type Type
}

// TimeColumn is the name of the column every table is sorted by.
const TimeColumn = "_timestamp"

// MessageColumn is the name of the column that words are searched in.
const MessageColumn = "log_msg"

// AttrsColumn is the name of the column that takes every field without a column of its own.
const AttrsColumn = "attrs"

// DefaultColumns returns the columns of every table, attrs excepted.
func DefaultColumns() []Column {
	return []Column{
		{TimeColumn, Timestamp}, {"app_id", String}, {"level", String}, {"host", String}, {"trace_id", String}, {MessageColumn, String},
	}
}

// Value is one cell. The zero Value is a null.
type Value struct {
	Known bool // false: null
	Type  Type
	Text  string
	Int   int64
	Float float64
}

// Text makes a string value.
func Text(s string) Value { return Value{Known: true, Type: String, Text: s} }

// Number makes a value of an integer type (Bool, Int, Long, Timestamp, Date).
func Number(t Type, n int64) Value { return Value{Known: true, Type: t, Int: n} }

// Real makes a value of a floating type (Float, Double).
func Real(t Type, f float64) Value { return Value{Known: true, Type: t, Float: f} }

// compare orders two known values of one type.
func compare(a, b Value) int {
	switch a.Type {
	case String:
		return strings.Compare(a.Text, b.Text)
	case Float, Double:
		switch {
		case a.Float < b.Float:
			return -1
		case a.Float > b.Float:
			return 1
		}
		return 0
	}
	switch {
	case a.Int < b.Int:
		return -1
	case a.Int > b.Int:
		return 1
	}
	return 0
}

// Attr is one entry of attrs.
type Attr struct {
	Key   string
	Value Value // String or null
}

// Row is one row of a table.
type Row struct {
	Line  int64 // number of the input line, from 1
	Nanos int64 // nanoseconds within the microsecond, 0 to 999
	Cells []Value
	Attrs []Attr // distinct keys
}

// Micros returns the row's time in microseconds since 1970.
func (r *Row) Micros() int64 { return r.Cells[0].Int }

// attr returns the entry with this key, or a null.
func (r *Row) attr(key string) Value {
	for i := range r.Attrs {
		if r.Attrs[i].Key == key {
			return r.Attrs[i].Value
		}
	}
	return Value{}
}

// Time returns the moment that is this many microseconds after 1970.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// floorDiv divides by a positive number and rounds down.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
