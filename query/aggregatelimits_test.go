package query

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
)

// answerOf collects the rows of an answer.
func answerOf(t testing.TB, a *Answer) (rows []string) {
	t.Helper()
	for row, err := range a.Rows(context.Background()) {
		require.NoError(t, err)
		rows = append(rows, string(row.AppendJSON(nil)))
	}
	return rows
}

func TestPartialAnswersOfGroupsSaySo(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(95, 0))
	tt := makeTable(t, r, tableSpec{files: 8, rowsPerFile: 300, options: format.WriterOptions{RowGroupRows: 100, PageBytes: 512}})
	q := Query{
		Where: Contains{Col("log_msg"), "error"}, GroupBy: []Group{{Column: Col("level")}},
		Aggregates: []Aggregate{{Function: FuncCount}, {Function: FuncCountDistinct, Column: Col("trace_id")}},
	}
	total := int64(len(tt.matches(Request{Predicate: q.Where})))
	for _, limits := range []Limits{{Rows: 500}, {Bytes: 100_000}, {Memory: 2000}, {Time: 1}, {Rows: 1 << 40, Bytes: 1 << 40, Time: time.Hour}} {
		e := NewEngine(tt.store, EngineOptions{Now: testNow, CacheBytes: 1, Parallelism: 2})
		a, err := e.Ask(ctx, tt.table, q, AskOptions{Limits: limits})
		require.NoError(t, err)
		counted := int64(0)
		for row, err := range a.Rows(ctx) {
			require.NoError(t, err)
			counted += row.Get("count()").(int64)
		}
		require.Equal(t, a.Partial(), a.Stats().Partial)
		if limits.Time == time.Hour {
			require.Empty(t, a.Partial())
			require.Equal(t, total, counted)
			continue
		}
		require.NotEmpty(t, a.Partial(), "%+v", limits)
		require.Less(t, counted, total)
	}
}

func TestCancellationEndsABigAnswer(t *testing.T) {
	r := rand.New(rand.NewPCG(96, 0))
	tt := makeTable(t, r, tableSpec{files: 8, rowsPerFile: 300, options: format.WriterOptions{RowGroupRows: 100, PageBytes: 512}})
	e := NewEngine(tt.store, EngineOptions{Now: testNow, CacheBytes: 1, Parallelism: 2})
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, q := range []Query{
		{GroupBy: []Group{{Column: Col("trace_id")}}, Aggregates: []Aggregate{{Function: FuncQuantile, Quantile: 0.5, Column: Col("took")}}},
		{OrderBy: []Sort{{Column: Col("host")}}},
	} {
		whole, err := e.Ask(context.Background(), tt.table, q, AskOptions{})
		require.NoError(t, err)
		answerOf(t, whole)
		ctx, cancel := context.WithCancel(context.Background())
		a, err := e.Ask(ctx, tt.table, q, AskOptions{})
		require.NoError(t, err)
		var failed error
		over, watched := make(chan struct{}), make(chan struct{})
		go func() { // in the middle: when some rows were decoded
			defer close(watched)
			for a.Stats().RowsDecoded < 200 {
				select {
				case <-over:
					return
				case <-time.After(10 * time.Microsecond):
				}
			}
			cancel()
		}()
		for _, err := range a.Rows(ctx) {
			failed = err
		}
		close(over)
		<-watched
		if failed == nil {
			t.Log("the answer was ready before it was cancelled")
		} else {
			require.ErrorIs(t, failed, context.Canceled)
			require.Empty(t, a.Partial())
		}
		cancel()
		for _, err := range a.Rows(ctx) { // from the beginning
			require.ErrorIs(t, err, context.Canceled)
			require.Zero(t, a.Stats().RowsDecoded)
		}
	}
}

func TestHowFilesAreCutChangesNoAnswer(t *testing.T) {
	r := rand.New(rand.NewPCG(97, 0))
	var questions []Query
	for range 25 {
		q := randomGroups(r)
		q.Where = randomPredicate(r, 1)
		questions = append(questions, q)
	}
	var want [][]string
	for i, cut := range []tableSpec{
		{files: 1, rowsPerFile: 240}, {files: 1, rowsPerFile: 240, options: format.WriterOptions{RowGroupRows: 30, PageBytes: 128}},
		{files: 8, rowsPerFile: 30}, {files: 3, rowsPerFile: 80, index: "none", unsorted: func(int) bool { return true }, foreign: func(int) bool { return true }},
	} {
		records := rand.New(rand.NewPCG(98, 0)) // the same rows for each table
		odd := oddNumbers(records)
		cut.overlap = true
		cut.edit = func(rec *record) {
			*rec = randomRecord(records, true)
			rec.cells["_timestamp"] = int64(19_675*86_400_000_000) + records.Int64N(86_400)*1_000_000
			odd(rec)
		}
		tt := makeTable(t, r, cut)
		e := NewEngine(tt.store, EngineOptions{Now: testNow})
		for j, q := range questions {
			for k := range q.Aggregates { // sums may differ in the last digit
				if f := &q.Aggregates[k]; f.Function == FuncSum || f.Function == FuncAvg {
					f.Function, f.Quantile = FuncQuantile, 0.5
				}
			}
			a, err := e.Ask(context.Background(), tt.table, q, AskOptions{})
			require.NoError(t, err)
			got := answerOf(t, a)
			if i == 0 {
				want = append(want, got)
				continue
			}
			require.Equal(t, want[j], got, "%+v", q)
		}
	}
}

func TestColumnsThatFilesLackAreNull(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(99, 0))
	tt := makeTable(t, r, tableSpec{files: 3, rowsPerFile: 50})
	var err error
	tt.table, err = tt.table.UpdateSchema(ctx, catalog.AddColumn{Column: catalog.Column{Name: "later", Type: catalog.TypeLong}})
	require.NoError(t, err)
	e := NewEngine(tt.store, EngineOptions{Now: testNow})
	a, err := e.Ask(ctx, tt.table, Query{
		GroupBy:    []Group{{Column: Col("later")}},
		Aggregates: []Aggregate{{Function: FuncCount}, {Function: FuncCount, Column: Col("later")}, {Function: FuncMax, Column: Col("later")}, {Function: FuncSum, Column: Col("later")}},
	}, AskOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{`{"later":null,"count()":150,"count(later)":0,"max(later)":null,"sum(later)":null}`}, answerOf(t, a))
	require.EqualValues(t, 150, a.Stats().RowsByFacts)
}

func TestAggregatesThatFitNoColumnAreRefused(t *testing.T) {
	ctx := context.Background()
	tt := makeTable(t, rand.New(rand.NewPCG(100, 0)), tableSpec{files: 1, rowsPerFile: 5, edit: func(rec *record) { rec.cells["status"] = int64(math.MaxInt64) }})
	e := NewEngine(tt.store, EngineOptions{Now: testNow})
	count := []Aggregate{{Function: FuncCount}}
	for _, q := range []Query{
		{Aggregates: []Aggregate{{Function: FuncSum}}},
		{Aggregates: []Aggregate{{Function: FuncSum, Column: Col("ok")}}},
		{Aggregates: []Aggregate{{Function: FuncAvg, Column: Col("_timestamp")}}},
		{Aggregates: []Aggregate{{Function: "median", Column: Col("took")}}},
		{Aggregates: []Aggregate{{Function: FuncQuantile, Quantile: math.NaN(), Column: Col("took")}}},
		{Aggregates: []Aggregate{{Function: FuncMax, Column: Col("attrs")}}},
		{Aggregates: append(count, count...)},
		{Aggregates: count, GroupBy: []Group{{Column: Col("attrs")}}},
		{Aggregates: count, GroupBy: []Group{{Column: Col("status"), Every: Interval{1, Hour}}}},
		{Aggregates: count, GroupBy: []Group{{Column: Col("_timestamp"), Every: Interval{-1, Hour}}}},
		{Aggregates: count, GroupBy: []Group{{Column: Col("_timestamp"), Every: Interval{math.MaxInt64, Hour}}}},
		{Aggregates: count, GroupBy: []Group{{Column: Col("_timestamp"), Every: Interval{1, "fortnight"}}}},
		{Aggregates: count, GroupBy: []Group{{Column: Col("_timestamp"), Every: Interval{2, Month}}}},
		{Aggregates: count, GroupBy: []Group{{Column: Col("day"), Every: Interval{1, Hour}}}},
		{Aggregates: count, OrderBy: []Sort{{Column: Col("nothing")}}},
		{Aggregates: count, Columns: []Column{Col("nothing")}},
		{Aggregates: count, Limit: -1},
	} {
		_, err := e.Ask(ctx, tt.table, q, AskOptions{})
		require.ErrorIs(t, err, ErrInvalidRequest, "%+v", q)
	}
	a, err := e.Ask(ctx, tt.table, Query{Aggregates: []Aggregate{{Function: FuncSum, Column: Col("status")}}}, AskOptions{})
	require.NoError(t, err)
	for _, err := range a.Rows(ctx) {
		require.ErrorIs(t, err, ErrOverflow)
	}
	a, err = e.Ask(ctx, tt.table, Query{
		GroupBy: []Group{{Column: Col("app_id")}}, Aggregates: append(count, Aggregate{Function: FuncAvg, Column: Col("status"), As: "mean"}), Columns: []Column{Col("mean")},
	}, AskOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{`{"mean":9223372036854776000}`}, answerOf(t, a))
}

func TestIntervalsHoldTheirTimes(t *testing.T) {
	r := rand.New(rand.NewPCG(101, 0))
	times := []int64{0, -1, 1, math.MinInt64, math.MaxInt64, math.MinInt64 + 1, math.MaxInt64 - 1}
	for range 2000 {
		times = append(times, int64(r.Uint64())>>r.IntN(40))
	}
	for _, unit := range []IntervalUnit{Second, Minute, Hour, Day, Week, Month, Quarter, Year} {
		for _, typ := range []format.Type{format.TypeTimestamp, format.TypeDate} {
			b, err := newBucketer(Interval{1, unit}, format.Field{Name: "x", Type: typ})
			if err != nil {
				require.Equal(t, format.TypeDate, typ)
				continue
			}
			for _, at := range times {
				start, end := b.span(at)
				require.LessOrEqual(t, start, at, "%s %d", unit, at)
				require.True(t, at < end || end == math.MaxInt64, "%s %d", unit, at)
				if again, _ := b.span(start); start > math.MinInt64 {
					require.Equal(t, start, again, fmt.Sprintf("%s %d", unit, at))
				}
			}
		}
	}
}

// BenchmarkAnswersWithoutReading compares answers from bounds and indexes with those for which the same rows must be read.
func BenchmarkAnswersWithoutReading(b *testing.B) {
	r := rand.New(rand.NewPCG(102, 0))
	tt := makeTable(b, r, tableSpec{files: 4, rowsPerFile: 20_000})
	count := []Aggregate{{Function: FuncCount}}
	for name, q := range map[string]Query{
		"count by day":           {Aggregates: count, GroupBy: []Group{{Column: Col("_timestamp"), Every: Interval{1, Day}}}},
		"count by hour, read":    {Aggregates: count, GroupBy: []Group{{Column: Col("_timestamp"), Every: Interval{1, Hour}}}},
		"count by constant":      {Aggregates: count, GroupBy: []Group{{Column: Col("app_id")}}},
		"count by level, read":   {Aggregates: count, GroupBy: []Group{{Column: Col("level")}}},
		"greatest time":          {Aggregates: []Aggregate{{Function: FuncMax, Column: Col("_timestamp")}}},
		"greatest message, read": {Aggregates: []Aggregate{{Function: FuncMax, Column: Col("log_msg")}}},
	} {
		b.Run(name, func(b *testing.B) {
			e := NewEngine(tt.store, EngineOptions{Now: testNow})
			for b.Loop() {
				a, err := e.Ask(context.Background(), tt.table, q, AskOptions{})
				require.NoError(b, err)
				answerOf(b, a)
			}
		})
	}
}
