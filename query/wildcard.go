package query

import (
	"regexp"
	"strings"
)

// Wildcards is a pattern of a language that knows characters which stand for others, in pieces: % and _ of SQL's LIKE, * and ? of Elasticsearch's wildcard.
type Wildcards []Wildcard

// Wildcard is a piece of a pattern.
type Wildcard struct {
	Text string // what is meant literally, if Any is 0
	Any  AnyOf  // what else
}

// AnyOf is what a wildcard stands for.
type AnyOf uint8

// The wildcards.
const (
	AnyText      AnyOf = iota + 1 // any text, also the empty one
	AnyCharacter                  // one character
)

// Add adds a text. Literal pieces become one.
func (w *Wildcards) Add(text string) {
	if n := len(*w); n > 0 && (*w)[n-1].Any == 0 {
		(*w)[n-1].Text += text
		return
	}
	*w = append(*w, Wildcard{Text: text})
}

// AddAny adds a wildcard. Several that stand for any text are one.
func (w *Wildcards) AddAny(any AnyOf) {
	if n := len(*w); n > 0 && any == AnyText && (*w)[n-1].Any == AnyText {
		return
	}
	*w = append(*w, Wildcard{Any: any})
}

// Match returns the predicate that the whole text of a column has this form: Equal, Prefix or Contains, Not of IsNull if any text has it, or else
// Regexp. With fold upper and lower case are one.
func (w Wildcards) Match(c Column, fold bool) Predicate {
	shape, text := "", ""
	for _, p := range w {
		switch p.Any {
		case AnyText:
			shape += "*"
		case AnyCharacter:
			shape += "?"
		default:
			shape, text = shape+"t", p.Text
		}
	}
	switch {
	case shape == "*":
		return Not{IsNull{c}}
	case fold:
	case shape == "" || shape == "t":
		return Equal{c, text}
	case shape == "t*":
		return Prefix{c, text}
	case shape == "*t*":
		return Contains{c, text}
	}
	return Regexp{c, w.expression(fold)}
}

// expression writes the pattern as a regular expression.
func (w Wildcards) expression(fold bool) string {
	var b strings.Builder
	dot := false
	last := len(w) - 1
	if last < 0 || w[0].Any != AnyText {
		b.WriteByte('^')
	}
	for i, p := range w {
		switch {
		case p.Any == 0:
			b.WriteString(regexp.QuoteMeta(p.Text))
		case p.Any == AnyCharacter:
			b.WriteByte('.')
			dot = true
		case i > 0 && i < last:
			b.WriteString(".*")
			dot = true
		}
	}
	if last < 0 || w[last].Any != AnyText {
		b.WriteByte('$')
	}
	switch {
	case fold && dot:
		return "(?is)" + b.String()
	case fold:
		return "(?i)" + b.String()
	case dot: // wildcards stand for line ends too
		return "(?s)" + b.String()
	}
	return b.String()
}
