package query

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/internal/roundtrips"
	"github.com/firnlog/firn/storage"
)

// remoteTable is small; far makes stores that seem to be remote, with files that seem to be large.
func remoteTable(t *testing.T, spec tableSpec) *testTable {
	spec.files, spec.rowsPerFile = 12, 300
	spec.options = format.WriterOptions{RowGroupRows: 100, PageBytes: 512}
	n, r := 0, rand.New(rand.NewPCG(61, 0))
	spec.edit = func(rec *record) {
		text, _ := rec.cells["log_msg"].(string)
		rec.cells["log_msg"] = fmt.Sprintf("%s %x %x %x %x %x %x", text, r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
		if n == 700 {
			rec.cells["log_msg"] = "a lonelyneedle"
		}
		n++
	}
	return makeTable(t, r, spec)
}

func far(s storage.Store) *roundtrips.Store {
	store := roundtrips.New(s, roundTrip)
	store.Shape.TailBytes, store.Shape.ReadGap = 4<<10, 1<<10
	return store
}

var errLost = errors.New("connection lost")

// TestFailedGuesses: what is read on the chance that it is needed may fail.
func TestFailedGuesses(t *testing.T) {
	tt := remoteTable(t, tableSpec{index: "bitmap"})
	ctx := context.Background()
	q := Request{Predicate: msg("lonelyneedle")}
	want := tt.ids(tt.matches(q))
	require.Len(t, want, 1)
	home := tt.files[tt.matches(q)[0].file].name
	inBubble(t, func(t *testing.T) {
		store := far(tt.store)
		var failed atomic.Int64
		store.Fail = func(name string, _ int64) error {
			if strings.HasSuffix(name, ".parquet") && name != home {
				failed.Add(1)
				return errLost
			}
			return nil
		}
		rows, _ := collect(t, NewEngine(store, EngineOptions{}), tt.table, q)
		require.Equal(t, want, idsOf(rows))
		require.Positive(t, failed.Load(), "the test wants guesses")

		// A file that is needed is opened again, and an error that stays is told.
		failed.Store(0)
		store.Fail = func(name string, _ int64) error {
			if name == home && failed.Add(1) == 1 {
				return errLost
			}
			return nil
		}
		rows, _ = collect(t, NewEngine(store, EngineOptions{}), tt.table, q)
		require.Equal(t, want, idsOf(rows))
		require.Greater(t, failed.Load(), int64(1))
		store.Fail = func(name string, _ int64) error {
			if name == home {
				return errLost
			}
			return nil
		}
		_, err := NewEngine(store, EngineOptions{}).Plan(ctx, tt.table, q)
		require.ErrorIs(t, err, errLost)
		require.ErrorContains(t, err, home)
	})
}

// TestFailingRequests fails every request in turn, once: the rows are right or there is an error, and a sidecar is never one.
func TestFailingRequests(t *testing.T) {
	tt := remoteTable(t, tableSpec{})
	q := Request{Predicate: Or{msg("lonelyneedle"), Phrase{Col("log_msg"), "error user"}}}
	want := tt.ids(tt.matches(q))
	inBubble(t, func(t *testing.T) {
		for at := int64(1); ; at++ {
			store := far(tt.store)
			var n atomic.Int64
			sidecar := false
			store.Fail = func(name string, _ int64) error {
				if n.Add(1) == at {
					sidecar = strings.HasSuffix(name, ".puffin")
					return errLost
				}
				return nil
			}
			scan, err := NewEngine(store, EngineOptions{}).Plan(t.Context(), tt.table, q)
			var got []string
			if err == nil {
				for row, e := range scan.Rows(t.Context()) {
					if err = e; e == nil {
						got = append(got, row.Text("trace_id"))
					}
				}
			}
			if err != nil {
				require.ErrorIs(t, err, errLost)
				require.False(t, sidecar)
			} else {
				require.Equal(t, want, got)
			}
			require.Zero(t, store.Busy())
			if n.Load() < at {
				return
			}
		}
	})
}

// TestRemoteReadingStops: nothing is read any more once the consumer or the context is done.
func TestRemoteReadingStops(t *testing.T) {
	tt := remoteTable(t, tableSpec{overlap: true})
	inBubble(t, func(t *testing.T) {
		store := far(tt.store)
		e := NewEngine(store, EngineOptions{})
		for _, q := range []Request{{}, {Limit: 1000}, {Predicate: Contains{Col("log_msg"), "e"}}, {Predicate: msg("error")}} {
			scan, err := e.Plan(t.Context(), tt.table, q)
			require.NoError(t, err)
			for _, err := range scan.Rows(t.Context()) {
				require.NoError(t, err)
				break
			}
			require.Zero(t, store.Busy())
			requests := store.Counts().Requests
			time.Sleep(time.Minute)
			require.Equal(t, requests, store.Counts().Requests)

			for _, after := range []time.Duration{roundTrip / 2, roundTrip * 3 / 2, roundTrip * 5 / 2} {
				ctx, cancel := context.WithTimeout(t.Context(), after)
				start := time.Now()
				fresh := NewEngine(store, EngineOptions{})
				scan, err := fresh.Plan(ctx, tt.table, q)
				for err == nil && ctx.Err() == nil {
					for _, e := range scan.Rows(ctx) {
						err = e
					}
					if err == nil {
						_, err = scan.Count(ctx)
					}
					fresh.cache = newCache(1, 100)
				}
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, after, time.Since(start))
				require.Zero(t, store.Busy())
				cancel()
			}
		}
	})
}

// TestRemoteBounds: no more requests at once than the store serves well, and little memory is enough.
func TestRemoteBounds(t *testing.T) {
	tt := remoteTable(t, tableSpec{})
	want := tt.ids(tt.matches(Request{}))
	inBubble(t, func(t *testing.T) {
		store := far(tt.store)
		for _, parallel := range []int{1, 3, 64} {
			store.Shape.Parallel = parallel
			store.Reset()
			e := NewEngine(store, EngineOptions{Parallelism: 1, ReadBytes: 20_000})
			rows, _ := collect(t, e, tt.table, Request{})
			require.Equal(t, want, idsOf(rows))
			require.LessOrEqual(t, store.Counts().Together, parallel)
			if parallel > 1 {
				require.Greater(t, store.Counts().Together, 1)
			}
		}
	})
}

// TestRemoteScan reads everything, at no less than 70 % of what the store gives one reader that reads one file after the other.
func TestRemoteScan(t *testing.T) {
	tt := roundsTable(t)
	inBubble(t, func(t *testing.T) {
		store := roundtrips.New(tt.store, roundTrip)
		store.Bandwidth = 1 << 20 // small, like the files
		alone := time.Duration(0)
		for _, f := range tt.files {
			start := time.Now()
			data := make([]byte, len(tt.bytesOf(t, f.name)))
			require.NoError(t, store.ReadAt(t.Context(), f.name, data, 0))
			alone += time.Since(start)
		}
		start := time.Now()
		rows, scan := collect(t, NewEngine(store, EngineOptions{}), tt.table, Request{Order: OldestFirst})
		require.Len(t, rows, roundsFiles*roundsRows)
		took := time.Since(start)
		t.Logf("alone %v, search %v, %d requests, %d bytes", alone, took, scan.Stats().Requests, scan.Stats().BytesRead)
		require.Less(t, took, alone*10/7)
	})
}

// TestDictionaryFirst: a part of a dictionary that is smaller than the bloom filter is asked in its place.
func TestDictionaryFirst(t *testing.T) {
	r := rand.New(rand.NewPCG(62, 0))
	n := 0
	tt := makeTable(t, r, tableSpec{files: 3, rowsPerFile: 4000, properties: map[string]string{index.PropertyFPP: "0.000001"}, edit: func(rec *record) {
		rec.cells["log_msg"] = fmt.Sprintf("%x %x %x %x %x %x %x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
		if n == 5000 {
			rec.cells["log_msg"] = "a lonelyneedle"
		}
		n++
	}})
	q := Request{Predicate: msg("lonelyneedle")}
	for tail, reason := range map[int]SkipReason{1 << 20: SkipTokenBloom, 16 << 10: SkipTokenBitmap} {
		inBubble(t, func(t *testing.T) {
			store := far(tt.store)
			store.Shape.TailBytes = tail
			rows, scan := collect(t, NewEngine(store, EngineOptions{}), tt.table, q)
			require.Equal(t, tt.ids(tt.matches(q)), idsOf(rows))
			require.Equal(t, len(tt.files)-1, scan.Stats().FilesSkipped[reason], "tail %d", tail)
		})
	}
}
