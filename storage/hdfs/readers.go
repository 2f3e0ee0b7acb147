package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	hadoop "github.com/colinmarc/hdfs/v2"

	"github.com/firnlog/firn/storage"
)

const (
	readPiece = 1 << 20  // after which a read looks at its context
	skipBytes = 64 << 10 // up to which a gap is read over rather than connected anew
)

// reader is an open file with the places of its blocks. One goroutine uses it at a time: the library's FileReader gives wrong bytes else.
type reader struct {
	file    *hadoop.FileReader
	session *session
	id      uint64
	size    int64
	striped bool

	fresh     bool  // not read from before
	pos       int64 // of the connection
	connected bool
	opened    time.Time
	used      time.Time
}

// fill reads exactly len(p) bytes at an offset; they are in the file. It returns how many it has read.
func (r *reader) fill(ctx context.Context, p []byte, off int64) (done int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	defer r.session.guard()()
	if err := r.seek(off); err != nil {
		return 0, err
	}
	for done < len(p) {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		r.connected = true
		n, err := io.ReadFull(r.file, p[done:min(len(p), done+readPiece)])
		r.pos += int64(n)
		done += n
		if err != nil {
			return done, fmt.Errorf("after %d of %d bytes from %d: %w", done, len(p), off, err)
		}
	}
	return done, nil
}

// seek goes to an offset. Short ways forward are read: when the library's Seek skips, it forgets to count the bytes, and returns wrong ones
// if the datanode then fails.
func (r *reader) seek(off int64) error {
	gap := off - r.pos
	if r.connected && gap == 0 {
		return nil
	}
	if r.connected && gap > 0 && gap <= skipBytes {
		n, err := io.CopyN(io.Discard, r.file, gap)
		r.pos += n
		return err
	}
	r.park()
	if _, err := r.file.Seek(off, io.SeekStart); err != nil {
		return err
	}
	r.pos = off
	return nil
}

// park closes the connection to the datanode. The places of the blocks are kept.
func (r *reader) park() {
	_, _ = r.file.Seek(0, io.SeekStart) // backwards, so that nothing is skipped; it cannot fail on an open file
	r.pos, r.connected = 0, false
}

// close ends the reader.
func (r *reader) close() {
	_ = r.file.Close()
	r.session.release()
}

// readers keeps open files for the next read, by name.
type readers struct {
	store *Store

	mu     sync.Mutex
	closed bool
	files  map[string]*file
	idle   int // readers in all files
}

// file holds the idle readers of one name. It is in the map while it has users or idle readers, unless the name was dropped.
type file struct {
	users   int
	dropped bool
	idle    []*reader // the last one was used last
}

// newReaders returns an empty pool.
func newReaders(s *Store) *readers { return &readers{store: s, files: map[string]*file{}} }

// use calls f with a reader of the file that nobody else uses. If fresh is set, it is opened now.
func (rs *readers) use(ctx context.Context, name string, off int64, fresh bool, f func(*reader) error) error {
	entry, r, err := rs.acquire(name, off, fresh)
	if err != nil {
		return err
	}
	if r == nil {
		if r, err = rs.open(ctx, name); err != nil {
			rs.release(name, entry, nil)
			return err
		}
	}
	err = f(r)
	r.fresh = false
	if err != nil && !errors.Is(err, storage.ErrRange) && !errors.Is(err, errStriped) {
		r.close()
		r = nil
	}
	rs.release(name, entry, r)
	return err
}

// acquire registers a user of a name and returns an idle reader of it, or nil if one is to be opened. The best one stands at the offset;
// else one without a connection is taken, so that those which others read on from are left to them.
func (rs *readers) acquire(name string, off int64, fresh bool) (*file, *reader, error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.closed {
		return nil, nil, errClosed
	}
	entry := rs.files[name]
	if entry == nil {
		entry = &file{}
		rs.files[name] = entry
	}
	entry.users++
	if fresh {
		rs.closeIdle(entry, func(*reader) bool { return true })
	} else {
		limit := rs.store.options.Now().Add(-metaPatience * rs.store.options.IdleTimeout)
		rs.closeIdle(entry, func(r *reader) bool { return r.opened.Before(limit) })
	}
	best := -1
	for i, r := range entry.idle {
		if r.connected && r.pos == off {
			best = i
			break
		}
		if best < 0 || !r.connected {
			best = i
		}
	}
	if best < 0 {
		return entry, nil, nil
	}
	r := entry.idle[best]
	entry.idle = slices.Delete(entry.idle, best, best+1)
	rs.idle--
	return entry, r, nil
}

// open opens a file.
func (rs *readers) open(ctx context.Context, name string) (*reader, error) {
	s := rs.store
	sess, done, err := s.sessions.shared(ctx)
	if err != nil {
		return nil, err
	}
	opened := make(chan *reader, 1)
	failed := make(chan error, 1)
	go func() {
		defer done()
		handle, err := sess.client.Open(s.path(name))
		if err != nil {
			failed <- explain(sess.client, s.path(name), err)
			return
		}
		info := handle.Stat()
		if info.IsDir() {
			_ = handle.Close()
			failed <- storage.ErrNotExist
			return
		}
		now := s.options.Now()
		r := &reader{file: handle, session: sess.acquire(), size: info.Size(), fresh: true, opened: now, used: now}
		if raw, ok := info.Sys().(*hadoop.FileStatus); ok {
			r.id, r.striped = raw.GetFileId(), isStriped(raw)
		}
		opened <- r
	}()
	select {
	case r := <-opened:
		return r, nil
	case err := <-failed:
		return nil, err
	case <-ctx.Done():
		go func() { // whatever was opened is closed; Close of the store waits for it, through done
			select {
			case r := <-opened:
				r.close()
			case <-failed: //nolint:errcheck // nobody waits for it any more
			}
		}()
		return nil, ctx.Err()
	}
}

// release ends a use and keeps the reader, if there is one, for the next.
func (rs *readers) release(name string, entry *file, r *reader) {
	var surplus *reader
	rs.mu.Lock()
	entry.users--
	switch {
	case r == nil:
	case rs.closed || entry.dropped:
		surplus = r
	default:
		r.used = rs.store.options.Now()
		entry.idle = append(entry.idle, r)
		rs.idle++
		if rs.idle > rs.store.options.IdleReaders {
			surplus = rs.takeOldest()
		}
	}
	rs.forgetEmpty(name, entry)
	rs.mu.Unlock()
	if surplus != nil {
		surplus.close()
	}
}

// takeOldest removes the idle reader that was not used for longest.
func (rs *readers) takeOldest() *reader {
	var oldest *file
	var name string
	for n, entry := range rs.files {
		if len(entry.idle) > 0 && (oldest == nil || entry.idle[0].used.Before(oldest.idle[0].used)) {
			oldest, name = entry, n
		}
	}
	r := oldest.idle[0]
	oldest.idle = oldest.idle[1:]
	rs.idle--
	rs.forgetEmpty(name, oldest)
	return r
}

// forgetEmpty removes a file from the map when it holds nothing.
func (rs *readers) forgetEmpty(name string, entry *file) {
	if entry.users == 0 && len(entry.idle) == 0 && rs.files[name] == entry {
		delete(rs.files, name)
	}
}

// closeIdle closes the idle readers of a file that match. It takes no time: nothing is sent.
func (rs *readers) closeIdle(entry *file, match func(*reader) bool) {
	entry.idle = slices.DeleteFunc(entry.idle, func(r *reader) bool {
		if !match(r) {
			return false
		}
		rs.idle--
		r.close()
		return true
	})
}

// drop forgets a name: it was deleted. Readers at work are closed when they are done.
func (rs *readers) drop(name string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	entry := rs.files[name]
	if entry == nil {
		return
	}
	entry.dropped = true
	rs.closeIdle(entry, func(*reader) bool { return true })
	delete(rs.files, name)
}

// sweep parks readers that were not used for IdleTimeout, and closes them some time later.
func (rs *readers) sweep(now time.Time) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	idle := rs.store.options.IdleTimeout
	for name, entry := range rs.files {
		rs.closeIdle(entry, func(r *reader) bool { return r.used.Before(now.Add(-metaPatience * idle)) })
		for _, r := range entry.idle {
			if r.connected && r.used.Before(now.Add(-idle)) {
				r.park()
			}
		}
		rs.forgetEmpty(name, entry)
	}
}

// close closes all idle readers. Those at work are closed when they are done.
func (rs *readers) close() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.closed = true
	for name, entry := range rs.files {
		rs.closeIdle(entry, func(*reader) bool { return true })
		delete(rs.files, name)
	}
}
