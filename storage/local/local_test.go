package local

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a store in a directory of its own, which must hold no hidden file and no empty directory when the test ends.
func open(t testing.TB) *Store {
	t.Helper()
	s, err := New(filepath.Join(t.TempDir(), "lake of söme"))
	require.NoError(t, err)
	t.Cleanup(func() {
		requireTidy(t, s.Dir())
		require.NoError(t, s.Close())
	})
	return s
}

// requireNoTemp fails if a hidden file is left below a directory.
func requireNoTemp(t testing.TB, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(file string, _ os.DirEntry, err error) error {
		require.NoError(t, err)
		require.False(t, storage.IsTemp(filepath.ToSlash(file)), "temporary file %s was left", file)
		return nil
	}))
}

// requireTidy fails if something is left below a directory that is neither an object nor a directory with objects.
func requireTidy(t testing.TB, dir string) {
	t.Helper()
	requireNoTemp(t, dir)
	require.NoError(t, filepath.WalkDir(dir, func(file string, e os.DirEntry, err error) error {
		require.NoError(t, err)
		if e.IsDir() && file != dir {
			entries, err := os.ReadDir(file)
			require.NoError(t, err)
			require.NotEmpty(t, entries, "empty directory %s was left", file)
		}
		return nil
	}))
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storage.Store { return open(t) })
}

// TestConformanceWithoutLinks runs the suite as on a file system that has no hard links.
func TestConformanceWithoutLinks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has an exclusive rename to fall back to")
	}
	storetest.Run(t, func(t testing.TB) storage.Store {
		s := open(t)
		s.link = func(_ *os.Root, from, to string) error {
			return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM}
		}
		return s
	})
}

// TestLostLinkAnswer stands for a network file system that made the link, lost the answer, and failed the repeated call.
func TestLostLinkAnswer(t *testing.T) {
	s := open(t)
	s.link = func(root *os.Root, from, to string) error {
		require.NoError(t, root.Link(from, to))
		return root.Link(from, to)
	}
	require.NoError(t, storage.WriteObject(t.Context(), s, "a/b", []byte("x")))
	data, err := storage.ReadAll(t.Context(), s, "a/b")
	require.NoError(t, err)
	require.Equal(t, "x", string(data))
}

func TestURI(t *testing.T) {
	s := open(t)
	require.Equal(t, "file://"+filepath.ToSlash(s.Dir())+"/a/b c%", s.URI("a/b c%"))
	for _, uri := range []string{"file://" + s.Dir(), "file:" + s.Dir(), "file://localhost" + s.Dir(), s.Dir(), s.Dir() + "/../" + filepath.Base(s.Dir())} {
		name, ok := storage.NameOf(s, uri+"/log_date=2026-11-22//x y%2F.parquet")
		require.True(t, ok, uri)
		require.Equal(t, "log_date=2026-11-22/x y%2F.parquet", name)
		name, ok = storage.NameOf(s, uri+"/table/")
		require.True(t, ok, uri)
		require.Equal(t, "table", name)
	}
	for _, uri := range []string{"file://otherhost" + s.Dir() + "/a", "hdfs:" + s.Dir() + "/a", s.Dir() + "x/a", s.Dir() + "/../a", strings.TrimPrefix(s.Dir(), "/")} {
		_, ok := storage.NameOf(s, uri)
		require.False(t, ok, uri)
	}
}

// TestSymbolicLinks checks that the way to the root is resolved and that links out of it are refused.
func TestSymbolicLinks(t *testing.T) {
	ctx := t.Context()
	s := open(t)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(s.Dir(), link))
	through, err := New(link)
	require.NoError(t, err)
	require.Equal(t, s.URI("a"), through.URI("a"))
	require.NoError(t, through.Close())

	outside := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(s.Dir(), "escape")))
	require.Error(t, s.ReadAt(ctx, "escape/secret", make([]byte, 1), 0))
	require.Error(t, storage.WriteObject(ctx, s, "escape/new", nil))
	require.Error(t, s.Delete(ctx, "escape/secret"))
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	for info, err := range s.List(ctx, "") {
		t.Fatal("listed", info, err)
	}
}

// TestReplacedByOthers checks that files which other programs delete or replace are not read from the handle cache.
func TestReplacedByOthers(t *testing.T) {
	ctx := t.Context()
	s := open(t)
	file := filepath.Join(s.Dir(), "object")
	require.NoError(t, storage.WriteObject(ctx, s, "object", []byte("first")))
	read := func() (string, error) {
		data, err := storage.ReadAll(ctx, s, "object")
		return string(data), err
	}
	text, err := read()
	require.NoError(t, err)
	require.Equal(t, "first", text)

	require.NoError(t, os.WriteFile(file+".new", []byte("second"), 0o600))
	require.NoError(t, os.Rename(file+".new", file))
	text, err = read()
	require.NoError(t, err)
	require.Equal(t, "second", text)

	require.NoError(t, os.Remove(file))
	_, err = read()
	require.ErrorIs(t, err, storage.ErrNotExist)
}

func TestRemoveStale(t *testing.T) {
	ctx := t.Context()
	s := open(t)
	old, err := s.Create(ctx, "a/b/old")
	require.NoError(t, err)
	require.NoError(t, storage.WriteObject(ctx, s, "c/kept", []byte("kept")))
	removed, err := s.RemoveStale(ctx, time.Hour)
	require.NoError(t, err)
	require.Zero(t, removed, "the writer is at work")

	s.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	young, err := s.Create(ctx, "c/young")
	require.NoError(t, err)
	require.NoError(t, os.Chtimes(filepath.Join(s.Dir(), young.(*writer).temp), s.now(), s.now()))
	removed, err = s.RemoveStale(ctx, time.Hour)
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	require.NoDirExists(t, filepath.Join(s.Dir(), "a"))
	require.FileExists(t, filepath.Join(s.Dir(), "c", "kept"))

	err = old.Commit(ctx)
	require.Error(t, err, "its file is gone")
	require.NotErrorIs(t, err, storage.ErrExist)
	require.NoError(t, young.Commit(ctx))
}

func TestManyHandles(t *testing.T) {
	ctx := t.Context()
	s := open(t)
	s.handles = newHandleCache(3)
	for round := range 3 {
		for i := range 10 {
			name := string(rune('a' + i))
			if round == 0 {
				require.NoError(t, storage.WriteObject(ctx, s, name, []byte(name)))
			}
			data, err := storage.ReadAll(ctx, s, name)
			require.NoError(t, err)
			require.Equal(t, name, string(data))
			require.LessOrEqual(t, s.handles.recent.Len(), 3)
		}
	}
}

func TestClosed(t *testing.T) {
	s, err := New(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, storage.WriteObject(t.Context(), s, "a", []byte("x")))
	require.NoError(t, s.ReadAt(t.Context(), "a", make([]byte, 1), 0))
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.ReadAt(t.Context(), "a", make([]byte, 1), 0), os.ErrClosed)
	require.ErrorIs(t, storage.WriteObject(t.Context(), s, "b", nil), os.ErrClosed)
}

func TestNewErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := New(file)
	require.ErrorContains(t, err, file)
	_, err = New(filepath.Join(file, "below"))
	require.ErrorContains(t, err, "below")
}

// TestObjectBelowObject checks that the one thing files cannot do fails with an error and leaves nothing.
func TestObjectBelowObject(t *testing.T) {
	s := open(t)
	require.NoError(t, storage.WriteObject(t.Context(), s, "a/b", []byte("x")))
	require.Error(t, storage.WriteObject(t.Context(), s, "a/b/c", nil))
	require.ErrorIs(t, storage.WriteObject(t.Context(), s, "a", nil), storage.ErrExist)
	err := storage.WriteObject(t.Context(), s, strings.Repeat("n", 300), nil)
	require.ErrorIs(t, err, storage.ErrInvalidName)
}

func TestFailedDescribes(t *testing.T) {
	s := open(t)
	for err, hint := range map[error]string{
		syscall.ENOSPC: "free space",
		syscall.EMFILE: "ulimit -n",
		syscall.EACCES: "check the owner",
	} {
		got := s.failed("write", "a/b", err)
		require.ErrorContains(t, got, hint)
		require.ErrorContains(t, got, "a/b")
		require.ErrorContains(t, got, s.Dir())
		require.True(t, errors.Is(got, err))
	}
}
