package ingest

import (
	"encoding/binary"

	"github.com/firnlog/firn/format"
)

// A partition is what all rows of a data file have in common: the UTC day, and the value of the table's partition column.
type partition struct {
	day   int32
	null  bool   // the partition column is null; also if there is none
	fixed uint64 // its value, if it is not a string
	text  string // its value, if it is
}

// A ref points to a row of a buffer. Sorted by key, refs are in the order of partition and time: key is the partition's number above
// 47 bits of nanoseconds since the day began.
type ref struct {
	key uint64
	at  position
}

const (
	dayBits       = 47
	maxPartitions = 1 << (64 - dayBits)
	refBytes      = 32 // a ref and its place in the sorter's scratch memory
)

// A buffer holds rows, each encoded in one run of bytes in its arena:
//
//	each column of the schema but _timestamp and attrs:
//	    string: uvarint length+1 (0 is null), bytes
//	    bool:   0 null, 1 false, 2 true
//	    other:  0 null, or 1 and 8 bytes, little-endian
//	    map, unsupported: nothing
//	attrs, if the table has it: uvarint number of entries, and for each
//	    uvarint number of the key, uvarint length+1 (0 is null), bytes
type buffer struct {
	plan       *plan
	arena      arena
	refs       []ref
	partitions []partition
	numbers    map[partition]uint32
	last       uint32 // number of the partition of the last row
	entries    int    // of attrs, in all rows
	keys       *keyTable
	names      [][]byte // of attrs by number; set when the buffer is handed over for writing
	mark       Position // of the last row
}

func newBuffer(p *plan, pool *chunkPool) *buffer {
	return &buffer{plan: p, arena: arena{pool: pool}, numbers: map[partition]uint32{}}
}

// bytes returns about how much memory the buffer takes.
func (b *buffer) bytes() int64 {
	n := b.arena.bytes + int64(len(b.refs))*refBytes
	if b.keys != nil {
		n += b.keys.bytes
	}
	return n
}

// full says that no row can be added, whatever the memory.
func (b *buffer) full() bool {
	return len(b.partitions) >= maxPartitions || (b.keys != nil && b.keys.full())
}

// reset empties the buffer, keeping its memory.
func (b *buffer) reset() {
	b.arena.release()
	b.refs = b.refs[:0]
	clear(b.numbers)
	clear(b.partitions)
	b.partitions = b.partitions[:0]
	b.last, b.entries = 0, 0
	b.keys, b.names = nil, nil
	b.mark = Position{}
}

// add stores the row that the mapper holds.
func (b *buffer) add(m *mapper) {
	b.keys = m.keys
	dst, at := b.arena.reserve(b.bound(m))
	n := 0
	for i := range m.columns {
		if i == b.plan.timestamp {
			continue
		}
		s := &m.columns[i]
		switch b.plan.schema.Fields[i].Type {
		case format.TypeString:
			if s.null {
				dst[n] = 0
				n++
				continue
			}
			n += putLength(dst[n:], len(s.value.text)+1)
			n += copy(dst[n:], s.value.text)
		case format.TypeStringMap, format.TypeUnsupported, format.TypeInvalid:
		case format.TypeBool:
			dst[n] = 0
			if s.fits {
				dst[n] = 1 + byte(s.fixed)
			}
			n++
		default:
			dst[n] = 0
			n++
			if s.fits {
				dst[n-1] = 1
				binary.LittleEndian.PutUint64(dst[n:], s.fixed)
				n += 8
			}
		}
	}
	if b.plan.attrs >= 0 {
		n += putAttrs(dst[n:], m.attrs)
		b.entries += len(m.attrs)
	}
	b.arena.commit(n)
	day, nanos := m.time.day()
	b.refs = append(b.refs, ref{key: uint64(b.partition(m, day))<<dayBits | nanos, at: at})
}

func putAttrs(dst []byte, attrs []attr) int {
	n := putLength(dst, len(attrs))
	for i := range attrs {
		a := &attrs[i]
		n += putLength(dst[n:], int(a.key.id))
		if a.value.kind == kindNull {
			dst[n] = 0
			n++
			continue
		}
		n += putLength(dst[n:], len(a.value.text)+1)
		n += copy(dst[n:], a.value.text)
	}
	return n
}

func putLength(dst []byte, n int) int {
	if n < 0x80 {
		dst[0] = byte(n)
		return 1
	}
	return binary.PutUvarint(dst, uint64(n))
}

// getLength reads what putLength wrote.
func getLength(src []byte) (n, size int) {
	if src[0] < 0x80 {
		return int(src[0]), 1
	}
	u, size := binary.Uvarint(src)
	return int(u), size
}

// bound returns a number of bytes that the row fits into.
func (b *buffer) bound(m *mapper) int {
	n := len(m.columns)*9 + binary.MaxVarintLen32
	for i := range m.columns {
		n += len(m.columns[i].value.text)
	}
	for i := range m.attrs {
		n += len(m.attrs[i].value.text) + 2*binary.MaxVarintLen32
	}
	return n
}

// partition returns the number of the partition that the row belongs to.
func (b *buffer) partition(m *mapper, day int32) uint32 {
	want := partition{day: day, null: true}
	if len(b.partitions) > 0 {
		want = b.partitions[b.last]
		if want.day == day && b.sameValue(m, want) {
			return b.last
		}
		want = partition{day: day, null: true}
	}
	if c := b.plan.partition; c >= 0 && !m.columns[c].null {
		want.null = false
		if b.plan.schema.Fields[c].Type == format.TypeString {
			want.text = string(m.columns[c].value.text)
		} else {
			want.fixed = m.columns[c].fixed
		}
		if c == b.plan.timestamp {
			want.fixed = uint64(m.time.micros)
		}
	}
	number, ok := b.numbers[want]
	if !ok {
		number = uint32(len(b.partitions))
		b.numbers[want] = number
		b.partitions = append(b.partitions, want)
	}
	b.last = number
	return number
}

// sameValue says whether the row has the partition column's value of p.
func (b *buffer) sameValue(m *mapper, p partition) bool {
	c := b.plan.partition
	if c < 0 {
		return true
	}
	s := &m.columns[c]
	switch {
	case c == b.plan.timestamp:
		return p.fixed == uint64(m.time.micros)
	case s.null || p.null:
		return s.null == p.null
	case b.plan.schema.Fields[c].Type == format.TypeString:
		return string(s.value.text) == p.text
	}
	return s.fixed == p.fixed
}

// A bufferMark is a state that a buffer can be taken back to, as long as it is not reset.
type bufferMark struct {
	arena      arenaMark
	refs       int
	partitions int
	last       uint32
}

func (b *buffer) save() bufferMark {
	return bufferMark{b.arena.mark(), len(b.refs), len(b.partitions), b.last}
}

func (b *buffer) rollback(m bufferMark) {
	b.arena.rollback(m.arena)
	b.refs = b.refs[:m.refs]
	for _, p := range b.partitions[m.partitions:] {
		delete(b.numbers, p)
	}
	b.partitions, b.last = b.partitions[:m.partitions], m.last
}
