package index

import (
	"context"
	"math"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/firnlog/firn/index/analyzer"
)

// Token is a folded token of a column, by its field id.
type Token struct {
	FieldID int
	Text    string
}

// guessedColumn is up to how many bytes of the column of patterns are read along with a part of a dictionary from a remote store, because one of its
// tokens may need them.
const guessedColumn = 512 << 10

// span is parts [first, end) of a dictionary, of a table of ids or of a column of patterns, or a bloom filter.
type span struct {
	kind       blobKind
	column     int
	first, end int
}

// PrefetchBlooms loads the bloom filters of columns that are not in memory, side by side. It reports no errors: Bloom tries again.
func (s *Sidecar) PrefetchBlooms(ctx context.Context, fieldIDs []int) {
	var missing []span
	for _, id := range fieldIDs {
		if s.BloomCost(id) > 0 {
			missing = append(missing, span{kindBloom, s.column(id), 0, 1})
		}
	}
	s.fetch(ctx, missing)
}

// Prefetch loads what looking up these tokens needs and is not in memory, side by side. From a remote store a small column of patterns comes
// together with the part of the dictionary that may say that it is needed; else it follows. So it takes the time of two dependent requests at
// most, and mostly of one. It reports no errors: Lookup tries again.
func (s *Sidecar) Prefetch(ctx context.Context, tokens []Token) {
	for range 2 {
		missing := s.missing(tokens)
		if len(missing) == 0 || ctx.Err() != nil {
			return
		}
		s.fetch(ctx, missing)
	}
}

// LookupCost returns how many bytes Prefetch would read first for these tokens; 0 says that Lookup has all in memory.
func (s *Sidecar) LookupCost(tokens []Token) (bytes int64) {
	for _, part := range s.missing(tokens) {
		bytes += s.bytesOf(part)
	}
	return bytes
}

// BloomCost returns how many bytes Bloom would read for a token of a column; 0 says that it has all in memory, or that there is no filter.
func (s *Sidecar) BloomCost(fieldID int) int64 {
	column := s.column(fieldID)
	if column < 0 || !s.head.options.Columns[column].Bloom || s.whole != nil || s.cache.get(bloomKey(column)) != nil {
		return 0
	}
	return s.bytesOf(span{kindBloom, column, 0, 1})
}

// HasPostings says whether the sidecar has a bitmap of a column and stores the token, if it is there: whether Lookup knows more than Bloom.
func (s *Sidecar) HasPostings(token Token) bool {
	column := s.column(token.FieldID)
	return column >= 0 && s.head.options.Columns[column].Bitmap && s.Keeps(token.Text)
}

func (s *Sidecar) bytesOf(p span) (bytes int64) {
	h := &s.head.columns[p.column]
	for i := p.first; i < p.end; i++ {
		switch p.kind {
		case kindBloom:
			bytes += h.bloomBlob.length
		case kindWords:
			bytes += h.wordParts[i].length
		case kindIDs:
			bytes += h.idParts[i].length
		case kindPatterns:
			bytes += h.patternParts[i+1].length
		}
	}
	return bytes
}

// missing returns the parts, each once, that looking up the tokens needs as far as is known, and that are not in memory.
func (s *Sidecar) missing(tokens []Token) (list []span) {
	if s.whole != nil {
		return nil
	}
	seen := map[span]bool{}
	for _, t := range tokens {
		if !s.HasPostings(t) {
			continue
		}
		for _, part := range s.missingOf(s.column(t.FieldID), []byte(t.Text)) {
			if !seen[part] {
				seen[part] = true
				list = append(list, part)
			}
		}
	}
	return list
}

func (s *Sidecar) missingOf(column int, token []byte) (list []span) {
	h := &s.head.columns[column]
	word := analyzer.WordToken(token)
	if i := h.dictionaryOf(token); i >= 0 {
		d, ok := s.cache.get(partKey{kindWords, column, i}).(*dictionary)
		if !ok {
			list = append(list, span{kindWords, column, i, i + 1})
			if all := s.missingColumn(column, math.MaxUint64); word && s.remote && s.bytesOf(all) <= guessedColumn && all.first < all.end {
				list = append(list, all)
			}
		} else if value, found, err := d.get(token); err != nil || found {
			return s.missingOfEntry(column, i, word, d, value, err)
		}
	}
	if h.idBuckets > 0 && !word {
		i := int(bucketOf(xxhash.Sum64(token), h.idBuckets) / h.bucketsPerPart)
		if s.cache.get(partKey{kindIDs, column, i}) == nil {
			list = append(list, span{kindIDs, column, i, i + 1})
		}
	}
	return list
}

// missingOfEntry returns the blocks of the column of patterns that resolving a number of part i of a dictionary needs.
func (s *Sidecar) missingOfEntry(column, i int, word bool, d *dictionary, value uint64, err error) []span {
	h := &s.head.columns[column]
	if err != nil || value&inlineRow != 0 || h.patterns == 0 || s.cache.get(rowsKey(column, i, value)) != nil {
		return nil
	}
	e, err := readEntry(d.entries, value>>1, word, h, s.head.identity.Rows)
	if err != nil || !e.needsColumn() {
		return nil
	}
	if p := s.missingColumn(column, e.mask); p.first < p.end {
		return []span{p}
	}
	return nil
}

// missingColumn returns the blocks of the column of patterns from the first to the last one that is in the mask and not in memory.
func (s *Sidecar) missingColumn(column int, mask uint64) span {
	n, h := s.head.identity.Rows, &s.head.columns[column]
	missing := func(block int) bool {
		return (!hasMask(n) || mask>>block&1 != 0) && s.cache.get(partKey{kindPatterns, column, block}) == nil
	}
	p := span{kindPatterns, column, 0, max(len(h.patternParts)-1, 0)}
	for p.first < p.end && !missing(p.first) {
		p.first++
	}
	for p.first < p.end && !missing(p.end-1) {
		p.end--
	}
	return p
}

// prefetchColumn loads the blocks of the column of patterns that are in the mask, with one request.
func (s *Sidecar) prefetchColumn(ctx context.Context, column int, mask uint64) {
	if p := s.missingColumn(column, mask); p.end > p.first+1 && s.whole == nil {
		s.fetchOne(ctx, p)
	}
}

// fetch loads parts side by side, each span with one request.
func (s *Sidecar) fetch(ctx context.Context, parts []span) {
	var wg sync.WaitGroup
	for _, p := range parts {
		load := func() { s.fetchOne(ctx, p) }
		if len(parts) == 1 {
			load()
			return
		}
		wg.Go(load)
	}
	wg.Wait()
}

func (s *Sidecar) fetchOne(ctx context.Context, p span) {
	var err error
	switch {
	case p.kind == kindBloom:
		_, err = s.bloom(ctx, p.column)
	case p.kind == kindWords:
		_, err = s.dictionary(ctx, p.column, p.first)
	case p.kind == kindIDs:
		_, err = s.idPart(ctx, p.column, p.first)
	case p.end == p.first+1:
		_, err = s.columnBlock(ctx, p.column, p.first)
	default:
		err = s.manyBlocks(ctx, p)
	}
	_ = err // whoever needs the part reads it again and tells
}

// manyBlocks loads neighbouring blocks of the column of patterns with one request.
func (s *Sidecar) manyBlocks(ctx context.Context, p span) error {
	h := &s.head.columns[p.column]
	start := h.patternParts[p.first+1].start
	b, err := s.read(ctx, h.patternsBlob.offset+headerBytes+start, s.bytesOf(p))
	if err != nil {
		return err
	}
	for i := p.first; i < p.end; i++ {
		part, size := h.patternParts[i+1], s.columnBlockBytes(p.column, i)
		v, err := verify(b[part.start-start:][:part.length], part.crc, "a block of the column of patterns")
		if err != nil {
			return err
		}
		block, err := decodeColumn(v, size, h.patterns)
		if err != nil {
			return err
		}
		s.cache.put(partKey{kindPatterns, p.column, i}, block, int64(size))
	}
	return nil
}
