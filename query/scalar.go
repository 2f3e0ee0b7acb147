package query

import (
	"cmp"
	"math"
	"strings"

	"github.com/firnlog/firn/format"
)

// scalar is one value outside of a vector.
type scalar struct {
	null bool
	n    int64 // whole numbers, microseconds, days, bools as 0 and 1, and the bits of floats
	text string
}

var nullScalar = scalar{null: true}

// floatScalar makes a scalar of a float: all NaN are alike, and so are 0 and -0.
func floatScalar(f float64) scalar { return scalar{n: floatBits(f)} }

func floatBits(f float64) int64 {
	switch {
	case f != f:
		return int64(math.Float64bits(math.NaN()))
	case f == 0:
		return 0
	}
	return int64(math.Float64bits(f))
}

func (v scalar) float() float64 { return math.Float64frombits(uint64(v.n)) }

func isFloat(t format.Type) bool { return t == format.TypeFloat32 || t == format.TypeFloat64 }

// compareScalars orders values of a type: texts by their bytes, false before true, NaN behind all numbers. Nulls are equal and behind all else.
func compareScalars(t format.Type, a, b scalar) int {
	switch {
	case a.null || b.null:
		return boolOrder(a.null, b.null)
	case t == format.TypeString:
		return strings.Compare(a.text, b.text)
	case isFloat(t):
		return compareFloats(a.float(), b.float())
	}
	return cmp.Compare(a.n, b.n)
}

// compareFloats is cmp.Compare with NaN behind all numbers.
func compareFloats(a, b float64) int {
	if a != a || b != b {
		return boolOrder(a != a, b != b)
	}
	return cmp.Compare(a, b)
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// scalarAt returns a value of a vector; a text is copied.
func scalarAt(c *format.Column, row int32) scalar {
	switch {
	case c.Field.Type == format.TypeString:
		if c.Texts[row] == nil {
			return nullScalar
		}
		return scalar{text: string(c.Texts[row])}
	case c.Valid != nil && !c.Valid[row]:
		return nullScalar
	case c.Field.Type == format.TypeBool:
		if c.Bools[row] {
			return scalar{n: 1}
		}
		return scalar{}
	case isFloat(c.Field.Type):
		return floatScalar(c.Floats[row])
	}
	return scalar{n: c.Ints[row]}
}

// scalarOf returns a bound of statistics as a value.
func scalarOf(v any) (scalar, bool) {
	switch v := v.(type) {
	case int64:
		return scalar{n: v}, true
	case bool:
		if v {
			return scalar{n: 1}, true
		}
		return scalar{}, true
	case float64:
		return floatScalar(v), true
	case string:
		return scalar{text: v}, true
	}
	return scalar{}, false
}

// vectorOf makes a vector of values.
func vectorOf(field format.Field, values []scalar) format.Column {
	c := format.Column{Field: field}
	for i, v := range values {
		switch {
		case field.Type == format.TypeString:
			if v.null {
				c.Texts = append(c.Texts, nil)
			} else {
				c.Texts = append(c.Texts, append([]byte{}, v.text...))
			}
			continue
		case field.Type == format.TypeBool:
			c.Bools = append(c.Bools, v.n != 0)
		case isFloat(field.Type):
			c.Floats = append(c.Floats, v.float())
		default:
			c.Ints = append(c.Ints, v.n)
		}
		if v.null && c.Valid == nil {
			c.Valid = make([]bool, i, len(values))
			for j := range c.Valid {
				c.Valid[j] = true
			}
		}
		if c.Valid != nil {
			c.Valid = append(c.Valid, !v.null)
		}
	}
	return c
}
