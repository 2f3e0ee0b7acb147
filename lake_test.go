package firn_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
)

// open opens a lake and closes it when the test ends.
func open(t *testing.T, location string, opts ...firn.Option) *firn.Lake {
	t.Helper()
	lake, err := firn.Open(t.Context(), location, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lake.Close()) })
	return lake
}

// fill writes a few rows through the writer and returns the table.
func fill(t *testing.T, lake *firn.Lake, name string, messages ...string) *firn.Table {
	t.Helper()
	table, err := lake.Create(t.Context(), firn.TableSpec{Name: name})
	require.NoError(t, err)
	w, err := lake.Writer(t.Context(), table, firn.WriterOptions{})
	require.NoError(t, err)
	for i, m := range messages {
		require.NoError(t, w.Append(t.Context(), firn.Record{
			Time:   time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC),
			Fields: []firn.Field{firn.F("log_msg", m), firn.F("level", "info")},
		}))
	}
	require.NoError(t, w.Close(t.Context()))
	table, err = lake.Table(t.Context(), name)
	require.NoError(t, err)
	return table
}

func TestOpenLocations(t *testing.T) {
	for _, name := range []string{"lake", "with space", "ünï", "a=b&c", "comma,(x)", "percent%20"} {
		dir := filepath.Join(t.TempDir(), name)
		lake := open(t, dir)
		fill(t, lake, "web", "one")
		for _, location := range []string{dir, dir + "/", "file://" + dir, "file:" + dir, "file://localhost" + dir} {
			again := open(t, location, firn.MustExist())
			names, err := again.Tables(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{"default.web"}, names, location)
			n, err := again.Count(t.Context(), "web", "one", firn.Request{})
			require.NoError(t, err, location)
			require.EqualValues(t, 1, n, location)
		}
	}
	// A relative path and a symbolic link lead to the same tables.
	dir := t.TempDir()
	t.Chdir(dir)
	fill(t, open(t, "./lake"), "web", "one")
	require.NoError(t, os.Symlink(filepath.Join(dir, "lake"), filepath.Join(dir, "link")))
	n, err := open(t, "link").Count(t.Context(), "web", "*", firn.Request{})
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

func TestOpenRefuses(t *testing.T) {
	for _, location := range []string{"", "s3://bucket/lake", "hdfs://host/lake", "file:relative", "file://host/lake"} {
		_, err := firn.Open(t.Context(), location)
		require.ErrorIs(t, err, firn.ErrInvalid, location)
	}
	for _, name := range []string{"question?mark", "hash#x"} { // Iceberg's readers do not agree on them in locations
		_, err := firn.Open(t.Context(), filepath.Join(t.TempDir(), name))
		require.ErrorIs(t, err, firn.ErrInvalid, name)
	}
	dir := filepath.Join(t.TempDir(), "none")
	_, err := firn.Open(t.Context(), dir, firn.MustExist())
	require.ErrorIs(t, err, firn.ErrNoLake)
	require.NoDirExists(t, dir)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = firn.Open(t.Context(), file)
	require.Error(t, err)
	_, err = firn.Open(t.Context(), file, firn.MustExist())
	require.Error(t, err)
}

func TestLakeEndToEnd(t *testing.T) {
	lake := open(t, t.TempDir())
	table := fill(t, lake, "web", "disk is full", "disk is fine", "network is down")
	_, err := lake.Create(t.Context(), firn.TableSpec{Name: "web"})
	require.ErrorIs(t, err, firn.ErrTableExists)
	_, err = lake.Table(t.Context(), "other")
	require.ErrorIs(t, err, firn.ErrTableNotFound)

	var got []string
	for row, err := range lake.Search(t.Context(), "web", "disk", firn.Request{Columns: []string{"log_msg"}, Order: firn.OldestFirst}) {
		require.NoError(t, err)
		text, err := row.MarshalJSON()
		require.NoError(t, err)
		got = append(got, string(text))
	}
	require.Equal(t, []string{`{"log_msg":"disk is full"}`, `{"log_msg":"disk is fine"}`}, got)

	// The predicate of the request is added to the text.
	n, err := lake.Count(t.Context(), "web", "disk", firn.Request{Predicate: firn.Contains{Column: firn.Col("log_msg"), Text: "fu"}})
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	for _, err := range lake.Search(t.Context(), "web", `"open`, firn.Request{}) {
		require.ErrorIs(t, err, firn.ErrSyntax)
	}
	for _, err := range lake.Search(t.Context(), "none", `*`, firn.Request{}) {
		require.ErrorIs(t, err, firn.ErrTableNotFound)
	}

	// Plan, then stop: the tasks are there, and no data was read.
	scan, err := lake.Plan(t.Context(), table, firn.Request{Predicate: firn.HasToken{Column: firn.Col("log_msg"), Text: "network"}, ForceIndex: true})
	require.NoError(t, err)
	require.Len(t, scan.Tasks(), 1)
	require.Zero(t, scan.Stats().RowsDecoded)

	report, err := lake.Verify(t.Context(), table, firn.VerifyOptions{})
	require.NoError(t, err)
	require.True(t, report.OK, "%+v", report.Problems)
	sidecars, bytes, err := lake.IndexSize(t.Context(), table)
	require.NoError(t, err)
	require.EqualValues(t, 3, sidecars)
	require.Positive(t, bytes)
	plan, err := lake.PlanIndex(t.Context(), table, firn.IndexOptions{})
	require.NoError(t, err)
	require.Equal(t, 3, plan.Good)
	require.True(t, strings.HasPrefix(table.Location(), lake.URI()))

	require.NoError(t, lake.Drop(t.Context(), "web"))
	names, err := lake.Tables(t.Context())
	require.NoError(t, err)
	require.Empty(t, names)
}

func TestIndexProperties(t *testing.T) {
	for _, test := range []struct {
		kinds []firn.IndexKind
		value string
		back  []firn.IndexKind
	}{
		{nil, "none", nil},
		{[]firn.IndexKind{firn.IndexNone}, "none", nil},
		{[]firn.IndexKind{firn.IndexBloom}, "bloom", []firn.IndexKind{firn.IndexBloom}},
		{[]firn.IndexKind{firn.IndexBloom, firn.IndexBitmap, firn.IndexBloom}, "bitmap,bloom", []firn.IndexKind{firn.IndexBitmap, firn.IndexBloom}},
	} {
		key, value := firn.IndexProperty("host", test.kinds...)
		require.Equal(t, "firn.index.column.host", key)
		require.Equal(t, test.value, value)
		require.Equal(t, test.back, firn.IndexKinds(map[string]string{key: value}, "host"))
	}
	key, value := firn.ValueBloomProperty("user")
	require.True(t, firn.HasValueBloom(map[string]string{key: value}, "user"))
	require.False(t, firn.HasValueBloom(nil, "user"))
}
