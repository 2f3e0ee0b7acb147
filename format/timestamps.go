package format

import "math"

// microsPer returns the function that turns a count of units of so many nanoseconds into microseconds, rounding down, and
// saturating where a coarser unit leaves the range of int64. ok is false for units that are no multiple or fraction of a microsecond.
func microsPer(unitNanos int64) (convert func(int64) int64, ok bool) {
	switch {
	case unitNanos == 1000:
		return func(v int64) int64 { return v }, true
	case unitNanos > 0 && unitNanos < 1000 && 1000%unitNanos == 0:
		div := 1000 / unitNanos
		return func(v int64) int64 { return floorDiv(v, div) }, true
	case unitNanos > 1000 && unitNanos%1000 == 0:
		mul := unitNanos / 1000
		return func(v int64) int64 { return saturatingMul(v, mul) }, true
	}
	return nil, false
}

func floorDiv(v, div int64) int64 {
	q := v / div
	if v%div < 0 {
		q--
	}
	return q
}

func saturatingMul(v, mul int64) int64 {
	switch {
	case v > math.MaxInt64/mul:
		return math.MaxInt64
	case v < math.MinInt64/mul:
		return math.MinInt64
	}
	return v * mul
}
