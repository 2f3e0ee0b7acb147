package cache

import (
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage/mem"
)

// mountSmall mounts a file system of 1 MiB.
func mountSmall(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("firn-test", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small tmpfs cannot be mounted here (it needs root): %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// TestFullDisk reads more than the disk holds, without a reserve, and then frees space.
func TestFullDisk(t *testing.T) {
	dir := mountSmall(t)
	inner := mem.New()
	data := content(3<<20, 1)
	put(t, inner, "a", data)
	c, log := newClock(), &logged{}
	hog := filepath.Join(dir, "hog")
	require.NoError(t, os.WriteFile(hog, make([]byte, 500<<10), 0o600))
	s := openCache(t, inner, Options{Dir: dir, MinFree: -1, BlockBytes: 64 << 10, MemoryBytes: -1, Now: c.Now, Logger: slog.New(log)})
	for off := 0; off < len(data); off += 256 << 10 {
		requireRead(t, s, "a", data, off, 256<<10)
		settle(s)
	}
	warnings, _ := log.counts()
	require.Equal(t, 1, warnings)
	require.Contains(t, log.warnings[0], "no space left")
	names, err := readNames(filepath.Join(dir, folder, tempFolder))
	require.NoError(t, err)
	require.Empty(t, names, "nothing half-written is left")
	require.NoError(t, os.Remove(hog))
	c.add(time.Minute)
	stored := s.Stats().Stored
	requireRead(t, s, "a", data, 2<<20, 256<<10)
	settle(s)
	require.Greater(t, s.Stats().Stored, stored)
}

// TestSmallDisk reads more than the disk holds with a reserve: the oldest blocks make room, and nothing fails.
func TestSmallDisk(t *testing.T) {
	dir := mountSmall(t)
	inner := mem.New()
	data := content(3<<20, 2)
	put(t, inner, "a", data)
	c, log := newClock(), &logged{}
	s := openCache(t, inner, Options{Dir: dir, MinFree: 200 << 10, BlockBytes: 16 << 10, MemoryBytes: -1, Now: c.Now, Logger: slog.New(log)})
	for off := 0; off < len(data); off += 64 << 10 {
		requireRead(t, s, "a", data, off, 64<<10)
		settle(s)
		c.add(2 * time.Second)
	}
	got := s.Stats()
	require.Zero(t, got.Errors, log.warnings)
	require.NotZero(t, got.Evicted)
	before := got.InnerRequests
	requireRead(t, s, "a", data, len(data)-128<<10, 128<<10)
	require.Equal(t, before, s.Stats().InnerRequests, "the newest blocks are there")
}
