package firn

import (
	"slices"
	"strings"

	"github.com/firnlog/firn/index"
)

// IndexKind is a kind of text index.
type IndexKind string

// The kinds of text index of a string column.
const (
	IndexBitmap IndexKind = "bitmap" // token to rows: finds the rows of a file that hold a token
	IndexBloom  IndexKind = "bloom"  // token to yes or no: skips files that do not hold a token
	IndexNone   IndexKind = "none"   // no text index
)

// valueBloomPrefix is the Iceberg table property, known to other engines too, that asks for Parquet's own bloom filter on a column.
const valueBloomPrefix = "write.parquet.bloom-filter-enabled.column."

// IndexProperty returns the table property that gives a string column these text indexes, for TableSpec.Properties or
// Table.SetProperties. Files written before keep what they have until PlanIndex is applied.
func IndexProperty(column string, kinds ...IndexKind) (key, value string) {
	var texts []string
	for _, kind := range []IndexKind{IndexBitmap, IndexBloom} {
		if slices.Contains(kinds, kind) {
			texts = append(texts, string(kind))
		}
	}
	if len(texts) == 0 {
		texts = []string{string(IndexNone)}
	}
	return index.PropertyColumnPrefix + column, strings.Join(texts, ",")
}

// IndexKinds returns the text indexes that table properties give to a column; none is an empty list.
func IndexKinds(properties map[string]string, column string) []IndexKind {
	var kinds []IndexKind
	for text := range strings.SplitSeq(properties[index.PropertyColumnPrefix+column], ",") {
		switch kind := IndexKind(strings.TrimSpace(text)); kind {
		case IndexBitmap, IndexBloom:
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// ValueBloomProperty returns the table property that gives a column Parquet's own bloom filter over whole values, for point
// look-ups such as trace_id:4bf92f35. Every engine profits from it.
func ValueBloomProperty(column string) (key, value string) { return valueBloomPrefix + column, "true" }

// HasValueBloom tells whether table properties ask for a value bloom filter on a column.
func HasValueBloom(properties map[string]string, column string) bool {
	return strings.EqualFold(properties[valueBloomPrefix+column], "true")
}
