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
	set    []bool         // columns that the input gives
	keys   map[string]int // where an attrs key stands; only for large attrs
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
		if taken[i] {
			continue
		}
		if f.key == AttrsColumn && f.value.kind == kindObject {
			for _, inner := range f.value.fields {
				b.addFlat(inner.key, inner.value, true)
			}
			continue
		}
		b.addFlat(f.key, f.value, false)
	}
	return nil
}

// find returns the field that gives a column: the exact name, else the first alias; -1 if there is none.
func find(fields []field, column string) int {
	if i := indexOf(fields, nil, column); i >= 0 {
		return i
	}
	for _, alias := range aliases[column] {
		if i := indexOf(fields, nil, alias); i >= 0 {
			return i
		}
	}
	return -1
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
	if v.kind == kindNull {
		return nil
	}
	cell, ok := convert(column.Type, v)
	if ok {
		b.row.Cells[c] = cell
		return nil
	}
	b.addFlat(column.Name, v, false)
	return nil
}

// convert fits a value into a column's type.
func convert(t Type, v value) (Value, bool) {
	if v.kind == kindObject || (v.kind == kindArray && t != String) {
		return Value{}, false
	}
	switch t {
	case String:
		return Text(v.text), true
	case Bool:
		if v.text == "true" || v.text == "false" {
			return Number(Bool, int64(len("false")-len(v.text))), true
		}
	case Int, Long:
		bits := 64
		if t == Int {
			bits = 32
		}
		if n, err := strconv.ParseInt(v.text, 10, bits); err == nil && v.kind != kindBool {
			return Number(t, n), true
		}
	case Float, Double:
		bits := 64
		if t == Float {
			bits = 32
		}
		if f, err := strconv.ParseFloat(v.text, bits); err == nil && v.kind != kindBool {
			return Real(t, f), true
		}
	case Timestamp:
		if micros, _, ok := parseTime(v.text); ok {
			return Number(t, micros), true
		}
	case Date:
		if days, ok := parseDate(v.text); ok {
			return Number(t, days), true
		}
	}
	return Value{}, false
}

// addFlat adds a value to attrs, the fields of an object each under its path. fromAttrs says that it comes from the input's
// attrs object, whose entries may belong to a column.
func (b *rowBuilder) addFlat(key string, v value, fromAttrs bool) {
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

// moveToColumn gives an entry of the input's attrs to the column of its name, if there is one that no field of the line gave.
func (b *rowBuilder) moveToColumn(key string, v value) bool {
	c, ok := b.mapper.index[key]
	if !ok || b.set[c] || key == TimeColumn || key == MessageColumn {
		return false
	}
	cell, ok := convert(b.mapper.columns[c].Type, v)
	if v.kind != kindNull && !ok {
		return false
	}
	b.row.Cells[c], b.set[c] = cell, true
	return true
}
