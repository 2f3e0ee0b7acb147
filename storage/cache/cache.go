// Package cache keeps what was read from a remote store on a local disk, and what is hot of it in memory, so that it is read once over
// the network.
//
// Objects are cut into blocks, each a file of its own below Options.Dir with the full identity of its object and a CRC32C for every
// 4 KiB, which are checked whenever they are read (FORMAT.md describes the files). A block that is damaged, cut short or of another
// object is a miss: it is deleted, counted and fetched again. The directory is found by name, not through an index, so that several
// processes share it, a kill at any moment harms nothing, and opening it costs nothing. Trouble with the directory (full, read-only,
// deleted, damaged) never reaches the caller: the store then reads from the store below, logs one warning, and tries again later.
//
// # What may be stale
//
// Objects are immutable and their names are not used twice, so blocks are served without asking the store: an object that was deleted
// there may still be read here. Names that do not look unique are not cached (Options.Cacheable). Index sidecars are the exception:
// a repair deletes one and stores another under the same name. Their blocks carry a generation, blocks of two generations
// are never served together, and the store is asked for their size and time once in Options.RevalidateAfter. What is read in between may
// be the sidecar that was replaced; its own checksums and identity decide whether it can be used. Invalidate forgets an object at once.
//
// Blocks are known by the URI of the store and the name of the object. Two buckets of one name at different endpoints share them, which is
// right for unique names only; give each a directory of its own if they are not.
package cache

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/firnlog/firn/storage"
)

const (
	// keptObjects bounds the objects of which anything is known in memory.
	keptObjects = 16 << 10
	// writeBudget bounds the bytes that were handed to readers and still have to be written to the disk.
	writeBudget = 64 << 20
)

// Store is a storage.Store that serves reads of another one from a disk cache. It is safe for concurrent use. Make one with Open and
// end it with Close.
type Store struct {
	inner storage.Store
	opts  Options
	uri   string // of the inner store's root
	log   *slog.Logger
	now   func() time.Time

	counters counters
	disk     *disk
	usage    usage
	health   health
	budget   *semaphore.Weighted
	work     sync.WaitGroup // fetches, and the writes that follow them

	mu      sync.Mutex
	closed  bool
	objects map[string]*list.Element // of *object, by name
	recent  *list.List               // of *object, most recently used first
	memory  lru                      // blocks whose bytes are in memory
	handles lru                      // blocks whose file is open
}

var _ storage.Store = (*Store)(nil)

// Open returns a store that reads inner through a cache in opts.Dir. It reads nothing from the directory yet, and a directory that cannot be
// used is no error: then the memory tier alone works until it can. Close does not close inner.
func Open(inner storage.Store, opts Options) (*Store, error) {
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("open a cache of %s: %w", inner.URI(""), err)
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("open a cache of %s in %q: %w", inner.URI(""), opts.Dir, err)
	}
	s := &Store{
		inner:   inner,
		opts:    opts,
		uri:     inner.URI(""),
		log:     opts.Logger,
		now:     opts.Now,
		disk:    newDisk(dir),
		budget:  semaphore.NewWeighted(writeBudget),
		objects: map[string]*list.Element{},
		recent:  list.New(),
		memory:  newLRU(opts.MemoryBytes, -1),
		handles: newLRU(-1, opts.OpenFiles),
	}
	return s, nil
}

// Inner returns the store below, for those who have to see what is really stored there, such as a verification.
func (s *Store) Inner() storage.Store { return s.inner }

// Dir returns the absolute path of the cache's directory.
func (s *Store) Dir() string { return s.disk.dir }

// Traits returns those of the inner store.
func (s *Store) Traits() storage.Traits { return storage.TraitsOf(s.inner) }

// URI implements storage.Store.
func (s *Store) URI(name string) string { return s.inner.URI(name) }

// Close waits until what was fetched is on the disk, and closes the open files. Reads that come later pass by the cache. The inner store stays
// open.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.work.Wait()
	s.publishUsage(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects = map[string]*list.Element{}
	s.recent.Init()
	var errs []error
	for _, b := range s.handles.clear() {
		errs = append(errs, b.dropFileLocked())
	}
	for _, b := range s.memory.clear() {
		b.dropDataLocked()
	}
	return errors.Join(errs...)
}

// Stat implements storage.Store. It always asks the inner store, and notices when an object is not the one that is cached.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	info, err := s.inner.Stat(ctx, name)
	if o := s.known(name); o != nil && s.settledByStat(o, info, err) {
		s.counters.replaced.Add(1)
		s.drop(o)
	}
	return info, err
}

// List implements storage.Store. It always asks the inner store.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return s.inner.List(ctx, prefix)
}

// Delete implements storage.Store. It drops what is cached of the object, whether the inner store could delete it or not.
func (s *Store) Delete(ctx context.Context, name string) error {
	if storage.CheckName(name) != nil || !s.opts.Cacheable(name) {
		return s.inner.Delete(ctx, name)
	}
	o := s.condemn(name)
	defer s.drop(o)
	return s.inner.Delete(ctx, name)
}

// Invalidate forgets all that is cached of an object, here and on the disk, so that it is read from the store again: for those who find that
// its bytes make no sense. Names that are not cached are no error.
func (s *Store) Invalidate(name string) {
	if storage.CheckName(name) == nil && s.opts.Cacheable(name) {
		s.drop(s.condemn(name))
	}
}
