package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
)

// naiveSorted returns the places of matching rows, ordered by columns and then newest first.
func (tt *testTable) naiveSorted(q Query) []where {
	places := tt.matches(Request{Predicate: q.Where, Order: NewestFirst})
	slices.SortStableFunc(places, func(a, b where) int {
		for _, s := range q.OrderBy {
			x, y := tt.record(a).naiveValue(s.Column), tt.record(b).naiveValue(s.Column)
			order := naiveCompare(x, y)
			if s.Descending && x != nil && y != nil {
				order = -order
			}
			if order != 0 {
				return order
			}
		}
		return 0
	})
	if q.Limit > 0 {
		places = places[:min(len(places), q.Limit)]
	}
	return places
}

func TestRowsAreSortedByAnyColumns(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(90, 0))
	columns := []Column{
		Col("level"), Col("status"), Col("ok"), Col("took"), Col("day"), Col("small"), Col("ratio"), Col("host"), Attr("pod"), Col("n"), Col("_timestamp"),
		Col("trace_id"), Col("log_msg"), JSONPath("log_msg", "$.user.id"),
	}
	skipped := 0
	for i := range 3 {
		tt := makeTable(t, r, tableSpec{
			files: 5, rowsPerFile: 150, overlap: i == 1, unsorted: func(i int) bool { return i == 2 }, foreign: func(i int) bool { return i == 2 },
			options: format.WriterOptions{RowGroupRows: 50, PageBytes: 128}, edit: oddNumbers(r), partitionBy: i == 2,
		})
		for range 40 {
			q := Query{Where: randomPredicate(r, 1), Limit: r.IntN(12)}
			for _, j := range r.Perm(len(columns))[:1+r.IntN(3)] {
				q.OrderBy = append(q.OrderBy, Sort{Column: columns[j], Descending: r.IntN(2) == 0})
			}
			e := NewEngine(tt.store, EngineOptions{Now: testNow, Parallelism: 1 + r.IntN(3)})
			a, err := e.Ask(ctx, tt.table, q, AskOptions{NoIndex: r.IntN(4) == 0})
			require.NoError(t, err)
			var got []string
			for row, err := range a.Rows(ctx) {
				require.NoError(t, err)
				got = append(got, row.Text("trace_id"))
			}
			require.Equal(t, tt.ids(tt.naiveSorted(q)), append([]string{}, got...), "%s %+v", q.Where, q)
			st := a.Stats()
			require.EqualValues(t, len(got), st.RowsMatched)
			skipped += st.FilesSkipped[SkipNotReached]
			rows := 0
			for batch, err := range a.Batches(ctx) {
				require.NoError(t, err)
				rows += int(batch.NumRows())
				batch.Release()
			}
			require.Equal(t, len(got), rows)
		}
	}
	require.Positive(t, skipped)
}

func TestPagesThatCannotBeAmongTheFirstAreNotRead(t *testing.T) {
	r := rand.New(rand.NewPCG(91, 0))
	n := int64(0)
	tt := makeTable(t, r, tableSpec{
		files: 1, rowsPerFile: 2000, options: format.WriterOptions{RowGroupRows: 200, PageBytes: 256},
		edit: func(rec *record) { n++; rec.cells["status"] = n % 1000 },
	})
	e := NewEngine(tt.store, EngineOptions{Now: testNow, Parallelism: 1})
	a, err := e.Ask(context.Background(), tt.table, Query{OrderBy: []Sort{{Column: Col("_timestamp")}, {Column: Col("status")}}, Limit: 3}, AskOptions{})
	require.NoError(t, err)
	for _, err := range a.Rows(context.Background()) {
		require.NoError(t, err)
	}
	require.Less(t, a.Stats().RowsDecoded, int64(400))
}

func TestSortingIsBoundedInMemory(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(92, 0))
	tt := makeTable(t, r, tableSpec{files: 2, rowsPerFile: 200})
	e := NewEngine(tt.store, EngineOptions{Now: testNow})
	ask := func(limit int) (n int, err error) {
		a, err := e.Ask(ctx, tt.table, Query{OrderBy: []Sort{{Column: Col("host")}}, Limit: limit}, AskOptions{Limits: Limits{Memory: 10_000}})
		require.NoError(t, err)
		for _, rowErr := range a.Rows(ctx) {
			if rowErr != nil {
				return n, rowErr
			}
			n++
		}
		return n, nil
	}
	_, err := ask(0)
	require.ErrorIs(t, err, ErrMemory)
	n, err := ask(20)
	require.NoError(t, err)
	require.Equal(t, 20, n)
	_, err = e.Ask(ctx, tt.table, Query{OrderBy: []Sort{{Column: Col("attrs")}}}, AskOptions{})
	require.ErrorIs(t, err, ErrInvalidRequest, fmt.Sprint(err))
}
