package catalog

import (
	"bytes"
	"compress/flate"
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
)

// elsewhere is a store that seems to lie at another place.
type elsewhere struct {
	storage.Store
	root string
}

func (e elsewhere) URI(name string) string { return strings.TrimSuffix(e.root+"/"+name, "/") }

// openGolden opens the table that pyiceberg wrote.
func openGolden(t testing.TB) *Table {
	t.Helper()
	needsPointers(t)
	ctx := context.Background()
	store := elsewhere{mem.New(), "file:///lake"}
	paths, err := filepath.Glob("testdata/pyiceberg/*")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	metadata := ""
	for _, p := range paths {
		content, err := os.ReadFile(p)
		require.NoError(t, err)
		require.NoError(t, writeObject(ctx, store, "default/web/metadata/"+filepath.Base(p), content))
		if strings.HasSuffix(p, ".metadata.json") {
			metadata = store.URI("default/web/metadata/" + filepath.Base(p))
		}
	}
	l := openLakeOn(t, t.TempDir(), store)
	require.NoError(t, l.backend.(*pointerBackend).pointers.insert(ctx, table.Identifier{"default", "web"}, metadata))
	tbl, err := l.Load(ctx, "web")
	require.NoError(t, err)
	return tbl
}

func TestTableOfPyiceberg(t *testing.T) {
	tbl := openGolden(t)
	ids := columnIDs(tbl)
	require.Equal(t, "binary", tbl.Columns()[ids["b"]-1].Type)
	files := mustFiles(t, tbl)
	require.Len(t, files, 9)
	rows := map[string]int64{}
	for _, file := range files {
		require.True(t, strings.HasPrefix(file.Path, "file:///lake/default/web/data/log_date="))
		require.False(t, file.HasDeletes)
		require.Len(t, file.Partition, 5)
		level, _ := file.Partition["level"].(string)
		rows[level] += file.Rows
		low, high := file.Lower[ids["_timestamp"]].(int64), file.Upper[ids["_timestamp"]].(int64)
		require.LessOrEqual(t, low, high)
		require.Equal(t, file.Partition["log_date"], int32(math.Floor(float64(low)/86_400_000_000)))
		if n, ok := file.Partition["n"]; ok && n != nil {
			require.Equal(t, int32(-5), n)
			require.Equal(t, int64(-5), file.Lower[ids["n"]])
			require.Equal(t, int32(-3653), file.Partition["d"])
			require.Equal(t, math.Inf(1), file.Upper[ids["x"]])
		} else {
			require.Nil(t, file.Partition["d"])
			require.NotContains(t, file.Lower, ids["n"])
			require.Equal(t, file.Rows, file.NullCounts[ids["n"]])
		}
		require.NotContains(t, file.Lower, ids["b"])
	}
	require.Equal(t, map[string]int64{"in/fo =é": 4, "": 8}, rows) // null and empty levels alike here
	require.NotEmpty(t, requireSameBothWays(t, tbl))
}

// requireSameBothWays decodes every data manifest of the table's history with firn's reader and with iceberg-go's, and returns their
// bytes.
func requireSameBothWays(t testing.TB, tbl *Table) (contents [][]byte) {
	t.Helper()
	ctx := context.Background()
	decoder := newFileDecoder(tbl)
	for _, snapshot := range tbl.inner.Metadata().Snapshots() {
		manifests, err := snapshot.Manifests(newFileIO(ctx, tbl.catalog.store, tbl.catalog.logger))
		require.NoError(t, err)
		for _, manifest := range manifests {
			if manifest.ManifestContent() != iceberg.ManifestContentData {
				continue
			}
			content, err := tbl.readManifest(ctx, manifest)
			require.NoError(t, err)
			quick, err := decoder.decodeManifest(manifest, content)
			require.NoError(t, err)
			requireSameFiles(t, decoder, manifest, content, quick)
			contents = append(contents, content)
		}
	}
	return contents
}

func requireSameFiles(t testing.TB, decoder *fileDecoder, manifest iceberg.ManifestFile, content []byte, quick []liveFile) {
	t.Helper()
	entries, err := manifestEntries(manifest, content)
	require.NoError(t, err)
	slow, err := decoder.decode(entries)
	require.NoError(t, err)
	require.Len(t, quick, len(slow))
	for i := range slow {
		for _, counts := range []*map[int]int64{&slow[i].NullCounts, &slow[i].ValueCounts, &slow[i].NaNCounts,
			&quick[i].NullCounts, &quick[i].ValueCounts, &quick[i].NaNCounts} {
			if len(*counts) == 0 {
				*counts = nil
			}
		}
		quick[i].ColumnSizes = nil // iceberg-go leaves them out of what it reads for pruning
		require.Equal(t, slow[i], quick[i])
	}
}

func TestManifestsAreReadAsIcebergReadsThem(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web", Columns: typedColumns, PartitionBy: "flag",
		Properties: map[string]string{"commit.manifest.min-count-to-merge": "3"}})
	random := rand.New(rand.NewPCG(5, 6))
	for range 10 {
		var files []NewFile
		for range 1 + random.IntN(5) {
			rows := make([]logRow, 1+random.IntN(5))
			flag := []any{true, false, nil}[random.IntN(3)]
			for i := range rows {
				rows[i] = randomRow(random, int64(random.IntN(100)-50)*86_400_000_000)
				rows[i][ColumnTimestamp] = rows[0][ColumnTimestamp]
				rows[i]["flag"] = flag
			}
			file := l.write(t, tbl, rows)
			file.Partition["flag"], file.TextBounds = flag, textBounds(tbl)
			files = append(files, file)
		}
		var err error
		tbl, err = tbl.Append(ctx, files, AppendOptions{})
		require.NoError(t, err)
	}
	contents := requireSameBothWays(t, tbl)
	require.Greater(t, len(contents), 10)
	// A schema that has changed since.
	tbl, err := tbl.UpdateSchema(ctx, WidenColumn{Name: "n_int", Type: TypeLong}, WidenColumn{Name: "n_float", Type: TypeDouble},
		RenameColumn{From: "flag", To: "bit"})
	require.NoError(t, err)
	requireSameBothWays(t, tbl)
}

// TestUnusualManifestsAreLeftToIceberg reads manifests that the quick reader does not take: the answer is the same.
func TestUnusualManifestsAreLeftToIceberg(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	for name, shape := range map[string]struct {
		version   string
		transform iceberg.Transform
		value     any
	}{
		"version 1":      {"1", iceberg.IdentityTransform{}, nil},
		"binary":         {"2", iceberg.IdentityTransform{}, []byte{1, 2}},
		"truncated text": {"2", iceberg.TruncateTransform{Width: 2}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			columnType := iceberg.Type(iceberg.PrimitiveTypes.String)
			if name == "binary" {
				columnType = iceberg.PrimitiveTypes.Binary
			}
			schema := iceberg.NewSchema(0, iceberg.NestedField{ID: 1, Name: "a", Type: columnType})
			spec := iceberg.NewPartitionSpec(iceberg.PartitionField{SourceIDs: []int{1}, FieldID: 1000, Name: "p", Transform: shape.transform})
			ident := table.Identifier{"lab", strings.ReplaceAll(name, " ", "-")}
			metadata, err := table.NewMetadata(schema, &spec, table.UnsortedSortOrder, l.store.URI(strings.Join(ident, "/")),
				iceberg.Properties{"format-version": shape.version})
			require.NoError(t, err)
			created, err := l.backend.createTable(ctx, ident, metadata)
			require.NoError(t, err)
			tbl := foreignCommit(t, l, l.view(created), func(tx *table.Transaction) error {
				b, err := iceberg.NewDataFileBuilder(created.Spec(), iceberg.EntryContentData, l.store.URI("lab/x.parquet"),
					iceberg.ParquetFile, map[int]any{1000: shape.value}, nil, nil, 7, 100)
				if err != nil {
					return err
				}
				return tx.AddDataFiles(ctx, []iceberg.DataFile{b.Build()}, nil)
			})
			files := mustFiles(t, tbl)
			require.Len(t, files, 1)
			require.EqualValues(t, 7, files[0].Rows)
			require.Equal(t, map[string]any{"p": shape.value}, files[0].Partition)
		})
	}
}

func TestDamagedManifestsAreErrors(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	tbl, err := tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.NoError(t, err)
	manifests, err := tbl.inner.CurrentSnapshot().Manifests(newFileIO(ctx, l.store, l.logger))
	require.NoError(t, err)
	content, err := tbl.readManifest(ctx, manifests[0])
	require.NoError(t, err)
	name, err := nameOf(l.store, manifests[0].FilePath())
	require.NoError(t, err)
	l.objects = nil // as a process that has read nothing yet
	for cut := 0; cut < len(content); cut += 97 {
		require.NoError(t, l.store.Delete(ctx, name))
		require.NoError(t, writeObject(ctx, l.store, name, content[:cut]))
		_, err := newTable(l.Catalog, tbl.inner).Files(ctx)
		require.Error(t, err, "cut at %d", cut)
	}
	require.NoError(t, l.store.Delete(ctx, name))
	_, err = tbl.Files(ctx)
	require.ErrorIs(t, err, storage.ErrNotExist)
	require.NoError(t, writeObject(ctx, l.store, name, content))
	require.Len(t, mustFiles(t, tbl), 1, "an error is not remembered")
}

// plainBlocks returns an Avro file with its blocks unpacked, so that a fuzzer reaches what is inside.
func plainBlocks(t testing.TB, content []byte) []byte {
	t.Helper()
	f, err := openAvro(content)
	require.NoError(t, err)
	out := bytes.Clone(content[:len(content)-len(f.rest)])
	out = bytes.Replace(out, []byte("\x14avro.codec\x0edeflate"), []byte("\x14avro.codec\x08null"), 1)
	for {
		count, values, err := f.next()
		if err != nil {
			return out
		}
		out = appendLong(appendLong(out, count), int64(len(values)))
		out = append(append(out, values...), f.sync...)
	}
}

func appendLong(out []byte, value int64) []byte {
	zigzag := uint64(value<<1) ^ uint64(value>>63)
	for zigzag >= 0x80 {
		out = append(out, byte(zigzag)|0x80)
		zigzag >>= 7
	}
	return append(out, byte(zigzag))
}

func FuzzDecodeManifest(f *testing.F) {
	tbl := openGolden(f)
	for _, content := range requireSameBothWays(f, tbl) {
		f.Add(content)
		f.Add(plainBlocks(f, content))
	}
	var bomb bytes.Buffer
	w, err := flate.NewWriter(&bomb, flate.BestCompression)
	require.NoError(f, err)
	_, err = w.Write(make([]byte, 1<<20))
	require.NoError(f, err)
	require.NoError(f, w.Close())
	f.Add(bomb.Bytes())
	decoder := newFileDecoder(tbl)
	f.Fuzz(func(t *testing.T, content []byte) {
		manifest := iceberg.NewManifestFile(2, "x", int64(len(content)), 1, 1).SequenceNum(3, 1).Build()
		quick, err := decoder.decodeManifest(manifest, content)
		if err != nil {
			return // and iceberg-go decides
		}
		entries, err := manifestEntries(manifest, content)
		if err != nil {
			return
		}
		require.Len(t, quick, len(entries))
	})
}
