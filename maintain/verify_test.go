package maintain

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage/faultstore"
)

func TestVerifyGoodTable(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{
		Columns: []catalog.Column{
			{Name: "ok", Type: catalog.TypeBool}, {Name: "i", Type: catalog.TypeInt}, {Name: "l", Type: catalog.TypeLong},
			{Name: "f", Type: catalog.TypeFloat}, {Name: "d", Type: catalog.TypeDouble}, {Name: "at", Type: catalog.TypeTimestamp}, {Name: "on", Type: catalog.TypeDate},
		},
		PartitionBy: "app_id",
		Properties:  map[string]string{"write.parquet.bloom-filter-enabled.column.l": "true", "write.parquet.bloom-filter-enabled.column.at": "true"},
	})
	f.load(days(3, 500)...)
	f.load(
		`{"ts":"1969-12-31T23:59:59.999999Z","app_id":"a","msg":"before the epoch","ok":true,"i":-2147483648,"l":9223372036854775807,"f":1.5,"d":-1e300,"at":"0001-01-01","on":"1969-01-01"}`,
		`{"ts":"1754-08-30T22:43:41.128654848Z","app_id":"a","msg":"","ok":false,"i":2147483647,"l":-9223372036854775808,"f":-0.0,"d":1e300}`,
		`{"ts":"9999-12-31T23:59:59Z","msg":"ÿ\u07ff\uffff a very long text that is cut in the bounds, `+string(bytes.Repeat([]byte("long "), 5000))+`"}`,
		`{"ts":"2026-01-01T00:00:00Z","app_id":"ä/b c=%","msg":null,"trace_id":"x"}`,
	)
	r := f.verify()
	require.True(t, r.OK, "%+v", r.Problems)
	require.EqualValues(t, 1504, r.Rows)
	require.EqualValues(t, len(f.files()), r.Files)
	require.EqualValues(t, r.Files, r.Sidecars)
	require.Positive(t, r.IndexBytes)
	require.Positive(t, r.BloomValues)
	require.Positive(t, r.Pages)
	require.Empty(t, r.Notes)
	_, err := json.Marshal(r)
	require.NoError(t, err)
}

func TestVerifyEmptyTable(t *testing.T) {
	r := newFixture(t, catalog.TableSpec{}).verify()
	require.True(t, r.OK)
	require.Zero(t, r.Files)
}

// Without any text index there are no sidecars, and nothing misses them.
func TestVerifyWithoutIndexes(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{Properties: map[string]string{index.PropertyColumnPrefix + "log_msg": "none"}})
	f.load(days(2, 50)...)
	r := f.verify()
	require.True(t, r.OK, "%+v", r.Problems)
	require.Zero(t, r.Sidecars)
}

// Each way to break a table is found, under its own name.
func TestVerifyFinds(t *testing.T) {
	tests := map[string]struct {
		damage func(f *fixture)
		want   []Kind
	}{
		"missing data file":   {func(f *fixture) { f.remove(f.dataName(0)) }, []Kind{FileMissing}},
		"truncated data file": {func(f *fixture) { f.change(f.dataName(0), func(b []byte) []byte { return b[:len(b)-100] }) }, []Kind{FileSize, FileUnreadable}},
		"empty data file":     {func(f *fixture) { f.change(f.dataName(0), func([]byte) []byte { return nil }) }, []Kind{FileSize, FileUnreadable}},
		"flipped data byte":   {func(f *fixture) { f.change(f.dataName(0), flip(40)) }, []Kind{FileUnreadable}},
		"missing sidecar":     {func(f *fixture) { f.remove(f.sidecarName(0)) }, []Kind{SidecarMissing}},
		"truncated sidecar":   {func(f *fixture) { f.change(f.sidecarName(0), func(b []byte) []byte { return b[:len(b)/2] }) }, []Kind{SidecarDamaged}},
		"empty sidecar":       {func(f *fixture) { f.change(f.sidecarName(0), func([]byte) []byte { return nil }) }, []Kind{SidecarDamaged}},
		"another file's sidecar": {func(f *fixture) {
			other := f.get(f.sidecarName(1))
			f.change(f.sidecarName(0), func([]byte) []byte { return other })
		}, []Kind{SidecarForeign}},
		"sidecar of other texts": {otherTexts, []Kind{SidecarContent}},
		"new index wanted": {func(f *fixture) {
			table, err := f.table.SetProperties(f.t.Context(), map[string]string{index.PropertyColumnPrefix + "host": "bloom"})
			require.NoError(f.t, err)
			f.table = table
		}, []Kind{SidecarOutdated, SidecarOutdated}},
		"wrong size in the manifest": {func(f *fixture) {
			file, _ := f.writeFile("size", f.rows(seconds(10), word), format.WriterOptions{})
			file.Size++
			f.appendFiles(file)
		}, []Kind{FileSize}},
		"another file's statistics in the manifest": {func(f *fixture) {
			file, _ := f.writeFile("a", f.rows(seconds(10), word), format.WriterOptions{})
			_, footer := f.writeFile("b", f.rows(seconds(9), func(int) string { return "mmm" }), format.WriterOptions{})
			file.ParquetMetadata = footer.Metadata
			f.appendFiles(file)
		}, []Kind{RowCount, FileBounds, NullCount, NullCount, NullCount, ValueCount, ValueCount, ValueCount, ValueCount, ValueCount, ValueCount}},
		"wrong day": {func(f *fixture) {
			file, _ := f.writeFile("day", f.rows([]int64{january1 - 1, january1, january1 + microsADay - 1, january1 + microsADay}, word), format.WriterOptions{})
			_, footer := f.writeFile("good", f.rows(seconds(4), word), format.WriterOptions{})
			file.ParquetMetadata = footer.Metadata // the catalog would refuse the file's own
			f.appendFiles(file)
		}, []Kind{Partition, FileBounds}},
		"unsorted rows": {func(f *fixture) {
			file, _ := f.writeFile("order", f.rows([]int64{january1 + 1, january1 + 3, january1 + 2}, word), format.WriterOptions{})
			f.appendFiles(file)
		}, []Kind{SortOrder}},
		"wrong statistics of pages and row groups": {wrongStatistics, []Kind{PageBounds, RowGroupBounds}},
		"broken value bloom":                       {brokenBloom, []Kind{ValueBloom}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, catalog.TableSpec{})
			f.load(days(2, 100)...)
			require.True(t, f.verify().OK)
			test.damage(f)
			r := f.verify()
			var kinds []Kind
			for _, p := range r.Problems {
				kinds = append(kinds, p.Kind)
				require.NotEmpty(t, p.File)
				require.NotEmpty(t, p.Detail)
				require.NotEmpty(t, p.Fix)
			}
			require.ElementsMatch(t, test.want, kinds, "%+v", r.Problems)
			require.EqualValues(t, len(test.want), r.Mismatches)
		})
	}
}

// Every single flipped byte of a sidecar is found.
func TestVerifyFindsFlippedSidecarBytes(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	f.load(days(1, 50)...)
	name := f.sidecarName(0)
	good := f.get(name)
	step := max(1, len(good)/60)
	for at := 0; at < len(good); at += step {
		f.change(name, flip(at))
		r := f.verify()
		require.EqualValues(t, 1, r.Mismatches, "byte %d", at)
		require.Contains(t, []Kind{SidecarDamaged, SidecarForeign, SidecarVersion, SidecarContent}, r.Problems[0].Kind)
		f.change(name, func([]byte) []byte { return good })
	}
	require.True(t, f.verify().OK)
}

func TestVerifyNotesOrphans(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	f.load(days(1, 50)...)
	f.put("default/web/data/log_date=2026-01-01/left-over.parquet", []byte("12345"))
	f.put("default/web.index/log_date=2026-01-01/left-over.puffin", []byte("123"))
	r := f.verify()
	require.True(t, r.OK)
	require.EqualValues(t, 2, r.OrphanFiles)
	require.EqualValues(t, 8, r.OrphanBytes)
	require.Equal(t, map[NoteKind]int64{OrphanData: 1, OrphanSidecar: 1}, r.NotesByKind)
}

func TestVerifyListsAtMost(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	f.load(days(3, 10)...)
	for i := range 3 {
		f.remove(f.sidecarName(i))
	}
	r, err := Verify(t.Context(), f.store, f.table, VerifyOptions{MaxProblems: 2, Parallelism: 1})
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Mismatches)
	require.Len(t, r.Problems, 2)
	require.EqualValues(t, 1, r.ProblemsLeftOut)
}

func TestVerifyProgressAndCancel(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	f.load(days(3, 10)...)
	var last, total int64
	_, err := Verify(t.Context(), f.store, f.table, VerifyOptions{Parallelism: 1, Progress: func(done, all int64) { last, total = done, all }})
	require.NoError(t, err)
	require.Positive(t, total)
	require.Equal(t, total, last)
	_, err = Verify(cancelled(t), f.store, f.table, VerifyOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

// A storage that fails while verifying is never taken for a good table.
func TestVerifyWithFailingStorage(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	f.load(days(2, 20)...)
	f.files() // the manifests come from the catalog's own store
	for n := int64(0); ; n++ {
		faulty := faultstore.New(f.store, faultstore.Fault{At: n})
		r, err := Verify(t.Context(), faulty, f.table, VerifyOptions{Parallelism: 1})
		if faulty.Fired() == 0 {
			require.NoError(t, err)
			require.True(t, r.OK)
			require.Positive(t, n)
			return
		}
		require.True(t, err != nil || !r.OK, "operation %d failed and nobody noticed", n)
	}
}

func word(i int) string { return fmt.Sprintf("text-%d", i) }

// flip returns what inverts the bits of one byte.
func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at] ^= 0xff
		return b
	}
}

// otherTexts gives the first file a sidecar that is whole, claims to be its own, and was built from other texts.
func otherTexts(f *fixture) {
	l, err := newLayout(f.store, f.table)
	require.NoError(f.t, err)
	builder, err := index.NewBuilder(l.wanted)
	require.NoError(f.t, err)
	for row := range uint32(100) {
		builder.ObserveText(l.wanted.Columns[0].FieldID, row, []byte("something else"))
	}
	var sidecar bytes.Buffer
	_, err = builder.Finish(&sidecar, identity(f.files()[0], 100))
	require.NoError(f.t, err)
	f.change(f.sidecarName(0), func([]byte) []byte { return sidecar.Bytes() })
}

// wrongStatistics appends a file in which every record of the least timestamp but the delta-encoded page itself is a bit too great.
func wrongStatistics(f *fixture) {
	file, _ := f.writeFile("stats", f.rows(seconds(1000), word), format.WriterOptions{})
	f.appendFiles(file)
	was, is := make([]byte, 8), make([]byte, 8)
	binary.LittleEndian.PutUint64(was, uint64(january1))
	binary.LittleEndian.PutUint64(is, uint64(january1+1))
	f.change("default/web/data/log_date=2026-01-01/stats.parquet", func(b []byte) []byte {
		return bytes.ReplaceAll(b, was, is)
	})
}

// brokenBloom appends a file whose bloom filter lost bits: the first run of 64 bytes whose loss makes the filter deny a value.
func brokenBloom(f *fixture) {
	file, _ := f.writeFile("bloom", f.rows(seconds(1000), word), format.WriterOptions{BloomColumns: []string{catalog.ColumnTraceID}})
	f.appendFiles(file)
	name := "default/web/data/log_date=2026-01-01/bloom.parquet"
	good := f.get(name)
	for at := len(good) - 128; at > 0; at -= 64 {
		f.change(name, func(b []byte) []byte {
			clear(b[at : at+64])
			return b
		})
		r := f.verify()
		if r.MismatchesByKind[ValueBloom] == 1 && r.Mismatches == 1 {
			return
		}
		f.change(name, func([]byte) []byte { return bytes.Clone(good) })
	}
	f.t.Fatal("the filter was not found")
}
