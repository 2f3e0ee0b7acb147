package query

import (
	"bytes"
	"strings"

	"github.com/firnlog/firn/index/analyzer"
)

// foldedNeedle is an ASCII text that is searched for without regard to case: its rarest byte with bytes.IndexByte, the rest where that is found. It is immutable.
type foldedNeedle struct {
	text     string // folded
	at       int    // place of the rarest byte
	low, upp byte   // this byte in lower and upper case
	// exotic: it has a k or s, which also the Kelvin sign and the long s fold to. Those are not found.
	exotic bool
}

func newFoldedNeedle(text string) *foldedNeedle {
	n := &foldedNeedle{text: text, exotic: strings.ContainsAny(text, "ks")}
	n.at, n.low, n.upp = rarestByte(text)
	return n
}

// rarestByte returns where the byte of a folded text stands that is rarest in texts, and that byte in either case.
func rarestByte(text string) (at int, low, upp byte) {
	for i := range len(text) {
		if rarity(text[i]) > rarity(text[at]) {
			at = i
		}
	}
	low, upp = text[at], text[at]
	if low >= 'a' && low <= 'z' {
		upp -= 'a' - 'A'
	}
	return at, low, upp
}

// foldedSearch finds the needle in a text, from the left to the right.
type foldedSearch struct {
	needle   *foldedNeedle
	text     []byte
	low, upp int // where the rarest byte stands next in either case; -1: nowhere
}

func (n *foldedNeedle) search(text []byte) foldedSearch {
	s := foldedSearch{needle: n, text: text, low: indexFrom(text, n.at, n.low), upp: -1}
	if n.upp != n.low {
		s.upp = indexFrom(text, n.at, n.upp)
	}
	return s
}

// next returns where the needle stands next, -1 for nowhere.
func (s *foldedSearch) next() int {
	n := s.needle
	for s.low >= 0 || s.upp >= 0 {
		var start int
		if s.low >= 0 && (s.upp < 0 || s.low < s.upp) {
			start = s.low - n.at
			s.low = indexFrom(s.text, s.low+1, n.low)
		} else {
			start = s.upp - n.at
			s.upp = indexFrom(s.text, s.upp+1, n.upp)
		}
		if end := start + len(n.text); end <= len(s.text) && equalFold(s.text[start:end], n.text) {
			return start
		}
	}
	return -1
}

// in says whether the needle stands in the text.
func (n *foldedNeedle) in(text []byte) bool {
	s := n.search(text)
	return s.next() >= 0
}

// hasExotic says whether a text has characters beyond ASCII that fold to k or s.
func hasExotic(text []byte) bool {
	return bytes.Contains(text, kelvinSign) || bytes.Contains(text, longS)
}

// prefixMatcher finds tokens that begin with a prefix. It is immutable; callers bring a Scanner of their own. Texts are tokenised only if their characters
// or those of the prefix demand it.
type prefixMatcher struct {
	prefix string        // folded
	needle *foldedNeedle // nil: the prefix is not ASCII
}

func newPrefixMatcher(prefix string) *prefixMatcher {
	m := &prefixMatcher{prefix: prefix}
	if isASCII(prefix) {
		m.needle = newFoldedNeedle(prefix)
	}
	return m
}

// match says whether one of the tokens of a text begins with the prefix.
func (m *prefixMatcher) match(text []byte, s *analyzer.Scanner) bool {
	if m.needle == nil {
		return !isASCII(text) && m.scan(text, s)
	}
	found := m.needle.search(text)
	for start := found.next(); start >= 0; start = found.next() {
		if !wordBefore(text, start) {
			return true
		}
	}
	return m.needle.exotic && hasExotic(text) && m.scan(text, s)
}

// scan tokenises the text.
func (m *prefixMatcher) scan(text []byte, s *analyzer.Scanner) bool {
	s.Reset(text)
	for {
		token, ok := s.Next()
		if !ok {
			return false
		}
		if len(token) >= len(m.prefix) && string(token[:len(m.prefix)]) == m.prefix {
			return true
		}
	}
}
