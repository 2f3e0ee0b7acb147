package query

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/firnlog/firn/index/analyzer"
)

// tokenMatcher finds a run of tokens in texts. It is immutable; callers bring a Scanner of their own.
//
// Most texts and tokens are ASCII. For those the rarest byte of the longest token is searched for with bytes.IndexByte, and the token and its neighbours are compared
// where it is found, so that a text is tokenised only if its characters demand it.
type tokenMatcher struct {
	tokens []string // folded
	links  []int    // of Knuth, Morris and Pratt: length of the longest proper prefix of tokens that ends at each token
	anchor int      // the token searched for first, -1 if none is ASCII

	at       int  // place in the anchor token of its rarest byte
	low, upp byte // this byte in lower and upper case
	// exotic: a token has a k or s, which also the Kelvin sign and the long s fold to.
	exotic bool
}

var (
	kelvinSign = []byte("\u212a")
	longS      = []byte("\u017f")
)

func newTokenMatcher(tokens []string) *tokenMatcher {
	m := &tokenMatcher{tokens: tokens, links: make([]int, len(tokens)), anchor: -1}
	for i, k := 1, 0; i < len(tokens); i++ {
		for k > 0 && tokens[i] != tokens[k] {
			k = m.links[k-1]
		}
		if tokens[i] == tokens[k] {
			k++
		}
		m.links[i] = k
	}
	for i, t := range tokens {
		if isASCII(t) && (m.anchor < 0 || len(t) > len(tokens[m.anchor])) {
			m.anchor = i
		}
		m.exotic = m.exotic || strings.ContainsAny(t, "ks")
	}
	if m.anchor >= 0 {
		m.at, m.low, m.upp = rarestByte(tokens[m.anchor])
	}
	return m
}

// rarity ranks the bytes of folded ASCII tokens by how rare they are in logs, roughly.
func rarity(b byte) int { return strings.IndexByte("eatoinsrldcumphgfb01y2w3v45678_9kxqzj", b) }

func isASCII[T ~string | ~[]byte](text T) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// match says whether the tokens stand next to each other in text.
func (m *tokenMatcher) match(text []byte, s *analyzer.Scanner) bool {
	if m.anchor < 0 {
		return !isASCII(text) && m.scan(text, s)
	}
	found, sure := m.search(text)
	if sure && !found && m.exotic && (bytes.Contains(text, kelvinSign) || bytes.Contains(text, longS)) {
		sure = false
	}
	if sure {
		return found
	}
	return m.scan(text, s)
}

// scan tokenises the text.
func (m *tokenMatcher) scan(text []byte, s *analyzer.Scanner) bool {
	s.Reset(text)
	matched := 0
	for {
		token, ok := s.Next()
		if !ok {
			return false
		}
		for matched > 0 && m.tokens[matched] != string(token) {
			matched = m.links[matched-1]
		}
		if m.tokens[matched] == string(token) {
			matched++
		}
		if matched == len(m.tokens) {
			return true
		}
	}
}

// search looks for the anchor and its neighbours. It is not sure if the neighbourhood of an anchor is not ASCII.
func (m *tokenMatcher) search(text []byte) (found, sure bool) {
	token := m.tokens[m.anchor]
	sure = true
	low, upp := indexFrom(text, m.at, m.low), -1
	if m.upp != m.low {
		upp = indexFrom(text, m.at, m.upp)
	}
	for low >= 0 || upp >= 0 {
		var start int
		if low >= 0 && (upp < 0 || low < upp) {
			start = low - m.at
			low = indexFrom(text, low+1, m.low)
		} else {
			start = upp - m.at
			upp = indexFrom(text, upp+1, m.upp)
		}
		if !tokenAt(text, start, token) {
			continue
		}
		if len(m.tokens) == 1 {
			return true, true
		}
		after, sureAfter := m.follows(text, start+len(token))
		before, sureBefore := m.precedes(text, start)
		switch {
		case sureAfter && sureBefore && after && before:
			return true, true
		case sureAfter && !after, sureBefore && !before:
		default:
			sure = false
		}
	}
	return false, sure
}

// indexFrom is bytes.IndexByte from a place on.
func indexFrom(text []byte, from int, b byte) int {
	if from >= len(text) {
		return -1
	}
	if i := bytes.IndexByte(text[from:], b); i >= 0 {
		return from + i
	}
	return -1
}

// tokenAt says whether an ASCII token stands at this place, as a whole token.
func tokenAt(text []byte, start int, token string) bool {
	end := start + len(token)
	if start < 0 || end > len(text) {
		return false
	}
	for i, b := range text[start:end] {
		if asciiLower[b] != token[i] {
			return false
		}
	}
	return !wordBefore(text, start) && !wordAfter(text, end)
}

func wordBefore(text []byte, start int) bool {
	if start == 0 {
		return false
	}
	if b := text[start-1]; b < utf8.RuneSelf {
		return asciiWord[b]
	}
	r, _ := utf8.DecodeLastRune(text[:start])
	return isWordRune(r)
}

func wordAfter(text []byte, end int) bool {
	if end == len(text) {
		return false
	}
	if b := text[end]; b < utf8.RuneSelf {
		return asciiWord[b]
	}
	r, _ := utf8.DecodeRune(text[end:])
	return isWordRune(r)
}

// follows says whether the tokens behind the anchor follow from this place on.
func (m *tokenMatcher) follows(text []byte, at int) (ok, sure bool) {
	for _, token := range m.tokens[m.anchor+1:] {
		for at < len(text) && text[at] < utf8.RuneSelf && !asciiWord[text[at]] {
			at++
		}
		start := at
		for at < len(text) && asciiWord[text[at]] {
			at++
		}
		if at < len(text) && text[at] >= utf8.RuneSelf {
			return false, false
		}
		if !equalFold(text[start:at], token) {
			return false, true
		}
	}
	return true, true
}

// precedes says whether the tokens before the anchor stand before this place.
func (m *tokenMatcher) precedes(text []byte, at int) (ok, sure bool) {
	for i := m.anchor - 1; i >= 0; i-- {
		for at > 0 && text[at-1] < utf8.RuneSelf && !asciiWord[text[at-1]] {
			at--
		}
		end := at
		for at > 0 && asciiWord[text[at-1]] {
			at--
		}
		if at > 0 && text[at-1] >= utf8.RuneSelf {
			return false, false
		}
		if !equalFold(text[at:end], m.tokens[i]) {
			return false, true
		}
	}
	return true, true
}

// equalFold says whether an ASCII text is a folded token.
func equalFold(text []byte, token string) bool {
	if len(text) != len(token) {
		return false
	}
	for i, b := range text {
		if asciiLower[b] != token[i] {
			return false
		}
	}
	return true
}

// innerTokens returns the distinct tokens that every text holds which contains the needle (or starts with it, if atStart): all but those at its ends
// that may be part of a longer token there.
func innerTokens(needle string, atStart bool) []string {
	if !utf8.ValidString(needle) {
		return nil
	}
	if !atStart {
		needle = strings.TrimLeftFunc(needle, isWordRune)
	}
	needle = strings.TrimRightFunc(needle, isWordRune)
	return distinct(analyzer.Split(needle))
}

// asciiLower maps A-Z to a-z and every other byte to itself; asciiWord marks the ASCII characters of tokens.
var asciiLower, asciiWord = asciiTables()

func asciiTables() (lower [256]byte, word [256]bool) {
	for i := range 256 {
		b := byte(i)
		lower[i] = b
		if b >= 'A' && b <= 'Z' {
			lower[i] = b - 'A' + 'a'
		}
		word[i] = b < utf8.RuneSelf && isWordRune(rune(b))
	}
	return lower, word
}
