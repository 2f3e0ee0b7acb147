package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/local"
)

// testCatalog names the kind of catalog that the tests use: nothing for SQLite, "rest" for a REST server within the process, or the
// URI of a server (see TestSuite).
const testCatalog = "FIRN_TEST_CATALOG"

// lake is a catalog in a temporary directory.
type lake struct {
	*Catalog
	dir   string
	store storage.Store
	uri   string // of the catalog
	name  string
	now   func() time.Time
}

func discardLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

func openLake(t testing.TB, dir string) lake {
	t.Helper()
	files, err := local.New(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, files.Close()) })
	return openLakeOn(t, dir, files)
}

func openLakeOn(t testing.TB, dir string, store storage.Store) lake {
	t.Helper()
	l := lake{dir: dir, store: store}
	digest := sha256.Sum256([]byte(dir))
	switch kind := os.Getenv(testCatalog); {
	case kind == "rest":
		l.uri = restServerOf(t, dir, store).URL
	case strings.HasPrefix(kind, "http"):
		l.uri = fmt.Sprintf("%s/c/%x", kind, digest[:8])
	case kind != "":
		l.uri, l.name = kind, fmt.Sprintf("%x", digest[:8])
	default:
		l.uri = "sqlite://" + filepath.Join(dir, "catalog.db")
	}
	return l.open(t)
}

// open opens the lake once more, as another process would.
func (l lake) open(t testing.TB) lake {
	t.Helper()
	var err error
	l.Catalog, err = Open(context.Background(), Options{Store: l.store, URI: l.uri, Name: l.name, Now: l.now})
	require.NoError(t, err)
	opened := l.Catalog
	t.Cleanup(func() { require.NoError(t, opened.Close()) })
	return l
}

// onServer says whether the tests run on a REST catalog in another process, which writes files in its own way.
func onServer() bool { return strings.HasPrefix(os.Getenv(testCatalog), "http") }

// needsPointers skips a test that looks into a pointerBackend, if there is none.
func needsPointers(t testing.TB) {
	t.Helper()
	if onServer() || os.Getenv(testCatalog) == "rest" {
		t.Skip("about metadata files and pointers to them, which a REST catalog keeps to itself")
	}
}

var (
	restServersLock sync.Mutex
	restServers     = map[string]*restServer{} // by directory of the lake
)

// restServerOf returns the server of a lake, and starts it if this is the first to open the lake.
func restServerOf(t testing.TB, dir string, store storage.Store) *restServer {
	t.Helper()
	restServersLock.Lock()
	defer restServersLock.Unlock()
	if s := restServers[dir]; s != nil {
		return s
	}
	t.Cleanup(func() {
		restServersLock.Lock()
		defer restServersLock.Unlock()
		delete(restServers, dir)
	})
	require.NoError(t, os.MkdirAll(dir, 0o755))
	restServers[dir] = newRESTServer(t, dir, store)
	return restServers[dir]
}

func newLake(t testing.TB) lake { return openLake(t, t.TempDir()) }

func (l lake) create(t testing.TB, spec TableSpec) *Table {
	t.Helper()
	created, err := l.Create(context.Background(), spec)
	require.NoError(t, err)
	return created
}

// logRow is a row for tests; a nil value is null.
type logRow map[string]any

func at(text string) arrow.Timestamp {
	when, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return arrow.Timestamp(when.UnixMicro())
}

func dayOf(ts arrow.Timestamp) int32 {
	day := int64(ts) / 86_400_000_000
	if int64(ts)%86_400_000_000 < 0 {
		day--
	}
	return int32(day)
}

// record makes an Arrow record of rows. Values are of the types that the column's builder takes.
func record(t testing.TB, schema *arrow.Schema, rows []logRow) arrow.RecordBatch {
	t.Helper()
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	for i, field := range schema.Fields() {
		for _, row := range rows {
			switch b, value := builder.Field(i), row[field.Name]; b := b.(type) {
			case *array.MapBuilder:
				b.Append(true)
				entries, _ := value.(map[string]string)
				for key, text := range entries {
					b.KeyBuilder().(*array.StringBuilder).Append(key)
					b.ItemBuilder().(*array.StringBuilder).Append(text)
				}
			default:
				appendValue(t, b, value)
			}
		}
	}
	return builder.NewRecordBatch()
}

func appendValue(t testing.TB, b array.Builder, value any) {
	t.Helper()
	switch v := value.(type) {
	case nil:
		b.AppendNull()
	case string:
		b.(*array.StringBuilder).Append(v)
	case bool:
		b.(*array.BooleanBuilder).Append(v)
	case int32:
		b.(*array.Int32Builder).Append(v)
	case int64:
		b.(*array.Int64Builder).Append(v)
	case float32:
		b.(*array.Float32Builder).Append(v)
	case float64:
		b.(*array.Float64Builder).Append(v)
	case arrow.Date32:
		b.(*array.Date32Builder).Append(v)
	case arrow.Timestamp:
		b.(*array.TimestampBuilder).Append(v)
	default:
		require.Failf(t, "unknown type", "%T", value)
	}
}

// encode writes rows as Parquet, one row group each.
func encode(t testing.TB, schema *arrow.Schema, groups ...[]logRow) (content []byte, footer any) {
	t.Helper()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out,
		parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd)), pqarrow.DefaultWriterProps())
	require.NoError(t, err)
	for _, rows := range groups {
		rec := record(t, schema, rows)
		require.NoError(t, w.Write(rec))
		rec.Release()
	}
	require.NoError(t, w.Close())
	meta, err := w.FileMetadata()
	require.NoError(t, err)
	return out.Bytes(), meta
}

// write stores rows, which must be of one day, and describes the file for Append.
func (l lake) write(t testing.TB, tbl *Table, groups ...[]logRow) NewFile {
	t.Helper()
	content, footer := encode(t, tbl.Schema(), groups...)
	day := dayOf(groups[0][0][ColumnTimestamp].(arrow.Timestamp))
	uri := fmt.Sprintf("%s/data/log_date=%s/%s.parquet", tbl.Location(),
		time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly), uuid.New())
	name, ok := storage.NameOf(l.store, uri)
	require.True(t, ok)
	require.NoError(t, writeObject(context.Background(), l.store, name, content))
	return NewFile{Path: uri, Size: int64(len(content)), ParquetMetadata: footer, Partition: map[string]any{PartitionDay: day}}
}

// message is a row with a time and a text.
func message(when, text string) logRow {
	return logRow{ColumnTimestamp: at(when), ColumnMessage: text, ColumnLevel: "info"}
}

func mustFiles(t testing.TB, tbl *Table) []DataFile {
	t.Helper()
	files, err := tbl.Files(context.Background())
	require.NoError(t, err)
	return files
}

// totalRows sums the rows of the files, and requires that no file is listed twice.
func totalRows(t testing.TB, tbl *Table) (files int, rows int64) {
	t.Helper()
	seen := map[string]bool{}
	for _, file := range mustFiles(t, tbl) {
		require.False(t, seen[file.Path], "listed twice: %s", file.Path)
		seen[file.Path] = true
		rows += file.Rows
	}
	return len(seen), rows
}
