// Package metered counts what passes through a store, so that tests can assert how many requests and bytes a read costs and
// searches can report it.
package metered

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/firnlog/firn/storage"
)

// Counts is what a metered store was asked to do since it was made or last reset. Operations are counted when they are made, whether
// they succeed or not; bytes are counted only when they were read or written.
type Counts struct {
	Requests     int64 // reads: calls of ReadAt and ReadTail, one request to the storage each
	BytesRead    int64 // bytes that reads returned
	Creates      int64 // objects begun
	BytesWritten int64 // bytes accepted by writers, committed or not
	Lists        int64 // listings begun
	Deletes      int64 // calls of Delete
	Stats        int64 // calls of Stat
}

// Sub returns the counts gathered between an earlier reading and this one.
func (c Counts) Sub(earlier Counts) Counts {
	return Counts{
		Requests:     c.Requests - earlier.Requests,
		BytesRead:    c.BytesRead - earlier.BytesRead,
		Creates:      c.Creates - earlier.Creates,
		BytesWritten: c.BytesWritten - earlier.BytesWritten,
		Lists:        c.Lists - earlier.Lists,
		Deletes:      c.Deletes - earlier.Deletes,
		Stats:        c.Stats - earlier.Stats,
	}
}

// Store counts the operations on an inner store and passes them on unchanged. Make one with New.
type Store struct {
	inner storage.Store

	requests, bytesRead, creates, bytesWritten, lists, deletes, stats atomic.Int64
}

var _ storage.Store = (*Store)(nil)

// New returns a store that counts what it passes on to inner.
func New(inner storage.Store) *Store { return &Store{inner: inner} }

// Counts returns the counts so far. Each counter is exact; while operations run, they may be of slightly different moments.
func (s *Store) Counts() Counts {
	return Counts{
		Requests:     s.requests.Load(),
		BytesRead:    s.bytesRead.Load(),
		Creates:      s.creates.Load(),
		BytesWritten: s.bytesWritten.Load(),
		Lists:        s.lists.Load(),
		Deletes:      s.deletes.Load(),
		Stats:        s.stats.Load(),
	}
}

// Reset sets every counter to zero.
func (s *Store) Reset() {
	for _, counter := range []*atomic.Int64{&s.requests, &s.bytesRead, &s.creates, &s.bytesWritten, &s.lists, &s.deletes, &s.stats} {
		counter.Store(0)
	}
}

// URI implements storage.Store.
func (s *Store) URI(name string) string { return s.inner.URI(name) }

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	s.stats.Add(1)
	return s.inner.Stat(ctx, name)
}

// ReadAt implements storage.Store.
func (s *Store) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	s.requests.Add(1)
	err := s.inner.ReadAt(ctx, name, p, off)
	if err == nil {
		s.bytesRead.Add(int64(len(p)))
	}
	return err
}

// ReadTail implements storage.Store.
func (s *Store) ReadTail(ctx context.Context, name string, p []byte) (int, int64, error) {
	s.requests.Add(1)
	n, size, err := s.inner.ReadTail(ctx, name, p)
	if err == nil {
		s.bytesRead.Add(int64(n))
	}
	return n, size, err
}

// Create implements storage.Store.
func (s *Store) Create(ctx context.Context, name string) (storage.Writer, error) {
	s.creates.Add(1)
	w, err := s.inner.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	return &writer{Writer: w, bytesWritten: &s.bytesWritten}, nil
}

// List implements storage.Store.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		s.lists.Add(1)
		s.inner.List(ctx, prefix)(yield)
	}
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	s.deletes.Add(1)
	return s.inner.Delete(ctx, name)
}

// writer counts the bytes that the inner writer accepts.
type writer struct {
	storage.Writer
	bytesWritten *atomic.Int64
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.bytesWritten.Add(int64(n))
	return n, err
}

// Traits returns those of the inner store.
func (s *Store) Traits() storage.Traits { return storage.TraitsOf(s.inner) }
