package query

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/faultstore"
	"github.com/firnlog/firn/storage/metered"
)

// withPacks are the properties of a table that has bloom packs.
func withPacks() map[string]string { return map[string]string{index.PropertyPacks: "true"} }

// indexLocation returns where the sidecars of the table lie, in the store.
func (tt *testTable) indexLocation(t testing.TB) string {
	t.Helper()
	location, ok := storage.NameOf(tt.store, tt.table.IndexLocation())
	require.True(t, ok)
	return location
}

// pack builds the packs of each partition out of the files for which keep is true, in so many parts, and returns their names.
func (tt *testTable) pack(t testing.TB, at time.Time, parts int, keep func(file int) bool) (names []string) {
	t.Helper()
	ctx := context.Background()
	data, err := tt.table.Files(ctx)
	require.NoError(t, err)
	builders := map[string][]*index.PackBuilder{}
	for i, f := range data {
		partition := index.PackPartition(f.Partition)
		if builders[partition] == nil {
			builders[partition] = make([]*index.PackBuilder, parts)
			for k := range parts {
				builders[partition][k], err = index.NewPackBuilder(partition, index.Options{Columns: []index.ColumnSpec{
					{Column: "log_msg", FieldID: fieldOf(t, tt, "log_msg"), Bloom: true}, {Column: "host", FieldID: fieldOf(t, tt, "host"), Bloom: true},
				}})
				require.NoError(t, err)
			}
		}
		if !keep(i) {
			continue
		}
		uri, err := index.SidecarName(f.Path, tt.table.Location(), tt.table.IndexLocation())
		require.NoError(t, err)
		name, _ := storage.NameOf(tt.store, uri)
		sidecar, err := index.Open(ctx, tt.store, name, index.Identity{DataFile: f.Path[strings.LastIndexByte(f.Path, '/')+1:], Rows: uint32(f.Rows)})
		require.NoError(t, err)
		b := builders[partition][i%parts]
		filters, err := b.Filters(ctx, sidecar)
		require.NoError(t, err)
		file, err := index.PackFileOf(f.Path, tt.table.Location(), tt.table.IndexLocation(), uint32(f.Rows), f.Size)
		require.NoError(t, err)
		b.Add(file, filters)
	}
	for partition, list := range builders {
		for k, b := range list {
			var out bytes.Buffer
			_, err := b.Finish(&out)
			require.NoError(t, err)
			name := index.PackObject(tt.indexLocation(t), partition, index.PackGeneration(at, 1), k+1, k+1 == parts)
			tt.put(t, tt.store.URI(name), out.Bytes())
			names = append(names, name)
		}
	}
	return names
}

func fieldOf(t testing.TB, tt *testTable, column string) int {
	t.Helper()
	for _, c := range tt.table.Columns() {
		if c.Name == column {
			return c.ID
		}
	}
	require.Fail(t, "no column "+column)
	return 0
}

func all(int) bool { return true }

// TestPacksNeverChangeAnAnswer compares searches with whole, stale and damaged packs with the truth.
func TestPacksNeverChangeAnAnswer(t *testing.T) {
	r := rand.New(rand.NewPCG(91, 0))
	tt := makeTable(t, r, tableSpec{files: 80, rowsPerFile: 10, hostIndex: "bloom", properties: withPacks()})
	ctx := context.Background()
	at := time.UnixMilli(1_795_000_000_000)
	used, skipped := 0, 0
	check := func(e *Engine, n int) {
		for range n {
			q := Request{Predicate: randomPredicate(r, 2)}
			if r.IntN(2) == 0 {
				q.Predicate = msg(fmt.Sprint([]any{"error", "nonesuch", "needle", "user", "GET"}[r.IntN(5)]))
			}
			rows, scan := collect(t, e, tt.table, q)
			require.Equal(t, tt.ids(tt.matches(q)), idsOf(rows), "%v", q.Predicate)
			if packs := scan.Stats().Packs; packs != nil {
				used, skipped = used+packs.Used, skipped+packs.Skipped
			}
		}
	}
	for round, c := range []struct {
		parts int
		keep  func(int) bool
	}{{1, all}, {2, all}, {1, func(i int) bool { return i%2 == 0 }}, {2, func(int) bool { return false }}} {
		names := tt.pack(t, at.Add(time.Duration(round)*time.Second), c.parts, c.keep)
		used, skipped = 0, 0
		for range 15 {
			check(NewEngine(tt.store, EngineOptions{Now: testNow}), 1) // cold
		}
		check(NewEngine(tt.store, EngineOptions{Now: testNow}), 15)
		require.Equal(t, round < 3, used > 0, "round %d", round)
		require.Equal(t, round < 3, skipped > 0, "round %d", round)
		if round != 1 {
			continue
		}
		for i := range 30 {
			name := names[r.IntN(len(names))]
			whole := tt.bytesOf(t, name)
			damaged := bytes.Clone(whole)
			damaged[r.IntN(len(damaged))] ^= 1 << r.IntN(8)
			if i%5 == 0 {
				damaged = damaged[:r.IntN(len(damaged))]
			}
			tt.put(t, tt.store.URI(name), damaged)
			check(NewEngine(tt.store, EngineOptions{Now: testNow}), 2)
			tt.put(t, tt.store.URI(name), whole)
		}
	}
	for _, name := range tt.pack(t, at.Add(time.Hour), 1, all) {
		require.NoError(t, tt.store.Delete(ctx, name))
	}
	check(NewEngine(tt.store, EngineOptions{Now: testNow}), 5)
}

// TestPackIsExplained: what packs did, and what is wrong with them, is told and no error.
func TestPackIsExplained(t *testing.T) {
	r := rand.New(rand.NewPCG(92, 0))
	tt := makeTable(t, r, tableSpec{files: 20, rowsPerFile: 5, overlap: true, properties: withPacks()})
	name := tt.pack(t, time.UnixMilli(5), 1, all)[0]
	plan := func(e *Engine, q Request) (*Scan, Stats) {
		scan, err := e.Plan(t.Context(), tt.table, q)
		require.NoError(t, err)
		return scan, scan.Stats()
	}
	absent := Request{Predicate: msg("nonesuch"), ForceIndex: true}
	now := time.UnixMilli(1_000_000)
	e := NewEngine(tt.store, EngineOptions{Now: func() time.Time { return now }})
	scan, st := plan(e, absent)
	require.Equal(t, map[SkipReason]int{SkipBloomPack: 20}, st.FilesSkipped)
	require.Equal(t, &PackReport{Used: 1, Files: 20, Skipped: 20}, st.Packs)
	require.EqualValues(t, 3, st.Requests, "a listing, the pack's head, its blocks")
	require.Contains(t, scan.Explain(), "bloom packs: 1 asked about 20 files")
	require.Contains(t, scan.Explain(), `bloom pack: no row has "nonesuch"`)
	_, st = plan(e, absent)
	require.Zero(t, st.Requests, "all of it is kept")
	_, st = plan(e, Request{Predicate: And{msg("error"), Not{msg("nonesuch")}}})
	require.Zero(t, st.FilesSkipped[SkipTokenBloom], "the pack says what the filters say")
	for _, q := range []Request{{Predicate: msg("nonesuch"), NoIndex: true}, {Predicate: Contains{Col("log_msg"), "x"}}, {}} {
		_, st = plan(NewEngine(tt.store, EngineOptions{}), q)
		require.Nil(t, st.Packs)
	}

	// Dropped meanwhile: the next listing finds what is there.
	require.NoError(t, tt.store.Delete(t.Context(), name))
	e = NewEngine(tt.store, EngineOptions{Now: func() time.Time { return now }})
	e.cache.replace(packsKey(tt.indexLocation(t)), &packListing{map[string][]index.PackName{"log_date=19675": {{Name: name, Partition: "log_date=19675", Part: 1, Parts: 1}}}, now.Add(time.Second)})
	scan, st = plan(e, absent)
	require.Equal(t, map[SkipReason]int{SkipTokenBloom: 20}, st.FilesSkipped)
	require.Equal(t, map[IndexProblem]int{ProblemMissing: 1}, st.Packs.Problems)
	require.Contains(t, scan.Explain(), "1 could not be used (see the log): missing")
	require.False(t, e.cache.has(packsKey(tt.indexLocation(t))))

	// A storage that fails is no error of the search either.
	tt.pack(t, time.UnixMilli(6), 1, all)
	for n := int64(0); n < 3; n++ {
		faulty := faultstore.New(tt.store, faultstore.Fault{At: n})
		_, st = plan(NewEngine(faulty, EngineOptions{Parallelism: 1}), absent)
		require.Equal(t, 20, st.FilesSkipped[SkipTokenBloom]+st.FilesSkipped[SkipBloomPack])
		require.NotNil(t, st.Packs)
		require.Equal(t, map[IndexProblem]int{ProblemUnreadable: 1}, st.Packs.Problems)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := NewEngine(tt.store, EngineOptions{}).Plan(cancelled, tt.table, absent)
	require.ErrorIs(t, err, context.Canceled)
}

// TestNeedleInManyFiles counts what a cold search for a needle reads before it reads data, in a partition of very many small files.
func TestNeedleInManyFiles(t *testing.T) {
	files := 600
	if os.Getenv("FIRN_TEST_LONG") == "1" {
		files = 10_000
	}
	r := rand.New(rand.NewPCG(93, 0))
	n := 0
	tt := makeTable(t, r, tableSpec{files: files, rowsPerFile: 6, overlap: true, properties: withPacks(), edit: func(rec *record) {
		rec.cells["log_msg"] = fmt.Sprintf("request %x of user u%d served by worker-%d in %d ms", r.Uint64(), r.IntN(1000), r.IntN(50), r.IntN(10000))
		if n == files*3 {
			rec.cells["log_msg"] = "the needle 5eed1e55c0ffee of request 0d8e2f5a-96b1-4d2c-9e0f-3a7b1c2d4e5f"
		}
		n++
	}})
	search := func(q Request) (Stats, metered.Counts) {
		store := metered.New(tt.store)
		e := NewEngine(store, EngineOptions{})
		scan, err := e.Plan(t.Context(), tt.table, q)
		require.NoError(t, err)
		planned := store.Counts()
		st := scan.Stats()
		require.EqualValues(t, planned.Requests+planned.Lists, st.Requests)
		rows, _ := collect(t, e, tt.table, q)
		require.Equal(t, tt.ids(tt.matches(q)), idsOf(rows))
		return st, planned
	}
	for _, q := range []Request{
		{Predicate: msg("5eed1e55c0ffee")}, {Predicate: msg("0d8e2f5a-96b1-4d2c-9e0f-3a7b1c2d4e5f")}, {Predicate: And{msg("needle"), msg("worker")}},
	} {
		_, without := search(q)
		require.GreaterOrEqual(t, without.Requests, int64(files))
		names := tt.pack(t, time.UnixMilli(9), 1, all)
		st, with := search(q)
		t.Logf("%v: %d files, without a pack %d requests, %d kB; with it %d and a listing, %d kB", q.Predicate, files, without.Requests, without.BytesRead/1000, with.Requests, with.BytesRead/1000)
		require.LessOrEqual(t, with.Requests, int64(9))
		require.EqualValues(t, 1, with.Lists)
		require.GreaterOrEqual(t, st.FilesSkipped[SkipBloomPack], files-3)
		for _, name := range names {
			require.NoError(t, tt.store.Delete(t.Context(), name))
		}
	}
}
