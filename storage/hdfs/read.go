package hdfs

import (
	"context"
	"errors"
	"fmt"
	"os"

	hadoop "github.com/colinmarc/hdfs/v2"

	"github.com/firnlog/firn/storage"
)

// ReadAt implements storage.Store. The first read of a file asks the namenode where it lies; later ones go to the datanodes at once, for
// some time also if another process has deleted the file. A cancelled context is noticed after at most 1 MiB or OperationTimeout for each
// replica.
func (s *Store) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	if err := check(ctx, "read", name); err != nil {
		return err
	}
	var id uint64 // of the file that the first bytes of p are from
	done := 0     // their number
	err := s.read(ctx, name, off, func(r *reader) error {
		if off < 0 || off > r.size || int64(len(p)) > r.size-off {
			return fmt.Errorf("%w: %d bytes at %d of %d", storage.ErrRange, len(p), off, r.size)
		}
		if r.id != id {
			id, done = r.id, 0
		}
		n, err := r.fill(ctx, p[done:], off+int64(done))
		done += n
		return err
	})
	if errors.Is(err, errStriped) {
		other, err := s.coded.open(ctx)
		if err != nil {
			return s.failed("read", name, err)
		}
		return other.ReadAt(ctx, name, p, off)
	}
	return s.failed("read", name, err)
}

// ReadTail implements storage.Store.
func (s *Store) ReadTail(ctx context.Context, name string, p []byte) (n int, size int64, err error) {
	if err := check(ctx, "read", name); err != nil {
		return 0, 0, err
	}
	err = s.read(ctx, name, -1, func(r *reader) error {
		size = r.size
		n = int(min(int64(len(p)), size))
		if _, err := r.fill(ctx, p[:n], size-int64(n)); err != nil || !r.fresh {
			return err
		}
		return s.same(ctx, name, r)
	})
	if errors.Is(err, errStriped) {
		other, err := s.coded.open(ctx)
		if err != nil {
			return 0, 0, s.failed("read", name, err)
		}
		return other.ReadTail(ctx, name, p)
	}
	if err != nil {
		return 0, 0, s.failed("read", name, err)
	}
	return n, size, nil
}

// same makes sure that the name still is of the file that a reader was opened for. Opening asks for the size first and for the blocks at the
// first read: if the file was replaced in between, size and bytes are of two files.
func (s *Store) same(ctx context.Context, name string, r *reader) error {
	st, err := call(ctx, s.sessions, func(c *hadoop.Client) (status, error) { return statusOf(c, s.path(name)) })
	if err == nil && st.id != r.id {
		err = errReplaced
	}
	return err
}

// errReplaced says that a file was deleted and made again while it was opened.
var errReplaced = errors.New("the file was replaced while it was opened")

// read calls f with a reader, again and with a new one if it fails: the file may have moved to other nodes. It returns errStriped if the
// file is erasure coded.
func (s *Store) read(ctx context.Context, name string, off int64, f func(*reader) error) error {
	return s.retry(ctx, "read "+name, func(n int) error {
		return s.readers.use(ctx, name, off, n > 0, func(r *reader) error {
			if r.striped {
				return errStriped
			}
			err := f(r)
			if err != nil && n > 0 && !permanent(err) {
				r.session.broken.Store(true) // its keys may have expired
			}
			if errors.Is(err, os.ErrDeadlineExceeded) { // all replicas were slow
				s.patience.more()
			}
			return err
		})
	})
}
