package query

import (
	"errors"
	"math"

	"github.com/firnlog/firn/format"
)

// ErrOverflow says that a sum of whole numbers does not fit into 64 bits.
var ErrOverflow = errors.New("a sum does not fit into 64 bits")

// aggregateState is what an aggregate knows of each group, by its number. It belongs to one goroutine. add, addSame and merge return by how many bytes of
// memory the state grew beyond bytesOfGroup.
type aggregateState interface {
	bytesOfGroup() int64
	resize(groups int)
	// add adds values: that of rows[i] to groups[i].
	add(groups []uint32, c *format.Column, rows []int32) int64
	// addSame adds n rows with the value v to a group.
	addSame(group uint32, v scalar, n int64) int64
	// merge adds a state of the same aggregate, whose group i is groups[i] here.
	merge(from aggregateState, groups []uint32) int64
	result(group uint32) (scalar, error)
}

// newAggregateState returns an empty state. t is the type of the values, TypeInvalid where rows are counted.
func newAggregateState(a Aggregate, t format.Type) aggregateState {
	switch a.Function {
	case FuncCount:
		return &countState{rows: t == format.TypeInvalid}
	case FuncCountDistinct:
		return &distinctState{coder: newCoder(t, nil), seen: map[uint64]struct{}{}}
	case FuncMin:
		return &extremeState{typ: t, sign: -1}
	case FuncMax:
		return &extremeState{typ: t, sign: 1}
	case FuncQuantile:
		return &quantileState{q: a.Quantile, numbers: numbers{t}}
	}
	return &sumState{whole: isWholeNumber(t), average: a.Function == FuncAvg, numbers: numbers{t}}
}

func isWholeNumber(t format.Type) bool { return t == format.TypeInt32 || t == format.TypeInt64 }

// countState counts rows, or values that are not null.
type countState struct {
	rows   bool
	counts []int64
}

func (s *countState) bytesOfGroup() int64 { return 8 }
func (s *countState) resize(n int)        { s.counts = resized(s.counts, n) }

func (s *countState) add(groups []uint32, c *format.Column, rows []int32) int64 {
	switch {
	case s.rows || c.Field.Type != format.TypeString && c.Valid == nil:
		for _, g := range groups {
			s.counts[g]++
		}
	case c.Field.Type == format.TypeString:
		for i, row := range rows {
			if c.Texts[row] != nil {
				s.counts[groups[i]]++
			}
		}
	default:
		for i, row := range rows {
			if c.Valid[row] {
				s.counts[groups[i]]++
			}
		}
	}
	return 0
}

func (s *countState) addSame(group uint32, v scalar, n int64) int64 {
	if s.rows || !v.null {
		s.counts[group] += n
	}
	return 0
}

func (s *countState) merge(from aggregateState, groups []uint32) int64 {
	for i, n := range from.(*countState).counts {
		s.counts[groups[i]] += n
	}
	return 0
}

func (s *countState) result(group uint32) (scalar, error) { return scalar{n: s.counts[group]}, nil }

// extremeState keeps the least or greatest value. NaN counts as no value.
type extremeState struct {
	typ   format.Type
	sign  int // of the comparison of a better value with one that is not
	known []bool
	best  []scalar
}

func (s *extremeState) bytesOfGroup() int64 { return 40 }

func (s *extremeState) resize(n int) { s.known, s.best = resized(s.known, n), resized(s.best, n) }

func (s *extremeState) add(groups []uint32, c *format.Column, rows []int32) (grown int64) {
	switch {
	case s.typ == format.TypeString:
		for i, row := range rows {
			text, g := c.Texts[row], groups[i]
			if text == nil || s.known[g] && (s.sign < 0 && string(text) >= s.best[g].text || s.sign > 0 && string(text) <= s.best[g].text) {
				continue
			}
			grown += int64(len(text) - len(s.best[g].text))
			s.known[g], s.best[g].text = true, string(text)
		}
	case isFloat(s.typ) || s.typ == format.TypeBool:
		for i, row := range rows {
			s.offer(groups[i], scalarAt(c, row))
		}
	default:
		for i, row := range rows {
			n, g := c.Ints[row], groups[i]
			if c.Valid != nil && !c.Valid[row] || s.known[g] && (s.sign < 0 && n >= s.best[g].n || s.sign > 0 && n <= s.best[g].n) {
				continue
			}
			s.known[g], s.best[g].n = true, n
		}
	}
	return grown
}

func (s *extremeState) offer(g uint32, v scalar) {
	if v.null || isFloat(s.typ) && math.IsNaN(v.float()) {
		return
	}
	if !s.known[g] || compareScalars(s.typ, v, s.best[g])*s.sign > 0 {
		s.known[g], s.best[g] = true, v
	}
}

func (s *extremeState) addSame(group uint32, v scalar, _ int64) int64 {
	s.offer(group, v)
	return int64(len(v.text))
}

func (s *extremeState) merge(from aggregateState, groups []uint32) int64 {
	o := from.(*extremeState)
	for i, known := range o.known {
		if known {
			s.offer(groups[i], o.best[i])
		}
	}
	return 0
}

func (s *extremeState) result(group uint32) (scalar, error) {
	if !s.known[group] {
		return nullScalar, nil
	}
	return s.best[group], nil
}

// distinctState counts different values that are not null.
type distinctState struct {
	coder  *coder
	seen   map[uint64]struct{} // group << 32 | code
	counts []int64
	codes  []uint32 // memory
}

func (s *distinctState) bytesOfGroup() int64 { return 8 }
func (s *distinctState) resize(n int)        { s.counts = resized(s.counts, n) }

func (s *distinctState) see(group, code uint32) {
	key := uint64(group)<<32 | uint64(code)
	if _, ok := s.seen[key]; !ok && !s.coder.values[code].null {
		s.seen[key] = struct{}{}
		s.counts[group]++
	}
}

func (s *distinctState) grown(do func()) int64 {
	const entryBytes = 24
	before, pairs := s.coder.bytes, len(s.seen)
	do()
	return s.coder.bytes - before + int64(len(s.seen)-pairs)*entryBytes
}

func (s *distinctState) add(groups []uint32, c *format.Column, rows []int32) int64 {
	return s.grown(func() {
		s.codes = resized(s.codes, len(rows))
		s.coder.codes(c, rows, s.codes)
		last := ^uint64(0)
		for i, code := range s.codes[:len(rows)] {
			if key := uint64(groups[i])<<32 | uint64(code); key != last {
				last = key
				s.see(groups[i], code)
			}
		}
	})
}

func (s *distinctState) addSame(group uint32, v scalar, _ int64) int64 {
	return s.grown(func() { s.see(group, s.coder.code(v)) })
}

func (s *distinctState) merge(from aggregateState, groups []uint32) int64 {
	return s.grown(func() {
		o := from.(*distinctState)
		codes := make([]uint32, len(o.coder.values))
		for i, v := range o.coder.values {
			codes[i] = s.coder.code(v)
		}
		for key := range o.seen {
			s.see(groups[key>>32], codes[uint32(key)])
		}
	})
}

func (s *distinctState) result(group uint32) (scalar, error) {
	return scalar{n: s.counts[group]}, nil
}

// resized returns a slice of this length, which keeps what it had.
func resized[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:n]
	}
	return append(s[:len(s):len(s)], make([]T, n-len(s)+n/2)...)[:n]
}
