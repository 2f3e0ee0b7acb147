package index

import (
	"unicode/utf8"
)

// rowPatterns remembers for each row of a column which word tokens it has, in the form of a number for each different set of them. Rows that
// the same log statement printed have the same set, so that there are few sets and the words of a row take four bytes. It follows the idea of log
// parsers that group lines by what is constant in them (He et al., "Drain", 2017, use length and leading words; a set of words needs no order and no
// threshold), and is exact: sets are told apart by the sum of a public hash, which is the pattern's stable id, and by one of a secret hash, so that
// nobody can write texts that are taken for one pattern and have other words.
type rowPatterns struct {
	rows  []uint32 // for each row the number of its set + 1, or 0 for a row without text
	sets  []wordSet
	words []uint32 // token entries of all sets, one after another
	slots []uint32 // open addressing by id: number of the set + 1
	texts []byte   // samples of all sets
	full  bool     // there was no room for more: the rows are incomplete
}

// wordSet is a set of word tokens.
type wordSet struct {
	id, check    uint64
	words        uint32 // offset of its words
	size         uint32 // number of its words
	rows         uint32 // rows that have it
	first        uint32 // the first of them
	sample       uint32 // offset of its sample in texts
	sampleLength uint32 // 0 if it has none
	pattern      uint32 // number of the pattern + 1; 0 if it is none. Set when the file is finished
}

const (
	firstSlots = 1 << 9
	// sampledRows is how many rows a set must have to get a sample: the text of the row with which it gets so many.
	sampledRows = 128
	// sampleBytes is the most that is kept of a text as a sample.
	sampleBytes = 256
	// largestWords bounds the words of all sets, so that 32 bit offsets cannot overflow.
	largestWords = 1<<32 - 1<<24
)

func (p *rowPatterns) clear() {
	p.rows, p.sets, p.words, p.texts, p.full = p.rows[:0], p.sets[:0], p.words[:0], p.texts[:0], false
	if p.slots == nil {
		p.slots = make([]uint32, firstSlots)
	}
	clear(p.slots)
}

func (p *rowPatterns) memoryBytes() int64 {
	return int64(cap(p.rows)+cap(p.words)+cap(p.slots))*4 + int64(cap(p.sets))*48 + int64(cap(p.texts))
}

// set says which words a row has: those of the table's present row. A row that was told already, with a part of its texts, is told anew.
func (p *rowPatterns) set(row uint32, t *tokenTable, text []byte) {
	if p.full {
		return
	}
	if int(row) < len(p.rows) {
		p.sets[p.rows[row]-1].rows-- // only the last row comes again
	}
	for uint64(len(p.rows)) <= uint64(row) {
		p.rows = append(p.rows, 0)
	}
	number, ok := p.find(t)
	if !ok {
		p.full = true
		return
	}
	s := &p.sets[number]
	if s.rows == 0 {
		s.first = row
	}
	s.rows++
	p.rows[row] = number + 1
	if s.rows == sampledRows && s.sampleLength == 0 {
		sample := CutSample(text)
		s.sample, s.sampleLength = uint32(len(p.texts)), uint32(len(sample))
		p.texts = append(p.texts, sample...)
	}
}

// find returns the number of the set of the table's present row, which is made if it is new.
func (p *rowPatterns) find(t *tokenTable) (uint32, bool) {
	mask := uint64(len(p.slots) - 1)
	slot := (t.id ^ t.id>>32) & mask
	for ; p.slots[slot] != 0; slot = (slot + 1) & mask {
		if s := &p.sets[p.slots[slot]-1]; s.id == t.id && s.check == t.check {
			return p.slots[slot] - 1, true
		}
	}
	if len(p.words)+len(t.words) > largestWords || len(p.texts) > largestWords {
		return 0, false
	}
	p.sets = append(p.sets, wordSet{id: t.id, check: t.check, words: uint32(len(p.words)), size: uint32(len(t.words))})
	p.words = append(p.words, t.words...)
	p.slots[slot] = uint32(len(p.sets))
	if len(p.sets)*2 > len(p.slots) {
		p.grow()
	}
	return uint32(len(p.sets)) - 1, true
}

func (p *rowPatterns) grow() {
	p.slots = make([]uint32, 4*len(p.slots))
	mask := uint64(len(p.slots) - 1)
	for i := range p.sets {
		slot := (p.sets[i].id ^ p.sets[i].id>>32) & mask
		for p.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		p.slots[slot] = uint32(i) + 1
	}
}

// wordsOf returns the entries of the words of a set.
func (p *rowPatterns) wordsOf(s *wordSet) []uint32 {
	return p.words[s.words : s.words+s.size]
}

// CutSample cuts a text to 256 bytes, at a rune: what is kept or shown of it as the sample of a pattern.
func CutSample(text []byte) []byte {
	if len(text) <= sampleBytes {
		return text
	}
	end := sampleBytes
	for end > sampleBytes-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
