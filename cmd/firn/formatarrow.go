package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/query"
)

// arrowRows is how many rows a record batch of the output has.
const arrowRows = 8192

// arrowPrinter prints an Arrow IPC stream. https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
type arrowPrinter struct {
	out     *lines
	places  bool
	writer  *ipc.Writer
	builder *array.RecordBuilder
	rows    int // in builder
	text    []byte
}

func newArrowPrinter(out *lines, p printing) *arrowPrinter {
	schema := p.schema
	if p.places {
		fields := append(slices.Clone(schema.Fields()), arrow.Field{Name: contextColumn, Type: arrow.BinaryTypes.String}, arrow.Field{Name: groupColumn, Type: arrow.PrimitiveTypes.Int64})
		schema = arrow.NewSchema(fields, nil)
	}
	return &arrowPrinter{
		out: out, places: p.places,
		writer:  ipc.NewWriter(out, ipc.WithSchema(schema)),
		builder: array.NewRecordBuilder(memory.DefaultAllocator, schema),
	}
}

func (p *arrowPrinter) row(r firn.Row, place rowPlace) error {
	for i := range r.Len() {
		if err := p.add(r, i); err != nil {
			return err
		}
	}
	if p.places {
		p.builder.Field(r.Len()).(*array.StringBuilder).Append(place.part)
		p.builder.Field(r.Len() + 1).(*array.Int64Builder).Append(int64(place.group))
	}
	if p.rows++; p.rows >= arrowRows {
		return p.batch()
	}
	return nil
}

// add appends a value to its column.
func (p *arrowPrinter) add(r firn.Row, i int) error {
	builder := p.builder.Field(i)
	if r.Null(i) {
		builder.AppendNull()
		return nil
	}
	value := r.Value(i)
	switch b := builder.(type) {
	case *array.StringBuilder:
		p.text = r.AppendText(p.text[:0], i)
		b.BinaryBuilder.Append(p.text)
		return nil
	case *array.BooleanBuilder:
		if v, ok := value.(bool); ok {
			b.Append(v)
			return nil
		}
	case *array.Int32Builder:
		if v, ok := value.(int64); ok {
			b.Append(int32(v))
			return nil
		}
	case *array.Int64Builder:
		if v, ok := value.(int64); ok {
			b.Append(v)
			return nil
		}
	case *array.Float32Builder:
		if v, ok := value.(float64); ok {
			b.Append(float32(v))
			return nil
		}
	case *array.Float64Builder:
		if v, ok := value.(float64); ok {
			b.Append(v)
			return nil
		}
	case *array.TimestampBuilder:
		if v, ok := value.(time.Time); ok {
			b.Append(arrow.Timestamp(v.UnixMicro()))
			return nil
		}
	case *array.Date32Builder:
		if v, ok := value.(time.Time); ok {
			b.Append(arrow.Date32(v.Unix() / int64(24*time.Hour/time.Second)))
			return nil
		}
	case *array.MapBuilder:
		if v, ok := value.(query.Entries); ok && appendArrowMap(b, v) {
			return nil
		}
	}
	return fmt.Errorf("cannot write column %q as Arrow's %s", r.Column(i), builder.Type())
}

// appendArrowMap appends a map of texts, and says whether the builder is one of such.
func appendArrowMap(b *array.MapBuilder, entries query.Entries) bool {
	keys, ok := b.KeyBuilder().(*array.StringBuilder)
	values, okToo := b.ItemBuilder().(*array.StringBuilder)
	if !ok || !okToo {
		return false
	}
	b.Append(true)
	for _, e := range entries {
		keys.Append(validText(e.Key))
		if e.Null {
			values.AppendNull()
		} else {
			values.Append(validText(e.Value))
		}
	}
	return true
}

// validText replaces each byte that is not valid UTF-8 by U+FFFD, as Row.AppendText does.
func validText(text string) string { return string([]rune(text)) }

// batch writes the rows gathered so far.
func (p *arrowPrinter) batch() error {
	if p.rows == 0 {
		return nil
	}
	record := p.builder.NewRecordBatch()
	defer record.Release()
	p.rows = 0
	return p.writer.Write(record)
}

func (p *arrowPrinter) separator() error { return nil }

func (p *arrowPrinter) flush() error {
	if err := p.batch(); err != nil {
		return err
	}
	return p.out.Flush()
}

func (p *arrowPrinter) finish() error {
	defer p.builder.Release()
	if err := p.batch(); err != nil {
		return err
	}
	if err := p.writer.Close(); err != nil {
		return err
	}
	return p.out.Flush()
}
