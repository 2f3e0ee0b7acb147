package query

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/storage/faultstore"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("database/sql.(*DB).connectionOpener"))
}

func TestUnusableSidecarsAreToldOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(30, 0))
	tt := makeTable(t, r, tableSpec{files: 5, rowsPerFile: 50})
	ctx := context.Background()
	require.NoError(t, tt.store.Delete(ctx, tt.files[0].sidecar))
	tt.put(t, tt.store.URI(tt.files[1].sidecar), []byte("garbage"))
	tt.put(t, tt.store.URI(tt.files[2].sidecar), tt.bytesOf(t, tt.files[3].sidecar))
	var log bytes.Buffer
	now := time.Unix(1_700_000_000, 0)
	e := NewEngine(tt.store, EngineOptions{Logger: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now }})
	q := Request{Predicate: msg("error"), ForceIndex: true}
	check := func(want map[IndexProblem]int) {
		rows, scan := collect(t, e, tt.table, q)
		require.Equal(t, tt.ids(tt.matches(q)), idsOf(rows))
		require.Equal(t, want, scan.Stats().IndexProblems)
		require.Contains(t, scan.Explain(), "sidecar missing")
	}
	for range 3 {
		check(map[IndexProblem]int{ProblemMissing: 1, ProblemCorrupt: 1, ProblemForeign: 1})
	}
	require.Equal(t, 3, strings.Count(log.String(), "level=WARN"), log.String())
	require.Contains(t, log.String(), tt.files[1].sidecar)

	// A repaired sidecar is found after a while.
	tt.put(t, tt.store.URI(tt.files[2].sidecar), tt.bytesOf(t, tt.files[2].sidecar))
	now = now.Add(2 * problemMemory)
	check(map[IndexProblem]int{ProblemMissing: 1, ProblemCorrupt: 1, ProblemForeign: 1})
	require.Equal(t, 3, strings.Count(log.String(), "level=WARN"), log.String())

	// Whoever asks not to use indexes has no problem with them.
	q.NoIndex = true
	rows, scan := collect(t, e, tt.table, q)
	require.Equal(t, tt.ids(tt.matches(q)), idsOf(rows))
	require.Empty(t, scan.Stats().IndexProblems)
}

func TestFailingSidecarsAndDataFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 0))
	tt := makeTable(t, r, tableSpec{files: 3, rowsPerFile: 60, options: format.WriterOptions{RowGroupRows: 20, PageBytes: 300}})
	q := Request{Predicate: Or{msg("error"), Contains{Col("log_msg"), "42"}}, ForceIndex: true}
	want := tt.ids(tt.matches(q))
	for at := int64(0); ; at++ {
		faulty := faultstore.New(tt.store, faultstore.Fault{At: at, Match: func(op faultstore.Op) bool { return strings.HasSuffix(op.Name, ".puffin") }})
		rows, _ := collect(t, NewEngine(faulty, EngineOptions{}), tt.table, q)
		require.Equal(t, want, idsOf(rows))
		if faulty.Fired() == 0 {
			break
		}
	}
	for at := int64(0); ; at++ {
		faulty := faultstore.New(tt.store, faultstore.Fault{At: at, Match: func(op faultstore.Op) bool { return strings.HasSuffix(op.Name, ".parquet") }})
		err := readAll(NewEngine(faulty, EngineOptions{}), tt, q)
		if faulty.Fired() == 0 {
			require.NoError(t, err)
			break
		}
		require.ErrorIs(t, err, faultstore.ErrInjected)
		require.ErrorContains(t, err, ".parquet")
	}
	// A damaged data file is an error that names it.
	data := tt.bytesOf(t, tt.files[1].name)
	for _, damaged := range [][]byte{data[:len(data)/2], append([]byte("PAR1"), data[:100]...)} {
		tt.put(t, tt.files[1].uri, damaged)
		err := readAll(NewEngine(tt.store, EngineOptions{}), tt, q)
		require.ErrorIs(t, err, format.ErrCorrupt)
		require.ErrorContains(t, err, tt.files[1].uri)
	}
}

// readAll plans and reads a request.
func readAll(e *Engine, tt *testTable, q Request) error {
	scan, err := e.Plan(context.Background(), tt.table, q)
	if err != nil {
		return err
	}
	for _, err := range scan.Rows(context.Background()) {
		if err != nil {
			return err
		}
	}
	_, err = scan.Count(context.Background())
	return err
}

func TestAbandonedIteratorsLeaveNothingBehind(t *testing.T) {
	r := rand.New(rand.NewPCG(32, 0))
	tt := makeTable(t, r, tableSpec{files: 6, rowsPerFile: 300, overlap: true, options: format.WriterOptions{RowGroupRows: 50, PageBytes: 300}})
	e := NewEngine(tt.store, EngineOptions{})
	ctx := context.Background()
	for _, q := range []Request{{}, {Limit: 1000}, {Predicate: Contains{Col("log_msg"), "e"}}} {
		scan, err := e.Plan(ctx, tt.table, q)
		require.NoError(t, err)
		for _, err := range scan.Rows(ctx) {
			require.NoError(t, err)
			break
		}
		for record, err := range scan.Batches(ctx) {
			require.NoError(t, err)
			record.Release()
			break
		}
		next, stop := iter.Pull2(scan.Rows(ctx))
		_, err, ok := next()
		require.True(t, ok)
		require.NoError(t, err)
		stop()
		func() {
			defer func() { require.Equal(t, "from the loop's body", recover()) }()
			for _, err := range scan.Rows(ctx) {
				require.NoError(t, err)
				panic("from the loop's body")
			}
		}()
	}
	goleak.VerifyNone(t, goleak.IgnoreAnyFunction("database/sql.(*DB).connectionOpener"))
}

func TestCancellation(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 0))
	tt := makeTable(t, r, tableSpec{files: 4, rowsPerFile: 200, overlap: true})
	slow := faultstore.New(tt.store, faultstore.Fault{Mode: faultstore.Delay, Delay: time.Hour, Times: faultstore.Forever,
		Match: func(op faultstore.Op) bool { return strings.HasSuffix(op.Name, ".parquet") }})
	ctx, cancel := context.WithCancel(context.Background())
	scan, err := NewEngine(slow, EngineOptions{}).Plan(ctx, tt.table, Request{Limit: 10})
	require.NoError(t, err)
	time.AfterFunc(20*time.Millisecond, cancel)
	var last error
	for _, err := range scan.Rows(ctx) {
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
	_, err = scan.Count(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, err = NewEngine(slow, EngineOptions{}).Plan(ctx, tt.table, Request{Predicate: msg("error")})
	require.ErrorIs(t, err, context.Canceled)

	// In the middle of reading.
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	scan, err = NewEngine(tt.store, EngineOptions{}).Plan(ctx, tt.table, Request{})
	require.NoError(t, err)
	rows := 0
	for _, err := range scan.Rows(ctx) {
		if err != nil {
			last = err
			break
		}
		if rows++; rows == 100 {
			cancel()
		}
	}
	require.ErrorIs(t, last, context.Canceled)
	require.Less(t, rows, 800)
}

func TestCacheLoadsOnceAndStaysSmall(t *testing.T) {
	c := newCache(1000, 30)
	var n hitCounter
	var loads atomic.Int64
	ctx := context.Background()
	done := make(chan struct{})
	for range 20 {
		go func() {
			defer func() { done <- struct{}{} }()
			v, err := c.get(ctx, cacheKey{name: "a"}, &n, nil, func() (sized, error) {
				loads.Add(1)
				time.Sleep(5 * time.Millisecond)
				return size(100), nil
			})
			if err != nil || v.(size) != 100 {
				panic("wrong value")
			}
		}()
	}
	for range 20 {
		<-done
	}
	require.EqualValues(t, 1, loads.Load())
	require.EqualValues(t, 19, n.hits.Load())
	for i := range 50 {
		_, err := c.get(ctx, cacheKey{kind: kindSidecar, name: string(rune('b' + i))}, &n, nil, func() (sized, error) { return size(90), nil })
		require.NoError(t, err)
		require.LessOrEqual(t, c.bytes, int64(1000))
	}
	require.Equal(t, 11, c.entries.Len())
	require.Equal(t, CacheCounts{Misses: 50, Evictions: 39, Entries: 11, Bytes: 990}, c.stats().Sidecars)
	for i := range 50 {
		_, err := c.get(ctx, cacheKey{kind: kindFooter, name: string(rune('b' + i))}, &n, nil, func() (sized, error) { return size(1), nil })
		require.NoError(t, err)
	}
	require.Equal(t, CacheCounts{Misses: 50, Evictions: 20, Entries: 30, Bytes: 30}, c.stats().Footers)
	require.Equal(t, CacheCounts{Misses: 50, Evictions: 50}, c.stats().Sidecars)
	require.Equal(t, CacheStats{LimitBytes: 1000, LimitEntries: 30, Bytes: 30, Entries: 30, Plans: CacheCounts{Hits: 19, Misses: 1, Evictions: 1},
		Footers: c.stats().Footers, Sidecars: c.stats().Sidecars}, c.stats())

	// Who waits for a load that is given up loads by himself.
	cancelled, cancel := context.WithCancel(ctx)
	loading := make(chan struct{})
	go func() {
		_, _ = c.get(cancelled, cacheKey{name: "x"}, &n, nil, func() (sized, error) {
			close(loading)
			<-cancelled.Done()
			return nil, cancelled.Err()
		})
		done <- struct{}{}
	}()
	<-loading
	time.AfterFunc(5*time.Millisecond, cancel)
	v, err := c.get(ctx, cacheKey{name: "x"}, &n, nil, func() (sized, error) { return size(1), nil })
	require.NoError(t, err)
	require.EqualValues(t, 1, v)
	<-done
}

type size int64

func (s size) SizeInMemory() int64 { return int64(s) }

// A file that was opened ahead may still be read at the moment when the last row is handed out.
func TestFileBegunAfterLastRow(t *testing.T) {
	ctx := context.Background()
	tt := makeTable(t, rand.New(rand.NewPCG(31, 0)), tableSpec{files: 2, rowsPerFile: 300})
	for _, order := range []Order{NewestFirst, OldestFirst} {
		scan, err := NewEngine(tt.store, EngineOptions{}).Plan(ctx, tt.table, Request{Limit: 1, Order: order})
		require.NoError(t, err)
		r := scan.newReading(false)
		r.matched.Store(1)
		m := &merger{reading: r, newest: order == NewestFirst}
		flight := m.start(ctx, 0).flights[0]
		m.wg.Wait()
		require.NoError(t, flight.err)
	}
}

// Many searches of one engine at the same time share what is kept of sidecars, footers, rows of tokens and pages, while a small cache drops it again.
func TestManySearchesAtOnce(t *testing.T) {
	tt := makeTable(t, rand.New(rand.NewPCG(51, 0)), tableSpec{files: 5, rowsPerFile: 1500, options: format.WriterOptions{RowGroupRows: 700, PageBytes: 2048}})
	for _, bytes := range []int64{0, 200_000} {
		e := NewEngine(tt.store, EngineOptions{Now: testNow, CacheBytes: bytes})
		var group errgroup.Group
		for i := range 6 {
			group.Go(func() error {
				r := rand.New(rand.NewPCG(51, uint64(i/2))) // two of them ask the same
				for range 10 {
					q := Request{Predicate: randomPredicateOf(r, 2, randomLeaf), Order: Order(r.IntN(2)), Limit: r.IntN(40)}
					all := tt.matches(q)
					if q.Limit > 0 {
						all = all[:min(q.Limit, len(all))]
					}
					scan, err := e.Plan(t.Context(), tt.table, q)
					if err != nil {
						return err
					}
					var rows []Row
					for row, err := range scan.Rows(t.Context()) {
						if err != nil {
							return err
						}
						rows = append(rows, row)
					}
					if want, got := tt.ids(all), idsOf(rows); !slices.Equal(want, got) {
						return fmt.Errorf("%s: rows %v, want %v", q.Predicate, got, want)
					}
				}
				return nil
			})
		}
		require.NoError(t, group.Wait())
		require.Positive(t, e.CacheStats().Pages.Hits)
	}
}
