package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/firnlog/firn/storage"
)

// List implements storage.Store. Only regular files are listed: symbolic links, and files whose names are not valid object names,
// are left out.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		dir := "."
		if slash := strings.LastIndexByte(prefix, '/'); slash >= 0 {
			dir = prefix[:slash]
		}
		if dir != "." && storage.CheckName(dir) != nil {
			return // no object has a name with such a prefix
		}
		visit := func(info storage.Info) error {
			if storage.IsTemp(info.Name) || storage.CheckName(info.Name) != nil {
				return nil
			}
			if !yield(info, nil) {
				return fs.SkipAll
			}
			return nil
		}
		err := s.walk(ctx, dir, prefix, visit)
		if err != nil && !errors.Is(err, fs.SkipAll) {
			yield(storage.Info{}, fmt.Errorf("list %q in %s: %w", prefix, s.dir, err))
		}
	}
}

// RemoveStale removes what writers left behind that ended without Commit or Abort (kill -9, power failure): hidden files that were
// not written to for olderThan. It returns how many. A writer still at work loses its file if it paused for longer, so allow hours.
func (s *Store) RemoveStale(ctx context.Context, olderThan time.Duration) (removed int, err error) {
	limit := s.now().Add(-olderThan)
	err = s.walk(ctx, ".", "", func(info storage.Info) error {
		if !storage.IsTemp(info.Name) || info.ModTime.After(limit) {
			return nil
		}
		err := s.root.Remove(filepath.FromSlash(info.Name))
		if err != nil {
			if isAbsent(err) {
				return nil
			}
			return err
		}
		removed++
		s.removeEmptyParents(path.Dir(info.Name))
		return nil
	})
	if err != nil {
		return removed, fmt.Errorf("remove stale temporary files in %s: %w", s.dir, err)
	}
	return removed, nil
}

// walk visits the regular files of a directory and those below it whose names start with prefix, hidden ones included, in byte order
// of the names. What vanishes during the walk is left out.
func (s *Store) walk(ctx context.Context, dir, prefix string, visit func(storage.Info) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := s.readDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch {
		case e.IsDir():
			if !strings.HasPrefix(name+"/", prefix) && !strings.HasPrefix(prefix, name+"/") {
				continue
			}
			err = s.walk(ctx, name, prefix, visit)
		case e.Type().IsRegular() && strings.HasPrefix(name, prefix):
			err = s.visitFile(ctx, name, e, visit)
		default:
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// visitFile passes on one file unless it vanished.
func (s *Store) visitFile(ctx context.Context, name string, e fs.DirEntry, visit func(storage.Info) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := e.Info()
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return visit(storage.Info{Name: name, Size: info.Size(), ModTime: info.ModTime()})
}

// readDir returns the entries of a directory in the order of the names of the objects in it: a directory stands where its name with
// a slash belongs. A directory that does not exist has none.
func (s *Store) readDir(dir string) ([]fs.DirEntry, error) {
	d, err := s.root.Open(filepath.FromSlash(dir))
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := readEntries(d)
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(sortKey(a), sortKey(b)) })
	return entries, nil
}

// readEntries reads an open directory. A file has no entries.
func readEntries(d *os.File) ([]fs.DirEntry, error) {
	entries, err := d.ReadDir(-1)
	if isAbsent(err) {
		return nil, nil
	}
	return entries, err
}

// sortKey places an entry among its siblings.
func sortKey(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}
