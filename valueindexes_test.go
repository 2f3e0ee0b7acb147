package firn_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/query"
)

func TestValueIndexProperty(t *testing.T) {
	key, value, err := firn.ValueIndexProperty("attrs[ 'took' ]", firn.ValueIndexBloom, firn.ValueIndexRange)
	require.NoError(t, err)
	require.Equal(t, "firn.index.value.element_at(attrs,'took')", key)
	require.Equal(t, "bloom,range", value)
	require.Equal(t, map[string][]firn.ValueIndexKind{"element_at(attrs,'took')": {firn.ValueIndexBloom, firn.ValueIndexRange}},
		firn.ValueIndexes(map[string]string{key: value, "other": "bloom"}))
	_, value, err = firn.ValueIndexProperty("status")
	require.NoError(t, err)
	require.Equal(t, "none", value)
	for _, expr := range []string{"", "lower(x)", "json_extract(log_msg,'a')"} {
		_, _, err = firn.ValueIndexProperty(expr, firn.ValueIndexBloom)
		require.ErrorIs(t, err, index.ErrInvalidOptions)
	}
	_, _, err = firn.ValueIndexProperty("status", "bitmap")
	require.ErrorIs(t, err, index.ErrInvalidOptions)
}

// TestValueIndexesEndToEnd declares value indexes, writes rows, and looks at what a search skips.
func TestValueIndexesEndToEnd(t *testing.T) {
	lake := open(t, t.TempDir())
	for expr, want := range map[string]string{"log_msg": "compared as text", "nowhere": "no column", "attrs": "is a map", "a b": "expected the end"} {
		_, err := lake.Create(t.Context(), firn.TableSpec{Name: "bad", Properties: map[string]string{index.PropertyValuePrefix + expr: "range"}})
		require.ErrorIs(t, err, index.ErrInvalidOptions)
		require.ErrorContains(t, err, want)
	}
	properties := map[string]string{}
	for _, expr := range []string{"json_extract(log_msg,'$.user.id')", "attrs['took']"} {
		key, value, err := firn.ValueIndexProperty(expr, firn.ValueIndexBloom, firn.ValueIndexRange)
		require.NoError(t, err)
		properties[key] = value
	}
	table, err := lake.Create(t.Context(), firn.TableSpec{Name: "api", Properties: properties})
	require.NoError(t, err)
	w, err := lake.Writer(t.Context(), table, firn.WriterOptions{})
	require.NoError(t, err)
	for day := range 3 {
		for i := range 700 {
			require.NoError(t, w.Append(t.Context(), firn.Record{
				Time: time.Date(2026, 1, 1+day, 0, 0, i, 0, time.UTC),
				Fields: []firn.Field{
					firn.F("log_msg", `{"user":{"id":"u`+strings.Repeat("x", day)+`"},"n":`+strings.Repeat("1", day+1)+`}`), firn.F("took", day*1000+i),
				},
			}))
		}
	}
	require.NoError(t, w.Close(t.Context()))
	for text, want := range map[string]int64{"log_msg$.user.id:ux": 700, "log_msg$.user.id:uxy": 0, "attrs.took:1005": 1, "log_msg$.n:111 attrs.took:2699": 1} {
		n, err := lake.Count(t.Context(), "api", text, firn.Request{})
		require.NoError(t, err)
		require.Equal(t, want, n, text)
	}
	table, err = lake.Table(t.Context(), "api")
	require.NoError(t, err)
	scan, err := lake.Plan(t.Context(), table, firn.Request{Predicate: firn.Compare{Column: firn.Attr("took"), Op: query.Greater, Value: 2600}})
	require.NoError(t, err)
	require.Equal(t, 2, scan.Stats().FilesSkipped[query.SkipValueIndex])
	require.EqualValues(t, 188, scan.Tasks()[0].Candidates) // the last block
}
