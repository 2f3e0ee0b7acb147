package catalog

import (
	"context"
	"errors"
)

// SchemaChange is one of AddColumn, RenameColumn, WidenColumn.
type SchemaChange interface {
	schemaChange()
}

// AddColumn adds a column at the end. It must not be required: the rows that exist have no value for it.
type AddColumn struct{ Column Column }

// RenameColumn gives a column another name; its field id and its data stay. The columns that firn itself relies on (_timestamp,
// log_msg, attrs) keep their names.
type RenameColumn struct{ From, To string }

// WidenColumn changes int to long or float to double.
type WidenColumn struct{ Name, Type string }

func (AddColumn) schemaChange()    {}
func (RenameColumn) schemaChange() {}
func (WidenColumn) schemaChange()  {}

// UpdateSchema applies the changes in one commit and returns the table with the new schema.
func (t *Table) UpdateSchema(ctx context.Context, changes ...SchemaChange) (*Table, error) {
	return nil, errors.ErrUnsupported
}

// SetProperties sets table properties in one commit; an empty value removes the property.
func (t *Table) SetProperties(ctx context.Context, properties map[string]string) (*Table, error) {
	return nil, errors.ErrUnsupported
}
