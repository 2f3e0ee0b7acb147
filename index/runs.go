package index

import (
	"encoding/binary"

	"github.com/RoaringBitmap/roaring/v2"
)

// A list of numbers that ascend (rows, or blocks of rows) is stored as its maximal runs, until all numbers are told:
//
//	uvarint gap << 1 | (1 if the run has more than one number)
//	        gap: for the first run its first number; else the numbers between the run before and this one, less 1
//	uvarint numbers of the run - 2, only if it has more than one
//
// How many numbers there are is stored elsewhere.

// appendRuns appends a list.
func appendRuns(dst []byte, runs []rowRun) []byte {
	end := ^uint32(0) // so that the first gap is not lessened
	for _, r := range runs {
		gap := uint64(r.start-end-1) << 1
		end = r.start + r.rows
		if r.rows == 1 && gap < 0x80 {
			dst = append(dst, byte(gap))
			continue
		}
		if r.rows > 1 {
			gap |= 1
		}
		dst = binary.AppendUvarint(dst, gap)
		if r.rows > 1 {
			dst = binary.AppendUvarint(dst, uint64(r.rows-2))
		}
	}
	return dst
}

// appendRun appends a run of rows that follow on the runs before, and joins it to the last one if it is next to that.
func appendRun(runs []rowRun, start, rows uint32) []rowRun {
	if n := len(runs); n > 0 && runs[n-1].start+runs[n-1].rows == start {
		runs[n-1].rows += rows
		return runs
	}
	return append(runs, rowRun{start, rows})
}

// runsOfBlocks appends to dst the runs of blocks that rows are in.
func runsOfBlocks(dst []rowRun, rows []rowRun, blockRows uint32) []rowRun {
	next := uint32(0) // first block that is not told
	for _, r := range rows {
		first, last := max(r.start/blockRows, next), (r.start+r.rows-1)/blockRows
		if first <= last {
			dst = appendRun(dst, first, last-first+1)
			next = last + 1
		}
	}
	return dst
}

// countRuns returns how many numbers the runs have.
func countRuns(runs []rowRun) (n uint32) {
	for _, r := range runs {
		n += r.rows
	}
	return n
}

const (
	// arrayRows is the number of rows up to which a list is decoded by way of an array; longer ones go by way of a bit for each row.
	arrayRows = 2048
	// largestDense is the largest data file, in rows, whose rows get one bit each while a list is decoded.
	largestDense = 1 << 28
)

// readRows takes a list of count rows, all below n.
func readRows(r *reader, n, count uint32) *RowSet {
	if count > arrayRows && n <= largestDense {
		words := make([]uint64, (n+63)/64)
		readRuns(r, n, count, func(start, end uint32) { setBits(words, start, end) })
		return rowSetOf(n, roaring.FromDense(words, true))
	}
	first, last, runs := uint32(0), uint32(0), 0
	rows := make([]uint32, 0, min(count, arrayRows))
	bits := roaring.New()
	readRuns(r, n, count, func(start, end uint32) {
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

// readRuns takes a list of count numbers, all below n, and tells its runs [start, end).
func readRuns(r *reader, n, count uint32, tell func(start, end uint32)) {
	next, found := uint64(0), uint64(0) // the first number that may begin the next run, and numbers so far
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
			r.fail("it has more numbers than it says, or some that are too large")
			return
		}
		tell(uint32(start), uint32(start+rows))
		found += rows
		next = start + rows + 1
	}
	r.rest = rest
}

// setBits sets the bits from start up to, not including, end.
func setBits(words []uint64, start, end uint32) {
	for start < end {
		word, bit := start/64, start%64
		n := min(end-start, 64-bit)
		words[word] |= (1<<n - 1) << bit // n is 64 only if bit is 0; then 1<<n is 0 and the mask all ones
		start += n
	}
}
