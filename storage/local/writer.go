package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/google/uuid"

	"github.com/firnlog/firn/storage"
)

// writeBuffer gathers small writes before they go to the file.
const writeBuffer = 128 << 10

// createAttempts bounds how often Create makes its directory again, when deletes of other objects keep removing it while it is empty.
const createAttempts = 100

// errEnded is returned by a writer that was committed or aborted before.
var errEnded = errors.New("the writer was committed or aborted already")

// Create implements storage.Store. The directories of the name are made as needed.
func (s *Store) Create(ctx context.Context, name string) (storage.Writer, error) {
	if err := check(ctx, "create", name); err != nil {
		return nil, err
	}
	if _, err := s.root.Lstat(filepath.FromSlash(name)); err == nil {
		return nil, s.failed("create", name, fs.ErrExist)
	}
	temp := path.Join(path.Dir(name), storage.TempPrefix+uuid.NewString())
	for attempt := 0; ; attempt++ {
		file, err := s.createTemp(temp)
		if err == nil {
			return &writer{store: s, name: name, temp: temp, file: file, buffer: bufio.NewWriterSize(file, writeBuffer)}, nil
		}
		s.removeEmptyParents(path.Dir(name))
		if !errors.Is(err, fs.ErrNotExist) || attempt == createAttempts {
			return nil, s.failed("create", name, err)
		}
	}
}

// createTemp makes the file to write to and the directories above it.
func (s *Store) createTemp(temp string) (*os.File, error) {
	if dir := path.Dir(temp); dir != "." {
		if err := s.root.MkdirAll(filepath.FromSlash(dir), 0o755); err != nil {
			return nil, err
		}
	}
	return s.root.OpenFile(filepath.FromSlash(temp), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

// writer writes one object to a hidden file in the directory of its name.
type writer struct {
	store  *Store
	name   string
	temp   string
	file   *os.File // nil when the writer has ended
	buffer *bufio.Writer
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.file == nil {
		return 0, fmt.Errorf("write %q in %s: %w", w.name, w.store.dir, errEnded)
	}
	n, err := w.buffer.Write(p)
	if err != nil {
		return n, w.store.failed("write", w.name, err)
	}
	return n, nil
}

// Commit implements storage.Writer. It flushes the file to the disk, publishes it, and flushes the directories. If the last of these
// fails, the object is there but may not survive a power failure: the error says so, and the object stays, since others may have
// seen it.
func (w *writer) Commit(ctx context.Context) error {
	if w.file == nil {
		return fmt.Errorf("commit %q in %s: %w", w.name, w.store.dir, errEnded)
	}
	if err := w.finish(ctx); err != nil {
		return errors.Join(w.store.failed("commit", w.name, err), w.Abort())
	}
	if err := w.store.publish(w.temp, w.name); err != nil {
		return errors.Join(w.store.failed("commit", w.name, err), w.removeTemp())
	}
	if err := w.store.syncDirs(path.Dir(w.name)); err != nil {
		return w.store.failed("commit (the object was published, but perhaps not for good)", w.name, err)
	}
	return nil
}

// finish writes the last bytes, flushes them to the disk and closes the file.
func (w *writer) finish(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.buffer.Flush(); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	file := w.file
	w.file = nil
	if err := file.Close(); err != nil {
		return errors.Join(err, w.removeTemp())
	}
	return nil
}

// Abort implements storage.Writer.
func (w *writer) Abort() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	return errors.Join(err, w.removeTemp())
}

// removeTemp removes the hidden file, and the directories that were made for it.
func (w *writer) removeTemp() error {
	err := w.store.root.Remove(filepath.FromSlash(w.temp))
	if err != nil && !isAbsent(err) {
		return w.store.failed("remove the temporary file of", w.name, err)
	}
	w.store.removeEmptyParents(path.Dir(w.name))
	return nil
}

// publish gives the finished file its name, unless the name is taken: then it returns an error that is fs.ErrExist. On success the
// hidden name is gone.
func (s *Store) publish(temp, name string) error {
	from, to := filepath.FromSlash(temp), filepath.FromSlash(name)
	err := s.link(s.root, from, to)
	switch {
	case err == nil, errors.Is(err, fs.ErrExist) && s.sameFile(from, to):
		// Same file: a network file system made the link, lost its answer, and tried again.
		if err := s.root.Remove(from); err != nil && !isAbsent(err) {
			return fmt.Errorf("the object was published, but its temporary file %q could not be removed; remove it: %w", temp, err)
		}
		return nil
	case lacksLinks(err):
		if err := renameExclusive(s.root, from, to); err != nil {
			return fmt.Errorf("publish without hard links, which this file system lacks: %w", err)
		}
		return nil
	}
	return err
}

// sameFile reports whether two names are links to one file.
func (s *Store) sameFile(a, b string) bool {
	infoA, errA := s.root.Lstat(a)
	infoB, errB := s.root.Lstat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// lacksLinks reports whether the file system cannot make hard links (FAT, some network and FUSE file systems).
func lacksLinks(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EMLINK)
}
