package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	hadoop "github.com/colinmarc/hdfs/v2"
	"github.com/google/uuid"

	"github.com/firnlog/firn/storage"
)

const (
	writePiece    = 256 << 10
	checksumBytes = 512     // blocks are multiples of it
	blockUnit     = 1 << 20 // and ours of this
	largestBlock  = 2<<30 - blockUnit
	fileMode      = 0o644
	dirMode       = 0o755
	tidyPatience  = 5 * time.Second // for deleting what an attempt left
)

// errEnded is returned by a writer that was committed or aborted before.
var errEnded = errors.New("the writer was committed or aborted already")

// errPipeline says that a connection to the datanodes failed while a file was written.
var errPipeline = errors.New("a datanode failed while it was written to")

// Create implements storage.Store. The bytes are kept locally until Commit, which sends them.
func (s *Store) Create(ctx context.Context, name string) (storage.Writer, error) {
	if err := check(ctx, "create", name); err != nil {
		return nil, err
	}
	switch _, err := s.status(ctx, s.path(name)); {
	case err == nil:
		return nil, s.failed("create", name, storage.ErrExist)
	case !errors.Is(err, storage.ErrNotExist):
		return nil, s.failed("create", name, err)
	}
	return &writer{store: s, name: name, spool: spool{dir: s.options.SpoolDir, memory: s.options.SpoolBytes}}, nil
}

// writer keeps an object until Commit.
type writer struct {
	store *Store
	name  string
	spool spool
	ended bool
	temps []string // paths of hidden files that may be left
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, w.store.failed("write", w.name, errEnded)
	}
	if err := w.spool.write(p); err != nil {
		return 0, w.store.failed("write", w.name, err)
	}
	return len(p), nil
}

// Abort implements storage.Writer.
func (w *writer) Abort() error {
	if w.ended {
		return nil
	}
	w.ended = true
	return w.spool.close()
}

// Commit implements storage.Writer. It sends the object, again and to other datanodes if they fail, until RetryFor is over, and publishes
// it. If the namenode does not answer for so long that its answer to the last call remains unknown, the error says so.
func (w *writer) Commit(ctx context.Context) error {
	if w.ended {
		return w.store.failed("commit", w.name, errEnded)
	}
	w.ended = true
	defer func() { _ = w.spool.close() }() // nothing is lost if its file stays
	err := errStriped
	if dir := path.Dir(w.store.path(w.name)); !w.store.coded.expects(dir) {
		err = w.store.retry(ctx, "write "+w.name, func(int) error { return w.attempt(ctx) })
		if errors.Is(err, errStriped) {
			w.store.coded.expect(dir)
		}
	}
	if errors.Is(err, errStriped) {
		err = w.commitStriped(ctx)
	}
	w.tidy(ctx)
	if err == nil {
		w.store.readers.drop(w.name) // who read it before it was deleted and made again
	}
	return w.store.failed("commit", w.name, err)
}

// attempt writes a hidden file and publishes it.
func (w *writer) attempt(ctx context.Context) error {
	s := w.store
	sess, err := s.sessions.writer(ctx)
	if err != nil {
		return err
	}
	defer s.sessions.giveBack(sess)
	temp := path.Join(path.Dir(s.path(w.name)), storage.TempPrefix+uuid.NewString())
	w.temps = append(w.temps, temp)
	id, err := w.writeFile(ctx, sess, temp)
	if err != nil {
		if !errors.Is(err, errStriped) {
			sess.broken.Store(true)
		}
		return err
	}
	return w.publish(ctx, sess, temp, id)
}

// writeFile writes the bytes to a new file and returns its id.
func (w *writer) writeFile(ctx context.Context, sess *session, temp string) (id uint64, err error) {
	stop := context.AfterFunc(ctx, sess.interrupt)
	defer stop()
	file, err := w.createFile(sess.client, temp)
	if err != nil {
		return 0, err
	}
	st, err := statusOf(sess.client, temp)
	if err == nil && st.striped {
		err = errStriped
	}
	if err == nil {
		err = w.send(ctx, sess, file)
	}
	if errors.Is(err, errStriped) {
		return 0, errors.Join(err, file.Close()) // it is empty, and tidied away
	}
	if err != nil {
		sess.interrupt()
		_ = file.Close() // fails; it ends the goroutines of the library's writer
		return 0, err
	}
	done, err := statusOf(sess.client, temp)
	if err != nil {
		return 0, fmt.Errorf("look at the hidden file that was written: %w", notFinal(err))
	}
	if done.size != w.spool.size || done.id != st.id {
		return 0, fmt.Errorf("the hidden file that was written has %d bytes instead of %d", done.size, w.spool.size)
	}
	return st.id, nil
}

// createFile creates a file, and its directory if it is missing.
func (w *writer) createFile(client *hadoop.Client, temp string) (*hadoop.FileWriter, error) {
	defaults, err := client.ServerDefaults()
	if err != nil {
		return nil, err
	}
	replication := w.store.replication
	if replication == 0 {
		replication = defaults.Replication
	}
	block := blockBytes(w.spool.size, w.store.options.BlockBytes, defaults.BlockSize)
	file, err := client.CreateFile(temp, replication, block, fileMode)
	if !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	if err := client.MkdirAll(path.Dir(temp), dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	file, err = client.CreateFile(temp, replication, block, fileMode)
	return file, notFinal(err)
}

// blockBytes returns the block size of a new file: what is wanted, but not less than the file, up to 2 GiB. The library fails now and then
// between two blocks, and the namenode sets aside a whole block for each file being written, so that no more is asked for either.
func blockBytes(size, wanted, byDefault int64) int64 {
	if wanted <= 0 {
		wanted = byDefault
	}
	if size <= wanted {
		return wanted
	}
	return min((size+blockUnit-1)/blockUnit*blockUnit, max(wanted, largestBlock))
}

// send writes the bytes and closes the file.
func (w *writer) send(ctx context.Context, sess *session, file *hadoop.FileWriter) error {
	err := w.spool.each(func(p []byte) error {
		if sess.data.Load() {
			return errPipeline
		}
		_, err := file.Write(p)
		return notFinal(err)
	})
	if err != nil {
		return err
	}
	start, pause := w.store.options.Now(), firstPause/4
	for {
		err := file.Close()
		if !hadoop.IsErrReplicating(err) { // only then it may be called again
			if err == nil && sess.data.Load() {
				err = errPipeline
			}
			return notFinal(err)
		}
		if w.store.options.Now().Sub(start) > w.store.options.RetryFor {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, time.Second)
	}
}

// notFinal hides that an error says that a file is missing: a hidden file that somebody deleted can be written again.
func notFinal(err error) error {
	if err != nil && permanent(err) && errors.Is(err, fs.ErrNotExist) {
		return errors.New(err.Error())
	}
	return err
}

// commitStriped has the store for erasure coded files write the object.
func (w *writer) commitStriped(ctx context.Context) (err error) {
	other, err := w.store.coded.open(ctx)
	if err != nil {
		return err
	}
	to, err := other.Create(ctx, w.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Abort()) }()
	if err := w.spool.each(func(p []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := to.Write(p)
		return err
	}); err != nil {
		return err
	}
	return to.Commit(ctx)
}

// tidy deletes the hidden files that attempts have left, as far as the namenode answers. RemoveStale finds the rest.
func (w *writer) tidy(ctx context.Context) {
	if len(w.temps) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyPatience)
	defer cancel()
	for _, temp := range w.temps {
		if err := w.store.remove(ctx, temp); err != nil {
			w.store.options.Logger.Warn("a hidden file was left in HDFS", "path", temp, "error", err)
		}
	}
}
