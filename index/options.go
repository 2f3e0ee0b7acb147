package index

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/firnlog/firn/index/analyzer"
)

// ColumnSpec says which indexes one string column gets.
type ColumnSpec struct {
	Column  string `json:"column"`           // name at the time of building, for people
	FieldID int    `json:"field_id"`         // Iceberg field id: what look-ups go by
	Bitmap  bool   `json:"bitmap,omitempty"` // token -> rows (TokenBitMap)
	Bloom   bool   `json:"bloom,omitempty"`  // is the token anywhere in the file (TokenBloomFilter)
}

// Options say what an index holds. They are stored in the sidecar. Zero fields mean the defaults.
type Options struct {
	Columns  []ColumnSpec    `json:"columns"`
	Values   []ValueSpec     `json:"values,omitempty"` // value indexes on expressions
	Analyzer analyzer.Params `json:"analyzer"`
	// ValueBlockRows is how many rows a block of the value indexes has; 0 means 512 if there are any.
	ValueBlockRows int `json:"value_block_rows,omitempty"`
	// FalsePositiveRate of the bloom filters, above 0 and at most 0.5; 0 means 0.01.
	FalsePositiveRate float64 `json:"false_positive_rate"`
	// BitmapFraction is the size that the bitmap of all columns should have, as a fraction of the data file's; 0 means 0.1, at most 10. It decides how many
	// tokens get postings of rows, and not of blocks of rows; what the bitmap needs at least is written whatever it says.
	BitmapFraction float64 `json:"bitmap_fraction"`
}

// Defaults of Options.
const (
	DefaultFalsePositiveRate = 0.01
	DefaultBitmapFraction    = 0.1
	largestBitmapFraction    = 10
)

// Names of the table properties that say what is indexed and where.
const (
	PropertyColumnPrefix   = "firn.index.column."         // + column name: "bitmap,bloom", "bitmap", "bloom" or "none"
	PropertyFPP            = "firn.index.fpp"             // Options.FalsePositiveRate
	PropertyBitmapFraction = "firn.index.bitmap-fraction" // Options.BitmapFraction
	PropertyAnalyzer       = "firn.index.analyzer"        // Options.Analyzer as JSON
	PropertyLocation       = "firn.index.location"        // URI below which sidecars live; default: the table location + ".index"
)

// Words of a PropertyColumnPrefix property.
const (
	KindBitmap = "bitmap"
	KindBloom  = "bloom"
	KindNone   = "none"
)

// withDefaults checks the options and fills in what is zero.
func (o Options) withDefaults() (Options, error) {
	o, _, err := o.complete()
	return o, err
}

// complete is withDefaults, and returns the analyzer too.
func (o Options) complete() (Options, *analyzer.Analyzer, error) {
	a, err := analyzer.New(o.Analyzer)
	if err != nil {
		return Options{}, nil, fmt.Errorf("%w: %w", ErrInvalidOptions, err)
	}
	o.Analyzer = a.Params()
	if o.FalsePositiveRate == 0 {
		o.FalsePositiveRate = DefaultFalsePositiveRate
	}
	if o.BitmapFraction == 0 {
		o.BitmapFraction = DefaultBitmapFraction
	}
	switch {
	case !(o.FalsePositiveRate >= 1e-6 && o.FalsePositiveRate <= 0.5):
		return Options{}, nil, fmt.Errorf("%w: the false positive rate is %v; give 0.000001 to 0.5", ErrInvalidOptions, o.FalsePositiveRate)
	case !(o.BitmapFraction > 0 && o.BitmapFraction <= largestBitmapFraction):
		return Options{}, nil, fmt.Errorf("%w: the bitmap fraction is %v; give a number above 0 and at most %d", ErrInvalidOptions, o.BitmapFraction, largestBitmapFraction)
	}
	o.Columns = slices.Clone(o.Columns)
	seen := map[int]bool{}
	for _, c := range o.Columns {
		if c.FieldID <= 0 || seen[c.FieldID] || int64(c.FieldID) > 1<<31-1 {
			return Options{}, nil, fmt.Errorf("%w: field id %d of column %q is not positive or twice there", ErrInvalidOptions, c.FieldID, c.Column)
		}
		if !c.Bitmap && !c.Bloom {
			return Options{}, nil, fmt.Errorf("%w: column %q gets neither bitmap nor bloom; leave it out", ErrInvalidOptions, c.Column)
		}
		seen[c.FieldID] = true
	}
	if o.Values, o.ValueBlockRows, err = checkValues(o.Values, o.ValueBlockRows); err != nil {
		return Options{}, nil, err
	}
	return o, a, nil
}

// OptionsFromProperties reads the Options of a table from its properties. textColumns are its string columns by name, with their
// field ids; a property for a column that is not among them is ignored, because columns are renamed and dropped without regard to
// properties. A value that cannot be read is ErrInvalidOptions. Columns are ordered by field id; a table that indexes none has none.
func OptionsFromProperties(props map[string]string, textColumns map[string]int) (Options, error) {
	var o Options
	for name, id := range textColumns {
		value, ok := props[PropertyColumnPrefix+name]
		if !ok {
			continue
		}
		spec, err := ParseKinds(value)
		if err != nil {
			return Options{}, fmt.Errorf("property %s%s: %w", PropertyColumnPrefix, name, err)
		}
		if spec.Bitmap || spec.Bloom {
			spec.Column, spec.FieldID = name, id
			o.Columns = append(o.Columns, spec)
		}
	}
	slices.SortFunc(o.Columns, func(a, b ColumnSpec) int { return cmp.Compare(a.FieldID, b.FieldID) })

	var err error
	number := func(name string, set func(string) error) {
		if value, ok := props[name]; ok && err == nil {
			if e := set(strings.TrimSpace(value)); e != nil {
				err = fmt.Errorf("%w: property %s is %q: %w", ErrInvalidOptions, name, value, e)
			}
		}
	}
	number(PropertyFPP, func(v string) (e error) { o.FalsePositiveRate, e = strconv.ParseFloat(v, 64); return e })
	number(PropertyBitmapFraction, func(v string) (e error) { o.BitmapFraction, e = strconv.ParseFloat(v, 64); return e })
	number(PropertyValueBlockRows, func(v string) (e error) { o.ValueBlockRows, e = strconv.Atoi(v); return e })
	number(PropertyAnalyzer, func(v string) error {
		dec := json.NewDecoder(bytes.NewReader([]byte(v)))
		dec.DisallowUnknownFields()
		return dec.Decode(&o.Analyzer)
	})
	if err != nil {
		return Options{}, err
	}
	return o.withDefaults()
}

// ParseKinds reads the kinds of index of a column, "bitmap,bloom" for instance, into a ColumnSpec without name and id.
func ParseKinds(text string) (ColumnSpec, error) {
	given, err := parseKinds(text, KindBitmap, KindBloom)
	return ColumnSpec{Bitmap: given[KindBitmap], Bloom: given[KindBloom]}, err
}

// parseKinds reads some of two kinds of index, with commas between them, or KindNone alone.
func parseKinds(text, first, second string) (given map[string]bool, err error) {
	given = map[string]bool{}
	for _, word := range strings.Split(text, ",") {
		kind := strings.ToLower(strings.TrimSpace(word))
		if kind != first && kind != second && kind != KindNone {
			return nil, fmt.Errorf("%w: %q is no kind of index here; give %s, %s, both with a comma between them, or %s", ErrInvalidOptions, word, first, second, KindNone)
		}
		given[kind] = true
	}
	if given[KindNone] && len(given) > 1 {
		return nil, fmt.Errorf("%w: %q says %s and more", ErrInvalidOptions, text, KindNone)
	}
	return given, nil
}
