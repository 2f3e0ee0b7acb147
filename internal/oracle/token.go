package oracle

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// isTokenRune says whether a rune belongs to a token; everything else separates.
func isTokenRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// Tokens returns the tokens of a text as they are written there, in order.
func Tokens(text string) []string {
	spans := appendSpans(nil, text)
	tokens := make([]string, len(spans))
	for i, s := range spans {
		tokens[i] = text[s.start:s.end]
	}
	return tokens
}

// SameToken says whether two tokens are the same but for case.
func SameToken(a, b string) bool { return strings.EqualFold(a, b) }

// hasTokenPrefix says whether a token of a text begins with a prefix, but for case.
func hasTokenPrefix(text, prefix string) bool {
	want := utf8.RuneCountInString(prefix)
	for _, token := range Tokens(text) {
		if runes := []rune(token); len(runes) >= want && SameToken(string(runes[:want]), prefix) {
			return true
		}
	}
	return false
}

// span is where a token lies in its text.
type span struct{ start, end int }

// appendSpans appends where the tokens of a text lie.
func appendSpans(dst []span, text string) []span {
	start := -1
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(text[i:])
		}
		inside := isTokenRune(r) && (r != utf8.RuneError || size > 1)
		if inside && start < 0 {
			start = i
		}
		if !inside && start >= 0 {
			dst, start = append(dst, span{start, i}), -1
		}
		i += size
	}
	if start >= 0 {
		dst = append(dst, span{start, len(text)})
	}
	return dst
}

// dictionary numbers the tokens that queries ask for, so that each token of a row is compared with them once.
type dictionary struct {
	tokens   []string
	byLength map[int][]int32 // by number of runes: simple folding never changes it
}

func newDictionary() *dictionary { return &dictionary{byLength: map[int][]int32{}} }

// find returns the number of a token, or -1.
func (d *dictionary) find(token string) int32 {
	for _, id := range d.byLength[utf8.RuneCountInString(token)] {
		if SameToken(d.tokens[id], token) {
			return id
		}
	}
	return -1
}

// add returns the number of a token, giving it one if it has none.
func (d *dictionary) add(token string) int32 {
	if id := d.find(token); id >= 0 {
		return id
	}
	id := int32(len(d.tokens))
	d.tokens = append(d.tokens, token)
	n := utf8.RuneCountInString(token)
	d.byLength[n] = append(d.byLength[n], id)
	return id
}
