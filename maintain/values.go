package maintain

import (
	"slices"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

// lackingValue returns the first expression that wanted asks a value index for and have does not give; "" if there is none.
func lackingValue(have, wanted []index.ValueSpec) string {
	for _, w := range wanted {
		if !slices.ContainsFunc(have, func(h index.ValueSpec) bool {
			return h.FieldID == w.FieldID && h.Expression == w.Expression && (h.Bloom || !w.Bloom) && (h.Range || !w.Range)
		}) {
			return w.Expression
		}
	}
	return ""
}

// indexedFields returns the ids of the fields that a builder with these options wants to see, as far as the schema has them in a type that can be read.
func indexedFields(schema *format.Schema, opts index.Options) []int {
	var ids []int
	add := func(id int, fits func(t format.Type) bool) {
		if f, ok := schema.ByID(id); ok && fits(f.Type) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, c := range opts.Columns {
		add(c.FieldID, func(t format.Type) bool { return t == format.TypeString })
	}
	for _, v := range opts.Values {
		add(v.FieldID, func(t format.Type) bool { return t != format.TypeUnsupported })
	}
	return ids
}
