package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseTime(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, text)
		require.NoError(t, err)
		return v.UTC()
	}
	for text, want := range map[string]string{
		"2026-11-22T10:20:30Z":           "2026-11-22T10:20:30Z",
		"2026-11-22T10:20:30.123456789Z": "2026-11-22T10:20:30.123456789Z",
		"2026-11-22T10:20:30+02:00":      "2026-11-22T08:20:30Z",
		"2026-11-22 10:20:30":            "2026-11-22T10:20:30Z",
		"2026-11-22T10:20":               "2026-11-22T10:20:00Z",
		"2026-11-22":                     "2026-11-22T00:00:00Z",
		"0001-01-01":                     "0001-01-01T00:00:00Z",
		"0":                              "1970-01-01T00:00:00Z",
		"1674981000":                     "2023-01-29T08:30:00Z",
		"1674981000.25":                  "2023-01-29T08:30:00.25Z",
		"1674981000123":                  "2023-01-29T08:30:00.123Z",
		"1674981000123456":               "2023-01-29T08:30:00.123456Z",
		"1674981000123456789":            "2023-01-29T08:30:00.123456789Z",
		"-1":                             "1969-12-31T23:59:59Z",
		"-0.5":                           "1969-12-31T23:59:59.5Z",
		" 2026-11-22 ":                   "2026-11-22T00:00:00Z",
	} {
		got, err := parseTime(text)
		require.NoError(t, err, text)
		require.Equal(t, at(want), got, text)
	}
	for _, text := range []string{"", "now", "2026-13-01", "22.11.2026", "1e9", "--1", "1.2.3", "2026-11-22T25:00:00Z"} {
		_, err := parseTime(text)
		require.ErrorContains(t, err, "RFC 3339", text)
	}
}

func TestTexts(t *testing.T) {
	require.Equal(t, "999 B", bytesText(999))
	require.Equal(t, "1.5 kB", bytesText(1500))
	require.Equal(t, "2.0 GB", bytesText(2e9))
	require.Equal(t, "1,234,567", countText(1234567))
	require.Equal(t, "-1,000", countText(-1000))
	require.Equal(t, "1 file", plural(1, "file"))
	require.Equal(t, "0 files", plural(0, "file"))
}
