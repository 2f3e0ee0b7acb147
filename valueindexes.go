package firn

import (
	"fmt"
	"strings"

	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/index/expression"
)

// ValueIndexKind is a kind of value index on an expression.
type ValueIndexKind string

// The kinds of value index. Both tell for each block of some hundred rows whether it may hold a match.
const (
	ValueIndexBloom ValueIndexKind = "bloom" // point look-ups: x = value, x in (…)
	ValueIndexRange ValueIndexKind = "range" // comparisons of numbers: x > 5, x between 5 and 9
	ValueIndexNone  ValueIndexKind = "none"
)

// ValueIndexProperty returns the table property that gives an expression these value indexes, for TableSpec.Properties or Table.SetProperties. The
// expression is a column's name, map_keys(attrs), map_values(attrs), element_at(attrs,'key') (or attrs['key']), or json_extract(log_msg,'$.a.b'). Files
// written before keep what they have until PlanIndex is applied. Errors: index.ErrInvalidOptions.
func ValueIndexProperty(expr string, kinds ...ValueIndexKind) (key, value string, err error) {
	e, err := expression.Parse(expr)
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", index.ErrInvalidOptions, err)
	}
	texts := []string{}
	for _, kind := range kinds {
		texts = append(texts, string(kind))
	}
	if len(texts) == 0 {
		texts = []string{string(ValueIndexNone)}
	}
	value = strings.Join(texts, ",")
	_, err = index.ParseValueKinds(value)
	return index.PropertyValuePrefix + e.String(), value, err
}

// ValueIndexes returns the value indexes that table properties declare: expression to kinds.
func ValueIndexes(properties map[string]string) map[string][]ValueIndexKind {
	found := map[string][]ValueIndexKind{}
	for key, value := range properties {
		expr, ok := strings.CutPrefix(key, index.PropertyValuePrefix)
		if !ok {
			continue
		}
		for text := range strings.SplitSeq(value, ",") {
			if kind := ValueIndexKind(strings.TrimSpace(text)); kind != ValueIndexNone {
				found[expr] = append(found[expr], kind)
			}
		}
	}
	return found
}

// CheckValueIndexes says whether the value indexes that the properties of a table to be made declare fit its columns: nil or index.ErrInvalidOptions.
func CheckValueIndexes(spec TableSpec) error {
	columns := map[string]index.ValueColumn{}
	for i, c := range append(DefaultColumns(), spec.Columns...) {
		columns[c.Name] = index.ValueColumnOf(i+1, c.Type)
	}
	for key := range spec.Properties {
		if expr, ok := strings.CutPrefix(key, index.PropertyValuePrefix); ok {
			e, err := expression.Parse(expr)
			if err != nil {
				return fmt.Errorf("%w: property %s: %w", index.ErrInvalidOptions, key, err)
			}
			if _, ok := columns[e.Column]; !ok {
				return fmt.Errorf("%w: property %s: the table has no column %q", index.ErrInvalidOptions, key, e.Column)
			}
		}
	}
	_, err := index.ValuesFromProperties(spec.Properties, columns)
	return err
}
