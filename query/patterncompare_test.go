package query

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPatternScore(t *testing.T) {
	require.InDelta(t, 0, PatternScore(10, 100, 20, 200), 1e-9)
	require.Zero(t, PatternScore(0, 0, 0, 0))
	// Counted by hand: 2 (10 ln 2 + 10 ln (90/95)·…) of the table 10 90 / 0 100.
	require.InDelta(t, 2*(10*math.Log(2)+90*math.Log(90.0/95)+100*math.Log(100.0/95)), PatternScore(10, 100, 0, 100), 1e-9)
	require.InDelta(t, PatternScore(10, 100, 3, 70), PatternScore(3, 70, 10, 100), 1e-9)
	require.Greater(t, PatternScore(100, 1000, 10, 1000), PatternScore(10, 100, 1, 100), "more rows are more evidence")
	require.False(t, math.IsNaN(PatternScore(5, 5, 0, 0)))
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		before, beforeAll, after, afterAll int64
		want                               PatternChange
	}{
		{0, 100, 1, 100, PatternNew},
		{0, 0, 1, 1, PatternNew},
		{1, 100, 0, 100, PatternGone},
		{5, 5, 0, 0, PatternGone},
		{10, 1000, 100, 1000, PatternGrown},
		{10, 1000, 100, 10000, ""},
		{1, 1000, 3, 1000, ""}, // not enough rows to tell
		{500, 1000, 700, 1000, ""},
		{100, 1000, 10, 1000, PatternShrunk},
	} {
		d := PatternDelta{Before: c.before, After: c.after}
		d.judge(c.beforeAll, c.afterAll)
		require.Equal(t, c.want, d.Change, "%+v", c)
	}
}

func TestComparePatternsAgainstBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(780, 0))
	changed := int64(19_677)
	tt := makeTable(t, r, tableSpec{files: 8, rowsPerFile: 250, edit: func(rec *record) {
		logRecord(r)(rec)
		late := rec.cells["_timestamp"].(int64) >= changed*86_400_000_000
		switch n := r.IntN(10); {
		case n == 0 && late:
			rec.cells["log_msg"] = "panic: this never happened before"
		case n == 1 && !late:
			rec.cells["log_msg"] = fmt.Sprintf("the old way %d", r.IntN(10))
		case n < 4 && late:
			rec.cells["log_msg"] = fmt.Sprintf("Connection to db-%d reset by peer after %dms", r.IntN(9), r.IntN(5000))
		case n < 4:
			rec.cells["log_msg"] = "warming cache 17"
		case n == 4 && late && r.IntN(8) == 0:
			rec.cells["log_msg"] = "warming cache 17"
		}
	}})
	at := time.Unix(changed*86_400, 0)
	for range 12 {
		e := randomEngine(r, tt.store)
		tt.fakeIndexes(e, "log_msg", []uint32{1, 5, 1 << 20}[r.IntN(3)], func() bool { return false })
		before, after := Request{To: at}, Request{From: at}
		if r.IntN(2) == 0 {
			before.Predicate, after.Predicate = Equal{Col("level"), "INFO"}, Equal{Col("level"), "ERROR"}
		}
		a, err := e.Plan(t.Context(), tt.table, before)
		require.NoError(t, err)
		b, err := e.Plan(t.Context(), tt.table, after)
		require.NoError(t, err)
		o := PatternOptions{Limit: []int{0, 2}[r.IntN(2)], MinCount: []int64{0, 3}[r.IntN(2)]}
		got, err := ComparePatterns(t.Context(), a, b, o)
		require.NoError(t, err)
		checkComparison(t, tt, before, after, o, got)
	}
}

// checkComparison compares a comparison with both sides counted one after the other.
func checkComparison(t *testing.T, tt *testTable, before, after Request, o PatternOptions, got *PatternComparison) {
	t.Helper()
	sides := [2]map[PatternID]Pattern{{}, {}}
	var totals [2]int64
	for i, q := range []Request{before, after} {
		list, rows, noText := tt.truePatterns(q, "log_msg")
		totals[i] = rows - noText
		for _, p := range list {
			sides[i][p.ID] = p
		}
	}
	require.Equal(t, totals, [2]int64{got.Before.Rows - got.Before.NoText, got.After.Rows - got.After.NoText})
	want := map[PatternID]PatternDelta{}
	unchanged, changed := 0, map[PatternChange]int{PatternNew: 0, PatternGrown: 0, PatternGone: 0, PatternShrunk: 0}
	for i := range sides {
		for id, p := range sides[i] {
			d := PatternDelta{Before: sides[0][id].Count, After: sides[1][id].Count}
			d.judge(totals[0], totals[1])
			switch d.Change {
			case PatternGone, PatternShrunk:
				d.Pattern = sides[0][id]
			default:
				d.Pattern = sides[1][id]
			}
			if _, twice := sides[0][id]; i == 1 && twice || max(d.Before, d.After) < o.MinCount {
				continue
			}
			if d.Change == "" {
				unchanged++
				continue
			}
			changed[d.Change]++
			want[p.ID] = d
		}
	}
	require.Equal(t, unchanged, got.Unchanged)
	require.Equal(t, changed, got.Changed)
	for kind, n := range changed {
		require.True(t, n > 0 || before.Predicate != nil, "the test has no pattern that is %s", kind)
	}
	seen := map[PatternChange]int{}
	for i, d := range got.Deltas {
		require.Equal(t, want[d.ID], d)
		seen[d.Change]++
		if i > 0 && got.Deltas[i-1].Change == d.Change {
			require.GreaterOrEqual(t, got.Deltas[i-1].Score, d.Score)
		}
	}
	for kind, n := range changed {
		if o.Limit > 0 {
			n = min(n, o.Limit)
		}
		require.Equal(t, n, seen[kind])
	}
}
