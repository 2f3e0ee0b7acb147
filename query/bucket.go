package query

import (
	"fmt"
	"math"
	"time"

	"github.com/firnlog/firn/format"
)

// Microseconds of the units whose length is always the same.
const (
	microsOfSecond = 1_000_000
	microsOfDay    = 24 * 60 * 60 * microsOfSecond
	weekOffset     = 3 * microsOfDay // from a Monday to 1970-01-01, a Thursday
)

// bucketer finds the interval that a time lies in. Times are microseconds, or days for a column of dates. It is immutable.
type bucketer struct {
	size   int64 // of the interval; 0: months of them
	offset int64 // added before times are rounded down to a multiple of size
	months int
	scale  int64 // microseconds of a unit of time
}

// newBucketer returns what rounds the values of a column of this type.
func newBucketer(every Interval, field format.Field) (*bucketer, error) {
	b := &bucketer{scale: 1}
	switch field.Type {
	case format.TypeTimestamp:
	case format.TypeDate:
		b.scale = microsOfDay
	default:
		return nil, fmt.Errorf("%w: column %q holds no times, so that there are no intervals of them", ErrInvalidRequest, field.Name)
	}
	sizes := map[IntervalUnit]int64{
		Second: microsOfSecond, Minute: 60 * microsOfSecond, Hour: 3600 * microsOfSecond, Day: microsOfDay, Week: 7 * microsOfDay,
	}
	months := map[IntervalUnit]int{Month: 1, Quarter: 3, Year: 12}
	count, calendar := int64(every.Count), months[every.Unit]
	size, fixed := sizes[every.Unit]
	switch {
	case !fixed && calendar == 0:
		return nil, fmt.Errorf("%w: %q is no unit of time; use second, minute, hour, day, week, month, quarter or year", ErrInvalidRequest, string(every.Unit))
	case count < 1, fixed && count > math.MaxInt64/size/4:
		return nil, fmt.Errorf("%w: an interval of %d %ss is too short or too long", ErrInvalidRequest, count, every.Unit)
	case count != 1 && (calendar > 0 || every.Unit == Week):
		return nil, fmt.Errorf("%w: an interval of %d %ss has no natural beginning; use 1, or days", ErrInvalidRequest, count, every.Unit)
	case fixed && count*size%b.scale != 0:
		return nil, fmt.Errorf("%w: column %q holds days, which cannot be cut into intervals of %d %ss", ErrInvalidRequest, field.Name, count, every.Unit)
	}
	if b.months = calendar; fixed {
		b.size = count * size / b.scale
	}
	if every.Unit == Week {
		b.offset = weekOffset / b.scale
	}
	return b, nil
}

// span returns the interval [start, end) that a time lies in.
func (b *bucketer) span(t int64) (start, end int64) {
	if b.size == 0 {
		return b.calendar(t)
	}
	rest := (t%b.size + b.offset) % b.size
	if rest < 0 {
		rest += b.size
	}
	if t < math.MinInt64+rest { // the beginning cannot be told
		return math.MinInt64, t - rest + b.size
	}
	start = t - rest
	if start > math.MaxInt64-b.size {
		return start, math.MaxInt64
	}
	return start, start + b.size
}

func (b *bucketer) calendar(t int64) (start, end int64) {
	limit := (math.MaxInt64 - 400*microsOfDay) / b.scale // beyond it, in the year 294,246, there is one interval
	switch {
	case t > limit:
		return limit + 1, math.MaxInt64
	case t < -limit:
		return math.MinInt64, -limit
	}
	at := time.UnixMicro(t * b.scale).UTC()
	month := int(at.Month()) - 1
	first := time.Date(at.Year(), time.Month(month-month%b.months+1), 1, 0, 0, 0, 0, time.UTC)
	return first.UnixMicro() / b.scale, first.AddDate(0, b.months, 0).UnixMicro() / b.scale
}
