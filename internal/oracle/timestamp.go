package oracle

import (
	"math/big"
	"regexp"
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
	n, ok := exact(s)
	if !ok {
		return 0, 0, false
	}
	size := new(big.Rat).Abs(n)
	scale := int64(1)
	for _, step := range []int64{1e17, 1e14, 1e11} {
		if size.Cmp(new(big.Rat).SetInt64(step)) >= 0 {
			break
		}
		scale *= 1000
	}
	n.Mul(n, new(big.Rat).SetInt64(scale))
	whole := new(big.Int).Div(n.Num(), n.Denom()) // Euclidean; the denominator is positive, so this rounds down
	seconds, rest := new(big.Int).DivMod(whole, big.NewInt(1e9), new(big.Int))
	if !seconds.IsInt64() || seconds.BitLen() > 40 {
		return 0, 0, false
	}
	return fromTime(time.Unix(seconds.Int64(), rest.Int64()))
}

// number is the JSON form of a number; longer exponents than any number in a log has would only cost memory.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$`)

// exact reads a number without rounding it.
func exact(text string) (*big.Rat, bool) {
	if !number.MatchString(text) {
		return nil, false
	}
	return new(big.Rat).SetString(text)
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
