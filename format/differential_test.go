package format

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/stretchr/testify/require"
)

// TestArrowReadsOurs reads our files by arrow-go and compares.
func TestArrowReadsOurs(t *testing.T) {
	for seed := range uint64(15) {
		r := rand.New(rand.NewPCG(seed, 2))
		s := wideSchema()
		b := randomBatch(r, s, 1+r.IntN(2000))
		data, _ := writeFile(t, s, WriterOptions{RowGroupRows: 1 + r.IntN(1500), PageBytes: 1 + r.IntN(9000)}, b)
		table, err := pqarrow.ReadTable(t.Context(), bytes.NewReader(data), parquet.NewReaderProperties(nil), pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		require.NoError(t, err)
		reader := array.NewTableReader(table, table.NumRows())
		require.True(t, reader.Next())
		got, err := BatchFromArrow(s, reader.RecordBatch())
		require.NoError(t, err)
		for i := range b.Columns {
			requireSameColumn(t, b.Columns[i], got.Columns[i])
		}
		reader.Release()
	}
}

// TestReadArrows reads files that arrow-go wrote in many ways.
func TestReadArrows(t *testing.T) {
	codecs := []compress.Compression{compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Gzip, compress.Codecs.Brotli, compress.Codecs.Zstd, compress.Codecs.Lz4Raw}
	encodings := []parquet.Encoding{parquet.Encodings.Plain, parquet.Encodings.DeltaBinaryPacked, parquet.Encodings.DeltaLengthByteArray, parquet.Encodings.DeltaByteArray, parquet.Encodings.ByteStreamSplit, parquet.Encodings.RLE}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		s := wideSchema()
		b := randomBatch(r, s, 1+r.IntN(1500))
		rec, err := b.ToArrow(s.Arrow(), nil)
		require.NoError(t, err)
		codec, encoding := codecs[r.IntN(len(codecs))], encodings[r.IntN(len(encodings))]
		version := []parquet.DataPageVersion{parquet.DataPageV1, parquet.DataPageV2}[r.IntN(2)]
		dict, index := r.IntN(2) == 0, r.IntN(2) == 0
		props := []parquet.WriterProperty{parquet.WithCompression(codec), parquet.WithDataPageVersion(version), parquet.WithDictionaryDefault(dict),
			parquet.WithDataPageSize(1 + r.Int64N(9000)), parquet.WithPageIndexEnabled(index), parquet.WithBatchSize(1 + r.Int64N(200)), parquet.WithMaxRowGroupLength(1 + r.Int64N(900))}
		sc, err := pqarrow.ToParquet(s.Arrow(), parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
		require.NoError(t, err)
		for i := range sc.NumColumns() {
			if encodingFits(encoding, sc.Column(i).PhysicalType()) {
				props = append(props, parquet.WithEncodingFor(sc.Column(i).Path(), encoding))
			}
		}
		name := fmt.Sprintf("seed %d: %v %v v%d dict %v index %v", seed, codec, encoding, version, dict, index)
		var buf bytes.Buffer
		w, err := pqarrow.NewFileWriter(s.Arrow(), &buf, parquet.NewWriterProperties(props...), pqarrow.DefaultWriterProps())
		require.NoError(t, err, name)
		require.NoError(t, w.Write(rec), name)
		require.NoError(t, w.Close(), name)
		f := openBytes(t, buf.Bytes(), s)
		require.Equal(t, uint32(b.Rows), f.Rows(), name)
		whole := RowRange{0, f.Rows()}
		t.Log(name)
		checkRows(t, seed, b, readRanges(t, f, fieldIDs(s), 500, whole), fieldIDs(s), []RowRange{whole})
		ranges := randomRanges(r, f.Rows())
		checkRows(t, seed, b, readRanges(t, f, fieldIDs(s), 0, ranges...), fieldIDs(s), ranges)
		checkForeignBounds(t, f, b)
		rec.Release()
	}
}

func encodingFits(e parquet.Encoding, t parquet.Type) bool {
	switch e {
	case parquet.Encodings.DeltaBinaryPacked:
		return t == parquet.Types.Int32 || t == parquet.Types.Int64
	case parquet.Encodings.DeltaLengthByteArray, parquet.Encodings.DeltaByteArray:
		return t == parquet.Types.ByteArray
	case parquet.Encodings.ByteStreamSplit:
		return t == parquet.Types.Int32 || t == parquet.Types.Int64 || t == parquet.Types.Float || t == parquet.Types.Double
	case parquet.Encodings.RLE:
		return t == parquet.Types.Boolean
	}
	return true
}

// checkForeignBounds checks that the bounds of a file by another writer are sound.
func checkForeignBounds(t *testing.T, f *File, whole *Batch) {
	t.Helper()
	for _, c := range whole.Columns {
		pages, err := f.Pages(t.Context(), c.Field.ID)
		require.NoError(t, err)
		for _, p := range pages {
			checkOneBounds(t, c, p.Rows, p.Bounds)
		}
		for _, g := range f.RowGroups() {
			if b, ok := g.Bounds(c.Field.ID); ok {
				checkOneBounds(t, c, RowRange{g.FirstRow, g.FirstRow + g.Rows}, b)
			}
		}
	}
}

// TestMetadata checks what other readers see in the footer: field ids, types, sorting columns, page index, statistics.
func TestMetadata(t *testing.T) {
	c := generatedCorpus(3000)
	data, footer := writeFile(t, logSchema(), WriterOptions{RowGroupRows: 1000, BloomColumns: []string{"trace_id", "host"}, Metadata: map[string]string{"k": "v"}}, c.batch)
	rd, err := file.NewParquetReader(bytes.NewReader(data))
	require.NoError(t, err)
	md := rd.MetaData()
	require.True(t, md.Equals(footer.Metadata.(*metadata.FileMetaData)))
	require.Equal(t, "v", *md.KeyValueMetadata().FindValue("k"))
	require.Equal(t, 3, md.NumRowGroups())
	require.Contains(t, md.Schema.String(), "timestamp", "logical types")
	attrs := md.Schema.Root().Field(6)
	require.Equal(t, int32(7), attrs.FieldID())
	for g := range md.NumRowGroups() {
		rg := md.RowGroup(g)
		require.Equal(t, []parquet.SortingColumn{{ColumnIdx: 0, NullsFirst: true}}, rg.SortingColumns())
		for i := range rg.NumColumns() {
			chunk, err := rg.ColumnChunk(i)
			require.NoError(t, err)
			require.NotNil(t, chunk.GetOffsetIndexLocation())
			set, err := chunk.StatsSet()
			require.NoError(t, err)
			require.True(t, set)
			bloom := i == 3 || i == 4
			require.Equal(t, bloom, chunk.BloomFilterOffset() > 0)
			require.Equal(t, i < 6, chunk.GetColumnIndexLocation() != nil)
		}
	}
	arrowSchema, err := pqarrow.FromParquet(md.Schema, nil, nil)
	require.NoError(t, err)
	back, err := SchemaFromArrow(arrowSchema)
	require.NoError(t, err)
	require.Equal(t, logSchema(), back)
}

// TestBloomLikeArrow checks our filters by arrow-go's reader, and our reader on both.
func TestBloomLikeArrow(t *testing.T) {
	c := generatedCorpus(4000)
	ours, _ := writeFile(t, logSchema(), WriterOptions{RowGroupRows: 1500, BloomColumns: []string{"trace_id", "level", "_timestamp"}}, c.batch)
	rec, err := c.batch.ToArrow(logSchema().Arrow(), nil)
	require.NoError(t, err)
	var buf bytes.Buffer
	w, err := pqarrow.NewFileWriter(logSchema().Arrow(), &buf, parquet.NewWriterProperties(parquet.WithBloomFilterEnabled(true), parquet.WithMaxRowGroupLength(1500)), pqarrow.DefaultWriterProps())
	require.NoError(t, err)
	require.NoError(t, w.Write(rec))
	require.NoError(t, w.Close())

	rd, err := file.NewParquetReader(bytes.NewReader(ours))
	require.NoError(t, err)
	blooms := rd.GetBloomFilterReader()
	for _, data := range [][]byte{ours, buf.Bytes()} {
		f := openBytes(t, data, logSchema())
		for g, group := range f.RowGroups() {
			rg, err := blooms.RowGroup(g)
			require.NoError(t, err)
			filter, err := rg.GetColumnBloomFilter(4)
			require.NoError(t, err)
			for i := group.FirstRow; i < group.FirstRow+group.Rows; i++ {
				text := c.batch.Columns[4].Texts[i]
				if text == nil {
					continue
				}
				may, present, err := f.BloomMayContain(t.Context(), g, 5, string(text))
				require.NoError(t, err)
				require.True(t, may && present)
				require.True(t, filter.CheckHash(filter.Hasher().Sum64(text)))
				may, present, err = f.BloomMayContain(t.Context(), g, 1, c.batch.Columns[0].Ints[i])
				require.NoError(t, err)
				require.True(t, may && present)
			}
			wrong := 0
			for i := range 2000 {
				may, _, err := f.BloomMayContain(t.Context(), g, 5, fmt.Sprintf("absent %d", i))
				require.NoError(t, err)
				if may {
					wrong++
				}
			}
			require.Less(t, wrong, 2000*4/100, "false positives")
			_, present, err := f.BloomMayContain(t.Context(), g, 7, "x")
			require.NoError(t, err)
			require.False(t, present)
		}
	}
	may, present, err := openBytes(t, ours, logSchema()).BloomMayContain(t.Context(), 0, 6, "x")
	require.NoError(t, err)
	require.True(t, may && !present)
}

// TestNoBloomForNulls checks that a chunk of nulls gets no filter.
func TestNoBloomForNulls(t *testing.T) {
	c := generatedCorpus(100)
	clear(c.batch.Columns[4].Texts)
	data, _ := writeFile(t, logSchema(), WriterOptions{BloomColumns: []string{"trace_id"}}, c.batch)
	_, present, err := openBytes(t, data, nil).BloomMayContain(t.Context(), 0, 5, "x")
	require.NoError(t, err)
	require.False(t, present)
}
