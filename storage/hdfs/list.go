package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	hadoop "github.com/colinmarc/hdfs/v2"

	"github.com/firnlog/firn/storage"
)

// List implements storage.Store. Directories are read one after the other, when the listing gets to them; those that cannot hold the
// prefix are left out. Files whose names are not valid object names are not listed.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		dir := "."
		if slash := strings.LastIndexByte(prefix, '/'); slash >= 0 {
			dir = prefix[:slash]
		}
		if dir != "." && (storage.CheckName(dir) != nil || checkColon(dir) != nil) {
			return // no object has a name with such a prefix
		}
		err := s.walk(ctx, dir, prefix, func(info storage.Info) error {
			if storage.CheckName(info.Name) != nil {
				return nil
			}
			if !yield(info, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.SkipAll) {
			yield(storage.Info{}, s.failed("list", prefix, err))
		}
	}
}

// RemoveStale removes the hidden files that killed writers have left and that were last changed more than olderThan ago, by the namenode's
// clock. It returns how many. A writer that has paused for longer loses its file and writes it again, so allow hours.
func (s *Store) RemoveStale(ctx context.Context, olderThan time.Duration) (removed int, err error) {
	limit := s.options.Now().Add(-olderThan)
	err = s.walk(ctx, ".", "", func(info storage.Info) error {
		if !storage.IsTemp(info.Name) || info.ModTime.After(limit) {
			return nil
		}
		err := s.retry(ctx, "delete", func(int) error { return s.remove(ctx, s.path(info.Name)) })
		if err == nil {
			removed++
		}
		return err
	})
	if err != nil {
		return removed, fmt.Errorf("remove stale hidden files in %s: %w", s.place.uri, err)
	}
	return removed, nil
}

// walk visits the files of a directory and those below it whose names start with prefix, hidden ones included, in byte order of the names.
// What vanishes during the walk is left out.
func (s *Store) walk(ctx context.Context, dir, prefix string, visit func(storage.Info) error) error {
	entries, err := s.readDir(ctx, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Join(dir, e.Name())
		switch {
		case e.IsDir():
			if !strings.HasPrefix(name+"/", prefix) && !strings.HasPrefix(prefix, name+"/") {
				continue
			}
			err = s.walk(ctx, name, prefix, visit)
		case strings.HasPrefix(name, prefix):
			err = visit(storage.Info{Name: name, Size: e.Size(), ModTime: e.ModTime()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readDir returns the entries of a directory in the order of the names of the objects in it: a directory stands where its name with a slash
// belongs. A directory that does not exist, and a file, has none.
func (s *Store) readDir(ctx context.Context, dir string) (entries []os.FileInfo, err error) {
	err = s.retry(ctx, "list", func(int) error {
		entries, err = call(ctx, s.sessions, func(c *hadoop.Client) ([]os.FileInfo, error) {
			d, err := c.Open(s.path(dir))
			if err != nil {
				return nil, explain(c, s.path(dir), err)
			}
			if !d.Stat().IsDir() {
				return nil, fs.ErrNotExist
			}
			return d.Readdir(0)
		})
		return err
	})
	if isAbsent(err) || errors.Is(err, storage.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b os.FileInfo) int { return strings.Compare(sortKey(a), sortKey(b)) })
	return entries, nil
}

// sortKey places an entry among its siblings.
func sortKey(e os.FileInfo) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}
