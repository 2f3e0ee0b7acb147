package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/firnlog/firn"
)

// addValues adds the value indexes of --index-value to the properties of a table to be made.
func (f createFlags) addValues(spec firn.TableSpec) error {
	for _, text := range f.values {
		at := strings.LastIndexByte(text, '=')
		if at <= 0 || at == len(text)-1 {
			return usagef("--index-value %q: write expr=bloom, expr=range or expr=bloom,range", text)
		}
		var kinds []firn.ValueIndexKind
		for name := range strings.SplitSeq(text[at+1:], ",") {
			kinds = append(kinds, firn.ValueIndexKind(strings.TrimSpace(name)))
		}
		key, value, err := firn.ValueIndexProperty(text[:at], kinds...)
		if err != nil {
			return usagef("--index-value %s: %v", text, err)
		}
		spec.Properties[key] = value
		if err := firn.CheckValueIndexes(spec); err != nil {
			return usagef("--index-value %s: %v", text, err)
		}
	}
	return nil
}

// describeValues collects the value indexes that table properties declare.
func describeValues(properties map[string]string) map[string]string {
	values := map[string]string{}
	for expr, kinds := range firn.ValueIndexes(properties) {
		texts := make([]string, len(kinds))
		for i, kind := range kinds {
			texts[i] = string(kind)
		}
		values[expr] = strings.Join(texts, ",")
	}
	return values
}

// printValues prints value indexes, if there are any.
func (a *app) printValues(values map[string]string) error {
	if len(values) == 0 {
		return nil
	}
	var rows [][]string
	for _, expr := range slices.Sorted(maps.Keys(values)) {
		rows = append(rows, []string{expr, values[expr]})
	}
	return a.table("EXPRESSION\tVALUE INDEX", rows)
}
