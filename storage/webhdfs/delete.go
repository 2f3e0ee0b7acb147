package webhdfs

import (
	"context"
	"errors"
	"net/http"
	"path"

	"github.com/firnlog/firn/storage"
)

// Delete implements storage.Store. Directories that become empty are removed with the object, unless they have an erasure coding
// policy of their own.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := s.check(ctx, "delete", name); err != nil {
		return err
	}
	s.objects.Remove(name)
	err := s.remove(ctx, s.path(name))
	s.objects.Remove(name) // a reader may have been faster
	remote, ok := errors.AsType[*RemoteError](err)
	switch {
	case err == nil, errors.Is(err, storage.ErrNotExist): // also because an answer was lost
		s.removeEmptyParents(ctx, path.Dir(name))
	case ok && remote.Exception == "PathIsNotEmptyDirectoryException": // no object
	default:
		return s.failed("delete", name, err)
	}
	return nil
}

// remove removes a file or an empty directory. It returns ErrNotExist if there is none.
func (s *Store) remove(ctx context.Context, path string) error {
	var answer struct{ Boolean bool }
	err := s.query(ctx, request{method: http.MethodDelete, op: "DELETE", path: path, params: []string{"recursive", "false"}}, &answer)
	if err == nil && !answer.Boolean {
		err = storage.ErrNotExist
	}
	return err
}

// removeEmptyParents removes the directory and those above it, up to the root, as long as they are empty. The namenode refuses to remove
// one into which somebody has begun to write; who begins afterwards makes it again.
func (s *Store) removeEmptyParents(ctx context.Context, dir string) {
	if dir == "." {
		return
	}
	here, err := s.status(ctx, s.path(dir))
	for ; err == nil && here.empty() && dir != "."; dir = path.Dir(dir) {
		parent := path.Dir(dir)
		above, aboveErr := s.status(ctx, path.Dir(s.path(dir)))
		if aboveErr != nil || above.ECPolicy != here.ECPolicy || s.remove(ctx, s.path(dir)) != nil {
			return
		}
		if parent == "." || above.Children == nil || *above.Children != 1 {
			return
		}
		here, err = s.status(ctx, s.path(parent))
	}
}
