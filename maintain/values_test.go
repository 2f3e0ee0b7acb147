package maintain

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/index"
)

// TestValueIndexesAreBuiltAgain checks that a sidecar with value indexes built from a data file has the bytes of the one written with it, that verify
// agrees, and that a new declaration makes sidecars outdated.
func TestValueIndexesAreBuiltAgain(t *testing.T) {
	properties := map[string]string{
		index.PropertyValueBlockRows: "10", index.PropertyValuePrefix + "attrs['n']": "bloom,range", index.PropertyValuePrefix + "map_keys(attrs)": "bloom",
		index.PropertyValuePrefix + "json_extract(log_msg,'$.a')": "range", index.PropertyValuePrefix + "_timestamp": "range", index.PropertyValuePrefix + "host": "bloom",
	}
	f := newFixture(t, catalog.TableSpec{Properties: properties})
	lines := days(2, 35)
	for i := range 20 {
		lines = append(lines, fmt.Sprintf(`{"ts":"2026-01-01T11:00:%02dZ","msg":"{\"a\":%d}","took":%d}`, i, i, i*i))
	}
	f.load(lines...)
	require.Empty(t, f.verify().Problems)
	require.Empty(t, f.plan(IndexOptions{}).Items)
	written := f.get(f.sidecarName(0))
	f.remove(f.sidecarName(0))
	_, err := f.plan(IndexOptions{}).Apply(t.Context())
	require.NoError(t, err)
	require.True(t, bytes.Equal(written, f.get(f.sidecarName(0))))

	d, err := index.Inspect(t.Context(), f.store, f.sidecarName(0), 0)
	require.NoError(t, err)
	require.Len(t, d.Values, 5)
	table, err := f.table.SetProperties(t.Context(), map[string]string{index.PropertyValuePrefix + "attrs['took']": "range"})
	require.NoError(t, err)
	f.table = table
	items := f.plan(IndexOptions{}).Items
	require.Len(t, items, 2)
	require.Equal(t, ReasonOutdated, items[0].Reason)
	require.Contains(t, items[0].Detail, "element_at(attrs,'took')")
	_, err = f.plan(IndexOptions{}).Apply(t.Context())
	require.NoError(t, err)
	require.Empty(t, f.verify().Problems)
}
