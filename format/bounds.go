package format

import (
	"encoding/binary"
	"math"
)

// Bounds are the statistics of one column over a row group or page. They are sound: no value lies outside Min..Max, whatever the
// writer of the file did; only of NaN, which has no order, other writers' bounds say nothing. Values are int64 (integers,
// timestamps in µs, dates in days), float64, string or bool; strings compare by bytes.
type Bounds struct {
	Min, Max           any   // nil: unknown, or there is no value
	NullCount          int64 // -1: unknown
	AllNull            bool  // known that there is no value
	MinExact, MaxExact bool  // whether Min (Max) is known to occur as a value, rather than only bounding the values
}

// PageBounds are the bounds of one page.
type PageBounds struct {
	Rows RowRange
	Bounds
}

func unknownBounds() Bounds { return Bounds{NullCount: -1} }

// checkOrder drops bounds that contradict each other.
func (b *Bounds) checkOrder() {
	wrong := false
	switch lo := b.Min.(type) {
	case int64:
		hi, ok := b.Max.(int64)
		wrong = ok && lo > hi
	case float64:
		hi, ok := b.Max.(float64)
		wrong = ok && lo > hi
	case string:
		hi, ok := b.Max.(string)
		wrong = ok && lo > hi
	case bool:
		hi, ok := b.Max.(bool)
		wrong = ok && lo && !hi
	}
	if wrong {
		b.Min, b.Max, b.MinExact, b.MaxExact = nil, nil, false, false
	}
}

// decodeBound returns a bound as a value of the column; nil if it is none.
func (c *boundColumn) decodeBound(raw []byte) any {
	if raw == nil {
		return nil
	}
	switch c.file.physical {
	case physicalBool:
		if len(raw) == 1 {
			return raw[0] != 0
		}
	case physicalInt32:
		if len(raw) == 4 {
			v := int64(int32(binary.LittleEndian.Uint32(raw)))
			if c.file.convert == convertUint32 {
				v = int64(uint32(v))
			}
			return v
		}
	case physicalInt64:
		if len(raw) == 8 {
			v := [1]int64{int64(binary.LittleEndian.Uint64(raw))}
			convertTimes(v[:], c.file.convert)
			return v[0]
		}
	case physicalFloat:
		if len(raw) == 4 {
			return orderedFloat(float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))))
		}
	case physicalDouble:
		if len(raw) == 8 {
			return orderedFloat(math.Float64frombits(binary.LittleEndian.Uint64(raw)))
		}
	case physicalBytes:
		return string(raw)
	}
	return nil
}

// orderedFloat returns v, or nil if it is NaN, which bounds nothing.
func orderedFloat(v float64) any {
	if math.IsNaN(v) {
		return nil
	}
	return v
}

// trustedOrder tells whether bounds of the column follow the order that firn compares by: the footer must say that they follow the
// specification's.
func (f *File) trustedOrder(c *fileColumn) bool {
	return c.signed() || c.leaf < len(f.ordered) && f.ordered[c.leaf]
}

// signed tells whether the column holds signed integers, of which every writer has the same order.
func (c *fileColumn) signed() bool {
	return (c.physical == physicalInt32 || c.physical == physicalInt64) && c.convert != convertUint32
}

// Bounds returns the statistics of a column in this row group; false if the file has none that can be trusted.
func (g *RowGroup) Bounds(fieldID int) (Bounds, bool) {
	column, err := g.file.bound(fieldID)
	if err != nil {
		return unknownBounds(), false
	}
	return g.boundsOf(column)
}

func (g *RowGroup) boundsOf(column *boundColumn) (Bounds, bool) {
	b := unknownBounds()
	if column.file == nil {
		b.AllNull = true
		if column.field.Type != TypeStringMap { // no map is null, it is empty
			b.NullCount = int64(g.Rows)
		}
		return b, true
	}
	if column.reason != "" || column.file.maxRep > 0 {
		return b, false
	}
	s := g.file.groups[g.number].chunks[column.file.leaf].stats
	if s == nil {
		return b, false
	}
	if s.nulls >= 0 && s.nulls <= int64(g.Rows) {
		b.NullCount = s.nulls
		b.AllNull = s.nulls == int64(g.Rows)
	}
	lo, hi := s.min, s.max
	if !g.file.trustedOrder(column.file) {
		lo, hi = nil, nil
	}
	if column.file.signed() && lo == nil && hi == nil {
		lo, hi = s.oldMin, s.oldMax
	}
	if !b.AllNull {
		b.Min, b.Max = column.decodeBound(lo), column.decodeBound(hi)
		text := column.field.Type == TypeString
		b.MinExact, b.MaxExact = b.Min != nil && (!text || s.minExact), b.Max != nil && (!text || s.maxExact)
		b.checkOrder()
	}
	return b, b.Min != nil || b.Max != nil || b.NullCount >= 0
}
