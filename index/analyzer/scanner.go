package analyzer

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// Scanner cuts one text after another into folded tokens. The zero value is ready. It is not safe for concurrent use. It keeps
// its buffers, so that scanning allocates nothing, but for the few blocks of the table that non-ASCII runes are looked up in.
//
// The text is worked on in blocks. ASCII goes eight bytes at a time through registers: one pass tells which bytes belong to
// tokens, folds them, and notes where runs of them start and end (the bit tricks are those of simdjson's structural index, Langdale and
// Lemire 2019, without vector instructions). Other bytes go rune by rune through a table.
type Scanner struct {
	rest   []byte // what was not worked on yet
	folded []byte // the folded form of the present block, and Padding bytes
	edges  Bounds // of the tokens in folded; the last one has no end yet if open
	next   int    // bytes of edges that were handed out
	used   int    // bytes of folded that are set
	open   bool   // the last edge is the start of a token that goes on in rest
	table  *foldTable
}

// Padding is the number of bytes behind each token that may be read (but mean nothing): token[:len(token)+Padding] is always
// possible, so that a hash can load whole words.
const Padding = 8

// Bounds says where tokens start and end: 32 bit positions, little-endian, start and end by turns. It is bytes and not numbers because the
// scanner writes two positions at a time.
type Bounds []byte

const edgeBytes = 4

// Len returns the number of tokens.
func (b Bounds) Len() int { return len(b) / (2 * edgeBytes) }

// Next returns start and end of the first token, and the bounds of the others. There must be one.
func (b Bounds) Next() (start, end uint32, rest Bounds) {
	both := binary.LittleEndian.Uint64(b)
	return uint32(both), uint32(both >> 32), b[2*edgeBytes:]
}

// scanBlock is the number of bytes of text that are worked on at once; the buffers stay in the first-level cache.
const scanBlock = 2048

// Reset starts on a new text, which must not change until the scanner is Reset again or Next has returned false.
func (s *Scanner) Reset(text []byte) {
	s.rest = text
	s.edges = s.edges[:0]
	s.next, s.used, s.open = 0, 0, false
}

// Next returns the next folded token, or false at the end. The token is valid until the next call and must not be changed.
func (s *Scanner) Next() (token []byte, ok bool) {
	if len(s.edges)-s.next < 2*edgeBytes && !s.fill() {
		return nil, false
	}
	start, end, _ := s.edges[s.next:].Next()
	s.next += 2 * edgeBytes
	return s.folded[start:end], true
}

// NextBatch returns the tokens that Next would return one after another, many at once: each is folded[start:end] with its start and
// end from bounds. It returns false at the end. Both slices are valid until the next call and must not be changed. Next and NextBatch may
// be mixed.
func (s *Scanner) NextBatch() (folded []byte, bounds Bounds, ok bool) {
	if len(s.edges)-s.next < 2*edgeBytes && !s.fill() {
		return nil, nil, false
	}
	n := len(s.edges) - s.next
	n -= n % (2 * edgeBytes)
	bounds = s.edges[s.next : s.next+n]
	s.next += n
	return s.folded, bounds, true
}

// fill works on the next blocks until there is a whole token; false means that there is none any more.
func (s *Scanner) fill() bool {
	s.carry()
	for len(s.edges) < 2*edgeBytes {
		if len(s.rest) == 0 {
			if !s.open {
				return false
			}
			s.addEdge(s.used)
			s.open = false
			break
		}
		s.scan()
	}
	return true
}

// carry drops the tokens that were handed out and moves the beginning of an unfinished one to the front.
func (s *Scanner) carry() {
	s.next = 0
	if !s.open {
		s.edges, s.used = s.edges[:0], 0
		return
	}
	start := binary.LittleEndian.Uint32(s.edges[len(s.edges)-edgeBytes:])
	s.used = copy(s.folded, s.folded[start:s.used])
	s.edges = s.edges[:0]
	s.addEdge(0)
}

// scan works on one block of rest.
func (s *Scanner) scan() {
	block := s.rest[:min(len(s.rest), scanBlock)]
	s.folded = grow(s.folded, s.used+len(block)+utf8.UTFMax+2*Padding)
	s.edges = slices.Grow(s.edges, (len(block)+utf8.UTFMax+2*Padding)*edgeBytes)
	done := 0
	for done < len(block) {
		done += s.scanASCII(block[done:])
		if done < len(block) {
			done += s.scanRunes(s.rest[done:], len(block)-done)
		}
	}
	s.rest = s.rest[done:]
}

// Masks of eight bytes at a time.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// addEdge notes an edge at a position.
func (s *Scanner) addEdge(position int) {
	s.edges = binary.LittleEndian.AppendUint32(s.edges, uint32(position))
}

// scanASCII works on text up to its end or to the first byte above 0x7F, and returns how many bytes it took.
func (s *Scanner) scanASCII(text []byte) int {
	folded, edges := s.folded[s.used:s.used+len(text)], s.edges[:cap(s.edges)]
	open, n, done := uint64(0), len(s.edges), 0
	if s.open {
		open = 1
	}
	position := uint64(s.used)<<32 | uint64(s.used) // twice, for two edges at a time
	for done+8 <= len(text) && n+8*edgeBytes <= len(edges) {
		word := binary.LittleEndian.Uint64(text[done : done+8 : done+8])
		if word&highs != 0 {
			break
		}
		word, member := classify(word)
		binary.LittleEndian.PutUint64(folded[done:done+8:done+8], word)
		p := &edgePositions[uint8(member^(member<<1|open))]
		open = member >> 7
		out := edges[n : n+8*edgeBytes : n+8*edgeBytes]
		binary.LittleEndian.PutUint64(out, position+p.at[0])
		binary.LittleEndian.PutUint64(out[8:], position+p.at[1])
		if p.bytes > 4*edgeBytes {
			binary.LittleEndian.PutUint64(out[16:], position+p.at[2])
			binary.LittleEndian.PutUint64(out[24:], position+p.at[3])
		}
		n += int(p.bytes)
		done += 8
		position += 8<<32 | 8
	}
	s.used += done
	s.edges, s.open = edges[:n], open == 1
	return done + s.scanPartial(text, done)
}

// scanPartial works on the ASCII bytes at an offset of text that make no whole word, because the text ends or a byte above 0x7F follows.
func (s *Scanner) scanPartial(text []byte, offset int) int {
	size := min(len(text)-offset, 8)
	var word uint64
	switch {
	case size == 0:
		return 0
	case len(text) >= 8: // load the last whole word and drop what is before the offset
		word = binary.LittleEndian.Uint64(text[offset+size-8:]) >> (64 - 8*size)
	default:
		for i := range size {
			word |= uint64(text[offset+i]) << (8 * i)
		}
	}
	if high := word & highs; high != 0 {
		if size = bits.TrailingZeros64(high) / 8; size == 0 {
			return 0
		}
		word &= 1<<(8*size) - 1
	}
	word, member := classify(word)
	binary.LittleEndian.PutUint64(s.folded[s.used:], word)
	open := uint64(0)
	if s.open {
		open = 1
	}
	for edge := (member ^ (member<<1 | open)) & (1<<size - 1); edge != 0; edge &= edge - 1 {
		s.addEdge(s.used + bits.TrailingZeros64(edge))
	}
	s.open = member>>(size-1)&1 == 1
	s.used += size
	return size
}

// classify folds eight ASCII bytes and returns a bit for each one that belongs to a token.
func classify(word uint64) (folded, member uint64) {
	// A byte belongs to a class if adding 0x80 minus the class's first byte sets its high bit, and adding 0x80 minus the byte after
	// its last one does not.
	lower := word | 0x20*ones
	letter := (lower + (0x80-'a')*ones) &^ (lower + (0x80-'z'-1)*ones)
	digit := (word + (0x80-'0')*ones) &^ (word + (0x80-'9'-1)*ones)
	underscore := ^((word ^ '_'*ones) + 0x7F*ones)
	folded = word | letter&^(word<<2)&highs>>2
	return folded, ((letter | digit | underscore) & highs >> 7 * 0x0102040810204080) >> 56
}

// scanRunes works on the bytes above 0x7F at the front of text, rune by rune, and returns how many it took. It begins no rune at
// or behind limit.
func (s *Scanner) scanRunes(text []byte, limit int) int {
	if s.table == nil {
		s.table = new(foldTable)
	}
	done := 0
	for done < limit && text[done] >= utf8.RuneSelf {
		r, size := utf8.DecodeRune(text[done:])
		folded := separator
		if r != utf8.RuneError || size > 1 {
			folded = s.table.lookup(r)
		}
		done += size
		if open := folded != separator; open != s.open {
			s.addEdge(s.used)
			s.open = open
		}
		if folded != separator { // the bytes between tokens are never read, so separators take no room
			s.used += utf8.EncodeRune(s.folded[s.used:s.used+utf8.UTFMax], folded)
		}
	}
	return done
}

// positions are the positions of the set bits of a byte, two in each number from the lowest half of the first one on, and the number of
// bytes that they take as edges.
type positions struct {
	at    [4]uint64
	bytes uint8
}

// edgePositions has the positions of each byte: several times faster than asking for one bit after another.
var edgePositions = func() (table [256]positions) {
	for b := range table {
		p := &table[b]
		for bit := range uint64(8) {
			if b>>bit&1 == 1 {
				n := p.bytes / edgeBytes
				p.at[n/2] |= bit << (32 * (n % 2))
				p.bytes += edgeBytes
			}
		}
	}
	return table
}()

// grow returns b, or a longer copy of it, with at least size bytes.
func grow(b []byte, size int) []byte {
	if size <= len(b) {
		return b
	}
	b = slices.Grow(b, size-len(b))
	return b[:cap(b)]
}
