// Package mem holds objects in memory. It is for tests and for tables that may die with the process.
package mem

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firnlog/firn/storage"
)

// rootURI is the root of every memory store.
const rootURI = "mem://firn"

// errEnded is returned by a writer that was committed or aborted before.
var errEnded = errors.New("the writer was committed or aborted already")

// Store is an in-memory storage.Store. Make one with New.
type Store struct {
	now     func() time.Time
	mu      sync.RWMutex
	objects map[string]object
}

// object is one published object; its bytes are never written again.
type object struct {
	data    []byte
	modTime time.Time
}

var _ storage.Store = (*Store)(nil)

// New returns an empty store that stamps objects with the wall clock.
func New() *Store { return NewWithClock(time.Now) } //nolint:forbidigo // the default of an injected clock

// NewWithClock returns an empty store that stamps objects with the given clock.
func NewWithClock(now func() time.Time) *Store {
	return &Store{now: now, objects: make(map[string]object)}
}

// URI implements storage.Store. Roots of all memory stores look alike: mem://firn.
func (s *Store) URI(name string) string {
	if name == "" {
		return rootURI
	}
	return rootURI + "/" + name
}

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	o, err := s.lookup(ctx, "stat", name)
	if err != nil {
		return storage.Info{}, err
	}
	return storage.Info{Name: name, Size: int64(len(o.data)), ModTime: o.modTime}, nil
}

// ReadAt implements storage.Store.
func (s *Store) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	o, err := s.lookup(ctx, "read", name)
	if err != nil {
		return err
	}
	size := int64(len(o.data))
	if off < 0 || off > size || int64(len(p)) > size-off {
		return fmt.Errorf("read memory object %q: %w: %d bytes at %d of %d", name, storage.ErrRange, len(p), off, size)
	}
	copy(p, o.data[off:])
	return nil
}

// ReadTail implements storage.Store.
func (s *Store) ReadTail(ctx context.Context, name string, p []byte) (int, int64, error) {
	o, err := s.lookup(ctx, "read", name)
	if err != nil {
		return 0, 0, err
	}
	n := min(len(p), len(o.data))
	copy(p, o.data[len(o.data)-n:])
	return n, int64(len(o.data)), nil
}

// lookup finds a published object.
func (s *Store) lookup(ctx context.Context, operation, name string) (object, error) {
	if err := check(ctx, operation, name); err != nil {
		return object{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, ok := s.objects[name]
	if !ok {
		return object{}, fmt.Errorf("%s memory object %q: %w", operation, name, storage.ErrNotExist)
	}
	return o, nil
}

// Create implements storage.Store.
func (s *Store) Create(ctx context.Context, name string) (storage.Writer, error) {
	_, err := s.lookup(ctx, "create", name)
	switch {
	case err == nil:
		return nil, fmt.Errorf("create memory object %q: %w", name, storage.ErrExist)
	case !errors.Is(err, storage.ErrNotExist):
		return nil, err
	}
	return &writer{store: s, name: name}, nil
}

// List implements storage.Store. It yields the objects that existed when the iteration began.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		s.mu.RLock()
		var found []storage.Info
		for name, o := range s.objects {
			if strings.HasPrefix(name, prefix) {
				found = append(found, storage.Info{Name: name, Size: int64(len(o.data)), ModTime: o.modTime})
			}
		}
		s.mu.RUnlock()
		slices.SortFunc(found, func(a, b storage.Info) int { return strings.Compare(a.Name, b.Name) })
		for _, info := range found {
			if err := ctx.Err(); err != nil {
				yield(storage.Info{}, fmt.Errorf("list memory objects %q: %w", prefix, err))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(storage.Info{}, fmt.Errorf("list memory objects %q: %w", prefix, err))
		}
	}
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := check(ctx, "delete", name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, name)
	return nil
}

// check refuses cancelled contexts and invalid names.
func check(ctx context.Context, operation, name string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s memory object %q: %w", operation, name, err)
	}
	if err := storage.CheckName(name); err != nil {
		return fmt.Errorf("%s memory object: %w", operation, err)
	}
	return nil
}

// writer collects the bytes of one object.
type writer struct {
	store *Store
	name  string
	data  []byte
	ended bool
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, fmt.Errorf("write memory object %q: %w", w.name, errEnded)
	}
	w.data = append(w.data, p...)
	return len(p), nil
}

// Commit implements storage.Writer.
func (w *writer) Commit(ctx context.Context) error {
	if w.ended {
		return fmt.Errorf("commit memory object %q: %w", w.name, errEnded)
	}
	w.ended = true
	data := w.data
	w.data = nil
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("commit memory object %q: %w", w.name, err)
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	if _, taken := w.store.objects[w.name]; taken {
		return fmt.Errorf("commit memory object %q: %w", w.name, storage.ErrExist)
	}
	w.store.objects[w.name] = object{data: data, modTime: w.store.now()}
	return nil
}

// Abort implements storage.Writer.
func (w *writer) Abort() error {
	w.ended = true
	w.data = nil
	return nil
}
