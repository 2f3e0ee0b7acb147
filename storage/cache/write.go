package cache

import (
	"context"

	"github.com/firnlog/firn/storage"
)

// storeFlight writes the blocks that a flight brought.
func (s *Store) storeFlight(f *flight) {
	for _, part := range f.parts(s.opts.BlockBytes) {
		s.storeBlock(f.object, part, f.bytes(int64(s.opts.BlockBytes), part))
	}
}

// storeBlock writes a block, or the part of it that is known, to the disk. Blocks of shared objects are only written when the object's size
// is known, since later processes find their generation in the last one.
func (s *Store) storeBlock(o *object, part need, payload []byte) {
	h := &header{
		store: s.uri, name: o.name, number: part.number, blockBytes: s.opts.BlockBytes, start: part.lo, length: len(payload),
		sums: checksums(payload),
	}
	s.mu.Lock()
	h.generation, h.validated, h.modified = o.generation, o.validated, o.modified
	h.size = max(o.atLeast, h.end())
	if o.size >= 0 {
		h.size, h.flags = o.size, flagSizeKnown
	}
	s.mu.Unlock()
	if o.shared && h.flags&flagSizeKnown == 0 || h.check() != nil {
		return
	}
	if h.flags&flagSizeKnown != 0 && h.end() == h.size {
		h.flags |= flagLast
	}
	if h.whole() {
		o.writes.RLock()
		defer o.writes.RUnlock()
	} else {
		o.writes.Lock()
		defer o.writes.Unlock()
		if s.hasMore(o, h) {
			return
		}
	}
	s.put(o, h, payload)
}

// hasMore tells whether the disk has that part of a block and more: who fetched that may have been faster.
func (s *Store) hasMore(o *object, h *header) bool {
	there, _, err := s.disk.open(s.disk.path(o.id, suffix(h.number, h.flags&flagLast != 0)))
	if err != nil {
		return false
	}
	if err := there.file.Close(); err != nil {
		s.counters.errors.Add(1)
	}
	return there.header.of(s.uri, o.name, s.opts.BlockBytes) && there.header.generation == h.generation && there.holds(h.start, h.start+h.length)
}

// put writes a block file. The caller holds object.writes.
func (s *Store) put(o *object, h *header, payload []byte) {
	if o.dead.Load() {
		return
	}
	if !s.mayWrite() {
		s.counters.skipped.Add(1)
		return
	}
	path := s.disk.path(o.id, suffix(h.number, h.flags&flagLast != 0))
	now := s.now()
	size, err := s.disk.write(path, payload, h.append(nil), now)
	if err != nil {
		s.counters.skipped.Add(1)
		s.trouble("write a block to it", err)
		return
	}
	s.recovered(size)
	s.counters.stored.Add(1)
	s.counters.storedBytes.Add(size)
	s.mu.Lock()
	if b := o.blocks[h.number]; b != nil {
		if err := s.detachLocked(b); err != nil { // the file that was there before
			s.counters.errors.Add(1)
		}
		b.path, b.touched = path, now.UnixNano()
	}
	s.mu.Unlock()
	s.account(size, 1)
}

// restamp writes an object's last block anew, with the time at which the object was compared with the store.
func (s *Store) restamp(o *object) {
	h, _, err := s.disk.open(s.disk.path(o.id, lastSuffix))
	if err != nil {
		s.notOpened(s.disk.path(o.id, lastSuffix), err)
		return
	}
	s.mu.Lock()
	fits := h.header.of(s.uri, o.name, s.opts.BlockBytes) && h.header.generation == o.generation && h.header.size == o.size
	h.header.validated, h.header.modified = o.validated, o.modified
	s.mu.Unlock()
	payload := make([]byte, h.header.length)
	if fits {
		err = s.disk.read(h, payload, h.header.start)
	}
	if closeErr := h.file.Close(); closeErr != nil {
		s.counters.errors.Add(1)
	}
	if err != nil || !fits {
		return // the next read finds out
	}
	o.writes.RLock()
	defer o.writes.RUnlock()
	s.put(o, h.header, payload)
	s.account(-occupied(int64(len(payload))+fixedBytes), -1) // it took the place of another file
}

// Create implements storage.Store. Writes go through to the inner store; with Options.WriteThrough small objects are cached at once.
func (s *Store) Create(ctx context.Context, name string) (storage.Writer, error) {
	w, err := s.inner.Create(ctx, name)
	if err != nil || !s.opts.Cacheable(name) {
		return w, err
	}
	return &writer{Writer: w, store: s, name: name, keep: s.opts.WriteThrough > 0}, nil
}

// writer passes an object on, counts its bytes, and keeps a copy while it is small.
type writer struct {
	storage.Writer
	store *Store
	name  string
	size  int64
	keep  bool
	copy  []byte
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.size += int64(n)
	if w.keep = w.keep && w.size <= w.store.opts.WriteThrough; w.keep {
		w.copy = append(w.copy, p[:n]...)
	} else {
		w.copy = nil
	}
	return n, err
}

// Commit implements storage.Writer. What was cached under the name was of an object that is gone.
func (w *writer) Commit(ctx context.Context) error {
	if err := w.Writer.Commit(ctx); err != nil {
		return err
	}
	s := w.store
	o := s.object(w.name)
	if o == nil {
		return nil
	}
	s.mu.Lock()
	stale := o.size >= 0 || o.atLeast > 0
	s.mu.Unlock()
	if stale || o.shared {
		s.drop(o)
		if o = s.object(w.name); o == nil {
			return nil
		}
	}
	s.mu.Lock()
	o.size = w.size
	s.mu.Unlock()
	if w.keep {
		s.storeWritten(o, w.copy)
	}
	w.copy = nil
	return nil
}

// storeWritten caches an object that was written.
func (s *Store) storeWritten(o *object, data []byte) {
	f := &flight{object: o, data: data, to: int64(len(data)), isTail: true, size: int64(len(data))}
	s.mu.Lock()
	for _, part := range f.parts(s.opts.BlockBytes) {
		s.keepLocked(o, part.number, part.lo, append([]byte(nil), f.bytes(int64(s.opts.BlockBytes), part)...), s.now().UnixNano())
	}
	s.mu.Unlock()
	s.storeFlight(f)
}
