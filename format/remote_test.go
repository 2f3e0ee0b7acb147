package format

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/roundtrips"
	"github.com/firnlog/firn/storage"
)

const roundTrip = 30 * time.Millisecond

// inBubble runs do in a bubble, whose clock shows the round trips. Decompressors that are kept for use again hold channels, and those of a bubble must
// not be used outside: two collections empty the pool.
func inBubble(t *testing.T, do func(t *testing.T)) {
	defer func() {
		runtime.GC()
		runtime.GC()
	}()
	synctest.Test(t, do)
}

func rounds(do func()) int {
	start := time.Now()
	do()
	return int(time.Since(start) / roundTrip)
}

// TestRemoteRounds asserts how many requests to a remote store are made one after the other.
func TestRemoteRounds(t *testing.T) {
	c := generatedCorpus(60_000)
	data, _ := writeFile(t, logSchema(), WriterOptions{RowGroupRows: 6000, BloomColumns: []string{"trace_id"}}, c.batch)
	inner := storeBytes(t, data)
	inBubble(t, func(t *testing.T) {
		store := roundtrips.New(inner, roundTrip)
		var f *File
		for _, size := range []int64{0, int64(len(data))} {
			store.Reset()
			require.Equal(t, 1, rounds(func() {
				var err error
				f, err = Open(t.Context(), store, "f.parquet", size, nil)
				require.NoError(t, err)
				_, err = f.Pages(t.Context(), 1)
				require.NoError(t, err)
			}))
			require.Equal(t, 1, store.Counts().Requests, "the page index is in the tail")
		}
		ids := fieldIDs(logSchema())
		few := []RowRange{{1, 2}, {16_000, 16_001}, {32_000, 32_001}, {59_999, 60_000}}
		for _, requests := range []int{1, 4, 16} {
			store.Reset()
			var got *Batch
			require.Equal(t, 1, rounds(func() { got = readOptions(t, f, ids, ReadOptions{Requests: requests}, few...) }))
			require.Equal(t, 4, got.Rows)
			require.LessOrEqual(t, store.Counts().Requests, max(requests, 4))
			t.Logf("rows of four row groups, all columns: %+v of %d", store.Counts(), len(data))
		}
		estimate := f.EstimateBytes(ids, few)
		require.LessOrEqual(t, estimate, store.Counts().Bytes)
		require.Greater(t, estimate, store.Counts().Bytes/8)
		askBlooms := func() {
			for g := range f.RowGroups() {
				_, present, err := f.BloomMayContain(t.Context(), g, 5, "x")
				require.NoError(t, err)
				require.True(t, present)
			}
		}
		require.Zero(t, rounds(askBlooms), "small filters are in the tail")
		store.Shape.TailBytes = 2 << 10
		var err error
		f, err = Open(t.Context(), store, "f.parquet", 0, nil)
		require.NoError(t, err)
		require.Equal(t, 1, rounds(askBlooms), "the filters of all row groups are read side by side")
		require.Equal(t, 1, rounds(func() { require.NoError(t, f.LoadPageIndex(t.Context(), ids)) }), "the page index is not in such a tail")
		require.Equal(t, estimate, f.EstimateBytes(ids, few))
		require.Equal(t, 1, rounds(func() { readOptions(t, f, ids, ReadOptions{}, few...) }))
		require.ErrorIs(t, f.LoadPageIndex(t.Context(), []int{99}), ErrUnknownField)
	})
}

func readOptions(t *testing.T, f *File, ids []int, opts ReadOptions, rows ...RowRange) *Batch {
	t.Helper()
	out := &Batch{}
	for b, err := range f.Read(t.Context(), ids, rows, opts) {
		require.NoError(t, err)
		appendBatch(out, b)
	}
	return out
}

// TestReadAhead reads a whole file at no less than 70 % of what the store gives one reader with large requests, though a request takes long.
func TestReadAhead(t *testing.T) {
	c := generatedCorpus(60_000)
	data, _ := writeFile(t, logSchema(), WriterOptions{RowGroupRows: 2000}, c.batch)
	inner := storeBytes(t, data)
	rows := []RowRange{{0, 60_000}}
	inBubble(t, func(t *testing.T) {
		store := roundtrips.New(inner, roundTrip)
		store.Bandwidth = 10 << 20
		f, err := Open(t.Context(), store, "f.parquet", int64(len(data)), nil)
		require.NoError(t, err)
		start := time.Now()
		require.NoError(t, store.ReadAt(t.Context(), "f.parquet", make([]byte, len(data)), 0))
		alone := time.Since(start)
		start = time.Now()
		readOptions(t, f, fieldIDs(logSchema()), ReadOptions{Budget: NewBudget(64 << 20)}, rows...)
		t.Logf("store alone %v, read %v", alone, time.Since(start))
		require.Less(t, time.Since(start), alone*10/7)
	})
}

// TestRemoteReads compares what is read from a remote store with what was written, under all sorts of traits and bounds.
func TestRemoteReads(t *testing.T) {
	c := generatedCorpus(6000)
	data, _ := writeFile(t, logSchema(), WriterOptions{RowGroupRows: 500, PageBytes: 1000, BloomColumns: []string{"trace_id"}}, c.batch)
	inner := storeBytes(t, data)
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 40 {
		store := roundtrips.New(inner, 0)
		store.Shape = storage.Traits{Remote: true, Parallel: r.IntN(5), ReadGap: r.Int64N(20_000), TailBytes: []int{0, 100, 8000, 1 << 20}[r.IntN(4)]}
		f, err := Open(t.Context(), store, "f.parquet", []int64{0, int64(len(data))}[r.IntN(2)], nil)
		require.NoError(t, err)
		var rows []RowRange
		for at := uint32(r.IntN(300)); at < 6000; at += uint32(1 + r.IntN(900)) {
			end := min(at+uint32(1+r.IntN(400)), 6000)
			rows = append(rows, RowRange{at, end})
			at = end
		}
		opts := ReadOptions{BatchRows: 1 + r.IntN(700), Requests: r.IntN(5)}
		gate := &testGate{free: make(chan struct{}, 1)}
		if i%2 == 0 {
			opts.Budget, opts.Gate = NewBudget(int64(1+r.IntN(100_000))), gate
		}
		gate.Enter()
		got := readOptions(t, f, fieldIDs(logSchema()), opts, rows...)
		gate.Leave()
		for j := range got.Columns {
			requireSameColumn(t, gather(c.batch.Columns[j], rows), got.Columns[j])
		}
		require.Zero(t, store.Busy())
	}
}

// testGate has room for one and looks after its being entered and left in turn.
type testGate struct{ free chan struct{} }

func (g *testGate) Enter() { g.free <- struct{}{} }
func (g *testGate) Leave() { <-g.free }

// TestRemoteStops leaves iterations early, and lets requests fail: nothing is under way afterwards.
func TestRemoteStops(t *testing.T) {
	c := generatedCorpus(20_000)
	data, _ := writeFile(t, logSchema(), WriterOptions{RowGroupRows: 200}, c.batch)
	inner := storeBytes(t, data)
	lost := errors.New("connection lost")
	inBubble(t, func(t *testing.T) {
		for fail := int64(1); fail < 8; fail++ {
			store := roundtrips.New(inner, roundTrip)
			store.Shape.ReadGap = 1
			f, err := Open(t.Context(), store, "f.parquet", int64(len(data)), nil)
			require.NoError(t, err)
			budget := NewBudget(1 << 30)
			for b, err := range f.Read(t.Context(), []int{6}, []RowRange{{0, 20_000}}, ReadOptions{BatchRows: 10, Budget: budget}) {
				require.NoError(t, err)
				require.Equal(t, 10, b.Rows)
				break
			}
			require.Zero(t, store.Busy())
			var n atomic.Int64
			store.Fail = func(string, int64) error {
				if n.Add(1) == fail {
					return fmt.Errorf("request %d: %w", fail, lost)
				}
				return nil
			}
			var last error
			for _, err := range f.Read(t.Context(), []int{6}, []RowRange{{0, 20_000}}, ReadOptions{Budget: budget}) {
				last = err
			}
			if n.Load() >= fail {
				require.ErrorIs(t, last, lost)
				require.NotErrorIs(t, last, ErrCorrupt)
			}
			require.Zero(t, store.Busy())
			require.True(t, budget.sem.TryAcquire(1<<30), "all of the budget is given back")
		}
	})
}
