package cache

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage/mem"
)

// TestDirectoryDeleted deletes the directory again and again while it is in use.
func TestDirectoryDeleted(t *testing.T) {
	inner := mem.New()
	data := content(500_000, 1)
	put(t, inner, "a", data)
	dir := filepath.Join(t.TempDir(), "cache")
	log := &logged{}
	s := openCache(t, inner, Options{Dir: dir, BlockBytes: 16 << 10, MemoryBytes: -1, OpenFiles: 4, Logger: slog.New(log)})
	var group sync.WaitGroup
	done := make(chan struct{})
	for i := range 2 {
		group.Go(func() {
			for n := 0; ; n++ {
				requireRead(t, s, "a", data, (n*7919+i*1000)%400_000, 1+n*331%90_000)
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for range 20 {
		_ = os.RemoveAll(dir) // a writer may put a file into it at that moment
		time.Sleep(2 * time.Millisecond)
	}
	close(done)
	group.Wait()
	require.NoError(t, s.Close())

	require.NoError(t, os.RemoveAll(dir))
	c := newClock()
	s = openCache(t, inner, Options{Dir: dir, BlockBytes: 16 << 10, Now: c.Now})
	requireRead(t, s, "a", data, 0, len(data))
	settle(s)
	require.NoError(t, os.RemoveAll(dir))
	s.Invalidate("a")
	requireRead(t, s, "a", data, 0, len(data))
	require.NoError(t, s.Close())
	require.Zero(t, s.Stats().Errors)
	require.NotEmpty(t, blockFiles(t, dir), "it was made again")
}

// requireRecovery reads through a cache that is in trouble, mends it, and reads again.
func requireRecovery(t *testing.T, opts Options, hurt, mend func(s *Store)) {
	t.Helper()
	inner := mem.New()
	data := content(300_000, 2)
	put(t, inner, "a", data)
	c, log := newClock(), &logged{}
	opts.BlockBytes, opts.Now, opts.Logger = 16<<10, c.Now, slog.New(log)
	s := openCache(t, inner, opts)
	hurt(s)
	for off := 0; off < 250_000; off += 20_000 {
		requireRead(t, s, "a", data, off, 50_000)
		settle(s)
	}
	warnings, infos := log.counts()
	require.Equal(t, 1, warnings, log.warnings)
	require.Zero(t, infos)
	require.Contains(t, log.warnings[0], s.Dir())
	got := s.Stats()
	require.NotZero(t, got.Errors)
	require.NotZero(t, got.Skipped)

	mend(s)
	s.Invalidate("a")
	requireRead(t, s, "a", data, 0, 50_000)
	settle(s)
	require.Equal(t, got.Stored, s.Stats().Stored, "it is not tried again at once")
	c.add(time.Minute)
	s.Invalidate("a")
	requireRead(t, s, "a", data, 0, 50_000)
	settle(s)
	require.Greater(t, s.Stats().Stored, got.Stored)
	warnings, infos = log.counts()
	require.Equal(t, [2]int{1, 1}, [2]int{warnings, infos}, log)
	hurt(s)
	s.Invalidate("a")
	requireRead(t, s, "a", data, 0, 50_000)
	settle(s)
	warnings, _ = log.counts()
	require.Equal(t, 2, warnings, "trouble anew is another warning")
	mend(s)
}

func TestWritesFail(t *testing.T) {
	for _, err := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, errors.New("odd")} {
		requireRecovery(t, Options{}, func(s *Store) {
			s.disk.writeFile = func(f *os.File, parts ...[]byte) error {
				_, _ = f.Write(parts[0][:len(parts[0])/2])
				return err
			}
		}, func(s *Store) { s.disk.writeFile = writeParts })
	}
}

func TestDirectoryIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	requireRecovery(t, Options{Dir: path}, func(*Store) {
		require.NoError(t, os.RemoveAll(path))
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	}, func(*Store) { require.NoError(t, os.RemoveAll(path)) })
}

func TestNoPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may do everything")
	}
	dir := t.TempDir()
	requireRecovery(t, Options{Dir: dir}, func(*Store) {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, folder)))
		require.NoError(t, os.Chmod(dir, 0o500))
	}, func(*Store) { require.NoError(t, os.Chmod(dir, 0o700)) })
}

// TestReserve keeps more free space than there is: nothing is stored, and what was stored goes.
func TestReserve(t *testing.T) {
	free, _, err := freeSpace(t.TempDir())
	if err != nil {
		t.Skipf("free space is not known here: %v", err)
	}
	inner := mem.New()
	data := content(300_000, 3)
	put(t, inner, "a", data)
	log := &logged{}
	dir := t.TempDir()
	s := openCache(t, inner, Options{Dir: dir})
	requireRead(t, s, "a", data, 0, len(data))
	require.NoError(t, s.Close())
	require.NotEmpty(t, blockFiles(t, dir))
	put(t, inner, "b", data)
	s = openCache(t, inner, Options{Dir: dir, MinFree: 2 * free, Logger: slog.New(log)})
	requireRead(t, s, "a", data, 0, len(data))
	require.Zero(t, s.Stats().InnerRequests, "what is there is still served")
	requireRead(t, s, "b", data, 0, len(data))
	settle(s)
	requireRead(t, s, "b", data, 5, 100)
	require.EqualValues(t, 1, s.Stats().InnerRequests, "the memory tier works")
	require.Zero(t, s.Stats().Stored)
	require.NotZero(t, s.Stats().Skipped)
	require.Empty(t, blockFiles(t, dir))
	warnings, _ := log.counts()
	require.Equal(t, 1, warnings)
}

// TestStaleTemps removes what a killed process left.
func TestStaleTemps(t *testing.T) {
	inner := mem.New()
	data := content(300_000, 4)
	put(t, inner, "a", data)
	dir := t.TempDir()
	temps := filepath.Join(dir, folder, tempFolder)
	require.NoError(t, os.MkdirAll(temps, 0o700))
	for name, age := range map[string]time.Duration{"block-1": time.Hour, "block-2": time.Second} {
		require.NoError(t, os.WriteFile(filepath.Join(temps, name), []byte("x"), 0o600))
		at := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(filepath.Join(temps, name), at, at))
	}
	s := openCache(t, inner, Options{Dir: dir})
	requireRead(t, s, "a", data, 0, len(data))
	require.NoError(t, s.Close())
	names, err := readNames(temps)
	require.NoError(t, err)
	require.Equal(t, []string{"block-2"}, names)
}

// TestStateFile loses and damages the file that says how much there is: it is counted anew.
func TestStateFile(t *testing.T) {
	inner := mem.New()
	data := content(300_000, 5)
	put(t, inner, "a", data)
	for _, damage := range []func(path string) error{
		os.Remove, func(path string) error { return os.Truncate(path, 10) }, func(path string) error { return os.WriteFile(path, make([]byte, stateBytes), 0o600) },
		func(path string) error {
			return os.WriteFile(path, state{bytes: 1 << 40, files: 5, counted: 1}.append(nil), 0o600)
		},
		func(path string) error {
			return os.WriteFile(path, state{bytes: -1 << 40, files: -5, counted: 1}.append(nil), 0o600)
		},
	} {
		dir := t.TempDir()
		for i := range 2 {
			s := openCache(t, inner, Options{Dir: dir, BlockBytes: 16 << 10})
			requireRead(t, s, "a", data, 100_000*i, 100_000)
			require.NoError(t, s.Close())
			require.Zero(t, s.Stats().Errors+s.Stats().Evicted)
			st, err := newDisk(dir).readState()
			require.NoError(t, err)
			files := blockFiles(t, dir)
			require.EqualValues(t, len(files), st.files)
			require.InDelta(t, int64(len(files))*20<<10, st.bytes, float64(len(files)*4<<10))
			require.NotZero(t, st.counted)
			if i == 0 {
				require.NoError(t, damage(filepath.Join(dir, folder, stateFile)))
			}
		}
	}
}
