package randomqueries

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/loggen"
	"github.com/firnlog/firn/query"
	"github.com/firnlog/firn/storage"
)

// makeLake makes a lake of generated lines whose files have from some ten rows to a third of the largest number of these.
func makeLake(t *testing.T, commits ...int) (*firn.Lake, *firn.Table) {
	t.Helper()
	ctx := t.Context()
	lake, err := firn.Open(ctx, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lake.Close()) })
	_, err = lake.Create(ctx, firn.TableSpec{Name: "web"})
	require.NoError(t, err)
	table, err := lake.Table(ctx, "web")
	require.NoError(t, err)
	w, err := lake.Writer(ctx, table, firn.WriterOptions{})
	require.NoError(t, err)
	for i, rows := range commits {
		lines := loggen.New(loggen.Options{Seed: int64(i), Rows: rows, Plain: true})
		for line := lines.Line(); line != nil; line = lines.Line() {
			require.NoError(t, w.AppendJSON(ctx, line))
		}
		require.NoError(t, w.Flush(ctx))
	}
	require.NoError(t, w.Close(ctx))
	table, err = lake.Table(ctx, "web")
	require.NoError(t, err)
	return lake, table
}

// TestIndexesNeverLose is the promise of the planner: whatever is asked, having indexes costs no more than not having them. It keeps it for all but a few queries,
// and loses little with these: most of what an estimate is wrong about shows only when it has been paid for. All queries together must gain.
func TestIndexesNeverLose(t *testing.T) {
	lakes := map[string][]int{
		"tiny files":  slices.Repeat([]int{30}, 12),
		"mixed files": {100, 36_000, 3000, 12_000, 300, 6000},
	}
	n, seed := 60, uint64(1)
	if os.Getenv("FIRN_TEST_LONG") != "" {
		n = 300
		lakes["large file"] = []int{60_000}
		lakes["middle files"] = slices.Repeat([]int{6000}, 12)
	}
	if _, err := fmt.Sscan(os.Getenv("FIRN_SEED"), &seed); err == nil {
		t.Logf("seed %d", seed)
	}
	for name, commits := range lakes {
		t.Run(name, func(t *testing.T) {
			lake, table := makeLake(t, commits...)
			words, err := WordsOf(t.Context(), lake, table)
			require.NoError(t, err)
			never(t, lake.Store(), table, Generate(seed, n, words))
		})
	}
}

// patience is how often a query is measured again that lost. With a limit it depends a little on timing which pieces are read in vain, with indexes and without.
const patience = 4

const (
	mostLosers  = 50   // one of so many queries may lose
	largestLoss = 1.25 // of what it reads without indexes, and the slack
)

// never measures queries, and fails if more lose every time than may, if one loses much, or if all together do not gain.
func never(t *testing.T, store storage.Store, table *firn.Table, queries []Query) {
	t.Helper()
	fresh := func() *query.Engine { return query.NewEngine(store, query.EngineOptions{Parallelism: 1}) }
	worst, won, lost, sums, classes := 0.0, 0, 0, Bytes{}, map[string]Bytes{}
	for i, q := range queries {
		var b Bytes
		for range patience {
			var err error
			b, err = Measure(t.Context(), fresh, table, q)
			require.NoError(t, err)
			if !b.Loses() {
				break
			}
		}
		worst = max(worst, float64(b.With-b.Without-Slack)/float64(b.Without+1))
		if 2*b.With < b.Without {
			won++
		}
		sums.add(b)
		class := classes[q.Class]
		class.add(b)
		classes[q.Class] = class
		if b.Loses() {
			if lost++; b.LosesMore(largestLoss) || lost > max(1, len(queries)/mostLosers) {
				t.Errorf("query %d loses more than it may, or is one too many", i)
			}
			t.Logf("query %d, %s:\ncold %d against %d bytes, warm %d against %d", i, q, b.With, b.Without, b.WarmWith, b.WarmWithout)
			scan, err := fresh().Plan(t.Context(), table, q.Request)
			require.NoError(t, err)
			for _, err := range scan.Rows(t.Context()) {
				require.NoError(t, err)
			}
			t.Log(scan.Explain())
		}
	}
	require.LessOrEqual(t, sums.With, sums.Without+Slack)
	require.LessOrEqual(t, sums.WarmWith, sums.WarmWithout+Slack)
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		t.Logf("%-40s %v", class, classes[class])
	}
	t.Logf("%d queries: %v; %d read less than half with indexes; %d lost; the worst read %.1f %% more than without and the slack",
		len(queries), sums, won, lost, 100*worst)
}
