package query

import (
	"context"
	"sync/atomic"

	"github.com/firnlog/firn/storage"
)

// counters are what planning or reading costs.
type counters struct {
	requests, bytes atomic.Int64 // of storage
	sidecars, files hitCounter   // of the cache
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

// meteredStore counts reads for the counters of their context.
type meteredStore struct{ storage.Store }

func (s meteredStore) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	err := s.Store.ReadAt(ctx, name, p, off)
	c := countersOf(ctx)
	c.requests.Add(1)
	if err == nil {
		c.bytes.Add(int64(len(p)))
	}
	return err
}

func (s meteredStore) ReadTail(ctx context.Context, name string, p []byte) (int, int64, error) {
	n, size, err := s.Store.ReadTail(ctx, name, p)
	c := countersOf(ctx)
	c.requests.Add(1)
	c.bytes.Add(int64(n))
	return n, size, err
}
