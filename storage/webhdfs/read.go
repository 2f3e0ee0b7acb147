package webhdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/firnlog/firn/storage"
)

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	if err := s.check(ctx, "stat", name); err != nil {
		return storage.Info{}, err
	}
	f, err := s.object(ctx, name)
	if err != nil {
		return storage.Info{}, s.failed("stat", name, err)
	}
	return storage.Info{Name: name, Size: f.Length, ModTime: time.UnixMilli(f.ModTime)}, nil
}

// ReadAt implements storage.Store. It takes a request to the namenode and one to a datanode.
func (s *Store) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	if err := s.check(ctx, "read", name); err != nil {
		return err
	}
	if len(p) == 0 || off < 0 || off+int64(len(p)) < off {
		f, err := s.object(ctx, name)
		if err == nil && (off < 0 || off > f.Length || int64(len(p)) > f.Length-off) {
			err = outside(len(p), off, f.Length)
		}
		if err != nil {
			return s.failed("read", name, err)
		}
		return nil
	}
	n, err := s.fetch(ctx, name, p, off)
	if err == nil && n < len(p) {
		err = outside(len(p), off, off+int64(n))
	}
	if err != nil {
		return s.failed(fmt.Sprintf("read %d bytes at %d of", len(p), off), name, err)
	}
	return nil
}

// outside says that a range ends behind the object.
func outside(n int, off, size int64) error {
	return fmt.Errorf("%w: %d bytes at %d of %d", storage.ErrRange, n, off, size)
}

// ReadTail implements storage.Store. It takes as many requests as ReadAt, and one more if the size is not known from an earlier
// request, or not right any more.
func (s *Store) ReadTail(ctx context.Context, name string, p []byte) (int, int64, error) {
	if err := s.check(ctx, "read", name); err != nil {
		return 0, 0, err
	}
	if k, ok := s.objects.Get(name); ok && k.size > 0 && len(p) > 0 {
		// One byte more than there should be tells whether the object is still as long.
		n := min(int64(len(p)), k.size)
		more := make([]byte, n+1)
		got, err := s.fetch(ctx, name, more, k.size-n)
		if err == nil && int64(got) == n {
			return copy(p, more[:n]), k.size, nil
		}
		if err != nil && !errors.Is(err, storage.ErrRange) {
			return 0, 0, s.failed("read the end of", name, err)
		}
	}
	for t := s.tries("OPEN"); ; {
		f, err := s.object(ctx, name)
		n := int(min(int64(len(p)), f.Length))
		if err == nil && n > 0 {
			var got int
			got, err = s.fetch(ctx, name, p[:n], f.Length-int64(n))
			if err == nil && got < n || errors.Is(err, storage.ErrRange) {
				err = &transportError{op: "OPEN", server: s.uri, err: errChanged}
			}
		}
		if err == nil {
			return n, f.Length, nil
		}
		if err := t.again(ctx, err); err != nil {
			return 0, 0, s.failed("read the end of", name, err)
		}
	}
}

// errChanged says that a name was deleted and made again during a read.
var errChanged = errors.New("another object has the name now")

// fetch fills p from offset off, with as many requests as it takes, and returns how many bytes there were before the object's end.
// All come from one object: when a body breaks off, the rest is read from where it did, and it is checked that the name still has the
// same file.
func (s *Store) fetch(ctx context.Context, name string, p []byte, off int64) (int, error) {
	got, parts := 0, 0
	t := s.tries("OPEN")
	t.quick += 2
	before, isKnown := s.objects.Get(name)
	for silent := 0; ; {
		limit := s.options.StallTimeout
		if silent >= 2 { // the datanodes may be waiting for one of them that hangs
			limit = s.options.PatientTimeout
		}
		n, end, err := s.fetchPart(ctx, s.path(name), p[got:], off+int64(got), limit)
		got += n
		if n > 0 {
			parts++
		}
		if err == nil && (got == len(p) || end) {
			if parts > 1 {
				err = s.sameFile(ctx, name, before)
			}
			if err == nil {
				return got, nil
			}
		}
		if _, ok := errors.AsType[*stallError](err); ok {
			silent++
		}
		if errors.Is(err, storage.ErrRange) && parts > 0 {
			err = &transportError{op: "OPEN", server: s.uri, err: errChanged} // it was longer a moment ago
		}
		if n > 0 && !errors.Is(err, errChanged) {
			t.progressed()
		}
		if err := t.again(ctx, err); err != nil {
			if errors.Is(err, storage.ErrNotExist) {
				s.objects.Remove(name)
			}
			return 0, err
		}
		if parts > 0 && !isKnown || errors.Is(err, errChanged) {
			// What was read cannot be told from what another object of that name would give: begin again, now knowing the file.
			f, err := s.object(ctx, name)
			if err != nil {
				return 0, err
			}
			before, isKnown, got, parts = known{size: f.Length, fileID: f.FileID}, true, 0, 0
		}
	}
}

// sameFile checks that a name has the file that it had before a read.
func (s *Store) sameFile(ctx context.Context, name string, before known) error {
	f, err := s.object(ctx, name)
	if err != nil {
		return err
	}
	if f.FileID != before.fileID || f.Length != before.size {
		return &transportError{op: "OPEN", server: s.uri, err: errChanged}
	}
	return nil
}

// fetchPart makes one attempt to fill p from offset off, and returns how many bytes came, and whether the object ends with them.
func (s *Store) fetchPart(ctx context.Context, path string, p []byte, off int64, limit time.Duration) (n int, end bool, err error) {
	r := request{
		method: http.MethodGet, op: "OPEN", path: path,
		params: []string{"offset", strconv.FormatInt(off, 10), "length", strconv.Itoa(len(p))},
	}
	watched, w := watch(ctx, limit)
	defer w.stop()
	response, err := s.open(watched, w, r, off, int64(len(p)))
	if err != nil {
		return 0, false, err
	}
	defer response.Body.Close() //nolint:errcheck // nothing is lost with it
	server := response.Request.URL.Host
	want := len(p)
	if l := response.ContentLength; l >= 0 && l < int64(want) {
		want = int(l)
	}
	n, err = io.ReadFull(&watchedReader{from: response.Body, w: w}, p[:want])
	if err == nil || response.ContentLength < 0 && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) {
		if n < len(p) && response.ContentLength < 0 {
			return n, false, s.endsAt(ctx, path, off+int64(n), server)
		}
		return n, n < len(p), nil
	}
	if ctx.Err() == nil {
		s.datanodes.fail(server)
	}
	return n, false, lost(watched, "OPEN", server, fmt.Errorf("%d of %d bytes at %d: %w", n, want, off, err))
}

// endsAt finds out whether a body of untold length broke off. If it did not, the object ends there, and the range behind it.
func (s *Store) endsAt(ctx context.Context, path string, size int64, server string) error {
	f, err := s.status(ctx, path)
	if err == nil && f.Length == size {
		err = fmt.Errorf("%w: the object has %d bytes", storage.ErrRange, size)
	}
	if err == nil {
		err = &transportError{op: "OPEN", server: server, err: io.ErrUnexpectedEOF}
	}
	return err
}

// open asks the namenode for a datanode, and that for a range of a file. The caller closes the body.
func (s *Store) open(ctx context.Context, w *watchdog, r request, off, length int64) (*http.Response, error) {
	location, response, err := s.redirect(ctx, r, off, length)
	if err != nil || response != nil {
		return response, err
	}
	w.touch()
	h, err := s.datanodeRequest(ctx, http.MethodGet, location)
	if err != nil {
		return nil, err
	}
	response, err = s.http.Do(h)
	if err != nil {
		err = lost(ctx, r.op, location.Host, err)
		if temporary(err) {
			s.datanodes.fail(location.Host)
		}
		return nil, err
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusPartialContent {
		err := remoteError(r.op, location.Host, true, response)
		if temporary(err) {
			s.datanodes.fail(location.Host)
		}
		return nil, err
	}
	w.touch()
	s.datanodes.well(location.Host)
	return response, nil
}
