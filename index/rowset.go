package index

import (
	"iter"

	"github.com/RoaringBitmap/roaring/v2"
)

// RowSet is an immutable set of row numbers of one data file of n rows (its universe): every member is below n. It is safe for concurrent use.
// The operations that take two sets expect them to have the same universe; the result has the universe of the receiver.
type RowSet struct {
	n          uint32
	start, end uint32          // the set is [start, end) if bits is nil
	bits       *roaring.Bitmap // neither empty, nor full, nor one range
}

// NoRows returns the empty set.
func NoRows(n uint32) *RowSet { return &RowSet{n: n} }

// AllRows returns the set of all n rows.
func AllRows(n uint32) *RowSet { return &RowSet{n: n, end: n} }

// RowsInRange returns the rows from start up to, not including, end, clipped to the universe.
func RowsInRange(n, start, end uint32) *RowSet { return nil }

// RowsFromSorted returns the set of the given rows, which ascend; duplicates are allowed and rows outside the universe dropped.
func RowsFromSorted(n uint32, rows []uint32) *RowSet { return nil }

// Universe returns n, the number of rows of the data file.
func (s *RowSet) Universe() uint32 { return s.n }

// Cardinality returns the number of rows in the set.
func (s *RowSet) Cardinality() uint32 { return 0 }

// IsEmpty says whether no row is in the set.
func (s *RowSet) IsEmpty() bool { return false }

// IsAll says whether every row of the universe is in the set.
func (s *RowSet) IsAll() bool { return false }

// Contains says whether a row is in the set.
func (s *RowSet) Contains(row uint32) bool { return false }

// CountInRange returns how many rows from start up to, not including, end are in the set.
func (s *RowSet) CountInRange(start, end uint32) uint32 { return 0 }

// And returns the rows in both sets.
func (s *RowSet) And(o *RowSet) *RowSet { return nil }

// Or returns the rows in either set.
func (s *RowSet) Or(o *RowSet) *RowSet { return nil }

// AndNot returns the rows of s that are not in o.
func (s *RowSet) AndNot(o *RowSet) *RowSet { return nil }

// Not returns the rows of the universe that are not in s.
func (s *RowSet) Not() *RowSet { return nil }

// Equal says whether both sets have the same universe and rows.
func (s *RowSet) Equal(o *RowSet) bool { return false }

// Ranges yields the maximal runs [start, end) of rows in the set, in ascending order.
func (s *RowSet) Ranges() iter.Seq2[uint32, uint32] { return nil }

// Rows yields the rows in the set, in ascending order.
func (s *RowSet) Rows() iter.Seq[uint32] { return nil }

// SizeInMemory returns about how many bytes the set holds.
func (s *RowSet) SizeInMemory() int64 { return 0 }
