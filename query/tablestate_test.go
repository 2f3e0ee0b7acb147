package query

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/storage/metered"
)

// TestSecondSearchReadsNoMetadata: what the first search of a kind learned, the second one knows.
func TestSecondSearchReadsNoMetadata(t *testing.T) {
	tt := makeTable(t, rand.New(rand.NewPCG(91, 0)), tableSpec{files: 9, rowsPerFile: 200, properties: map[string]string{valueBloomProperty + "trace_id": "true"}})
	id := tt.record(tt.matches(Request{})[700]).cells["trace_id"].(string)
	for name, q := range map[string]Request{
		"token":   {Predicate: msg("needle"), ForceIndex: true},
		"nowhere": {Predicate: msg("nowhere0815"), ForceIndex: true},
		"id":      {Predicate: Equal{Col("trace_id"), id}},
		"bounds":  {Predicate: Compare{Col("status"), Greater, 100}},
		"time":    {From: timestampOf(tt.record(tt.matches(Request{Order: OldestFirst})[900]))},
	} {
		store := metered.New(tt.store)
		e := NewEngine(store, EngineOptions{})
		first, err := e.Plan(t.Context(), tt.table, q)
		require.NoError(t, err)
		require.EqualValues(t, 1, first.Stats().PlanMisses)
		cold := store.Counts()
		require.Positive(t, cold.Requests, name)
		second, err := e.Plan(t.Context(), tt.table, q)
		require.NoError(t, err)
		require.Equal(t, cold, store.Counts(), name)
		require.EqualValues(t, 1, second.Stats().PlanHits)
		require.Zero(t, second.Stats().Requests)
		require.Equal(t, second.Tasks(), first.Tasks())
	}
}

// TestTablesOfOneNameDoNotMeet: what is known of a table is not taken for that of another one, nor of another state.
func TestTablesOfOneNameDoNotMeet(t *testing.T) {
	r := rand.New(rand.NewPCG(92, 0))
	a, b := makeTable(t, r, tableSpec{files: 2, rowsPerFile: 20}), makeTable(t, r, tableSpec{files: 3, rowsPerFile: 30})
	require.Equal(t, a.table.Name(), b.table.Name())
	require.NotEqual(t, a.table.UUID(), b.table.UUID())
	e := NewEngine(a.store, EngineOptions{})
	count := func(table *catalog.Table) int64 {
		scan, err := e.Plan(t.Context(), table, Request{Limit: 1}) // which opens nothing
		require.NoError(t, err)
		return scan.Stats().RowsTotal
	}
	require.EqualValues(t, 40, count(a.table))
	require.EqualValues(t, 90, count(b.table))
	more, err := a.table.Append(t.Context(), []catalog.NewFile{a.again(t, 0)}, catalog.AppendOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 60, count(more))
	require.EqualValues(t, 40, count(a.table))
	require.Equal(t, 3, e.CacheStats().Plans.Entries)
}

// again writes a file of a table once more under another name, as a file to be added.
func (tt *testTable) again(t testing.TB, i int) catalog.NewFile {
	f := tt.files[i]
	f.uri = f.uri[:len(f.uri)-len(".parquet")] + "-again.parquet"
	footer := tt.write(t, tt.table, &f, format.WriterOptions{})
	day := int32(f.records[0].cells["_timestamp"].(int64) / 86_400_000_000)
	return catalog.NewFile{Path: f.uri, Size: footer.Size, ParquetMetadata: footer.Metadata, Partition: map[string]any{catalog.PartitionDay: day}}
}

// TestColumnsTellFacts: what arrays tell of a file is what its metadata tells.
func TestColumnsTellFacts(t *testing.T) {
	r := rand.New(rand.NewPCG(93, 0))
	tt := makeTable(t, r, tableSpec{files: 12, rowsPerFile: 8, partitionBy: true})
	e := NewEngine(tt.store, EngineOptions{})
	state, err := e.state(t.Context(), tt.table)
	require.NoError(t, err)
	list, err := e.list(t.Context(), state, tt.table)
	require.NoError(t, err)
	judged := 0
	for range 3000 {
		b, err := bind(state.schema, randomLeaf(r), timestampOf(randomRecord(r, true)), timestampOf(randomRecord(r, true)), testNow())
		require.NoError(t, err)
		for _, l := range b.leaves {
			if l.inMap {
				continue
			}
			c := list.column(l.field)
			for i := range list.files {
				require.Equal(t, l.judge(state.fileFacts(list.files[i].data, l.field)), c.byAll.judge(l, i), text(l.source))
				want := l.judge(state.partitionFacts(list.files[i].data, l.field))
				if c.byPartition != nil {
					require.Equal(t, want, c.byPartition.judge(l, i), text(l.source))
				} else {
					require.Equal(t, verdict{some: true}, want, text(l.source))
				}
				judged++
			}
		}
	}
	require.Greater(t, judged, 10_000)
}

// TestMemoryOfWhatIsKept: the estimates by which the cache is bounded are right within a factor of two.
func TestMemoryOfWhatIsKept(t *testing.T) {
	tt := manyFiles(t, 1000)
	e := NewEngine(tt.store, EngineOptions{})
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	_, err := e.Plan(t.Context(), tt.table, Request{Predicate: And{Compare{Col("status"), Greater, 100}, Equal{Col("level"), "x"}}, Limit: 1})
	require.NoError(t, err)
	took := heap() - before
	told := e.CacheStats().Plans.Bytes
	require.Less(t, told, 2*took, "told %d, took %d", told, took)
	require.Greater(t, 2*told, took, "told %d, took %d", told, took)
	runtime.KeepAlive(e)
}

// TestStatsTellBytesAndPages: bytes by kind add up to what the store was asked for, and pages are counted.
func TestStatsTellBytesAndPages(t *testing.T) {
	tt := makeTable(t, rand.New(rand.NewPCG(94, 0)), tableSpec{files: 3, rowsPerFile: 400, options: format.WriterOptions{PageBytes: 2048}})
	store := metered.New(tt.store)
	e := NewEngine(store, EngineOptions{})
	_, scan := collect(t, e, tt.table, Request{Predicate: msg("the"), ForceIndex: true, Columns: []string{"status"}})
	st := scan.Stats()
	require.Equal(t, store.Counts().BytesRead, st.BytesRead)
	require.Equal(t, store.Counts().Requests, st.Requests)
	require.Equal(t, st.BytesRead, st.BytesData+st.BytesFooters+st.BytesIndex)
	for _, n := range []int64{st.BytesData, st.BytesFooters, st.BytesIndex, st.PagesDecoded} {
		require.Positive(t, n, "%+v", st)
	}
	_, all := collect(t, e, tt.table, Request{})
	require.Greater(t, all.Stats().PagesDecoded, st.PagesDecoded)
	require.InDelta(t, st.TotalMillis, st.PlanMillis+st.ReadMillis, 0.01)
	require.LessOrEqual(t, st.MetadataMillis+st.IndexMillis, st.PlanMillis+0.01)
}
