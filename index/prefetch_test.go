package index

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/metered"
)

// farStore seems to be remote.
type farStore struct {
	storage.Store
	tail int
}

func (s farStore) Traits() storage.Traits {
	t := storage.RemoteTraits()
	t.TailBytes = s.tail
	return t
}

// TestPrefetch counts what look-ups in a remote store cost: side by side what can be, and nothing behind it.
func TestPrefetch(t *testing.T) {
	ctx := context.Background()
	inner, a := largeSidecar(t)
	single := fmt.Sprintf("id%08x", 777*2654435761&0xffffffff)
	tokens := []Token{{7, "timeoutexception"}, {7, single}, {7, "absentfromall"}, {7, "12"}, {8, "x"}}

	store := metered.New(farStore{inner, 4 << 10})
	s, err := Open(ctx, store, "s.puffin", a.id)
	require.NoError(t, err)
	require.LessOrEqual(t, store.Counts().BytesRead, int64(2*4<<10))
	require.Positive(t, s.BloomCost(7))
	require.Zero(t, s.BloomCost(8))
	require.Positive(t, s.LookupCost(tokens))
	require.Zero(t, s.LookupCost(tokens[3:]))
	require.True(t, s.HasPostings(tokens[0]))
	require.False(t, s.HasPostings(tokens[3]))

	store.Reset()
	s.PrefetchBlooms(ctx, []int{7, 8})
	require.EqualValues(t, 1, store.Counts().Requests)
	require.Zero(t, s.BloomCost(7))

	store.Reset()
	s.Prefetch(ctx, tokens)
	require.LessOrEqual(t, store.Counts().Requests, int64(3*3), "for each a part of the dictionary, and one of the table of ids or the column of patterns")
	require.Zero(t, s.LookupCost(tokens))
	store.Reset()
	s.Prefetch(ctx, tokens)
	for _, token := range tokens[:4] {
		if s.Keeps(token.Text) {
			checkToken(t, s, token.Text, a.want[token.Text])
		}
		_, err := s.Bloom(ctx, token.FieldID, token.Text)
		require.NoError(t, err)
	}
	require.Zero(t, store.Counts().Requests)

	// All tokens, of all parts.
	var all []Token
	for token := range a.want {
		all = append(all, Token{7, token})
	}
	s.Prefetch(ctx, all)
	store.Reset()
	for token, rows := range a.want {
		if s.Keeps(token) {
			checkToken(t, s, token, rows)
		}
	}
	require.Zero(t, store.Counts().Requests)

	// One that comes whole costs one request.
	store = metered.New(farStore{inner, 40 * len(a.texts)})
	s, err = Open(ctx, store, "s.puffin", a.id)
	require.NoError(t, err)
	require.EqualValues(t, 1, store.Counts().Requests)
	require.Equal(t, len(a.data), len(s.whole))
	require.Zero(t, s.LookupCost(all))
	require.Zero(t, s.BloomCost(7))
	store.Reset()
	checkToken(t, s, "timeoutexception", a.want["timeoutexception"])
	require.Zero(t, store.Counts().Requests)
}

// TestPrefetchErrors: prefetching tells no errors, and what it could not load is loaded by those who need it.
func TestPrefetchErrors(t *testing.T) {
	ctx := context.Background()
	inner, a := largeSidecar(t)
	store := &brokenStore{Store: inner}
	s, err := Open(ctx, farStore{store, 4 << 10}, "s.puffin", a.id)
	require.NoError(t, err)
	store.fail(errors.New("unreachable"))
	tokens := []Token{{7, "timeoutexception"}}
	s.PrefetchBlooms(ctx, []int{7})
	s.Prefetch(ctx, tokens)
	require.Positive(t, s.LookupCost(tokens))
	_, err = s.Lookup(ctx, 7, "timeoutexception")
	require.ErrorContains(t, err, "unreachable")
	store.fail(nil)
	checkToken(t, s, "timeoutexception", a.want["timeoutexception"])
}

func TestTailGuess(t *testing.T) {
	for rows, want := range map[int64]int{0: headGuess, 5000: headGuess + 5000/rowsPerHeadByte + 17_500*130/100, 1_000_000: headGuess + 1_000_000/rowsPerHeadByte, 10_000_000: tailBytes} {
		require.Equal(t, want, tailGuess(storage.LocalTraits(), rows), "%d rows", rows)
	}
	require.Equal(t, headGuess+1_000_000/rowsPerHeadByte, tailGuess(storage.Traits{Remote: true}, 1_000_000))
	for rows, want := range map[int64]int{0: 256 << 10, 6000: 256 << 10, 8000: 64 << 10, 50_000: 175_000 + remoteHeadGuess, 140_000: 490_000 + remoteHeadGuess, 1_000_000: 64 << 10} {
		require.Equal(t, want, tailGuess(storage.RemoteTraits(), rows), "%d rows", rows)
	}
}
