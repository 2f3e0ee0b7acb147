package oracle

import (
	"errors"
	"fmt"
	"strconv"
)

// aliases are the other names under which the input may give a column, best first.
var aliases = map[string][]string{
	TimeColumn:    {"timestamp", "ts", "time", "@timestamp"},
	MessageColumn: {"_msg", "message", "msg", "log", "body"},
	"level":       {"severity", "lvl"},
}

// ErrBlank says that a line holds nothing: it is neither a row nor a reject.
var ErrBlank = errors.New("blank line")

// Mapper turns input lines into rows of a table. It is safe for concurrent use.
type Mapper struct {
	columns []Column // the first is TimeColumn
	index   map[string]int
}

// NewMapper makes a mapper for a table with these columns; the first must be TimeColumn.
func NewMapper(columns []Column) *Mapper {
	m := &Mapper{columns: columns, index: map[string]int{}}
	for i, c := range columns {
		m.index[c.Name] = i
	}
	return m
}

// Columns returns the table's columns, attrs excepted.
func (m *Mapper) Columns() []Column { return m.columns }

// Map turns one line into a row. It returns ErrBlank for an empty line, and another error for a line that must be rejected.
func (m *Mapper) Map(line []byte) (*Row, error) {
	if isBlank(line) {
		return nil, ErrBlank
	}
	fields, err := decodeObject(line)
	if err != nil {
		return nil, err
	}
	b := rowBuilder{mapper: m, row: &Row{Cells: make([]Value, len(m.columns))}, set: make([]bool, len(m.columns))}
	if err := b.build(fields); err != nil {
		return nil, err
	}
	return b.row, nil
}

func isBlank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// rowBuilder collects one row.
type rowBuilder struct {
	mapper *Mapper
	row    *Row
	set    []bool         // columns that have their value
	keys   map[string]int // where an attrs key stands; only for large attrs

	misfits []field // values that do not fit the type of their column; they go to attrs after everything else
}

func (b *rowBuilder) build(fields []field) error {
	taken := make([]bool, len(fields))
	for c := range b.mapper.columns {
		i := find(fields, b.mapper.columns[c].Name)
		if i < 0 {
			continue
		}
		taken[i], b.set[c] = true, true
		if err := b.setCell(c, fields[i].value); err != nil {
			return err
		}
	}
	if !b.set[0] {
		return errors.New("no timestamp")
	}
	for i, f := range fields {
		switch {
		case taken[i] || f.value.kind == kindNull && b.isColumnName(f.key):
		case f.key == AttrsColumn && f.value.kind == kindObject:
			for _, inner := range f.value.fields {
				b.addFlat(inner.key, inner.value, true)
			}
		case f.key == AttrsColumn && f.value.kind == kindNull:
		default:
			b.addFlat(f.key, f.value, false)
		}
	}
	for _, f := range b.misfits {
		b.addFlat(f.key, f.value, false)
	}
	return nil
}

// names returns how the input may call a column, best first.
func names(column string) []string { return append([]string{column}, aliases[column]...) }

// find returns the field that gives a column: the first of its names that has a value other than null or an object; -1 if there
// is none.
func find(fields []field, column string) int {
	for _, name := range names(column) {
		i := indexOf(fields, nil, name)
		if i >= 0 && fields[i].value.kind != kindNull && fields[i].value.kind != kindObject {
			return i
		}
	}
	return -1
}

// isColumnName says whether a top-level field of this name could give a column.
func (b *rowBuilder) isColumnName(key string) bool {
	for _, c := range b.mapper.columns {
		for _, name := range names(c.Name) {
			if name == key {
				return true
			}
		}
	}
	return false
}

// setCell gives a column its value; what does not fit its type goes to attrs under the column's name.
func (b *rowBuilder) setCell(c int, v value) error {
	column := b.mapper.columns[c]
	if column.Name == TimeColumn {
		if v.kind != kindString && v.kind != kindNumber {
			return errors.New("the timestamp is neither text nor number")
		}
		micros, nanos, ok := parseTime(v.text)
		if !ok {
			return fmt.Errorf("cannot read the timestamp %q", v.text)
		}
		b.row.Cells[c], b.row.Nanos = Number(Timestamp, micros), nanos
		return nil
	}
	cell, ok := convert(column.Type, v)
	if ok {
		b.row.Cells[c] = cell
		return nil
	}
	b.misfits = append(b.misfits, field{column.Name, v})
	return nil
}

// convertInteger reads a number without a fraction that has so many bits.
func convertInteger(t Type, text string, bits int) (Value, bool) {
	r, ok := exact(text)
	if !ok || !r.IsInt() {
		return Value{}, false
	}
	n, err := strconv.ParseInt(r.Num().String(), 10, bits)
	return Number(t, n), err == nil
}

// convert fits a value into a column's type.
func convert(t Type, v value) (Value, bool) {
	if v.kind == kindObject || (v.kind == kindArray && t != String) {
		return Value{}, false
	}
	isNumber := v.kind != kindBool && number.MatchString(v.text)
	switch t {
	case String:
		return Text(v.text), true
	case Bool:
		if v.text == "true" || v.text == "false" {
			return Number(Bool, int64(len("false")-len(v.text))), true
		}
	case Int:
		if isNumber {
			return convertInteger(t, v.text, 32)
		}
	case Long:
		if isNumber {
			return convertInteger(t, v.text, 64)
		}
	case Float, Double:
		bits := map[Type]int{Float: 32, Double: 64}[t]
		if f, err := strconv.ParseFloat(v.text, bits); err == nil && isNumber {
			return Real(t, f), true
		}
	case Timestamp:
		if micros, _, ok := parseTime(v.text); ok {
			return Number(t, micros), true
		}
	case Date:
		if days, ok := parseDate(v.text); ok && v.kind == kindString {
			return Number(t, days), true
		}
	}
	return Value{}, false
}

// addFlat adds a value to attrs, the fields of an object each under its path. fromAttrs says that it comes from the input's
// attrs object, whose entries may belong to a column.
func (b *rowBuilder) addFlat(key string, v value, fromAttrs bool) {
	if v.kind == kindObject && len(v.fields) == 0 {
		v = value{kind: kindArray, text: "{}"}
	}
	if v.kind == kindObject {
		for _, inner := range v.fields {
			b.addFlat(key+"."+inner.key, inner.value, fromAttrs)
		}
		return
	}
	if fromAttrs && b.moveToColumn(key, v) {
		return
	}
	text := Value{}
	if v.kind != kindNull {
		text = Text(v.text)
	}
	if b.keys == nil && len(b.row.Attrs) >= 32 {
		b.keys = map[string]int{}
		for i, a := range b.row.Attrs {
			b.keys[a.Key] = i
		}
	}
	at := -1
	if b.keys == nil {
		for i := range b.row.Attrs {
			if b.row.Attrs[i].Key == key {
				at = i
			}
		}
	} else if i, ok := b.keys[key]; ok {
		at = i
	}
	if at >= 0 {
		b.row.Attrs[at].Value = text
		return
	}
	if b.keys != nil {
		b.keys[key] = len(b.row.Attrs)
	}
	b.row.Attrs = append(b.row.Attrs, Attr{key, text})
}

// moveToColumn gives an entry of the input's attrs to the column of its name, if there is one that has no value yet. It returns
// whether the entry is done with.
func (b *rowBuilder) moveToColumn(key string, v value) bool {
	c, ok := b.mapper.index[key]
	if !ok || key == TimeColumn || key == MessageColumn {
		return false
	}
	if v.kind == kindNull {
		return true
	}
	if b.set[c] {
		return false
	}
	b.set[c] = true
	cell, ok := convert(b.mapper.columns[c].Type, v)
	if ok {
		b.row.Cells[c] = cell
	}
	return ok
}
