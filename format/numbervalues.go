package format

import (
	"encoding/binary"
	"math"
)

// numberValues decodes the integers, floating-point numbers and 96-bit timestamps of one page, as integers or as the bits of floats.
type numberValues struct {
	encoding int32
	width    int // bytes of a value in the PLAIN encoding
	unsigned bool
	data     []byte
	count    int // values that the page has room for, for BYTE_STREAM_SPLIT
	at       int // values read, for BYTE_STREAM_SPLIT
	ids      hybridReader
	delta    deltaReader
	dict     []int64
	scratch  []uint32
	skipped  []int64
}

func physicalWidth(physical int32) int {
	switch physical {
	case physicalInt32, physicalFloat:
		return 4
	case physicalInt96:
		return 12
	}
	return 8
}

// reset starts reading a page that holds at most count values of this physical type.
func (v *numberValues) reset(physical, encoding int32, unsigned bool, data []byte, count int, dict []int64) error {
	v.encoding, v.width, v.unsigned, v.data, v.at = encoding, physicalWidth(physical), unsigned, data, 0
	v.count = len(data) / v.width
	switch encoding {
	case encodingPlain:
		return nil
	case encodingPlainDictionary, encodingRLEDictionary:
		v.dict = dict
		return resetIDs(&v.ids, data, count, dict != nil)
	case encodingDeltaBinary:
		if physical != physicalInt32 && physical != physicalInt64 {
			return errBadEncoding
		}
		if count == 0 || len(data) == 0 {
			v.delta = deltaReader{}
			return nil
		}
		return v.delta.reset(data, v.width == 4)
	case encodingByteStreamSplit:
		if v.width > 8 {
			return errBadEncoding
		}
		return nil
	}
	return errBadEncoding
}

// read fills dst with the next values.
func (v *numberValues) read(dst []int64) error {
	switch v.encoding {
	case encodingPlain:
		if len(dst) > len(v.data)/v.width {
			return errShortPage
		}
		for i := range dst {
			dst[i] = v.plain(v.data[i*v.width:])
		}
		v.data = v.data[len(dst)*v.width:]
	case encodingByteStreamSplit:
		if v.at+len(dst) > v.count {
			return errShortPage
		}
		for i := range dst {
			var bytes [8]byte
			for k := range v.width {
				bytes[k] = v.data[k*v.count+v.at+i]
			}
			dst[i] = v.plain(bytes[:])
		}
		v.at += len(dst)
	case encodingDeltaBinary:
		if err := v.delta.read(dst); err != nil {
			return err
		}
		if v.unsigned {
			for i := range dst {
				dst[i] = int64(uint32(dst[i]))
			}
		}
	default:
		v.scratch = grow(v.scratch, len(dst))
		if err := readHybrid(&v.ids, v.scratch); err != nil {
			return err
		}
		for i, id := range v.scratch {
			if int(id) >= len(v.dict) {
				return errBadEntry
			}
			dst[i] = v.dict[id]
		}
	}
	return nil
}

// plain decodes one value in the PLAIN encoding.
func (v *numberValues) plain(p []byte) int64 {
	switch {
	case v.width == 8:
		return int64(binary.LittleEndian.Uint64(p))
	case v.width == 12:
		return int96Micros(p)
	case v.unsigned:
		return int64(binary.LittleEndian.Uint32(p))
	}
	return int64(int32(binary.LittleEndian.Uint32(p)))
}

// skip goes over n values.
func (v *numberValues) skip(n int) error {
	switch v.encoding {
	case encodingPlain:
		if n > len(v.data)/v.width {
			return errShortPage
		}
		v.data = v.data[n*v.width:]
		return nil
	case encodingByteStreamSplit:
		v.at += n
		return nil
	case encodingDeltaBinary:
		v.skipped = grow(v.skipped, n)
		return v.delta.read(v.skipped)
	}
	return v.ids.skip(n)
}

// readDict decodes a dictionary page of count values.
func (v *numberValues) readDict(physical int32, unsigned bool, data []byte, count int) ([]int64, error) {
	if err := v.reset(physical, encodingPlain, unsigned, data, count, nil); err != nil {
		return nil, err
	}
	if count > v.count {
		return nil, errShortPage
	}
	dict := make([]int64, count)
	return dict, v.read(dict)
}

// boolValues decodes the booleans of one page.
type boolValues struct {
	encoding int32
	data     []byte
	bit      int
	runs     hybridReader
	scratch  []uint8
}

func (v *boolValues) reset(encoding int32, data []byte, count int) error {
	v.encoding, v.data, v.bit = encoding, data, 0
	switch encoding {
	case encodingPlain:
		return nil
	case encodingRLE:
		if count == 0 || len(data) == 0 {
			return nil
		}
		if len(data) < 4 {
			return errShortPage
		}
		n := binary.LittleEndian.Uint32(data)
		if uint64(n) > uint64(len(data)-4) {
			return errShortPage
		}
		return v.runs.reset(data[4:4+n], 1)
	}
	return errBadEncoding
}

func (v *boolValues) read(dst []bool) error {
	if v.encoding == encodingRLE {
		v.scratch = grow(v.scratch, len(dst))
		if err := readHybrid(&v.runs, v.scratch); err != nil {
			return err
		}
		for i, b := range v.scratch {
			dst[i] = b != 0
		}
		return nil
	}
	if v.bit+len(dst) > len(v.data)*8 {
		return errShortPage
	}
	for i := range dst {
		at := v.bit + i
		dst[i] = v.data[at>>3]>>(at&7)&1 != 0
	}
	v.bit += len(dst)
	return nil
}

func (v *boolValues) skip(n int) error {
	if v.encoding == encodingRLE {
		return v.runs.skip(n)
	}
	v.bit += n
	return nil
}

// julianEpoch is the Julian day of 1970-01-01.
const julianEpoch = 2440588

// int96Micros returns the microseconds since 1970 of an Impala timestamp: nanoseconds of the day, then the Julian day.
func int96Micros(p []byte) int64 {
	nanos := int64(binary.LittleEndian.Uint64(p))
	days := int64(int32(binary.LittleEndian.Uint32(p[8:]))) - julianEpoch
	micros := saturatingMul(days, 86_400_000_000)
	part := floorDiv(nanos, 1000)
	if sum := micros + part; (sum > micros) == (part > 0) || part == 0 {
		return sum
	}
	if part > 0 {
		return math.MaxInt64
	}
	return math.MinInt64
}
