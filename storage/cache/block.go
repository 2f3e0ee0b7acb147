package cache

import (
	"container/list"
	"errors"
	"os"
)

// block is what is known here of one block of an object: its bytes, its open file, or both. All fields are guarded by Store.mu.
type block struct {
	object *object
	number int64

	data  []byte // in memory, never changed; nil if it is not there. It may be a part of the block
	start int    // where data begins in the block

	file *handle // nil if it is not open
	path string  // of the file, if there is or was one

	served  int   // bytes read from the disk since the block was last brought into memory
	used    int64 // when it was last read; nanoseconds since 1970
	touched int64 // the file's time, which tells other processes, and later ones, when it was last read

	inMemory, inHandles *list.Element
}

// holds tells whether the bytes in memory cover [lo, hi) of the block.
func (b *block) holds(lo, hi int) bool {
	return b.data != nil && lo >= b.start && hi <= b.start+len(b.data)
}

// dropDataLocked lets go of the bytes in memory. The block has left the list.
func (b *block) dropDataLocked() {
	b.data, b.inMemory = nil, nil
	b.forgetLocked()
}

// dropFileLocked lets go of the open file, which is closed by its last user. The block has left the list.
func (b *block) dropFileLocked() error {
	h := b.file
	b.file, b.inHandles = nil, nil
	b.forgetLocked()
	if h == nil {
		return nil
	}
	h.dropped = true
	return h.closeUnusedLocked()
}

// forgetLocked removes a block of which nothing is left.
func (b *block) forgetLocked() {
	if b.data == nil && b.file == nil && b.object.blocks[b.number] == b {
		delete(b.object.blocks, b.number)
	}
}

// handle is an open block file. Its header was verified when it was opened; files are never changed, only replaced.
type handle struct {
	file    *os.File
	header  *header
	path    string
	users   int  // guarded by Store.mu
	dropped bool // guarded by Store.mu
}

// holds tells whether the file covers [lo, hi) of the block.
func (h *handle) holds(lo, hi int) bool {
	return lo >= h.header.start && hi <= h.header.start+h.header.length
}

// closeUnusedLocked closes a dropped file that nobody reads.
func (h *handle) closeUnusedLocked() error {
	if h.users > 0 || !h.dropped || h.file == nil {
		return nil
	}
	err := h.file.Close()
	h.file = nil
	return err
}

// lru is a list of blocks, most recently used first, bounded by weight and number; a negative bound is none. It is guarded by Store.mu.
type lru struct {
	blocks      *list.List
	weight      int64
	limit       int64
	numberLimit int
}

func newLRU(limit int64, numberLimit int) lru {
	return lru{blocks: list.New(), limit: limit, numberLimit: numberLimit}
}

// add puts a block in front.
func (l *lru) add(b *block, weight int64) *list.Element {
	l.weight += weight
	return l.blocks.PushFront(b)
}

// remove takes a block out.
func (l *lru) remove(at *list.Element, weight int64) {
	l.weight -= weight
	l.blocks.Remove(at)
}

// oldest returns the block that has to go, or nil if the bounds hold.
func (l *lru) oldest() *block {
	over := l.limit >= 0 && l.weight > l.limit || l.numberLimit >= 0 && l.blocks.Len() > l.numberLimit
	if !over || l.blocks.Len() == 0 {
		return nil
	}
	b, _ := l.blocks.Back().Value.(*block)
	return b
}

// clear empties the list and returns what was in it.
func (l *lru) clear() []*block {
	var all []*block
	for at := l.blocks.Front(); at != nil; at = at.Next() {
		if b, ok := at.Value.(*block); ok {
			all = append(all, b)
		}
	}
	l.blocks.Init()
	l.weight = 0
	return all
}

// keepLocked puts bytes of a block into the memory tier, in place of those that were there.
func (s *Store) keepLocked(o *object, number int64, start int, data []byte, now int64) {
	if int64(len(data)) > s.memory.limit || len(data) == 0 || o.gone {
		return
	}
	b := o.blockLocked(number)
	if b.inMemory != nil {
		s.memory.remove(b.inMemory, int64(cap(b.data)))
	}
	b.data, b.start, b.used = data, start, now
	b.inMemory = s.memory.add(b, int64(cap(data)))
	for old := s.memory.oldest(); old != nil; old = s.memory.oldest() {
		s.memory.remove(old.inMemory, int64(cap(old.data)))
		old.dropDataLocked()
	}
}

// attachLocked makes an open file the one of its block. Its time is when it was last touched.
func (s *Store) attachLocked(o *object, h *handle, touched int64) error {
	if o.gone {
		h.dropped = true
		return h.closeUnusedLocked()
	}
	b := o.blockLocked(h.header.number)
	err := s.detachLocked(b)
	b = o.blockLocked(h.header.number)
	b.file, b.path, b.touched, b.served = h, h.path, touched, 0
	b.inHandles = s.handles.add(b, 1)
	for old := s.handles.oldest(); old != nil; old = s.handles.oldest() {
		err = errors.Join(err, s.detachLocked(old))
	}
	return err
}

// detachLocked closes the file of a block, when its last user has done so.
func (s *Store) detachLocked(b *block) error {
	if b.inHandles == nil {
		return nil
	}
	s.handles.remove(b.inHandles, 1)
	return b.dropFileLocked()
}

// release ends the use of an open file.
func (s *Store) release(h *handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.users--
	if err := h.closeUnusedLocked(); err != nil {
		s.counters.errors.Add(1)
	}
}
