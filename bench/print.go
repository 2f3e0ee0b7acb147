package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// section prints a headline.
func (b *bench) section(title string) { fmt.Fprintf(b.out, "\n%s\n", title) }

// row prints cells in columns: the first two wide and to the left, the others to the right.
func (b *bench) row(cells ...any) {
	var line strings.Builder
	for i, cell := range cells {
		text := fmt.Sprint(cell)
		width := 11
		if i == 0 {
			width = 28
		}
		pad := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
		if i == 0 {
			text += pad
		} else {
			text = " " + pad + text
		}
		line.WriteString(text)
	}
	fmt.Fprintln(b.out, strings.TrimRight(line.String(), " "))
}

// mb prints bytes as MB of 10^6.
func mb(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }

// ms prints milliseconds.
func ms(n float64) string {
	if n < 10 {
		return fmt.Sprintf("%.2f", n)
	}
	return fmt.Sprintf("%.0f", n)
}
