// Package local keeps objects as files below one directory. An object is written to a hidden file beside its place, flushed to the
// disk, and published by linking it to its name, so that it appears whole or not at all and never replaces another.
//
// Names never leave the directory: a symbolic link that points out of it is refused (see os.Root). The names of the objects are the
// paths of the files, so a name cannot be an object and a directory at once ("a" and "a/b").
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/firnlog/firn/storage"
)

// Store is a storage.Store of files below one directory. Make one with New and end it with Close.
type Store struct {
	root    *os.Root
	dir     string // absolute, without symbolic links
	uri     string // of dir
	handles *handleCache
	now     func() time.Time
	link    func(root *os.Root, from, to string) error // replaced by tests of file systems without hard links
}

var _ storage.Store = (*Store)(nil)

// New returns a store of the files below dir, which is made if it is missing. Symbolic links in dir itself are resolved, so that
// URIs are the same whatever way the directory was reached.
func New(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open local store %q: %w", dir, err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return nil, fmt.Errorf("open local store %q: make the directory: %w", dir, err)
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, fmt.Errorf("open local store %q: %w", dir, err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("open local store %q: %w", dir, err)
	}
	slashed := filepath.ToSlash(abs)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/lake
	}
	return &Store{
		root:    root,
		dir:     abs,
		uri:     "file://" + strings.TrimSuffix(slashed, "/"),
		handles: newHandleCache(maxHandles),
		now:     time.Now, //nolint:forbidigo // the default of an injected clock
		link:    (*os.Root).Link,
	}, nil
}

// Dir returns the absolute path of the store's directory.
func (s *Store) Dir() string { return s.dir }

// Close closes the files that the store keeps open. Writers still at work fail afterwards.
func (s *Store) Close() error {
	return errors.Join(s.handles.close(), s.root.Close())
}

// URI implements storage.Store. As all Iceberg writers do with local paths, it records names as they are, without percent-encoding.
func (s *Store) URI(name string) string {
	if name == "" {
		return s.uri
	}
	return s.uri + "/" + name
}

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	if err := check(ctx, "stat", name); err != nil {
		return storage.Info{}, err
	}
	info, err := s.root.Stat(filepath.FromSlash(name))
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return storage.Info{}, s.failed("stat", name, err)
	}
	return storage.Info{Name: name, Size: info.Size(), ModTime: info.ModTime()}, nil
}

// ReadAt implements storage.Store.
func (s *Store) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	if err := check(ctx, "read", name); err != nil {
		return err
	}
	h, size, err := s.open(name)
	if err != nil {
		return s.failed("read", name, err)
	}
	defer s.handles.release(h)
	if off < 0 || off > size || int64(len(p)) > size-off {
		return fmt.Errorf("read %q in %s: %w: %d bytes at %d of %d", name, s.dir, storage.ErrRange, len(p), off, size)
	}
	return s.fill(h, name, p, off)
}

// ReadTail implements storage.Store.
func (s *Store) ReadTail(ctx context.Context, name string, p []byte) (int, int64, error) {
	if err := check(ctx, "read", name); err != nil {
		return 0, 0, err
	}
	h, size, err := s.open(name)
	if err != nil {
		return 0, 0, s.failed("read", name, err)
	}
	defer s.handles.release(h)
	n := int(min(int64(len(p)), size))
	if err := s.fill(h, name, p[:n], size-int64(n)); err != nil {
		return 0, 0, err
	}
	return n, size, nil
}

// fill reads exactly len(p) bytes. A file that another program cut while we read it shows as ErrRange.
func (s *Store) fill(h *handle, name string, p []byte, off int64) error {
	if len(p) == 0 {
		return nil
	}
	n, err := h.file.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("read %q in %s: %w: it became shorter while it was read", name, s.dir, storage.ErrRange)
	}
	return s.failed("read", name, err)
}

// open returns a handle of a regular file and the file's size. The caller releases the handle.
func (s *Store) open(name string) (*handle, int64, error) {
	if h := s.handles.acquire(name); h != nil {
		info, err := h.file.Stat()
		if err == nil && !unlinked(info) {
			return h, info.Size(), nil
		}
		s.handles.drop(name) // deleted or replaced by another program
		s.handles.release(h)
	}
	file, err := s.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return s.handles.add(name, file), info.Size(), nil
}

// Delete implements storage.Store. Directories that become empty are removed with the object.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := check(ctx, "delete", name); err != nil {
		return err
	}
	s.handles.drop(name)
	file := filepath.FromSlash(name)
	info, err := s.root.Lstat(file)
	if err == nil && !info.IsDir() {
		err = s.root.Remove(file)
	}
	if err != nil && !isAbsent(err) {
		return s.failed("delete", name, err)
	}
	if err == nil {
		s.removeEmptyParents(path.Dir(name))
	}
	return nil
}

// removeEmptyParents removes the directory and those above it, up to the root, as long as they are empty. A writer that was about to
// use one makes it again.
func (s *Store) removeEmptyParents(dir string) {
	for ; dir != "."; dir = path.Dir(dir) {
		if syscall.Rmdir(filepath.Join(s.dir, filepath.FromSlash(dir))) != nil {
			return
		}
	}
}

// syncDirs flushes the entry of a new file in dir, and those of dir and of every directory above it, up to the root: any of them may
// be new, made by us or by another process that has not flushed it yet.
func (s *Store) syncDirs(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be flushed there
	}
	for {
		d, err := s.root.Open(filepath.FromSlash(dir))
		if err != nil {
			return err
		}
		err = d.Sync()
		if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
			err = nil // this file system has nothing to flush for directories
		}
		if err := errors.Join(err, d.Close()); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
		dir = path.Dir(dir)
	}
}

// check refuses cancelled contexts and invalid names.
func check(ctx context.Context, operation, name string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %q: %w", operation, name, err)
	}
	if err := storage.CheckName(name); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}

// isAbsent reports whether the error says that there is no such file, be it that one of its directories is a file.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// failed describes an error of the file system: what, where, and where it can be said, what to do.
func (s *Store) failed(operation, name string, err error) error {
	what := fmt.Sprintf("%s %q in %s", operation, name, s.dir)
	switch {
	case (operation == "stat" || operation == "read") && isAbsent(err):
		return fmt.Errorf("%s: %w", what, storage.ErrNotExist)
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s: %w", what, storage.ErrExist)
	case errors.Is(err, syscall.ENAMETOOLONG):
		return fmt.Errorf("%s: %w: %w", what, storage.ErrInvalidName, err)
	case isFull(err):
		return fmt.Errorf("%s: the disk is full or the quota is used up; free space there and try again: %w", what, err)
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("%s: too many files are open; raise the limit (ulimit -n): %w", what, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: check the owner and the mode of the files and directories there: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
