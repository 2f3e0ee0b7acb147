package query

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

func TestLedger(t *testing.T) {
	ctx := t.Context()
	l := newLedger(false)
	s, err := l.begin(ctx, 10, 10)
	require.NoError(t, err)
	require.Nil(t, s, "nothing was earned yet")
	l.earn(100)
	s, err = l.begin(ctx, 200, 50)
	require.NoError(t, err)
	require.True(t, s.afford(80))
	require.False(t, s.afford(30), "all is granted")
	waits := make(chan *spending)
	go func() {
		other, err := l.begin(ctx, 500, 500)
		if err != nil {
			other = nil
		}
		waits <- other
	}()
	s.end(1000, 70) // 100 granted, 70 of them read
	other := <-waits
	require.NotNil(t, other, "whoever waits gets what was saved")
	other.end(0, 500)
	require.InDelta(t, 100-70+1000-500, l.credit, 1e-9)
	cancelled, cancel := context.WithCancel(ctx)
	s, err = l.begin(ctx, 530, 530)
	require.NoError(t, err)
	require.NotNil(t, s)
	cancel()
	_, err = l.begin(cancelled, 1, 1)
	require.ErrorIs(t, err, context.Canceled)
	s, err = newLedger(true).begin(ctx, 1e9, 1e9)
	require.NoError(t, err)
	require.True(t, s.afford(1e12), "an index that is forced costs what it costs")
}

func TestSidecarsAreAskedWhenAReadingReachesThem(t *testing.T) {
	tt := bigTable(t)
	watch := newSpy(tt.store)
	frequent := Request{Predicate: msg("frequent"), Limit: 50}
	_, scan := collect(t, NewEngine(watch, EngineOptions{Parallelism: 1}), tt.table, frequent)
	requests, _ := watch.sum(".puffin")
	require.Zero(t, requests, "the first piece is enough")
	require.Contains(t, scan.Explain(), "index not asked yet")
	report := scan.Explanation()
	require.NotEmpty(t, report.Conditions[0].Choices)
	require.False(t, report.Conditions[0].Choices[0].Asked)

	watch.reset()
	_, scan = collect(t, NewEngine(watch, EngineOptions{Parallelism: 1}), tt.table, Request{Predicate: msg("needle"), Limit: 50})
	requests, _ = watch.sum(".puffin")
	require.Positive(t, requests)
	require.Contains(t, scan.Explain(), "index asked: about")
	asked := scan.Explanation().Conditions[0].Choices[0]
	require.True(t, asked.Asked)
	require.Positive(t, asked.BytesWith)
	require.Greater(t, asked.BytesWithout, asked.BytesWith)

	// Nothing that the index says changes what is to be read.
	watch.reset()
	_, scan = collect(t, NewEngine(watch, EngineOptions{Parallelism: 1}), tt.table, Request{Predicate: Or{msg("needle"), Contains{Col("log_msg"), "77"}}})
	requests, _ = watch.sum(".puffin")
	require.Zero(t, requests)
	require.Contains(t, scan.Explain(), "whatever it says, the same rows must be read")

	// Whoever forces it has them all asked before anything is read.
	watch.reset()
	frequent.ForceIndex = true
	_, err := NewEngine(watch, EngineOptions{Parallelism: 1}).Plan(t.Context(), tt.table, frequent)
	require.NoError(t, err)
	requests, _ = watch.sum(".puffin")
	require.GreaterOrEqual(t, requests, 8)
	requests, _ = watch.sum(".parquet")
	require.Zero(t, requests)
}

// damagedCopy is a cache that has wrong bytes of some objects until it is told to forget them.
type damagedCopy struct {
	storage.Store
	suffix  string
	damaged atomic.Bool
	forgot  atomic.Int64
}

func (d *damagedCopy) Invalidate(name string) {
	if strings.HasSuffix(name, d.suffix) {
		d.forgot.Add(1)
		d.damaged.Store(false)
	}
}

func (d *damagedCopy) spoil(name string, p []byte) {
	if d.damaged.Load() && strings.HasSuffix(name, d.suffix) {
		for i := range p {
			p[i] ^= 0x55
		}
	}
}

func (d *damagedCopy) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	err := d.Store.ReadAt(ctx, name, p, off)
	d.spoil(name, p)
	return err
}

func (d *damagedCopy) ReadTail(ctx context.Context, name string, p []byte) (int, int64, error) {
	n, size, err := d.Store.ReadTail(ctx, name, p)
	d.spoil(name, p[:n])
	return n, size, err
}

// TestDamagedCopiesAreReadAgain: what makes no sense may be the fault of a cache below, which is told to forget it.
func TestDamagedCopiesAreReadAgain(t *testing.T) {
	tt := bigTable(t)
	q := Request{Predicate: msg("needle"), ForceIndex: true}
	want := tt.ids(tt.matches(q))
	for _, suffix := range []string{".puffin", ".parquet"} {
		for _, late := range []bool{false, true} {
			store := &damagedCopy{Store: tt.store, suffix: suffix}
			store.damaged.Store(!late)
			e := NewEngine(store, EngineOptions{Parallelism: 1})
			scan, err := e.Plan(t.Context(), tt.table, q)
			require.NoError(t, err)
			store.damaged.Store(store.damaged.Load() || late)
			var got []string
			for row, err := range scan.Rows(t.Context()) {
				require.NoError(t, err)
				got = append(got, row.Text("trace_id"))
			}
			require.Equal(t, want, got)
			require.Empty(t, scan.Stats().IndexProblems)
			if suffix == ".parquet" || !late {
				require.Positive(t, store.forgot.Load())
			}
		}
	}
}

// Small files, of which each search rather reads the data than the sidecar, are not scanned for ever.
func TestSidecarsOfSmallFilesPayInTheLongRun(t *testing.T) {
	tt := makeTable(t, rand.New(rand.NewPCG(41, 0)), tableSpec{files: 4, rowsPerFile: 40})
	e := NewEngine(tt.store, EngineOptions{})
	asked := func() (files int) {
		scan, err := e.Plan(t.Context(), tt.table, Request{Predicate: msg("nowhere")})
		require.NoError(t, err)
		n, err := scan.Count(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
		for _, c := range scan.Explanation().Conditions {
			for _, choice := range c.Choices {
				if choice.Asked {
					files += choice.Files
				}
			}
		}
		return files
	}
	require.Zero(t, asked(), "reading the rows costs less")
	searches := 1
	for ; asked() < 4; searches++ {
		require.Less(t, searches, 1000)
	}
	require.Greater(t, searches, patience, "no search pays for the next ones more than it saves them")
	scan, err := e.Plan(t.Context(), tt.table, Request{Predicate: msg("nowhere")})
	require.NoError(t, err)
	require.Zero(t, scan.Stats().Requests, "what was asked stays in memory")
}

// What indexes spared one search may be spent on the sidecars of small files by the next ones; without that they wait for many searches.
func TestSavingsOpenSidecarsOfSmallFiles(t *testing.T) {
	tt := makeTable(t, rand.New(rand.NewPCG(42, 0)), tableSpec{files: 6, rowsPerFile: 40})
	e := NewEngine(tt.store, EngineOptions{})
	asked := func() bool {
		scan, err := e.Plan(t.Context(), tt.table, Request{Predicate: msg("nowhere")})
		require.NoError(t, err)
		_, err = scan.Count(t.Context())
		require.NoError(t, err)
		return slices.ContainsFunc(scan.Explanation().Conditions[0].Choices, func(c ChoiceReport) bool { return c.Asked })
	}
	require.False(t, asked())
	e.savings.add(1 << 20)
	require.True(t, asked())
	e.savings.add(-1 << 20)
	require.False(t, e.savings.spend(1))
}

// The rows of a word are found once, whatever stands beside it, and only those of files in which that takes time are kept.
func TestRowsOfTokensAreKept(t *testing.T) {
	large := makeTable(t, rand.New(rand.NewPCG(43, 0)), tableSpec{files: 1, rowsPerFile: rememberedRows, overlap: true})
	e := NewEngine(large.store, EngineOptions{})
	count := func(p Predicate) int64 {
		scan, err := e.Plan(t.Context(), large.table, Request{Predicate: p, ForceIndex: true})
		require.NoError(t, err)
		n, err := scan.Count(t.Context())
		require.NoError(t, err)
		return n
	}
	want := count(msg("error"))
	require.Positive(t, want)
	kept := e.CacheStats().Rows
	require.Equal(t, CacheCounts{Misses: 1, Entries: 1, Bytes: kept.Bytes}, kept)
	require.Equal(t, want, count(And{msg("error"), Not{msg("nowhere")}}))
	require.EqualValues(t, 1, e.CacheStats().Rows.Hits)
	require.Equal(t, want, count(msg("error")))

	small := makeTable(t, rand.New(rand.NewPCG(44, 0)), tableSpec{files: 2, rowsPerFile: 500, overlap: true})
	e = NewEngine(small.store, EngineOptions{})
	scan, err := e.Plan(t.Context(), small.table, Request{Predicate: msg("error"), ForceIndex: true})
	require.NoError(t, err)
	_, err = scan.Count(t.Context())
	require.NoError(t, err)
	require.Zero(t, e.CacheStats().Rows)
}
