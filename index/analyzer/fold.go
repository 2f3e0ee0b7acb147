package analyzer

import (
	"unicode"
	"unicode/utf8"
)

// isTokenRune says whether a rune belongs to a token.
func isTokenRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// foldRune returns the folded form of a rune: the smallest rune of its simple folding orbit, in lower case if that is A to Z. For a
// rune of a token only the runes of the orbit that belong to tokens count, so that a folded token is a token again (Greek iota
// shares its orbit with a combining mark, U+0345, which is smaller and separates tokens).
func foldRune(r rune) rune {
	token, smallest := isTokenRune(r), r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		if next < smallest && isTokenRune(next) == token {
			smallest = next
		}
	}
	if 'A' <= smallest && smallest <= 'Z' {
		smallest += 'a' - 'A'
	}
	return smallest
}

// Fold returns the folded form of a text, rune by rune: two tokens are the same token if their folded forms are the same bytes,
// which is if strings.EqualFold says so. Bytes that are not valid UTF-8 stay as they are.
func Fold(text string) string {
	folded := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			folded = append(folded, text[0])
		} else {
			folded = utf8.AppendRune(folded, foldRune(r))
		}
		text = text[size:]
	}
	return string(folded)
}

// foldTable remembers what foldRune and isTokenRune say about the blocks of runes that were met, because asking the Unicode tables costs ten times
// as much as decoding the rune.
type foldTable [(unicode.MaxRune + 1) / foldBlock]*[foldBlock]rune

const foldBlock = 256

// separator stands for a rune that belongs to no token.
const separator = rune(-1)

// lookup returns the folded form of a valid rune that belongs to a token, or separator.
func (t *foldTable) lookup(r rune) rune {
	block := t[r/foldBlock]
	if block == nil {
		block = new([foldBlock]rune)
		first := r - r%foldBlock
		for i := range block {
			block[i] = separator
			if c := first + rune(i); isTokenRune(c) {
				block[i] = foldRune(c)
			}
		}
		t[r/foldBlock] = block
	}
	return block[r%foldBlock]
}
