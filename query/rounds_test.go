package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/internal/roundtrips"
	"github.com/firnlog/firn/storage"
)

const (
	roundTrip   = 30 * time.Millisecond
	roundsFiles = 50
	roundsRows  = 600 // of each file
)

// roundsTable has 50 files, one after the other in time, none over the times of another.
func roundsTable(t testing.TB) *testTable {
	r := rand.New(rand.NewPCG(60, 0))
	const day, span = 86_400_000_000, 6000 // seconds
	n := 0
	return makeTable(t, r, tableSpec{files: roundsFiles, rowsPerFile: roundsRows, options: format.WriterOptions{RowGroupRows: roundsRows / 2, PageBytes: 4096},
		properties: map[string]string{valueBloomProperty + "trace_id": "true"},
		edit: func(rec *record) {
			file, row := n/roundsRows, n%roundsRows
			rec.cells["_timestamp"] = int64(19_675+file%4)*day + (int64(file/4)*span+int64(row)*span/roundsRows)*1_000_000
			rec.cells["trace_id"] = fmt.Sprintf("%016x%08d", r.Uint64(), n)
			rec.cells["level"] = []string{"info", "info", "info", "warn", "error"}[n%5]
			text := fmt.Sprintf("request %d of user u%d took %dms %x", n, n%977, n%1000, r.Uint64())
			if row == 500 && file == 17 {
				rec.cells["level"] = "error"
				text = "the needle 70512345 in the haystack 1c0ffee2dead"
			}
			if row%300 == 299 { // two rows of each file
				text += " spread over files"
			}
			if row == 5 {
				text += " files over spread"
			}
			rec.cells["log_msg"] = text
			n++
		}})
}

// trip is what one step cost.
type trip struct {
	rounds   float64
	requests int
	bytes    int64
}

func (c trip) String() string {
	return fmt.Sprintf("%.0f/%d/%d kB", c.rounds, c.requests, c.bytes/1000)
}

// measure runs a step in a bubble whose clock shows the round trips.
func measure(s *roundtrips.Store, do func()) trip {
	s.Reset()
	start := time.Now()
	do()
	counts := s.Counts()
	return trip{float64(time.Since(start)) / float64(roundTrip), counts.Requests, counts.Bytes}
}

// inBubble runs do in a bubble. Decompressors that format keeps for use again hold channels, and those of a bubble must not be used outside:
// two collections empty the pool.
func inBubble(t *testing.T, do func(t *testing.T)) {
	defer func() {
		runtime.GC()
		runtime.GC()
	}()
	synctest.Test(t, do)
}

// tour is what a search costs, step by step.
type tour struct{ plan, rows, count, warmPlan, warmRows trip }

func (c tour) String() string {
	return fmt.Sprintf("plan %v, rows %v, count %v, warm plan %v, warm rows %v", c.plan, c.rows, c.count, c.warmPlan, c.warmRows)
}

// travel runs a search cold, twice, and counts it cold.
func travel(t *testing.T, tt *testTable, q Request, shape storage.Traits) (c tour) {
	ctx := context.Background()
	store := roundtrips.New(tt.store, roundTrip)
	store.Shape = shape
	want := tt.matches(q)
	limited := want
	if q.Limit > 0 {
		limited = want[:min(q.Limit, len(want))]
	}
	inBubble(t, func(t *testing.T) {
		e := NewEngine(store, EngineOptions{Parallelism: 8})
		run := func() (plan, rows trip) {
			var scan *Scan
			var err error
			plan = measure(store, func() { scan, err = e.Plan(ctx, tt.table, q) })
			require.NoError(t, err)
			var got []Row
			rows = measure(store, func() {
				for row, err := range scan.Rows(ctx) {
					require.NoError(t, err)
					got = append(got, row)
				}
			})
			require.Equal(t, tt.ids(limited), idsOf(got))
			require.Zero(t, store.Busy())
			return plan, rows
		}
		c.plan, c.rows = run()
		c.warmPlan, c.warmRows = run()
		e = NewEngine(store, EngineOptions{Parallelism: 8})
		c.count = measure(store, func() {
			scan, err := e.Plan(ctx, tt.table, q)
			require.NoError(t, err)
			n, err := scan.Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, len(want), n)
		})
	})
	return c
}

// TestRoundTrips asserts how many requests searches in a remote store make one after the other, after the catalog has answered, and how many requests and
// bytes at all: of planning and reading, cold; of counting, cold; of both a second time. What is more than a bound has to be explained.
func TestRoundTrips(t *testing.T) {
	tt := roundsTable(t)
	id := tt.files[30].records[400].cells["trace_id"].(string)
	at := tt.matches(Request{Order: OldestFirst})
	from, to := timestampOf(tt.record(at[20*roundsRows+100])), timestampOf(tt.record(at[20*roundsRows+400]))
	small := storage.RemoteTraits()
	small.TailBytes, small.ReadGap = 8<<10, 4<<10 // so that sidecars and data files are large in comparison
	spread := Phrase{Col("log_msg"), "spread over files"}
	for _, c := range []struct {
		name string
		q    Request
		far  storage.Traits
		// At most:
		plan, rows, count, warm int // round trips
		requests, kilobytes     int // of plan and rows
	}{
		{"word", Request{Predicate: msg("needle")}, storage.RemoteTraits(), 2, 1, 2, 1, 52, 1360},
		{"word, large files", Request{Predicate: msg("needle")}, small, 2, 1, 2, 1, 54, 860},
		{"word, limit", Request{Predicate: msg("needle"), Limit: 20}, storage.RemoteTraits(), 1, 2, 1, 1, 52, 1360},
		{"word, limit, large files", Request{Predicate: msg("needle"), Limit: 20}, small, 2, 1, 2, 1, 54, 860},
		{"id", Request{Predicate: msg("1c0ffee2dead"), Limit: 20}, small, 2, 1, 3, 1, 54, 860},
		{"number", Request{Predicate: msg("70512345"), Limit: 20}, small, 2, 1, 3, 1, 57, 890}, // a bloom filter is wrong
		{"absent word", Request{Predicate: msg("nonesuch")}, small, 1, 0, 1, 0, 50, 820},
		{"two words", Request{Predicate: And{msg("needle"), msg("haystack")}, Limit: 20}, small, 2, 1, 2, 1, 54, 860},
		{"level and word", Request{Predicate: And{HasToken{Col("level"), "error"}, msg("needle")}, Limit: 20}, small, 2, 1, 3, 1, 54, 860},
		{"phrase of every file, limit", Request{Predicate: spread, Limit: 20}, storage.RemoteTraits(), 1, 2, 3, 1, 90, 2100},
		{"phrase of every file", Request{Predicate: spread}, storage.RemoteTraits(), 2, 1, 3, 1, 150, 3600},
		{"word of every file, limit", Request{Predicate: msg("spread"), Limit: 20}, storage.RemoteTraits(), 1, 2, 3, 1, 70, 1600},
		{"trace_id by bloom filter", Request{Predicate: Equal{Col("trace_id"), id}}, storage.RemoteTraits(), 1, 1, 2, 1, 51, 1390},
		{"trace_id by bloom filter, limit", Request{Predicate: Equal{Col("trace_id"), id}, Limit: 20}, small, 0, 2, 2, 1, 51, 430},
		{"newest", Request{Limit: 20}, storage.RemoteTraits(), 0, 2, 0, 1, 2, 39},
		{"time range", Request{From: from, To: to}, storage.RemoteTraits(), 1, 1, 2, 1, 2, 49},
		{"time range, limit", Request{From: from, To: to, Limit: 20}, storage.RemoteTraits(), 0, 2, 2, 1, 2, 49},
		{"part of a word, limit", Request{Predicate: Contains{Col("log_msg"), "eedl"}, Limit: 20}, storage.RemoteTraits(), 0, 4, 2, 2, 100, 2500},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := travel(t, tt, c.q, c.far)
			t.Log(got)
			require.LessOrEqual(t, got.plan.rounds, float64(c.plan), "plan")
			require.LessOrEqual(t, got.plan.rounds+got.rows.rounds, float64(c.plan+c.rows), "plan and rows")
			require.LessOrEqual(t, got.count.rounds, float64(c.count), "count")
			require.Zero(t, got.warmPlan.requests)
			require.LessOrEqual(t, got.warmRows.rounds, float64(c.warm), "warm")
			require.LessOrEqual(t, got.plan.requests+got.rows.requests, c.requests)
			require.LessOrEqual(t, got.plan.bytes+got.rows.bytes, int64(c.kilobytes)*1000)
		})
	}
}
