package analyzer

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
)

// WordTokenBytes is the length in bytes up to which a folded token may be a word token.
const WordTokenBytes = 40

// WordToken says whether a folded token is a word token: one of at most WordTokenBytes bytes without an ASCII digit. Numbers, ids,
// addresses and times have digits; what is left are the words that the program that logs has written down, stop words included. It does not
// depend on the parameters of an Analyzer.
func WordToken(token []byte) bool {
	if len(token) == 0 || len(token) > WordTokenBytes {
		return false
	}
	for _, c := range token {
		if c-'0' <= 9 {
			return false
		}
	}
	return true
}

// Signer computes signatures of texts. The zero value is ready. It is not safe for concurrent use. It keeps its buffers, so that it allocates
// nothing in the steady state; what a text of very many words made it take is given back with the next text.
type Signer struct {
	scanner Scanner
	slots   []signerSlot // an open-addressed table of the words of the text; a power of two
	round   uint32       // the text; slots of other rounds are empty
	words   []byte       // the words, one after another
	used    int          // slots of this round
}

// signerSlot is a word of the text.
type signerSlot struct {
	hash   uint64
	round  uint32
	start  uint32 // in words
	length uint32
}

// Sizes of the table of a Signer.
const (
	signerSlots     = 1 << 8
	signerKeptSlots = 1 << 14
	signerWords     = 1 << 12
)

// Signature returns the stable id of a text's pattern: the sum modulo 2^64 of the xxhash64 (seed 0) of each of its distinct word tokens, 0 for
// none. Two texts with the same set of word tokens have the same signature, whatever the order of the words, how often each occurs, and whatever
// else stands in the text.
func (s *Signer) Signature(text []byte) uint64 {
	s.reset()
	s.scanner.Reset(text)
	sum := uint64(0)
	for {
		folded, bounds, ok := s.scanner.NextBatch()
		if !ok {
			return sum
		}
		for bounds.Len() > 0 {
			var start, end uint32
			start, end, bounds = bounds.Next()
			if token := folded[start:end]; WordToken(token) {
				if hash := xxhash.Sum64(token); s.add(hash, token) {
					sum += hash
				}
			}
		}
	}
}

// reset empties the table.
func (s *Signer) reset() {
	s.round++
	if s.slots == nil || s.round == 0 || len(s.slots) > signerKeptSlots {
		s.slots, s.words, s.round = make([]signerSlot, signerSlots), make([]byte, 0, signerWords), 1
	}
	s.words, s.used = s.words[:0], 0
}

// add says whether the text did not have the word yet.
func (s *Signer) add(hash uint64, word []byte) bool {
	mask := uint64(len(s.slots) - 1)
	i := hash & mask
	for ; s.slots[i].round == s.round; i = (i + 1) & mask {
		if slot := &s.slots[i]; slot.hash == hash && bytes.Equal(s.words[slot.start:slot.start+slot.length], word) {
			return false
		}
	}
	s.slots[i] = signerSlot{hash: hash, round: s.round, start: uint32(len(s.words)), length: uint32(len(word))}
	s.words = append(s.words, word...)
	if s.used++; 2*s.used > len(s.slots) {
		s.grow()
	}
	return true
}

// grow makes the table larger.
func (s *Signer) grow() {
	old := s.slots
	s.slots = make([]signerSlot, 4*len(old))
	mask := uint64(len(s.slots) - 1)
	for _, slot := range old {
		if slot.round != s.round {
			continue
		}
		i := slot.hash & mask
		for s.slots[i].round == s.round {
			i = (i + 1) & mask
		}
		s.slots[i] = slot
	}
}
