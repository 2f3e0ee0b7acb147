// Package valueindex holds the two structures that answer for blocks of rows which values an expression has there: Points for look-ups of whole
// values, Ranges for comparisons of numbers. Both say "no row of this block" with certainty, and "maybe" otherwise. The package knows neither files
// nor columns: it turns values into bytes (Collector) and bytes into answers. index/VALUES.md describes the bytes and what they promise.
package valueindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"
)

// ErrCorrupt says that bytes are no structure of this package.
var ErrCorrupt = errors.New("corrupt value index")

func corruptf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
}

// Class is the kind of values that an expression has.
type Class uint8

// The classes. Points and Ranges of different classes do not understand each other.
const (
	NoClass Class = iota
	Text          // texts; those that are numbers (expression.Number) are in Ranges, as float64
	Whole         // int64
	Float         // float64: NaN is left out, since it equals nothing; -0 is 0
)

// String returns "text", "whole" or "float".
func (c Class) String() string {
	switch c {
	case Text:
		return "text"
	case Whole:
		return "whole"
	case Float:
		return "float"
	}
	return "none"
}

// Defaults, chosen by measuring (see the benchmarks): rows of a block, and intervals of numbers that a block has at most.
const (
	BlockRows = 512
	Intervals = 8
)

// Bounds are closed bounds of order keys.
type Bounds struct{ Low, High uint64 }

// The order keys of numbers: unsigned numbers in the same order.

// KeyOfInt returns the order key of a whole number.
func KeyOfInt(n int64) uint64 { return uint64(n) ^ 1<<63 }

// KeyOfFloat returns the order key of a float that is not NaN. 0 and -0 have the same.
func KeyOfFloat(f float64) uint64 {
	if f == 0 {
		f = 0
	}
	bits := math.Float64bits(f + 0) // -0 + 0 is 0
	if bits>>63 == 1 {
		return ^bits
	}
	return bits | 1<<63
}

// Hash is a value as Points know it.
type Hash uint64

// HashText returns the hash of a text.
func HashText(text []byte) Hash { return Hash(xxhash.Sum64(text)) }

// HashInt returns the hash of a whole number: of its 8 bytes, little-endian.
func HashInt(n int64) Hash { return hashKey(uint64(n)) }

// HashFloat returns the hash of a float that is not NaN: of its order key.
func HashFloat(f float64) Hash { return hashKey(KeyOfFloat(f)) }

func hashKey(key uint64) Hash {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], key)
	return HashText(b[:])
}

// Presence says for each block whether its rows have a value at all.
type Presence struct {
	rows, blockRows uint32
	some, every     []bool // by block
}

// Rows returns the number of rows that the structure tells about.
func (p *Presence) Rows() uint32 { return p.rows }

// Blocks returns the number of blocks.
func (p *Presence) Blocks() int { return len(p.some) }

// Span returns the rows [start, end) of a block.
func (p *Presence) Span(block int) (start, end uint32) {
	start = uint32(block) * p.blockRows
	return start, uint32(min(uint64(start)+uint64(p.blockRows), uint64(p.rows)))
}

// Some says whether a row of a block may have a value; Every, whether all of its rows have one.
func (p *Presence) Some(block int) bool { return p.some[block] }

// Every says whether all rows of a block have a value.
func (p *Presence) Every(block int) bool { return p.every[block] }

// preamble is what both structures begin with:
//
//	0  uint8   class
//	1  3 bytes 0
//	4  uint32  rows of a block
//	8  uint32  rows
//	12 two bits for each block, from the lowest bit up: 1 some row has a value, 2 every row has one; to whole bytes
const preamble = 12

// largestBlocks bounds the blocks of a file.
const largestBlocks = 1 << blockBits

func (p *Presence) append(b []byte, c Class) []byte {
	b = append(b, byte(c), 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, p.blockRows)
	b = binary.LittleEndian.AppendUint32(b, p.rows)
	start := len(b)
	b = append(b, make([]byte, (len(p.some)+3)/4)...)
	for i := range p.some {
		bits := byte(0)
		if p.some[i] {
			bits |= 1
		}
		if p.every[i] {
			bits |= 2
		}
		b[start+i/4] |= bits << (i % 4 * 2)
	}
	return b
}

// decodePresence reads the preamble and returns what follows.
func decodePresence(b []byte) (Presence, Class, []byte, error) {
	if len(b) < preamble {
		return Presence{}, NoClass, nil, corruptf("the preamble is cut off")
	}
	p, class := Presence{blockRows: binary.LittleEndian.Uint32(b[4:]), rows: binary.LittleEndian.Uint32(b[8:])}, Class(b[0])
	if class < Text || class > Float || b[1] != 0 || b[2] != 0 || b[3] != 0 || p.blockRows == 0 {
		return Presence{}, NoClass, nil, corruptf("the preamble makes no sense")
	}
	blocks := (uint64(p.rows) + uint64(p.blockRows) - 1) / uint64(p.blockRows)
	bytes := (blocks + 3) / 4
	if b = b[preamble:]; blocks > largestBlocks || bytes > uint64(len(b)) {
		return Presence{}, NoClass, nil, corruptf("there is no room for %d blocks", blocks)
	}
	p.some, p.every = make([]bool, blocks), make([]bool, blocks)
	for i := range p.some {
		bits := b[i/4] >> (i % 4 * 2) & 3
		if bits == 2 {
			return Presence{}, NoClass, nil, corruptf("block %d has no value in any row and one in every row", i)
		}
		p.some[i], p.every[i] = bits&1 != 0, bits&2 != 0
	}
	return p, class, b[bytes:], nil
}
