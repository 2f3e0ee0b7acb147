package format

import "encoding/binary"

// The encodings that only the reader knows.
const (
	encodingPlainDictionary = 2
	encodingDeltaLength     = 6
	encodingDeltaText       = 7
	encodingByteStreamSplit = 9
)

// textValues decodes the byte arrays of one page. What it returns aliases the page or the dictionary.
type textValues struct {
	encoding int32
	data     []byte
	rest     *inflater // of PLAIN: decompresses what follows data; nil: nothing follows
	ids      hybridReader
	dict     [][]byte
	scratch  []uint32
	lengths  []int64
	texts    [][]byte // of DELTA_BYTE_ARRAY, all values of the page
}

// reset starts reading a page that holds at most count values.
func (v *textValues) reset(encoding int32, data []byte, count int, dict [][]byte) error {
	v.encoding, v.data, v.rest = encoding, data, nil
	switch encoding {
	case encodingPlain:
		return nil
	case encodingPlainDictionary, encodingRLEDictionary:
		v.dict = dict
		return resetIDs(&v.ids, data, count, dict != nil)
	case encodingDeltaLength:
		return v.resetLengths(data, count)
	case encodingDeltaText:
		return v.resetDeltaTexts(data, count)
	}
	return errBadEncoding
}

// resetIDs starts reading the dictionary's entry numbers, which a byte with their width precedes.
func resetIDs(h *hybridReader, data []byte, count int, hasDict bool) error {
	if count == 0 {
		return nil
	}
	if !hasDict {
		return errNoDict
	}
	if len(data) == 0 {
		return errShortPage
	}
	return h.reset(data[1:], int(data[0]))
}

// readLengths reads up to count lengths in the delta encoding and returns the bytes behind them.
func (v *textValues) readLengths(data []byte, count int, lengths []int64) ([]int64, []byte, error) {
	var d deltaReader
	if err := d.reset(data, true); err != nil {
		return nil, nil, err
	}
	// A miniblock of width 0 stands for any number of values in no bytes, but a page has no more values than its header says.
	if d.left > count {
		return nil, nil, errBadDelta
	}
	lengths = grow(lengths, d.left)
	if err := d.read(lengths); err != nil {
		return nil, nil, err
	}
	for _, n := range lengths {
		if n < 0 {
			return nil, nil, errBadLength
		}
	}
	return lengths, d.rest(), nil
}

func (v *textValues) resetLengths(data []byte, count int) (err error) {
	if count == 0 || len(data) == 0 {
		v.lengths = v.lengths[:0]
		return nil
	}
	v.lengths, v.data, err = v.readLengths(data, count, v.lengths)
	return err
}

// resetDeltaTexts decodes a page in DELTA_BYTE_ARRAY, where each text shares a prefix with the one before.
func (v *textValues) resetDeltaTexts(data []byte, count int) error {
	v.texts = v.texts[:0]
	if count == 0 || len(data) == 0 {
		return nil
	}
	prefixes, rest, err := v.readLengths(data, count, nil)
	if err != nil {
		return err
	}
	if v.lengths, rest, err = v.readLengths(rest, count, v.lengths); err != nil {
		return err
	}
	if len(v.lengths) != len(prefixes) {
		return errBadDelta
	}
	// The texts are as long as their prefixes and suffixes. A short page may stand for long ones, hence the bound.
	total := int64(0)
	last := int64(0)
	for i, p := range prefixes {
		if p > last || v.lengths[i] > int64(len(rest)) {
			return errBadLength
		}
		last = p + v.lengths[i]
		if total += last; total > maxPageBytes {
			return errBadLength
		}
	}
	arena := make([]byte, 0, total)
	for i, p := range prefixes {
		n := v.lengths[i]
		if n > int64(len(rest)) {
			return errBadLength
		}
		at := len(arena)
		if p > 0 {
			arena = append(arena, v.texts[i-1][:p]...)
		}
		arena = append(arena, rest[:n]...)
		rest = rest[n:]
		v.texts = append(v.texts, arena[at:len(arena):len(arena)])
	}
	return nil
}

// aliasesPage tells whether the values point into the page, rather than into the dictionary or memory of their own.
func (v *textValues) aliasesPage() bool {
	return v.encoding == encodingPlain || v.encoding == encodingDeltaLength
}

// read fills dst with the next values.
func (v *textValues) read(dst [][]byte) error {
	switch v.encoding {
	case encodingPlain:
		return v.readPlain(dst)
	case encodingDeltaLength:
		if len(dst) > len(v.lengths) {
			return errShortPage
		}
		for i := range dst {
			n := int(v.lengths[i])
			if n > len(v.data) {
				return errBadLength
			}
			dst[i], v.data = v.data[:n:n], v.data[n:]
		}
		v.lengths = v.lengths[len(dst):]
	case encodingDeltaText:
		if len(dst) > len(v.texts) {
			return errShortPage
		}
		copy(dst, v.texts)
		v.texts = v.texts[len(dst):]
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

// plainEnd returns where the first value of data in the PLAIN encoding ends, or 4 if not even its length is there.
func plainEnd(data []byte) int {
	if len(data) < 4 {
		return 4
	}
	return 4 + int(binary.LittleEndian.Uint32(data))
}

func (v *textValues) readPlain(dst [][]byte) error {
	data := v.data
	for i := range dst {
		end := plainEnd(data)
		if end > len(data) {
			var err error
			if data, end, err = v.more(data); err != nil {
				return err
			}
		}
		dst[i], data = data[4:end:end], data[end:]
	}
	v.data = data
	return nil
}

// more decompresses more of a page in the PLAIN encoding, until the next value is whole. It returns the data and where the value
// ends.
func (v *textValues) more(data []byte) ([]byte, int, error) {
	for {
		end := plainEnd(data)
		if end <= len(data) {
			return data, end, nil
		}
		if v.rest == nil || v.rest.done() {
			if len(data) < 4 {
				return nil, 0, errShortPage
			}
			return nil, 0, errBadLength
		}
		var err error
		if data, err = v.rest.extend(data); err != nil {
			return nil, 0, err
		}
	}
}

// skip goes over n values.
func (v *textValues) skip(n int) error {
	switch v.encoding {
	case encodingPlain:
		return v.skipPlain(n)
	case encodingDeltaLength:
		if n > len(v.lengths) {
			return errShortPage
		}
		total := int64(0)
		for _, size := range v.lengths[:n] {
			total += size
		}
		if total > int64(len(v.data)) {
			return errBadLength
		}
		v.data, v.lengths = v.data[total:], v.lengths[n:]
	case encodingDeltaText:
		if n > len(v.texts) {
			return errShortPage
		}
		v.texts = v.texts[n:]
	default:
		return v.ids.skip(n)
	}
	return nil
}

func (v *textValues) skipPlain(n int) error {
	data := v.data
	for range n {
		end := plainEnd(data)
		if end > len(data) {
			var err error
			if data, end, err = v.more(data); err != nil {
				return err
			}
		}
		data = data[end:]
	}
	v.data = data
	return nil
}

// grow returns a slice of length n, reusing s if it is large enough. Its values are undefined.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}
