package catalog

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/local"
	"github.com/firnlog/firn/storage/mem"
)

// copies describes one stored file under many names: Append does not look at the files.
func copies(file NewFile, n int) []NewFile {
	files := make([]NewFile, n)
	for i := range files {
		files[i] = file
		files[i].Path = fmt.Sprintf("%s-%s.parquet", file.Path, uuid.New())
		files[i].Partition = maps.Clone(file.Partition)
	}
	return files
}

func BenchmarkAppend(b *testing.B) {
	ctx := context.Background()
	for _, kind := range []string{"local", "mem"} {
		b.Run(kind, func(b *testing.B) {
			var store storage.Store = mem.New()
			dir := b.TempDir()
			if kind == "local" {
				files, err := local.New(dir)
				require.NoError(b, err)
				b.Cleanup(func() { _ = files.Close() })
				store = files
			}
			l := openLakeOn(b, dir, store)
			tbl := l.create(b, TableSpec{Name: "web"})
			file := l.write(b, tbl, []logRow{message("2026-11-22T10:00:00Z", "x")})
			for b.Loop() {
				var err error
				tbl, err = tbl.Append(ctx, copies(file, 1), AppendOptions{})
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkFiles(b *testing.B) {
	ctx := context.Background()
	for _, count := range []int{1000, 10000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			l := newLake(b)
			tbl := l.create(b, TableSpec{Name: "web", Columns: typedColumns})
			file := l.write(b, tbl, []logRow{message("2026-11-22T10:00:00Z", "x")})
			file.TextBounds = textBounds(tbl)
			tbl, err := tbl.Append(ctx, copies(file, count), AppendOptions{})
			require.NoError(b, err)
			for b.Loop() {
				files, err := newTable(l.Catalog, tbl.inner).Files(ctx)
				require.NoError(b, err)
				require.Len(b, files, count)
			}
		})
	}
}

func BenchmarkDecodeManifest(b *testing.B) {
	ctx := context.Background()
	l := newLake(b)
	tbl := l.create(b, TableSpec{Name: "web"})
	file := l.write(b, tbl, []logRow{message("2026-11-22T10:00:00Z", "x")})
	file.TextBounds = textBounds(tbl)
	tbl, err := tbl.Append(ctx, copies(file, 1000), AppendOptions{})
	require.NoError(b, err)
	manifests, err := tbl.inner.CurrentSnapshot().Manifests(newFileIO(ctx, l.store, l.logger))
	require.NoError(b, err)
	content, err := tbl.readManifest(ctx, manifests[0])
	require.NoError(b, err)
	decoder := newFileDecoder(tbl)
	b.Run("firn", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := decoder.decodeManifest(manifests[0], content)
			require.NoError(b, err)
		}
	})
	b.Run("iceberg-go", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			entries, err := manifestEntries(manifests[0], content)
			require.NoError(b, err)
			_, err = decoder.decode(entries)
			require.NoError(b, err)
		}
	})
}
