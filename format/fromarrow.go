package format

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// BatchFromArrow returns the columns of rec that the schema names (found by name) as a batch, without copying where the layouts
// allow it: the batch must not be used after rec is released. Columns that rec lacks are null.
func BatchFromArrow(s *Schema, rec arrow.RecordBatch) (*Batch, error) {
	b := &Batch{Rows: int(rec.NumRows()), Columns: make([]Column, 0, len(s.Fields))}
	for _, f := range s.Fields {
		at := rec.Schema().FieldIndices(f.Name)
		switch len(at) {
		case 0:
			b.Columns = append(b.Columns, nullColumn(f, b.Rows))
			continue
		case 1:
		default:
			return nil, fmt.Errorf("%w: the record batch has %d columns called %q", ErrInvalidBatch, len(at), f.Name)
		}
		c, err := columnFromArrow(f, rec.Column(at[0]))
		if err != nil {
			return nil, fmt.Errorf("%w: column %q: %w", ErrInvalidBatch, f.Name, err)
		}
		b.Columns = append(b.Columns, c)
	}
	return b, nil
}

// nullColumn returns a column of nulls.
func nullColumn(f Field, rows int) Column {
	c := Column{Field: f}
	switch f.Type {
	case TypeString:
		c.Texts = make([][]byte, rows)
	case TypeStringMap:
		c.Offsets = make([]int32, rows+1)
	case TypeFloat32, TypeFloat64:
		c.Floats, c.Valid = make([]float64, rows), make([]bool, rows)
	case TypeBool:
		c.Bools, c.Valid = make([]bool, rows), make([]bool, rows)
	default:
		c.Ints, c.Valid = make([]int64, rows), make([]bool, rows)
	}
	return c
}

func columnFromArrow(f Field, a arrow.Array) (Column, error) {
	c := Column{Field: f}
	switch f.Type {
	case TypeString:
		var err error
		c.Texts, err = textsFromArrow(a)
		return c, err
	case TypeStringMap:
		return c, entriesFromArrow(&c.Entries, a)
	case TypeBool:
		bools, ok := a.(*array.Boolean)
		if !ok {
			return c, fmt.Errorf("it is %s, not bool", a.DataType())
		}
		c.Bools = make([]bool, a.Len())
		for i := range c.Bools {
			c.Bools[i] = bools.IsValid(i) && bools.Value(i)
		}
	case TypeFloat32, TypeFloat64:
		if err := floatsFromArrow(&c, a); err != nil {
			return c, err
		}
	default:
		if err := intsFromArrow(&c, a); err != nil {
			return c, err
		}
	}
	if a.NullN() > 0 {
		c.Valid = make([]bool, a.Len())
		for i := range c.Valid {
			c.Valid[i] = a.IsValid(i)
		}
	}
	return c, nil
}

func floatsFromArrow(c *Column, a arrow.Array) error {
	c.Floats = make([]float64, a.Len())
	var value func(int) float64
	switch v := a.(type) {
	case *array.Float64:
		value = v.Value
	case *array.Float32:
		value = func(i int) float64 { return float64(v.Value(i)) }
	default:
		return fmt.Errorf("it is %s, not a floating-point number", a.DataType())
	}
	for i := range c.Floats {
		if a.IsValid(i) {
			c.Floats[i] = value(i)
		}
	}
	return nil
}

func intsFromArrow(c *Column, a arrow.Array) error {
	c.Ints = make([]int64, a.Len())
	var value func(int) int64
	switch v := a.(type) {
	case *array.Int64:
		value = v.Value
	case *array.Int32:
		value = func(i int) int64 { return int64(v.Value(i)) }
	case *array.Date32:
		value = func(i int) int64 { return int64(v.Value(i)) }
	case *array.Timestamp:
		unit := v.DataType().(*arrow.TimestampType).Unit
		if unit == arrow.Microsecond {
			value = func(i int) int64 { return int64(v.Value(i)) }
			break
		}
		toMicros, ok := microsPer(unit.Multiplier().Nanoseconds())
		if !ok {
			return fmt.Errorf("its unit %s is unknown", unit)
		}
		value = func(i int) int64 { return toMicros(int64(v.Value(i))) }
	default:
		return fmt.Errorf("it is %s, not a number, date or timestamp", a.DataType())
	}
	if isTime := a.DataType().ID() == arrow.TIMESTAMP; isTime != (c.Field.Type == TypeTimestamp) {
		return fmt.Errorf("it is %s, which does not fit the column", a.DataType())
	}
	for i := range c.Ints {
		if a.IsValid(i) {
			c.Ints[i] = value(i)
		}
	}
	return nil
}

// binaryLike is what Arrow's string arrays have in common.
type binaryLike interface {
	arrow.Array
	Value(int) string
}

func textsFromArrow(a arrow.Array) ([][]byte, error) {
	texts := make([][]byte, a.Len())
	switch v := a.(type) {
	case *array.String:
		sliceTexts(texts, v, v.ValueBytes(), v.ValueOffsets())
	case *array.LargeString:
		sliceTexts(texts, v, v.ValueBytes(), v.ValueOffsets())
	case *array.Dictionary:
		dict, ok := v.Dictionary().(binaryLike)
		if !ok {
			return nil, fmt.Errorf("it is %s, not string", a.DataType())
		}
		values, err := textsFromArrow(dict)
		if err != nil {
			return nil, err
		}
		for i := range texts {
			if v.IsValid(i) {
				texts[i] = values[v.GetValueIndex(i)]
			}
		}
	case binaryLike:
		for i := range texts {
			if v.IsValid(i) {
				texts[i] = append([]byte{}, v.Value(i)...)
			}
		}
	default:
		return nil, fmt.Errorf("it is %s, not string", a.DataType())
	}
	return texts, nil
}

// sliceTexts points dst at the values of an Arrow string array. data holds the values from the first offset on.
func sliceTexts[O int32 | int64](dst [][]byte, a arrow.Array, data []byte, offsets []O) {
	if len(dst) == 0 {
		return
	}
	base := offsets[0]
	for i := range dst {
		if a.IsValid(i) {
			lo, hi := offsets[i]-base, offsets[i+1]-base
			dst[i] = data[lo:hi:hi]
			if dst[i] == nil {
				dst[i] = []byte{}
			}
		}
	}
}

func entriesFromArrow(e *Entries, a arrow.Array) error {
	m, ok := a.(*array.Map)
	if !ok {
		return fmt.Errorf("it is %s, not a map", a.DataType())
	}
	rows := m.Len()
	e.Offsets = make([]int32, 1, rows+1)
	if rows == 0 {
		return nil
	}
	keys, err := textsFromArrow(m.Keys())
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	values, err := textsFromArrow(m.Items())
	if err != nil {
		return fmt.Errorf("value: %w", err)
	}
	for i := range rows {
		if m.IsValid(i) {
			lo, hi := m.ValueOffsets(i)
			e.Keys = append(e.Keys, keys[lo:hi]...)
			e.Values = append(e.Values, values[lo:hi]...)
		}
		e.Offsets = append(e.Offsets, int32(len(e.Keys)))
	}
	return nil
}
