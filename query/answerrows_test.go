package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
)

// someJSON makes some of the messages JSON.
func someJSON(r *rand.Rand) func(rec *record) {
	return func(rec *record) {
		if r.IntN(2) == 0 {
			rec.cells["log_msg"] = fmt.Sprintf(`{"user":{"id":%d,"name":"\u00e4%d"},"took":%d.5,"ok":null}`, r.IntN(5), r.IntN(3), r.IntN(4))
		}
	}
}

// randomColumns returns different columns of all kinds.
func randomColumns(r *rand.Rand) (columns []Column) {
	all := []Column{
		Col("_timestamp"), Col("level"), Col("log_msg"), Col("status"), Col("ok"), Col("took"), Col("day"), Col("small"), Col("ratio"), Col("host"),
		Attr("pod"), Attr("user.id"), Attr("level"), Attr("status"), Col("n"), Attr("none"), JSONPath("log_msg", "$.user.id"), JSONPath("log_msg", "$.user.name"),
	}
	for _, i := range r.Perm(len(all))[:r.IntN(6)] {
		columns = append(columns, all[i])
	}
	return columns
}

// naiveText returns a value as Attr and JSONPath show it.
func naiveText(v any, name string) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		switch name {
		case "_timestamp":
			return time.UnixMicro(v).UTC().Format("2006-01-02T15:04:05.000000Z")
		case "day":
			return time.Unix(v*86_400, 0).UTC().Format("2006-01-02")
		}
	}
	return fmt.Sprint(v)
}

// naiveValue returns the value of a column of an answer.
func (rec record) naiveValue(c Column) any {
	found := rec.values(c)
	if len(found) == 0 {
		return nil
	}
	v := found[0]
	n, whole := v.(int64)
	switch {
	case c.Key != "" || c.Path != "":
		return naiveText(v, c.Key)
	case whole && c.Name == "_timestamp":
		return time.UnixMicro(n).UTC()
	case whole && c.Name == "day":
		return time.Unix(n*86_400, 0).UTC()
	}
	return v
}

func TestAnswersOfRowsHaveTheColumnsAskedFor(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(61, 0))
	tt := makeTable(t, r, tableSpec{files: 4, rowsPerFile: 120, options: format.WriterOptions{RowGroupRows: 40, PageBytes: 256}, edit: someJSON(r)})
	e := NewEngine(tt.store, EngineOptions{Now: testNow})
	for range 60 {
		q := Query{Where: randomPredicate(r, 2), Columns: randomColumns(r), Limit: r.IntN(30)}
		o := AskOptions{Order: Order(r.IntN(2)), NoIndex: r.IntN(4) == 0}
		order := o.Order
		if n := r.IntN(3); n > 0 {
			q.OrderBy = []Sort{{Column: Col("_timestamp"), Descending: n == 1}}
			order = []Order{NewestFirst, OldestFirst}[n-1]
		}
		want := tt.matches(Request{Predicate: q.Where, Order: order})
		if q.Limit > 0 {
			want = want[:min(q.Limit, len(want))]
		}
		a, err := e.Ask(ctx, tt.table, q, o)
		require.NoError(t, err)
		i := 0
		for row, err := range a.Rows(ctx) {
			require.NoError(t, err)
			rec := tt.record(want[i])
			if len(q.Columns) > 0 {
				require.Equal(t, len(q.Columns), row.Len())
			}
			for j, c := range q.Columns {
				require.Equal(t, c.String(), row.Column(j))
				require.Equal(t, rec.naiveValue(c), row.Value(j), "%s of %v", c, rec)
			}
			i++
		}
		require.Len(t, want, i)
		require.Empty(t, a.Partial())
		rows := 0
		for batch, err := range a.Batches(ctx) {
			require.NoError(t, err)
			require.True(t, batch.Schema().Equal(a.ArrowSchema()))
			for j, c := range q.Columns {
				for k := range int(batch.NumRows()) {
					require.Equal(t, tt.record(want[rows+k]).naiveValue(c) == nil, batch.Column(j).IsNull(k))
				}
			}
			rows += int(batch.NumRows())
			batch.Release()
		}
		require.Equal(t, len(want), rows)
	}
	_, err := e.Ask(ctx, tt.table, Query{Columns: []Column{Col("level"), Col("level")}}, AskOptions{})
	require.ErrorIs(t, err, ErrInvalidRequest)
	a, err := e.Ask(ctx, tt.table, Query{Columns: []Column{Col("attrs"), Col("level")}, Limit: 1}, AskOptions{})
	require.NoError(t, err)
	for row, err := range a.Rows(ctx) {
		require.NoError(t, err)
		require.IsType(t, Entries{}, row.Value(0))
	}
}

func TestLimitsLeaveAPrefix(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(62, 0))
	tt := makeTable(t, r, tableSpec{files: 6, rowsPerFile: 200, overlap: true, options: format.WriterOptions{RowGroupRows: 40, PageBytes: 256}})
	partial, whole, some := 0, 0, 0
	for range 120 {
		e := NewEngine(tt.store, EngineOptions{Now: testNow, CacheBytes: 1, Parallelism: 1 + r.IntN(4)})
		e.sizes = pieceSizes{least: 5, first: 10, most: 20, mostCheck: 40, sortCheck: 30}
		q := Request{Predicate: randomPredicate(r, 1), Order: Order(r.IntN(2)), NoIndex: r.IntN(2) == 0}
		switch r.IntN(4) {
		case 0:
			q.Limits.Bytes = 1 + r.Int64N(400_000)
		case 1:
			q.Limits.Rows = 1 + r.Int64N(600)
		case 2:
			q.Limits.Time = time.Duration(1 + r.Int64N(int64(3*time.Millisecond)))
		}
		want := tt.ids(tt.matches(Request{Predicate: q.Predicate, Order: q.Order}))
		rows, scan := collect(t, e, tt.table, q)
		require.LessOrEqual(t, len(rows), len(want))
		require.Equal(t, want[:len(rows)], idsOf(rows))
		require.Equal(t, scan.Partial(), scan.Stats().Partial)
		if scan.Partial() == "" {
			require.Len(t, rows, len(want))
			whole++
		} else {
			require.NotZero(t, q.Limits)
			partial++
			some += min(len(rows), 1)
		}
		n, err := scan.Count(ctx)
		require.NoError(t, err)
		require.LessOrEqual(t, n, int64(len(want)))
		if scan.Partial() == "" {
			require.EqualValues(t, len(want), n)
		}
	}
	require.Positive(t, partial)
	require.Positive(t, whole)
	require.Positive(t, some)
}
