package index

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/firnlog/firn/index/analyzer"
)

// tokenTable maps the tokens of one column to their rows, for one data file that is being written. It is an open-addressing hash
// table with linear probing over fixed-size slots, beside a dense array of entries and an arena of key bytes, as search engines build
// their in-memory postings (Lucene's BytesRefHash and ByteBlockPool). Nothing is allocated for a token but by growing these arrays, and clear keeps them.
//
// Word tokens get no postings here: their rows follow from the patterns of the rows (see rowPatterns).
type tokenTable struct {
	analyzer *analyzer.Analyzer
	maxBytes uint32 // longer tokens are not looked at
	rows     bool   // collect postings and the words of rows, not only tokens

	seed    uint64
	slots   []uint32 // entry number + 1 in the low bits, bits of the hash above them; 0 is free. There is a power of two of them, at most half of them used
	refMask uint32   // len(slots) - 1: the bits of a slot that are an entry's number
	shift   uint     // 64 - log2(len(slots)): the highest bits of the hash are the slot
	entries []tokenEntry
	keys    []byte // the key bytes of all entries
	chains  chainPool
	full    bool // some array has no room left: the table is incomplete

	words []uint32 // entries of the word tokens of the present row, each once
	id    uint64   // their signature (analyzer.Signer)
	check uint64   // the sum of their hashes in this table, which nobody can know beforehand
}

// tokenEntry is one token and the end of its postings: the run of rows [last-run+1, last] that may still grow, and the chain that
// holds the runs before it. Most tokens of most files are in one run of one row and need no chain. Of a word token head and tail are the halves of
// its share of the signature of a text.
type tokenEntry struct {
	prefix uint64 // the first eight bytes of the key, the first one lowest, zero behind a shorter key
	key    uint32 // offset of the key in keys
	length uint8  // of the key in bytes
	state  uint8  // stateKept if the analyzer stores the token, stateWord, and the level of the last slice of the chain
	room   uint16 // free bytes at the end of the chain
	last   uint32 // last row
	run    uint32 // rows of the present run; 0 for a word token and one that is not kept
	head   uint32 // address of the chain; 0 for none
	tail   uint32 // address of the first free byte of the chain
}

// Bits of tokenEntry.state.
const (
	stateKept = 0x80 // the analyzer stores the token
	stateWord = 0x40 // it is a word token (analyzer.WordToken) of a column with postings
)

func (e *tokenEntry) kept() bool   { return e.state&stateKept != 0 }
func (e *tokenEntry) word() bool   { return e.state&stateWord != 0 }
func (e *tokenEntry) level() uint8 { return e.state &^ (stateKept | stateWord) }

// share is what a word token adds to the signature of a text.
func (e *tokenEntry) share() uint64 { return uint64(e.head)<<32 | uint64(e.tail) }

const (
	initialSlots = 1 << 10
	// largestTable bounds keys and entries, so that 32 bit offsets cannot overflow.
	largestKeys    = 1<<32 - 1<<16
	largestEntries = 1 << 30
)

func newTokenTable(a *analyzer.Analyzer, rows bool, seed uint64) *tokenTable {
	t := &tokenTable{analyzer: a, maxBytes: uint32(a.Params().MaxTokenBytes), rows: rows, seed: seed}
	if rows {
		t.maxBytes = max(t.maxBytes, analyzer.WordTokenBytes)
	}
	t.resize(initialSlots)
	t.chains.clear()
	return t
}

// clear empties the table and keeps its memory.
func (t *tokenTable) clear() {
	clear(t.slots)
	t.entries, t.keys, t.full = t.entries[:0], t.keys[:0], false
	t.chains.clear()
	t.startRow()
}

// memoryBytes is what the table holds.
func (t *tokenTable) memoryBytes() int64 {
	return int64(cap(t.slots)+cap(t.words))*4 + int64(cap(t.entries))*32 + int64(cap(t.keys)) + t.chains.memoryBytes()
}

// startRow forgets the words of the row before.
func (t *tokenTable) startRow() {
	t.words, t.id, t.check = t.words[:0], 0, 0
}

// key returns the bytes of an entry's token.
func (t *tokenTable) key(e *tokenEntry) []byte {
	return t.keys[e.key : e.key+uint32(e.length)]
}

// The multipliers of the hash are those of wyhash (Wang Yi), whose way to fold a 128 bit product it follows.
const (
	hashA = 0xa0761d6478bd642f
	hashB = 0xe7037ed1a0b428db
)

// hashShort hashes a token of at most eight bytes.
func hashShort(seed, prefix uint64, length uint32) uint64 {
	hi, lo := bits.Mul64(prefix^seed, hashA+uint64(length)<<1)
	return hi ^ lo
}

// hashLong hashes a token of more than eight bytes.
func hashLong(seed uint64, token []byte) uint64 {
	h := seed ^ uint64(len(token))*hashA
	last := binary.LittleEndian.Uint64(token[len(token)-8:])
	for ; len(token) > 16; token = token[16:] {
		hi, lo := bits.Mul64(binary.LittleEndian.Uint64(token)^h, binary.LittleEndian.Uint64(token[8:])^hashB)
		h = hi ^ lo
	}
	first := last
	if len(token) > 8 {
		first = binary.LittleEndian.Uint64(token)
	}
	hi, lo := bits.Mul64(first^h, last^hashB)
	return hi ^ lo
}

// observe adds tokens of one row: those that Scanner.NextBatch handed out.
func (t *tokenTable) observe(row uint32, folded []byte, bounds analyzer.Bounds) {
	for len(bounds) >= 8 {
		start, end, rest := bounds.Next()
		bounds = rest
		length := end - start
		if length > t.maxBytes {
			continue
		}
		token := folded[start : start+length+analyzer.Padding]
		prefix := binary.LittleEndian.Uint64(token)
		var hash uint64
		if length <= 8 {
			prefix &= 1<<(8*length) - 1
			hash = hashShort(t.seed, prefix, length)
		} else {
			hash = hashLong(t.seed, token[:length])
		}
		slot, tag := hash>>(t.shift&63), uint32(hash)
		for {
			s := t.slots[slot]
			if (s^tag)&^t.refMask == 0 && s&t.refMask != 0 {
				e := &t.entries[s&t.refMask-1]
				if e.prefix == prefix && uint32(e.length) == length &&
					(length <= 8 || bytes.Equal(t.keys[e.key+8:e.key+length], token[8:length])) {
					switch {
					case e.last == row:
					case e.word():
						e.last = row
						t.addWord(s&t.refMask-1, e, hash)
					default:
						t.add(e, row)
					}
					break
				}
			}
			if s == 0 {
				t.insert(slot, hash, prefix, token[:length], row)
				break
			}
			slot = (slot + 1) & uint64(t.refMask)
		}
	}
}

// add adds a row behind the entry's last one.
func (t *tokenTable) add(e *tokenEntry, row uint32) {
	gap := row - e.last
	e.last = row
	switch {
	case e.run == 0: // not kept
	case gap == 1:
		e.run++
	case e.run == 1 && gap-2 < 0x40 && e.room >= 2: // what chainPool.endRun would do
		t.chains.blocks[e.tail>>blockBits][e.tail&(blockBytes-1)] = byte(gap-2) << 1
		e.tail++
		e.room--
	default:
		t.chains.endRun(e, gap)
		e.run = 1
	}
}

// addWord adds a word token to the present row.
func (t *tokenTable) addWord(entry uint32, e *tokenEntry, hash uint64) {
	t.words = append(t.words, entry)
	t.id += e.share()
	t.check += hash
}

// insert adds a new token to a free slot.
func (t *tokenTable) insert(slot, hash, prefix uint64, token []byte, row uint32) {
	if len(t.keys) > largestKeys || len(t.entries) >= largestEntries || t.full {
		t.full = true
		return
	}
	e := tokenEntry{prefix: prefix, key: uint32(len(t.keys)), length: uint8(len(token)), last: row}
	if t.analyzer.Keeps(token) {
		e.state = stateKept
	}
	switch {
	case !t.rows:
	case analyzer.WordToken(token):
		share := xxhash.Sum64(token)
		e.state |= stateWord
		e.head, e.tail = uint32(share>>32), uint32(share)
		t.addWord(uint32(len(t.entries)), &e, hash)
	case e.kept():
		e.run = 1
	}
	t.keys = append(t.keys, token...)
	t.entries = append(t.entries, e)
	t.slots[slot] = uint32(hash)&^t.refMask | uint32(len(t.entries))
	if len(t.entries)*2 > len(t.slots) {
		t.resize(2 * len(t.slots))
	}
}

// resize makes a table of size slots for the entries.
func (t *tokenTable) resize(size int) {
	t.slots = make([]uint32, size)
	t.refMask = uint32(size - 1)
	t.shift = uint(64 - bits.TrailingZeros(uint(size)))
	for i := range t.entries {
		e := &t.entries[i]
		hash := hashShort(t.seed, e.prefix, uint32(e.length))
		if e.length > 8 {
			hash = hashLong(t.seed, t.key(e))
		}
		slot := hash >> t.shift
		for t.slots[slot] != 0 {
			slot = (slot + 1) & uint64(t.refMask)
		}
		t.slots[slot] = uint32(hash)&^t.refMask | uint32(i+1)
	}
}

// kept returns the number of kept tokens.
func (t *tokenTable) kept() int {
	n := 0
	for i := range t.entries {
		if t.entries[i].kept() {
			n++
		}
	}
	return n
}

// sortByKey puts entries into the byte order of their keys.
func (t *tokenTable) sortByKey(entries []uint32) {
	type item struct {
		prefix uint64 // the first bytes of the key as a big-endian number
		entry  uint32
	}
	items := make([]item, len(entries))
	for i, entry := range entries {
		items[i] = item{bits.ReverseBytes64(t.entries[entry].prefix), entry}
	}
	slices.SortFunc(items, func(a, b item) int {
		if a.prefix != b.prefix {
			if a.prefix < b.prefix {
				return -1
			}
			return 1
		}
		return bytes.Compare(t.key(&t.entries[a.entry]), t.key(&t.entries[b.entry]))
	})
	for i := range items {
		entries[i] = items[i].entry
	}
}
