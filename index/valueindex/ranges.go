package valueindex

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// interval is a closed run of order keys.
type interval struct{ low, high uint64 }

// Ranges say which blocks may hold a number within bounds. For each block they have a few intervals that together hold all its numbers: a zone map
// of more than one zone, cut at the largest gaps between neighbouring numbers. Of few distinct numbers it tells each; of many it still tells least and
// greatest, so that a comparison with one bound is exact to the block.
//
// Ranges are immutable and safe for concurrent use.
type Ranges struct {
	Presence
	class     Class
	first     []int      // by block: its first interval; one more at the end
	intervals []interval // ascending within a block
}

// intervalsOf covers sorted distinct keys by at most n intervals.
func intervalsOf(keys []uint64, n int) []interval {
	if len(keys) == 0 {
		return nil
	}
	var cuts []int // before these keys
	for i := 1; i < len(keys); i++ {
		if keys[i]-keys[i-1] > 1 {
			cuts = append(cuts, i)
		}
	}
	if len(cuts) > n-1 {
		slices.SortFunc(cuts, func(a, b int) int {
			return cmp.Or(cmp.Compare(keys[b]-keys[b-1], keys[a]-keys[a-1]), cmp.Compare(a, b))
		})
		cuts = cuts[:n-1]
		slices.Sort(cuts)
	}
	list := make([]interval, 0, len(cuts)+1)
	start := 0
	for _, cut := range cuts {
		list = append(list, interval{keys[start], keys[cut-1]})
		start = cut
	}
	return append(list, interval{keys[start], keys[len(keys)-1]})
}

// Of the order keys of floats at least leastShift bits are not stored, which rounds bounds outwards by less than 4·10⁻⁹ of their size. More are not stored
// where all of them say nothing, as in small whole numbers.
const leastShift = 24

// shiftOf returns how many bits of the keys are not stored, and whether they say nothing.
func shiftOf(class Class, blocks [][]interval) (bits uint, exact bool) {
	if class == Whole {
		return 0, true
	}
	shift := 63
	for _, list := range blocks {
		for _, v := range list {
			shift = min(shift, idleBits(v.low), idleBits(v.high))
		}
	}
	return uint(max(shift, leastShift)), shift >= leastShift
}

// idleBits returns how many low bits of a float's key are zeros in the float itself.
func idleBits(key uint64) int {
	if key>>63 == 0 {
		key = ^key
	}
	return bits.TrailingZeros64(key)
}

// shifted returns intervals of shifted keys, those joined that touch.
func shifted(list []interval, shift uint, to []interval) []interval {
	for _, v := range list {
		low, high := v.low>>shift, v.high>>shift
		if n := len(to); n > 0 && low-to[n-1].high <= 1 { // they ascend
			to[n-1].high = high
			continue
		}
		to = append(to, interval{low, high})
	}
	return to
}

// whole returns the key that a shifted one stands for. If it is not exact, that is the least of those it may stand for, or the greatest.
func whole(key uint64, shift uint, exact, greatest bool) uint64 {
	key <<= shift
	if exact && key>>63 == 0 || !exact && greatest { // the idle bits of a negative number are ones
		key |= 1<<shift - 1
	}
	return key
}

// AppendRanges appends the encoded Ranges: behind the preamble uint8 shift, uint8 1 if it is exact, 2 bytes 0, and for each block, of shifted keys
//
//	uvarint  count of intervals << 1 | (1 if each is a single key)
//	varint   first key of the block, less the first key of the block before that had one (0 at first), modulo 2^64
//	then for each interval: uvarint high - low, unless all are single; and between two of them: uvarint gap - 2
//
// End must have been called.
func (c *Collector) AppendRanges(b []byte) []byte {
	b = c.presence.append(b, c.o.Class)
	shift, exact := shiftOf(c.o.Class, c.ranges)
	b = append(b, byte(shift), 0, 0, 0)
	if exact {
		b[len(b)-3] = 1
	}
	var list []interval
	last := uint64(0)
	for _, block := range c.ranges {
		list = shifted(block, shift, list[:0])
		single := !slices.ContainsFunc(list, func(v interval) bool { return v.low != v.high })
		head := uint64(len(list)) << 1
		if single {
			head |= 1
		}
		b = binary.AppendUvarint(b, head)
		for i, v := range list {
			if i == 0 {
				b = binary.AppendVarint(b, int64(v.low-last))
				last = v.low
			} else {
				b = binary.AppendUvarint(b, v.low-list[i-1].high-2)
			}
			if !single {
				b = binary.AppendUvarint(b, v.high-v.low)
			}
		}
	}
	return b
}

// DecodeRanges decodes what AppendRanges appended, and checks all of it. Errors: ErrCorrupt.
func DecodeRanges(b []byte) (*Ranges, error) {
	r := &Ranges{}
	var err error
	if r.Presence, r.class, b, err = decodePresence(b); err != nil {
		return nil, err
	}
	if len(b) < 4 || b[0] > 63 || b[1] > 1 || b[2] != 0 || b[3] != 0 {
		return nil, corruptf("the header of ranges makes no sense")
	}
	shift, exact := uint(b[0]), b[1] == 1
	d := rangeReader{rest: b[4:], largest: math.MaxUint64 >> shift}
	r.first = make([]int, 1, len(r.some)+1)
	for block := range r.some {
		if r.intervals, err = d.block(r.intervals); err != nil {
			return nil, err
		}
		if n := len(r.intervals) - r.first[block]; n > 0 && !r.some[block] {
			return nil, corruptf("block %d has ranges and no values", block)
		}
		for i := r.first[block]; i < len(r.intervals); i++ {
			v := &r.intervals[i]
			v.low, v.high = whole(v.low, shift, exact, false), whole(v.high, shift, exact, true)
		}
		r.first = append(r.first, len(r.intervals))
	}
	if len(d.rest) > 0 {
		return nil, corruptf("%d bytes follow the ranges", len(d.rest))
	}
	return r, nil
}

// rangeReader reads blocks of intervals.
type rangeReader struct {
	rest    []byte
	last    uint64 // first key of the block before
	largest uint64
}

func (d *rangeReader) uvarint() (uint64, bool) {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		return 0, false
	}
	d.rest = d.rest[n:]
	return v, true
}

// block appends the intervals of the next block.
func (d *rangeReader) block(to []interval) ([]interval, error) {
	head, ok := d.uvarint()
	if !ok || head>>1 > uint64(len(d.rest)) { // each takes a byte at least
		return nil, corruptf("a block of ranges is cut off")
	}
	next := uint64(0) // least key that may follow
	for i := range head >> 1 {
		var v interval
		if i == 0 {
			delta, n := binary.Varint(d.rest)
			if n <= 0 {
				return nil, corruptf("a block of ranges is cut off")
			}
			d.rest = d.rest[n:]
			d.last += uint64(delta)
			v.low = d.last
		} else {
			gap, ok := d.uvarint()
			if !ok || next == 0 || gap > d.largest-next {
				return nil, corruptf("a range lies behind the largest number")
			}
			v.low = next + gap
		}
		v.high = v.low
		if head&1 == 0 {
			width, ok := d.uvarint()
			if !ok || width > d.largest-min(v.low, d.largest) {
				return nil, corruptf("a range ends behind the largest number")
			}
			v.high += width
		}
		if v.low > d.largest {
			return nil, corruptf("a range begins behind the largest number")
		}
		to = append(to, v)
		if next = 0; v.high < d.largest-1 {
			next = v.high + 2
		}
	}
	return to, nil
}

// Class returns the class of the values.
func (r *Ranges) Class() Class { return r.class }

// Intervals returns the number of intervals of all blocks.
func (r *Ranges) Intervals() int64 { return int64(len(r.intervals)) }

// SizeInMemory returns about how many bytes the ranges hold.
func (r *Ranges) SizeInMemory() int64 {
	return int64(16*cap(r.intervals)+8*len(r.first)+2*len(r.some)) + 128
}

// Mark sets may[b] for each block b that may hold a number whose order key is at least low and at most high. may has an element for each block.
func (r *Ranges) Mark(low, high uint64, may []bool) {
	if low > high {
		return
	}
	for block := range r.some {
		list := r.intervals[r.first[block]:r.first[block+1]]
		i, _ := slices.BinarySearchFunc(list, low, func(v interval, low uint64) int { return cmp.Compare(v.high, low) })
		if i < len(list) && list[i].low <= high {
			may[block] = true
		}
	}
}

// Bounds returns the least and the greatest order key of a block, rounded outwards. ok is false if it has no number.
func (r *Ranges) Bounds(block int) (low, high uint64, ok bool) {
	list := r.intervals[r.first[block]:r.first[block+1]]
	if len(list) == 0 {
		return 0, 0, false
	}
	return list[0].low, list[len(list)-1].high, true
}
