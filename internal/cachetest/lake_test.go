package cachetest

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/ingest"
	"github.com/firnlog/firn/internal/loggen"
	"github.com/firnlog/firn/query"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/cache"
	"github.com/firnlog/firn/storage/local"
	"github.com/firnlog/firn/storage/metered"
)

// lake is a table in a store, as it is seen through other stores over it.
type lake struct {
	store storage.Store
	db    string
}

// newLocal returns an empty local store.
func newLocal(t testing.TB) storage.Store {
	t.Helper()
	store, err := local.New(filepath.Join(t.TempDir(), "lake"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// newLake makes a table of that many rows.
func newLake(t testing.TB, store storage.Store, rows int) *lake {
	t.Helper()
	ctx := t.Context()
	l := &lake{store: store, db: "sqlite://" + filepath.Join(t.TempDir(), "catalog.db")}
	c, err := catalog.Open(ctx, catalog.Options{Store: store, URI: l.db})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	table, err := c.Create(ctx, catalog.TableSpec{Name: "t", Properties: map[string]string{"firn.index.column.log_msg": "bitmap,bloom"}})
	require.NoError(t, err)
	w, err := ingest.NewWriter(ctx, table, store, ingest.Options{})
	require.NoError(t, err)
	for line := range bytes.Lines(loggen.Bytes(loggen.Options{Seed: 1, Rows: rows})) {
		_ = w.AppendJSON(ctx, bytes.TrimSpace(line)) // some are made to be rejected
	}
	require.NoError(t, w.Close(ctx))
	return l
}

// search is what one run of a program does that knows nothing yet: it opens the catalog, plans, and reads all rows. It returns their number.
func (l *lake) search(t testing.TB, store storage.Store, text string) int {
	t.Helper()
	ctx := t.Context()
	c, err := catalog.Open(ctx, catalog.Options{Store: store, URI: l.db})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	table, err := c.Load(ctx, "t")
	require.NoError(t, err)
	predicate, err := query.Parse(text)
	require.NoError(t, err)
	scan, err := query.NewEngine(store, query.EngineOptions{}).Plan(ctx, table, query.Request{Predicate: predicate})
	require.NoError(t, err)
	n := 0
	for _, err := range scan.Rows(ctx) {
		require.NoError(t, err)
		n++
	}
	return n
}

// remoteStore says that it is behind a network.
type remoteStore struct{ storage.Store }

func (remoteStore) Traits() storage.Traits { return storage.RemoteTraits() }

// TestSecondRun searches twice, in two processes: the second one asks nothing of the store.
func TestSecondRun(t *testing.T) {
	l := newLake(t, newLocal(t), 3000)
	for _, remote := range []bool{false, true} {
		inner := metered.New(l.store)
		var below storage.Store = inner
		if remote {
			below = remoteStore{inner}
		}
		dir := t.TempDir()
		var found [3]int
		for run := range found {
			s, err := cache.Open(below, cache.Options{Dir: dir, MinFree: -1})
			require.NoError(t, err)
			before := inner.Counts()
			found[run] = l.search(t, s, "user7 OR blk_99 OR compaction")
			require.NoError(t, s.Close())
			cost, got := inner.Counts().Sub(before), s.Stats()
			require.Zero(t, got.Bypassed+got.Damaged+got.Errors+got.Skipped, got)
			if run == 0 {
				require.NotZero(t, cost.Requests)
				require.Equal(t, cost.Requests+cost.Stats, got.InnerRequests)
				continue
			}
			require.Equal(t, metered.Counts{}, cost)
			require.Equal(t, found[0], found[run])
		}
		require.NotZero(t, found[0])
	}
}

// BenchmarkLake compares whole searches, planning included, of a local lake with the same through a cache that has everything: in a
// program that has just started (disk), and in one that keeps the cache open (warm).
func BenchmarkLake(b *testing.B) {
	l := newLake(b, newLocal(b), 200_000)
	dir := b.TempDir()
	for name, text := range map[string]string{"needle": "user77", "word": "accepted", "all": "*"} {
		open := func() *cache.Store {
			s, err := cache.Open(l.store, cache.Options{Dir: dir, MinFree: -1})
			require.NoError(b, err)
			return s
		}
		s := open()
		want := l.search(b, s, text)
		require.NoError(b, s.Close())
		b.Run(fmt.Sprintf("%s/local", name), func(b *testing.B) {
			l.bench(b, want, text, func() (storage.Store, func()) { return l.store, func() {} })
		})
		b.Run(fmt.Sprintf("%s/disk", name), func(b *testing.B) {
			l.bench(b, want, text, func() (storage.Store, func()) {
				s := open()
				return s, func() {
					require.NoError(b, s.Close())
					require.Zero(b, s.Stats().InnerRequests)
				}
			})
		})
		// As above a store that is far away: what is read on a guess to save round trips costs CPU, though it is at hand.
		far, err := cache.Open(remote{l.store}, cache.Options{Dir: dir + "-remote", MinFree: -1})
		require.NoError(b, err)
		require.Equal(b, want, l.search(b, far, text))
		require.NoError(b, far.Close())
		b.Run(fmt.Sprintf("%s/disk-of-remote", name), func(b *testing.B) {
			l.bench(b, want, text, func() (storage.Store, func()) {
				s, err := cache.Open(remote{l.store}, cache.Options{Dir: dir + "-remote", MinFree: -1})
				require.NoError(b, err)
				return s, func() { require.NoError(b, s.Close()) }
			})
		})
		s = open()
		b.Run(fmt.Sprintf("%s/warm", name), func(b *testing.B) { l.bench(b, want, text, func() (storage.Store, func()) { return s, func() {} }) })
		require.NoError(b, s.Close())
	}
}

// remote is a store that says that it is behind a network.
type remote struct{ storage.Store }

func (remote) Traits() storage.Traits { return storage.RemoteTraits() }

func (l *lake) bench(b *testing.B, want int, text string, open func() (storage.Store, func())) {
	begin := cpuTime()
	for b.Loop() {
		s, done := open()
		require.Equal(b, want, l.search(b, s, text))
		done()
	}
	b.ReportMetric(float64(cpuTime()-begin)/float64(b.N)/1e6, "cpu-ms/op")
}
