package query

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/firnlog/firn/format"
)

// whole is a number on the scale of the whole numbers that a column stores: floor, or something between floor and floor+1.
type whole struct {
	floor int64
	exact bool
	below bool // less than every int64; floor and exact mean nothing
}

// interval is a closed range of int64; empty if low > high.
type interval struct{ low, high int64 }

var emptyInterval = interval{low: 1, high: 0}

// compareWhole returns the whole numbers that stand in this order to w.
func compareWhole(op Op, w whole) interval {
	if op == Less || op == LessOrEqual {
		switch {
		case w.below, op == Less && w.exact && w.floor == math.MinInt64:
			return emptyInterval
		case op == Less && w.exact:
			return interval{math.MinInt64, w.floor - 1}
		default:
			return interval{math.MinInt64, w.floor}
		}
	}
	switch {
	case w.below:
		return interval{math.MinInt64, math.MaxInt64}
	case op == GreaterOrEqual && w.exact:
		return interval{w.floor, math.MaxInt64}
	case w.floor == math.MaxInt64:
		return emptyInterval
	default:
		return interval{w.floor + 1, math.MaxInt64}
	}
}

func (i interval) and(o interval) interval {
	return interval{max(i.low, o.low), min(i.high, o.high)}
}

// toWhole converts a value for a column of a type that stores whole numbers.
func toWhole(t format.Type, v any) (whole, error) {
	switch t {
	case format.TypeTimestamp:
		return toMicros(v)
	case format.TypeDate:
		return toDays(v)
	case format.TypeBool:
		return toBool(v)
	default:
		return toNumber(v)
	}
}

func exactly(n int64) whole { return whole{floor: n, exact: true} }

func toNumber(v any) (whole, error) {
	if text, ok := textOf(v); ok {
		return parseNumber(strings.TrimSpace(text))
	}
	r := reflect.ValueOf(v)
	switch {
	case !r.IsValid():
	case r.CanInt() && !isDuration(v):
		return exactly(r.Int()), nil
	case r.CanUint():
		if r.Uint() > math.MaxInt64 {
			return whole{floor: math.MaxInt64}, nil
		}
		return exactly(int64(r.Uint())), nil
	case r.CanFloat():
		return floorOf(r.Float())
	}
	return whole{}, fmt.Errorf("%T is no number", v)
}

func isDuration(v any) bool {
	_, ok := v.(time.Duration)
	return ok
}

// parseNumber reads a decimal number. Digits behind the point are not rounded away.
func parseNumber(text string) (whole, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return exactly(n), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) || strings.ContainsAny(text, "xXpP_nN") {
		return whole{}, fmt.Errorf("%q is no number", text)
	}
	integer, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(integer, 10, 64)
	if err != nil || strings.ContainsAny(text, "eE") {
		return floorOf(f)
	}
	if strings.Trim(fraction, "0") == "" {
		return exactly(n), nil
	}
	if strings.HasPrefix(text, "-") {
		if n == math.MinInt64 {
			return whole{below: true}, nil
		}
		n--
	}
	return whole{floor: n}, nil
}

func floorOf(f float64) (whole, error) {
	floor := math.Floor(f)
	switch {
	case math.IsNaN(f):
		return whole{}, fmt.Errorf("NaN is no number that a column of whole numbers can be compared with")
	case floor < math.MinInt64:
		return whole{below: true}, nil
	case floor >= math.MaxInt64: // the float64 nearest to MaxInt64 is one above it
		return whole{floor: math.MaxInt64}, nil
	default:
		return whole{floor: int64(floor), exact: floor == f}, nil
	}
}

// timeLayouts are tried in this order. Fractions of a second are accepted behind any seconds.
var timeLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
	"2006-01-02 15:04", time.DateOnly, "20060102",
}

func parseTime(text string) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time; write it like 2026-11-22T10:00:00Z or 2026-11-22", text)
}

func timeOf(v any) (time.Time, bool, error) {
	switch v := v.(type) {
	case time.Time:
		return v, true, nil
	case *time.Time:
		if v != nil {
			return *v, true, nil
		}
	}
	if text, ok := textOf(v); ok {
		t, err := parseTime(strings.TrimSpace(text))
		return t, true, err
	}
	return time.Time{}, false, nil
}

// microsOf returns the microsecond that t lies in, and whether t is its start.
func microsOf(t time.Time) whole {
	const maxYear = 290_000 // within the range of UnixMicro
	switch {
	case t.Year() > maxYear:
		return whole{floor: math.MaxInt64}
	case t.Year() < -maxYear:
		return whole{below: true}
	}
	return whole{floor: t.UnixMicro(), exact: t.Nanosecond()%1000 == 0} // UnixMicro rounds down, as Nanosecond is never negative
}

// countOf returns the number of microseconds or days since 1970 that a text says: digits, but not those of a year or of a day.
func countOf(v any) (whole, bool) {
	text, ok := textOf(v)
	if !ok {
		return whole{}, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return exactly(n), err == nil && len(text) != len("2026") && len(text) != len("20261122")
}

func toMicros(v any) (whole, error) {
	if w, ok := countOf(v); ok {
		return w, nil
	}
	t, ok, err := timeOf(v)
	if err != nil {
		return whole{}, err
	}
	if ok {
		return microsOf(t), nil
	}
	if r := reflect.ValueOf(v); r.IsValid() && r.CanInt() && !isDuration(v) {
		return exactly(r.Int()), nil
	}
	return whole{}, fmt.Errorf("%T is no time; give a time.Time, text like 2026-11-22T10:00:00Z, or microseconds since 1970", v)
}

func toDays(v any) (whole, error) {
	if w, ok := countOf(v); ok {
		return w, nil
	}
	t, ok, err := timeOf(v)
	if err != nil {
		return whole{}, err
	}
	if ok {
		const day = 24 * 60 * 60
		seconds := t.Unix()
		days := seconds / day
		if seconds%day < 0 {
			days--
		}
		return whole{floor: days, exact: seconds%day == 0 && t.Nanosecond() == 0}, nil
	}
	if r := reflect.ValueOf(v); r.IsValid() && r.CanInt() && !isDuration(v) {
		return exactly(r.Int()), nil
	}
	return whole{}, fmt.Errorf("%T is no date; give a time.Time, text like 2026-11-22, or days since 1970", v)
}

func toBool(v any) (whole, error) {
	if text, ok := textOf(v); ok {
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "true":
			return exactly(1), nil
		case "false":
			return exactly(0), nil
		}
		return whole{}, fmt.Errorf("%q is neither true nor false", text)
	}
	r := reflect.ValueOf(v)
	if r.IsValid() && r.Kind() == reflect.Bool {
		if r.Bool() {
			return exactly(1), nil
		}
		return exactly(0), nil
	}
	return whole{}, fmt.Errorf("%T is neither true nor false", v)
}

// toFloat converts a value for a float or double column. For a float column it is rounded to the nearest float, as the stored values were.
func toFloat(t format.Type, v any) (float64, error) {
	f, err := anyFloat(v)
	if t == format.TypeFloat32 {
		f = float64(float32(f))
	}
	return f, err
}

func anyFloat(v any) (float64, error) {
	if text, ok := textOf(v); ok {
		text = strings.TrimSpace(text)
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && !math.IsInf(f, 0) {
			return 0, fmt.Errorf("%q is no number", text)
		}
		return f, nil
	}
	r := reflect.ValueOf(v)
	switch {
	case !r.IsValid() || isDuration(v):
	case r.CanFloat():
		return r.Float(), nil
	case r.CanInt():
		return float64(r.Int()), nil
	case r.CanUint():
		return float64(r.Uint()), nil
	}
	return 0, fmt.Errorf("%T is no number", v)
}

// textOf returns the text of a value that is text.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	case json.Number:
		return v.String(), true
	}
	if r := reflect.ValueOf(v); r.IsValid() && r.Kind() == reflect.String {
		return r.String(), true
	}
	return "", false
}

// toText converts a value for a text column or an attrs value: text as it is, numbers and bools as JSON writes them.
func toText(v any) (string, error) {
	if text, ok := textOf(v); ok {
		return text, nil
	}
	switch r := reflect.ValueOf(v); {
	case !r.IsValid():
	case isDuration(v):
	case r.CanInt(), r.CanUint(), r.CanFloat(), r.Kind() == reflect.Bool:
		return formatValue(r.Interface()), nil
	}
	if t, ok := v.(time.Time); ok {
		return formatValue(t), nil
	}
	return "", fmt.Errorf("%T is no text", v)
}

// isNumber says whether v is a Go number.
func isNumber(v any) bool {
	if _, ok := v.(json.Number); ok {
		return true
	}
	r := reflect.ValueOf(v)
	return r.IsValid() && (r.CanInt() || r.CanUint() || r.CanFloat()) && !isDuration(v)
}
