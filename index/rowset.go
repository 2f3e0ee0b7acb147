package index

import (
	"iter"

	"github.com/RoaringBitmap/roaring/v2"
)

// RowSet is an immutable set of row numbers of one data file of n rows (its universe): every member is below n. It is safe for
// concurrent use. Sets that are one range of rows, none and all of them included, take no bitmap and no time. The operations on two sets
// are meant for sets of one universe; otherwise the result has the receiver's, and rows outside it are dropped.
type RowSet struct {
	n          uint32
	start, end uint32          // the set is [start, end) if bits is nil
	bits       *roaring.Bitmap // never changed; not one range, since that would have no bits
}

// NoRows returns the empty set.
func NoRows(n uint32) *RowSet { return &RowSet{n: n} }

// AllRows returns the set of all n rows.
func AllRows(n uint32) *RowSet { return &RowSet{n: n, end: n} }

// RowsInRange returns the rows from start up to, not including, end, clipped to the universe.
func RowsInRange(n, start, end uint32) *RowSet {
	end = min(end, n)
	if start >= end {
		return NoRows(n)
	}
	return &RowSet{n: n, start: start, end: end}
}

// RowsFromSorted returns the set of the given rows, which ascend; duplicates are allowed and rows outside the universe dropped. The slice is
// not kept.
func RowsFromSorted(n uint32, rows []uint32) *RowSet {
	for len(rows) > 0 && rows[len(rows)-1] >= n {
		rows = rows[:len(rows)-1]
	}
	bits := roaring.New()
	bits.AddMany(rows)
	return rowSetOf(n, bits)
}

// rowSetOf wraps a bitmap that nobody else changes and whose rows are below n.
func rowSetOf(n uint32, bits *roaring.Bitmap) *RowSet {
	count := bits.GetCardinality()
	if count == 0 {
		return NoRows(n)
	}
	first, last := bits.Minimum(), bits.Maximum()
	if uint64(last)-uint64(first)+1 == count {
		return &RowSet{n: n, start: first, end: last + 1}
	}
	return &RowSet{n: n, bits: bits}
}

// bitmap returns the set as a bitmap that must not be changed.
func (s *RowSet) bitmap() *roaring.Bitmap {
	if s.bits != nil {
		return s.bits
	}
	b := roaring.New()
	b.AddRange(uint64(s.start), uint64(s.end))
	return b
}

// Universe returns n, the number of rows of the data file.
func (s *RowSet) Universe() uint32 { return s.n }

// Cardinality returns the number of rows in the set.
func (s *RowSet) Cardinality() uint32 {
	if s.bits == nil {
		return s.end - s.start
	}
	return uint32(s.bits.GetCardinality())
}

// IsEmpty says whether no row is in the set.
func (s *RowSet) IsEmpty() bool { return s.bits == nil && s.start == s.end }

// IsAll says whether every row of the universe is in the set.
func (s *RowSet) IsAll() bool { return s.bits == nil && s.start == 0 && s.end == s.n }

// Contains says whether a row is in the set.
func (s *RowSet) Contains(row uint32) bool {
	if s.bits == nil {
		return s.start <= row && row < s.end
	}
	return s.bits.Contains(row)
}

// CountInRange returns how many rows from start up to, not including, end are in the set.
func (s *RowSet) CountInRange(start, end uint32) uint32 {
	if start >= end {
		return 0
	}
	if s.bits == nil {
		start, end = max(start, s.start), min(end, s.end)
		if start >= end {
			return 0
		}
		return end - start
	}
	return uint32(s.bits.CardinalityInRange(uint64(start), uint64(end)))
}

// And returns the rows in both sets.
func (s *RowSet) And(o *RowSet) *RowSet {
	o = o.within(s.n)
	switch {
	case s.IsAll() || o.IsEmpty():
		return o
	case o.IsAll() || s.IsEmpty():
		return s
	case s.bits == nil && o.bits == nil:
		return RowsInRange(s.n, max(s.start, o.start), min(s.end, o.end))
	}
	return rowSetOf(s.n, roaring.And(s.bitmap(), o.bitmap()))
}

// Or returns the rows in either set.
func (s *RowSet) Or(o *RowSet) *RowSet {
	o = o.within(s.n)
	switch {
	case s.IsEmpty() || o.IsAll():
		return o
	case o.IsEmpty() || s.IsAll():
		return s
	case s.bits == nil && o.bits == nil && s.start <= o.end && o.start <= s.end:
		return RowsInRange(s.n, min(s.start, o.start), max(s.end, o.end))
	}
	return rowSetOf(s.n, roaring.Or(s.bitmap(), o.bitmap()))
}

// AndNot returns the rows of s that are not in o.
func (s *RowSet) AndNot(o *RowSet) *RowSet {
	o = o.within(s.n)
	switch {
	case o.IsEmpty() || s.IsEmpty():
		return s
	case o.IsAll():
		return NoRows(s.n)
	case s.IsAll():
		return o.Not()
	}
	return rowSetOf(s.n, roaring.AndNot(s.bitmap(), o.bitmap()))
}

// Not returns the rows of the universe that are not in s.
func (s *RowSet) Not() *RowSet {
	switch {
	case s.bits == nil && s.start == s.end:
		return AllRows(s.n)
	case s.bits == nil && s.start == 0:
		return RowsInRange(s.n, s.end, s.n)
	case s.bits == nil && s.end == s.n:
		return RowsInRange(s.n, 0, s.start)
	}
	return rowSetOf(s.n, roaring.Flip(s.bitmap(), 0, uint64(s.n)))
}

// within returns the set with another universe.
func (s *RowSet) within(n uint32) *RowSet {
	switch {
	case s.n == n:
		return s
	case s.bits == nil:
		return RowsInRange(n, s.start, s.end)
	case s.n < n:
		return &RowSet{n: n, bits: s.bits}
	}
	return rowSetOf(n, roaring.And(s.bits, AllRows(n).bitmap()))
}

// Equal says whether both sets have the same universe and rows.
func (s *RowSet) Equal(o *RowSet) bool {
	if s.n != o.n || (s.bits == nil) != (o.bits == nil) {
		return false
	}
	if s.bits != nil {
		return s.bits.Equals(o.bits)
	}
	return s.start == o.start && s.end == o.end
}

// Ranges yields the maximal runs [start, end) of rows in the set, in ascending order.
func (s *RowSet) Ranges() iter.Seq2[uint32, uint32] {
	return func(yield func(uint32, uint32) bool) {
		if s.bits == nil {
			if s.start < s.end {
				yield(s.start, s.end)
			}
			return
		}
		for start, end := range s.bits.Ranges() {
			if !yield(start, uint32(end)) {
				return
			}
		}
	}
}

// Rows yields the rows in the set, in ascending order.
func (s *RowSet) Rows() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for start, end := range s.Ranges() {
			for row := start; row < end; row++ {
				if !yield(row) {
					return
				}
			}
		}
	}
}

// SizeInMemory returns about how many bytes the set holds.
func (s *RowSet) SizeInMemory() int64 {
	const fixed = 64
	if s.bits == nil {
		return fixed
	}
	return fixed + int64(s.bits.GetSizeInBytes())
}
