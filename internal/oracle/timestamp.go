package oracle

import (
	"math/big"
	"strings"
	"time"
)

// layouts are the written forms of a timestamp; time.Parse takes fractional seconds after the seconds on its own.
var layouts = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05"}

// parseTime reads a timestamp in text form: RFC 3339 or an epoch number.
func parseTime(s string) (micros, nanos int64, ok bool) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return fromTime(t)
		}
	}
	return parseEpoch(s)
}

// parseEpoch reads seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size.
func parseEpoch(s string) (micros, nanos int64, ok bool) {
	if s == "" || strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, 0, false
	}
	number, ok := new(big.Rat).SetString(s)
	if !ok {
		return 0, 0, false
	}
	size := new(big.Rat).Abs(number)
	scale := int64(1)
	for _, step := range []int64{1e17, 1e14, 1e11} {
		if size.Cmp(new(big.Rat).SetInt64(step)) >= 0 {
			break
		}
		scale *= 1000
	}
	number.Mul(number, new(big.Rat).SetInt64(scale))
	whole := new(big.Int).Div(number.Num(), number.Denom()) // Euclidean; the denominator is positive, so this rounds down
	if !whole.IsInt64() {
		return 0, 0, false
	}
	n := whole.Int64()
	return fromTime(time.Unix(floorDiv(n, 1e9), n-floorDiv(n, 1e9)*1e9))
}

// fromTime splits a time into whole microseconds, rounded down, and the nanoseconds that are left.
func fromTime(t time.Time) (micros, nanos int64, ok bool) {
	t = t.UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return 0, 0, false
	}
	return t.Unix()*1e6 + int64(t.Nanosecond()/1000), int64(t.Nanosecond() % 1000), true
}

// parseDate reads a date.
func parseDate(s string) (days int64, ok bool) {
	t, err := time.Parse("2006-01-02", s)
	if err != nil {
		return 0, false
	}
	return floorDiv(t.Unix(), 86400), true
}
