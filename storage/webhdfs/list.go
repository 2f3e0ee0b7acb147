package webhdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/firnlog/firn/storage"
)

// List implements storage.Store. It asks for one directory after the other, as the names are wanted, and holds the entries of those on
// the way to the current one. Files whose names are not valid object names, and symbolic links, are left out.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		dir := ""
		if slash := strings.LastIndexByte(prefix, '/'); slash >= 0 {
			if dir = prefix[:slash]; checkName(dir) != nil {
				return // no object has a name with such a prefix
			}
		}
		err := s.walk(ctx, dir, prefix, func(info storage.Info) error {
			if storage.IsTemp(info.Name) || checkName(info.Name) != nil {
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

// RemoveStale removes what writers left behind that ended without Commit or Abort (kill -9, power failure): hidden files that were
// not written to for olderThan. It returns how many. A writer still at work loses its file if it paused for longer, so allow hours.
func (s *Store) RemoveStale(ctx context.Context, olderThan time.Duration) (removed int, err error) {
	limit := s.now().Add(-olderThan)
	err = s.walk(ctx, "", "", func(info storage.Info) error {
		if !storage.IsTemp(info.Name) || info.ModTime.After(limit) {
			return nil
		}
		err := s.remove(ctx, s.path(info.Name))
		if err == nil {
			removed++
			s.removeEmptyParents(ctx, path.Dir(info.Name))
		}
		if errors.Is(err, storage.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return removed, s.failed("remove stale hidden files below", "", err)
	}
	return removed, nil
}

// walk visits the files of a directory and those below it whose names start with prefix, hidden ones included, in byte order of the
// names. What vanishes during the walk is left out.
func (s *Store) walk(ctx context.Context, dir, prefix string, visit func(storage.Info) error) error {
	entries, err := s.entries(ctx, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name)
		switch {
		case e.isDir() && !e.empty() && (strings.HasPrefix(name+"/", prefix) || strings.HasPrefix(prefix, name+"/")):
			err = s.walk(ctx, name, prefix, visit)
		case e.Type == "FILE" && strings.HasPrefix(name, prefix):
			if err = ctx.Err(); err == nil {
				err = visit(storage.Info{Name: name, Size: e.Length, ModTime: time.UnixMilli(e.ModTime)})
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entries returns the entries of a directory in the order of the names of the objects in it: a directory stands where its name with a
// slash belongs ("a-b" < "a/b"). A directory that does not exist has none, nor has a file.
//
// It is LISTSTATUS and not LISTSTATUS_BATCH, which tells a thousand entries at a time: Hadoop 3.5 ignores that operation's startAfter as it
// is documented, and begins at the start again.
func (s *Store) entries(ctx context.Context, dir string) ([]fileStatus, error) {
	var answer struct {
		FileStatuses struct{ FileStatus []fileStatus }
	}
	err := s.query(ctx, request{method: http.MethodGet, op: "LISTSTATUS", path: s.path(dir)}, &answer)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w", s.path(dir), err)
	}
	entries := answer.FileStatuses.FileStatus
	if len(entries) == 1 && entries[0].Name == "" { // the path is that of a file
		return nil, nil
	}
	slices.SortFunc(entries, func(a, b fileStatus) int { return strings.Compare(a.sortKey(), b.sortKey()) })
	return entries, nil
}

// sortKey places an entry among its siblings.
func (f fileStatus) sortKey() string {
	if f.isDir() {
		return f.Name + "/"
	}
	return f.Name
}
