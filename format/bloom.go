package format

import (
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/metadata"
)

// Sizes of Parquet's bloom filters.
const (
	bloomBitsPerValue = 10 // about 1 % false positives in a split-block filter
	minBloomBytes     = 32
	maxBloomBytes     = 1 << 20
)

// bloomFilter returns a bloom filter of the values in rows [start, end) of a column, sized by how many different values there are;
// nil if there is none, or if the type has no filter.
func bloomFilter(f Field, c *Column, start, end int) metadata.BloomFilterBuilder {
	hashes := bloomHashes(f, c, start, end)
	if len(hashes) == 0 {
		return nil
	}
	slices.Sort(hashes)
	hashes = slices.Compact(hashes)
	filter := metadata.NewBloomFilter(bloomBytes(len(hashes)), maxBloomBytes, memory.DefaultAllocator)
	filter.InsertBulk(hashes)
	return filter
}

// bloomBytes returns the power of two that is nearest (by ratio) to the size that so many values want.
func bloomBytes(values int) uint32 {
	want := uint32(min(max(values*bloomBitsPerValue/8, minBloomBytes), maxBloomBytes))
	low := uint32(1) << (bits.Len32(want) - 1)
	if uint64(want)*uint64(want) > 2*uint64(low)*uint64(low) {
		low *= 2
	}
	return min(low, maxBloomBytes)
}

func bloomHashes(f Field, c *Column, start, end int) []uint64 {
	hasher := metadata.NewBloomFilter(minBloomBytes, minBloomBytes, memory.DefaultAllocator).Hasher()
	var hashes []uint64
	if f.Type == TypeString {
		for _, t := range c.Texts[start:end] {
			if t != nil {
				hashes = append(hashes, hasher.Sum64(t))
			}
		}
		return hashes
	}
	if f.Type == TypeBool || f.Type == TypeStringMap {
		return nil
	}
	var plain []byte
	for i := start; i < end; i++ {
		if c.Valid != nil && !c.Valid[i] {
			continue
		}
		if c.Floats != nil {
			plain = appendPlainNumber(plain[:0], f.Type, 0, c.Floats[i])
		} else {
			plain = appendPlainNumber(plain[:0], f.Type, c.Ints[i], 0)
		}
		hashes = append(hashes, hasher.Sum64(plain))
	}
	return hashes
}
