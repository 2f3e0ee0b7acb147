package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// SchemaChange is one of AddColumn, RenameColumn, WidenColumn.
type SchemaChange interface {
	check(schema *iceberg.Schema) error
	apply(update *table.UpdateSchema) error
	// done says whether a schema that came out of base holds the change.
	done(base, now *iceberg.Schema) bool
}

// AddColumn adds a column at the end. It must not be required: the rows that exist have no value for it.
type AddColumn struct{ Column Column }

// RenameColumn gives a column another name; its field id and its data stay. The columns that firn itself relies on (_timestamp,
// log_msg, attrs) keep their names.
type RenameColumn struct{ From, To string }

// WidenColumn changes int to long or float to double.
type WidenColumn struct{ Name, Type string }

// UpdateSchema applies the changes, in order, in one commit, and returns the table with the new schema.
//
// Errors: ErrInvalid (nothing changed), else those of Append.
func (t *Table) UpdateSchema(ctx context.Context, changes ...SchemaChange) (*Table, error) {
	if len(changes) == 0 {
		return t, nil
	}
	base := t.inner.Schema()
	return t.catalog.commit(ctx, t, change{
		stage: func(_ context.Context, current *table.Table, tx *table.Transaction) error {
			update := tx.UpdateSchema(true, false)
			for _, ch := range changes {
				if err := ch.check(current.Schema()); err != nil {
					return err
				}
				if err := ch.apply(update); err != nil {
					return err
				}
			}
			if err := update.Commit(); err != nil {
				return fmt.Errorf("%w: %w", ErrInvalid, err)
			}
			return nil
		},
		done: func(now table.Metadata) bool {
			return !slices.ContainsFunc(changes, func(ch SchemaChange) bool { return !ch.done(base, now.CurrentSchema()) })
		},
	})
}

func (a AddColumn) check(schema *iceberg.Schema) error {
	if err := checkColumnName(a.Column.Name); err != nil {
		return err
	}
	if a.Column.Required {
		return fmt.Errorf("%w: column %q cannot be required: the rows that exist have no value for it", ErrInvalid, a.Column.Name)
	}
	return checkFree(schema, a.Column.Name)
}

func (a AddColumn) apply(update *table.UpdateSchema) error {
	typ, err := icebergType(a.Column, 1) // iceberg-go assigns the ids
	if err != nil {
		return err
	}
	update.AddColumn([]string{a.Column.Name}, typ, a.Column.Doc, false, nil)
	return nil
}

func (a AddColumn) done(base, now *iceberg.Schema) bool {
	_, before := base.FindFieldByName(a.Column.Name)
	field, ok := now.FindFieldByName(a.Column.Name)
	return !before && ok && typeName(field.Type) == a.Column.Type
}

func (r RenameColumn) check(schema *iceberg.Schema) error {
	switch r.From {
	case ColumnTimestamp, ColumnMessage, ColumnAttrs:
		return fmt.Errorf("%w: column %q keeps its name: firn relies on it", ErrInvalid, r.From)
	}
	if err := checkExists(schema, r.From); err != nil {
		return err
	}
	if err := checkColumnName(r.To); err != nil {
		return err
	}
	if strings.EqualFold(r.From, r.To) {
		return nil
	}
	return checkFree(schema, r.To)
}

func (r RenameColumn) apply(update *table.UpdateSchema) error {
	update.RenameColumn([]string{r.From}, r.To)
	return nil
}

func (r RenameColumn) done(base, now *iceberg.Schema) bool {
	before, had := base.FindFieldByName(r.From)
	after, ok := now.FindFieldByName(r.To)
	return had && ok && before.ID == after.ID
}

func (w WidenColumn) check(schema *iceberg.Schema) error {
	if err := checkExists(schema, w.Name); err != nil {
		return err
	}
	field, _ := schema.FindFieldByName(w.Name)
	switch from := typeName(field.Type); {
	case from == TypeInt && w.Type == TypeLong, from == TypeFloat && w.Type == TypeDouble:
		return nil
	default:
		return fmt.Errorf("%w: column %q is %s and cannot become %q: only int to long and float to double are possible",
			ErrInvalid, w.Name, from, w.Type)
	}
}

func (w WidenColumn) apply(update *table.UpdateSchema) error {
	typ, err := icebergType(Column{Name: w.Name, Type: w.Type}, 1)
	if err != nil {
		return err
	}
	update.UpdateColumn([]string{w.Name}, table.ColumnUpdate{FieldType: iceberg.Optional[iceberg.Type]{Val: typ, Valid: true}})
	return nil
}

func (w WidenColumn) done(_, now *iceberg.Schema) bool {
	field, ok := now.FindFieldByName(w.Name)
	return ok && typeName(field.Type) == w.Type
}

func checkExists(schema *iceberg.Schema, name string) error {
	if _, ok := schema.FindFieldByName(name); !ok {
		return fmt.Errorf("%w: there is no column %q", ErrInvalid, name)
	}
	return nil
}

func checkFree(schema *iceberg.Schema, name string) error {
	if field, taken := schema.FindFieldByNameCaseInsensitive(name); taken {
		return fmt.Errorf("%w: there is a column %q already (names differ in more than upper and lower case)", ErrInvalid, field.Name)
	}
	return nil
}

// SetProperties sets table properties in one commit; an empty value removes the property.
//
// Errors: ErrInvalid (nothing changed), else those of Append.
func (t *Table) SetProperties(ctx context.Context, properties map[string]string) (*Table, error) {
	if len(properties) == 0 {
		return t, nil
	}
	if err := checkProperties(properties); err != nil {
		return nil, err
	}
	set := iceberg.Properties{}
	var remove []string
	for key, value := range properties {
		if value == "" {
			remove = append(remove, key)
		} else {
			set[key] = value
		}
	}
	slices.Sort(remove)
	return t.catalog.commit(ctx, t, change{
		stage: func(_ context.Context, _ *table.Table, tx *table.Transaction) error {
			if err := tx.SetProperties(set); err != nil {
				return fmt.Errorf("%w: %w", ErrInvalid, err)
			}
			if err := tx.RemoveProperties(remove); err != nil {
				return fmt.Errorf("%w: %w", ErrInvalid, err)
			}
			return nil
		},
		done: func(now table.Metadata) bool {
			for key, value := range properties {
				if now.Properties()[key] != value {
					return false
				}
			}
			return true
		},
	})
}

// checkProperties refuses keys that Iceberg keeps for itself.
func checkProperties(properties map[string]string) error {
	for key := range properties {
		if key == "" || slices.Contains(table.ReservedProperties[:], key) {
			return fmt.Errorf("%w: property %q cannot be set: Iceberg derives it from the table", ErrInvalid, key)
		}
	}
	return nil
}
