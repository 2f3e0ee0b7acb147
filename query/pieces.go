package query

import (
	"slices"
	"sort"

	"github.com/firnlog/firn/format"
)

// pieceRows says how many candidates the next piece should have: as many as are likely to be needed, and few at first.
func (c *cursor) pieceRows() int64 {
	r, size := c.reading, c.sizes()
	need := r.needed()
	remote := r.scan.planner.engine.remote()
	if c.view.bounds.decided() {
		if r.byRows() || remote { // the rows behind those that are needed would have to be read to find out that they are: see trim
			return min(need, size.most)
		}
		return min(max(need, size.least), size.most)
	}
	if r.byRows() {
		return c.pieceSpan(need, size)
	}
	if remote && float64(c.left)*r.yield() <= float64(size.most) && c.left <= size.mostCheck &&
		c.view.file.EstimateBytes(residualFields(c.view.residual, nil), c.rest) <= wholeBytes {
		return c.left // reading it takes less time than asking for it
	}
	if r.checked.Load() == 0 {
		if need > size.most/4 {
			return size.most
		}
		return max(4*need, size.first)
	}
	yield := r.yield()
	most := min(float64(size.most)/yield, float64(size.mostCheck))
	return int64(min(max(1.25*float64(need)/yield, float64(size.first)), most))
}

// needed is how many more rows are to be handed out: at least one, as files that were opened ahead may still be read at the moment when the last row is.
func (r *reading) needed() int64 { return max(1, r.limit-r.matched.Load()) }

// pieceSpan says how many rows the next piece should span, if pieces are cut by rows.
func (c *cursor) pieceSpan(need int64, size pieceSizes) int64 {
	if n, ok := c.spanOfCertain(need); ok && n <= size.mostCheck {
		return n
	}
	if c.reading.spanned.Load() == 0 {
		if need > size.most/4 {
			return size.most
		}
		return max(4*need, size.first)
	}
	density := c.reading.density()
	most := min(float64(size.most)/density, float64(size.mostCheck))
	return int64(min(max(1.25*float64(need)/density, float64(size.first)), most))
}

// spanOfCertain says how many rows, from the first candidate on that is left, hold as many rows as are needed that are known to match; false if the file has
// not so many.
func (c *cursor) spanOfCertain(need int64) (int64, bool) {
	must := c.view.bounds.must
	if len(c.rest) == 0 || int64(must.Cardinality()) < need {
		return 0, false
	}
	first, end := c.rest[0].Start, c.rest[len(c.rest)-1].End
	most := end - first
	enough := func(n int) bool {
		if c.newest {
			return int64(must.CountInRange(end-uint32(n), end)) >= need
		}
		return int64(must.CountInRange(first, first+uint32(n))) >= need
	}
	n := sort.Search(int(most)+1, enough)
	return int64(n), n <= int(most)
}

// nextPiece takes the next piece off, and returns how many rows were gone through with it.
func (c *cursor) nextPiece() (piece []format.RowRange, span int64) {
	n := c.pieceRows()
	if c.reading.byRows() && !c.view.bounds.decided() {
		piece = c.cutSpan(n)
	} else {
		piece = c.cut(n)
	}
	if len(piece) == 0 {
		return piece, 0
	}
	before := c.edge
	switch {
	case c.left == 0 && c.newest:
		c.edge = 0
	case c.left == 0:
		c.edge = c.file.rows
	case c.newest:
		c.edge = piece[0].Start
	default:
		c.edge = piece[len(piece)-1].End
	}
	return piece, max(int64(before)-int64(c.edge), int64(c.edge)-int64(before))
}

// cutSpan takes those candidates off the end that comes first in the order of the reading that lie within n rows of the first of them.
func (c *cursor) cutSpan(n int64) []format.RowRange {
	if len(c.rest) == 0 || n <= 0 {
		return nil
	}
	taken := int64(0)
	if c.newest {
		stop := max(0, int64(c.rest[len(c.rest)-1].End)-n)
		for i := len(c.rest) - 1; i >= 0 && int64(c.rest[i].End) > stop; i-- {
			taken += int64(c.rest[i].End) - max(stop, int64(c.rest[i].Start))
		}
		return c.cut(taken)
	}
	stop := int64(c.rest[0].Start) + n
	for i := 0; i < len(c.rest) && int64(c.rest[i].Start) < stop; i++ {
		taken += min(stop, int64(c.rest[i].End)) - int64(c.rest[i].Start)
	}
	return c.cut(taken)
}

// rowBytes guesses how much memory a row takes.
func (f *filePlan) rowBytes() int64 {
	const compression = 12 // roughly
	return compression*f.data.Size/int64(f.rows) + 1
}

// sizes returns the sizes of pieces, with fewer rows if the rows of the file are large.
func (c *cursor) sizes() pieceSizes {
	chunkBytes := int64(4 << 20)
	size := c.reading.scan.planner.engine.sizes
	if c.reading.scan.planner.engine.remote() { // fewer pages are read twice, for two chunks
		chunkBytes, size.most = remoteChunks*chunkBytes, remoteChunks*size.most
	}
	size.most = max(1, min(size.most, chunkBytes/c.file.rowBytes()))
	size.least, size.first = min(size.least, size.most), min(size.first, size.most)
	return size
}

// cut takes about n candidates off the end that comes first in the order of the reading.
func (c *cursor) cut(n int64) (piece []format.RowRange) {
	for n > 0 && len(c.rest) > 0 {
		if c.newest {
			r := &c.rest[len(c.rest)-1]
			take := uint32(min(n, int64(r.End-r.Start)))
			piece = append(piece, format.RowRange{Start: r.End - take, End: r.End})
			if r.End -= take; r.End == r.Start {
				c.rest = c.rest[:len(c.rest)-1]
			}
			n, c.left = n-int64(take), c.left-int64(take)
			continue
		}
		r := &c.rest[0]
		take := uint32(min(n, int64(r.End-r.Start)))
		piece = append(piece, format.RowRange{Start: r.Start, End: r.Start + take})
		if r.Start += take; r.End == r.Start {
			c.rest = c.rest[1:]
		}
		n, c.left = n-int64(take), c.left-int64(take)
	}
	if c.newest {
		slices.Reverse(piece)
	}
	return piece
}
