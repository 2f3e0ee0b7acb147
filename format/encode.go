package format

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The encodings of Parquet that the writer uses, by their numbers in the Parquet specification.
const (
	encodingPlain         = 0
	encodingRLE           = 3
	encodingDeltaBinary   = 5
	encodingRLEDictionary = 8
)

// appendHybrid appends values in Parquet's RLE/bit-packing hybrid: runs of eight or more equal values as (length, value), everything
// else bit-packed in groups of eight. Every value must fit in width bits.
func appendHybrid[T uint8 | uint32](dst []byte, values []T, width int) []byte {
	for i := 0; i < len(values); {
		if run := runLength(values[i:]); run >= 8 {
			dst = appendRun(dst, run, uint32(values[i]), width)
			i += run
			continue
		}
		start := i
		for i < len(values) {
			i += 8
			if i >= len(values) || (len(values)-i >= 8 && equalGroup(values[i:i+8])) {
				break
			}
		}
		dst = appendPacked(dst, values[start:min(i, len(values))], width)
	}
	return dst
}

// appendRun appends one run of equal values in the hybrid encoding.
func appendRun(dst []byte, run int, value uint32, width int) []byte {
	dst = binary.AppendUvarint(dst, uint64(run)<<1)
	for b := 0; b < width; b += 8 {
		dst = append(dst, byte(value>>b))
	}
	return dst
}

func runLength[T uint8 | uint32](values []T) int {
	first := values[0]
	for i, v := range values {
		if v != first {
			return i
		}
	}
	return len(values)
}

func equalGroup[T uint8 | uint32](v []T) bool {
	_ = v[7]
	x := v[0]
	return v[1] == x && v[2] == x && v[3] == x && v[4] == x && v[5] == x && v[6] == x && v[7] == x
}

// appendPacked appends one bit-packed run of the hybrid encoding; the last group is padded with zeros.
func appendPacked[T uint8 | uint32](dst []byte, values []T, width int) []byte {
	groups := (len(values) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	var acc uint64
	held := 0
	for _, v := range values {
		acc |= uint64(v) << held
		held += width
		for held >= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
			held -= 8
		}
	}
	for bit := (groups*8 - len(values)) * width; bit > 0; {
		step := min(bit, 32)
		bit -= step
		held += step
		for held >= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
			held -= 8
		}
	}
	return dst
}

// bitWidth returns how many bits a value up to limit takes.
func bitWidth(limit uint32) int { return bits.Len32(limit) }

// Sizes of a block of the delta encoding, as every writer uses them.
const (
	deltaBlock      = 128
	deltaMiniblocks = 4
	deltaMiniblock  = deltaBlock / deltaMiniblocks
)

// appendDelta appends values in Parquet's DELTA_BINARY_PACKED encoding. Differences wrap around, as the specification wants it.
// narrow says that the column is of 32 bits, where differences wrap at 32 bits.
func appendDelta(dst []byte, values []int64, narrow bool) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaMiniblocks)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	if len(values) == 0 {
		return binary.AppendVarint(dst, 0)
	}
	dst = binary.AppendVarint(dst, values[0])
	var deltas [deltaBlock]uint64
	for i := 1; i < len(values); i += deltaBlock {
		n := min(deltaBlock, len(values)-i)
		least := int64(math.MaxInt64)
		for j := range n {
			d := values[i+j] - values[i+j-1]
			if narrow {
				d = int64(int32(d))
			}
			deltas[j] = uint64(d)
			least = min(least, d)
		}
		for j := range n {
			deltas[j] -= uint64(least)
			if narrow {
				deltas[j] = uint64(uint32(deltas[j]))
			}
		}
		clear(deltas[n:])
		dst = binary.AppendVarint(dst, least)
		dst = appendMiniblocks(dst, &deltas, n)
	}
	return dst
}

// appendMiniblocks appends the bit widths of a block's miniblocks and those miniblocks that hold any of its n deltas.
func appendMiniblocks(dst []byte, deltas *[deltaBlock]uint64, n int) []byte {
	var widths [deltaMiniblocks]int
	for m := range widths {
		var all uint64
		for _, d := range deltas[m*deltaMiniblock : (m+1)*deltaMiniblock] {
			all |= d
		}
		widths[m] = bits.Len64(all)
		dst = append(dst, byte(widths[m]))
	}
	for m, width := range widths {
		if m*deltaMiniblock >= n {
			break
		}
		dst = appendBits(dst, deltas[m*deltaMiniblock:(m+1)*deltaMiniblock], width)
	}
	return dst
}

// appendBits packs values of up to 64 bits; their number is a multiple of eight.
func appendBits(dst []byte, values []uint64, width int) []byte {
	if width == 0 {
		return dst
	}
	var acc uint64
	held := 0
	for _, v := range values {
		acc |= v << held
		held += width
		if held < 64 {
			continue
		}
		dst = binary.LittleEndian.AppendUint64(dst, acc)
		held -= 64
		acc = 0
		if held > 0 {
			acc = v >> (width - held)
		}
	}
	for ; held > 0; held -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// appendPlainText appends one byte array in the PLAIN encoding.
func appendPlainText(dst, text []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(text)))
	return append(dst, text...)
}

// appendPlainNumber appends a number in the PLAIN encoding of its type.
func appendPlainNumber(dst []byte, t Type, i int64, f float64) []byte {
	switch t {
	case TypeInt32, TypeDate:
		return binary.LittleEndian.AppendUint32(dst, uint32(i))
	case TypeFloat32:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(f)))
	case TypeFloat64:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(i))
}

// appendPlainBools appends booleans in the PLAIN encoding: one bit each, lowest first.
func appendPlainBools(dst []byte, values []bool) []byte {
	for i, v := range values {
		if i%8 == 0 {
			dst = append(dst, 0)
		}
		if v {
			dst[len(dst)-1] |= 1 << (i % 8)
		}
	}
	return dst
}
