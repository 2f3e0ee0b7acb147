package catalog

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage/local"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/metered"
)

func TestCreateLoadListDrop(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)

	names, err := l.List(ctx)
	require.NoError(t, err)
	require.Empty(t, names)
	_, err = l.Load(ctx, "web")
	require.ErrorIs(t, err, ErrTableNotFound)

	web := l.create(t, TableSpec{
		Name:        "web",
		Columns:     []Column{{Name: "status", Type: TypeInt, Doc: "HTTP status"}, {Name: "tags", Type: TypeStringMap}},
		PartitionBy: "app_id",
		Properties:  map[string]string{"owner": "ops"},
	})
	require.Equal(t, "default.web", web.Name())
	require.Equal(t, l.store.URI("default/web"), web.Location())
	require.Equal(t, l.store.URI("default/web.index"), web.IndexLocation())
	require.Equal(t, 2, web.FormatVersion())
	require.Equal(t, "app_id", web.PartitionColumn())
	require.Equal(t, []PartitionField{{"log_date", "_timestamp", "day"}, {"app_id", "app_id", "identity"}}, web.PartitionFields())
	require.Equal(t, 1, web.SortOrderID())
	require.Zero(t, web.SnapshotID())
	require.Nil(t, web.SnapshotSummary())
	require.Empty(t, mustFiles(t, web))
	require.Equal(t, "ops", web.Properties()["owner"])
	require.Equal(t, "bitmap,bloom", web.Properties()["firn.index.column.log_msg"])
	require.Equal(t, "true", web.Properties()["write.parquet.bloom-filter-enabled.column.trace_id"])
	require.NotContains(t, web.Properties(), "format-version")

	columns := web.Columns()
	require.Len(t, columns, 9)
	for i, want := range append(DefaultColumns(), Column{Name: "status", Type: TypeInt, Doc: "HTTP status"},
		Column{Name: "tags", Type: TypeStringMap}) {
		if i < len(DefaultColumns()) {
			require.Equal(t, i+1, columns[i].ID)
		}
		require.Positive(t, columns[i].ID)
		columns[i].ID = 0
		require.Equal(t, want, columns[i])
	}
	require.Equal(t, `schema:
  fields: 9
    - _timestamp: type=timestamp[us, tz=UTC]
    - app_id: type=utf8, nullable`, strings.Split(strings.ReplaceAll(stripMetadata(web), "\r", ""), "\n    - level")[0])

	same, err := l.Load(ctx, "default.web")
	require.NoError(t, err)
	require.Same(t, web, same, "an unchanged table is the same value")
	_, err = l.Create(ctx, TableSpec{Name: "web"})
	require.ErrorIs(t, err, ErrTableExists)
	l.create(t, TableSpec{Name: "shop.web"})
	names, err = l.List(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"default.web", "shop.web"}, names)

	for _, bad := range []string{"", "web.", ".web"} {
		_, err = l.Load(ctx, bad)
		require.ErrorIs(t, err, ErrInvalid)
	}
	for _, missing := range []string{"Web", "web.default", "a.b.c", "my web", "../web"} {
		_, err = l.Load(ctx, missing)
		require.ErrorIs(t, err, ErrTableNotFound, missing)
	}

	other := openLake(t, l.dir) // another process
	again, err := other.Load(ctx, "web")
	require.NoError(t, err)
	require.Equal(t, web.MetadataLocation(), again.MetadataLocation())
	require.Equal(t, web.Columns(), again.Columns())

	require.NoError(t, l.Drop(ctx, "web"))
	require.ErrorIs(t, l.Drop(ctx, "web"), ErrTableNotFound)
	_, err = again.Refresh(ctx)
	require.ErrorIs(t, err, ErrTableNotFound)
	l.create(t, TableSpec{Name: "web"})
	_, err = again.Refresh(ctx)
	require.ErrorIs(t, err, ErrTableNotFound, "a table made anew is another table")
	_, err = again.SetProperties(ctx, map[string]string{"a": "b"})
	require.ErrorIs(t, err, ErrTableNotFound)
}

func stripMetadata(t *Table) string {
	var lines []string
	for _, line := range strings.Split(t.Schema().String(), "\n") {
		if !strings.Contains(line, "metadata:") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func TestCreateRefusesWhatCannotBe(t *testing.T) {
	l := newLake(t)
	column := func(name, typ string) TableSpec {
		return TableSpec{Name: "t", Columns: []Column{{Name: name, Type: typ}}}
	}
	for name, spec := range map[string]TableSpec{
		"no name":            {},
		"dots":               {Name: "a.b.c"},
		"empty namespace":    {Name: ".b"},
		"space":              {Name: "my table"},
		"slash":              {Name: "../t"},
		"not ASCII":          {Name: "tablé"},
		"too long":           {Name: strings.Repeat("t", 201)},
		"unknown type":       column("x", "varchar"),
		"no type":            column("x", ""),
		"column name":        column("a.b", TypeString),
		"empty column name":  column("", TypeString),
		"default column":     column("LEVEL", TypeString),
		"reserved column":    column("log_date", TypeDate),
		"metadata column":    column("_file", TypeString),
		"partition column":   {Name: "t", PartitionBy: "nope"},
		"partition type":     {Name: "t", PartitionBy: ColumnTimestamp},
		"partition map":      {Name: "t", PartitionBy: ColumnAttrs},
		"reserved property":  {Name: "t", Properties: map[string]string{"format-version": "1"}},
		"reserved property2": {Name: "t", Properties: map[string]string{"current-schema": "1"}},
	} {
		_, err := l.Create(context.Background(), spec)
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	names, err := l.List(context.Background())
	require.NoError(t, err)
	require.Empty(t, names)
}

func TestOpenRefusesWhatCannotBe(t *testing.T) {
	ctx := context.Background()
	store, err := local.New(t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	for _, uri := range []string{"", "catalog.db", "sqlite:catalog.db", "sqlite://relative/catalog.db", "sqlite://:memory:",
		"sqlite:///lake/catalog.db?mode=memory", "sqlite://s3://bucket/catalog.db", "oracle://host/db", "host=x password=s3cr3t@y",
		"postgres://u:s3cr3t@host:port/db", "http://", "http://u:s3cr3t@localhost/", "https://localhost/?token=s3cr3t"} {
		_, err := Open(ctx, Options{Store: store, URI: uri})
		require.ErrorIs(t, err, ErrInvalid, uri)
		require.NotContains(t, err.Error(), "s3cr3t")
	}
	for _, uri := range []string{"hadoop:s3://bucket/lake", "s3://bucket/lake", "hdfs://namenode/lake", "file:///lake", "hive://host:9083",
		"thrift://host:9083", "glue:", "memory:"} {
		_, err := Open(ctx, Options{Store: store, URI: uri})
		require.ErrorIs(t, err, ErrUnsupported, uri)
		require.ErrorContains(t, err, "postgres://")
	}
	_, err = Open(ctx, Options{URI: "sqlite:///x"})
	require.ErrorIs(t, err, ErrInvalid)
	for _, name := range []string{"a#b", "a?b", "a%zz"} {
		store, err := local.New(filepath.Join(t.TempDir(), name))
		require.NoError(t, err)
		_, err = Open(ctx, Options{Store: store, URI: "sqlite://" + filepath.Join(store.Dir(), "catalog.db")})
		require.ErrorIs(t, err, ErrInvalid, name)
		require.NoError(t, store.Close())
	}
	notADatabase := filepath.Join(t.TempDir(), "catalog.db")
	require.NoError(t, os.WriteFile(notADatabase, []byte(strings.Repeat("this is not SQLite ", 100)), 0o644))
	_, err = Open(ctx, Options{Store: store, URI: "sqlite://" + notADatabase})
	require.ErrorContains(t, err, notADatabase)
}

func TestAwkwardDirectories(t *testing.T) {
	for _, name := range []string{"my lake", "läke", "a%20b", "a+b", "it's"} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			l := openLake(t, filepath.Join(t.TempDir(), name))
			tbl := l.create(t, TableSpec{Name: "web"})
			for range 3 {
				_, err := tbl.Append(ctx, []NewFile{l.write(t, tbl, []logRow{message("2026-11-22T10:00:00Z", "x")})}, AppendOptions{})
				require.NoError(t, err)
			}
			fresh, err := openLake(t, l.dir).Load(ctx, "web")
			require.NoError(t, err)
			files, rows := totalRows(t, fresh)
			require.Equal(t, 3, files)
			require.EqualValues(t, 3, rows)
			require.NoError(t, l.Drop(ctx, "web"))
		})
	}
}

// countedPointers counts what a database is asked.
type countedPointers struct {
	pointerStore
	gets, swaps int
}

func (c *countedPointers) get(ctx context.Context, ident table.Identifier) (string, error) {
	c.gets++
	return c.pointerStore.get(ctx, ident)
}

func (c *countedPointers) swap(ctx context.Context, ident table.Identifier, from, to string) (bool, error) {
	c.swaps++
	return c.pointerStore.swap(ctx, ident, from, to)
}

// TestFrugality pins what commits and plans cost in requests to the storage.
func TestFrugality(t *testing.T) {
	needsPointers(t)
	ctx := context.Background()
	dir, inner := t.TempDir(), mem.New()
	counted := metered.New(inner)
	l := openLakeOn(t, dir, counted)
	asked := &countedPointers{pointerStore: l.backend.(*pointerBackend).pointers}
	l.backend.(*pointerBackend).pointers = asked
	tbl := l.create(t, TableSpec{Name: "web"})
	require.EqualValues(t, 1, counted.Counts().Creates, "metadata.json")
	for i := range 3 {
		file := oneFile(t, l, tbl)
		counted.Reset()
		var err error
		tbl, err = tbl.Append(ctx, file, AppendOptions{})
		require.NoError(t, err)
		counts := counted.Counts()
		require.EqualValues(t, 3, counts.Creates, "manifest, manifest list, metadata.json")
		require.Zero(t, counts.Requests, "append %d reads nothing that this process wrote", i)
	}
	require.Equal(t, [2]int{3, 3}, [2]int{asked.gets, asked.swaps}, "a commit asks the database once and tells it once")
	cold := openLakeOn(t, dir, counted)
	counted.Reset()
	tbl, err := cold.Load(ctx, "web")
	require.NoError(t, err)
	require.EqualValues(t, 1, counted.Counts().Requests, "metadata.json")
	require.Len(t, mustFiles(t, tbl), 3)
	require.EqualValues(t, 1+1+3, counted.Counts().Requests, "the manifest list and three manifests")
	tbl, err = cold.Load(ctx, "web")
	require.NoError(t, err)
	require.Len(t, mustFiles(t, tbl), 3)
	require.EqualValues(t, 1+1+3, counted.Counts().Requests, "nothing has changed, nothing is read")
}

func TestDropDeletesFiles(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	keep := l.create(t, TableSpec{Name: "web-2"}) // its name begins with the other's
	for _, table := range []*Table{tbl, keep} {
		_, err := table.Append(ctx, []NewFile{l.write(t, table, []logRow{message("2026-11-22T10:00:00Z", "x")})}, AppendOptions{})
		require.NoError(t, err)
	}
	for _, name := range []string{"default/web.index/log_date=2026-11-22/a.puffin", "default/web/data/orphan.parquet"} {
		require.NoError(t, writeObject(ctx, l.store, name, []byte("x")))
	}
	require.NoError(t, l.Drop(ctx, "web"))
	for info, err := range l.store.List(ctx, "default/web") {
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(info.Name, "default/web-2/"), info.Name)
	}
	fresh, err := openLake(t, l.dir).Load(ctx, "web-2")
	require.NoError(t, err)
	files, _ := totalRows(t, fresh)
	require.Equal(t, 1, files)
}

func TestDropKeepsWhatIsNotItsOwn(t *testing.T) {
	needsPointers(t)
	ctx := context.Background()
	l := newLake(t)
	outside := openLake(t, t.TempDir())
	foreign := outside.create(t, TableSpec{Name: "web"})

	// Another engine registered a table whose files lie in another lake.
	pointers := l.backend.(*pointerBackend).pointers
	require.NoError(t, pointers.insert(ctx, []string{"default", "web"}, foreign.MetadataLocation()))
	_, err := l.Load(ctx, "web")
	require.ErrorIs(t, err, ErrUnsupported)
	require.ErrorIs(t, l.Drop(ctx, "web"), ErrFilesKept)
	_, err = l.Load(ctx, "web")
	require.ErrorIs(t, err, ErrTableNotFound)
	_, err = os.Stat(filepath.Join(outside.dir, "default", "web", "metadata"))
	require.NoError(t, err)

	// The index location of one table holds another table, or is the lake.
	l.create(t, TableSpec{Name: "inner.web"})
	for name, index := range map[string]string{"a": l.store.URI("inner"), "b": l.store.URI(""), "c": "s3://elsewhere/index"} {
		l.create(t, TableSpec{Name: name, Properties: map[string]string{PropertyIndexLocation: index}})
		err := l.Drop(ctx, name)
		require.ErrorIs(t, err, ErrFilesKept, name)
		require.ErrorContains(t, err, index)
	}
	_, err = openLake(t, l.dir).Load(ctx, "inner.web")
	require.NoError(t, err)

	// A table whose metadata is lost can still be dropped.
	broken := l.create(t, TableSpec{Name: "broken"})
	name, err := nameOf(l.store, broken.MetadataLocation())
	require.NoError(t, err)
	require.NoError(t, l.store.Delete(ctx, name))
	fresh := openLake(t, l.dir)
	_, err = fresh.Load(ctx, "broken")
	require.Error(t, err)
	require.ErrorIs(t, fresh.Drop(ctx, "broken"), ErrFilesKept)
}
