package index

import (
	"encoding/binary"
	"math"

	"github.com/bits-and-blooms/bloom/v3"
)

// A bloom filter is stored as uint64 number of bits m, uint32 number of hash functions k, uint32 0, and the m/64 words of the
// bits, all little-endian. Bits and hashes are those of bits-and-blooms/bloom/v3; m is a multiple of 64.
const bloomHeader = 16

const largestHashes = 64

// bloomSize returns the number of bits and hash functions for so many tokens at a false positive rate.
func bloomSize(tokens int, rate float64) (m, k uint) {
	n := float64(max(tokens, 1))
	m = uint(math.Ceil(n*-math.Log(rate)/(math.Ln2*math.Ln2)/64)) * 64
	k = uint(math.Round(math.Ln2 * float64(m) / n))
	return m, min(max(k, 1), largestHashes)
}

// encodeBloom returns a blob, header still to be filled in, with a filter of the kept tokens of a table.
func encodeBloom(t *tokenTable, tokens int, rate float64) []byte {
	m, k := bloomSize(tokens, rate)
	filter := bloom.New(m, k)
	for i := range t.entries {
		if e := &t.entries[i]; e.kept() {
			filter.Add(t.key(e))
		}
	}
	b := make([]byte, headerBytes+bloomHeader, headerBytes+bloomHeader+m/8)
	binary.LittleEndian.PutUint64(b[headerBytes:], uint64(m))
	binary.LittleEndian.PutUint32(b[headerBytes+8:], uint32(k))
	for _, word := range filter.BitSet().Words() {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}

// decodeBloom decodes the payload of a bloom blob.
func decodeBloom(v verified) (*bloom.BloomFilter, error) {
	if len(v.bytes) < bloomHeader {
		return nil, corruptf("bloom filter is too short")
	}
	m, k := binary.LittleEndian.Uint64(v.bytes), binary.LittleEndian.Uint32(v.bytes[8:])
	data := v.bytes[bloomHeader:]
	if m == 0 || m%64 != 0 || m/8 != uint64(len(data)) || k == 0 || k > largestHashes {
		return nil, corruptf("bloom filter of %d bits and %d hash functions in %d bytes", m, k, len(data))
	}
	words := make([]uint64, m/64)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(data[8*i:])
	}
	return bloom.FromWithM(words, uint(m), uint(k)), nil
}
