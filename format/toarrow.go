package format

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// ToArrow copies the batch into an Arrow record batch of this schema, columns found by name; columns that the batch lacks are null.
// The caller releases the result.
func (b *Batch) ToArrow(s *arrow.Schema, mem memory.Allocator) (arrow.RecordBatch, error) {
	if mem == nil {
		mem = memory.DefaultAllocator
	}
	builder := array.NewRecordBuilder(mem, s)
	defer builder.Release()
	for i, af := range s.Fields() {
		var column *Column
		for j := range b.Columns {
			if b.Columns[j].Field.Name == af.Name {
				column = &b.Columns[j]
			}
		}
		if column == nil {
			builder.Field(i).AppendNulls(b.Rows)
			continue
		}
		if err := appendArrow(builder.Field(i), column, b.Rows); err != nil {
			return nil, fmt.Errorf("column %q: %w", af.Name, err)
		}
	}
	return builder.NewRecordBatch(), nil
}

func appendArrow(builder array.Builder, c *Column, rows int) error {
	switch v := builder.(type) {
	case *array.StringBuilder:
		return appendTexts(v, c.Texts, rows)
	case *array.MapBuilder:
		return appendEntries(v, &c.Entries, rows)
	case *array.BooleanBuilder:
		v.AppendValues(c.Bools, c.Valid)
	case *array.Float64Builder:
		v.AppendValues(c.Floats, c.Valid)
	case *array.Float32Builder:
		appendConverted(v.Append, v.AppendNull, c.Floats, c.Valid)
	case *array.Int64Builder:
		v.AppendValues(c.Ints, c.Valid)
	case *array.Int32Builder:
		appendConverted(v.Append, v.AppendNull, c.Ints, c.Valid)
	case *array.Date32Builder:
		appendConverted(v.Append, v.AppendNull, c.Ints, c.Valid)
	case *array.TimestampBuilder:
		if unit := v.Type().(*arrow.TimestampType).Unit; unit != arrow.Microsecond {
			return fmt.Errorf("%w: Arrow timestamps of unit %s", ErrUnsupported, unit)
		}
		appendConverted(v.Append, v.AppendNull, c.Ints, c.Valid)
	default:
		return fmt.Errorf("%w: Arrow type %s", ErrUnsupported, builder.Type())
	}
	if builder.Len() != rows {
		return fmt.Errorf("%w: %d values for %d rows; the types of batch and schema differ", ErrInvalidBatch, builder.Len(), rows)
	}
	return nil
}

func appendConverted[D ~int32 | ~int64 | float32, S int64 | float64](add func(D), null func(), values []S, valid []bool) {
	for i, v := range values {
		if valid != nil && !valid[i] {
			null()
			continue
		}
		add(D(v))
	}
}

func appendTexts(v *array.StringBuilder, texts [][]byte, rows int) error {
	if len(texts) != rows {
		return fmt.Errorf("%w: %d texts for %d rows; the types of batch and schema differ", ErrInvalidBatch, len(texts), rows)
	}
	v.Reserve(rows)
	for _, t := range texts {
		if t == nil {
			v.AppendNull()
			continue
		}
		v.BinaryBuilder.Append(t)
	}
	return nil
}

func appendEntries(v *array.MapBuilder, e *Entries, rows int) error {
	keys, okKeys := v.KeyBuilder().(*array.StringBuilder)
	values, okValues := v.ItemBuilder().(*array.StringBuilder)
	if !okKeys || !okValues || len(e.Offsets) != rows+1 {
		return fmt.Errorf("%w: no map of strings", ErrInvalidBatch)
	}
	for i := range rows {
		v.Append(true)
		for j := e.Offsets[i]; j < e.Offsets[i+1]; j++ {
			keys.BinaryBuilder.Append(e.Keys[j])
			if e.Values[j] == nil {
				values.AppendNull()
				continue
			}
			values.BinaryBuilder.Append(e.Values[j])
		}
	}
	return nil
}
