package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/internal/roundtrips"
	"github.com/firnlog/firn/storage"
)

// contextLine is a row of context as the tests compare it.
type contextLine struct {
	id    string
	part  ContextPart
	group int
}

// streamOf returns what tells the streams of a record apart.
func streamOf(rec record, columns []string) string {
	key := ""
	for _, name := range columns {
		values := []any{rec.cells[name]}
		if _, ok := rec.cells[name]; !ok {
			values = rec.values(Attr(name))
		}
		key += fmt.Sprintf("%#v|", values)
	}
	return key
}

// naiveContext finds the context of hits by looking at each row. hits and all are in the order of the request.
func (tt *testTable) naiveContext(q Request, o ContextOptions, columns []string) []contextLine {
	hits := tt.matches(q)
	if q.Limit > 0 {
		hits = hits[:min(q.Limit, len(hits))]
	}
	streams := map[string][]where{} // oldest first
	for _, at := range tt.matches(Request{Order: OldestFirst}) {
		key := streamOf(tt.record(at), columns)
		streams[key] = append(streams[key], at)
	}
	groupOf := map[where]int{}
	var groups [][]contextLine
	for _, hit := range hits {
		if groupOf[hit] != 0 {
			continue
		}
		rows := streams[streamOf(tt.record(hit), columns)]
		near := func(i, before, after int) bool { // a hit is so near
			for j := max(0, i-before); j <= min(len(rows)-1, i+after); j++ {
				if slices.Contains(hits, rows[j]) {
					return true
				}
			}
			return false
		}
		first := slices.Index(rows, hit)
		for first > 0 && near(first-1, o.After, o.Before) {
			first--
		}
		var lines []contextLine
		for i := first; i < len(rows) && near(i, o.After, o.Before); i++ {
			line := contextLine{tt.record(rows[i]).cells["trace_id"].(string), PartAfter, len(groups) + 1}
			switch {
			case slices.Contains(hits, rows[i]):
				line.part = PartHit
				groupOf[rows[i]] = line.group
			case near(i, 0, o.Before):
				line.part = PartBefore
			}
			lines = append(lines, line)
		}
		groups = append(groups, lines)
	}
	return slices.Concat(groups...)
}

func contextTable(t *testing.T, r *rand.Rand, spec tableSpec) *testTable {
	spec.files, spec.rowsPerFile = 5, 60
	spec.options = format.WriterOptions{RowGroupRows: 25, PageBytes: 200}
	ties := r.IntN(2) == 0
	spec.edit = func(rec *record) {
		if ties { // few moments, so that many rows share one
			rec.cells["_timestamp"] = rec.cells["_timestamp"].(int64) / 14_400_000_000 * 14_400_000_000
		}
		if !spec.partitionBy {
			rec.cells["app_id"] = []any{"shop", "a name of more than sixteen bytes", nil}[r.IntN(3)]
		}
		rec.cells["host"] = []any{"web-1", "web-2", nil}[r.IntN(3)]
	}
	return makeTable(t, r, spec)
}

func TestContextAgreesWithTheOracle(t *testing.T) {
	settings := map[string]tableSpec{
		"days":        {},
		"overlapping": {overlap: true, hostIndex: "bitmap,bloom"},
		"partitioned": {partitionBy: true},
		"unsorted":    {overlap: true, unsorted: func(i int) bool { return i%2 == 0 }, foreign: func(i int) bool { return i%2 == 0 || i == 3 }},
	}
	seed := uint64(70)
	for name, spec := range settings {
		seed++
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			for range 2 {
				examineContext(t, r, contextTable(t, r, spec), 8)
			}
		})
	}
}

func examineContext(t *testing.T, r *rand.Rand, tt *testTable, questions int) {
	t.Helper()
	for i := range questions {
		e := NewEngine(tt.store, EngineOptions{Now: testNow})
		if i%4 == 0 {
			far := roundtrips.New(tt.store, 0)
			far.Shape = storage.Traits{Remote: true, Parallel: 4, ReadGap: 1000, TailBytes: 4000}
			e = NewEngine(far, EngineOptions{Now: testNow})
		}
		whole := r.IntN(2) == 0 // all hits in one batch
		if n := int64(1 + r.IntN(20)); r.IntN(2) == 0 {
			e.sizes = pieceSizes{least: n, first: n + 5, most: 2 * n, mostCheck: 5 * n, sortCheck: 3 * n, context: contextBatchRows}
		}
		if !whole {
			e.sizes.context = 1 + r.IntN(100)
		}
		q := Request{Predicate: randomPredicate(r, 1), Order: Order(r.IntN(2)), NoIndex: r.IntN(5) == 0}
		if r.IntN(3) == 0 {
			q.From = time.Unix(19_675*86_400+r.Int64N(86_400), 0)
		}
		if r.IntN(3) > 0 {
			q.Limit = 1 + r.IntN(30)
		}
		o := ContextOptions{Before: r.IntN(5), After: r.IntN(5)}
		columns := DefaultStream()
		if n := r.IntN(6); n < 4 {
			columns = [][]string{{}, {"host"}, {"pod", "ok"}, {"status", "level", "day"}}[n]
			o.Stream = columns
		}
		message := fmt.Sprintf("%s from %s, %s, limit %d, %+v, batches of %d", q.Predicate, q.From, q.Order, q.Limit, o, e.sizes.context)
		want := tt.naiveContext(q, o, columns)
		got := collectContext(t, e, tt, q, o)
		if !whole { // groups that reach over several batches come in pieces
			for _, lines := range [][]contextLine{want, got} {
				slices.SortStableFunc(lines, func(a, b contextLine) int { return a.group - b.group })
			}
			checkPieces(t, tt, want, got, message)
			continue
		}
		require.Equal(t, want, got, message)
	}
}

// checkPieces checks that the groups have the same rows, and the hits are the same, wherever a group was cut.
func checkPieces(t *testing.T, tt *testTable, want, got []contextLine, message string) {
	t.Helper()
	groups := func(lines []contextLine) map[string]bool {
		sets := map[int][]string{}
		for _, line := range lines {
			sets[line.group] = append(sets[line.group], line.id+strconv.FormatBool(line.part == PartHit))
		}
		found := map[string]bool{}
		for _, ids := range sets {
			slices.Sort(ids)
			found[fmt.Sprint(ids)] = true
		}
		return found
	}
	require.Len(t, got, len(want), message)
	require.Equal(t, groups(want), groups(got), message)
}

func collectContext(t *testing.T, e *Engine, tt *testTable, q Request, o ContextOptions) []contextLine {
	t.Helper()
	scan, err := e.Plan(context.Background(), tt.table, q)
	require.NoError(t, err)
	var got []contextLine
	hits := 0
	for row, err := range scan.RowsWithContext(context.Background(), o) {
		require.NoError(t, err)
		got = append(got, contextLine{row.Row.Text("trace_id"), row.Part, row.Group})
		if row.Part == PartHit {
			hits++
		}
	}
	require.EqualValues(t, hits, scan.Stats().RowsMatched)
	return got
}
