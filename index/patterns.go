package index

import (
	"context"
	"encoding/binary"
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// Pattern is a pattern of the texts of one column in one data file: all rows whose texts have the same set of word tokens
// (analyzer.WordToken).
type Pattern struct {
	ID     uint64 // analyzer.Signer.Signature of the texts: the same in every file
	Rows   uint32 // number of rows
	Sample string // text of one of the rows, cut to 256 bytes at a rune; empty for patterns of few rows
}

// NoPattern stands for the pattern of a row that is in none.
const NoPattern = ^uint32(0)

// Patterns returns the patterns of a column, those with most rows first, and the rows that are in none of them: rows with too rare a pattern, or
// without a text. The rows of all patterns and rest together are all rows of the data file. Without a bitmap of the column all rows are rest.
func (s *Sidecar) Patterns(ctx context.Context, fieldID int) (patterns []Pattern, rest *RowSet, err error) {
	column, n := s.column(fieldID), s.head.identity.Rows
	if column < 0 || s.head.columns[column].patterns == 0 {
		return nil, AllRows(n), nil
	}
	if patterns, err = s.patternTable(ctx, column); err != nil {
		return nil, nil, s.problem(err)
	}
	if _, rest, err = s.rowsOfPatterns(ctx, column, nil, math.MaxUint64); err != nil {
		return nil, nil, s.problem(err)
	}
	return patterns, rest, nil
}

// PatternRows returns the rows of a pattern, which is given by its place in what Patterns returned.
func (s *Sidecar) PatternRows(ctx context.Context, fieldID, pattern int) (*RowSet, error) {
	column := s.column(fieldID)
	if column < 0 || pattern < 0 || uint64(pattern) >= s.head.columns[column].patterns {
		return nil, s.problem(corruptf("no pattern has number %d", pattern))
	}
	rows, _, err := s.rowsOfPatterns(ctx, column, []uint32{uint32(pattern)}, math.MaxUint64)
	if err != nil {
		return nil, s.problem(err)
	}
	return rows, nil
}

// PatternOfRows returns for each row of the data file the place of its pattern in what Patterns returned, or NoPattern.
func (s *Sidecar) PatternOfRows(ctx context.Context, fieldID int) ([]uint32, error) {
	column, n := s.column(fieldID), s.head.identity.Rows
	if column < 0 || s.head.columns[column].patterns == 0 {
		return slices.Repeat([]uint32{NoPattern}, int(n)), nil
	}
	s.prefetchColumn(ctx, column, math.MaxUint64)
	numbers := make([]uint32, 0, n)
	for block := range int(blocksOf(n, columnBlockRows)) {
		b, err := s.columnBlock(ctx, column, block)
		if err != nil {
			return nil, s.problem(err)
		}
		for i, low := range b.low {
			number := uint32(low)
			if b.high != nil {
				number |= uint32(b.high[i]) << 8
			}
			numbers = append(numbers, number-1) // 0 becomes NoPattern
		}
	}
	return numbers, nil
}

// patternTable reads the table of patterns.
func (s *Sidecar) patternTable(ctx context.Context, column int) ([]Pattern, error) {
	h := &s.head.columns[column]
	v, err := s.readPart(ctx, h.patternsBlob, h.patternParts[0], "the table of patterns")
	if err != nil {
		return nil, err
	}
	return decodeTable(v, h.patterns, s.head.identity.Rows)
}

// largestSamples bounds the samples of all patterns.
const largestSamples = largestPatterns * (sampleBytes + binary.MaxVarintLen16)

func decodeTable(v verified, patterns uint64, n uint32) ([]Pattern, error) {
	r := newReader(v, 0, "table of patterns")
	if patterns > uint64(len(v.bytes)) {
		r.fail("it is too short")
		return nil, r.err
	}
	table := make([]Pattern, patterns)
	for i := range table {
		if id := r.take(8); id != nil {
			table[i].ID = binary.LittleEndian.Uint64(id)
		}
		table[i].Rows = uint32(r.uvarint(uint64(n)))
	}
	size := r.uvarint(largestSamples)
	if r.err != nil {
		return nil, r.err
	}
	plain, err := unpack(r.remaining(), int(size))
	if err != nil {
		return nil, err
	}
	r = newReader(plain, 0, "samples of patterns")
	lengths := make([]uint64, patterns)
	for i := range lengths {
		lengths[i] = r.uvarint(sampleBytes)
	}
	for i := range table {
		table[i].Sample = string(r.take(lengths[i]))
	}
	return table, r.end()
}

// columnOfPatterns is a block of the column of patterns: for each row the number of its pattern + 1, or 0.
type columnOfPatterns struct {
	low  []byte
	high []byte // nil if there are fewer than 256 patterns
}

// columnBlock returns a block of the column of patterns, loading it first if need be.
func (s *Sidecar) columnBlock(ctx context.Context, column, block int) (*columnOfPatterns, error) {
	h := &s.head.columns[column]
	part, size := h.patternParts[block+1], s.columnBlockBytes(column, block)
	return load(ctx, &s.cache, partKey{kindPatterns, column, block}, int64(size), func() (*columnOfPatterns, error) {
		v, err := s.readPart(ctx, h.patternsBlob, part, "a block of the column of patterns")
		if err != nil {
			return nil, err
		}
		return decodeColumn(v, size, h.patterns)
	})
}

// columnBlockBytes returns how many bytes a block of the column of patterns has when it is decompressed.
func (s *Sidecar) columnBlockBytes(column, block int) int {
	first := uint64(block) << columnBlockBits
	size := int(min(uint64(s.head.identity.Rows)-first, columnBlockRows))
	if isWide(int(s.head.columns[column].patterns)) {
		size *= 2
	}
	return size
}

func decodeColumn(v verified, size int, patterns uint64) (*columnOfPatterns, error) {
	plain, err := unpack(v, size)
	if err != nil {
		return nil, err
	}
	b := &columnOfPatterns{low: plain.bytes}
	if isWide(int(patterns)) {
		b.low, b.high = plain.bytes[:size/2], plain.bytes[size/2:]
	}
	for i, low := range b.low {
		number := uint64(low)
		if b.high != nil {
			number |= uint64(b.high[i]) << 8
		}
		if number > patterns {
			return nil, corruptf("patterns: a row is in pattern %d of %d", number, patterns)
		}
	}
	return b, nil
}

// What a pattern, or none, is to rowsOfPatterns.
const (
	isMember = 1
	isRest   = 2
)

// rowsOfPatterns returns the rows of some patterns, and those that are in no pattern at all, as far as they lie in blocks of the mask.
func (s *Sidecar) rowsOfPatterns(ctx context.Context, column int, patterns []uint32, mask uint64) (members, rest *RowSet, err error) {
	n := s.head.identity.Rows
	classes := make([]byte, max(1<<8, s.head.columns[column].patterns+1))
	classes[0] = isRest
	for _, p := range patterns {
		classes[p+1] = isMember
	}
	all, none := roaring.New(), roaring.New()
	s.prefetchColumn(ctx, column, mask)
	for block := range int(blocksOf(n, columnBlockRows)) {
		if hasMask(n) && mask>>block&1 == 0 {
			continue
		}
		b, err := s.columnBlock(ctx, column, block)
		if err != nil {
			return nil, nil, err
		}
		one, other := b.classify(classes)
		all.Or(roaring.AddOffset64(one, int64(block)<<columnBlockBits))
		none.Or(roaring.AddOffset64(other, int64(block)<<columnBlockBits))
	}
	return rowSetOf(n, all), rowSetOf(n, none), nil
}

// classify returns the rows whose pattern is a member, and those in no pattern.
func (b *columnOfPatterns) classify(classes []byte) (members, rest *roaring.Bitmap) {
	words := (len(b.low) + 63) / 64
	member, none := make([]uint64, words), make([]uint64, words)
	if b.high == nil {
		b.classifyLow(classes, member, none)
		return roaring.FromDense(member, true), roaring.FromDense(none, true)
	}
	for w := range words {
		rows := b.low[w*64 : min(w*64+64, len(b.low))]
		high := b.high[w*64:][:len(rows)]
		m, r := uint64(0), uint64(0)
		for i, low := range rows {
			class := uint64(classes[uint32(low)|uint32(high[i])<<8])
			m |= class & isMember << (i & 63)
			r |= class >> 1 << (i & 63)
		}
		member[w], none[w] = m, r
	}
	return roaring.FromDense(member, true), roaring.FromDense(none, true)
}

// classifyLow is classify where numbers of patterns have one byte. It finds both bits of 32 rows at once: the one in the lower half of a word, the other in the
// upper half.
func (b *columnOfPatterns) classifyLow(classes []byte, member, none []uint64) {
	var bits [256]uint64
	for number, class := range classes[:256] {
		bits[number] = uint64(class&isMember) | uint64(class>>1)<<32
	}
	for at := 0; at < len(b.low); at += 32 {
		both := uint64(0)
		for i, low := range b.low[at:min(at+32, len(b.low))] {
			both |= bits[low] << (i & 31)
		}
		member[at/64] |= both & math.MaxUint32 << (at & 32)
		none[at/64] |= both >> 32 << (at & 32)
	}
}
