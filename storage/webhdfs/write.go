package webhdfs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/firnlog/firn/storage"
)

// Create implements storage.Store. It sends no request: whether the name is taken shows at Commit.
func (s *Store) Create(ctx context.Context, name string) (storage.Writer, error) {
	if err := s.check(ctx, "create", name); err != nil {
		return nil, err
	}
	return &writer{s: s, name: name, spool: spool{limit: s.options.SpoolBytes, dir: s.options.SpoolDir}}, nil
}

// writer implements storage.Writer.
type writer struct {
	s     *Store
	name  string
	spool spool
	temps []string // paths of uploads that may have been begun and were not published
	ended bool     // Commit or Abort was called
	err   error    // of a write that failed
}

// errEnded says that a writer was used after its end.
var errEnded = errors.New("the writer has ended")

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	err := w.err
	if w.ended {
		err = errEnded
	}
	n := 0
	if err == nil {
		n, err = w.spool.write(p)
		w.err = err
	}
	if err != nil {
		return n, w.s.failed("write", w.name, err)
	}
	return n, nil
}

// Commit implements storage.Writer: it uploads the object under a hidden name, as often as it takes, and gives it its own.
func (w *writer) Commit(ctx context.Context) error {
	err := w.err
	if w.ended {
		err = errEnded
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return w.s.failed("commit", w.name, err)
	}
	w.ended = true
	f, err := w.upload(ctx)
	if err == nil {
		err = w.publish(ctx, f)
	}
	err = errors.Join(err, w.spool.close())
	if err != nil {
		return w.s.failed("commit", w.name, err)
	}
	return nil
}

// cleanupTime bounds how long the removal of hidden files may take. What stays is removed by RemoveStale.
const cleanupTime = 15 * time.Second

// Abort implements storage.Writer.
func (w *writer) Abort() error {
	w.ended = true
	err := w.spool.close()
	if len(w.temps) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupTime)
		defer cancel()
		for _, temp := range w.temps {
			w.s.discard(ctx, temp)
		}
		w.temps = nil
	}
	if err != nil {
		return w.s.failed("abort", w.name, err)
	}
	return nil
}

// discard removes a hidden file as well as it can.
func (s *Store) discard(ctx context.Context, temp string) {
	if err := s.remove(ctx, temp); err != nil && !errors.Is(err, storage.ErrNotExist) {
		s.log.WarnContext(ctx, "webhdfs: a hidden file stays until it is removed as stale", "path", temp, "root", s.uri, "error", err)
	}
}

// upload makes a hidden file with all that was written, and returns its status. Each attempt has a name of its own: a datanode that was
// given up may still be writing to the last one.
func (w *writer) upload(ctx context.Context) (fileStatus, error) {
	t := w.s.tries("CREATE")
	t.quick++
	for {
		temp := w.s.path(path.Join(path.Dir(w.name), storage.TempPrefix+rand.Text()))
		w.temps = append(w.temps, temp)
		f, err := w.s.store(ctx, temp, &w.spool)
		if err == nil {
			return f, nil
		}
		if remote, ok := errors.AsType[*RemoteError](err); ok && remote.taken() {
			err = &transportError{op: "CREATE", server: remote.Server, err: err} // an attempt that we did not hear of; take another name
		}
		if err := t.again(ctx, err); err != nil {
			return fileStatus{}, err
		}
	}
}

// store makes one attempt to write a file, and checks that the cluster has all of it.
func (s *Store) store(ctx context.Context, path string, from *spool) (fileStatus, error) {
	params := []string{"overwrite", "false"}
	if s.options.Replication > 0 {
		params = append(params, "replication", strconv.Itoa(s.options.Replication))
	}
	if s.options.BlockBytes > 0 {
		params = append(params, "blocksize", strconv.FormatInt(s.options.BlockBytes, 10))
	}
	if err := s.put(ctx, request{method: http.MethodPut, op: "CREATE", path: path, params: params}, from); err != nil {
		return fileStatus{}, err
	}
	f, err := s.status(ctx, path)
	if err == nil && f.Length != from.size {
		err = &transportError{op: "CREATE", server: s.uri, err: fmt.Errorf("the file has %d bytes instead of %d", f.Length, from.size)}
	}
	return f, err
}

// put uploads a file: it asks the namenode for a datanode, and sends the bytes there.
func (s *Store) put(ctx context.Context, r request, from *spool) error {
	ctx, w := watch(ctx, s.options.RequestTimeout)
	defer w.stop()
	location, response, err := s.redirect(ctx, r, 0, 0)
	if err != nil {
		return err
	}
	if response != nil {
		_ = response.Body.Close()
		return &RemoteError{Op: r.op, Server: response.Request.URL.Host, Status: response.StatusCode, Message: "no datanode was named"}
	}
	h, err := s.datanodeRequest(ctx, http.MethodPut, location)
	if err != nil {
		return err
	}
	h.Header.Set("Content-Type", "application/octet-stream")
	w.allow(s.options.StallTimeout)
	h = withBody(h, from, w, s.options)
	response, err = s.http.Do(h)
	if err != nil {
		err = lost(ctx, r.op, location.Host, err)
		if temporary(err) {
			s.datanodes.fail(location.Host)
		}
		return err
	}
	if response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusOK {
		return remoteError(r.op, location.Host, true, response)
	}
	s.datanodes.well(location.Host)
	return response.Body.Close()
}
