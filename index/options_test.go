package index

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index/analyzer"
)

func TestOptionsFromProperties(t *testing.T) {
	columns := map[string]int{"log_msg": 6, "host": 4, "trace_id": 5, "a.b": 12}
	o, err := OptionsFromProperties(map[string]string{
		"firn.index.column.log_msg":  "bitmap,bloom",
		"firn.index.column.host":     " Bloom ",
		"firn.index.column.a.b":      "bitmap",
		"firn.index.column.gone":     "bitmap",
		"firn.index.column.app_id":   "nonsense", // no text column (any more)
		"firn.index.fpp":             "0.02",
		"firn.index.bitmap-fraction": "0.25",
		"firn.index.analyzer":        `{"min_digits": 1, "stop_words": "none"}`,
		"firn.index.location":        "file:///elsewhere",
		"write.format":               "parquet",
	}, columns)
	require.NoError(t, err)
	require.Equal(t, Options{
		Columns: []ColumnSpec{
			{Column: "host", FieldID: 4, Bloom: true},
			{Column: "log_msg", FieldID: 6, Bitmap: true, Bloom: true},
			{Column: "a.b", FieldID: 12, Bitmap: true},
		},
		Analyzer:          analyzer.Params{MaxTokenBytes: 40, StopWords: "none", MinDigits: 1},
		FalsePositiveRate: 0.02,
		BitmapFraction:    0.25,
	}, o)

	o, err = OptionsFromProperties(nil, columns)
	require.NoError(t, err)
	require.Empty(t, o.Columns)
	require.Equal(t, 0.01, o.FalsePositiveRate)
	require.Equal(t, 0.1, o.BitmapFraction)
	require.Equal(t, analyzer.Params{MaxTokenBytes: 40, StopWords: "none", MinDigits: 3}, o.Analyzer)

	o, err = OptionsFromProperties(map[string]string{"firn.index.column.host": "none"}, columns)
	require.NoError(t, err)
	require.Empty(t, o.Columns)

	for name, value := range map[string]string{
		"firn.index.column.log_msg":  "fst",
		"firn.index.column.host":     "none,bloom",
		"firn.index.fpp":             "one percent",
		"firn.index.bitmap-fraction": "NaN",
		"firn.index.analyzer":        `{"min_digitz": 1}`,
	} {
		_, err := OptionsFromProperties(map[string]string{name: value}, columns)
		require.ErrorIs(t, err, ErrInvalidOptions, name)
	}
	_, err = OptionsFromProperties(map[string]string{"firn.index.column.log_msg": ""}, columns)
	require.ErrorIs(t, err, ErrInvalidOptions)
}

func TestSidecarName(t *testing.T) {
	const table = "file:///lake/default/web"
	for _, c := range []struct{ file, table, location, want string }{
		{table + "/data/log_date=2026-11-22/x.parquet", table, "", table + ".index/log_date=2026-11-22/x.puffin"},
		{table + "/data/log_date=2026-11-22/app=a%2Fb/x.parquet", table + "/", "", table + ".index/log_date=2026-11-22/app=a%2Fb/x.puffin"},
		{table + "/data/x.parquet", table, "s3://b/i/", "s3://b/i/x.puffin"},
		{"/lake/default/web/data/x.parquet", table, "", table + ".index/x.puffin"},
		{"file:/lake/default/web/data/x.parquet", "/lake/default/web", "", "/lake/default/web.index/x.puffin"},
		{"s3://b/t/data/x.parquet", "s3://b/t", "", "s3://b/t.index/x.puffin"},
	} {
		got, err := SidecarName(c.file, c.table, c.location)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}

	// Files of other writers and odd names get names of their own, each its own and always the same.
	seen := map[string]string{}
	for _, file := range []string{
		"file:///lake/default/web2/data/x.parquet", table + "/x.parquet", table + "/data/x.orc", table + "/data/x", table + "/data/../x.parquet",
		table + "/data/a/../../x.parquet", table + "/data/.parquet", table + "/data//x.parquet", table + "/data/a/./x.parquet",
		"s3://b/t/data/x.parquet", table + "/data/foreign/x.parquet", table + "/data/a/.parquet",
	} {
		got, err := SidecarName(file, table, "")
		require.NoError(t, err)
		require.Regexp(t, `^file:///lake/default/web\.index/(foreign/[0-9a-f]{32}|a/)\.puffin$`, got, file)
		require.Empty(t, seen[got], "%s and %s", seen[got], file)
		seen[got] = file
	}
	_, err := SidecarName("", table, "")
	require.ErrorIs(t, err, ErrInvalidOptions)
	_, err = SidecarName("x", "", "")
	require.ErrorIs(t, err, ErrInvalidOptions)
}
