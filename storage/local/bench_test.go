package local

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// benchName is as deep as data files lie.
const benchName = "default/web/data/log_date=2026-11-22/app_id=shop/0195d3e2.parquet"

// BenchmarkReadAt reads 64 KiB of a file that the page cache holds: through the store, and through a file opened each time.
func BenchmarkReadAt(b *testing.B) {
	s, err := New(b.TempDir())
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	require.NoError(b, storage.WriteObject(b.Context(), s, benchName, make([]byte, 1<<20)))
	p := make([]byte, 64<<10)
	b.Run("handle", func(b *testing.B) {
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			if err := s.ReadAt(b.Context(), benchName, p, 12_345); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("reopened", func(b *testing.B) {
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			s.handles.drop(benchName)
			if err := s.ReadAt(b.Context(), benchName, p, 12_345); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkWriteObject creates objects of 64 KiB with all flushes, and compares with a bare file that is flushed.
func BenchmarkWriteObject(b *testing.B) {
	data := make([]byte, 64<<10)
	b.Run("store", func(b *testing.B) {
		s, err := New(b.TempDir())
		require.NoError(b, err)
		defer func() { require.NoError(b, s.Close()) }()
		for b.Loop() {
			if err := storage.WriteObject(b.Context(), s, benchName, data); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			require.NoError(b, s.Delete(b.Context(), benchName))
			b.StartTimer()
		}
	})
	b.Run("file", func(b *testing.B) {
		name := filepath.Join(b.TempDir(), "file")
		for b.Loop() {
			f, err := os.Create(name)
			require.NoError(b, err)
			_, err = f.Write(data)
			require.NoError(b, err)
			require.NoError(b, f.Sync())
			require.NoError(b, f.Close())
		}
	})
}
