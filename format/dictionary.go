package format

import (
	"bytes"
	"hash/maphash"
	"unsafe"
)

// Limits within which a column chunk is dictionary-encoded; see FORMAT.md for the measurements.
const (
	maxDictEntries = 16 << 10  // more entries take more bits for each value than the compressor needs without a dictionary
	maxDictBytes   = 512 << 10 // every read of the column has to fetch and decode the dictionary
	dictSample     = 4096      // values after which a column of mostly different values is given up
)

// textDictionary numbers the different texts of a column chunk in order of appearance. It is reused from chunk to chunk.
type textDictionary struct {
	seed    maphash.Seed
	ids     []uint32 // for each value that is not null, its entry
	entries [][]byte
	bytes   int        // total of the entries
	table   []dictSlot // open addressing, a power of two in size
	recent  [256]recentText
}

type dictSlot struct {
	hash uint32
	id   uint32 // entry + 1; 0 is free
}

// recentText remembers where a text lay in memory. Columns of few values often share the memory of equal values (interned keys),
// which is then found without hashing.
type recentText struct {
	data *byte
	n    int
	id   uint32
}

func newTextDictionary() *textDictionary {
	return &textDictionary{seed: maphash.MakeSeed(), table: make([]dictSlot, 4*maxDictEntries)}
}

// release lets go of the texts of the last chunk.
func (d *textDictionary) release() {
	clear(d.entries)
	d.entries = d.entries[:0]
	clear(d.recent[:])
}

// build numbers the texts that are not nil and tells whether a dictionary pays: it does not if the limits above are passed, or if
// the dictionary takes more than a quarter of the text.
func (d *textDictionary) build(texts [][]byte) bool {
	d.ids, d.entries, d.bytes = d.ids[:0], d.entries[:0], 0
	clear(d.table)
	clear(d.recent[:])
	total := 0
	for i, t := range texts {
		if t == nil {
			continue
		}
		total += len(t) + 4
		data := unsafe.SliceData(t)
		r := &d.recent[recentSlot(data)]
		if r.data == data && r.n == len(t) && len(t) > 0 {
			d.ids = append(d.ids, r.id)
			continue
		}
		id, ok := d.find(t)
		if !ok || (i == dictSample && len(d.entries) > dictSample/2) {
			return false
		}
		*r = recentText{data, len(t), id}
		d.ids = append(d.ids, id)
	}
	return len(d.entries) > 0 && d.bytes*4 <= total
}

func recentSlot(p *byte) uint8 {
	a := uint64(uintptr(unsafe.Pointer(p)))
	return uint8((a * 0x9E3779B97F4A7C15) >> 56)
}

// find returns the number of t's entry, making one if need be; false if the dictionary is full.
func (d *textDictionary) find(t []byte) (uint32, bool) {
	h := maphash.Bytes(d.seed, t)
	hash, mask := uint32(h>>32), len(d.table)-1
	for slot := int(uint32(h)) & mask; ; slot = (slot + 1) & mask {
		s := &d.table[slot]
		if s.id == 0 {
			if len(d.entries) >= maxDictEntries || d.bytes+len(t)+4 > maxDictBytes {
				return 0, false
			}
			d.entries = append(d.entries, t)
			d.bytes += len(t) + 4
			*s = dictSlot{hash, uint32(len(d.entries))}
			return s.id - 1, true
		}
		if s.hash == hash && bytes.Equal(d.entries[s.id-1], t) {
			return s.id - 1, true
		}
	}
}
