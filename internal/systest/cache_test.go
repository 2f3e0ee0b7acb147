package systest

import (
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/loggen"
	"github.com/firnlog/firn/internal/oracle"
	"github.com/firnlog/firn/internal/testservers"
)

// TestDiskCacheDamaged damages, truncates and deletes what is in the disk cache while searches use it. Answers stay what they were.
func TestDiskCacheDamaged(t *testing.T) {
	testservers.Need(t)
	c := s3Postgres(t)
	s := generated(loggen.Options{Seed: 9, Rows: 3000})
	plain := openConfig(t, c)
	table, _ := load(t, plain, settings()[3].table(t, plain, "logs", oracle.DefaultColumns()), s,
		firn.WriterOptions{BufferBytes: 2 << 20, TargetFileBytes: 64 << 10})
	m := oracle.NewMapper(oracle.DefaultColumns())
	list := questions(t, m, s, 12, 8, 31)
	want := make([]int64, len(list))
	for i, q := range list {
		want[i], _ = count(t, plain, table, q.request())
	}
	dir := t.TempDir()
	c.Cache = &firn.CacheConfig{Dir: dir, Memory: 4096}
	ask := func() {
		lake := openConfig(t, c)
		table, err := lake.Table(t.Context(), "logs")
		require.NoError(t, err)
		for i, q := range list {
			got, _ := count(t, lake, table, q.request())
			require.Equal(t, want[i], got, "%v", q)
		}
	}
	rng := rand.New(rand.NewSource(5))
	damages := map[string]func(path string) error{
		"delete":   os.Remove,
		"truncate": func(path string) error { return os.Truncate(path, rng.Int63n(5000)) },
		"flip": func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil || len(data) == 0 {
				return err
			}
			data[rng.Intn(len(data))] ^= 1 << rng.Intn(8)
			return os.WriteFile(path, data, 0o600)
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			ask()
			var damaging sync.WaitGroup
			done := make(chan struct{})
			damaging.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
						if err == nil && !d.IsDir() && rng.Intn(3) == 0 {
							_ = damage(path) // it may be gone
						}
						return nil
					})
				}
			})
			for range 3 {
				ask()
			}
			close(done)
			damaging.Wait()
			ask()
		})
	}
	t.Run("directory deleted", func(t *testing.T) {
		lake := openConfig(t, c)
		for i, q := range list {
			if i%5 == 2 {
				require.NoError(t, os.RemoveAll(dir))
			}
			table, err := lake.Table(t.Context(), "logs")
			require.NoError(t, err)
			got, _ := count(t, lake, table, q.request())
			require.Equal(t, want[i], got, "%v", q)
		}
	})
}
