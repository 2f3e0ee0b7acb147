package query

import (
	"cmp"
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index/expression"
)

// askRows plans a question for rows.
func (e *Engine) askRows(ctx context.Context, t *catalog.Table, q Query, o AskOptions) (*Answer, error) {
	schema, err := format.SchemaFromArrow(t.Schema())
	if err != nil {
		return nil, fmt.Errorf("schema of table %s: %w", t.Name(), err)
	}
	b := &bound{schema: schema}
	columns, err := b.projection(q.Columns)
	if err != nil {
		return nil, err
	}
	r := Request{
		Predicate: q.Where, From: o.From, To: o.To, Order: o.Order, Limit: q.Limit, NoIndex: o.NoIndex, ForceIndex: o.ForceIndex, Limits: o.Limits, Files: o.Files,
		Columns: tableColumns(columns),
	}
	order, byTime, err := b.timeOrder(q.OrderBy)
	if err != nil {
		return nil, err
	}
	if !byTime {
		return e.askSorted(ctx, t, b, q, r, columns)
	}
	if len(q.OrderBy) > 0 {
		r.Order = order
	}
	s, err := e.Plan(ctx, t, r)
	if err != nil {
		return nil, err
	}
	a := &Answer{scan: s, source: &projector{columns: columns, from: s.fields}}
	a.fields, a.arrow = schemaOf(schema, columns)
	return a, nil
}

// askSorted plans a question for rows in another order than that of their time.
func (e *Engine) askSorted(ctx context.Context, t *catalog.Table, b *bound, q Query, r Request, columns []answerColumn) (*Answer, error) {
	if q.Limit < 0 {
		return nil, fmt.Errorf("%w: the limit is %d; give 0 for none", ErrInvalidRequest, q.Limit)
	}
	keys, err := b.sortBy(q.OrderBy)
	if err != nil {
		return nil, err
	}
	r.Limit = 0 // any row may be among the first
	s, err := e.Plan(ctx, t, r)
	if err != nil {
		return nil, err
	}
	p := &sortPlan{columns: projector{columns: columns, from: s.fields}, keys: keys, limit: q.Limit, memory: cmp.Or(r.Limits.Memory, DefaultMemory)}
	a := &Answer{scan: s, source: p}
	a.fields, a.arrow = schemaOf(b.schema, columns)
	return a, nil
}

// timeOrder returns the order of a reading that an OrderBy means; false if it needs sorting.
func (b *bound) timeOrder(by []Sort) (Order, bool, error) {
	if len(by) == 0 {
		return NewestFirst, true, nil
	}
	f, ok := b.schema.Lookup(timestampColumn)
	if by[0].Column != Col(timestampColumn) || len(by) > 1 || !ok || f.Type != format.TypeTimestamp {
		return NewestFirst, false, nil
	}
	if by[0].Descending {
		return NewestFirst, true, nil
	}
	return OldestFirst, f.Required, nil // nulls, which are older than everything there, would come first
}

// answerColumn is a column of an answer: where its values come from, and what it is called.
type answerColumn struct {
	field  format.Field // of the answer; ID is 0 unless it is a column of the table as it is
	places []leaf       // of a column that is none of the table, in which the first value that is not null is taken
}

// projection returns the columns of an answer: those that are asked for, or all.
func (b *bound) projection(wanted []Column) ([]answerColumn, error) {
	var columns []answerColumn
	if len(wanted) == 0 {
		for _, f := range b.schema.Fields {
			if f.Type != format.TypeUnsupported {
				columns = append(columns, answerColumn{field: f})
			}
		}
		return columns, nil
	}
	seen := map[string]bool{}
	for _, c := range wanted {
		column, err := b.answerColumn(c)
		if err != nil {
			return nil, err
		}
		if name := column.field.Name; seen[name] {
			return nil, fmt.Errorf("%w: the column %q is asked for twice", ErrInvalidRequest, name)
		}
		seen[column.field.Name] = true
		columns = append(columns, column)
	}
	return columns, nil
}

// answerColumn resolves a column. A map column is one as a whole.
func (b *bound) answerColumn(c Column) (answerColumn, error) {
	if f, ok := b.schema.Lookup(c.Name); ok && c.Key == "" && c.Path == "" && f.Type == format.TypeStringMap {
		return answerColumn{field: f}, nil
	}
	places, err := b.resolve(c)
	if err != nil {
		return answerColumn{}, err
	}
	if len(places) == 1 && !places[0].inMap {
		return answerColumn{field: places[0].field}, nil
	}
	return answerColumn{field: format.Field{Name: c.String(), Type: format.TypeString}, places: places}, nil
}

// tableColumns returns the names of the table's columns that columns of an answer are made of.
func tableColumns(columns []answerColumn) (names []string) {
	for _, c := range columns {
		if c.places == nil {
			names = append(names, c.field.Name)
		}
		for _, place := range c.places {
			names = append(names, place.field.Name)
		}
	}
	return names
}

// schemaOf returns the fields of an answer and their Arrow schema.
func schemaOf(table *format.Schema, columns []answerColumn) ([]format.Field, *arrow.Schema) {
	whole := table.Arrow()
	fields, arrowFields := make([]format.Field, len(columns)), make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = c.field
		if c.field.ID != 0 {
			arrowFields[i] = whole.Field(whole.FieldIndices(c.field.Name)[0])
			continue
		}
		one := (&format.Schema{Fields: fields[i : i+1]}).Arrow().Field(0)
		arrowFields[i] = arrow.Field{Name: one.Name, Type: one.Type, Nullable: true}
	}
	return fields, arrow.NewSchema(arrowFields, nil)
}

// projector makes the columns of an answer of those of the table. It is immutable.
type projector struct {
	columns []answerColumn
	from    []format.Field // of the batches
}

// rows hands out the rows of the scan.
func (p *projector) rows(ctx context.Context, r *answerReading, emit func(b *format.Batch, row int32) bool) error {
	var last *chunk
	var batch *format.Batch
	return r.reading.run(ctx, func(c *chunk, row int32) bool {
		if c != last {
			last, batch = c, p.project(c.batch)
		}
		return emit(batch, row)
	})
}

// project makes a batch of the answer's columns, which shares memory with b.
func (p *projector) project(b *format.Batch) *format.Batch {
	out := &format.Batch{Rows: b.Rows, Ordinals: b.Ordinals, Columns: make([]format.Column, len(p.columns))}
	places := map[int]*format.Column{}
	for i := range b.Columns {
		places[b.Columns[i].Field.ID] = &b.Columns[i]
	}
	for i, c := range p.columns {
		if c.places == nil {
			out.Columns[i] = *places[c.field.ID]
			continue
		}
		var x extractor
		out.Columns[i] = format.Column{Field: c.field, Texts: make([][]byte, b.Rows)}
		for _, place := range c.places {
			x.texts(&place, places[place.field.ID], out.Columns[i].Texts)
		}
	}
	return out
}

// extractor takes texts out of maps and JSON.
type extractor struct {
	json  expression.Scratch
	block []byte
}

// texts fills in those texts that are still nil with what is at a place of a column.
func (x *extractor) texts(place *leaf, c *format.Column, texts [][]byte) {
	for row := range texts {
		if texts[row] == nil {
			texts[row] = x.text(place, c, row)
		}
	}
}

// text returns the text at a place of a column, or nil. It stays valid as long as the column does.
func (x *extractor) text(place *leaf, c *format.Column, row int) []byte {
	switch {
	case !place.path.IsZero():
		if c.Texts[row] == nil {
			return nil
		}
		return x.keep(place.path.Extract(c.Texts[row], &x.json))
	case place.inMap:
		return mapValue(&c.Entries, place.key, row)
	case c.Field.Type == format.TypeString:
		return c.Texts[row]
	case c.Valid != nil && !c.Valid[row]:
		return nil
	}
	v := cell{valid: true}
	v.setNumber(c, int32(row))
	return v.plainText(c.Field.Type)
}

// keep copies a text that is not kept; nil stays nil, and empty stays empty.
func (x *extractor) keep(text []byte) []byte {
	const blockBytes = 16 << 10
	if text == nil {
		return nil
	}
	if cap(x.block)-len(x.block) < len(text) || x.block == nil {
		x.block = make([]byte, 0, max(blockBytes, len(text)))
	}
	start := len(x.block)
	x.block = append(x.block, text...)
	return x.block[start:len(x.block):len(x.block)]
}

// plainText returns a value that is not null as the value of a key of attrs would have it: as JSON writes it, without quotes.
func (c *cell) plainText(t format.Type) []byte {
	text := appendCell(nil, t, c)
	if len(text) > 1 && text[0] == '"' {
		text = text[1 : len(text)-1]
	}
	return text
}
