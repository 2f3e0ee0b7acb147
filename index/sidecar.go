package index

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/storage"
)

// Sidecar is an opened index of one data file. It is safe for concurrent use. It loads what it needs when it first needs it, and keeps the
// parts used last.
type Sidecar struct {
	store   storage.Store
	name    string
	size    int64
	head    *head
	summary Summary
	whole   []byte // the whole file, if it is small
	remote  bool   // the store is
	cache   partCache
}

// BloomAnswer is what a bloom filter says about a token.
type BloomAnswer uint8

// The answers of Sidecar.Bloom.
const (
	NoFilter   BloomAnswer = iota // there is no filter for that column, or its analyzer does not keep the token: nothing is known
	MayContain                    // some row may hold the token
	Absent                        // no row holds the token: certain
)

// PostingKind is the kind of answer that Sidecar.Lookup gives.
type PostingKind uint8

// The kinds of Posting.
const (
	PostingUnindexed PostingKind = iota // no bitmap for that column, or its analyzer does not keep the token: nothing is known
	PostingAbsent                       // no row holds the token: certain. Rows is empty, Count 0
	PostingExact                        // Rows are exactly the rows that hold the token
	PostingMay                          // Rows hold every row with the token, and may hold others; the rows of Must are certain
)

// Posting says which rows of the data file hold a token.
type Posting struct {
	Kind    PostingKind
	Rows    *RowSet // every row with the token is in it; nil for PostingUnindexed
	Must    *RowSet // every row in it has the token; the same as Rows for PostingExact, nil for PostingUnindexed
	Count   uint32  // number of rows that hold the token, if Counted; else 0
	Counted bool    // always for PostingAbsent and PostingExact; for PostingMay if the token stands in the dictionary
}

func exactly(rows *RowSet) Posting {
	return Posting{Kind: PostingExact, Rows: rows, Must: rows, Count: rows.Cardinality(), Counted: true}
}

func absent(n uint32) Posting {
	none := NoRows(n)
	return Posting{Kind: PostingAbsent, Rows: none, Must: none, Counted: true}
}

// Options returns the options that the index was built with.
func (s *Sidecar) Options() Options {
	o := s.head.options
	o.Columns = slices.Clone(o.Columns)
	return o
}

// Summary returns what the sidecar holds.
func (s *Sidecar) Summary() Summary {
	summary := s.summary
	summary.Columns = slices.Clone(summary.Columns)
	return summary
}

// Identity returns the data file that the sidecar was built for.
func (s *Sidecar) Identity() Identity { return s.head.identity }

// Keeps says whether the index stores a folded token. Look-ups of others, and of text that is no folded token at all, answer NoFilter
// and PostingUnindexed.
func (s *Sidecar) Keeps(token string) bool {
	return s.head.analyzer.Keeps([]byte(token)) && analyzer.IsToken(token)
}

// SizeInMemory returns how many bytes the sidecar holds now. It grows while parts are loaded, up to a bound of a few MiB.
func (s *Sidecar) SizeInMemory() int64 { return s.cache.bytes() }

// Bloom asks the bloom filter of a column for a folded token (as analyzer.Split hands out). It takes one ranged read at most, and none
// once the filter is loaded.
func (s *Sidecar) Bloom(ctx context.Context, fieldID int, token string) (BloomAnswer, error) {
	column := s.column(fieldID)
	if column < 0 || !s.head.options.Columns[column].Bloom || !s.Keeps(token) {
		return NoFilter, nil
	}
	filter, err := s.bloom(ctx, column)
	if err != nil {
		return NoFilter, s.problem(err)
	}
	if filter.TestString(token) {
		return MayContain, nil
	}
	return Absent, nil
}

// Lookup finds the rows that hold a folded token (as analyzer.Split hands out). It takes two ranged reads at most: one of a part of
// the dictionary, and for a word that stands in patterns one of the column of patterns, for another token that the dictionary lacks one of a part of
// the table of ids; none once they are loaded.
func (s *Sidecar) Lookup(ctx context.Context, fieldID int, token string) (Posting, error) {
	column := s.column(fieldID)
	if column < 0 || !s.head.options.Columns[column].Bitmap || !s.Keeps(token) {
		return Posting{Kind: PostingUnindexed}, nil
	}
	posting, err := s.lookup(ctx, column, []byte(token))
	if err != nil {
		return Posting{Kind: PostingUnindexed}, s.problem(err)
	}
	return posting, nil
}

// problem says of which sidecar an error is.
func (s *Sidecar) problem(err error) error {
	return fmt.Errorf("index sidecar %s: %w", s.name, shorter(err))
}

// column returns the number of a column in options and head, or -1.
func (s *Sidecar) column(fieldID int) int {
	return slices.IndexFunc(s.head.options.Columns, func(c ColumnSpec) bool { return c.FieldID == fieldID })
}

func (s *Sidecar) lookup(ctx context.Context, column int, token []byte) (Posting, error) {
	h := &s.head.columns[column]
	if i := h.dictionaryOf(token); i >= 0 {
		d, err := s.dictionary(ctx, column, i)
		if err != nil {
			return Posting{}, err
		}
		value, found, err := d.get(token)
		if err != nil {
			return Posting{}, err
		}
		if found {
			return s.posting(ctx, column, i, token, d, value)
		}
	}
	if h.idBuckets == 0 || analyzer.WordToken(token) {
		return absent(s.head.identity.Rows), nil
	}
	return s.lookupID(ctx, column, token)
}

// posting resolves what part i of a dictionary says, and keeps what took long.
func (s *Sidecar) posting(ctx context.Context, column, i int, token []byte, d *dictionary, value uint64) (Posting, error) {
	key := rowsKey(column, i, value)
	if p, ok := s.cache.get(key).(Posting); ok {
		return p, nil
	}
	p, err := s.resolve(ctx, column, token, d, value)
	if err == nil && p.Rows.Cardinality() >= keptRows {
		s.cache.put(key, p, p.Rows.SizeInMemory()+p.Must.SizeInMemory())
	}
	return p, err
}

// dictionaryOf returns the part of the dictionary that may hold a token: the last one whose first token is not greater. It is -1 if no
// part can.
func (h *columnHead) dictionaryOf(token []byte) int {
	i, exact := slices.BinarySearchFunc(h.wordParts, token, func(p dictionaryPart, token []byte) int { return bytes.Compare(p.first, token) })
	if !exact {
		i--
	}
	return i
}

// bloom returns the bloom filter of a column, loading it first if need be.
func (s *Sidecar) bloom(ctx context.Context, column int) (*Filter, error) {
	at := s.head.columns[column].bloomBlob
	return load(ctx, &s.cache, bloomKey(column), at.length, func() (*Filter, error) {
		if at.length == 0 {
			return nil, corruptf("its head names no place for the bloom filter")
		}
		blob, err := s.read(ctx, at.offset, headerBytes+at.length)
		if err != nil {
			return nil, err
		}
		return s.decodeBloomBlob(column, blob)
	})
}

// decodeBloomBlob checks and decodes a whole bloom blob.
func (s *Sidecar) decodeBloomBlob(column int, blob []byte) (*Filter, error) {
	crc, err := checkHeader(blob, kindBloom, s.head.options.Columns[column].FieldID, int64(len(blob)-headerBytes))
	if err != nil {
		return nil, err
	}
	payload, err := verify(blob[headerBytes:], crc, "a bloom filter")
	if err != nil {
		return nil, err
	}
	return decodeBloom(payload)
}

// dictionary returns part i of the dictionary of a column, loading it first if need be.
func (s *Sidecar) dictionary(ctx context.Context, column, i int) (*dictionary, error) {
	h := &s.head.columns[column]
	p := h.wordParts[i].part
	return load(ctx, &s.cache, partKey{kindWords, column, i}, p.length, func() (*dictionary, error) {
		v, err := s.readPart(ctx, h.wordsBlob, p, "a part of a dictionary")
		if err != nil {
			return nil, err
		}
		return decodeDictionary(v)
	})
}

// readPart reads and verifies a part of a payload.
func (s *Sidecar) readPart(ctx context.Context, blob place, p part, what string) (verified, error) {
	b, err := s.read(ctx, blob.offset+headerBytes+p.start, p.length)
	if err != nil {
		return verified{}, err
	}
	return verify(b, p.crc, what)
}

// read returns bytes of the file. That they lie within it was checked when the head was decoded.
func (s *Sidecar) read(ctx context.Context, offset, length int64) ([]byte, error) {
	if s.whole != nil {
		return s.whole[offset : offset+length : offset+length], nil
	}
	b := make([]byte, length)
	if err := s.store.ReadAt(ctx, s.name, b, offset); err != nil {
		return nil, err
	}
	return b, nil
}
