package index

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firnlog/firn/index/expression"
	"github.com/firnlog/firn/index/valueindex"
)

// PropertyValuePrefix begins a table property: followed by an expression it gives the expression value indexes: "bloom", "range", "bloom,range" or "none".
const PropertyValuePrefix = "firn.index.value."

// PropertyValueBlockRows is the table property of Options.ValueBlockRows.
const PropertyValueBlockRows = "firn.index.value-block-rows"

// KindRange is, beside KindBloom and KindNone, a word of a PropertyValuePrefix property.
const KindRange = "range"

// ValueColumn is what value indexes must know of a table's column.
type ValueColumn struct {
	FieldID int
	Map     bool             // a map of texts
	Class   valueindex.Class // of a column that is no map; NoClass has no value index
}

// ValueColumnOf returns what value indexes must know of a column of a type, as Iceberg, Arrow schemas of firn and table specs spell it.
func ValueColumnOf(fieldID int, typeName string) ValueColumn {
	c := ValueColumn{FieldID: fieldID}
	switch typeName {
	case "string":
		c.Class = valueindex.Text
	case "float", "double":
		c.Class = valueindex.Float
	case "boolean", "bool", "int", "long", "date", "timestamp", "timestamptz":
		c.Class = valueindex.Whole
	case "map<string,string>", "map<string, string>":
		c.Map = true
	}
	return c
}

// ValuesFromProperties reads the value indexes of a table from its properties. columns are all columns of the table by name; an expression on another
// one is ignored, because columns are renamed and dropped without regard to properties. Expressions are ordered by their spelling. An expression or
// value that cannot be read, or that does not fit the type of the column, is ErrInvalidOptions.
func ValuesFromProperties(props map[string]string, columns map[string]ValueColumn) ([]ValueSpec, error) {
	var specs []ValueSpec
	for _, key := range slices.Sorted(maps.Keys(props)) {
		text, ok := strings.CutPrefix(key, PropertyValuePrefix)
		if !ok {
			continue
		}
		spec, err := parseValueProperty(text, props[key], columns)
		if err != nil {
			return nil, fmt.Errorf("property %s: %w", key, err)
		}
		if !spec.Bloom && !spec.Range {
			continue
		}
		same := slices.IndexFunc(specs, func(o ValueSpec) bool { return o.Expression == spec.Expression })
		if same >= 0 { // another spelling of the same expression
			specs[same].Bloom, specs[same].Range = specs[same].Bloom || spec.Bloom, specs[same].Range || spec.Range
			continue
		}
		specs = append(specs, spec)
	}
	slices.SortFunc(specs, func(a, b ValueSpec) int { return cmp.Compare(a.Expression, b.Expression) })
	return specs, nil
}

// parseValueProperty reads one property; no kinds if it says none, or if there is no such column.
func parseValueProperty(text, kinds string, columns map[string]ValueColumn) (ValueSpec, error) {
	e, err := expression.Parse(text)
	if err != nil {
		return ValueSpec{}, fmt.Errorf("%w: %w", ErrInvalidOptions, err)
	}
	spec, err := ParseValueKinds(kinds)
	if err != nil {
		return ValueSpec{}, err
	}
	column, ok := columns[e.Column]
	if !ok {
		return ValueSpec{}, nil
	}
	spec.Expression, spec.FieldID = e.String(), column.FieldID
	return spec, checkFit(e, spec, column)
}

// checkFit says whether an expression fits the type of its column.
func checkFit(e expression.Expression, spec ValueSpec, column ValueColumn) error {
	problem := ""
	switch {
	case e.Function == expression.Column && column.Map:
		problem = "the column is a map; give map_keys, map_values or element_at of it"
	case e.Function == expression.Column && column.Class == valueindex.NoClass:
		problem = "the column is of a type that firn cannot read"
	case e.Function == expression.Column && column.Class == valueindex.Text && spec.Range:
		problem = "a text column is compared as text, which a range cannot help with; give bloom"
	case e.Function == expression.MapKeys && spec.Range:
		problem = "keys are not compared, so a range cannot help; give bloom"
	case e.Function == expression.JSONExtract && column.Class != valueindex.Text:
		problem = "only a text column can hold JSON"
	case e.Function != expression.Column && e.Function != expression.JSONExtract && !column.Map:
		problem = "the column is no map"
	}
	if problem != "" {
		return fmt.Errorf("%w: %s: %s", ErrInvalidOptions, e, problem)
	}
	return nil
}

// ParseValueKinds reads the kinds of value index of an expression, "bloom,range" for instance, into a ValueSpec without expression and id.
func ParseValueKinds(text string) (ValueSpec, error) {
	given, err := parseKinds(text, KindBloom, KindRange)
	return ValueSpec{Bloom: given[KindBloom], Range: given[KindRange]}, err
}
