package cache

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/faultstore"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/metered"
)

const sidecar = "default/web.index/x.puffin"

// replace puts other bytes under the name, as another process does, past the cache.
func replace(t testing.TB, inner storage.Store, name string, data []byte) {
	t.Helper()
	require.NoError(t, inner.Delete(t.Context(), name))
	put(t, inner, name, data)
}

// TestReplacedSidecar replaces a sidecar behind the back of the cache: within the time it is the old one, then the new one, never both.
func TestReplacedSidecar(t *testing.T) {
	for _, restart := range []bool{false, true} {
		for _, sameSize := range []bool{false, true} {
			inner := metered.New(mem.New())
			old, young := content(200_000, 1), content(150_000, 2)
			if sameSize {
				young = content(200_000, 3)
			}
			put(t, inner, sidecar, old)
			c := newClock()
			c.now = time.Now().Add(24 * time.Hour) // the store's clock is the real one
			opts := Options{Dir: t.TempDir(), BlockBytes: 16 << 10, Cacheable: DefaultCacheable, Now: c.Now}
			s := openCache(t, inner, opts)
			again := func() {
				if restart {
					require.NoError(t, s.Close())
					s = openCache(t, inner, opts)
				}
			}
			requireTail(t, s, sidecar, old, 1000)
			requireRead(t, s, sidecar, old, 0, 70_000)
			again()
			c.add(30 * time.Minute)
			requireCost(t, inner, 0, 0, func() {
				requireTail(t, s, sidecar, old, 1000)
				requireRead(t, s, sidecar, old, 0, 70_000)
			})
			c.add(45 * time.Minute)
			again()
			n, _, stats := requests(inner, func() { requireTail(t, s, sidecar, old, 1000) })
			require.Equal(t, [2]int64{0, 1}, [2]int64{n, stats}, "it is compared with the store")
			require.EqualValues(t, 1, s.Stats().Revalidated)
			again()
			requireCost(t, inner, 0, 0, func() { requireRead(t, s, sidecar, old, 0, 70_000) })

			replace(t, inner, sidecar, young)
			if sameSize { // the size does not tell, and the clock of the store is behind ours by a day
				require.False(t, mustStat(t, inner, sidecar).ModTime.IsZero())
			}
			requireCost(t, inner, 0, 0, func() { requireRead(t, s, sidecar, old, 0, 70_000) })
			c.add(2 * time.Hour)
			again()
			requireTail(t, s, sidecar, young, 1000)
			requireRead(t, s, sidecar, young, 0, len(young))
			require.EqualValues(t, 1, s.Stats().Replaced)
			again()
			requireCost(t, inner, 0, 0, func() { requireRead(t, s, sidecar, young, 0, len(young)) })
		}
	}
}

func mustStat(t testing.TB, s storage.Store, name string) storage.Info {
	t.Helper()
	info, err := s.Stat(t.Context(), name)
	require.NoError(t, err)
	return info
}

// TestYoungSidecar: an object whose time is later than when it was fetched, clocks considered, is another one.
func TestYoungSidecar(t *testing.T) {
	inner := metered.New(mem.New())
	old, young := content(100_000, 1), content(100_000, 2)
	put(t, inner, sidecar, old)
	c := newClock()
	c.now = time.Now().Add(-24 * time.Hour) // long before the store's objects
	s := openCache(t, inner, Options{Now: c.Now})
	requireTail(t, s, sidecar, old, 100_000)
	replace(t, inner, sidecar, young)
	c.add(2 * time.Hour)
	requireTail(t, s, sidecar, young, 100_000)
	require.EqualValues(t, 1, s.Stats().Replaced)
}

// TestTwoProcesses replaces a sidecar through one cache while another one, of the same directory, has a part of it.
func TestTwoProcesses(t *testing.T) {
	inner := mem.New()
	old, young := content(200_000, 1), content(200_000, 2)
	put(t, inner, sidecar, old)
	dir := t.TempDir()
	c := newClock()
	c.now = time.Now()
	opts := Options{Dir: dir, BlockBytes: 16 << 10, Now: c.Now}
	a, b := openCache(t, inner, opts), openCache(t, inner, opts)
	requireTail(t, a, sidecar, old, 1000)
	requireRead(t, a, sidecar, old, 0, 50_000)
	settle(a)
	requireTail(t, b, sidecar, old, 1000)
	require.NoError(t, b.Delete(t.Context(), sidecar))
	put(t, b, sidecar, young)
	requireRead(t, b, sidecar, young, 0, 200_000)
	settle(b)
	require.NoError(t, b.Close())
	c.add(2 * time.Hour)
	requireRead(t, a, sidecar, young, 0, 200_000)
	settle(a)
	requireTail(t, a, sidecar, young, 200_000)
	require.Zero(t, a.Stats().Damaged+a.Stats().Errors)
}

// TestInvalidate is what a reader does that finds that a sidecar makes no sense.
func TestInvalidate(t *testing.T) {
	inner := metered.New(mem.New())
	old, young := content(200_000, 1), content(100_000, 2)
	put(t, inner, "a", old)
	dir := t.TempDir()
	s := openCache(t, inner, Options{Dir: dir, BlockBytes: 16 << 10})
	requireTail(t, s, "a", old, 200_000)
	settle(s)
	replace(t, inner, "a", young)
	requireTail(t, s, "a", old, 1000)
	s.Invalidate("a")
	require.Empty(t, blockFiles(t, dir))
	requireTail(t, s, "a", young, 1000)
	s.Invalidate("never/was")
	settle(s)
	require.Len(t, blockFiles(t, dir), 1)
}

// TestNoticed: a size that contradicts the cache shows that an object is another one, wherever it comes from.
func TestNoticed(t *testing.T) {
	old, young := content(200_000, 1), content(100_000, 2)
	for name, look := range map[string]func(t *testing.T, s *Store){
		"stat": func(t *testing.T, s *Store) { mustStat(t, s, "a") },
		"read": func(t *testing.T, s *Store) {
			require.ErrorIs(t, s.ReadAt(t.Context(), "a", make([]byte, 1000), 150_000), storage.ErrRange)
		},
		"deleted": func(t *testing.T, s *Store) {
			require.NoError(t, s.Inner().Delete(t.Context(), "a"))
			_, err := s.Stat(t.Context(), "a")
			require.ErrorIs(t, err, storage.ErrNotExist)
			_, _, err = s.ReadTail(t.Context(), "a", make([]byte, 1000))
			require.ErrorIs(t, err, storage.ErrNotExist)
			put(t, s.Inner(), "a", young)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inner := mem.New()
			put(t, inner, "a", old)
			s := openCache(t, inner, Options{BlockBytes: 16 << 10})
			requireTail(t, s, "a", old, 1000)
			requireRead(t, s, "a", old, 0, 1000)
			replace(t, inner, "a", young)
			requireRead(t, s, "a", old, 0, 1000)
			look(t, s)
			requireTail(t, s, "a", young, 1000)
			requireRead(t, s, "a", young, 0, len(young))
		})
	}
}

// TestUnreachable serves a sidecar although the store cannot say whether it is still the same.
func TestUnreachable(t *testing.T) {
	memory := mem.New()
	data := content(100_000, 1)
	put(t, memory, sidecar, data)
	c := newClock()
	c.now = time.Now().Add(24 * time.Hour)
	inner := faultstore.New(memory)
	s := openCache(t, inner, Options{Now: c.Now})
	requireTail(t, s, sidecar, data, 100_000)
	inner.Inject(faultstore.Fault{Times: faultstore.Forever, Err: errors.New("no route to host")})
	c.add(2 * time.Hour)
	for range 3 {
		requireTail(t, s, sidecar, data, 100_000)
		c.add(time.Second)
	}
	require.EqualValues(t, 1, s.Stats().Revalidated, "it is not asked with every read")
	inner.Heal()
	c.add(time.Minute)
	requireTail(t, s, sidecar, data, 100_000)
	require.EqualValues(t, 2, s.Stats().Revalidated)
	require.Zero(t, s.Stats().Replaced)
}

// TestCreateOver stores an object under a name of which the cache still has another one.
func TestCreateOver(t *testing.T) {
	inner := mem.New()
	old, young := content(200_000, 1), content(200_000, 2)
	put(t, inner, "a", old)
	dir := t.TempDir()
	s := openCache(t, inner, Options{Dir: dir, BlockBytes: 16 << 10})
	requireTail(t, s, "a", old, 200_000)
	require.NoError(t, s.Close())
	require.NoError(t, inner.Delete(t.Context(), "a"))
	s = openCache(t, inner, Options{Dir: dir, BlockBytes: 16 << 10})
	put(t, s, "a", young)
	requireTail(t, s, "a", young, 1000)
	requireRead(t, s, "a", young, 0, 200_000)
}
