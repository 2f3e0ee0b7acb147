package format

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// The errors of the decoders say what is wrong with a page; callers add which.
var (
	errShortPage   = errors.New("the page ends before its values do")
	errBadRun      = errors.New("impossible run in the RLE/bit-packing encoding")
	errBadDelta    = errors.New("impossible block in the delta encoding")
	errBadLength   = errors.New("impossible length of a byte array")
	errBadEntry    = errors.New("a value points outside the dictionary")
	errNoDict      = errors.New("values are dictionary-encoded, but there is no dictionary")
	errBadEncoding = errors.New("encoding that firn does not know, or that does not fit the column")
)

// hybridReader reads Parquet's RLE/bit-packing hybrid.
type hybridReader struct {
	data   []byte
	width  int
	run    int // values left of a run of equal values
	value  uint32
	packed []byte // what is left of a bit-packed run
	bit    int    // bits of packed[0] that are used up
	left   int    // values left of the bit-packed run
}

func (h *hybridReader) reset(data []byte, width int) error {
	if width < 0 || width > 32 {
		return errBadRun
	}
	*h = hybridReader{data: data, width: width}
	return nil
}

// nextRun starts the next run.
func (h *hybridReader) nextRun() error {
	head, n := binary.Uvarint(h.data)
	if n <= 0 {
		return errShortPage
	}
	h.data = h.data[n:]
	count := head >> 1
	if count == 0 || count > math.MaxInt32 {
		return errBadRun
	}
	if head&1 == 0 {
		size := (h.width + 7) / 8
		if size > len(h.data) {
			return errShortPage
		}
		h.value = 0
		for i := range size {
			h.value |= uint32(h.data[i]) << (8 * i)
		}
		if h.width < 32 && h.value>>h.width != 0 {
			return errBadRun
		}
		h.data, h.run = h.data[size:], int(count)
		return nil
	}
	// Some writers cut the last group short, so the values are as many as the bytes hold.
	size := min(int(count)*h.width, len(h.data))
	h.packed, h.data, h.bit = h.data[:size:size], h.data[size:], 0
	h.left = int(count) * 8
	if h.width > 0 {
		h.left = min(h.left, size*8/h.width)
	}
	if h.left == 0 {
		return errShortPage
	}
	return nil
}

// readHybrid fills dst; the values must fit its type, which the width says.
func readHybrid[T uint8 | uint32](h *hybridReader, dst []T) error {
	for len(dst) > 0 {
		switch {
		case h.run > 0:
			n := min(h.run, len(dst))
			for i := range dst[:n] {
				dst[i] = T(h.value)
			}
			h.run -= n
			dst = dst[n:]
		case h.left > 0:
			n := min(h.left, len(dst))
			unpackHybrid(h, dst[:n])
			dst = dst[n:]
		default:
			if err := h.nextRun(); err != nil {
				return err
			}
		}
	}
	return nil
}

// unpackHybrid reads values of the bit-packed run, which has as many.
func unpackHybrid[T uint8 | uint32](h *hybridReader, dst []T) {
	h.left -= len(dst)
	mask := uint64(1)<<h.width - 1
	at := h.bit
	if h.width == 1 && at == 0 {
		if bits, ok := any(dst).([]uint8); ok {
			n := len(bits) / 8
			expandBits(bits, h.packed[:n])
			h.packed, dst = h.packed[n:], dst[n*8:]
		}
	}
	for i := range dst {
		var word uint64
		if tail := h.packed[at>>3:]; len(tail) >= 8 {
			word = binary.LittleEndian.Uint64(tail)
		} else {
			for j, b := range tail {
				word |= uint64(b) << (8 * j)
			}
		}
		dst[i] = T(word >> (at & 7) & mask)
		at += h.width
	}
	h.packed, h.bit = h.packed[at>>3:], at&7
}

// expandBits writes each bit of p, lowest first, as a byte.
func expandBits(dst []uint8, p []byte) {
	for i, b := range p {
		// Each byte of the word keeps one bit of b, which the addition carries into the byte's highest bit.
		word := uint64(b) * 0x0101010101010101 & 0x8040201008040201
		binary.LittleEndian.PutUint64(dst[8*i:], (word+0x7f7f7f7f7f7f7f7f)>>7&0x0101010101010101)
	}
}

// skip goes over n values.
func (h *hybridReader) skip(n int) error {
	for n > 0 {
		switch {
		case h.run > 0:
			k := min(h.run, n)
			h.run -= k
			n -= k
		case h.left > 0:
			k := min(h.left, n)
			at := h.bit + k*h.width
			h.packed, h.bit = h.packed[at>>3:], at&7
			h.left -= k
			n -= k
		default:
			if err := h.nextRun(); err != nil {
				return err
			}
		}
	}
	return nil
}

// constant tells whether the next n values are all v without reading them; it may say no where a longer look would say yes.
func (h *hybridReader) constant(n int, v uint32) bool {
	if h.run == 0 && h.left == 0 && h.nextRun() != nil {
		return false
	}
	return h.run >= n && h.value == v
}

// deltaReader reads Parquet's DELTA_BINARY_PACKED.
type deltaReader struct {
	data    []byte
	narrow  bool
	mini    int // values of a miniblock
	minis   int // miniblocks of a block
	left    int // values left, including the first
	first   bool
	last    int64
	least   int64
	widths  []byte
	at      int // miniblocks begun of the block
	packed  []byte
	bit     int
	width   int
	pending int // values left of the miniblock
}

// reset starts reading values from data. narrow says that the column is of 32 bits.
func (d *deltaReader) reset(data []byte, narrow bool) error {
	*d = deltaReader{narrow: narrow, first: true}
	var head [3]uint64
	for i := range head {
		v, n := binary.Uvarint(data)
		if n <= 0 {
			return errShortPage
		}
		head[i], data = v, data[n:]
	}
	first, n := binary.Varint(data)
	if n <= 0 {
		return errShortPage
	}
	block, minis, total := head[0], head[1], head[2]
	if minis == 0 || minis > 1<<12 || block == 0 || block > 1<<20 || block%minis != 0 || (block/minis)%32 != 0 || total > math.MaxInt32 {
		return errBadDelta
	}
	d.data, d.last = data[n:], first
	d.minis, d.mini, d.left = int(minis), int(block/minis), int(total)
	d.at = d.minis
	return nil
}

// read fills dst.
func (d *deltaReader) read(dst []int64) error {
	if len(dst) > d.left {
		return errShortPage
	}
	d.left -= len(dst)
	if d.first && len(dst) > 0 {
		d.first = false
		dst[0] = d.last
		dst = dst[1:]
	}
	for len(dst) > 0 {
		if d.pending == 0 {
			if err := d.nextMiniblock(); err != nil {
				return err
			}
		}
		n := min(d.pending, len(dst))
		d.unpack(dst[:n])
		dst = dst[n:]
	}
	return nil
}

func (d *deltaReader) nextMiniblock() error {
	if d.at == d.minis {
		least, n := binary.Varint(d.data)
		if n <= 0 || len(d.data)-n < d.minis {
			return errShortPage
		}
		d.least, d.widths, d.data = least, d.data[n:n+d.minis], d.data[n+d.minis:]
		d.at = 0
	}
	d.width = int(d.widths[d.at])
	d.at++
	if d.width > 64 {
		return errBadDelta
	}
	// The last miniblock may be cut short by a careless writer.
	size := min(d.mini*d.width/8, len(d.data))
	d.packed, d.data, d.bit = d.data[:size], d.data[size:], 0
	d.pending = d.mini
	if d.width > 0 {
		d.pending = min(d.mini, size*8/d.width)
	}
	if d.pending == 0 {
		return errShortPage
	}
	return nil
}

func (d *deltaReader) unpack(dst []int64) {
	d.pending -= len(dst)
	last := d.last
	for i := range dst {
		delta := int64(0)
		if d.width > 0 {
			delta = int64(readBits(d.packed, d.bit, d.width))
			d.bit += d.width
		}
		last += delta + d.least
		if d.narrow {
			last = int64(int32(last))
		}
		dst[i] = last
	}
	d.last = last
}

// readBits reads a number of 1 to 64 bits; the bytes hold it.
func readBits(p []byte, at, width int) uint64 {
	p = p[at>>3:]
	shift := at & 7
	var low uint64
	if len(p) >= 8 {
		low = binary.LittleEndian.Uint64(p)
	} else {
		for i, b := range p {
			low |= uint64(b) << (8 * i)
		}
	}
	v := low >> shift
	if shift+width > 64 {
		v |= uint64(p[8]) << (64 - shift)
	}
	if width < 64 {
		v &= 1<<width - 1
	}
	return v
}

// rest returns the bytes behind the values, once all of them are read: miniblocks that hold no value are not stored.
func (d *deltaReader) rest() []byte { return d.data }

// levelWidth returns the bits that levels up to limit take.
func levelWidth(limit uint8) int { return bits.Len8(limit) }
