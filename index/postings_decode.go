package index

import (
	"encoding/binary"

	"github.com/RoaringBitmap/roaring/v2"
)

const (
	// arrayRows is the number of rows up to which a list is decoded by way of an array; longer ones go by way of a bit for each row.
	arrayRows = 2048
	// largestDense is the largest data file, in rows, whose rows get one bit each while a list is decoded.
	largestDense = 1 << 28
)

// decodePosting decodes the posting entry at an offset of verified bytes, for a data file of n rows.
func decodePosting(v verified, offset uint64, n uint32) (Posting, error) {
	r := newReader(v, offset, "posting entry")
	head := r.uvarint((uint64(n)+1)<<classBits - 1)
	count := uint32(head >> classBits)
	if r.err == nil && count == 0 {
		r.fail("it has no rows")
	}
	posting := Posting{Kind: PostingExact, Count: count}
	switch class := postingClass(head & (1<<classBits - 1)); class {
	case classDense:
		posting.Kind = PostingDense
	case classList:
		posting.Rows = decodeList(r, n, count)
	case classRoaring:
		posting.Rows = decodeRoaring(r, n, count)
	default:
		r.fail("its class is unknown")
	}
	if r.err != nil {
		return Posting{}, r.err
	}
	return posting, nil
}

// decodeList decodes a list of runs of count rows.
func decodeList(r *reader, n, count uint32) *RowSet {
	if count > arrayRows && n <= largestDense {
		words := make([]uint64, (n+63)/64)
		eachRun(r, n, count, func(start, end uint32) { setBits(words, start, end) })
		return rowSetOf(n, roaring.FromDense(words, true))
	}
	first, last, runs := uint32(0), uint32(0), 0
	rows := make([]uint32, 0, min(count, arrayRows))
	bits := roaring.New()
	eachRun(r, n, count, func(start, end uint32) {
		if runs == 0 {
			first = start
		}
		last = end
		runs++
		for row := start; row < end; row++ {
			if len(rows) == cap(rows) {
				bits.AddMany(rows)
				rows = rows[:0]
			}
			rows = append(rows, row)
		}
	})
	if runs == 1 {
		return RowsInRange(n, first, last)
	}
	bits.AddMany(rows)
	return rowSetOf(n, bits)
}

// eachRun tells the runs [start, end) of a list of count rows, all of them below n.
func eachRun(r *reader, n, count uint32, tell func(start, end uint32)) {
	next, found := uint64(0), uint64(0) // the first row that may begin the next run, and rows so far
	rest := r.rest
	for found < uint64(count) {
		var gap uint64
		if len(rest) > 0 && rest[0] < 0x80 {
			gap, rest = uint64(rest[0]), rest[1:]
		} else {
			v, size := binary.Uvarint(rest)
			if size <= 0 {
				r.fail("a gap is cut off or too long")
				return
			}
			gap, rest = v, rest[size:]
		}
		rows := uint64(1)
		if gap&1 != 0 {
			v, size := binary.Uvarint(rest)
			if size <= 0 || v > uint64(n) {
				r.fail("a run is cut off or too long")
				return
			}
			rows, rest = v+2, rest[size:]
		}
		if gap>>1 > uint64(n) {
			r.fail("a gap is too long")
			return
		}
		start := next + gap>>1
		if start+rows > uint64(n) || found+rows > uint64(count) {
			r.fail("it has more rows than it says, or rows behind the end of the file")
			return
		}
		tell(uint32(start), uint32(start+rows))
		found += rows
		next = start + rows + 1
	}
	r.rest = rest
}

// decodeRoaring decodes a roaring bitmap of count rows.
func decodeRoaring(r *reader, n, count uint32) *RowSet {
	encoded := r.verified(1 << 40)
	if r.err != nil {
		return nil
	}
	bits := roaring.New()
	err := guard("roaring bitmap", func() error {
		if err := bits.UnmarshalBinary(encoded.bytes); err != nil { // this copies
			return corruptf("roaring bitmap: %v", err)
		}
		if err := bits.Validate(); err != nil {
			return corruptf("roaring bitmap: %v", err)
		}
		if got := bits.GetCardinality(); got != uint64(count) || bits.Maximum() >= n {
			return corruptf("roaring bitmap has %d rows up to %d; it should have %d, all below %d", got, bits.Maximum(), count, n)
		}
		return nil
	})
	if err != nil {
		r.err = err
		return nil
	}
	return rowSetOf(n, bits)
}

// String returns the name of the class.
func (c postingClass) String() string {
	switch c {
	case classList:
		return "list"
	case classRoaring:
		return "roaring"
	case classDense:
		return "dense"
	}
	return "unknown"
}

// entryShape returns class and size of the posting entry at an offset of verified bytes, for a data file of n rows.
func entryShape(v verified, offset uint64, n uint32) (postingClass, int64, error) {
	r := newReader(v, offset, "posting entry")
	before := len(r.rest)
	head := r.uvarint((uint64(n)+1)<<classBits - 1)
	class := postingClass(head & (1<<classBits - 1))
	switch class {
	case classList:
		eachRun(r, n, uint32(head>>classBits), func(uint32, uint32) {})
	case classRoaring:
		r.verified(1 << 40)
	}
	return class, int64(before - len(r.rest)), r.err
}
