package format

import "github.com/apache/arrow-go/v18/parquet"

// writeNumbers writes a chunk of integers, floating-point numbers or booleans.
func (w *chunkWriter) writeNumbers(c *Column, start, end int) error {
	w.encoding = encodingPlain
	integers := c.Floats == nil && c.Bools == nil
	if integers {
		w.encoding = encodingDeltaBinary
	}
	rows := max(w.pageBytes/8, 1)
	for ; start < end; start += rows {
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
		case integers:
			w.body = appendDelta(w.body, w.ints, w.leaf.descr.PhysicalType() == parquet.Types.Int32)
		case c.Bools != nil:
			w.body = appendPlainBools(w.body, w.bools)
		}
		if err := w.flushPage(w.firstRow + stop - start); err != nil {
			return err
		}
	}
	return nil
}

func (w *chunkWriter) addNumber(c *Column, i int) {
	switch {
	case c.Floats != nil:
		v := c.Floats[i]
		if w.field.Type == TypeFloat32 {
			v = float64(float32(v))
		}
		w.page.addReal(v)
		w.body = appendPlainNumber(w.body, w.field.Type, 0, v)
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
