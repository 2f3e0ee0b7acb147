package ingest

import (
	"math"
	"strconv"

	"github.com/firnlog/firn/format"
)

// convert fits a value to a column that is not a string. The result holds the bits of an int64, or of a float64, or 0 and 1 for bool.
// Strings are read like the bare values. finer says that digits below the microsecond were rounded down.
//
//	bool         true, false
//	int, long    a number without a fractional part that lies in the type's range (5, "5", 5.0, 1e3)
//	float, double a number in the type's range, rounded to the nearest
//	timestamp    as _timestamp
//	date         "2006-01-02"
func convert(t format.Type, v value) (fixed uint64, finer, ok bool) {
	if v.kind == kindArray {
		return 0, false, false
	}
	switch t {
	case format.TypeBool:
		switch string(v.text) {
		case "true":
			return 1, false, v.kind == kindBool || v.kind == kindString
		case "false":
			return 0, false, v.kind == kindBool || v.kind == kindString
		}
		return 0, false, false
	case format.TypeTimestamp:
		if v.kind == kindBool {
			return 0, false, false
		}
		at, finer, err := parseTimestamp(v.text)
		return uint64(at.micros), finer && err == nil, err == nil
	case format.TypeDate:
		days, ok := parseDate(v.text)
		return uint64(days), false, ok && v.kind == kindString
	}
	if v.kind == kindBool || !isNumber(v.text) {
		return 0, false, false
	}
	switch t {
	case format.TypeInt32:
		n, ok := parseInteger(v.text)
		return uint64(n), false, ok && n >= math.MinInt32 && n <= math.MaxInt32
	case format.TypeInt64:
		n, ok := parseInteger(v.text)
		return uint64(n), false, ok
	case format.TypeFloat32:
		f, err := strconv.ParseFloat(string(v.text), 32)
		return math.Float64bits(f), false, err == nil
	case format.TypeFloat64:
		f, err := strconv.ParseFloat(string(v.text), 64)
		return math.Float64bits(f), false, err == nil
	}
	return 0, false, false
}

// parseInteger reads a JSON number whose value is a whole number of 64 bits.
func parseInteger(text []byte) (n int64, ok bool) {
	d, ok := parseDecimal(text)
	if !ok || d.point > 19 {
		return 0, false
	}
	for i := d.point; i < d.count(); i++ {
		if d.digit(i) != 0 {
			return 0, false
		}
	}
	var u uint64
	for i := 0; i < d.point; i++ {
		u = u*10 + uint64(d.digit(i)) // at most 19 digits: no overflow
	}
	if d.negative {
		return -int64(u), u <= 1<<63
	}
	return int64(u), u <= math.MaxInt64
}

// parseDate reads 2006-01-02 as days since 1970-01-01.
func parseDate(b []byte) (days int64, ok bool) {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return 0, false
	}
	century, e1 := twoDigits(b[0], b[1])
	yy, e2 := twoDigits(b[2], b[3])
	month, e3 := twoDigits(b[5], b[6])
	day, e4 := twoDigits(b[8], b[9])
	year := century*100 + yy
	if e1|e2|e3|e4 > 9 || year == 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	return civilDays(int(year), int(month), int(day)), true
}

// isNumber says whether a text is exactly a JSON number.
func isNumber(text []byte) bool {
	n := scanNumber(text, 0)
	return n > 0 && n == len(text)
}

// scanNumber returns the end of the JSON number that begins at i, or -1.
func scanNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b):
		return -1
	case b[i] == '0':
		i++
	case b[i]-'1' <= 8:
		for i < len(b) && b[i]-'0' <= 9 {
			i++
		}
	default:
		return -1
	}
	if i < len(b) && b[i] == '.' {
		n := countDigits(b[i+1:])
		if n == 0 {
			return -1
		}
		i += 1 + n
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		n := countDigits(b[i:])
		if n == 0 {
			return -1
		}
		i += n
	}
	return i
}
