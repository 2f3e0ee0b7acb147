package ingest

import (
	"encoding/binary"
	"math"

	"github.com/firnlog/firn/format"
)

// Bounds of a row group: it ends with the row that reaches one of them, or format.DefaultRowGroupRows.
const (
	maxGroupBytes   = 128 << 20 // of row bytes in the arena
	maxGroupEntries = 3 << 19   // of attrs
)

// A gatherer turns runs of refs into batches whose texts point into the buffer's arena. It reuses its vectors.
type gatherer struct {
	plan  *plan
	batch format.Batch
}

func newGatherer(p *plan) *gatherer {
	g := &gatherer{plan: p}
	g.batch.Columns = make([]format.Column, len(p.schema.Fields))
	for i, f := range p.schema.Fields {
		g.batch.Columns[i].Field = f
	}
	return g
}

// next fills the batch with the next row group of the rows, which are all of the partition and in order, and returns how many it took.
func (g *gatherer) next(b *buffer, part partition, rows []ref) (*format.Batch, int) {
	rows = rows[:min(len(rows), format.DefaultRowGroupRows)]
	g.empty(len(rows), b.entries*len(rows)/len(b.refs)*5/4)
	dayStart := int64(part.day) * microsPerDay
	entries := &g.batch.Columns[max(g.plan.attrs, 0)].Entries
	var size int
	n := 0
	for n < len(rows) && size < maxGroupBytes && len(entries.Keys) < maxGroupEntries {
		row := rows[n]
		micros := dayStart + int64(row.key&(1<<dayBits-1)/1000)
		size += g.row(b, b.arena.at(row.at), micros)
		n++
	}
	for i := range g.batch.Columns {
		c := &g.batch.Columns[i]
		if c.Field.Type == format.TypeStringMap && i != g.plan.attrs {
			for range n {
				c.Offsets = append(c.Offsets, 0)
			}
		}
	}
	g.batch.Rows = n
	return &g.batch, n
}

// empty makes room for rows, with about so many entries of attrs.
func (g *gatherer) empty(rows, entries int) {
	for i := range g.batch.Columns {
		c := &g.batch.Columns[i]
		switch c.Field.Type {
		case format.TypeString:
			c.Texts = sized(c.Texts, rows)
		case format.TypeBool:
			c.Bools, c.Valid = sized(c.Bools, rows), sized(c.Valid, rows)
		case format.TypeFloat32, format.TypeFloat64:
			c.Floats, c.Valid = sized(c.Floats, rows), sized(c.Valid, rows)
		case format.TypeInt32, format.TypeInt64, format.TypeDate, format.TypeTimestamp:
			c.Ints = sized(c.Ints, rows)
			if i != g.plan.timestamp {
				c.Valid = sized(c.Valid, rows)
			}
		case format.TypeStringMap:
			c.Offsets = append(sized(c.Offsets, rows+1), 0)
			c.Keys, c.Values = sized(c.Keys, entries), sized(c.Values, entries)
		}
	}
}

// sized returns an empty slice with room for n elements.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, 0, n)
	}
	return s[:0]
}

// row adds one encoded row to the batch and returns its length.
func (g *gatherer) row(b *buffer, src []byte, micros int64) int {
	n := 0
	for i := range g.batch.Columns {
		c := &g.batch.Columns[i]
		switch c.Field.Type {
		case format.TypeString:
			length, size := getLength(src[n:])
			n += size
			var text []byte
			if length > 0 {
				end := n + length - 1
				text = src[n:end:end]
				n = end
			}
			c.Texts = append(c.Texts, text)
		case format.TypeBool:
			c.Bools = append(c.Bools, src[n] == 2)
			c.Valid = append(c.Valid, src[n] != 0)
			n++
		case format.TypeStringMap, format.TypeUnsupported, format.TypeInvalid:
		default:
			if i == g.plan.timestamp {
				c.Ints = append(c.Ints, micros)
				continue
			}
			valid := src[n] != 0
			n++
			var bits uint64
			if valid {
				bits = binary.LittleEndian.Uint64(src[n:])
				n += 8
			}
			c.Valid = append(c.Valid, valid)
			if c.Field.Type == format.TypeFloat32 || c.Field.Type == format.TypeFloat64 {
				c.Floats = append(c.Floats, math.Float64frombits(bits))
			} else {
				c.Ints = append(c.Ints, int64(bits))
			}
		}
	}
	if g.plan.attrs >= 0 {
		n += g.attrs(b, src[n:])
	}
	return n
}

func (g *gatherer) attrs(b *buffer, src []byte) int {
	c := &g.batch.Columns[g.plan.attrs].Entries
	count, n := getLength(src)
	for range count {
		id, size := getLength(src[n:])
		n += size
		length, size := getLength(src[n:])
		n += size
		var text []byte
		if length > 0 {
			end := n + length - 1
			text = src[n:end:end]
			n = end
		}
		c.Keys = append(c.Keys, b.names[id])
		c.Values = append(c.Values, text)
	}
	c.Offsets = append(c.Offsets, int32(len(c.Keys)))
	return n
}
