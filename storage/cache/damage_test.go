package cache

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/metered"
)

// blockFiles returns the paths of all block files below a cache directory.
func blockFiles(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := newDisk(dir).scan()
	require.NoError(t, err)
	var paths []string
	for _, e := range entries {
		paths = append(paths, e.path)
	}
	return paths
}

// damages are ways in which a block file goes bad. each returns what becomes of its bytes.
var damages = map[string]func(b []byte) []byte{
	"empty":             func([]byte) []byte { return nil },
	"one byte":          func(b []byte) []byte { return b[:1] },
	"half":              func(b []byte) []byte { return b[:len(b)/2] },
	"last byte lost":    func(b []byte) []byte { return b[:len(b)-1] },
	"first byte lost":   func(b []byte) []byte { return b[1:] },
	"grown":             func(b []byte) []byte { return append(b, 0) },
	"zeros":             func(b []byte) []byte { return make([]byte, len(b)) },
	"payload zeroed":    func(b []byte) []byte { clear(b[:100]); return b },
	"payload first bit": func(b []byte) []byte { b[0] ^= 1; return b },
	"text":              func([]byte) []byte { return []byte("this is no block\n") },
	"twice":             func(b []byte) []byte { return append(b, b...) },
}

// TestDamage damages the file of a small object in every byte, and in other ways: what is read is right, and damage is counted and mended.
func TestDamage(t *testing.T) {
	inner := metered.New(mem.New())
	data := content(300, 1)
	put(t, inner, "a", data)
	dir := t.TempDir()
	read := func() (Stats, int64) {
		before := inner.Counts().Requests
		s := openCache(t, inner, Options{Dir: dir, MemoryBytes: -1})
		requireTail(t, s, "a", data, 100)
		requireRead(t, s, "a", data, 0, 300)
		require.NoError(t, s.Close())
		return s.Stats(), inner.Counts().Requests - before
	}
	read()
	files := blockFiles(t, dir)
	require.Len(t, files, 1)
	good, err := os.ReadFile(files[0])
	require.NoError(t, err)
	for i := range good {
		damages["byte "+string(rune('0'+i%10))+" "+strings.Repeat("i", i)] = func(b []byte) []byte { b[i] ^= 0x40; return b }
	}
	for name, damage := range damages {
		require.NoError(t, os.WriteFile(files[0], damage(append([]byte(nil), good...)), 0o600))
		got, requests := read()
		require.EqualValues(t, 1, got.Damaged, name)
		require.NotZero(t, requests, name)
		require.Zero(t, got.Errors, name)
		got, requests = read()
		require.Zero(t, got.Damaged, name)
		require.Zero(t, requests, "%s: it was mended", name)
	}
}

// TestDamageWhileOpen damages a large file in place while it is open.
func TestDamageWhileOpen(t *testing.T) {
	inner := metered.New(mem.New())
	data := content(1<<20, 2)
	put(t, inner, "a", data)
	dir := t.TempDir()
	s := openCache(t, inner, Options{Dir: dir, MemoryBytes: -1})
	damaged := int64(0)
	for _, damage := range []func(path string) error{
		func(path string) error { return os.Truncate(path, 200_000) },
		func(path string) error { return os.Truncate(path, 0) },
		func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteAt([]byte("damage"), 150_000)
			}
			require.NoError(t, f.Close())
			return err
		},
	} {
		requireTail(t, s, "a", data, 10)
		requireRead(t, s, "a", data, 0, len(data))
		settle(s)
		requireRead(t, s, "a", data, 5, len(data)-10)
		for _, path := range blockFiles(t, dir) {
			require.NoError(t, damage(path))
			damaged++
		}
		for _, r := range [][2]int{{149_000, 2000}, {140_000, 30_000}, {149_999, 10}, {262_144 + 150_003, 5000}, {10, 900_000}} {
			requireRead(t, s, "a", data, r[0], r[1])
		}
		requireRead(t, s, "a", data, 0, len(data))
		settle(s)
		require.Equal(t, damaged, s.Stats().Damaged)
	}
	require.Zero(t, s.Stats().Errors)
}

// TestForeignBlocks puts intact blocks in the places of others.
func TestForeignBlocks(t *testing.T) {
	inner := metered.New(mem.New())
	a, b := content(100_000, 3), content(100_000, 4)
	put(t, inner, "a", a)
	put(t, inner, "b", b)
	for _, name := range []string{"a", "b"} { // which the other object's files take the place of
		dir := t.TempDir()
		s := openCache(t, inner, Options{Dir: dir, BlockBytes: 16 << 10})
		requireTail(t, s, "a", a, 100_000)
		requireTail(t, s, "b", b, 100_000)
		require.NoError(t, s.Close())
		d := newDisk(dir)
		from, to := objectID(s.uri, "a", 16<<10), objectID(s.uri, "b", 16<<10)
		if name == "a" {
			from, to = to, from
		}
		for n := range int64(7) {
			require.NoError(t, os.Rename(d.path(from, suffix(n, n == 6)), d.path(to, suffix(n, n == 6))))
		}
		s = openCache(t, inner, Options{Dir: dir, BlockBytes: 16 << 10})
		requireTail(t, s, "a", a, 100_000)
		requireTail(t, s, "b", b, 100_000)
		require.NoError(t, s.Close())
		// The size is not believed either, so the first read goes past the other blocks; they are replaced.
		require.EqualValues(t, 1, s.Stats().Damaged)
		r, err := Inspect(t.Context(), dir, InspectOptions{Verify: true})
		require.NoError(t, err)
		require.Zero(t, r.Damaged)
	}
	// Blocks of one object in each other's places.
	dir := t.TempDir()
	s := openCache(t, inner, Options{Dir: dir, BlockBytes: 16 << 10})
	requireTail(t, s, "a", a, 100_000)
	require.NoError(t, s.Close())
	d, id := newDisk(dir), objectID(s.uri, "a", 16<<10)
	require.NoError(t, os.Rename(d.path(id, "0"), d.path(id, "9")))
	require.NoError(t, os.Rename(d.path(id, "1"), d.path(id, "0")))
	r, err := Inspect(t.Context(), dir, InspectOptions{})
	require.NoError(t, err)
	require.Equal(t, 2, r.Damaged)
	s = openCache(t, inner, Options{Dir: dir, BlockBytes: 16 << 10})
	requireRead(t, s, "a", a, 0, 100_000)
	require.EqualValues(t, 1, s.Stats().Damaged)
}

// TestOtherFilesAreLeftAlone keeps files of others that lie in the directory.
func TestOtherFilesAreLeftAlone(t *testing.T) {
	inner := mem.New()
	data := content(1<<20, 5)
	put(t, inner, "a", data)
	dir := t.TempDir()
	root := filepath.Join(dir, folder)
	others := []string{
		filepath.Join(dir, "mine"), filepath.Join(dir, "ab", strings.Repeat("0", 30)+".last"), filepath.Join(root, "README"), filepath.Join(root, "ab", "note.txt"),
		filepath.Join(root, "ab", strings.Repeat("0", 30)+".9x"), filepath.Join(root, "xy", strings.Repeat("0", 30)+".9"), filepath.Join(root, "abc", "1"),
	}
	for _, path := range others {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, make([]byte, 100_000), 0o600))
	}
	s := openCache(t, inner, Options{Dir: dir, BlockBytes: 16 << 10, Bytes: 100_000})
	for off := 0; off < len(data); off += 1 << 18 {
		requireRead(t, s, "a", data, off, 1<<18)
	}
	require.NoError(t, s.Close())
	require.NotZero(t, s.Stats().Evicted)
	for _, path := range others {
		require.FileExists(t, path)
	}
}

// TestDamageUnderLoad damages files at random while several goroutines read.
func TestDamageUnderLoad(t *testing.T) {
	inner := mem.New()
	data := content(500_000, 6)
	put(t, inner, "a", data)
	dir := t.TempDir()
	s := openCache(t, inner, Options{Dir: dir, BlockBytes: 16 << 10, MemoryBytes: 40 << 10, OpenFiles: 8})
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() {
			for n := range 300 {
				requireRead(t, s, "a", data, (n*7919+i*1000)%400_000, 1+n*331%90_000)
			}
		})
	}
	group.Go(func() {
		for i := range 60 {
			for _, path := range blockFiles(t, dir) {
				if (i+int(path[len(path)-1]))%3 == 0 {
					_ = os.Truncate(path, int64(i*100)) // it may be gone
				}
			}
		}
	})
	group.Wait()
	require.Zero(t, s.Stats().Errors, s.Stats())
}
