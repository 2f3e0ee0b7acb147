package query

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index/expression"
)

// numbers reads the values of a column as numbers. NaN, and texts that are no numbers, are left out.
type numbers struct{ typ format.Type }

func (n numbers) of(v scalar) (float64, bool) {
	f := 0.0
	switch {
	case v.null:
		return 0, false
	case n.typ == format.TypeString:
		var ok bool
		if f, ok = expression.Number([]byte(v.text)); !ok {
			return 0, false
		}
	case isFloat(n.typ):
		f = v.float()
	default:
		f = float64(v.n)
	}
	return f, f == f
}

func (n numbers) at(c *format.Column, row int32) (float64, bool) {
	f := 0.0
	switch {
	case n.typ == format.TypeString:
		text := c.Texts[row]
		if text == nil {
			return 0, false
		}
		var ok bool
		if f, ok = expression.Number(text); !ok {
			return 0, false
		}
	case c.Valid != nil && !c.Valid[row]:
		return 0, false
	case isFloat(n.typ):
		f = c.Floats[row]
	default:
		f = float64(c.Ints[row])
	}
	return f, f == f
}

// sumState adds up numbers: whole ones exactly, in 128 bits; others in pairs of doubles that add up to about twice a double's digits, so that the order
// of the rows shows at most in the last digit (T. J. Dekker, "A floating-point technique for extending the available precision", 1971).
type sumState struct {
	numbers numbers
	whole   bool
	average bool
	sums    []sum
}

type sum struct {
	n        int64 // numbers
	low      uint64
	high     int64   // with low: the sum of whole numbers
	sum, err float64 // the sum of others
	infinite float64 // the sum of infinite ones
}

func (s *sumState) bytesOfGroup() int64 { return 48 }
func (s *sumState) resize(n int)        { s.sums = resized(s.sums, n) }

func (s *sum) addWhole(v int64) {
	var carry uint64
	s.low, carry = bits.Add64(s.low, uint64(v), 0)
	s.high += v>>63 + int64(carry)
}

// about returns the sum of whole numbers as a double.
func (s *sum) about() float64 {
	if s.high == int64(s.low)>>63 {
		return float64(int64(s.low))
	}
	return float64(s.high)*(1<<64) + float64(s.low)
}

func (s *sum) addFloat(v float64) {
	if math.IsInf(v, 0) {
		s.infinite += v
		return
	}
	total := s.sum + v
	if math.IsInf(total, 0) {
		s.infinite += total
		return
	}
	part := total - s.sum
	s.err += (s.sum - (total - part)) + (v - part)
	s.sum = total
}

func (s *sumState) add(groups []uint32, c *format.Column, rows []int32) int64 {
	if s.whole {
		for i, row := range rows {
			if c.Valid == nil || c.Valid[row] {
				to := &s.sums[groups[i]]
				to.n++
				to.addWhole(c.Ints[row])
			}
		}
		return 0
	}
	for i, row := range rows {
		if f, ok := s.numbers.at(c, row); ok {
			to := &s.sums[groups[i]]
			to.n++
			to.addFloat(f)
		}
	}
	return 0
}

func (s *sumState) addSame(group uint32, v scalar, n int64) int64 {
	f, ok := s.numbers.of(v)
	if !ok {
		return 0
	}
	to := &s.sums[group]
	to.n += n
	if !s.whole {
		for range n { // as often as it is there, since a product would be rounded otherwise
			to.addFloat(f)
		}
		return 0
	}
	high, low := bits.Mul64(uint64(v.n), uint64(n))
	if v.n < 0 {
		high -= uint64(n)
	}
	var carry uint64
	to.low, carry = bits.Add64(to.low, low, 0)
	to.high += int64(high) + int64(carry)
	return 0
}

func (s *sumState) merge(from aggregateState, groups []uint32) int64 {
	for i, o := range from.(*sumState).sums {
		to := &s.sums[groups[i]]
		var carry uint64
		to.low, carry = bits.Add64(to.low, o.low, 0)
		to.high += o.high + int64(carry)
		to.n += o.n
		to.infinite += o.infinite
		to.addFloat(o.sum)
		to.err += o.err
	}
	return 0
}

func (s *sumState) result(group uint32) (scalar, error) {
	v := &s.sums[group]
	switch {
	case v.n == 0:
		return nullScalar, nil
	case s.whole && s.average:
		return floatScalar(v.about() / float64(v.n)), nil
	case s.whole:
		if v.high != int64(v.low)>>63 {
			return scalar{}, fmt.Errorf("%w: it is about %.3g; ask for avg and count instead", ErrOverflow, v.about())
		}
		return scalar{n: int64(v.low)}, nil
	}
	total := v.sum + v.err
	if v.infinite != 0 { // also NaN, of both infinities
		total = v.infinite
	}
	if s.average {
		total /= float64(v.n)
	}
	return floatScalar(total), nil
}

// quantileState keeps all numbers.
type quantileState struct {
	numbers numbers
	q       float64
	values  [][]float64
}

func (s *quantileState) bytesOfGroup() int64 { return 24 }
func (s *quantileState) resize(n int)        { s.values = resized(s.values, n) }

const quantileBytes = 12 // of a number, with the room that lists have left

func (s *quantileState) add(groups []uint32, c *format.Column, rows []int32) (grown int64) {
	for i, row := range rows {
		if f, ok := s.numbers.at(c, row); ok {
			s.values[groups[i]] = append(s.values[groups[i]], f)
			grown += quantileBytes
		}
	}
	return grown
}

func (s *quantileState) addSame(group uint32, v scalar, n int64) int64 {
	f, ok := s.numbers.of(v)
	if !ok {
		return 0
	}
	for range n {
		s.values[group] = append(s.values[group], f)
	}
	return n * quantileBytes
}

func (s *quantileState) merge(from aggregateState, groups []uint32) int64 {
	grown := int64(0)
	for i, values := range from.(*quantileState).values {
		s.values[groups[i]] = append(s.values[groups[i]], values...)
		grown += int64(len(values)) * quantileBytes
	}
	return grown
}

func (s *quantileState) result(group uint32) (scalar, error) {
	values := s.values[group]
	if len(values) == 0 {
		return nullScalar, nil
	}
	slices.Sort(values)
	place := s.q * float64(len(values)-1)
	i := min(int(place), len(values)-1)
	low, rest := values[i], place-float64(i)
	if rest == 0 || i+1 == len(values) || values[i+1] == low {
		return floatScalar(low), nil
	}
	return floatScalar(low*(1-rest) + values[i+1]*rest), nil
}
