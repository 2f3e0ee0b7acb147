package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firnlog/firn/storage"
)

const (
	// clockSkew is how far the store's clock may be off ours when an object's time is compared with when it was fetched.
	clockSkew = 5 * time.Minute
	// askAgain is when an object is compared with the store again if the store could not say.
	askAgain = 30 * time.Second
)

// object is what is known here of one object. What follows writes is guarded by Store.mu.
type object struct {
	name   string
	id     string      // of its files
	shared bool        // its name may be given to another object: Options.Revalidate
	dead   atomic.Bool // dropped, or about to be: it is not served and not written any more
	probe  sync.Once
	writes sync.RWMutex // held while its blocks are written, exclusively for parts of blocks and while all are deleted

	size       int64 // -1 if it is not known
	atLeast    int64 // a lower bound: the end of the reads that succeeded
	generation int64 // of a shared object: when the first of its blocks was fetched, nanoseconds since 1970; else 0
	validated  int64 // of a shared object: when it was last compared with the store
	modified   int64 // of a shared object: its time in the store, 0 if it is not known
	asked      bool  // the store was asked for the size

	blocks   map[int64]*block
	flights  map[int64]*flight // by block
	tail     *flight           // of an object whose size is not known
	checking chan struct{}     // closed when a revalidation ends
	gone     bool              // not in Store.objects any more: nothing is added
}

// blockLocked returns a block, which is made if nothing is known of it.
func (o *object) blockLocked(number int64) *block {
	b := o.blocks[number]
	if b == nil {
		b = &block{object: o, number: number}
		o.blocks[number] = b
	}
	return b
}

// objectID names the files of an object's blocks.
func objectID(store, name string, blockBytes int) string {
	sum := sha256.Sum256([]byte(store + "\x00" + name + "\x00" + strconv.Itoa(blockBytes)))
	return hex.EncodeToString(sum[:16])
}

// newObject returns the record of an object of which nothing is known.
func (s *Store) newObject(name string) *object {
	o := &object{
		name: name, id: objectID(s.uri, name, s.opts.BlockBytes), shared: s.opts.Revalidate(name),
		size: -1, blocks: map[int64]*block{}, flights: map[int64]*flight{},
	}
	if o.shared {
		o.begin(s.now())
	}
	return o
}

// begin gives a shared object a new generation. The time is off by less than a millisecond, so that two processes do not choose the same.
func (o *object) begin(now time.Time) {
	const random = 1<<20 - 1
	o.validated = now.UnixNano()
	o.generation = o.validated&^random | rand.Int64N(random)
}

// known returns the record of an object, or nil if there is none.
func (s *Store) known(name string) *object {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.objects[name]
	if !ok {
		return nil
	}
	o, _ := at.Value.(*object)
	return o
}

// object returns the record of an object; what the disk says of its size was read. It returns nil if the cache is
// closed, or the object is just being dropped.
func (s *Store) object(name string) *object {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	var o *object
	if at, ok := s.objects[name]; ok {
		s.recent.MoveToFront(at)
		o, _ = at.Value.(*object)
	} else {
		o = s.newObject(name)
		s.objects[name] = s.recent.PushFront(o)
		for s.recent.Len() > keptObjects {
			old, _ := s.recent.Back().Value.(*object)
			s.forgetLocked(old)
		}
	}
	s.mu.Unlock()
	if o.dead.Load() {
		return nil
	}
	o.probe.Do(func() { s.findSize(o) })
	return o
}

// use returns the record of an object that may be served from the cache: nil if it may not.
func (s *Store) use(ctx context.Context, name string) (*object, error) {
	if s.known(name) == nil && (storage.CheckName(name) != nil || !s.opts.Cacheable(name)) {
		return nil, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	o := s.object(name)
	if o == nil || !o.shared {
		return o, nil
	}
	return s.revalidate(ctx, o)
}

// forgetLocked removes the record of an object. What is on the disk stays.
func (s *Store) forgetLocked(o *object) {
	if at, ok := s.objects[o.name]; ok && at.Value == o {
		delete(s.objects, o.name)
		s.recent.Remove(at)
	}
	s.emptyLocked(o)
}

// emptyLocked lets go of all blocks of an object, and sees to it that none are added.
func (s *Store) emptyLocked(o *object) {
	o.gone = true
	for _, b := range o.blocks {
		if b.inMemory != nil {
			s.memory.remove(b.inMemory, int64(cap(b.data)))
			b.dropDataLocked()
		}
		if err := s.detachLocked(b); err != nil {
			s.counters.errors.Add(1)
		}
	}
}

// condemn makes reads of an object pass by the cache until it is dropped.
func (s *Store) condemn(name string) *object {
	s.mu.Lock()
	defer s.mu.Unlock()
	var o *object
	if at, ok := s.objects[name]; ok {
		o, _ = at.Value.(*object)
	} else {
		o = s.newObject(name)
		s.objects[name] = s.recent.PushFront(o)
	}
	o.dead.Store(true)
	return o
}

// drop forgets an object and deletes its blocks. What is being fetched of it still reaches those who wait for it, but is not kept. The
// record stays until the files are gone, so that no other one takes them for its own.
func (s *Store) drop(o *object) {
	o.dead.Store(true)
	o.writes.Lock() // who writes a block finishes; who comes later sees that it is of no use
	files, bytes, err := s.disk.removeObject(o.id)
	o.writes.Unlock()
	s.mu.Lock()
	if err == nil {
		s.forgetLocked(o)
	} else {
		s.emptyLocked(o) // the record stays, so that the blocks which could not be deleted are not served here
	}
	s.mu.Unlock()
	if err != nil {
		s.trouble("delete blocks from it", err)
	}
	if files > 0 {
		s.account(-bytes, -files)
	}
}

// settledByStat takes note of what the store says of an object, and tells whether it is another one than that which is cached.
func (s *Store) settledByStat(o *object, info storage.Info, err error) bool {
	if err != nil {
		return errors.Is(err, storage.ErrNotExist)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.size >= 0 && o.size != info.Size || o.atLeast > info.Size {
		return true
	}
	if o.shared && (o.size >= 0 || o.atLeast > 0) {
		modified := info.ModTime.UnixNano()
		if o.modified != 0 && o.modified != modified || o.modified == 0 && modified >= o.generation-int64(clockSkew) {
			return true
		}
		o.modified, o.validated = modified, s.now().UnixNano()
	}
	o.size = info.Size
	return false
}

// revalidate compares a shared object with the store if that was not done for a while. It returns the record to use: a new one if the
// object was replaced. If the store cannot say, what is cached is served for some time more.
func (s *Store) revalidate(ctx context.Context, o *object) (*object, error) {
	for {
		s.mu.Lock()
		age := time.Duration(s.now().UnixNano() - o.validated)
		fresh := age >= 0 && age < s.opts.RevalidateAfter
		if o.size < 0 && o.atLeast == 0 && !fresh && len(o.flights) == 0 && o.tail == nil {
			o.begin(s.now()) // nothing of it was fetched yet
			fresh = true
		}
		if fresh {
			s.mu.Unlock()
			return o, nil
		}
		wait := o.checking
		if wait == nil {
			o.checking = make(chan struct{})
		}
		s.mu.Unlock()
		if wait == nil {
			return s.compare(ctx, o)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, fmt.Errorf("read %q: %w", o.name, ctx.Err())
		}
		if o.dead.Load() {
			return s.object(o.name), nil
		}
	}
}

// compare asks the store about a shared object.
func (s *Store) compare(ctx context.Context, o *object) (*object, error) {
	s.counters.innerRequests.Add(1)
	s.counters.revalidated.Add(1)
	info, err := s.inner.Stat(ctx, o.name)
	replaced := s.settledByStat(o, info, err)
	if replaced {
		s.counters.replaced.Add(1)
		s.drop(o)
	}
	s.mu.Lock()
	if err != nil && !replaced && ctx.Err() == nil {
		o.validated = s.now().UnixNano() - int64(s.opts.RevalidateAfter) + int64(askAgain)
	}
	close(o.checking)
	o.checking = nil
	s.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("read %q: %w", o.name, ctx.Err())
	case replaced:
		return s.object(o.name), nil
	case err == nil:
		s.restamp(o)
	}
	return o, nil
}

// adoptLocked takes the size of an object from one of its blocks. It returns false if they contradict each other.
func (o *object) adoptLocked(h *header) bool {
	if h.flags&flagSizeKnown == 0 {
		if o.size >= 0 && h.size > o.size {
			return false
		}
		o.atLeast = max(o.atLeast, h.size)
		return true
	}
	if o.size >= 0 && o.size != h.size || o.atLeast > h.size {
		return false
	}
	o.size = h.size
	return true
}
