package index

import (
	"bytes"
	"context"
	"sync"
)

// Token is a folded token of a column, by its field id.
type Token struct {
	FieldID int
	Text    string
}

// guessedPostings is up to how many bytes of postings are read along with a part of a dictionary, because one of its tokens may need them.
const guessedPostings = 512 << 10

// span is parts [first, end) of a dictionary or of postings, or a bloom filter.
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
			missing = append(missing, span{kind: kindBloom, column: s.column(id)})
		}
	}
	s.fetch(ctx, missing)
}

// Prefetch loads what looking up these tokens needs and is not in memory, side by side. Parts of a dictionary come together with those
// of the postings that their tokens may be in, if these are small; else the latter follow. So it takes the time of two dependent requests at most, and
// mostly of one. It reports no errors: Lookup tries again.
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
	return s.bytesOf(span{kind: kindBloom, column: column})
}

// HasPostings says whether the sidecar has a bitmap of a column and stores the token, if it is there: whether Lookup knows more than Bloom.
func (s *Sidecar) HasPostings(token Token) bool {
	column := s.column(token.FieldID)
	return column >= 0 && s.head.options.Columns[column].Bitmap && s.Keeps(token.Text)
}

func (s *Sidecar) bytesOf(p span) (bytes int64) {
	h := &s.head.columns[p.column]
	if p.kind == kindBloom {
		return h.bloomBlob.length
	}
	for i := p.first; i < p.end; i++ {
		if p.kind == kindDictionary {
			bytes += h.dictionary[i].length
		} else {
			bytes += h.postings[i].length
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

func (s *Sidecar) missingOf(column int, token []byte) []span {
	h := &s.head.columns[column]
	i := h.dictionaryOf(token)
	if i < 0 {
		return nil
	}
	d, ok := s.cache.get(partKey{kindDictionary, column, i}).(*dictionary)
	if !ok {
		list := []span{{kindDictionary, column, i, i + 1}}
		if postings := s.postingsOfPart(column, i); postings.end > postings.first && s.bytesOf(postings) <= guessedPostings {
			list = append(list, postings)
		}
		return list
	}
	value, found, err := d.get(token)
	offset := h.dictionary[i].base + value>>1
	if err != nil || !found || value&inlineRow != 0 || offset >= uint64(h.postingsBlob.length) || s.cache.get(rowsKey(column, offset)) != nil {
		return nil
	}
	if p := h.postingsOf(offset); s.cache.get(partKey{kindPostings, column, p}) == nil {
		return []span{{kindPostings, column, p, p + 1}}
	}
	return nil
}

// postingsOfPart returns the parts of the postings that the tokens of a part of the dictionary may be in, without those in memory at either end.
func (s *Sidecar) postingsOfPart(column, i int) span {
	h := &s.head.columns[column]
	from, end := h.dictionary[i].base, uint64(h.postingsBlob.length)
	if i+1 < len(h.dictionary) {
		end = min(end, h.dictionary[i+1].base)
	}
	p := span{kind: kindPostings, column: column}
	if from >= end {
		return p
	}
	p.first, p.end = h.postingsOf(from), h.postingsOf(end-1)+1
	for p.first < p.end && s.cache.get(partKey{kindPostings, column, p.first}) != nil {
		p.first++
	}
	for p.first < p.end && s.cache.get(partKey{kindPostings, column, p.end - 1}) != nil {
		p.end--
	}
	return p
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
	case p.kind == kindDictionary:
		_, err = s.dictionary(ctx, p.column, p.first)
	case p.end == p.first+1:
		_, err = s.postings(ctx, p.column, p.first)
	default:
		err = s.manyPostings(ctx, p)
	}
	_ = err // whoever needs the part reads it again and tells
}

// manyPostings loads neighbouring parts of postings with one request.
func (s *Sidecar) manyPostings(ctx context.Context, p span) error {
	h := &s.head.columns[p.column]
	start := h.postings[p.first].start
	b, err := s.read(ctx, h.postingsBlob.offset+headerBytes+start, s.bytesOf(p))
	if err != nil {
		return err
	}
	for i := p.first; i < p.end; i++ {
		part := h.postings[i]
		v, err := verify(bytes.Clone(b[part.start-start:][:part.length]), part.crc, "a part of the postings")
		if err != nil {
			return err
		}
		s.cache.put(partKey{kindPostings, p.column, i}, v, part.length)
	}
	return nil
}
