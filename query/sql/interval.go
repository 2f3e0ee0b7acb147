package sql

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/firnlog/firn/query"
)

const unitList = "second, minute, hour, day, week, month, quarter or year"

// units are the words and letters for units of time.
var units = map[string]query.IntervalUnit{
	"s": query.Second, "sec": query.Second, "second": query.Second, "m": query.Minute, "min": query.Minute, "minute": query.Minute,
	"h": query.Hour, "hour": query.Hour, "d": query.Day, "day": query.Day, "w": query.Week, "week": query.Week,
	"month": query.Month, "q": query.Quarter, "quarter": query.Quarter, "y": query.Year, "year": query.Year,
}

// parseUnit reads a unit of time, in the singular or the plural.
func parseUnit(text string) (query.IntervalUnit, bool) {
	lower := strings.ToLower(text)
	if u, ok := units[lower]; ok {
		return u, true
	}
	u, ok := units[strings.TrimSuffix(lower, "s")]
	return u, ok
}

// parseInterval reads a count and a unit: 15 minutes, 5m, 1 day.
func parseInterval(text string) (interval, error) {
	text = strings.TrimSpace(text)
	digits := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if digits <= 0 {
		return interval{}, fmt.Errorf("expected an interval like '15 minutes' or '5m'")
	}
	n, err := strconv.Atoi(text[:digits])
	unit, ok := parseUnit(strings.TrimSpace(text[digits:]))
	switch {
	case err != nil || n > math.MaxInt32:
		return interval{}, fmt.Errorf("the interval is too long")
	case !ok:
		return interval{}, fmt.Errorf("%q is no unit of time; expected %s", strings.TrimSpace(text[digits:]), unitList)
	}
	return interval{n, unit}, nil
}

// every returns the interval as one to group by.
func (i interval) every() (query.Interval, error) {
	every := query.Interval{Count: i.count, Unit: i.unit}
	switch {
	case i.count == 0:
		return every, fmt.Errorf("an interval of 0 holds nothing")
	case i.count > 1 && i.unit == query.Week:
		return query.Interval{Count: 7 * i.count, Unit: query.Day}, fmt.Errorf("weeks are counted one at a time; write %d days", 7*i.count)
	case i.count > 1 && (i.unit == query.Month || i.unit == query.Quarter || i.unit == query.Year):
		return every, fmt.Errorf("a %s is counted one at a time", i.unit)
	}
	return every, nil
}

// duration returns the interval as a length of time.
func (i interval) duration() (time.Duration, error) {
	lengths := map[query.IntervalUnit]time.Duration{
		query.Second: time.Second, query.Minute: time.Minute, query.Hour: time.Hour, query.Day: 24 * time.Hour, query.Week: 7 * 24 * time.Hour,
	}
	length, ok := lengths[i.unit]
	switch {
	case !ok:
		return 0, fmt.Errorf("a %s has no fixed length; count days", i.unit)
	case time.Duration(i.count) > math.MaxInt64/length:
		return 0, fmt.Errorf("the interval is too long")
	}
	return time.Duration(i.count) * length, nil
}
