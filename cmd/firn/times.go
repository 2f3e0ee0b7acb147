package main

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// timeLayouts are the spellings of --from and --to besides epoch numbers. Without a zone they mean UTC.
var timeLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	"2006-01-02",
}

// timeHelp says in a flag's help how times are written.
const timeHelp = "RFC 3339, a date (2026-11-22: its first instant, UTC), or an epoch number in s, ms, µs or ns"

// parseTime reads a point in time as timeHelp says. The unit of an epoch number follows from its size: up to 11 digits before the point
// are seconds, up to 14 milliseconds, up to 17 microseconds, more nanoseconds.
func parseTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	if t, ok := parseEpoch(text); ok {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time: write %s", text, timeHelp)
}

// parseEpoch reads an epoch number exactly, with an optional sign and fraction.
func parseEpoch(text string) (time.Time, bool) {
	if text == "" || strings.Trim(text, "0123456789.+-") != "" {
		return time.Time{}, false
	}
	number, ok := new(big.Rat).SetString(text)
	if !ok {
		return time.Time{}, false
	}
	size, _ := new(big.Rat).Abs(number).Float64()
	unit := int64(1)
	switch {
	case size < 1e11:
		unit = 1e9
	case size < 1e14:
		unit = 1e6
	case size < 1e17:
		unit = 1e3
	}
	number.Mul(number, new(big.Rat).SetInt64(unit))
	nanos := new(big.Int).Div(number.Num(), number.Denom()) // floor
	seconds, rest := new(big.Int).DivMod(nanos, big.NewInt(1e9), new(big.Int))
	if !seconds.IsInt64() || seconds.Int64() > math.MaxInt64/2 || seconds.Int64() < math.MinInt64/2 {
		return time.Time{}, false
	}
	return time.Unix(seconds.Int64(), rest.Int64()).UTC(), true
}

// parseWindow reads --from and --to: [from, to). An empty text leaves that side open.
func parseWindow(from, to string) (lo, hi time.Time, err error) {
	if from != "" {
		if lo, err = parseTime(from); err != nil {
			return lo, hi, usagef("--from: %w", err)
		}
	}
	if to != "" {
		if hi, err = parseTime(to); err != nil {
			return lo, hi, usagef("--to: %w", err)
		}
		if hi.IsZero() { // which would mean an open side
			hi = hi.Add(1)
		}
	}
	if from != "" && to != "" && hi.Before(lo) {
		return lo, hi, usagef("--to (%s) lies before --from (%s)", to, from)
	}
	return lo, hi, nil
}
