package index

import (
	"context"
	"errors"
	"io"

	"github.com/firnlog/firn/storage"
)

// Sidecar is an opened index of one data file. It is safe for concurrent use and loads what it needs when it first needs it.
type Sidecar struct {
	options Options
	summary Summary
}

// Open opens the sidecar called name (a name of the store, not a URI) with one ranged read of its end, two if its head is unusually large. want is
// the data file that the caller is about to prune. Errors: storage.ErrNotExist, ErrCorrupt, ErrUnknownVersion, ErrForeign, other storage errors.
func Open(ctx context.Context, store storage.Store, name string, want Identity) (*Sidecar, error) {
	return nil, errors.New("not yet")
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
	PostingAbsent                       // no row holds the token: exact. Rows is empty, Count 0
	PostingExact                        // Rows are exactly the rows that hold the token
	PostingDense                        // more than DenseFraction of the rows hold the token; Count is exact, Rows is nil
)

// Posting says which rows of the data file hold a token.
type Posting struct {
	Kind  PostingKind
	Rows  *RowSet // for PostingAbsent and PostingExact, else nil
	Count uint32  // exact number of rows that hold the token; 0 and meaningless for PostingUnindexed
}

// Options returns the options that the index was built with.
func (s *Sidecar) Options() Options { return s.options }

// Summary returns what the sidecar holds.
func (s *Sidecar) Summary() Summary { return s.summary }

// Identity returns the data file that the sidecar was built for.
func (s *Sidecar) Identity() Identity { return Identity{} }

// Keeps says whether the index stores a folded token; look-ups of others answer NoFilter and PostingUnindexed.
func (s *Sidecar) Keeps(token string) bool { return false }

// SizeInMemory returns how many bytes the sidecar holds now; it grows while dictionaries and postings are loaded, up to a bound.
func (s *Sidecar) SizeInMemory() int64 { return 0 }

// Bloom asks the bloom filter of a column for a folded token (as analyzer.Split hands out). At most one ranged read, none when warm.
func (s *Sidecar) Bloom(ctx context.Context, fieldID int, token string) (BloomAnswer, error) {
	return NoFilter, nil
}

// Lookup finds the rows that hold a folded token (as analyzer.Split hands out). At most two ranged reads: the dictionary, once, and the postings.
func (s *Sidecar) Lookup(ctx context.Context, fieldID int, token string) (Posting, error) {
	return Posting{}, nil
}

// Dump writes for people what a sidecar holds, with its `top` largest posting lists for each column. It checks every byte.
func Dump(ctx context.Context, store storage.Store, name string, w io.Writer, top int) error {
	return nil
}
