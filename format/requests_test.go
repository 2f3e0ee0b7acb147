package format

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage/metered"
)

// TestRequests counts the requests and bytes that reading costs.
func TestRequests(t *testing.T) {
	c := generatedCorpus(60_000)
	data, _ := writeFile(t, logSchema(), WriterOptions{RowGroupRows: 15_000, BloomColumns: []string{"trace_id"}}, c.batch)
	store := metered.New(storeBytes(t, data))
	for _, size := range []int64{0, int64(len(data))} {
		store.Reset()
		_, err := Open(t.Context(), store, "f.parquet", size, nil)
		require.NoError(t, err)
		require.Equal(t, int64(1), store.Counts().Requests, "open is one request")
		require.Zero(t, store.Counts().Stats)
		require.LessOrEqual(t, store.Counts().BytesRead, int64(tailBytes))
	}
	f, err := Open(t.Context(), store, "f.parquet", int64(len(data)), nil)
	require.NoError(t, err)

	cost := func(what string, requests, bytes int64, do func()) {
		t.Helper()
		store.Reset()
		do()
		got := store.Counts()
		t.Logf("%s: %d requests, %d bytes of %d", what, got.Requests, got.BytesRead, len(data))
		require.LessOrEqual(t, got.Requests, requests, what)
		require.LessOrEqual(t, got.BytesRead, bytes, what)
	}
	read := func(ids []int, rows ...RowRange) func() {
		return func() { readRanges(t, f, ids, 0, rows...) }
	}
	cost("pages of a column, the index being in the tail", 0, 0, func() {
		_, err := f.Pages(t.Context(), 1)
		require.NoError(t, err)
	})
	cost("one row, one column", 1, 100<<10, read([]int{6}, RowRange{31_000, 31_001}))
	cost("one row, all columns", 4, 300<<10, read(fieldIDs(logSchema()), RowRange{31_000, 31_001}))
	cost("one row of each row group, one column", 4, 400<<10, read([]int{6}, RowRange{1, 2}, RowRange{16_000, 16_001}, RowRange{32_000, 32_001}, RowRange{59_999, 60_000}))
	cost("no rows", 0, 0, read([]int{6}))
	cost("empty ranges", 0, 0, read([]int{6}, RowRange{5, 5}))
	cost("no columns", 0, 0, read(nil, RowRange{0, 60_000}))
	cost("a column that the file lacks", 0, 0, func() {
		s := &Schema{Fields: []Field{{Name: "later", ID: 50, Type: TypeString}}}
		lacking, err := Open(t.Context(), storeBytes(t, data), "f.parquet", 0, s)
		require.NoError(t, err)
		require.Equal(t, 60_000, readRanges(t, lacking, []int{50}, 0, RowRange{0, 60_000}).Rows)
	})
	cost("the whole file", 4*2, int64(len(data)), read(fieldIDs(logSchema()), RowRange{0, 60_000}))
	cost("bloom filters of a column in all row groups", 1, 200<<10, func() {
		for g := range f.RowGroups() {
			_, present, err := f.BloomMayContain(t.Context(), g, 5, "x")
			require.NoError(t, err)
			require.True(t, present)
		}
	})
}

// TestLargeIndex reads a file whose page index is so large that only the parts of the wanted columns are read: no more than two
// requests a row group.
func TestLargeIndex(t *testing.T) {
	c := generatedCorpus(40_000)
	data, _ := writeFile(t, logSchema(), WriterOptions{RowGroupRows: 4000, PageBytes: 50}, c.batch)
	store := metered.New(storeBytes(t, data))
	f, err := Open(t.Context(), store, "f.parquet", 0, nil)
	require.NoError(t, err)
	require.False(t, f.indexes.whole, "the test wants a larger page index")
	before := f.SizeInMemory()
	for id := 1; id <= 7; id++ {
		store.Reset()
		_, err := f.Pages(t.Context(), id)
		require.NoError(t, err)
		require.LessOrEqual(t, store.Counts().Requests, int64(2*len(f.RowGroups())))
	}
	require.Greater(t, f.SizeInMemory(), before)
	store.Reset()
	got := readRanges(t, f, []int{6}, 0, RowRange{20_000, 20_001})
	require.Equal(t, int64(1), store.Counts().Requests)
	require.Equal(t, string(c.batch.Columns[5].Texts[20_000]), string(got.Columns[0].Texts[0]))
}

// TestConcurrentReads reads one File from several goroutines.
func TestConcurrentReads(t *testing.T) {
	c := generatedCorpus(5000)
	data, _ := writeFile(t, logSchema(), WriterOptions{RowGroupRows: 900, PageBytes: 2000, BloomColumns: []string{"trace_id"}}, c.batch)
	f := openBytes(t, data, nil)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			lo := uint32(g * 500)
			rows := []RowRange{{lo, lo + 700}, {lo + 900, lo + 901}}
			got := readRanges(t, f, fieldIDs(logSchema()), 300, rows...)
			for i := range got.Columns {
				requireSameColumn(t, gather(c.batch.Columns[i], rows), got.Columns[i])
			}
			for id := 1; id <= 7; id++ {
				_, err := f.Pages(t.Context(), id)
				require.NoError(t, err)
				_, _, err = f.BloomMayContain(t.Context(), 0, id, "x")
				require.NoError(t, err)
			}
			f.SizeInMemory()
		})
	}
	wg.Wait()
}

// TestEarlyStop leaves an iteration before its end.
func TestEarlyStop(t *testing.T) {
	c := generatedCorpus(3000)
	data, _ := writeFile(t, logSchema(), WriterOptions{RowGroupRows: 500}, c.batch)
	store := metered.New(storeBytes(t, data))
	f, err := Open(t.Context(), store, "f.parquet", 0, nil)
	require.NoError(t, err)
	store.Reset()
	for b, err := range f.Read(t.Context(), []int{6}, []RowRange{{0, 3000}}, ReadOptions{BatchRows: 10}) {
		require.NoError(t, err)
		require.Equal(t, 10, b.Rows)
		break
	}
	require.Equal(t, int64(1), store.Counts().Requests, "row groups that are not reached are not read")
}
