package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/metered"
)

// largeSidecar is one whose dictionary and postings have several parts.
func largeSidecar(tb testing.TB) (*metered.Store, answers) {
	tb.Helper()
	texts := logTexts(rand.New(rand.NewPCG(41, 41)), 20000)
	for i := range texts {
		id := uint32(i) * 2654435761
		texts[i] += fmt.Sprintf(" id%08x", id)
		if i%2 == 0 { // the other half is in patterns
			texts[i] += " " + strings.Map(func(r rune) rune { return 'a' + r%20 }, fmt.Sprintf("%08x", id^0xffff))
		}
	}
	o := oneColumn()
	o.FalsePositiveRate = 0.0001 // so that the filter does not fit into what opening reads
	data, id, _ := build(tb, o, texts)
	store := metered.New(mem.New())
	putObject(tb, store, "s.puffin", data)
	store.Reset()
	return store, answers{texts: texts, want: truth(texts), id: id, data: data}
}

// TestFrugalReads asserts how many requests and bytes each step takes.
func TestFrugalReads(t *testing.T) {
	ctx := context.Background()
	store, a := largeSidecar(t)
	s, err := Open(ctx, store, "s.puffin", a.id)
	require.NoError(t, err)
	require.Equal(t, int64(1), store.Counts().Requests, "opening takes one ranged read")
	require.LessOrEqual(t, store.Counts().BytesRead, int64(tailBytes))
	require.Greater(t, len(s.head.columns[0].wordParts), 1)
	require.Greater(t, len(s.head.columns[0].idParts), 1)
	require.Less(t, s.SizeInMemory(), int64(len(a.data))/10)

	expect := func(requests int64, what string, run func()) {
		t.Helper()
		store.Reset()
		run()
		require.Equal(t, requests, store.Counts().Requests, what)
		require.LessOrEqual(t, store.Counts().BytesRead, requests*3*dictionaryPartBytes, what)
	}
	look := func(token string) func() {
		return func() { checkToken(t, s, token, a.want[token]) }
	}
	single := fmt.Sprintf("id%08x", 777*2654435761&0xffffffff)
	require.Len(t, a.want[single], 1)
	expect(1, "the filter is not near the end of the file", func() { _, err = s.Bloom(ctx, 7, "x1") })
	require.NoError(t, err)
	expect(0, "the filter is loaded", func() { _, err = s.Bloom(ctx, 7, "x2") })
	expect(2, "a part of the dictionary, which lacks it, and one of the table of ids", look(single))
	expect(0, "warm", look(single))
	expect(2, "a part of the dictionary and the column of patterns", look("timeoutexception"))
	expect(0, "warm", look("timeoutexception"))
	expect(0, "smaller than every word: the head knows, and the part of the table of ids is loaded", look("000"))
	require.Greater(t, s.SizeInMemory(), int64(len(a.data))/10)

	// Tokens that no analyzer keeps, and columns without index, cost nothing.
	expect(0, "unindexed", func() {
		for _, token := range []string{"the", "12", "", "no token"} {
			_, err := s.Lookup(ctx, 7, token)
			require.NoError(t, err)
			_, err = s.Bloom(ctx, 8, token)
			require.NoError(t, err)
		}
	})
}

// TestSmallSidecarIsReadOnce is for remote stores: a local one keeps nothing that nobody asked for.
func TestSmallSidecarIsReadOnce(t *testing.T) {
	a := smallSidecar(t, 60)
	store := metered.New(farStore{mem.New(), 256 << 10})
	putObject(t, store, "s.puffin", a.data)
	store.Reset()
	s, err := Open(context.Background(), store, "s.puffin", a.id)
	require.NoError(t, err)
	for token, rows := range a.want {
		checkToken(t, s, token, rows)
	}
	require.Equal(t, int64(1), store.Counts().Requests)
}

// TestLargeHead has so many columns that head and footer are not in the tail that is read first.
func TestLargeHead(t *testing.T) {
	for _, columns := range []int{150, 700} {
		o := Options{}
		for i := range columns {
			o.Columns = append(o.Columns, ColumnSpec{Column: fmt.Sprintf("column with a long name %d", i), FieldID: i + 1, Bitmap: true, Bloom: true})
		}
		b, err := NewBuilder(o)
		require.NoError(t, err)
		for i := range columns {
			b.ObserveText(i+1, 3, []byte(fmt.Sprintf("value%d and a longer token %x", i, i*7919)))
		}
		store := metered.New(mem.New())
		w, err := store.Create(context.Background(), "s")
		require.NoError(t, err)
		id := Identity{DataFile: "f.parquet", Rows: 5}
		_, err = b.Finish(w, id)
		require.NoError(t, err)
		require.NoError(t, w.Commit(context.Background()))
		store.Reset()
		s, err := Open(context.Background(), store, "s", id)
		require.NoError(t, err)
		require.LessOrEqual(t, store.Counts().Requests, int64(3))
		p, err := s.Lookup(context.Background(), columns, fmt.Sprintf("value%d", columns-1))
		require.NoError(t, err)
		require.Equal(t, PostingMay, p.Kind)
	}
}

// TestConcurrentLookups loads each part once, however many want it. Run it with -race.
func TestConcurrentLookups(t *testing.T) {
	ctx := context.Background()
	store, a := largeSidecar(t)
	s, err := Open(ctx, store, "s.puffin", a.id)
	require.NoError(t, err)
	store.Reset()
	tokens := make([]string, 0, 200)
	for token := range a.want {
		if tokens = append(tokens, token); len(tokens) == cap(tokens) {
			break
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, token := range tokens {
				if p, err := s.Lookup(ctx, 7, token); err != nil || s.Keeps(token) && postingProblem(p, RowsFromSorted(a.id.Rows, a.want[token])) != "" {
					t.Errorf("%q: %v, %d rows", token, err, len(a.want[token]))
				}
				if _, err := s.Bloom(ctx, 7, token); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	h := s.head.columns[0]
	require.LessOrEqual(t, store.Counts().Requests, int64(len(h.wordParts)+len(h.idParts)+len(h.patternParts)+1))
}

// brokenStore fails ranged reads while it is told to.
type brokenStore struct {
	storage.Store
	mu     sync.Mutex
	broken error
}

func (b *brokenStore) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = err
}

func (b *brokenStore) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	b.mu.Lock()
	err := b.broken
	b.mu.Unlock()
	if err != nil {
		return err
	}
	return b.Store.ReadAt(ctx, name, p, off)
}

// TestReadErrors are handed on, are not kept, and are not taken for damage unless the file has become shorter.
func TestReadErrors(t *testing.T) {
	inner, a := largeSidecar(t)
	store := &brokenStore{Store: inner}
	s, err := Open(context.Background(), store, "s.puffin", a.id)
	require.NoError(t, err)
	unreachable := errors.New("unreachable")
	store.fail(unreachable)
	_, err = s.Lookup(context.Background(), 7, "timeoutexception")
	require.ErrorIs(t, err, unreachable)
	require.NotErrorIs(t, err, ErrCorrupt)
	require.ErrorContains(t, err, "s.puffin")
	store.fail(storage.ErrRange)
	_, err = s.Bloom(context.Background(), 7, "timeoutexception")
	require.ErrorIs(t, err, ErrCorrupt)
	store.fail(nil)
	checkToken(t, s, "timeoutexception", a.want["timeoutexception"])

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fresh, err := Open(context.Background(), store, "s.puffin", a.id)
	require.NoError(t, err)
	_, err = fresh.Lookup(ctx, 7, "timeoutexception")
	require.ErrorIs(t, err, context.Canceled)
}

func TestCacheIsBounded(t *testing.T) {
	var c partCache
	c.init(100)
	for i := range 1000 {
		c.put(partKey{kindWords, 0, i}, i, loadedBytes/10)
	}
	require.LessOrEqual(t, c.bytes(), int64(loadedBytes+100))
	_, err := load(context.Background(), &c, partKey{kindWords, 0, 999}, 1, func() (int, error) { return 0, errors.New("not kept") })
	require.NoError(t, err)
	c.put(partKey{kindWords, 0, -1}, 1, 3*loadedBytes) // larger than the bound: kept alone
	require.Len(t, c.parts, 1)
}
