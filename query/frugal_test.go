package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/storage"
)

// spy notes which objects are read, and how much of them.
type spy struct {
	storage.Store
	bytes    map[string]int64
	requests map[string]int
}

func newSpy(s storage.Store) *spy {
	return &spy{Store: s, bytes: map[string]int64{}, requests: map[string]int{}}
}

func (s *spy) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	s.bytes[name] += int64(len(p))
	s.requests[name]++
	return s.Store.ReadAt(ctx, name, p, off)
}

func (s *spy) ReadTail(ctx context.Context, name string, p []byte) (int, int64, error) {
	n, size, err := s.Store.ReadTail(ctx, name, p)
	s.bytes[name] += int64(n)
	s.requests[name]++
	return n, size, err
}

func (s *spy) reset() {
	clear(s.bytes)
	clear(s.requests)
}

// sum adds what was read of the objects with this suffix.
func (s *spy) sum(suffix string) (requests int, bytes int64) {
	for name, n := range s.requests {
		if strings.HasSuffix(name, suffix) {
			requests, bytes = requests+n, bytes+s.bytes[name]
		}
	}
	return requests, bytes
}

// bigTable has eight files of two days, one after the other in time, with needles in single rows of two of them.
func bigTable(t *testing.T) *testTable {
	r := rand.New(rand.NewPCG(20, 0))
	n := 0
	return makeTable(t, r, tableSpec{files: 8, rowsPerFile: 6000, options: format.WriterOptions{RowGroupRows: 3000, PageBytes: 4096},
		edit: func(rec *record) {
			rec.cells["log_msg"] = fmt.Sprintf("request %d of user u%d took %dms %x", n, n%977, n%1000, r.Uint64())
			if n == 7000 || n == 25_000 {
				rec.cells["log_msg"] = "the needle in the haystack"
			}
			if n%2 == 0 {
				rec.cells["log_msg"] = rec.cells["log_msg"].(string) + " frequent"
			}
			n++
		}})
}

func TestReadsAreFrugal(t *testing.T) {
	tt := bigTable(t)
	watch := newSpy(tt.store)
	e := NewEngine(watch, EngineOptions{Parallelism: 1})
	ctx := context.Background()
	dataBytes := int64(0)
	for _, f := range tt.files {
		dataBytes += int64(len(tt.bytesOf(t, f.name)))
	}

	t.Run("a word that is nowhere costs one read of each sidecar, once", func(t *testing.T) {
		watch.reset()
		scan, err := e.Plan(ctx, tt.table, Request{Predicate: msg("nowhere")})
		require.NoError(t, err)
		n, err := scan.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		requests, _ := watch.sum(".puffin")
		require.Equal(t, 8, requests)
		requests, _ = watch.sum(".parquet")
		require.Zero(t, requests)
		st := scan.Stats()
		require.EqualValues(t, 8, st.Requests)
		require.EqualValues(t, 8, st.SidecarMisses)
		require.Equal(t, map[SkipReason]int{SkipTokenBloom: 8}, st.FilesSkipped)
		scan, err = e.Plan(ctx, tt.table, Request{Predicate: msg("nowhere")})
		require.NoError(t, err)
		st = scan.Stats()
		require.Zero(t, st.Requests)
		require.EqualValues(t, 8, st.SidecarHits)
	})

	t.Run("a needle is counted without reading rows", func(t *testing.T) {
		watch.reset()
		scan, err := e.Plan(ctx, tt.table, Request{Predicate: msg("needle"), Limit: 100})
		require.NoError(t, err)
		n, err := scan.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		st := scan.Stats()
		require.Equal(t, map[SkipReason]int{SkipTokenBloom: 6, SkipAnswered: 2}, st.FilesSkipped)
		requests, _ := watch.sum(".parquet")
		require.Zero(t, requests)
		require.Zero(t, st.RowsDecoded)
	})

	t.Run("a needle is fetched by few pages", func(t *testing.T) {
		watch.reset()
		rows, scan := collect(t, e, tt.table, Request{Predicate: msg("needle"), Limit: 100})
		require.Len(t, rows, 2)
		st := scan.Stats()
		require.Equal(t, 2, st.FilesRead, "the files with the rows: all sidecars are in memory")
		require.EqualValues(t, 2, st.RowsDecoded)
		requests, bytes := watch.sum(".parquet")
		require.Less(t, requests, 14)
		require.Less(t, bytes, dataBytes/4, "of %d", dataBytes)
	})

	t.Run("time prunes by the table's metadata", func(t *testing.T) {
		watch.reset()
		from := tt.matches(Request{Order: NewestFirst})[3000]
		at := timestampOf(tt.record(from))
		rows, scan := collect(t, e, tt.table, Request{From: at, Columns: []string{"trace_id"}})
		require.Equal(t, tt.ids(tt.matches(Request{From: at})), idsOf(rows))
		st := scan.Stats()
		require.Positive(t, st.FilesSkipped[SkipPartition])
		require.Equal(t, len(watch.bytes), st.FilesRead)
	})

	t.Run("a certain time window is counted without reading rows", func(t *testing.T) {
		all := tt.matches(Request{Order: OldestFirst})
		from, to := timestampOf(tt.record(all[1000])), timestampOf(tt.record(all[40_000]))
		scan, err := e.Plan(ctx, tt.table, Request{From: from, To: to})
		require.NoError(t, err)
		n, err := scan.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, len(tt.matches(Request{From: from, To: to})), n)
		require.Less(t, scan.Stats().RowsDecoded, int64(12_000), "only pages at the ends of the window")
	})

	t.Run("a limit stops early and does not open old files", func(t *testing.T) {
		for _, order := range []Order{NewestFirst, OldestFirst} {
			for _, q := range []Request{{}, {Predicate: msg("frequent")}, {Predicate: Contains{Col("log_msg"), "frequent"}}, {Predicate: Prefix{Col("trace_id"), "0"}}} {
				watch.reset()
				q.Order, q.Limit = order, 50
				rows, scan := collect(t, e, tt.table, q)
				require.Len(t, rows, 50)
				st := scan.Stats()
				require.LessOrEqual(t, st.FilesRead, 2, "%+v", st)
				require.GreaterOrEqual(t, st.FilesSkipped[SkipNotReached], 6)
				require.Less(t, st.RowsDecoded, int64(3000))
				read := 0
				for name := range watch.bytes {
					if strings.HasSuffix(name, ".parquet") {
						read++
					}
				}
				require.LessOrEqual(t, read, 2)
			}
		}
	})

	t.Run("few columns cost few bytes", func(t *testing.T) {
		read := func(columns ...string) int64 {
			_, scan := collect(t, e, tt.table, Request{Columns: columns})
			return scan.Stats().BytesRead
		}
		require.Less(t, read("level"), read()/4)
	})
}

func TestFrequentTokensAreCountedByTheIndex(t *testing.T) {
	tt := bigTable(t)
	e := NewEngine(tt.store, EngineOptions{})
	for _, q := range []Predicate{msg("request"), Not{msg("request")}, msg("frequent")} {
		scan, err := e.Plan(context.Background(), tt.table, Request{Predicate: q})
		require.NoError(t, err)
		n, err := scan.Count(context.Background())
		require.NoError(t, err)
		require.EqualValues(t, len(tt.matches(Request{Predicate: q})), n)
		require.Zero(t, scan.Stats().RowsDecoded, "%s", scan.Explain())
		skipped := scan.Stats().FilesSkipped // some files have the word in every row
		require.Equal(t, 8, skipped[SkipAnswered]+skipped[SkipTokenBitmap], "%s", q)
	}
}

func TestValueBloomFiltersPrune(t *testing.T) {
	tt := bigTable(t)
	e := NewEngine(tt.store, EngineOptions{})
	id := tt.files[3].records[4000].cells["trace_id"].(string)
	rows, scan := collect(t, e, tt.table, Request{Predicate: In{Col("trace_id"), []any{id, "nowhere"}}})
	require.Equal(t, []string{id}, idsOf(rows))
	st := scan.Stats()
	require.Equal(t, 1, st.FilesRead)
	require.GreaterOrEqual(t, st.FilesSkipped[SkipValueBloom], 5)
	require.LessOrEqual(t, st.RowsCandidate, int64(3000), "one row group is left")
	rows, scan = collect(t, e, tt.table, Request{Predicate: Equal{Col("trace_id"), id}, NoIndex: true})
	require.Equal(t, []string{id}, idsOf(rows))
	require.Zero(t, scan.Stats().FilesSkipped[SkipValueBloom])
}
