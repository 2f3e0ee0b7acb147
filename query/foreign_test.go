package query

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
)

func TestFilesThatOnlyClaimToBeSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(50, 0))
	refused := 0
	for range 6 {
		tt := makeTable(t, r, tableSpec{files: 3, rowsPerFile: 120, overlap: true, unsorted: func(i int) bool { return i == 1 }})
		for _, q := range []Request{{}, {Order: OldestFirst}, {Limit: 40}, {Predicate: msg("error"), Limit: 100}} {
			want := tt.ids(tt.matches(q))
			if q.Limit > 0 {
				want = want[:min(q.Limit, len(want))]
			}
			e := NewEngine(tt.store, EngineOptions{})
			rows, _ := collect(t, e, tt.table, q)
			require.Equal(t, want, idsOf(rows), "the file is sorted in memory")

			e.sizes = pieceSizes{least: 2, first: 2, most: 4, mostCheck: 4, sortCheck: 10}
			scan, err := e.Plan(context.Background(), tt.table, q)
			require.NoError(t, err)
			var ids []string
			for row, err := range scan.Rows(context.Background()) {
				if err != nil {
					require.ErrorIs(t, err, format.ErrCorrupt)
					require.ErrorContains(t, err, tt.files[0].uri[:20])
					refused++
					ids = nil
					break
				}
				ids = append(ids, row.Text("trace_id"))
			}
			if ids != nil {
				require.Equal(t, want, ids)
			}
		}
	}
	require.Less(t, refused, 24)
}

func TestSchemaEvolution(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 0))
	tt := makeTable(t, r, tableSpec{files: 4, rowsPerFile: 80, hostIndex: "bitmap,bloom", options: format.WriterOptions{RowGroupRows: 30, PageBytes: 300}})
	ctx := context.Background()
	e := NewEngine(tt.store, EngineOptions{})
	_, before := collect(t, e, tt.table, Request{Predicate: Compare{Col("small"), Less, 1}})
	table, err := tt.table.UpdateSchema(ctx, catalog.AddColumn{Column: catalog.Column{Name: "region", Type: catalog.TypeString}},
		catalog.RenameColumn{From: "host", To: "machine"}, catalog.WidenColumn{Name: "small", Type: catalog.TypeLong},
		catalog.WidenColumn{Name: "ratio", Type: catalog.TypeDouble})
	require.NoError(t, err)
	for i := range tt.files {
		for _, rec := range tt.files[i].records {
			rec.cells["region"], rec.cells["machine"] = nil, rec.cells["host"]
			delete(rec.cells, "host")
		}
	}
	host := tt.files[0].records[0].cells["machine"]
	if host == nil {
		host = "web-1"
	}
	for _, p := range []Predicate{
		IsNull{Col("region")}, Not{IsNull{Col("region")}}, Equal{Col("region"), "x"}, Not{Equal{Col("region"), "x"}}, Prefix{Col("region"), ""},
		Equal{Col("machine"), host}, HasToken{Col("machine"), "1"}, Compare{Col("small"), Less, 1}, Equal{Col("small"), 2},
		Equal{Col("ratio"), float64(float32(0.1))},
	} {
		for _, noIndex := range []bool{false, true} {
			q := Request{Predicate: p, NoIndex: noIndex}
			rows, scan := collect(t, e, table, q)
			require.Equal(t, tt.ids(tt.matches(q)), idsOf(rows), "%s", p)
			n, err := scan.Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, len(rows), n)
		}
	}
	_, err = e.Plan(ctx, table, Request{Predicate: Equal{Col("host"), "x"}})
	require.NoError(t, err, "an old name means a key of attrs")
	rows, _ := collect(t, e, tt.table, Request{Predicate: Compare{Col("small"), Less, 1}, Limit: 5})
	require.NotEmpty(t, rows, "the old view is still there")
	require.NotEmpty(t, before.Tasks())
}
