package dsl

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/firnlog/firn/query"
)

// rangeOf reads gt, gte, lt and lte.
func (r *reader) rangeOf(n node) query.Predicate {
	name, ends := r.single(n, "an object with one key, the name of a field")
	if r.err != nil {
		return nil
	}
	c, _ := r.column(name, ends)
	r.onlyKeys(ends, []string{"gt", "gte", "lt", "lte", "format", "time_zone"}, map[string]string{
		"from": "write gte or gt", "to": "write lte or lt", "include_lower": "write gte or gt", "include_upper": "write lte or lt",
		"relation": "a column has one value", "boost": "rows have no score",
	})
	if zone, ok := ends.get("time_zone"); ok && zone.text != "UTC" && zone.text != "Z" && zone.text != "+00:00" {
		r.failf(zone, "expected UTC: write the zone into the values, like 2026-11-22T10:00:00+02:00")
	}
	format, _ := ends.get("format")
	switch format.text {
	case "", "epoch_millis", "epoch_second", "strict_date_optional_time", "date_optional_time", "strict_date_optional_time||epoch_millis":
	default:
		r.failf(format, "expected epoch_millis, epoch_second or strict_date_optional_time")
	}
	var and query.And
	for _, end := range []struct {
		key string
		op  query.Op
	}{{"gt", query.Greater}, {"gte", query.GreaterOrEqual}, {"lt", query.Less}, {"lte", query.LessOrEqual}} {
		if value, ok := ends.get(end.key); ok && value.kind != nullKind {
			and = append(and, query.Compare{Column: c, Op: end.op, Value: r.bound(c, value, format.text)})
		}
	}
	if len(and) == 0 {
		r.failf(ends, "expected gt, gte, lt or lte")
	}
	return and
}

// bound reads an end of a range: a value, or a moment. A number is a moment if format says so, and for _timestamp: milliseconds since 1970, as in
// Elasticsearch.
func (r *reader) bound(c query.Column, n node, format string) any {
	if n.kind == textKind && strings.HasPrefix(n.text, "now") {
		if ago, ok := r.moment(n); ok {
			return ago
		}
	}
	isTime := c == query.Col(timestampColumn)
	number := n.kind == numberKind || isTime && n.text != "" && strings.Trim(n.text, "0123456789") == "" && len(n.text) > 8
	if number && (format == "epoch_second" || format == "epoch_millis" || isTime) {
		unit := int64(time.Second)
		if format != "epoch_second" {
			unit = int64(time.Millisecond)
		}
		i, err := strconv.ParseInt(n.text, 10, 64)
		if err != nil || i > math.MaxInt64/unit || i < math.MinInt64/unit {
			r.failf(n, "expected a whole number of milliseconds or seconds since 1970 that fits into the years 1678 to 2262")
			return nil
		}
		return time.Unix(0, i*unit).UTC()
	}
	if isTime && strings.Contains(n.text, "||") {
		r.failf(n, "there is arithmetic with now alone: now-15m; write the moment itself")
	}
	return r.value(n)
}

// moment reads now, now-15m, now+1h and sums like now-1h-30m.
func (r *reader) moment(n node) (query.Ago, bool) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'H': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	rest := strings.TrimPrefix(n.text, "now")
	if rest != "" && rest[0] != '+' && rest[0] != '-' && rest[0] != '/' {
		return 0, false // a text that begins like this
	}
	ago := time.Duration(0)
	for rest != "" {
		sign := rest[0]
		rest = rest[1:]
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		count, err := strconv.ParseInt(rest[:digits], 10, 64)
		if sign == '/' || sign != '+' && sign != '-' || err != nil || digits == len(rest) {
			r.failf(n, "expected a moment like now-15m; rounding (/d) is not run")
			return 0, true
		}
		unit, ok := units[rest[digits]]
		if !ok || count > math.MaxInt64/4/int64(unit) {
			r.failf(n, "expected a moment like now-15m, with s, m, h, d or w; months and years have no fixed length")
			return 0, true
		}
		if sign == '-' {
			ago += time.Duration(count) * unit
		} else {
			ago -= time.Duration(count) * unit
		}
		if ago > math.MaxInt64/2 || ago < math.MinInt64/2 {
			r.failf(n, "this is too long ago")
			return 0, true
		}
		rest = rest[digits+1:]
	}
	return query.Ago(ago), true
}
