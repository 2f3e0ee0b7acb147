package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/google/uuid"

	"github.com/firnlog/firn/storage"
)

// errUnknown says that it could not be found out whether an object was published.
var errUnknown = errors.New("the namenode did not answer: the object may or may not have been published; look whether it exists " +
	"before writing it again")

// errVanished says that a hidden file was deleted before it was published.
var errVanished = errors.New("the hidden file was deleted by somebody else before it could be published")

// publish gives a hidden file its name, unless the name is taken. If the namenode's answer is lost, the ids of the files tell what happened.
// It returns a permanent error unless the file may be written and published again.
func (w *writer) publish(ctx context.Context, sess *session, temp string, id uint64) error {
	s := w.store
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.tryRename(sess, path.Dir(temp)); err != nil {
		return err
	}
	err := sess.rename(temp, s.path(w.name))
	if err == nil {
		w.temps = w.temps[:len(w.temps)-1]
		return nil
	}
	s.options.Logger.Debug("HDFS rename failed", "from", temp, "to", s.path(w.name), "error", err)
	published, settleErr := w.settle(ctx, temp, id)
	switch {
	case settleErr != nil:
		return fmt.Errorf("%w: %w; then: %w", errUnknown, err, settleErr)
	case published:
		return nil
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: %w", storage.ErrExist, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s", errVanished, temp)
	}
	return err // surely not published
}

// settle makes sure what became of a rename whose outcome is unknown: it deletes the hidden file, so that a rename still on its way has
// nothing to move, and looks who has the name.
func (w *writer) settle(ctx context.Context, temp string, id uint64) (published bool, err error) {
	s := w.store
	ctx = context.WithoutCancel(ctx) // bounded by RetryFor: an honest answer is worth the wait
	if err := s.retry(ctx, "settle "+w.name, func(int) error { return s.remove(ctx, temp) }); err != nil {
		return false, err
	}
	st, err := s.status(ctx, s.path(w.name))
	if errors.Is(err, storage.ErrNotExist) {
		return false, nil
	}
	return err == nil && st.id == id, err
}

// rename renames a file without replacing another. The session is the caller's alone.
func (sess *session) rename(from, to string) error {
	before := sess.renames.Load()
	err := sess.client.Rename(from, to)
	if err == nil && sess.renames.Load() == before {
		return errNotRPC
	}
	return err
}

// tryRename makes sure, once, that renames go through our hands, with one of a file that does not exist.
func (s *Store) tryRename(sess *session, dir string) error {
	if s.renames.Load() {
		return nil
	}
	none := path.Join(dir, storage.TempPrefix+uuid.NewString())
	before := sess.renames.Load()
	err := sess.client.Rename(none, none+"-to")
	if !isAbsent(err) {
		return fmt.Errorf("try a rename of a missing file: %w", err)
	}
	if sess.renames.Load() == before {
		return errNotRPC
	}
	s.renames.Store(true)
	return nil
}
