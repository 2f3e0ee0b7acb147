package format

import (
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
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
