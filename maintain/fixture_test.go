package maintain

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/ingest"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
)

// fixture is a table in memory that tests break.
type fixture struct {
	t       *testing.T
	store   *mem.Store
	catalog *catalog.Catalog
	table   *catalog.Table
	uri     string // of the catalog
}

func newFixture(t *testing.T, spec catalog.TableSpec) *fixture {
	t.Helper()
	f := &fixture{t: t, store: mem.New(), uri: "sqlite://" + filepath.Join(t.TempDir(), "catalog.db")}
	var err error
	f.catalog, err = catalog.Open(t.Context(), catalog.Options{Store: f.store, URI: f.uri})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.catalog.Close()) })
	if spec.Name == "" {
		spec.Name = "web"
	}
	f.table, err = f.catalog.Create(t.Context(), spec)
	require.NoError(t, err)
	return f
}

// load appends JSON lines.
func (f *fixture) load(lines ...string) {
	f.t.Helper()
	w, err := ingest.NewWriter(f.t.Context(), f.table, f.store, ingest.Options{})
	require.NoError(f.t, err)
	require.NoError(f.t, ingest.Load(f.t.Context(), w, strings.NewReader(strings.Join(lines, "\n")), ingest.LoadOptions{
		Name: "test", Rejects: func(r ingest.Reject) { f.t.Errorf("line %d rejected: %s %s", r.Line, r.Reason, r.Detail) },
	}))
	require.NoError(f.t, w.Close(f.t.Context()))
	f.refresh()
}

// days returns lines of n rows on each of some days from 2026-01-01 on.
func days(days, n int) []string {
	var lines []string
	for day := range days {
		for i := range n {
			lines = append(lines, fmt.Sprintf(`{"ts":"2026-01-%02dT10:%02d:%02dZ","level":%q,"host":"host-%d","msg":"request %d of day %d: %x","trace_id":"trace-%d-%d","n":"%d"}`,
				day+1, i/60%60, i%60, []string{"info", "error"}[i%2], i%5, i, day, i*2654435761, day, i, i))
		}
	}
	return lines
}

func (f *fixture) refresh() {
	f.t.Helper()
	table, err := f.table.Refresh(f.t.Context())
	require.NoError(f.t, err)
	f.table = table
}

func (f *fixture) files() []catalog.DataFile {
	f.t.Helper()
	files, err := f.table.Files(f.t.Context())
	require.NoError(f.t, err)
	return files
}

// dataName and sidecarName return the names in the store of the i-th data file.
func (f *fixture) dataName(i int) string {
	f.t.Helper()
	name, ok := storage.NameOf(f.store, f.files()[i].Path)
	require.True(f.t, ok)
	return name
}

func (f *fixture) sidecarName(i int) string {
	f.t.Helper()
	uri, err := index.SidecarName(f.files()[i].Path, f.table.Location(), f.table.IndexLocation())
	require.NoError(f.t, err)
	name, ok := storage.NameOf(f.store, uri)
	require.True(f.t, ok)
	return name
}

func (f *fixture) get(name string) []byte {
	f.t.Helper()
	info, err := f.store.Stat(f.t.Context(), name)
	require.NoError(f.t, err)
	content := make([]byte, info.Size)
	require.NoError(f.t, f.store.ReadAt(f.t.Context(), name, content, 0))
	return content
}

func (f *fixture) put(name string, content []byte) {
	f.t.Helper()
	w, err := f.store.Create(f.t.Context(), name)
	require.NoError(f.t, err)
	_, err = w.Write(content)
	require.NoError(f.t, err)
	require.NoError(f.t, w.Commit(f.t.Context()))
}

func (f *fixture) remove(name string) {
	f.t.Helper()
	require.NoError(f.t, f.store.Delete(f.t.Context(), name))
}

// change replaces an object by a changed copy.
func (f *fixture) change(name string, change func([]byte) []byte) {
	f.t.Helper()
	content := change(bytes.Clone(f.get(name)))
	f.remove(name)
	f.put(name, content)
}

func (f *fixture) verify() *Report {
	f.t.Helper()
	r, err := Verify(f.t.Context(), f.store, f.table, VerifyOptions{})
	require.NoError(f.t, err)
	require.Equal(f.t, r.Mismatches == 0, r.OK)
	return r
}

// rows is a batch for files that are written by hand: timestamps in µs and messages, every other column null.
func (f *fixture) rows(times []int64, message func(i int) string) *format.Batch {
	schema := f.schema()
	b := &format.Batch{Rows: len(times)}
	for _, field := range schema.Fields {
		c := format.Column{Field: field}
		switch field.Type {
		case format.TypeString:
			c.Texts = make([][]byte, len(times))
		case format.TypeStringMap:
			c.Offsets = make([]int32, len(times)+1)
		case format.TypeFloat32, format.TypeFloat64:
			c.Floats, c.Valid = make([]float64, len(times)), make([]bool, len(times))
		case format.TypeBool:
			c.Bools, c.Valid = make([]bool, len(times)), make([]bool, len(times))
		default:
			c.Ints, c.Valid = make([]int64, len(times)), make([]bool, len(times))
		}
		for i := range times {
			switch field.Name {
			case catalog.ColumnTimestamp:
				c.Ints, c.Valid = times, nil
			case catalog.ColumnMessage, catalog.ColumnTraceID:
				c.Texts[i] = []byte(message(i))
			}
		}
		b.Columns = append(b.Columns, c)
	}
	return b
}

func (f *fixture) schema() *format.Schema {
	f.t.Helper()
	schema, err := format.SchemaFromArrow(f.table.Schema())
	require.NoError(f.t, err)
	return schema
}

// writeFile stores a data file and its sidecar by hand and returns what the catalog needs to know.
func (f *fixture) writeFile(base string, b *format.Batch, opts format.WriterOptions) (catalog.NewFile, *format.Footer) {
	f.t.Helper()
	uri := f.table.Location() + "/data/log_date=2026-01-01/" + base + ".parquet"
	l, err := newLayout(f.store, f.table)
	require.NoError(f.t, err)
	builder, err := index.NewBuilder(l.wanted)
	require.NoError(f.t, err)
	opts.Observer = ingest.Observer{Builder: builder}
	var data, sidecar bytes.Buffer
	w, err := format.NewWriter(&data, f.schema(), opts)
	require.NoError(f.t, err)
	require.NoError(f.t, w.Write(b))
	footer, err := w.Close()
	require.NoError(f.t, err)
	name, ok := storage.NameOf(f.store, uri)
	require.True(f.t, ok)
	f.put(name, data.Bytes())
	builder.SetDataFileSize(footer.Size)
	_, err = builder.Finish(&sidecar, index.Identity{DataFile: base + ".parquet", Rows: uint32(footer.Rows)})
	require.NoError(f.t, err)
	sidecarURI, err := l.sidecarURI(catalog.DataFile{Path: uri})
	require.NoError(f.t, err)
	sidecarName, ok := storage.NameOf(f.store, sidecarURI)
	require.True(f.t, ok)
	f.put(sidecarName, sidecar.Bytes())
	return catalog.NewFile{
		Path: uri, Size: footer.Size, ParquetMetadata: footer.Metadata, Partition: map[string]any{catalog.PartitionDay: int32(20454)},
	}, footer
}

// january1 is 2026-01-01T00:00:00Z in µs; day 20454.
const january1 = int64(20454) * microsADay

// seconds returns n timestamps, a second apart, from 2026-01-01 on.
func seconds(n int) []int64 {
	times := make([]int64, n)
	for i := range times {
		times[i] = january1 + int64(i)*int64(time.Second/time.Microsecond)
	}
	return times
}

func (f *fixture) appendFiles(files ...catalog.NewFile) {
	f.t.Helper()
	table, err := f.table.Append(f.t.Context(), files, catalog.AppendOptions{})
	require.NoError(f.t, err)
	f.table = table
}

// cancelled returns a context that has ended.
func cancelled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
