package query

import (
	"unsafe"

	"github.com/firnlog/firn/format"
)

// coder numbers the different values of a column in the order of their appearance. It belongs to one goroutine.
type coder struct {
	typ     format.Type
	bucket  *bucketer // nil: values as they are
	numbers map[int64]uint32
	texts   map[string]uint32
	values  []scalar // by code
	null    uint32   // code of null, plus 1; 0: none yet
	bytes   int64    // of memory, about

	recentNumbers [256]recentNumber
	recentTexts   [256]recentSlice
}

// recentNumber remembers the code of a number.
type recentNumber struct {
	n    int64
	code uint32 // plus 1
}

// recentSlice remembers the code of a text by where it lies in memory: values of a dictionary page share theirs, and so are found without hashing. It holds
// for one batch only, as memory is reused.
type recentSlice struct {
	data *byte
	n    int
	code uint32 // plus 1
}

// Memory that an entry of a map with its value takes, roughly.
const coderEntryBytes = 96

func newCoder(t format.Type, bucket *bucketer) *coder {
	c := &coder{typ: t, bucket: bucket}
	if t == format.TypeString {
		c.texts = map[string]uint32{}
	} else {
		c.numbers = map[int64]uint32{}
	}
	return c
}

// code returns the code of a value, which is not rounded.
func (c *coder) code(v scalar) uint32 {
	switch {
	case v.null:
		return c.nullCode()
	case c.typ == format.TypeString:
		if code, ok := c.texts[v.text]; ok {
			return code
		}
		return c.addText(v.text)
	}
	return c.number(v.n)
}

func (c *coder) nullCode() uint32 {
	if c.null == 0 {
		c.values = append(c.values, nullScalar)
		c.null = uint32(len(c.values))
	}
	return c.null - 1
}

func (c *coder) number(n int64) uint32 {
	code, ok := c.numbers[n]
	if !ok {
		code = uint32(len(c.values))
		c.values = append(c.values, scalar{n: n})
		c.numbers[n] = code
		c.bytes += coderEntryBytes
	}
	return code
}

func (c *coder) addText(text string) uint32 {
	code := uint32(len(c.values))
	c.values = append(c.values, scalar{text: text})
	c.texts[text] = code
	c.bytes += coderEntryBytes + int64(len(text))
	return code
}

// codes fills in the codes of rows of a vector.
func (c *coder) codes(from *format.Column, rows []int32, out []uint32) {
	switch {
	case from.Field.Type == format.TypeString:
		c.textCodes(from.Texts, rows, out)
	case c.bucket != nil:
		c.bucketCodes(from, rows, out)
	case from.Field.Type == format.TypeBool:
		for i, row := range rows {
			out[i] = c.code(scalarAt(from, row))
		}
	case isFloat(from.Field.Type):
		for i, row := range rows {
			if from.Valid != nil && !from.Valid[row] {
				out[i] = c.nullCode()
				continue
			}
			out[i] = c.recentNumber(floatBits(from.Floats[row]))
		}
	default:
		for i, row := range rows {
			if from.Valid != nil && !from.Valid[row] {
				out[i] = c.nullCode()
				continue
			}
			out[i] = c.recentNumber(from.Ints[row])
		}
	}
}

func (c *coder) recentNumber(n int64) uint32 {
	slot := &c.recentNumbers[uint64(n)*0x9E3779B97F4A7C15>>56]
	if slot.code == 0 || slot.n != n {
		*slot = recentNumber{n, c.number(n) + 1}
	}
	return slot.code - 1
}

// bucketCodes divides once for each run of times in one interval.
func (c *coder) bucketCodes(from *format.Column, rows []int32, out []uint32) {
	start, end, code := int64(1), int64(0), uint32(0)
	for i, row := range rows {
		if from.Valid != nil && !from.Valid[row] {
			out[i] = c.nullCode()
			continue
		}
		if t := from.Ints[row]; t < start || t >= end {
			start, end = c.bucket.span(t)
			code = c.number(start)
		}
		out[i] = code
	}
}

func (c *coder) textCodes(texts [][]byte, rows []int32, out []uint32) {
	clear(c.recentTexts[:])
	for i, row := range rows {
		text := texts[row]
		if text == nil {
			out[i] = c.nullCode()
			continue
		}
		data := unsafe.SliceData(text)
		slot := &c.recentTexts[uint64(uintptr(unsafe.Pointer(data)))*0x9E3779B97F4A7C15>>56]
		if slot.code == 0 || slot.data != data || slot.n != len(text) {
			code, ok := c.texts[string(text)]
			if !ok {
				code = c.addText(string(text))
			}
			*slot = recentSlice{data, len(text), code + 1}
		}
		out[i] = slot.code - 1
	}
}
