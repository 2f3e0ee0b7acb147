package expression

import (
	"bytes"
	"strconv"
)

// Number reads a text that is a decimal number, as comparisons with numbers do: digits with an optional sign, point and exponent, at most 400
// bytes, rounded to the nearest float64. A number out of its range is infinite, which still compares; the result is never NaN.
func Number(t []byte) (float64, bool) {
	if len(t) == 0 || len(t) > 400 || t[0] != '-' && t[0] != '+' && t[0] != '.' && (t[0] < '0' || t[0] > '9') || bytes.ContainsAny(t, "xXpP_iI") {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(t), 64)
	return f, err == nil || f != 0 // out of range is infinite
}
