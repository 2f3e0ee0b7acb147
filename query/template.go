package query

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/firnlog/firn/index/analyzer"
)

// The placeholders of Template.
const (
	placeTime = "<time>" // a date, a time of day, or both with a zone
	placeIP   = "<ip>"   // an address of IPv4, or one of IPv6 in full or with ::
	placeUUID = "<uuid>"
	placeHex  = "<hex>" // 0x…, or eight and more hexadecimal digits, not decimal ones only
	placeNum  = "<num>" // a decimal number, also with a unit: 42, 3.5, 12ms
	placeID   = "<id>"  // anything else that is no word
)

// Template returns a text in which placeholders stand for what varies: each token that is no word token (analyzer.WordToken), and times,
// addresses and UUIDs as a whole. Words and punctuation are kept. Placeholders that only a mark parts become one (3.5 is one <num>, web12-3
// one <id>), runs of white space and control characters one space, and bytes that are not UTF-8 the replacement character. A template has no
// ASCII digit.
//
// The template is for people. It is no name of a pattern: texts of one pattern may differ in the order of their words and in punctuation, and
// texts of two patterns may have one template, if an address or UUID happens to hold a token without a digit, which is a word like any other
// to the id.
func Template(text string) string {
	var parts []templatePart
	for text = strings.ToValidUTF8(text, string(utf8.RuneError)); text != ""; {
		r, size := utf8.DecodeRuneInString(text)
		if !isWordRune(r) {
			parts = append(parts, templatePart{text: text[:size]})
			text = text[size:]
			continue
		}
		part, n := nextVariable(text)
		parts, text = append(parts, part), text[n:]
	}
	var out strings.Builder
	for _, p := range mergePlaceholders(parts) {
		out.WriteString(p.text)
	}
	return oneLine(out.String())
}

// templatePart is a piece of a template.
type templatePart struct {
	text     string
	variable bool // text is a placeholder
}

// nextVariable returns what stands for the beginning of a text, which is the beginning of a token, and how many bytes that is.
func nextVariable(text string) (templatePart, int) {
	for _, shape := range []struct {
		place string
		match func(string) int
	}{{placeUUID, matchUUID}, {placeTime, matchTime}, {placeIP, matchIPv4}, {placeIP, matchIPv6}} {
		if n := shape.match(text); n > 0 && endsToken(text, n) {
			return templatePart{shape.place, true}, n
		}
	}
	n := strings.IndexFunc(text, func(r rune) bool { return !isWordRune(r) })
	if n < 0 {
		n = len(text)
	}
	token := analyzer.Fold(text[:n])
	if analyzer.WordToken([]byte(token)) {
		return templatePart{text: text[:n]}, n
	}
	return templatePart{placeOf(token), true}, n
}

// endsToken says whether a token may end behind n bytes of a text.
func endsToken(text string, n int) bool {
	r, _ := utf8.DecodeRuneInString(text[n:])
	return n == len(text) || !isWordRune(r)
}

// placeOf returns the placeholder for a folded token that is no word token.
func placeOf(token string) string {
	const longHex = 8
	digits := strings.TrimLeft(token, decimals)
	hex := strings.Trim(token, hexDigits) == ""
	switch {
	case digits == "":
		return placeNum
	case strings.HasPrefix(token, "0x") && len(token) > 2 && strings.Trim(token[2:], hexDigits) == "", hex && len(token) >= longHex:
		return placeHex
	case len(digits) < len(token) && slices.Contains(units, digits):
		return placeNum
	}
	return placeID
}

const (
	decimals  = "0123456789"
	hexDigits = decimals + "abcdef"
)

// units are written right behind numbers.
var units = strings.Fields("ns us µs μs ms s sec m min h d b k kb kib m mb mib g gb gib t tb tib x hz mhz ghz px")

// mergePlaceholders joins placeholders that only a mark parts.
func mergePlaceholders(parts []templatePart) []templatePart {
	var out []templatePart
	for _, p := range parts {
		out = append(out, p)
		for n := len(out); n >= 3 && out[n-1].variable && out[n-3].variable && !out[n-2].variable; n = len(out) {
			joined := joinPlaces(out[n-3].text, out[n-2].text, out[n-1].text)
			if joined == "" {
				break
			}
			out = append(out[:n-3], templatePart{joined, true})
		}
	}
	return out
}

// joinPlaces returns what stands for two placeholders and the mark between them; "" if they stay apart.
func joinPlaces(a, mark, b string) string {
	plain := func(p string) bool { return p == placeNum || p == placeHex || p == placeID }
	switch {
	case a == b && strings.Contains(".-:/,", mark):
		return a
	case plain(a) && plain(b) && strings.Contains(".-", mark):
		return placeID
	}
	return ""
}

// oneLine makes each run of white space and control characters one space.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
