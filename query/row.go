package query

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/firnlog/firn/format"
)

// Row is one row of a result: values of the requested columns in the table's order. It owns its memory.
type Row struct {
	fields []format.Field // shared by all rows of a scan
	cells  []cell
}

// cell holds one value, in the part that its column's type asks for.
type cell struct {
	valid   bool
	text    string
	number  int64 // also bools: 0 or 1
	float   float64
	entries Entries
}

// Entry is one entry of a map column.
type Entry struct {
	Key   string
	Value string
	Null  bool // there is no value
}

// Entries is the value of a map column, in stored order.
type Entries []Entry

// Get returns the value of a key, and whether there is one that is not null.
func (e Entries) Get(key string) (value string, ok bool) {
	for _, entry := range e {
		if entry.Key == key {
			return entry.Value, !entry.Null
		}
	}
	return "", false
}

// MarshalJSON prints the entries as an object.
func (e Entries) MarshalJSON() ([]byte, error) { return appendEntries(nil, e), nil }

// Len returns the number of columns.
func (r Row) Len() int { return len(r.fields) }

// Column returns the name of column i.
func (r Row) Column(i int) string { return r.fields[i].Name }

// Value returns the value of column i: nil (null), string, bool, int64, float64, time.Time in UTC (timestamps and dates) or Entries.
func (r Row) Value(i int) any {
	c := &r.cells[i]
	switch {
	case r.fields[i].Type == format.TypeStringMap:
		return c.entries
	case !c.valid:
		return nil
	}
	switch r.fields[i].Type {
	case format.TypeString:
		return c.text
	case format.TypeBool:
		return c.number != 0
	case format.TypeFloat32, format.TypeFloat64:
		return c.float
	case format.TypeTimestamp:
		return time.UnixMicro(c.number).UTC()
	case format.TypeDate:
		return time.Unix(c.number*24*60*60, 0).UTC()
	default:
		return c.number
	}
}

// Get returns the value of the column with this name as Value does, and nil if the row has no such column.
func (r Row) Get(name string) any {
	for i, f := range r.fields {
		if f.Name == name {
			return r.Value(i)
		}
	}
	return nil
}

// Text returns the value of a string column, and "" if it is null, missing or of another type.
func (r Row) Text(name string) string {
	text, _ := r.Get(name).(string)
	return text
}

// AppendText appends the value of column i as plain text: as AppendJSON prints it, but texts and times without quotes and escapes. Bytes that are not valid UTF-8
// are U+FFFD, maps are JSON, and null is nothing.
func (r Row) AppendText(dst []byte, i int) []byte {
	t, c := r.fields[i].Type, &r.cells[i]
	switch {
	case t == format.TypeStringMap:
		return appendEntries(dst, c.entries)
	case !c.valid:
		return dst
	case t == format.TypeString:
		return appendValid(dst, c.text)
	}
	return append(dst, c.plainText(t)...)
}

// Null tells whether column i has no value. A map always has one.
func (r Row) Null(i int) bool {
	return r.fields[i].Type != format.TypeStringMap && !r.cells[i].valid
}

// Time returns the row's _timestamp, and the zero time if it was not asked for.
func (r Row) Time() time.Time {
	t, _ := r.Get(timestampColumn).(time.Time)
	return t
}

// newRow copies a row of a batch.
func newRow(fields []format.Field, b *format.Batch, row int32) Row {
	r := Row{fields: fields, cells: make([]cell, len(fields))}
	size := 0
	for i := range b.Columns {
		c := &b.Columns[i]
		switch c.Field.Type {
		case format.TypeString:
			size += len(c.Texts[row])
		case format.TypeStringMap:
			for k := c.Offsets[row]; k < c.Offsets[row+1]; k++ {
				size += len(c.Keys[k]) + len(c.Values[k])
			}
		}
	}
	texts := rowTexts{buffer: make([]byte, 0, size)}
	for i := range b.Columns {
		texts.gather(&b.Columns[i], row)
	}
	texts.all = string(texts.buffer)
	for i := range b.Columns {
		r.cells[i] = texts.cell(&b.Columns[i], row)
	}
	return r
}

// rowTexts puts all texts of a row into one string.
type rowTexts struct {
	buffer []byte
	all    string
	used   int
}

func (t *rowTexts) gather(c *format.Column, row int32) {
	switch c.Field.Type {
	case format.TypeString:
		t.buffer = append(t.buffer, c.Texts[row]...)
	case format.TypeStringMap:
		for k := c.Offsets[row]; k < c.Offsets[row+1]; k++ {
			t.buffer = append(append(t.buffer, c.Keys[k]...), c.Values[k]...)
		}
	}
}

func (t *rowTexts) take(n int) string {
	t.used += n
	return t.all[t.used-n : t.used]
}

func (t *rowTexts) cell(c *format.Column, row int32) cell {
	v := cell{valid: c.Valid == nil || c.Valid[row]}
	switch c.Field.Type {
	case format.TypeString:
		v.valid = c.Texts[row] != nil
		v.text = t.take(len(c.Texts[row]))
	case format.TypeStringMap:
		v.entries = make(Entries, 0, c.Offsets[row+1]-c.Offsets[row])
		for k := c.Offsets[row]; k < c.Offsets[row+1]; k++ {
			key := t.take(len(c.Keys[k]))
			v.entries = append(v.entries, Entry{Key: key, Value: t.take(len(c.Values[k])), Null: c.Values[k] == nil})
		}
	default:
		v.setNumber(c, row)
	}
	return v
}

// setNumber takes a value over that is a number, a time or a bool.
func (v *cell) setNumber(c *format.Column, row int32) {
	switch c.Field.Type {
	case format.TypeBool:
		if c.Bools[row] {
			v.number = 1
		}
	case format.TypeFloat32, format.TypeFloat64:
		v.float = c.Floats[row]
	default:
		v.number = c.Ints[row]
	}
}

// MarshalJSON prints the row as an object with one entry for each column, in the table's order.
func (r Row) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }

// AppendJSON appends the row as a JSON object: timestamps as RFC 3339 in UTC with six digits of a second, dates as 2026-11-22, maps as
// objects, nulls as null, and floats that are no numbers as text ("NaN").
func (r Row) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i, f := range r.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, f.Name), ':')
		dst = appendCell(dst, f.Type, &r.cells[i])
	}
	return append(dst, '}')
}

func appendCell(dst []byte, t format.Type, c *cell) []byte {
	switch {
	case t == format.TypeStringMap:
		return appendEntries(dst, c.entries)
	case !c.valid:
		return append(dst, "null"...)
	}
	switch t {
	case format.TypeString:
		return appendText(dst, c.text)
	case format.TypeBool:
		return strconv.AppendBool(dst, c.number != 0)
	case format.TypeFloat32:
		return appendFloat(dst, c.float, 32)
	case format.TypeFloat64:
		return appendFloat(dst, c.float, 64)
	case format.TypeTimestamp:
		dst = append(dst, '"')
		dst = time.UnixMicro(c.number).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z07:00")
		return append(dst, '"')
	case format.TypeDate:
		dst = append(dst, '"')
		dst = time.Unix(c.number*24*60*60, 0).UTC().AppendFormat(dst, time.DateOnly)
		return append(dst, '"')
	default:
		return strconv.AppendInt(dst, c.number, 10)
	}
}

func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		dst = append(dst, '"')
		dst = strconv.AppendFloat(dst, f, 'g', -1, bits)
		return append(dst, '"')
	}
	form := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(dst, f, form, -1, bits)
}

func appendEntries(dst []byte, entries Entries) []byte {
	dst = append(dst, '{')
	for i, e := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, e.Key), ':')
		if e.Null {
			dst = append(dst, "null"...)
		} else {
			dst = appendText(dst, e.Value)
		}
	}
	return append(dst, '}')
}

// appendText appends a text as JSON. Plain ASCII, which most texts are, takes no detour.
func appendText(dst []byte, text string) []byte {
	plain := true
	for i := range len(text) {
		if b := text[i]; b < ' ' || b == '"' || b == '\\' || b >= utf8.RuneSelf || b == 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return append(append(append(dst, '"'), text...), '"')
	}
	return appendEscaped(dst, text)
}

func appendEscaped(dst []byte, text string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range text {
		switch {
		case r == '"', r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r < ' ', r >= 0x7f && r < 0xa0, r == '\u2028', r == '\u2029': // all control characters, of which terminals obey those at 0x80 too
			dst = append(dst, '\\', 'u', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r) // an invalid byte becomes U+FFFD
		}
	}
	return append(dst, '"')
}

// appendValid appends a text in which each invalid byte is U+FFFD, as in JSON.
func appendValid(dst []byte, text string) []byte {
	if utf8.ValidString(text) {
		return append(dst, text...)
	}
	for _, r := range text {
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

var _ json.Marshaler = Row{}
