package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/firnlog/firn/storage"
)

// touchEvery is how old the time of a block file may become while the block is read. It is how exactly "least recently used" is known
// to other processes and later ones.
const touchEvery = time.Minute

// need is a run of bytes of one block that a caller wants.
type need struct {
	number int64
	lo, hi int // in the block
}

// ReadAt implements storage.Store. What is cached costs no request. What is not is fetched in whole blocks, one request for each run of
// adjacent blocks, side by side; blocks that somebody else is fetching are waited for. The first read of an object of unknown size
// fetches exactly what was asked for.
func (s *Store) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	o, err := s.use(ctx, name)
	if err != nil {
		return err
	}
	if o == nil || off < 0 {
		return s.bypass(ctx, name, p, off)
	}
	return s.read(ctx, o, p, off)
}

// ReadTail implements storage.Store. It costs no request if the object's last block is cached.
func (s *Store) ReadTail(ctx context.Context, name string, p []byte) (int, int64, error) {
	o, err := s.use(ctx, name)
	if err != nil {
		return 0, 0, err
	}
	if o == nil {
		return s.bypassTail(ctx, name, p)
	}
	s.mu.Lock()
	size := o.size
	s.mu.Unlock()
	if size < 0 {
		return s.fetchTail(ctx, o, p)
	}
	n := int(min(int64(len(p)), size))
	err = s.read(ctx, o, p[:n], size-int64(n))
	if errors.Is(err, storage.ErrRange) || err == nil && o.dead.Load() {
		return s.bypassTail(ctx, name, p) // it is not the object that it was
	}
	if err != nil {
		return 0, 0, err
	}
	return n, size, nil
}

// bypass reads past the cache.
func (s *Store) bypass(ctx context.Context, name string, p []byte, off int64) error {
	s.counters.bypassed.Add(1)
	s.counters.innerRequests.Add(1)
	err := s.inner.ReadAt(ctx, name, p, off)
	if err == nil {
		s.counters.innerBytes.Add(int64(len(p)))
	}
	return err
}

// bypassTail reads a tail past the cache.
func (s *Store) bypassTail(ctx context.Context, name string, p []byte) (int, int64, error) {
	s.counters.bypassed.Add(1)
	s.counters.innerRequests.Add(1)
	n, size, err := s.inner.ReadTail(ctx, name, p)
	if err == nil {
		s.counters.innerBytes.Add(int64(n))
	}
	return n, size, err
}

// read fills p from the cache, and from the store below where the cache has nothing.
func (s *Store) read(ctx context.Context, o *object, p []byte, off int64) error {
	s.mu.Lock()
	size := o.size
	s.mu.Unlock()
	if size >= 0 && (off > size || int64(len(p)) > size-off) {
		return fmt.Errorf("read %q in %s: %w: %d bytes at %d of %d", o.name, s.uri, storage.ErrRange, len(p), off, size)
	}
	if len(p) == 0 || off+int64(len(p)) < off {
		if size >= 0 {
			return nil
		}
		return s.bypass(ctx, o.name, p, off)
	}
	block, now := int64(s.opts.BlockBytes), s.now().UnixNano()
	var missing []need
	for at, end := off, off+int64(len(p)); at < end; {
		number := at / block
		next := min((number+1)*block, end)
		n := need{number: number, lo: int(at - number*block), hi: int(next - number*block)}
		if !s.serve(o, n, p[at-off:next-off], now) {
			missing = append(missing, n)
			s.counters.misses.Add(1)
			s.counters.missBytes.Add(next - at)
		}
		at = next
	}
	if len(missing) > 0 {
		if err := s.fetch(ctx, o, p, off, missing); err != nil {
			return err
		}
	}
	if o.dead.Load() {
		return s.bypass(ctx, o.name, p, off) // replaced meanwhile: p may hold bytes of both
	}
	return nil
}

// serve fills p from memory or from the disk, if either has it.
func (s *Store) serve(o *object, n need, p []byte, now int64) bool {
	s.mu.Lock()
	b := o.blocks[n.number]
	if b != nil && b.holds(n.lo, n.hi) {
		s.memory.blocks.MoveToFront(b.inMemory)
		from := b.data[n.lo-b.start:]
		touch := b.useLocked(now)
		s.mu.Unlock()
		copy(p, from)
		s.servedFromMemory(len(p))
		s.touch(touch, now)
		return true
	}
	if f := o.flights[n.number]; f != nil && f.arrived && f.err == nil && f.covers(s.opts.BlockBytes, n) {
		s.mu.Unlock()
		copy(p, f.data[n.number*int64(s.opts.BlockBytes)+int64(n.lo)-f.from:])
		s.servedFromMemory(len(p))
		return true
	}
	var h *handle
	if b != nil && b.file != nil && b.file.holds(n.lo, n.hi) {
		h = b.file
		h.users++
		s.handles.blocks.MoveToFront(b.inHandles)
	}
	s.mu.Unlock()
	if h == nil {
		if h = s.openBlock(o, n); h == nil {
			return false
		}
	}
	defer s.release(h)
	return s.serveFile(o, h, n, p, now)
}

func (s *Store) servedFromMemory(bytes int) {
	s.counters.memoryHits.Add(1)
	s.counters.memoryBytes.Add(int64(bytes))
}

// serveFile fills p from an open block file. A block of which as much was read as it has is brought into memory while there is room, and
// in place of others only if it was read many times: however the reads are spread, what is spent on blocks that go again unread is a
// small part of what reading costs.
func (s *Store) serveFile(o *object, h *handle, n need, p []byte, now int64) bool {
	s.mu.Lock()
	promote, touch := false, ""
	if b := o.blocks[n.number]; b != nil && b.file == h {
		b.served += len(p)
		promote = s.worthMemoryLocked(b.served, h.header.length)
		if promote {
			b.served = 0
		}
		touch = b.useLocked(now)
	}
	s.mu.Unlock()
	into, from := p, n.lo
	if promote {
		into, from = make([]byte, h.header.length), h.header.start
	}
	if err := s.disk.read(h, into, from); err != nil {
		s.badBlock(o, h, err)
		return false
	}
	if promote {
		copy(p, into[n.lo-from:])
		s.mu.Lock()
		s.keepLocked(o, n.number, from, into, now)
		s.mu.Unlock()
	}
	s.counters.diskHits.Add(1)
	s.counters.diskBytes.Add(int64(len(p)))
	s.touch(touch, now)
	return true
}

// worthMemoryLocked tells whether a block of which so many bytes were read from the disk belongs into memory.
func (s *Store) worthMemoryLocked(served, length int) bool {
	const readsToReplace = 16
	if int64(length) > s.memory.limit {
		return false
	}
	if s.memory.weight+int64(length) > s.memory.limit {
		length *= readsToReplace
	}
	return served >= length
}

// useLocked notes that a block is read, and returns the file whose time is to be set, if it is time for that.
func (b *block) useLocked(now int64) string {
	b.used = now
	if b.path == "" || now-b.touched < int64(touchEvery) {
		return ""
	}
	b.touched = now
	return b.path
}

// touch sets the time of a file, so that other processes see that it is in use.
func (s *Store) touch(path string, now int64) {
	if path == "" {
		return
	}
	at := time.Unix(0, now)
	if err := os.Chtimes(path, at, at); err != nil && !isAbsent(err) {
		s.counters.errors.Add(1) // as in a directory that can be read only; eviction is less exact then
	}
}

// openBlock opens the file of a block if it covers what is wanted, and keeps it open. The caller releases it. nil: it is a miss.
func (s *Store) openBlock(o *object, n need) *handle {
	s.mu.Lock()
	last := o.size >= 0 && n.number == lastBlock(o.size, s.opts.BlockBytes)
	s.mu.Unlock()
	if last {
		if h := s.openFile(o, suffix(n.number, true), n); h != nil {
			return h
		}
	}
	return s.openFile(o, suffix(n.number, false), n)
}

// lastBlock returns the number of an object's last block.
func lastBlock(size int64, blockBytes int) int64 { return max(size-1, 0) / int64(blockBytes) }

func (s *Store) openFile(o *object, suffix string, n need) *handle {
	path := s.disk.path(o.id, suffix)
	h, info, err := s.disk.open(path)
	if errors.Is(err, syscall.EMFILE) {
		s.closeIdle()
		h, info, err = s.disk.open(path)
	}
	if err != nil {
		s.notOpened(path, err)
		return nil
	}
	h.users = 1
	touched := info.ModTime().UnixNano()
	s.mu.Lock()
	valid := h.header.of(s.uri, o.name, s.opts.BlockBytes) && h.header.number == n.number
	fits := valid && h.header.generation == o.generation && o.adoptLocked(h.header)
	hit := fits && h.holds(n.lo, n.hi)
	if hit {
		err = s.attachLocked(o, h, touched)
	} else {
		h.users, h.dropped = 0, true
		err = h.closeUnusedLocked()
	}
	s.mu.Unlock()
	if err != nil {
		s.counters.errors.Add(1)
	}
	switch {
	case !valid:
		s.discard(path, true)
	case !fits: // of an object that had this name before
		s.discard(path, false)
	}
	if !hit {
		return nil
	}
	return h
}

// closeIdle closes the block files that nobody reads just now: the process has too many open files.
func (s *Store) closeIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := s.handles.blocks.Front(); at != nil; {
		b, ok := at.Value.(*block)
		at = at.Next()
		if ok && b.file.users == 0 {
			if err := s.detachLocked(b); err != nil {
				s.counters.errors.Add(1)
			}
		}
	}
}

// notOpened takes note of why a block file could not be opened.
func (s *Store) notOpened(path string, err error) {
	switch {
	case isAbsent(err):
	case errors.Is(err, errDamaged):
		s.discard(path, true)
	default:
		s.trouble("open a block in it", err)
	}
}

// badBlock takes note that an open block file could not be read, and lets go of it.
func (s *Store) badBlock(o *object, h *handle, err error) {
	s.mu.Lock()
	var closeErr error
	if b := o.blocks[h.header.number]; b != nil && b.file == h {
		closeErr = s.detachLocked(b)
	}
	s.mu.Unlock()
	if closeErr != nil {
		s.counters.errors.Add(1)
	}
	if errors.Is(err, errDamaged) {
		s.discard(h.path, true)
		return
	}
	s.trouble("read a block in it", err)
}

// discard deletes a block file that is of no use.
func (s *Store) discard(path string, damaged bool) {
	if damaged {
		s.counters.damaged.Add(1)
	}
	bytes, err := s.disk.remove(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.trouble("delete a damaged block from it", err)
	}
	if bytes > 0 {
		s.account(-bytes, -1)
	}
}

// findSize learns from an object's last block, if that is on the disk, how large the object is.
func (s *Store) findSize(o *object) {
	path := s.disk.path(o.id, lastSuffix)
	h, info, err := s.disk.open(path)
	if err != nil {
		s.notOpened(path, err)
		return
	}
	touched := info.ModTime().UnixNano()
	valid := h.header.of(s.uri, o.name, s.opts.BlockBytes) && h.header.flags&flagLast != 0
	s.mu.Lock()
	fits := valid && o.adoptLocked(h.header)
	if fits {
		if o.shared {
			o.generation, o.validated, o.modified = h.header.generation, h.header.validated, h.header.modified
		}
		err = s.attachLocked(o, h, touched)
	} else {
		h.dropped = true
		err = h.closeUnusedLocked()
	}
	s.mu.Unlock()
	if err != nil {
		s.counters.errors.Add(1)
	}
	if !fits {
		s.discard(path, !valid)
	}
}
