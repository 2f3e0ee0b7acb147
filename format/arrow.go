package format

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// FieldIDKey is the key of an Arrow field's metadata that holds its Iceberg field id.
const FieldIDKey = "PARQUET:field_id"

// Arrow returns the schema as Arrow's, with the field ids as metadata under FieldIDKey. Unsupported columns are left out.
func (s *Schema) Arrow() *arrow.Schema { return nil }

// SchemaFromArrow returns the schema that an Arrow schema with field ids describes. Columns of types that firn does not know
// become TypeUnsupported.
func SchemaFromArrow(s *arrow.Schema) (*Schema, error) { return nil, errors.ErrUnsupported }

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
	return nil, errors.ErrUnsupported
}

// ToArrow copies the batch into an Arrow record batch of this schema, columns found by name; columns that the batch lacks are null.
// The caller releases the result.
func (b *Batch) ToArrow(s *arrow.Schema, mem memory.Allocator) (arrow.RecordBatch, error) {
	return nil, errors.ErrUnsupported
}
