package query

import (
	"encoding/json"
	"strconv"
	"strings"
)

// ParseNumber reads a number as SQL and JSON write it, without loss: an int64 if it is whole and fits, a float64 if its shortest form says the same, or
// else a json.Number, which Equal and In look for digit by digit and which Compare and Between round to a float64.
func ParseNumber(text string) (value any, ok bool) {
	if unsigned, plus := strings.CutPrefix(text, "+"); plus && !strings.HasPrefix(unsigned, "-") {
		text = unsigned
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	if text == "" || strings.Trim(text, "0123456789+-.eE") != "" {
		return nil, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, false
	}
	if strings.ContainsAny(text, "eE") {
		return f, true
	}
	sign, digits := "", text
	if strings.HasPrefix(text, "-") {
		sign, digits = "-", text[1:]
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	plain := sign + "0"
	if whole != "" {
		plain = sign + whole
	}
	if fraction != "" {
		plain += "." + fraction
	}
	if n, err := strconv.ParseInt(plain, 10, 64); err == nil {
		return n, true
	}
	if strconv.FormatFloat(f, 'f', -1, 64) == plain {
		return f, true
	}
	return json.Number(plain), true
}
