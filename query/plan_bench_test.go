package query

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
)

// manyFiles is a table of n files, one after the other in time, ten minutes each. Only the first is stored.
func manyFiles(t testing.TB, n int) *testTable {
	const span = 600 * 1_000_000
	r := rand.New(rand.NewPCG(77, 0))
	tt := makeTable(t, r, tableSpec{files: 1, rowsPerFile: 50, overlap: true})
	f := tt.files[0]
	added := make([]catalog.NewFile, 0, n)
	for i := range n {
		at := time.UnixMicro(19_675 * 86_400_000_000).Add(time.Duration(i) * 10 * time.Minute)
		for k := range f.records {
			f.records[k].cells = maps.Clone(f.records[k].cells)
			f.records[k].cells["_timestamp"] = at.UnixMicro() + int64(k)*span/int64(len(f.records))
		}
		g := testFile{uri: fmt.Sprintf("%s/data/d=%d/many-%05d.parquet", tt.table.Location(), at.Unix()/86_400, i), records: f.records}
		footer := tt.write(t, tt.table, &g, format.WriterOptions{})
		added = append(added, catalog.NewFile{Path: g.uri, Size: footer.Size, ParquetMetadata: footer.Metadata,
			Partition: map[string]any{catalog.PartitionDay: int32(at.Unix() / 86_400)}})
	}
	var err error
	tt.table, err = tt.table.Append(context.Background(), added, catalog.AppendOptions{})
	require.NoError(t, err)
	return tt
}

// BenchmarkPlan shows what planning costs when everything is known: the metadata, the sidecars, the footers.
func BenchmarkPlan(b *testing.B) {
	ctx := context.Background()
	from := time.UnixMicro(19_675 * 86_400_000_000).Add(5 * time.Hour)
	for _, n := range []int{100, 10_000} {
		var tt *testTable
		for _, q := range []struct {
			name    string
			request Request
		}{
			{"window", Request{From: from, To: from.Add(10 * time.Minute), Predicate: HasToken{Col("log_msg"), "needle"}}},
			{"nowhere", Request{Predicate: HasToken{Col("log_msg"), "nowhere0815"}}},
			{"newest", Request{Limit: 200}},
		} {
			b.Run(fmt.Sprintf("%d/%s", n, q.name), func(b *testing.B) {
				if tt == nil {
					tt = manyFiles(b, n)
				}
				e := NewEngine(tt.store, EngineOptions{})
				_, err := e.Plan(ctx, tt.table, q.request)
				require.NoError(b, err)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := e.Plan(ctx, tt.table, q.request); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
