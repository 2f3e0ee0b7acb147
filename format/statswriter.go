package format

import (
	"bytes"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/parquet/metadata"
)

// maxBoundBytes is where the bounds of texts are cut: longer ones would make the page index of a log message column larger than it
// is worth.
const maxBoundBytes = 64

// columnStats gathers the least and greatest value of a page or column chunk. The zero value is empty.
type columnStats struct {
	any              bool // whether there is a bound
	unbounded        bool // a value that has no order was seen, so that there are no bounds
	nulls, values    int64
	minInt, maxInt   int64
	minReal, maxReal float64
	minText, maxText []byte
}

func (s *columnStats) addInt(v int64) {
	if !s.any {
		s.any, s.minInt, s.maxInt = true, v, v
		return
	}
	s.minInt, s.maxInt = min(s.minInt, v), max(s.maxInt, v)
}

// addReal counts a floating-point value. NaN has no order: a page that holds one has no bounds, because a reader could not tell.
func (s *columnStats) addReal(v float64) {
	switch {
	case math.IsNaN(v):
		s.unbounded = true
	case !s.any:
		s.any, s.minReal, s.maxReal = true, v, v
	case v < s.minReal:
		s.minReal = v
	case v > s.maxReal:
		s.maxReal = v
	}
}

func (s *columnStats) addText(v []byte) {
	switch {
	case !s.any:
		s.any, s.minText, s.maxText = true, v, v
	case bytes.Compare(v, s.minText) < 0:
		s.minText = v
	case bytes.Compare(v, s.maxText) > 0:
		s.maxText = v
	}
}

// merge adds the values that o has seen. t is the column's type.
func (s *columnStats) merge(o *columnStats, t Type) {
	s.nulls += o.nulls
	s.values += o.values
	s.unbounded = s.unbounded || o.unbounded
	if !o.any {
		return
	}
	switch t {
	case TypeString, TypeStringMap:
		s.addText(o.minText)
		s.addText(o.maxText)
	case TypeFloat32, TypeFloat64:
		s.addReal(o.minReal)
		s.addReal(o.maxReal)
	default:
		s.addInt(o.minInt)
		s.addInt(o.maxInt)
	}
}

// encode returns the statistics in Parquet's form. minExact and maxExact tell whether the bounds are values of the column, rather
// than cut.
func (s *columnStats) encode(t Type) (out metadata.EncodedStatistics, minExact, maxExact bool) {
	out.SetNullCount(s.nulls)
	out.AllNullValue = s.values == s.nulls
	if !s.any || s.unbounded {
		return out, false, false
	}
	minExact, maxExact = true, true
	var lo, hi []byte
	hasMax := true
	switch t {
	case TypeString:
		lo, minExact = cutMin(s.minText)
		hi, maxExact, hasMax = cutMax(s.maxText)
	case TypeBool:
		lo, hi = []byte{byte(s.minInt)}, []byte{byte(s.maxInt)}
	case TypeFloat32, TypeFloat64:
		// The specification: zero may be of either sign, so bounds of zero take the wider one.
		least, greatest := s.minReal, s.maxReal
		if least == 0 {
			least = math.Copysign(0, -1)
		}
		if greatest == 0 {
			greatest = 0
		}
		lo, hi = appendPlainNumber(nil, t, 0, least), appendPlainNumber(nil, t, 0, greatest)
	default:
		lo, hi = appendPlainNumber(nil, t, s.minInt, 0), appendPlainNumber(nil, t, s.maxInt, 0)
		out.Signed = true
	}
	out.SetMin(lo)
	if hasMax {
		out.SetMax(hi)
	}
	return out, minExact, maxExact
}

// cutMin returns a text that is not greater than v and short, and whether it is v itself. It is a copy.
func cutMin(v []byte) (bound []byte, exact bool) {
	if len(v) <= maxBoundBytes {
		return bytes.Clone(v), true
	}
	return bytes.Clone(v[:wholeRunes(v, maxBoundBytes)]), false
}

// cutMax returns a text that is not less than v and short, and whether it is v itself. It cuts v and raises the last character
// that can be raised. ok is false if there is none: then there is no short bound.
func cutMax(v []byte) (bound []byte, exact, ok bool) {
	if len(v) <= maxBoundBytes {
		return bytes.Clone(v), true, true
	}
	cut := v[:wholeRunes(v, maxBoundBytes)]
	for len(cut) > 0 {
		r, size := utf8.DecodeLastRune(cut)
		cut = cut[:len(cut)-size]
		next := r + 1
		if next == 0xD800 { // the surrogates are no characters
			next = 0xE000
		}
		if (r == utf8.RuneError && size <= 1) || next > utf8.MaxRune {
			continue
		}
		return utf8.AppendRune(bytes.Clone(cut), next), false, true
	}
	return nil, false, false
}

// wholeRunes returns the greatest length up to limit at which v can be cut without cutting a character.
func wholeRunes(v []byte, limit int) int {
	for n := limit; n > limit-utf8.UTFMax && n > 0; n-- {
		if utf8.RuneStart(v[n]) {
			return n
		}
	}
	return limit
}
