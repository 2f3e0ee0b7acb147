package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"text/tabwriter"
)

// printJSON writes v as one line of JSON on standard output.
func (a *app) printJSON(v any) error {
	return writeJSONLine(a.stdout, v)
}

// writeJSONLine writes v as one line of JSON, leaving <, > and & as they are.
func writeJSONLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printf writes text on standard output.
func (a *app) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(a.stdout, format, args...)
	return err
}

// warnf writes a line on standard error, for people.
func (a *app) warnf(format string, args ...any) {
	fmt.Fprintf(a.stderr, "firn: "+format+"\n", args...)
}

// table lays out rows of cells in columns.
func (a *app) table(header string, rows [][]string) error {
	w := tabwriter.NewWriter(a.stdout, 2, 8, 2, ' ', 0)
	if header != "" {
		fmt.Fprintln(w, header)
	}
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// brokenPipe tells whether an error says that the reader of our output went away.
func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// bytesText writes a number of bytes for people.
func bytesText(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, name := float64(n), ""
	for _, name = range []string{"kB", "MB", "GB", "TB", "PB"} {
		value /= unit
		if value < unit {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", value, name)
}

// countText writes a count for people: 1,234,567.
func countText(n int64) string {
	text := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	var b strings.Builder
	for i, digit := range text {
		if i > 0 && (len(text)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return sign + b.String()
}

// plural returns "1 file" or "3 files".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return countText(n) + " " + noun + "s"
}

// plural2 is plural for nouns that do not just take an s.
func plural2(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return countText(n) + " " + many
}
