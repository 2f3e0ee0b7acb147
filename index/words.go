package index

import (
	"context"
	"math"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/firnlog/firn/index/analyzer"
)

// wordEntry is what a dictionary says about a token, decoded.
type wordEntry struct {
	word     bool     // it is of a word token
	rows     uint32   // that hold the token
	patterns []uint32 // that hold it, ascending
	mask     uint64   // blocks of the column of patterns that matter, if the file has a mask
	form     uint32   // of the rows in no pattern
	rest     *RowSet  // restRows: those rows; restBlocks and restBitmap: all rows of the blocks that they are in
}

// needsColumn says whether the column of patterns must be asked for the rows.
func (e *wordEntry) needsColumn() bool { return len(e.patterns) > 0 || e.word && e.form >= restBlocks }

// readEntry decodes the entry at an offset of the entries of a part: of a word token, or of another one, which patterns know nothing of.
func readEntry(v verified, offset uint64, word bool, h *columnHead, n uint32) (wordEntry, error) {
	r := newReader(v, offset, "dictionary entry")
	e := takeEntry(r, word, h, n)
	return e, r.err
}

// takeEntry takes an entry.
func takeEntry(r *reader, word bool, h *columnHead, n uint32) wordEntry {
	head := r.uvarint((uint64(n)+1)<<entryShift - 1)
	e := wordEntry{word: word, rows: uint32(head >> entryShift), form: uint32(head & largestForm), mask: math.MaxUint64}
	count := uint64(0)
	if head&inPatterns != 0 {
		count = r.uvarint(h.patterns)
	}
	for next := uint64(0); count > 0 && r.err == nil; count-- {
		p := next + r.uvarint(h.patterns)
		if p >= h.patterns {
			r.fail("it names a pattern that is not there")
			break
		}
		e.patterns = append(e.patterns, uint32(p))
		next = p + 1
	}
	if hasMask(n) && e.needsColumn() {
		e.mask = r.uvarint(math.MaxUint64)
	}
	e.readRest(r, h, n)
	if r.err == nil && (e.rows == 0 || e.form == restNone && len(e.patterns) == 0) {
		r.fail("it has no rows")
	}
	return e
}

func (e *wordEntry) readRest(r *reader, h *columnHead, n uint32) {
	blocks := blocksOf(n, h.blockRows)
	switch e.form {
	case restRows:
		count := e.rows
		if len(e.patterns) > 0 {
			count = uint32(r.uvarint(uint64(n)))
		}
		e.rest = readRows(r, n, count)
	case restBlocks:
		rows := &rangeCollector{n: n, each: h.blockRows}
		readRuns(r, blocks, uint32(r.uvarint(uint64(blocks))), rows.add)
		e.rest = rows.set()
	case restBitmap:
		rows := &rangeCollector{n: n, each: h.blockRows}
		bitmap := r.take(uint64(blocks+7) / 8)
		for b := uint32(0); b < blocks && len(bitmap) > 0; b++ {
			if bitmap[b/8]>>(b%8)&1 != 0 {
				rows.add(b, b+1)
			}
		}
		e.rest = rows.set()
	}
}

// rangeCollector makes a set of rows from blocks that ascend.
type rangeCollector struct {
	n, each    uint32
	start, end uint64 // rows that are not in bits yet
	bits       *roaring.Bitmap
}

// add adds the rows of blocks [first, end).
func (c *rangeCollector) add(first, end uint32) {
	from, to := uint64(first)*uint64(c.each), min(uint64(end)*uint64(c.each), uint64(c.n))
	if c.start < c.end && from > c.end {
		c.flush()
		c.start = from
	} else if c.start == c.end {
		c.start = from
	}
	c.end = to
}

func (c *rangeCollector) flush() {
	if c.bits == nil {
		c.bits = roaring.New()
	}
	c.bits.AddRange(c.start, c.end)
}

func (c *rangeCollector) set() *RowSet {
	if c.bits == nil {
		return RowsInRange(c.n, uint32(c.start), uint32(c.end))
	}
	c.flush()
	return rowSetOf(c.n, c.bits)
}

// resolve turns a number of a dictionary into a posting.
func (s *Sidecar) resolve(ctx context.Context, column int, token []byte, d *dictionary, value uint64) (Posting, error) {
	h, n := &s.head.columns[column], s.head.identity.Rows
	if value&inlineRow != 0 {
		row := value >> 1
		if row >= uint64(n) {
			return Posting{}, corruptf("dictionary has row %d of %d", row, n)
		}
		return exactly(RowsInRange(n, uint32(row), uint32(row)+1)), nil
	}
	e, err := readEntry(d.entries, value>>1, analyzer.WordToken(token), h, n)
	if err != nil {
		return Posting{}, err
	}
	must, rest := NoRows(n), AllRows(n)
	if h.patterns > 0 && e.needsColumn() {
		if must, rest, err = s.rowsOfPatterns(ctx, column, e.patterns, e.mask); err != nil {
			return Posting{}, err
		}
	}
	may := must
	switch e.form {
	case restRows:
		must = must.Or(e.rest)
		may = must
	case restBlocks, restBitmap:
		may = must.Or(e.rest.And(rest))
	}
	if must.Cardinality() > e.rows || may.Cardinality() < e.rows {
		return Posting{}, corruptf("a token has %d to %d rows; the dictionary says %d", must.Cardinality(), may.Cardinality(), e.rows)
	}
	switch e.rows {
	case must.Cardinality():
		return exactly(must), nil
	case may.Cardinality():
		return exactly(may), nil
	}
	return Posting{Kind: PostingMay, Rows: may, Must: must, Count: e.rows, Counted: true}, nil
}
