package query

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/storage"

	"github.com/firnlog/firn/internal/roundtrips"
)

// naiveKey returns what a row is grouped by: nil, string, bool, int64, float64 or time.Time.
func naiveKey(g Group, rec record) any {
	v := rec.naiveValue(g.Column)
	if g.Every == (Interval{}) || v == nil {
		if f, ok := v.(float64); ok && f == 0 {
			return 0.0
		}
		return v
	}
	t, n := v.(time.Time), time.Duration(g.Every.Count)
	sinceEpoch := func(unit time.Duration) time.Time {
		passed := t.Sub(time.Unix(0, 0))
		rest := passed % (n * unit)
		if rest < 0 {
			rest += n * unit
		}
		return t.Add(-rest).UTC()
	}
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	switch g.Every.Unit {
	case Second:
		return sinceEpoch(time.Second)
	case Minute:
		return sinceEpoch(time.Minute)
	case Hour:
		return sinceEpoch(time.Hour)
	case Day:
		return sinceEpoch(24 * time.Hour)
	case Week:
		for midnight.Weekday() != time.Monday {
			midnight = midnight.AddDate(0, 0, -1)
		}
		return midnight
	case Month:
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	case Quarter:
		return time.Date(t.Year(), (t.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
}

// naiveAggregate computes an aggregate of rows in the plainest way.
func naiveAggregate(a Aggregate, rows []record) any {
	if a.Column == (Column{}) {
		return int64(len(rows))
	}
	var values []any
	var floats []float64
	exact := new(big.Float).SetPrec(400)
	whole := true
	for _, rec := range rows {
		v := rec.naiveValue(a.Column)
		if v == nil {
			continue
		}
		values = append(values, v)
		f, ok := 0.0, true
		switch v := v.(type) {
		case int64:
			f = float64(v)
		case float64:
			f, whole = v, false
		case string:
			f, ok = naiveNumber(v)
			whole = false
		default:
			ok = false
		}
		if ok && f == f {
			floats = append(floats, f)
			exact.Add(exact, new(big.Float).SetFloat64(f))
		}
	}
	switch a.Function {
	case FuncCount:
		return int64(len(values))
	case FuncCountDistinct:
		seen := map[string]bool{}
		for _, v := range values {
			if v == 0.0 {
				v = 0.0 // and not -0
			}
			seen[fmt.Sprint(v)] = true
		}
		return int64(len(seen))
	case FuncMin, FuncMax:
		var best any
		for _, v := range values {
			if f, ok := v.(float64); ok && f != f {
				continue
			}
			if order := naiveCompare(v, best); best == nil || order < 0 && a.Function == FuncMin || order > 0 && a.Function == FuncMax {
				best = v
			}
		}
		return best
	}
	if len(floats) == 0 {
		return nil
	}
	total, _ := exact.Float64()
	switch a.Function {
	case FuncSum:
		if whole && len(values) > 0 {
			n, _ := exact.Int64()
			return n
		}
		return total
	case FuncAvg:
		return total / float64(len(floats))
	}
	slices.Sort(floats)
	place := a.Quantile * float64(len(floats)-1)
	low, high := floats[int(math.Floor(place))], floats[int(math.Ceil(place))]
	return low + (high-low)*(place-math.Floor(place))
}

// naiveCompare orders values; nil is the last.
func naiveCompare(a, b any) int {
	if a == nil || b == nil {
		switch {
		case a == nil && b == nil:
			return 0
		case a == nil:
			return 1
		}
		return -1
	}
	switch a := a.(type) {
	case string:
		return strings.Compare(a, b.(string))
	case bool:
		number := map[bool]int{true: 1}
		return number[a] - number[b.(bool)]
	case int64:
		return cmp.Compare(a, b.(int64))
	case time.Time:
		return a.Compare(b.(time.Time))
	}
	x, y := a.(float64), b.(float64)
	switch {
	case math.IsNaN(x) && math.IsNaN(y):
		return 0
	case math.IsNaN(x):
		return 1
	case math.IsNaN(y):
		return -1
	}
	return cmp.Compare(x, y)
}

// naiveGroups answers a question for groups: a row for each group, with the groups' values and then the aggregates.
func naiveGroups(q Query, rows []record) [][]any {
	groups := map[string][]record{}
	keys := map[string][]any{}
	for _, rec := range rows {
		var key []any
		for _, g := range q.GroupBy {
			key = append(key, naiveKey(g, rec))
		}
		name := fmt.Sprintf("%#v", key)
		groups[name], keys[name] = append(groups[name], rec), key
	}
	if len(q.GroupBy) == 0 && len(groups) == 0 {
		groups[""] = nil
	}
	var list [][]any
	for name := range maps.Keys(groups) {
		row := slices.Clone(keys[name])
		for _, a := range q.Aggregates {
			row = append(row, naiveAggregate(a, groups[name]))
		}
		list = append(list, row)
	}
	names := map[string]int{}
	for i, g := range q.GroupBy {
		names[g.Name()] = i
	}
	for i, a := range q.Aggregates {
		names[a.Name()] = len(q.GroupBy) + i
	}
	slices.SortFunc(list, func(a, b []any) int {
		for _, s := range q.OrderBy {
			i := names[s.Column.Name]
			order := naiveCompare(a[i], b[i])
			if s.Descending && a[i] != nil && b[i] != nil {
				order = -order
			}
			if order != 0 {
				return order
			}
		}
		for i := range q.GroupBy {
			if order := naiveCompare(a[i], b[i]); order != 0 {
				return order
			}
		}
		return 0
	})
	if q.Limit > 0 {
		list = list[:min(len(list), q.Limit)]
	}
	return list
}

// randomGroups makes a question for groups.
func randomGroups(r *rand.Rand) (q Query) {
	columns := []Column{
		Col("level"), Col("status"), Col("ok"), Col("took"), Col("day"), Col("small"), Col("ratio"), Col("app_id"), Col("host"), Attr("pod"), Attr("level"),
		Col("n"), JSONPath("log_msg", "$.user.id"), Col("_timestamp"),
	}
	for _, i := range r.Perm(len(columns))[:r.IntN(4)] {
		q.GroupBy = append(q.GroupBy, Group{Column: columns[i]})
	}
	if r.IntN(2) == 0 {
		every := []Interval{{1, Hour}, {1, Day}, {7, Minute}, {1, Week}, {1, Month}, {1, Quarter}, {1, Year}, {90, Second}, {3, Day}}[r.IntN(9)]
		q.GroupBy = append(q.GroupBy, Group{Column: Col("_timestamp"), Every: every, As: "time"})
	} else if r.IntN(6) == 0 {
		q.GroupBy = append(q.GroupBy, Group{Column: Col("day"), Every: []Interval{{1, Week}, {2, Day}, {1, Year}}[r.IntN(3)], As: "time"})
	}
	any := append(slices.Clone(columns), Col("log_msg"), Col("trace_id"), Attr("none"))
	numeric := []Column{Col("status"), Col("took"), Col("small"), Col("ratio"), Attr("n"), Attr("pod"), JSONPath("log_msg", "$.took"), Col("level")}
	for i := range 1 + r.IntN(3) {
		a := Aggregate{As: fmt.Sprintf("a%d", i)}
		switch a.Function = []Function{FuncCount, FuncCount, FuncCountDistinct, FuncMin, FuncMax, FuncSum, FuncAvg, FuncQuantile}[r.IntN(8)]; a.Function {
		case FuncSum, FuncAvg, FuncQuantile:
			a.Column = numeric[r.IntN(len(numeric))]
			if a.Function == FuncQuantile {
				a.Quantile = float64(r.IntN(5)) / 4
			}
		case FuncCount:
			if r.IntN(2) == 0 {
				break
			}
			fallthrough
		default:
			a.Column = any[r.IntN(len(any))]
		}
		q.Aggregates = append(q.Aggregates, a)
	}
	if r.IntN(2) == 0 {
		q.OrderBy = []Sort{{Column: Col("a0"), Descending: r.IntN(2) == 0}}
		if len(q.GroupBy) > 0 {
			q.OrderBy = append(q.OrderBy, Sort{Column: Col(q.GroupBy[0].Name()), Descending: r.IntN(2) == 0})
		}
	}
	if r.IntN(4) == 0 {
		q.Limit = 1 + r.IntN(5)
	}
	return q
}

// requireSameAnswer compares an answer with rows; sums of floats may differ in the last digits.
func requireSameAnswer(t *testing.T, want [][]any, a *Answer, message string) {
	t.Helper()
	i := 0
	for row, err := range a.Rows(context.Background()) {
		require.NoError(t, err, message)
		require.Less(t, i, len(want), message)
		require.Equal(t, len(want[i]), row.Len(), message)
		for j := range want[i] {
			requireSameValue(t, want[i][j], row.Value(j), fmt.Sprintf("%s\nrow %d, %s\n%v\n%s", message, i, row.Column(j), want[i], row.AppendJSON(nil)))
		}
		i++
	}
	require.Len(t, want, i, message)
	require.Empty(t, a.Partial())
}

func requireSameValue(t *testing.T, want, got any, message string) {
	t.Helper()
	x, ok := want.(float64)
	y, also := got.(float64)
	switch {
	case !ok || !also:
		require.Equal(t, want, got, message)
	case math.IsNaN(x):
		require.True(t, math.IsNaN(y), message)
	case x != y:
		require.InEpsilon(t, x, y, 1e-13, message)
	}
}

// oddNumbers makes some values of floats odd ones.
func oddNumbers(r *rand.Rand) func(rec *record) {
	json := someJSON(r)
	return func(rec *record) {
		json(rec)
		switch r.IntN(8) {
		case 0:
			rec.cells["took"] = math.NaN()
		case 1:
			rec.cells["took"] = math.Copysign(0, -1)
		}
		if r.IntN(9) == 0 {
			rec.cells["ratio"] = math.NaN()
		}
	}
}

var aggregateTables = map[string]tableSpec{
	"no index":    {index: "none"},
	"indexes":     {index: "bitmap", hostIndex: "bitmap", partitionBy: true},
	"coarse":      {overlap: true, properties: map[string]string{"firn.index.bitmap-fraction": "1e-9"}},
	"unsorted":    {overlap: true, unsorted: func(i int) bool { return i%3 == 0 }, foreign: func(i int) bool { return i%3 == 0 || i == 4 }},
	"large pages": {options: format.WriterOptions{RowGroupRows: 100, PageBytes: 4000}},
}

func TestAggregatesAgreeWithBruteForce(t *testing.T) {
	seed := uint64(70)
	for name, spec := range aggregateTables {
		seed++
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			spec.files, spec.rowsPerFile, spec.edit = 6, 150, oddNumbers(r)
			if spec.options.RowGroupRows == 0 {
				spec.options = format.WriterOptions{RowGroupRows: 40, PageBytes: 256}
			}
			tt := makeTable(t, r, spec)
			for range 3 {
				compareGroups(t, r, tt, 12)
			}
		})
	}
	t.Run("empty", func(t *testing.T) {
		r := rand.New(rand.NewPCG(80, 0))
		compareGroups(t, r, makeTable(t, r, tableSpec{}), 20)
	})
}

// compareGroups asks random questions for groups.
func compareGroups(t *testing.T, r *rand.Rand, tt *testTable, questions int) {
	t.Helper()
	e := NewEngine(tt.store, EngineOptions{Now: testNow, CacheBytes: []int64{1, 0}[r.IntN(2)], Parallelism: r.IntN(4)})
	if r.IntN(3) == 0 {
		far := roundtrips.New(tt.store, 0)
		far.Shape = storage.Traits{Remote: true, Parallel: r.IntN(20), ReadGap: r.Int64N(4000), TailBytes: 4000}
		e = NewEngine(far, EngineOptions{Now: testNow})
	}
	for range questions {
		q := randomGroups(r)
		o := AskOptions{NoIndex: r.IntN(5) == 0, ForceIndex: r.IntN(3) == 0}
		switch r.IntN(3) {
		case 0:
			q.Where = randomPredicate(r, 2)
		case 1:
			q.Where = randomLeaf(r)
		}
		if r.IntN(3) == 0 {
			o.From = time.Unix(19_675*86_400+r.Int64N(4*86_400), 0)
		}
		var rows []record
		for _, at := range tt.matches(Request{Predicate: q.Where, From: o.From}) {
			rows = append(rows, tt.record(at))
		}
		message := fmt.Sprintf("%s %+v %v", text(q.Where), q, o)
		a, err := e.Ask(context.Background(), tt.table, q, o)
		require.NoError(t, err, message)
		requireSameAnswer(t, naiveGroups(q, rows), a, message)
		st := a.Stats()
		files := st.FilesRead
		for _, n := range st.FilesSkipped {
			files += n
		}
		require.Equal(t, st.FilesTotal, files, message)
		require.EqualValues(t, len(rows), st.RowsMatched, message)
		require.LessOrEqual(t, st.RowsByFacts, st.RowsMatched)
	}
}
