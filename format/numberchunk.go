package format

import (
	"math"

	"github.com/apache/arrow-go/v18/parquet"
)

// writeNumbers writes a chunk of integers, floating-point numbers or booleans: rows [start, end) of c.
func (w *chunkWriter) writeNumbers(c *Column, start, end int) error {
	w.encoding = encodingPlain
	rows := max(w.pageBytes/8, 1)
	integers := c.Floats == nil && c.Bools == nil
	switch {
	case c.Bools == nil && w.field.Type != TypeTimestamp && w.numbers.build(c, start, end):
		if err := w.writeNumberDictionary(); err != nil {
			return err
		}
		w.encoding = encodingRLEDictionary
		w.ids = w.numbers.ids
		rows = maxPageValues
	case integers:
		w.encoding = encodingDeltaBinary
	}
	for first := start; start < end; start += rows {
		stop := min(start+rows, end)
		w.ints, w.bools = w.ints[:0], w.bools[:0]
		for i := start; i < stop; i++ {
			w.page.values++
			if c.Valid != nil && !c.Valid[i] {
				w.page.nulls++
				w.def = append(w.def, 0)
				continue
			}
			w.def = append(w.def, 1)
			w.addNumber(c, i)
		}
		switch {
		case w.encoding == encodingRLEDictionary:
			n := int(w.page.values - w.page.nulls)
			w.appendIDs(w.ids[:n])
			w.ids = w.ids[n:]
		case integers:
			w.body = appendDelta(w.body, w.ints, w.leaf.descr.PhysicalType() == parquet.Types.Int32)
		case c.Bools != nil:
			w.body = appendPlainBools(w.body, w.bools)
		}
		if err := w.flushPage(stop - first); err != nil {
			return err
		}
	}
	return nil
}

// addNumber adds the number in row i to the page and its bounds.
func (w *chunkWriter) addNumber(c *Column, i int) {
	switch {
	case c.Floats != nil:
		v := c.Floats[i]
		if w.field.Type == TypeFloat32 {
			v = float64(float32(v))
		}
		w.page.addReal(v)
		if w.encoding == encodingPlain {
			w.body = appendPlainNumber(w.body, w.field.Type, 0, v)
		}
	case c.Bools != nil:
		v := int64(0)
		if c.Bools[i] {
			v = 1
		}
		w.page.addInt(v)
		w.bools = append(w.bools, c.Bools[i])
	default:
		w.page.addInt(c.Ints[i])
		w.ints = append(w.ints, c.Ints[i])
	}
}

// writeNumberDictionary writes the dictionary page of w.numbers.
func (w *chunkWriter) writeNumberDictionary() error {
	w.body = w.body[:0]
	for _, bits := range w.numbers.entries {
		w.body = appendPlainNumber(w.body, w.field.Type, int64(bits), math.Float64frombits(bits))
	}
	return w.writeDictionary(len(w.numbers.entries))
}

// maxNumberEntries is how many different numbers a chunk may have to be dictionary-encoded; with more, the other encodings are as
// good.
const maxNumberEntries = 1024

// numberDictionary numbers the different numbers of a column chunk in order of appearance. It is reused from chunk to chunk.
type numberDictionary struct {
	ids     []uint32
	entries []uint64 // integers, or the bits of floating-point numbers
	table   []uint32 // open addressing by value: entry + 1; 0 is free
}

// build numbers the values that are not null and tells whether a dictionary pays.
func (d *numberDictionary) build(c *Column, start, end int) bool {
	const slots = 4 * maxNumberEntries
	if d.table == nil {
		d.table = make([]uint32, slots)
	}
	clear(d.table)
	d.ids, d.entries = d.ids[:0], d.entries[:0]
	for i := start; i < end; i++ {
		if c.Valid != nil && !c.Valid[i] {
			continue
		}
		var v uint64
		if c.Floats != nil {
			v = math.Float64bits(c.Floats[i])
		} else {
			v = uint64(c.Ints[i])
		}
		slot := int(v*0x9E3779B97F4A7C15>>40) % slots
		for d.table[slot] != 0 && d.entries[d.table[slot]-1] != v {
			slot = (slot + 1) % slots
		}
		if d.table[slot] == 0 {
			if len(d.entries) == maxNumberEntries {
				return false
			}
			d.entries = append(d.entries, v)
			d.table[slot] = uint32(len(d.entries))
		}
		d.ids = append(d.ids, d.table[slot]-1)
	}
	return len(d.entries) > 0 && len(d.entries)*8 <= len(d.ids)
}
