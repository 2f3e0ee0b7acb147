package query

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
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

// tableSpec says what table a test wants.
type tableSpec struct {
	index       string // of log_msg, as in the table's property
	hostIndex   string // of host
	files       int
	rowsPerFile int
	partitionBy bool // also by app_id
	overlap     bool // all files in one day, over the same times
	options     format.WriterOptions
	unsorted    func(file int) bool // rows of the file are in random order
	foreign     func(file int) bool // the file does not claim to be sorted
	properties  map[string]string
	edit        func(rec *record)
}

// testTable is a small table together with the rows that it holds.
type testTable struct {
	store *mem.Store
	table *catalog.Table
	files []testFile                   // in the order of their paths
	leaf  func(r *rand.Rand) Predicate // makes the conditions of questions; nil: randomLeaf
}

type testFile struct {
	uri     string
	name    string
	sidecar string // name in the store
	records []record
}

// where is the place of a row.
type where struct {
	file, row int
}

func makeTable(t testing.TB, r *rand.Rand, spec tableSpec) *testTable {
	t.Helper()
	ctx := context.Background()
	store := mem.New()
	c, err := catalog.Open(ctx, catalog.Options{Store: store, URI: "sqlite://" + filepath.Join(t.TempDir(), "catalog.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	properties := map[string]string{index.PropertyColumnPrefix + "log_msg": cmp.Or(spec.index, "bitmap,bloom")}
	if spec.hostIndex != "" {
		properties[index.PropertyColumnPrefix+"host"] = spec.hostIndex
	}
	for k, v := range spec.properties {
		properties[k] = v
	}
	create := catalog.TableSpec{Name: "web", Properties: properties, Columns: []catalog.Column{
		{Name: "status", Type: catalog.TypeLong}, {Name: "ok", Type: catalog.TypeBool}, {Name: "took", Type: catalog.TypeDouble},
		{Name: "day", Type: catalog.TypeDate}, {Name: "small", Type: catalog.TypeInt}, {Name: "ratio", Type: catalog.TypeFloat},
	}}
	if spec.partitionBy {
		create.PartitionBy = "app_id"
	}
	table, err := c.Create(ctx, create)
	require.NoError(t, err)
	tt := &testTable{store: store}
	var added []catalog.NewFile
	for i := range spec.files {
		f, added1 := tt.makeFile(t, r, table, spec, i)
		tt.files = append(tt.files, f)
		added = append(added, added1)
	}
	if len(added) > 0 {
		table, err = table.Append(ctx, added, catalog.AppendOptions{})
		require.NoError(t, err)
	}
	tt.table = table
	slices.SortFunc(tt.files, func(a, b testFile) int { return cmp.Compare(a.uri, b.uri) })
	return tt
}

// makeFile writes one data file and its sidecar.
func (tt *testTable) makeFile(t testing.TB, r *rand.Rand, table *catalog.Table, spec tableSpec, i int) (testFile, catalog.NewFile) {
	t.Helper()
	const day = 86_400_000_000
	date := int64(19_675 + i%4)
	if spec.overlap {
		date = 19_675
	}
	start, span := date*day, int64(day/1_000_000)
	if !spec.overlap && r.IntN(2) == 0 { // a part of the day
		start, span = start+r.Int64N(20)*3600_000_000, 3600
	}
	f := testFile{}
	for range spec.rowsPerFile {
		rec := randomRecord(r, true)
		rec.cells["_timestamp"] = start + r.Int64N(span)*1_000_000
		if spec.partitionBy {
			rec.cells["app_id"] = []any{"shop", "a name of more than sixteen bytes", nil}[i%3]
		}
		if spec.edit != nil {
			spec.edit(&rec)
		}
		f.records = append(f.records, rec)
	}
	if spec.unsorted == nil || !spec.unsorted(i) {
		slices.SortStableFunc(f.records, func(a, b record) int {
			return cmp.Compare(a.cells["_timestamp"].(int64), b.cells["_timestamp"].(int64))
		})
	}
	options := spec.options
	if spec.foreign != nil && spec.foreign(i) {
		options.SortedBy = "-"
	}
	partition := map[string]any{catalog.PartitionDay: int32(date)}
	folder := fmt.Sprintf("/data/d=%d/", date)
	if spec.partitionBy {
		partition["app_id"] = f.records[0].cells["app_id"]
	}
	f.uri = table.Location() + folder + fmt.Sprintf("%04d.parquet", (i*7919)%10_007)
	footer := tt.write(t, table, &f, options)
	return f, catalog.NewFile{Path: f.uri, Size: footer.Size, ParquetMetadata: footer.Metadata, Partition: partition}
}

// write stores a data file and, if the table has a text index, its sidecar.
func (tt *testTable) write(t testing.TB, table *catalog.Table, f *testFile, options format.WriterOptions) *format.Footer {
	t.Helper()
	schema, err := format.SchemaFromArrow(table.Schema())
	require.NoError(t, err)
	texts := map[string]int{}
	for _, field := range schema.Fields {
		if field.Type == format.TypeString {
			texts[field.Name] = field.ID
		}
	}
	indexOptions, err := index.OptionsFromProperties(table.Properties(), texts)
	require.NoError(t, err)
	indexOptions.Values, err = index.ValuesFromProperties(table.Properties(), ingest.ValueColumns(schema))
	require.NoError(t, err)
	var builder *index.Builder
	if len(indexOptions.Values) > 0 || slices.ContainsFunc(indexOptions.Columns, func(c index.ColumnSpec) bool { return c.Bitmap || c.Bloom }) {
		builder, err = index.NewBuilder(indexOptions)
		require.NoError(t, err)
		options.Observer = ingest.Observer{Builder: builder}
	}
	options.BloomColumns = []string{"trace_id"}
	var data bytes.Buffer
	w, err := format.NewWriter(&data, schema, options)
	require.NoError(t, err)
	group := cmp.Or(options.RowGroupRows, format.DefaultRowGroupRows)
	for from := 0; from < len(f.records); from += group {
		require.NoError(t, w.Write(batchOf(schema, f.records[from:min(from+group, len(f.records))])))
	}
	footer, err := w.Close()
	require.NoError(t, err)
	f.name = tt.put(t, f.uri, data.Bytes())
	if builder != nil {
		var sidecar bytes.Buffer
		builder.SetDataFileSize(footer.Size)
		_, err := builder.Finish(&sidecar, index.Identity{DataFile: filepath.Base(f.uri), Rows: uint32(len(f.records))})
		require.NoError(t, err)
		uri, err := index.SidecarName(f.uri, table.Location(), table.IndexLocation())
		require.NoError(t, err)
		f.sidecar = tt.put(t, uri, sidecar.Bytes())
	}
	return footer
}

// put stores an object, in the place of one of that name if there is one, and returns its name.
func (tt *testTable) put(t testing.TB, uri string, data []byte) string {
	t.Helper()
	ctx := context.Background()
	name, ok := storage.NameOf(tt.store, uri)
	require.True(t, ok)
	require.NoError(t, tt.store.Delete(ctx, name))
	w, err := tt.store.Create(ctx, name)
	require.NoError(t, err)
	_, err = io.Copy(w, bytes.NewReader(data))
	require.NoError(t, err)
	require.NoError(t, w.Commit(ctx))
	return name
}

// bytesOf reads an object.
func (tt *testTable) bytesOf(t testing.TB, name string) []byte {
	t.Helper()
	info, err := tt.store.Stat(context.Background(), name)
	require.NoError(t, err)
	data := make([]byte, info.Size)
	require.NoError(t, tt.store.ReadAt(context.Background(), name, data, 0))
	return data
}

// record returns the row at a place.
func (tt *testTable) record(at where) record { return tt.files[at.file].records[at.row] }

// matches returns the places of the rows that a request asks for, in order.
func (tt *testTable) matches(r Request) (found []where) {
	for i, f := range tt.files {
		for j, rec := range f.records {
			at := time.UnixMicro(rec.cells["_timestamp"].(int64))
			if !r.From.IsZero() && at.Before(r.From) || !r.To.IsZero() && !at.Before(r.To) || r.Predicate != nil && !truth(r.Predicate, rec) {
				continue
			}
			found = append(found, where{i, j})
		}
	}
	slices.SortFunc(found, func(a, b where) int {
		order := cmp.Or(cmp.Compare(tt.record(a).cells["_timestamp"].(int64), tt.record(b).cells["_timestamp"].(int64)),
			cmp.Compare(a.file, b.file), cmp.Compare(a.row, b.row))
		if r.Order == NewestFirst {
			return -order
		}
		return order
	})
	return found
}

// ids returns what tells the rows apart.
func (tt *testTable) ids(places []where) []string {
	ids := make([]string, len(places))
	for i, at := range places {
		ids[i] = tt.record(at).cells["trace_id"].(string)
	}
	return ids
}

// expectedJSON returns a row as it should be printed, in another way than the package prints it.
func (rec record) expectedJSON(t testing.TB, schema *format.Schema) string {
	t.Helper()
	out := map[string]any{}
	for _, f := range schema.Fields {
		v := rec.cells[f.Name]
		switch {
		case f.Type == format.TypeStringMap:
			attrs := map[string]any{}
			for _, e := range rec.attrs {
				attrs[e.Key] = e.Value
				if e.Null {
					attrs[e.Key] = nil
				}
			}
			v = attrs
		case v == nil:
		case f.Type == format.TypeTimestamp:
			v = time.UnixMicro(v.(int64)).UTC().Format("2006-01-02T15:04:05.000000Z")
		case f.Type == format.TypeDate:
			v = time.Unix(v.(int64)*86_400, 0).UTC().Format("2006-01-02")
		case f.Type == format.TypeFloat32:
			v = float32(v.(float64))
		}
		out[f.Name] = v
	}
	text, err := json.Marshal(out)
	require.NoError(t, err)
	return string(text)
}

// collect reads all rows of a request.
func collect(t testing.TB, e *Engine, table *catalog.Table, r Request) ([]Row, *Scan) {
	t.Helper()
	scan, err := e.Plan(context.Background(), table, r)
	require.NoError(t, err)
	var rows []Row
	for row, err := range scan.Rows(context.Background()) {
		require.NoError(t, err)
		rows = append(rows, row)
	}
	return rows, scan
}

func idsOf(rows []Row) []string {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.Text("trace_id")
	}
	return ids
}

func timestampOf(rec record) time.Time { return time.UnixMicro(rec.cells["_timestamp"].(int64)) }
