package format

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/storage"
)

// How ranged reads are put together. Which ranges share a request is said by the store's traits.
const (
	streamBlock  = 4 << 20  // what is read at a time of a column chunk without page index
	maxPlanBytes = 32 << 20 // what is read at most before it is decoded, unless a single page is larger

	// Of a remote store:
	leastGap        = 64 << 10 // read along in any case; more, up to what the traits say, only to save requests
	requestBytes    = 4 << 20  // a longer range is read by several requests side by side
	requestsAtOnce  = 16       // of one reader
	leastPieceBytes = requestBytes / 2
)

// segment is a run of the file's bytes in memory.
type segment struct {
	offset int64
	data   []byte
}

func (s *segment) holds(off, n int64) bool {
	return off >= s.offset && off+n <= s.offset+int64(len(s.data))
}

// fetcher reads ranges of one file and keeps what it read ahead.
type fetcher struct {
	store    storage.Store
	traits   storage.Traits
	gate     Gate          // left while waiting for the store; may be nil
	pages    *atomic.Int64 // counts pages that are unpacked; may be nil
	requests int           // that a transfer should make do with
	name     string
	size     int64
	segments []segment // sorted by offset
	spare    [][]byte  // buffers for reuse
}

// countPage counts a page that is unpacked.
func (f *fetcher) countPage() {
	if f.pages != nil {
		f.pages.Add(1)
	}
}

// fetcher returns a fetcher of the file.
func (f *File) fetcher() fetcher {
	return fetcher{store: f.store, traits: f.traits, name: f.name, size: f.size, requests: requestsAtOnce}
}

// wait runs do, which waits for the store, outside the gate.
func (f *fetcher) wait(do func() error) error {
	if f.gate != nil {
		f.gate.Leave()
		defer f.gate.Enter()
	}
	return do()
}

// readAt reads n bytes at off. A file that is shorter than the catalog or its own footer says is damaged.
func (f *fetcher) readAt(ctx context.Context, p []byte, off int64) error {
	if off < 0 || off+int64(len(p)) > f.size {
		return fmt.Errorf("%w: %d bytes at %d lie outside its %d bytes", ErrCorrupt, len(p), off, f.size)
	}
	err := f.store.ReadAt(ctx, f.name, p, off)
	if errors.Is(err, storage.ErrRange) {
		return fmt.Errorf("%w: it is shorter than it says: %w", ErrCorrupt, err)
	}
	if err != nil {
		return &storageError{err}
	}
	return nil
}

// storageError marks an error that came from the storage and not from the file's contents.
type storageError struct{ err error }

func (e *storageError) Error() string { return e.err.Error() }
func (e *storageError) Unwrap() error { return e.err }

// transfer is ranges on their way into memory.
type transfer struct {
	segments []segment
	requests []segment // the parts of segments that one request each fills
}

// prepare finds memory for ranges, those near each other in one segment.
func (f *fetcher) prepare(ranges []location) transfer {
	var t transfer
	for _, r := range f.join(ranges) {
		s := segment{offset: r.offset, data: f.buffer(int(r.length))}
		t.segments = append(t.segments, s)
		for f.traits.Remote && len(s.data) > requestBytes+leastPieceBytes {
			t.requests = append(t.requests, segment{s.offset, s.data[:requestBytes]})
			s = segment{s.offset + requestBytes, s.data[requestBytes:]}
		}
		t.requests = append(t.requests, s)
	}
	return t
}

// join merges ranges near each other into requests. In a remote store few requests are better than few bytes only as far as there are too many
// requests to make them all side by side.
func (f *fetcher) join(ranges []location) []location {
	if !f.traits.Remote {
		return coalesce(ranges, f.traits.ReadGap)
	}
	wanted := int64(0)
	for _, r := range ranges {
		wanted += r.length
	}
	gap := min(leastGap, f.traits.ReadGap)
	joined := coalesce(ranges, gap)
	most := max(int64(f.requests), wanted/max(f.traits.ReadGap, 1))
	for int64(len(joined)) > most && gap < f.traits.ReadGap {
		gap = min(2*gap, f.traits.ReadGap)
		joined = coalesce(joined, gap)
	}
	return joined
}

// run reads a transfer: from a remote store by requests side by side. It may run beside other uses of the fetcher.
func (f *fetcher) run(ctx context.Context, t transfer) error {
	if !f.traits.Remote || len(t.requests) < 2 {
		for _, r := range t.requests {
			if err := f.readAt(ctx, r.data, r.offset); err != nil {
				return err
			}
		}
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, min(f.traits.Parallel, requestsAtOnce)))
	for _, r := range t.requests {
		group.Go(func() error { return f.readAt(ctx, r.data, r.offset) })
	}
	return group.Wait()
}

// keep makes what was read known to bytes.
func (f *fetcher) keep(t transfer) {
	f.segments = append(f.segments, t.segments...)
	slices.SortFunc(f.segments, func(a, b segment) int { return cmp.Compare(a.offset, b.offset) })
}

// plan reads the ranges ahead, those near each other in one request.
func (f *fetcher) plan(ctx context.Context, ranges []location) error {
	t := f.prepare(ranges)
	if len(t.requests) == 0 {
		return nil
	}
	if err := f.wait(func() error { return f.run(ctx, t) }); err != nil {
		return err
	}
	f.keep(t)
	return nil
}

// forget lets go of what was read ahead; its memory is used again.
func (f *fetcher) forget() {
	for _, s := range f.segments {
		if cap(s.data) <= maxPlanBytes {
			f.spare = append(f.spare, s.data)
		}
	}
	f.segments = f.segments[:0]
}

func (f *fetcher) buffer(n int) []byte {
	for i, b := range f.spare {
		if cap(b) >= n {
			f.spare = slices.Delete(f.spare, i, i+1)
			return b[:n]
		}
	}
	f.spare = nil
	return make([]byte, n)
}

// bytes returns the n bytes at off, if they were read ahead. Segments of several plans may overlap.
func (f *fetcher) bytes(off, n int64) ([]byte, bool) {
	i, _ := slices.BinarySearchFunc(f.segments, off+1, func(s segment, off int64) int { return cmp.Compare(s.offset, off) })
	for i--; i >= 0; i-- {
		if s := &f.segments[i]; s.holds(off, n) {
			at := off - s.offset
			return s.data[at : at+n : at+n], true
		}
	}
	return nil, false
}

// coalesce merges ranges that overlap or have no more than gap bytes between them.
func coalesce(ranges []location, gap int64) []location {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b location) int { return cmp.Compare(a.offset, b.offset) })
	var out []location
	for _, r := range sorted {
		if r.length == 0 {
			continue
		}
		if n := len(out); n > 0 && r.offset <= out[n-1].offset+out[n-1].length+gap {
			out[n-1].length = max(out[n-1].length, r.offset+r.length-out[n-1].offset)
			continue
		}
		out = append(out, r)
	}
	return out
}
