package index

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// Filter is a token bloom filter: "is the token anywhere in the file?". It is a blocked bloom filter (Putze, Sanders, Singler: Cache-, Hash- and
// Space-Efficient Bloom Filters, 2007): the high bits of a token's hash pick a block of 512 bits, and its bits all lie in that block. The number of a block
// is hash·blocks/2^64, so blocks stand in the order of the hashes whatever their number: the block of one token lies at about the same fraction
// of every filter, which is what bloom packs are made of. A Filter is read-only and safe for concurrent use.
//
// It is stored as uint64 number of bits (512 a block), uint32 number of hash functions, uint32 0, and the blocks; bit b of a block is bit b mod 8 of its byte b/8.
type Filter struct {
	hashes int
	bits   []byte // the blocks
}

const (
	bloomHeader     = 16
	bloomBlockBytes = 64
	bloomBlockBits  = 8 * bloomBlockBytes
	largestHashes   = 28
	// largestBlocks keeps the place of a block in a pack within 64 bits.
	largestBlocks = 1 << 32
)

// A file of few rows is one of many, and of many files some are opened in vain. So that these do not become more with the number of files that the
// same rows are spread over, the rate of the filter of a file of fewer than fullRateRows falls with their number, by powers of two, down to a
// 2^mostTightening-th.
const (
	fullRateRows   = 1 << 14
	mostTightening = 10
)

// bloomRate returns the false positive rate of the filters of a data file of so many rows, which is at most the one asked for.
func bloomRate(rate float64, rows uint32) float64 {
	if rows >= fullRateRows {
		return rate
	}
	return math.Ldexp(rate, -min(int(math.Ceil(math.Log2(fullRateRows/float64(max(rows, 1))))), mostTightening))
}

// Blocks returns the number of blocks of 512 bits.
func (f *Filter) Blocks() int { return len(f.bits) / bloomBlockBytes }

// Hashes returns how many bits a token sets.
func (f *Filter) Hashes() int { return f.hashes }

// Fill returns which fraction of the bits is set.
func (f *Filter) Fill() float64 {
	n := 0
	for at := 0; at < len(f.bits); at += 8 {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(f.bits[at:]))
	}
	return float64(n) / float64(8*len(f.bits))
}

// Test says whether a token may be in the filter; false is certain.
func (f *Filter) Test(token []byte) bool { return f.test(xxhash.Sum64(token)) }

// TestString says whether a token may be in the filter; false is certain.
func (f *Filter) TestString(token string) bool { return f.test(xxhash.Sum64String(token)) }

func (f *Filter) test(hash uint64) bool {
	at := blockOf(hash, uint64(f.Blocks())) * bloomBlockBytes
	return probesOf(hash, f.hashes).in(f.bits[at : at+bloomBlockBytes])
}

func (f *Filter) add(hash uint64) {
	at := blockOf(hash, uint64(f.Blocks())) * bloomBlockBytes
	block := f.bits[at : at+bloomBlockBytes]
	probes := probesOf(hash, f.hashes)
	for _, p := range probes.bits[:probes.n] {
		block[p>>3] |= 1 << (p & 7)
	}
}

// blockOf returns the block of a hash among so many.
func blockOf(hash, blocks uint64) uint64 {
	high, _ := bits.Mul64(hash, blocks)
	return high
}

// probes are the bits of a block that a token sets.
type probes struct {
	bits [largestHashes]uint16
	n    int
}

// probesOf takes nine bits for each hash function, seven of them from one word. Word i is the hash plus (i+1) times the golden ratio, mixed by
// the finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
func probesOf(hash uint64, n int) (p probes) {
	p.n = n
	word := uint64(0)
	for i := range n {
		if i%7 == 0 {
			hash += 0x9e3779b97f4a7c15
			word = hash
			word = (word ^ word>>30) * 0xbf58476d1ce4e5b9
			word = (word ^ word>>27) * 0x94d049bb133111eb
			word ^= word >> 31
		}
		p.bits[i] = uint16(word % bloomBlockBits)
		word >>= 9
	}
	return p
}

// in says whether a block has all these bits.
func (p probes) in(block []byte) bool {
	for _, b := range p.bits[:p.n] {
		if block[b>>3]&(1<<(b&7)) == 0 {
			return false
		}
	}
	return true
}

// bloomShape returns the number of blocks and of hash functions for so many tokens at a false positive rate. Numbers of blocks are those with at most
// six binary digits that are not zero behind them, so that the filters of many files come in few sizes.
func bloomShape(tokens int, rate float64) (blocks, hashes int) {
	n := max(tokens, 1)
	best := 0.0
	guess := int(math.Round(0.65 * math.Log2(1/rate)))
	for k := max(guess-2, 1); k <= min(guess+2, largestHashes); k++ {
		if load := blockLoad(k, rate); load > best {
			best, hashes = load, k
		}
	}
	blocks = int(min(math.Ceil(float64(n)/best), largestBlocks))
	if digits := bits.Len(uint(blocks)) - 6; digits > 0 {
		step := 1 << digits
		blocks = (blocks + step - 1) / step * step
	}
	return blocks, hashes
}

// blockLoad returns how many tokens a block may hold on average so that the false positive rate is kept, found by bisection.
func blockLoad(hashes int, rate float64) float64 {
	low, high := 0.0, float64(bloomBlockBits)
	for range 16 {
		if middle := (low + high) / 2; blockRate(hashes, middle) <= rate {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// blockRate returns the false positive rate if blocks hold load tokens on average, Poisson-distributed: the sum over i of the chance that a block
// holds i tokens, times the chance that they have set all bits that are asked for (equation 3 of Putze et al).
func blockRate(hashes int, load float64) float64 {
	chance, free, keep := math.Exp(-load), 1.0, math.Pow(1-1.0/bloomBlockBits, float64(hashes))
	sum := 0.0
	for i := 1; float64(i) < load+12*math.Sqrt(load)+16; i++ {
		chance *= load / float64(i)
		free *= keep
		all := 1.0
		for range hashes {
			all *= 1 - free
		}
		sum += chance * all
	}
	return sum
}

// encodeBloom returns a blob, header still to be filled in, with a filter of the kept tokens of a table.
func encodeBloom(t *tokenTable, tokens int, rate float64) []byte {
	blocks, hashes := bloomShape(tokens, rate)
	b := make([]byte, headerBytes+bloomHeader+blocks*bloomBlockBytes)
	binary.LittleEndian.PutUint64(b[headerBytes:], uint64(blocks)*bloomBlockBits)
	binary.LittleEndian.PutUint32(b[headerBytes+8:], uint32(hashes))
	filter := Filter{hashes: hashes, bits: b[headerBytes+bloomHeader:]}
	for i := range t.entries {
		if e := &t.entries[i]; e.kept() {
			filter.add(xxhash.Sum64(t.key(e)))
		}
	}
	return b
}

// decodeBloom decodes the payload of a bloom blob. The filter has a copy of its own, since the payload may be a piece of something larger.
func decodeBloom(v verified) (*Filter, error) {
	if len(v.bytes) < bloomHeader {
		return nil, corruptf("bloom filter is too short")
	}
	m, k := binary.LittleEndian.Uint64(v.bytes), binary.LittleEndian.Uint32(v.bytes[8:])
	data := v.bytes[bloomHeader:]
	if m == 0 || m%bloomBlockBits != 0 || m/8 != uint64(len(data)) || k == 0 || k > largestHashes {
		return nil, corruptf("bloom filter of %d bits and %d hash functions in %d bytes", m, k, len(data))
	}
	return &Filter{hashes: int(k), bits: bytes.Clone(data)}, nil
}
