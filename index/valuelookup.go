package index

import (
	"context"
	"fmt"

	"github.com/firnlog/firn/index/expression"
	"github.com/firnlog/firn/index/valueindex"
)

// ValueRows is what a value index says about rows: blocks of them.
type ValueRows struct {
	May   *RowSet // every row that may have one of the values, or a number within the bounds, is in here
	Some  *RowSet // every row that has any value is in here
	Every *RowSet // all rows in here have a value: certain
}

// ValueQuestion asks a value index of one file. FieldID and Expression (whose column's name does not count) say which one.
type ValueQuestion struct {
	FieldID    int
	Expression expression.Expression
	Class      valueindex.Class    // of the values that are asked for
	Points     []valueindex.Hash   // whole values, for a bloom
	Ranges     []valueindex.Bounds // bounds of order keys, for a range
}

// HasValues says which value indexes the sidecar has on an expression.
func (s *Sidecar) HasValues(fieldID int, e expression.Expression) (bloom, ranges bool) {
	i := s.valueOf(fieldID, e)
	if i < 0 {
		return false, false
	}
	return s.head.values[i].points.length > 0, s.head.values[i].ranges.length > 0
}

// ValueCost returns how many bytes AskPoints and AskRanges would read; 0 for what is in memory or not there.
func (s *Sidecar) ValueCost(fieldID int, e expression.Expression) (points, ranges int64) {
	i := s.valueOf(fieldID, e)
	if i < 0 || s.whole != nil {
		return 0, 0
	}
	if s.cache.get(partKey{kindPoints, i, 0}) == nil {
		points = s.head.values[i].points.length
	}
	if s.cache.get(partKey{kindRanges, i, 0}) == nil {
		ranges = s.head.values[i].ranges.length
	}
	return points, ranges
}

// valueOf returns the number of an expression in options and head, or -1.
func (s *Sidecar) valueOf(fieldID int, e expression.Expression) int {
	for i, spec := range s.head.options.Values {
		if spec.FieldID == fieldID && s.head.values[i].expression.Same(e) {
			return i
		}
	}
	return -1
}

// AskPoints returns the rows that may have one of q.Points. It takes one ranged read at most, and none once the index is loaded. ok is false if there
// is no such index, or one of another class. Errors: ErrCorrupt, or one of the store.
func (s *Sidecar) AskPoints(ctx context.Context, q ValueQuestion) (rows ValueRows, ok bool, err error) {
	i := s.valueOf(q.FieldID, q.Expression)
	if i < 0 || s.head.values[i].points.length == 0 {
		return ValueRows{}, false, nil
	}
	p, err := s.points(ctx, i)
	if err != nil {
		return ValueRows{}, false, s.problem(err)
	}
	if p.Class() != q.Class {
		return ValueRows{}, false, nil
	}
	may := make([]bool, p.Blocks())
	for _, h := range q.Points {
		if err := p.Mark(h, may); err != nil {
			return ValueRows{}, false, s.problem(fmt.Errorf("%w: %w", ErrCorrupt, err))
		}
	}
	return s.valueRows(&p.Presence, may), true, nil
}

// AskRanges returns the rows that may have a number within one of q.Ranges; otherwise it is as AskPoints.
func (s *Sidecar) AskRanges(ctx context.Context, q ValueQuestion) (rows ValueRows, ok bool, err error) {
	i := s.valueOf(q.FieldID, q.Expression)
	if i < 0 || s.head.values[i].ranges.length == 0 {
		return ValueRows{}, false, nil
	}
	r, err := s.ranges(ctx, i)
	if err != nil {
		return ValueRows{}, false, s.problem(err)
	}
	if r.Class() != q.Class {
		return ValueRows{}, false, nil
	}
	may := make([]bool, r.Blocks())
	for _, b := range q.Ranges {
		r.Mark(b.Low, b.High, may)
	}
	return s.valueRows(&r.Presence, may), true, nil
}

// valueRows turns blocks into rows.
func (s *Sidecar) valueRows(p *valueindex.Presence, may []bool) ValueRows {
	n := s.head.identity.Rows
	return ValueRows{
		May:   rowsOfBlocks(n, p, func(block int) bool { return may[block] }),
		Some:  rowsOfBlocks(n, p, p.Some),
		Every: rowsOfBlocks(n, p, p.Every),
	}
}

func rowsOfBlocks(n uint32, p *valueindex.Presence, is func(block int) bool) *RowSet {
	var list [][2]uint32
	for block := range p.Blocks() {
		if !is(block) {
			continue
		}
		start, end := p.Span(block)
		if k := len(list); k > 0 && list[k-1][1] == start {
			list[k-1][1] = end
		} else {
			list = append(list, [2]uint32{start, end})
		}
	}
	return joinRanges(n, list)
}

// points returns the points of an expression, loading them first if need be.
func (s *Sidecar) points(ctx context.Context, i int) (*valueindex.Points, error) {
	at := s.head.values[i].points
	return load(ctx, &s.cache, partKey{kindPoints, i, 0}, at.length, func() (*valueindex.Points, error) {
		v, err := s.valueBlob(ctx, i, kindPoints, at)
		if err != nil {
			return nil, err
		}
		p, err := valueindex.DecodePoints(v.bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return p, s.checkPresence(&p.Presence)
	})
}

// ranges returns the ranges of an expression, loading them first if need be.
func (s *Sidecar) ranges(ctx context.Context, i int) (*valueindex.Ranges, error) {
	at := s.head.values[i].ranges
	return load(ctx, &s.cache, partKey{kindRanges, i, 0}, rangeMemory*at.length, func() (*valueindex.Ranges, error) {
		v, err := s.valueBlob(ctx, i, kindRanges, at)
		if err != nil {
			return nil, err
		}
		r, err := valueindex.DecodeRanges(v.bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return r, s.checkPresence(&r.Presence)
	})
}

// rangeMemory is about how many times larger ranges are in memory.
const rangeMemory = 6

func (s *Sidecar) checkPresence(p *valueindex.Presence) error {
	if p.Rows() != s.head.identity.Rows {
		return corruptf("a value index tells of %d rows, the data file has %d", p.Rows(), s.head.identity.Rows)
	}
	return nil
}

// valueBlob reads and verifies a whole blob.
func (s *Sidecar) valueBlob(ctx context.Context, i int, kind blobKind, at place) (verified, error) {
	blob, err := s.read(ctx, at.offset, headerBytes+at.length)
	if err != nil {
		return verified{}, err
	}
	crc, err := checkHeader(blob, kind, s.head.options.Values[i].FieldID, at.length)
	if err != nil {
		return verified{}, err
	}
	return verify(blob[headerBytes:], crc, "the "+kind.String()+" blob")
}

// joinRanges returns the rows of ascending ranges. It joins halves first, so that many ranges take little time.
func joinRanges(n uint32, list [][2]uint32) *RowSet {
	switch len(list) {
	case 0:
		return NoRows(n)
	case 1:
		return RowsInRange(n, list[0][0], list[0][1])
	}
	half := len(list) / 2
	return joinRanges(n, list[:half]).Or(joinRanges(n, list[half:]))
}
