// Package roundtrips makes a local store look as if it were behind a network, for tests: each request sleeps for a while. In a bubble of
// testing/synctest the clock only moves when all goroutines wait, so the time that a search takes there, divided by the delay, is exactly the number
// of requests that it makes one after the other, however busy the machine is.
package roundtrips

import (
	"context"
	"sync"
	"time"

	"github.com/firnlog/firn/storage"
)

// Store delays reads of an inner store and counts them. It is safe for concurrent use.
type Store struct {
	storage.Store
	// Delay is how long each request takes.
	Delay time.Duration
	// Bandwidth is how many bytes a second a request brings after the delay; 0: all at once.
	Bandwidth int64
	// Shape is what Traits returns.
	Shape storage.Traits
	// Fail, if it is not nil, is asked for an error before each request.
	Fail func(name string, offset int64) error

	mu     sync.Mutex
	counts Counts
	now    int // requests under way
}

// Counts is what was read since the last Reset.
type Counts struct {
	Requests int
	Bytes    int64
	Together int // most requests under way at once
}

// New returns a store behind a network: storage.RemoteTraits, and so much delay.
func New(inner storage.Store, delay time.Duration) *Store {
	return &Store{Store: inner, Delay: delay, Shape: storage.RemoteTraits()}
}

// Traits returns Shape.
func (s *Store) Traits() storage.Traits { return s.Shape }

// Reset sets the counts to zero.
func (s *Store) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts = Counts{Together: s.now}
}

// Counts returns the counts so far.
func (s *Store) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Busy returns how many requests are under way.
func (s *Store) Busy() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// ReadAt implements storage.Store.
func (s *Store) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	defer s.begin()()
	if err := s.travel(ctx, name, off, len(p)); err != nil {
		return err
	}
	err := s.Store.ReadAt(ctx, name, p, off)
	if err == nil {
		s.arrive(len(p))
	}
	return err
}

// ReadTail implements storage.Store.
func (s *Store) ReadTail(ctx context.Context, name string, p []byte) (int, int64, error) {
	defer s.begin()()
	if err := s.travel(ctx, name, -1, len(p)); err != nil {
		return 0, 0, err
	}
	n, size, err := s.Store.ReadTail(ctx, name, p)
	s.arrive(n)
	return n, size, err
}

func (s *Store) begin() (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now++
	s.counts.Requests++
	s.counts.Together = max(s.counts.Together, s.now)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.now--
	}
}

func (s *Store) arrive(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Bytes += int64(n)
}

// travel waits as long as a request for n bytes takes.
func (s *Store) travel(ctx context.Context, name string, off int64, n int) error {
	if s.Fail != nil {
		if err := s.Fail(name, off); err != nil {
			return err
		}
	}
	wait := s.Delay
	if s.Bandwidth > 0 {
		wait += time.Duration(int64(n) * int64(time.Second) / s.Bandwidth)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
