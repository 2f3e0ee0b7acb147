package query

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/internal/roundtrips"
	"github.com/firnlog/firn/storage"
)

// damages are done to sidecars.
var damages = map[string]func(r *rand.Rand, data []byte) []byte{
	"missing":   func(*rand.Rand, []byte) []byte { return nil },
	"truncated": func(r *rand.Rand, data []byte) []byte { return data[:r.IntN(len(data))] },
	"bit flipped": func(r *rand.Rand, data []byte) []byte {
		data[r.IntN(len(data))] ^= 1 << r.IntN(8)
		return data
	},
	"many bits flipped": func(r *rand.Rand, data []byte) []byte {
		for range 20 {
			data[r.IntN(len(data))] ^= 1 << r.IntN(8)
		}
		return data
	},
}

func TestSearchAgreesWithTheOracle(t *testing.T) {
	settings := map[string]tableSpec{
		"no index":     {index: "none"},
		"bloom":        {index: "bloom"},
		"bitmap":       {index: "bitmap", hostIndex: "bitmap"},
		"both":         {hostIndex: "bloom", partitionBy: true},
		"coarse":       {overlap: true, properties: map[string]string{index.PropertyBitmapFraction: "1e-9"}},
		"precise":      {overlap: true, properties: map[string]string{index.PropertyBitmapFraction: "10"}},
		"unsorted":     {overlap: true, unsorted: func(i int) bool { return i%3 == 0 }, foreign: func(i int) bool { return i%3 == 0 || i == 4 }},
		"large groups": {index: "bitmap", options: format.WriterOptions{RowGroupRows: 1000, PageBytes: 200}},
	}
	seed, times := uint64(10), 1
	if n, err := strconv.Atoi(os.Getenv("FIRN_SOAK")); err == nil { // a longer run, each time with other questions
		seed, times = rand.Uint64(), n
		t.Logf("seed %d", seed)
	}
	for name, spec := range settings {
		seed++
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			spec.files, spec.rowsPerFile = 6, 150
			if spec.options.RowGroupRows == 0 {
				spec.options = format.WriterOptions{RowGroupRows: 40, PageBytes: 256}
			}
			tt := makeTable(t, r, spec)
			examine(t, r, tt, "intact", 30*times)
			if spec.index == "none" {
				return
			}
			for _, damage := range slices.Sorted(maps.Keys(damages)) {
				do := damages[damage]
				var repair []func()
				for _, f := range tt.files {
					if r.IntN(3) == 0 {
						continue // stays as it was
					}
					whole := tt.bytesOf(t, f.sidecar)
					if damaged := do(r, append([]byte(nil), whole...)); damaged == nil {
						require.NoError(t, tt.store.Delete(context.Background(), f.sidecar))
					} else {
						tt.put(t, tt.store.URI(f.sidecar), damaged)
					}
					repair = append(repair, func() { tt.put(t, tt.store.URI(f.sidecar), whole) })
				}
				examine(t, r, tt, damage, 6*times)
				for _, do := range repair {
					do()
				}
			}
		})
	}
}

// examine asks random questions in all ways, and compares the answers with the oracle's.
func examine(t *testing.T, r *rand.Rand, tt *testTable, what string, questions int) {
	t.Helper()
	schema, err := format.SchemaFromArrow(tt.table.Schema())
	require.NoError(t, err)
	options := EngineOptions{Now: testNow, CacheBytes: []int64{1, 10_000, 0}[r.IntN(3)], Parallelism: r.IntN(4)}
	e := NewEngine(tt.store, options)
	if r.IntN(2) == 0 {
		what += ", remote"
		far := roundtrips.New(tt.store, 0)
		far.Shape = storage.Traits{Remote: true, Parallel: r.IntN(20), ReadGap: r.Int64N(4000), TailBytes: []int{0, 1, 4000, 20_000, 1 << 20}[r.IntN(5)]}
		options.ReadBytes = []int64{1, 5000, 0}[r.IntN(3)]
		e = NewEngine(far, options)
	}
	if r.IntN(4) > 0 {
		n := int64(1 + r.IntN(20))
		e.sizes = pieceSizes{least: n, first: n + 5, most: 2 * n, mostCheck: 5 * n, sortCheck: 3 * n}
	}
	for range questions {
		leaf := tt.leaf
		if leaf == nil {
			leaf = randomLeaf
		}
		q := Request{Predicate: randomPredicateOf(r, 3, leaf), Order: Order(r.IntN(2)), NoIndex: r.IntN(5) == 0, ForceIndex: r.IntN(3) > 0}
		if r.IntN(2) == 0 {
			q.Predicate = leaf(r)
		}
		if r.IntN(3) == 0 {
			q.From = time.Unix(19_675*86_400+r.Int64N(4*86_400), 0)
		}
		if r.IntN(3) == 0 {
			q.To = time.Unix(19_675*86_400+r.Int64N(4*86_400), 0)
		}
		all := tt.matches(q)
		message := fmt.Sprintf("%s: %s [%s, %s) %s, no index: %v, all indexes: %v", what, q.Predicate, q.From, q.To, q.Order, q.NoIndex, q.ForceIndex)
		rows, scan := collect(t, e, tt.table, q)
		require.Equal(t, tt.ids(all), idsOf(rows), message)
		checkBounds(t, tt, scan, q, message)
		checkStats(t, scan, len(rows), message)
		n, err := scan.Count(context.Background())
		require.NoError(t, err, message)
		require.EqualValues(t, len(all), n, message)
		checkStats(t, scan, len(rows), message)
		require.NotEmpty(t, scan.Explain())

		q.Limit = 1 + r.IntN(20)
		rows, scan = collect(t, e, tt.table, q)
		require.Equal(t, tt.ids(all[:min(q.Limit, len(all))]), idsOf(rows), "limit %d %s", q.Limit, message)
		checkStats(t, scan, len(rows), message)
		for i, row := range rows[:min(2, len(rows))] {
			text, err := row.MarshalJSON()
			require.NoError(t, err)
			require.JSONEq(t, tt.record(all[i]).expectedJSON(t, schema), string(text))
		}
		n, err = scan.Count(context.Background())
		require.NoError(t, err, message)
		require.EqualValues(t, len(all), n, message)
		require.Equal(t, tt.ids(all[:min(q.Limit, len(all))]), batchIDs(t, scan), message)
	}
}

// checkBounds checks must ⊆ truth ⊆ may for each file, and that what pruning tells other readers is right.
func checkBounds(t *testing.T, tt *testTable, scan *Scan, q Request, message string) {
	t.Helper()
	true_ := map[string]map[uint32]bool{}
	for _, at := range tt.matches(q) {
		uri := tt.files[at.file].uri
		if true_[uri] == nil {
			true_[uri] = map[uint32]bool{}
		}
		true_[uri][uint32(at.row)] = true
	}
	left := map[string]bool{}
	for _, f := range scan.listed {
		left[f.data.Path] = f.skipped == ""
	}
	for _, f := range tt.files {
		require.True(t, left[f.uri] || len(true_[f.uri]) == 0, "%s: %s", f.uri, message)
	}
	for _, f := range scan.files {
		if f.skipped != "" {
			continue
		}
		require.True(t, encloses(f.bounds, f.rows, func(row uint32) bool { return true_[f.data.Path][row] }), message)
	}
	for _, task := range scan.Tasks() {
		candidates := int64(0)
		matches := 0
		for _, rows := range task.Rows {
			candidates += int64(rows.End - rows.Start)
			for row := rows.Start; row < rows.End; row++ {
				rec := tt.fileRecord(task.File.Path, row)
				isTrue := true_[task.File.Path][row]
				require.Equal(t, isTrue, task.Residual == nil || truth(task.Residual, rec), "%s\nresidual %s", message, text(task.Residual))
				if isTrue {
					matches++
				}
			}
		}
		require.Equal(t, candidates, task.Candidates)
		require.Len(t, true_[task.File.Path], matches)
		require.NotEmpty(t, task.RowGroups)
	}
}

func (tt *testTable) fileRecord(uri string, row uint32) record {
	for _, f := range tt.files {
		if f.uri == uri {
			return f.records[row]
		}
	}
	return record{}
}

// checkStats checks that every file is accounted for.
func checkStats(t *testing.T, scan *Scan, matched int, message string) {
	t.Helper()
	st := scan.Stats()
	files := st.FilesRead
	for _, n := range st.FilesSkipped {
		files += n
	}
	require.Equal(t, st.FilesTotal, files, "%+v %s", st, message)
	require.EqualValues(t, matched, st.RowsMatched, message)
	require.LessOrEqual(t, st.RowsCertain, st.RowsCandidate)
}

// batchIDs reads a scan as Arrow batches.
func batchIDs(t *testing.T, scan *Scan) []string {
	t.Helper()
	ids := []string{}
	for record, err := range scan.Batches(context.Background()) {
		require.NoError(t, err)
		require.True(t, record.Schema().Equal(scan.ArrowSchema()))
		column := record.Column(record.Schema().FieldIndices("trace_id")[0])
		for i := range int(record.NumRows()) {
			ids = append(ids, column.ValueStr(i))
		}
		record.Release()
	}
	return ids
}
