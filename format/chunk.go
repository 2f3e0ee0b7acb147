package format

import (
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// checkColumn checks that the vectors of c are what a field of this kind needs for rows rows.
func checkColumn(f Field, c *Column, rows int) error {
	switch f.Type {
	case TypeString:
		if len(c.Texts) != rows {
			return fmt.Errorf("%d texts for %d rows", len(c.Texts), rows)
		}
		if f.Required {
			for i, t := range c.Texts {
				if t == nil {
					return fmt.Errorf("row %d is null, but the column is required", i)
				}
			}
		}
		return nil
	case TypeStringMap:
		return checkEntries(&c.Entries, rows)
	}
	n := len(c.Ints)
	switch f.Type {
	case TypeFloat32, TypeFloat64:
		n = len(c.Floats)
	case TypeBool:
		n = len(c.Bools)
	}
	if n != rows {
		return fmt.Errorf("%d values for %d rows", n, rows)
	}
	if c.Valid != nil && len(c.Valid) != rows {
		return fmt.Errorf("%d validity flags for %d rows", len(c.Valid), rows)
	}
	if f.Required {
		for i, valid := range c.Valid {
			if !valid {
				return fmt.Errorf("row %d is null, but the column is required", i)
			}
		}
	}
	return nil
}

func checkEntries(e *Entries, rows int) error {
	if len(e.Offsets) != rows+1 {
		return fmt.Errorf("%d offsets for %d rows", len(e.Offsets), rows)
	}
	if len(e.Keys) != len(e.Values) {
		return fmt.Errorf("%d keys and %d values", len(e.Keys), len(e.Values))
	}
	if rows >= 0 && e.Offsets[0] < 0 || int(e.Offsets[rows]) > len(e.Keys) {
		return fmt.Errorf("offsets %d to %d for %d entries", e.Offsets[0], e.Offsets[rows], len(e.Keys))
	}
	for i := range rows {
		if e.Offsets[i] > e.Offsets[i+1] {
			return fmt.Errorf("offsets descend at row %d", i)
		}
	}
	for i := e.Offsets[0]; i < e.Offsets[rows]; i++ {
		if e.Keys[i] == nil {
			return fmt.Errorf("entry %d has a null key", i)
		}
	}
	return nil
}

// chunkScratch holds the vectors that writing a column chunk needs, for reuse.
type chunkScratch struct {
	def, rep []int16
	texts    []parquet.ByteArray
	int32s   []int32
	int64s   []int64
	float32s []float32
	float64s []float64
	bools    []bool
}

// write writes rows [start, end) of c as the column chunk of a leaf.
func (s *chunkScratch) write(cw file.ColumnChunkWriter, f Field, l leaf, c *Column, start, end int) error {
	s.def, s.rep = s.def[:0], nil
	if l.part != partValue {
		return s.writeMap(cw.(*file.ByteArrayColumnChunkWriter), f, l, &c.Entries, start, end)
	}
	valid := func(i int) bool { return c.Valid == nil || c.Valid[i] }
	var err error
	switch w := cw.(type) {
	case *file.ByteArrayColumnChunkWriter:
		s.texts = s.texts[:0]
		for _, t := range c.Texts[start:end] {
			d := int16(0)
			if t != nil {
				s.texts = append(s.texts, t)
				d = 1
			}
			s.def = append(s.def, d)
		}
		_, err = w.WriteBatch(s.texts, s.levels(l), nil)
	case *file.Int64ColumnChunkWriter:
		s.int64s = compactInto(s, s.int64s[:0], c.Ints, valid, start, end)
		_, err = w.WriteBatch(s.int64s, s.levels(l), nil)
	case *file.Int32ColumnChunkWriter:
		s.int32s = compactInto(s, s.int32s[:0], c.Ints, valid, start, end)
		_, err = w.WriteBatch(s.int32s, s.levels(l), nil)
	case *file.Float64ColumnChunkWriter:
		s.float64s = compactInto(s, s.float64s[:0], c.Floats, valid, start, end)
		_, err = w.WriteBatch(s.float64s, s.levels(l), nil)
	case *file.Float32ColumnChunkWriter:
		s.float32s = compactInto(s, s.float32s[:0], c.Floats, valid, start, end)
		_, err = w.WriteBatch(s.float32s, s.levels(l), nil)
	case *file.BooleanColumnChunkWriter:
		s.bools = s.bools[:0]
		for i := start; i < end; i++ {
			d := int16(0)
			if valid(i) {
				s.bools = append(s.bools, c.Bools[i])
				d = 1
			}
			s.def = append(s.def, d)
		}
		_, err = w.WriteBatch(s.bools, s.levels(l), nil)
	}
	return err
}

func (s *chunkScratch) levels(l leaf) []int16 {
	if l.maxDef == 0 {
		return nil
	}
	return s.def
}

func compactInto[D, S int32 | int64 | float32 | float64](s *chunkScratch, dst []D, src []S, valid func(int) bool, start, end int) []D {
	for i := start; i < end; i++ {
		d := int16(0)
		if valid(i) {
			dst = append(dst, D(src[i]))
			d = 1
		}
		s.def = append(s.def, d)
	}
	return dst
}

func (s *chunkScratch) writeMap(w *file.ByteArrayColumnChunkWriter, f Field, l leaf, e *Entries, start, end int) error {
	base := int16(1)
	if f.Required {
		base = 0
	}
	values := e.Keys
	if l.part == partMapValue {
		values = e.Values
	}
	s.rep, s.texts = s.rep[:0], s.texts[:0]
	for i := start; i < end; i++ {
		lo, hi := e.Offsets[i], e.Offsets[i+1]
		if lo == hi {
			s.def, s.rep = append(s.def, base), append(s.rep, 0)
			continue
		}
		for j := lo; j < hi; j++ {
			r := int16(1)
			if j == lo {
				r = 0
			}
			d := l.maxDef
			if values[j] == nil {
				d--
			}
			s.def, s.rep = append(s.def, d), append(s.rep, r)
		}
	}
	vs := byteArrays(values[e.Offsets[start]:e.Offsets[end]])
	if l.part == partMapValue {
		for _, v := range vs {
			if v != nil {
				s.texts = append(s.texts, v)
			}
		}
		vs = s.texts
	}
	_, err := w.WriteBatch(vs, s.def, s.rep)
	return err
}

// byteArrays returns the same vector under arrow-go's name for it: parquet.ByteArray is declared as []byte, so the two slice types have
// one layout.
func byteArrays(v [][]byte) []parquet.ByteArray {
	return unsafe.Slice((*parquet.ByteArray)(unsafe.Pointer(unsafe.SliceData(v))), len(v))
}
