package query

import (
	"context"
	"sync/atomic"

	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
)

// counters are what planning or reading costs.
type counters struct {
	requests, bytes        atomic.Int64 // of storage
	byKind                 [numBytes]atomic.Int64
	pages                  atomic.Int64 // of data files, that were unpacked
	plans, sidecars, files hitCounter   // of the cache
}

// add adds what was counted apart.
func (c *counters) add(o *counters) {
	c.requests.Add(o.requests.Load())
	c.bytes.Add(o.bytes.Load())
	c.pages.Add(o.pages.Load())
	for i := range c.byKind {
		c.byKind[i].Add(o.byKind[i].Load())
	}
	for _, pair := range [][2]*hitCounter{{&c.plans, &o.plans}, {&c.sidecars, &o.sidecars}, {&c.files, &o.files}} {
		pair[0].hits.Add(pair[1].hits.Load())
		pair[0].misses.Add(pair[1].misses.Load())
	}
}

// bytesKind is what bytes that are read belong to.
type bytesKind uint8

const (
	bytesOfFooters bytesKind = iota // footers, page indexes and bloom filters of data files
	bytesOfData                     // pages of data files
	bytesOfIndex                    // sidecars and bloom packs
	numBytes
)

type pagesKey struct{}

// readingPages marks a context: what is read of data files under it are pages.
func readingPages(ctx context.Context) context.Context {
	return context.WithValue(ctx, pagesKey{}, true)
}

// read counts a request.
func (c *counters) read(ctx context.Context, name string, bytes int) {
	kind := bytesOfFooters
	switch {
	case index.IsSidecar(name) || index.IsPack(name):
		kind = bytesOfIndex
	case ctx.Value(pagesKey{}) != nil:
		kind = bytesOfData
	}
	c.requests.Add(1)
	c.bytes.Add(int64(bytes))
	c.byKind[kind].Add(int64(bytes))
}

type countersKey struct{}

// withCounters makes what is done under the context count for c. The counters go with the context, because opened files and sidecars
// are shared by scans.
func withCounters(ctx context.Context, c *counters) context.Context {
	return context.WithValue(ctx, countersKey{}, c)
}

// countersOf returns the counters that the context carries, or some that nobody looks at.
func countersOf(ctx context.Context) *counters {
	if c, ok := ctx.Value(countersKey{}).(*counters); ok {
		return c
	}
	return &counters{}
}

// meteredStore counts reads for the counters of their context, and makes no more of them at once than the store serves well.
type meteredStore struct {
	storage.Store
	traits storage.Traits
	slots  chan struct{} // one for each request that may be under way; nil: no bound
}

func newMeteredStore(s storage.Store) *meteredStore {
	m := &meteredStore{Store: s, traits: storage.TraitsOf(s)}
	if m.traits.Remote {
		m.slots = make(chan struct{}, max(1, m.traits.Parallel))
	}
	return m
}

// Traits returns those of the inner store.
func (s *meteredStore) Traits() storage.Traits { return s.traits }

// invalidate has a cache below forget an object whose bytes make no sense, and says whether there is a cache that may have damaged them.
func (s *meteredStore) invalidate(name string) bool { return storage.Invalidate(s.Store, name) }

func (s *meteredStore) begin(ctx context.Context) error {
	if s.slots == nil {
		return nil
	}
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *meteredStore) end() {
	if s.slots != nil {
		<-s.slots
	}
}

func (s *meteredStore) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	err := s.Store.ReadAt(ctx, name, p, off)
	s.end()
	if err != nil {
		countersOf(ctx).read(ctx, name, 0)
	} else {
		countersOf(ctx).read(ctx, name, len(p))
		limiterOf(ctx).addBytes(int64(len(p)))
	}
	return err
}

func (s *meteredStore) ReadTail(ctx context.Context, name string, p []byte) (int, int64, error) {
	if err := s.begin(ctx); err != nil {
		return 0, 0, err
	}
	n, size, err := s.Store.ReadTail(ctx, name, p)
	s.end()
	countersOf(ctx).read(ctx, name, n)
	limiterOf(ctx).addBytes(int64(n))
	return n, size, err
}
