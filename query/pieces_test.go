package query

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

// TestReadingsStopAtCertainRows: where enough rows are known to match, none behind them is looked at.
func TestReadingsStopAtCertainRows(t *testing.T) {
	tt := bigTable(t)
	e := NewEngine(tt.store, EngineOptions{Parallelism: 1})
	for _, order := range []Order{NewestFirst, OldestFirst} {
		request := Request{Predicate: msg("frequent"), Order: order, ForceIndex: true}
		collect(t, e, tt.table, request) // brings the sidecars into memory
		request.ForceIndex, request.Limit = false, 50
		rows, scan := collect(t, e, tt.table, request)
		require.Equal(t, tt.ids(tt.matches(request))[:50], idsOf(rows))
		require.LessOrEqual(t, scan.Stats().RowsDecoded, int64(2*50))
	}
}

func TestSpanOfCertain(t *testing.T) {
	const rows = 500
	r := rand.New(rand.NewPCG(22, 0))
	for range 300 {
		ranges := randomRanges(r, rows)
		must := rowsInRanges(rows, ranges)
		rest := []format.RowRange{{Start: r.Uint32N(rows / 2), End: rows/2 + 1 + r.Uint32N(rows/2)}}
		c := &cursor{view: &fileView{bounds: bounds{must: must, may: index.AllRows(rows)}}, rest: rest, newest: r.IntN(2) == 0}
		need := int64(1 + r.IntN(rows/4))
		want, found := int64(0), int64(0)
		for ; want < int64(rest[0].End-rest[0].Start) && found < need; want++ {
			row := rest[0].Start + uint32(want)
			if c.newest {
				row = rest[0].End - 1 - uint32(want)
			}
			if must.Contains(row) {
				found++
			}
		}
		got, ok := c.spanOfCertain(need)
		require.Equal(t, found == need, ok)
		if ok {
			require.Equal(t, want, got)
		}
	}
}

func randomRanges(r *rand.Rand, rows uint32) (ranges []format.RowRange) {
	for at := r.Uint32N(9); at < rows; {
		end := min(rows, at+1+r.Uint32N(9))
		ranges = append(ranges, format.RowRange{Start: at, End: end})
		at = end + 1 + r.Uint32N(40)
	}
	return ranges
}
