package maintain

import (
	"bytes"
	"cmp"
	"fmt"
	"math"

	"github.com/firnlog/firn/format"
)

// span is the true extent of one column over a run of rows: least and greatest value (NaN left out) and number of nulls.
type span struct {
	rows, nulls int64
	filled      bool // there is a least and a greatest value
	minText     []byte
	maxText     []byte
	minInt      int64
	maxInt      int64
	minFloat    float64
	maxFloat    float64
	kind        valueKind
}

// valueKind is how the values of a column are held.
type valueKind uint8

const (
	noValues valueKind = iota
	intValues
	floatValues
	boolValues
	textValues
)

// kindOf tells how values of a column type are held; noValues for maps and unknown types.
func kindOf(t format.Type) valueKind {
	switch t {
	case format.TypeInt32, format.TypeInt64, format.TypeTimestamp, format.TypeDate:
		return intValues
	case format.TypeFloat32, format.TypeFloat64:
		return floatValues
	case format.TypeBool:
		return boolValues
	case format.TypeString:
		return textValues
	}
	return noValues
}

// add widens the span by row i of a column.
func (s *span) add(c *format.Column, i int) {
	s.rows++
	if isNull(c, s.kind, i) {
		s.nulls++
		return
	}
	switch s.kind {
	case intValues:
		s.addInt(c.Ints[i])
	case boolValues:
		s.addInt(boolInt(c.Bools[i]))
	case floatValues:
		s.addFloat(c.Floats[i])
	case textValues:
		s.addText(c.Texts[i])
	}
}

func (s *span) addInt(v int64) {
	if !s.filled {
		s.minInt, s.maxInt, s.filled = v, v, true
		return
	}
	s.minInt, s.maxInt = min(s.minInt, v), max(s.maxInt, v)
}

func (s *span) addFloat(v float64) {
	switch {
	case math.IsNaN(v): // has no place in bounds
	case !s.filled:
		s.minFloat, s.maxFloat, s.filled = v, v, true
	default:
		s.minFloat, s.maxFloat = min(s.minFloat, v), max(s.maxFloat, v)
	}
}

func (s *span) addText(v []byte) {
	switch {
	case !s.filled:
		s.minText, s.maxText, s.filled = append(s.minText[:0], v...), append(s.maxText[:0], v...), true
	case bytes.Compare(v, s.minText) < 0:
		s.minText = append(s.minText[:0], v...)
	case bytes.Compare(v, s.maxText) > 0:
		s.maxText = append(s.maxText[:0], v...)
	}
}

// merge widens the span by another one of the same column.
func (s *span) merge(o *span) {
	s.rows += o.rows
	s.nulls += o.nulls
	if !o.filled {
		return
	}
	switch s.kind {
	case intValues, boolValues:
		s.addInt(o.minInt)
		s.addInt(o.maxInt)
	case floatValues:
		s.addFloat(o.minFloat)
		s.addFloat(o.maxFloat)
	case textValues:
		s.addText(o.minText)
		s.addText(o.maxText)
	}
}

// reset empties the span and keeps its memory.
func (s *span) reset() {
	s.rows, s.nulls, s.filled = 0, 0, false
}

// compareMin compares the least value with a bound of the kinds that Bounds hold; ok is false if the bound has another type.
func (s *span) compareMin(bound any) (order int, ok bool) {
	return s.compare(bound, s.minInt, s.minFloat, s.minText)
}

// compareMax compares the greatest value with a bound.
func (s *span) compareMax(bound any) (order int, ok bool) {
	return s.compare(bound, s.maxInt, s.maxFloat, s.maxText)
}

func (s *span) compare(bound any, i int64, f float64, text []byte) (int, bool) {
	switch b := bound.(type) {
	case int64:
		return cmp.Compare(i, b), s.kind == intValues
	case bool:
		return cmp.Compare(i, boolInt(b)), s.kind == boolValues
	case float64:
		if f == b { // also 0 and -0
			return 0, s.kind == floatValues
		}
		return cmp.Compare(f, b), s.kind == floatValues
	case string:
		return bytes.Compare(text, []byte(b)), s.kind == textValues
	}
	return 0, false
}

// outside tells how the span contradicts bounds; "" if it does not.
func (s *span) outside(lower, upper any) string {
	if !s.filled {
		return ""
	}
	if lower != nil {
		if order, ok := s.compareMin(lower); !ok {
			return fmt.Sprintf("lower bound %s has the wrong type", boundText(lower))
		} else if order < 0 {
			return fmt.Sprintf("lower bound is %s, least value is %s", boundText(lower), s.minString())
		}
	}
	if upper != nil {
		if order, ok := s.compareMax(upper); !ok {
			return fmt.Sprintf("upper bound %s has the wrong type", boundText(upper))
		} else if order > 0 {
			return fmt.Sprintf("upper bound is %s, greatest value is %s", boundText(upper), s.maxString())
		}
	}
	return ""
}

// contradicts tells how the span contradicts the statistics of a row group or page; "" if it does not.
func (s *span) contradicts(b format.Bounds) string {
	if b.NullCount >= 0 && b.NullCount != s.nulls {
		return fmt.Sprintf("null count is %d, there are %d nulls", b.NullCount, s.nulls)
	}
	if b.AllNull && s.nulls != s.rows {
		return fmt.Sprintf("said to be all null, there are %d values", s.rows-s.nulls)
	}
	if text := s.outside(b.Min, b.Max); text != "" {
		return text
	}
	if !s.filled {
		return ""
	}
	if order, ok := s.compareMin(b.Min); ok && b.MinExact && order != 0 {
		return fmt.Sprintf("lower bound %s is said to be exact, least value is %s", boundText(b.Min), s.minString())
	}
	if order, ok := s.compareMax(b.Max); ok && b.MaxExact && order != 0 {
		return fmt.Sprintf("upper bound %s is said to be exact, greatest value is %s", boundText(b.Max), s.maxString())
	}
	return ""
}

func (s *span) minString() string { return s.valueText(s.minInt, s.minFloat, s.minText) }
func (s *span) maxString() string { return s.valueText(s.maxInt, s.maxFloat, s.maxText) }

func (s *span) valueText(i int64, f float64, text []byte) string {
	switch s.kind {
	case floatValues:
		return fmt.Sprint(f)
	case textValues:
		return boundText(string(text))
	case boolValues:
		return fmt.Sprint(i != 0)
	}
	return fmt.Sprint(i)
}

// boundText prints a bound, shortened.
func boundText(v any) string {
	text, ok := v.(string)
	if !ok {
		return fmt.Sprint(v)
	}
	const most = 60
	if len(text) > most {
		return fmt.Sprintf("%q…", text[:most])
	}
	return fmt.Sprintf("%q", text)
}

// isNull tells whether row i of a column is null.
func isNull(c *format.Column, kind valueKind, i int) bool {
	if kind == textValues {
		return c.Texts[i] == nil
	}
	return c.Valid != nil && !c.Valid[i]
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
