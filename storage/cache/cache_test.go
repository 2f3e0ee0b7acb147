package cache

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/local"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/metered"
	"github.com/firnlog/firn/storage/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// all makes every name cacheable.
func all(string) bool { return true }

// openCache opens a cache in dir that caches every name, and closes it at the end.
func openCache(t testing.TB, inner storage.Store, opts Options) *Store {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	if opts.Cacheable == nil {
		opts.Cacheable = all
	}
	if opts.MinFree == 0 {
		opts.MinFree = -1
	}
	s, err := Open(inner, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// settle waits until what was fetched is on the disk.
func settle(s *Store) { s.work.Wait() }

// content returns n random bytes.
func content(n int, seed uint64) []byte {
	random := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	data := make([]byte, n)
	_, _ = random.Read(data)
	return data
}

// put creates an object.
func put(t testing.TB, s storage.Store, name string, data []byte) {
	t.Helper()
	require.NoError(t, storage.WriteObject(t.Context(), s, name, data))
}

// requireRead reads a range and compares it with the whole object.
func requireRead(t testing.TB, s storage.Store, name string, data []byte, off, n int) {
	t.Helper()
	p := make([]byte, n)
	require.NoError(t, s.ReadAt(t.Context(), name, p, int64(off)))
	require.True(t, string(data[off:off+n]) == string(p), "%d bytes at %d of %q are wrong", n, off, name)
}

// requireTail reads the end and compares it with the whole object.
func requireTail(t testing.TB, s storage.Store, name string, data []byte, n int) {
	t.Helper()
	p := make([]byte, n)
	got, size, err := s.ReadTail(t.Context(), name, p)
	require.NoError(t, err)
	require.EqualValues(t, len(data), size)
	require.Equal(t, min(n, len(data)), got)
	require.True(t, string(data[len(data)-got:]) == string(p[:got]), "the last %d bytes of %q are wrong", n, name)
}

// clock is a clock that is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// logged counts log records by level.
type logged struct {
	mu       sync.Mutex
	warnings []string
	infos    []string
}

func (l *logged) Enabled(context.Context, slog.Level) bool { return true }
func (l *logged) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logged) WithGroup(string) slog.Handler            { return l }
func (l *logged) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	if r.Level == slog.LevelWarn {
		l.warnings = append(l.warnings, text)
	} else {
		l.infos = append(l.infos, text)
	}
	return nil
}

func (l *logged) counts() (warnings, infos int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.warnings), len(l.infos)
}

func TestSuite(t *testing.T) {
	inners := map[string]func(t testing.TB) storage.Store{
		"mem": func(testing.TB) storage.Store { return mem.New() },
		"local": func(t testing.TB) storage.Store {
			s, err := local.New(filepath.Join(t.TempDir(), "lake"))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return s
		},
	}
	settings := map[string]Options{
		"default":        {},
		"tiny":           {Bytes: 64 << 10, Objects: 10, MemoryBytes: 16 << 10, BlockBytes: 4 << 10, OpenFiles: 2},
		"disk only":      {MemoryBytes: -1, BlockBytes: 16 << 10},
		"no directory":   {Dir: "/dev/null/cache"},
		"write-through":  {WriteThrough: 1 << 20, BlockBytes: 64 << 10},
		"revalidated":    {Revalidate: all, BlockBytes: 32 << 10},
		"always checked": {Revalidate: all, RevalidateAfter: 1},
		"not cached":     {Cacheable: func(string) bool { return false }},
	}
	for name, newInner := range inners {
		for setting, opts := range settings {
			if name == "local" && setting != "default" {
				continue // it flushes every object to the disk
			}
			t.Run(name+"/"+setting, func(t *testing.T) {
				storetest.Run(t, func(t testing.TB) storage.Store { return openCache(t, newInner(t), opts) })
			})
		}
	}
}

func TestOptions(t *testing.T) {
	for _, opts := range []Options{
		{}, {Dir: "x", Bytes: -1}, {Dir: "x", Objects: -1}, {Dir: "x", BlockBytes: 5000}, {Dir: "x", BlockBytes: 2048}, {Dir: "x", BlockBytes: 64 << 20},
	} {
		_, err := Open(mem.New(), opts)
		require.Error(t, err, "%+v", opts)
		require.ErrorContains(t, err, "open a cache of mem://")
	}
	s := openCache(t, mem.New(), Options{})
	require.Equal(t, storage.LocalTraits(), s.Traits())
	require.Equal(t, "mem:///a", s.URI("a")[:5]+"//a")
}

func TestDefaultCacheable(t *testing.T) {
	for _, name := range []string{
		"default/web/data/log_date=2026-11-22/0b6d5a3e-0b1c-4c66-9d5c-0d9b8a8d5f10.parquet",
		"default/web/metadata/00003-0b6d5a3e-0b1c-4c66-9d5c-0d9b8a8d5f10.metadata.json",
		"default/web/metadata/00003-0b6d5a3e-0b1c-4c66-9d5c-0d9b8a8d5f10.gz.metadata.json",
		"default/web/metadata/snap-7317683264421435-1-0b6d5a3e-0b1c-4c66-9d5c-0d9b8a8d5f10.avro",
		"default/web/metadata/0B6D5A3E-0B1C-4C66-9D5C-0D9B8A8D5F10-m0.avro",
		"default/web/data/00000-0-0b6d5a3e-0b1c-4c66-9d5c-0d9b8a8d5f10-00001.parquet",
		"default/web/data/20261122_101010_00003_abcde_0b6d5a3e0b1c4c669d5c0d9b8a8d5f10.parquet",
		"default/web.index/log_date=2026-11-22/x.puffin",
	} {
		require.True(t, DefaultCacheable(name), name)
	}
	for _, name := range []string{
		"default/web/metadata/version-hint.text", "catalog.db", "catalog.db-wal", "default/web/metadata/v3.metadata.json", "t/000000_0", "t/part-0.parquet",
		"0b6d5a3e-0b1c-4c66-9d5c-0d9b8a8d5f10/part-0.parquet", "a/0b6d5a3e-0b1c-4c66-9d5c-0d9b8a8d5f1.parquet", "a/2026-11-22-10-10-10-00000000000000000.parquet",
	} {
		require.False(t, DefaultCacheable(name), name)
	}
	require.True(t, DefaultRevalidate("a/x.puffin"))
	require.False(t, DefaultRevalidate("a/x.parquet"))
}

func TestClosed(t *testing.T) {
	inner := metered.New(mem.New())
	data := content(100_000, 1)
	put(t, inner, "a", data)
	s := openCache(t, inner, Options{})
	requireRead(t, s, "a", data, 5, 1000)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "again")
	inner.Reset()
	requireRead(t, s, "a", data, 5, 1000)
	requireTail(t, s, "a", data, 1000)
	require.EqualValues(t, 2, inner.Counts().Requests)
	require.EqualValues(t, 2, s.Stats().Bypassed)
	put(t, s, "b", data)
	require.NoError(t, s.Delete(t.Context(), "b"))
}
