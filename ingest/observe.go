package ingest

import (
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/index/expression"
)

// Observer lets an index builder see what a format.Writer writes. It implements format.ColumnObserver.
type Observer struct {
	*index.Builder
}

// ObserveColumn tells the builder rows [start, end) of a column, of which the first has the number first in the file.
func (o Observer) ObserveColumn(c *format.Column, start, end int, first uint32) {
	v := expression.Values{
		Rows: end - start, Texts: part(c.Texts, start, end), Ints: part(c.Ints, start, end), Floats: part(c.Floats, start, end),
		Bools: part(c.Bools, start, end), Valid: part(c.Valid, start, end), Keys: c.Keys, MapValues: c.Entries.Values,
	}
	if c.Offsets != nil {
		v.Offsets = c.Offsets[start : end+1]
	}
	o.ObserveValues(c.Field.ID, first, v)
}

// part returns a part of a slice; nil stays nil.
func part[T any](s []T, start, end int) []T {
	if s == nil {
		return nil
	}
	return s[start:end]
}

// ValueColumns returns what value indexes must know of the columns of a schema, by their names.
func ValueColumns(schema *format.Schema) map[string]index.ValueColumn {
	columns := map[string]index.ValueColumn{}
	for _, f := range schema.Fields {
		columns[f.Name] = index.ValueColumnOf(f.ID, f.Type.String())
	}
	return columns
}
