package format

import (
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// FieldIDKey is the key of an Arrow field's metadata that holds its Iceberg field id.
const FieldIDKey = "PARQUET:field_id"

var (
	arrowTimestamp = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	arrowTypes     = map[Type]arrow.DataType{
		TypeString:    arrow.BinaryTypes.String,
		TypeBool:      arrow.FixedWidthTypes.Boolean,
		TypeInt32:     arrow.PrimitiveTypes.Int32,
		TypeInt64:     arrow.PrimitiveTypes.Int64,
		TypeFloat32:   arrow.PrimitiveTypes.Float32,
		TypeFloat64:   arrow.PrimitiveTypes.Float64,
		TypeTimestamp: arrowTimestamp,
		TypeDate:      arrow.FixedWidthTypes.Date32,
	}
)

// Arrow returns the schema as Arrow's, with the field ids as metadata under FieldIDKey. Unsupported columns are left out.
func (s *Schema) Arrow() *arrow.Schema {
	fields := make([]arrow.Field, 0, len(s.Fields))
	for _, f := range s.Fields {
		dt := arrowTypes[f.Type]
		if f.Type == TypeStringMap {
			dt = arrow.MapOfFields(
				arrow.Field{Name: "key", Type: arrow.BinaryTypes.String, Metadata: fieldID(f.KeyID)},
				arrow.Field{Name: "value", Type: arrow.BinaryTypes.String, Nullable: true, Metadata: fieldID(f.ValueID)})
		}
		if dt == nil {
			continue
		}
		fields = append(fields, arrow.Field{Name: f.Name, Type: dt, Nullable: !f.Required, Metadata: fieldID(f.ID)})
	}
	return arrow.NewSchema(fields, nil)
}

func fieldID(id int) arrow.Metadata {
	return arrow.NewMetadata([]string{FieldIDKey}, []string{strconv.Itoa(id)})
}

func idOf(f arrow.Field) (int, error) {
	text, ok := f.Metadata.GetValue(FieldIDKey)
	if !ok {
		return 0, fmt.Errorf("%w: column %q has no field id under %q", ErrUnsupported, f.Name, FieldIDKey)
	}
	id, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%w: column %q has the field id %q, which is no number", ErrUnsupported, f.Name, text)
	}
	return id, nil
}

// SchemaFromArrow returns the schema that an Arrow schema with field ids describes. Columns of types that firn does not know
// become TypeUnsupported.
func SchemaFromArrow(s *arrow.Schema) (*Schema, error) {
	out := &Schema{Fields: make([]Field, 0, s.NumFields())}
	for _, af := range s.Fields() {
		id, err := idOf(af)
		if err != nil {
			return nil, err
		}
		f := Field{Name: af.Name, ID: id, Type: typeOfArrow(af.Type), Required: !af.Nullable}
		if m, ok := af.Type.(*arrow.MapType); ok && f.Type == TypeStringMap {
			if f.KeyID, err = idOf(m.KeyField()); err != nil {
				return nil, fmt.Errorf("key of %q: %w", af.Name, err)
			}
			if f.ValueID, err = idOf(m.ItemField()); err != nil {
				return nil, fmt.Errorf("value of %q: %w", af.Name, err)
			}
		}
		out.Fields = append(out.Fields, f)
	}
	return out, nil
}

// typeOfArrow returns the column type for an Arrow type. Timestamps without a zone are no timestamptz and hence unsupported.
func typeOfArrow(dt arrow.DataType) Type {
	switch t := dt.(type) {
	case *arrow.StringType, *arrow.LargeStringType:
		return TypeString
	case *arrow.BooleanType:
		return TypeBool
	case *arrow.Int32Type:
		return TypeInt32
	case *arrow.Int64Type:
		return TypeInt64
	case *arrow.Float32Type:
		return TypeFloat32
	case *arrow.Float64Type:
		return TypeFloat64
	case *arrow.Date32Type:
		return TypeDate
	case *arrow.TimestampType:
		if t.TimeZone != "" {
			return TypeTimestamp
		}
	case *arrow.MapType:
		if typeOfArrow(t.KeyType()) == TypeString && typeOfArrow(t.ItemType()) == TypeString {
			return TypeStringMap
		}
	}
	return TypeUnsupported
}

// Lookup returns the field of this name.
func (s *Schema) Lookup(name string) (Field, bool) {
	for _, f := range s.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// ByID returns the field with this Iceberg field id.
func (s *Schema) ByID(id int) (Field, bool) {
	for _, f := range s.Fields {
		if f.ID == id {
			return f, true
		}
	}
	return Field{}, false
}

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
