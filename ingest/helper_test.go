package ingest

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
)

// A lake is a catalog over a store.
type lake struct {
	store   storage.Store
	catalog *catalog.Catalog
}

// newLake makes a lake in memory, with a catalog that reaches the store through wrap.
func newLake(t testing.TB, store storage.Store) *lake {
	if store == nil {
		store = mem.New()
	}
	c, err := catalog.Open(context.Background(), catalog.Options{Store: store, URI: "sqlite://" + filepath.Join(t.TempDir(), "catalog.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return &lake{store: store, catalog: c}
}

func (l *lake) create(t testing.TB, spec catalog.TableSpec) *catalog.Table {
	spec.Name = cmp.Or(spec.Name, "logs")
	table, err := l.catalog.Create(context.Background(), spec)
	require.NoError(t, err)
	return table
}

func (l *lake) load(t testing.TB) *catalog.Table {
	table, err := l.catalog.Load(context.Background(), "logs")
	require.NoError(t, err)
	return table
}

func (l *lake) writer(t testing.TB, table *catalog.Table, opts Options) *Writer {
	w, err := NewWriter(context.Background(), table, l.store, opts)
	require.NoError(t, err)
	return w
}

// rows returns all rows of the table, file by file, rendered with render, and checks each file.
func (l *lake) rows(t testing.TB, table *catalog.Table) []string {
	var all []string
	for _, rows := range l.files(t, table) {
		all = append(all, rows...)
	}
	return all
}

// files returns the rows of each file of the table. It checks that files are sorted, hold one day, and have a sidecar if the table has an index.
func (l *lake) files(t testing.TB, table *catalog.Table) map[string][]string {
	ctx := context.Background()
	files, err := table.Files(ctx)
	require.NoError(t, err)
	out := map[string][]string{}
	for _, f := range files {
		name, ok := storage.NameOf(l.store, f.Path)
		require.True(t, ok, f.Path)
		file, err := format.Open(ctx, l.store, name, f.Size, nil)
		require.NoError(t, err)
		require.EqualValues(t, f.Rows, file.Rows())
		require.True(t, file.Sorted())
		require.Equal(t, table.SortOrderID(), f.SortOrderID)
		var ids []int
		for _, field := range file.Schema().Fields {
			ids = append(ids, field.ID)
		}
		last := int64(-1 << 63)
		for batch, err := range file.Read(ctx, ids, []format.RowRange{{Start: 0, End: file.Rows()}}, format.ReadOptions{}) {
			require.NoError(t, err)
			for i, micros := range batch.Columns[0].Ints {
				require.LessOrEqual(t, last, micros)
				last = micros
				day, _ := instant{micros: micros}.day()
				require.EqualValues(t, f.Partition[catalog.PartitionDay], day)
				out[f.Path] = append(out[f.Path], render(batch, i))
			}
		}
		require.Contains(t, f.Path, "/data/log_date=")
		require.EqualValues(t, f.Rows, len(out[f.Path]))
	}
	return out
}

// checkSidecars opens the sidecar of every file.
func (l *lake) checkSidecars(t testing.TB, table *catalog.Table) {
	ctx := context.Background()
	files, err := table.Files(ctx)
	require.NoError(t, err)
	for _, f := range files {
		uri, err := index.SidecarName(f.Path, table.Location(), table.IndexLocation())
		require.NoError(t, err)
		name, ok := storage.NameOf(l.store, uri)
		require.True(t, ok, uri)
		_, err = index.Open(ctx, l.store, name, index.Identity{DataFile: path.Base(f.Path), Rows: uint32(f.Rows)})
		require.NoError(t, err)
	}
}

// objects returns the names of data files and sidecars in the store.
func (l *lake) objects(t testing.TB) (names []string) {
	for info, err := range l.store.List(context.Background(), "") {
		require.NoError(t, err)
		if strings.HasSuffix(info.Name, ".parquet") || strings.HasSuffix(info.Name, ".puffin") {
			names = append(names, info.Name)
		}
	}
	return names
}

// numbered makes JSON lines of n rows, in disorder over some days, whose host is their number; want is how rows renders them.
func numbered(n int) (lines, want []string) {
	for i := range n {
		day, second := i*7%3, i*7919%86400
		lines = append(lines, fmt.Sprintf(`{"ts":"2026-01-%02dT%02d:%02d:%02dZ","host":"%06d","msg":"row number %d of many"}`,
			1+day, second/3600, second/60%60, second%60, i, i))
		want = append(want, fmt.Sprintf("_timestamp=%d host=%06d log_msg=row number %d of many", (1767225600+int64(day)*86400+int64(second))*1e6, i, i))
	}
	return lines, want
}

// byNumber sorts rendered rows of numbered by their number.
func byNumber(rows []string) []string {
	number := func(row string) string { return row[strings.Index(row, " host="):] }
	slices.SortFunc(rows, func(a, b string) int { return strings.Compare(number(a), number(b)) })
	return rows
}
