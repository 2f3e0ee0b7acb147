package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/firnlog/firn/storage"
)

const (
	// bulkPart: a fetch of this part of the memory tier goes to the disk only, so that a scan does not empty the tier.
	bulkPart = 64
	// fetchAttempts bounds how often a read starts over because the reader that it waited for gave up.
	fetchAttempts = 3
)

// flight is one request to the store below. What follows done is guarded by Store.mu until done is closed, and does not change
// afterwards; waiters is always guarded.
type flight struct {
	object *object
	done   chan struct{}
	cancel context.CancelFunc

	from, to int64 // the bytes of the object that it fetches; of a tail: those that it fetched
	want     int   // of a tail: how many bytes
	isTail   bool

	data    []byte
	size    int64 // of a tail: the object's size
	err     error
	arrived bool
	waiters int
}

// covers tells whether the flight fetches what is wanted of a block.
func (f *flight) covers(blockBytes int, n need) bool {
	first := n.number * int64(blockBytes)
	return first+int64(n.lo) >= f.from && first+int64(n.hi) <= f.to
}

// fetch fills the parts of p that are missing.
func (s *Store) fetch(ctx context.Context, o *object, p []byte, off int64, missing []need) error {
	if err := s.askSize(ctx, o, off+int64(len(p))); err != nil {
		return err
	}
	for range fetchAttempts {
		flights, ok := s.join(ctx, o, missing)
		if !ok {
			break
		}
		failed, err := s.await(ctx, flights)
		switch {
		case err == nil:
			s.copyFlights(flights, p, off, missing)
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("read %q in %s: %w", o.name, s.uri, ctx.Err())
		case errors.Is(err, context.Canceled):
			continue // all others gave up, and so did the request, before this reader joined it
		case !errors.Is(err, storage.ErrRange):
			return err
		}
		if !s.contradicts(o, failed) && failed.to <= off+int64(len(p)) {
			return err
		}
		break
	}
	return s.bypass(ctx, o.name, p, off)
}

// contradicts drops an object that is shorter in the store than in the cache.
func (s *Store) contradicts(o *object, f *flight) bool {
	s.mu.Lock()
	known := max(o.size, o.atLeast)
	s.mu.Unlock()
	if f.to > known {
		return false
	}
	s.counters.replaced.Add(1)
	s.drop(o)
	return true
}

// askSize asks the store how large an object is, once, when a second read goes beyond all that is known of it: then whole blocks can be fetched.
func (s *Store) askSize(ctx context.Context, o *object, end int64) error {
	s.mu.Lock()
	ask := o.size < 0 && o.atLeast > 0 && end > o.atLeast && !o.asked
	o.asked = o.asked || ask
	s.mu.Unlock()
	if !ask {
		return nil
	}
	s.counters.innerRequests.Add(1)
	info, err := s.inner.Stat(ctx, o.name)
	if err != nil && (ctx.Err() != nil || errors.Is(err, storage.ErrNotExist)) {
		return err
	}
	if err == nil && s.settledByStat(o, info, nil) {
		s.counters.replaced.Add(1)
		s.drop(o)
	}
	return nil
}

// join returns the flights that bring what is missing, one for each need: those under way, and new ones for what nobody fetches yet. It
// returns false if the cache is closed.
func (s *Store) join(ctx context.Context, o *object, missing []need) ([]*flight, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	flights := make([]*flight, len(missing))
	for i := 0; i < len(missing); {
		if f := o.flights[missing[i].number]; f != nil && f.covers(s.opts.BlockBytes, missing[i]) {
			f.waiters++
			s.counters.joined.Add(1)
			flights[i] = f
			i++
			continue
		}
		j := i + 1
		for j < len(missing) && missing[j].number == missing[j-1].number+1 {
			if f := o.flights[missing[j].number]; f != nil && f.covers(s.opts.BlockBytes, missing[j]) {
				break
			}
			j++
		}
		f := &flight{object: o, done: make(chan struct{})}
		f.from, f.to = s.spanLocked(o, missing[i], missing[j-1])
		for ; i < j; i++ {
			f.waiters++
			flights[i] = f
			o.flights[missing[i].number] = f
		}
		s.startLocked(ctx, f)
	}
	return flights, true
}

// spanLocked returns which bytes to fetch for a run of adjacent blocks: whole blocks, as far as the object is known to reach. Of an object of which
// nothing is known, that is what was asked for.
func (s *Store) spanLocked(o *object, first, last need) (from, to int64) {
	block := int64(s.opts.BlockBytes)
	end := last.number*block + int64(last.hi)
	known := max(o.size, o.atLeast)
	if known <= 0 {
		return first.number*block + int64(first.lo), end
	}
	return first.number * block, max(end, min((last.number+1)*block, known))
}

// startLocked runs a flight. It goes on if the reader that began it gives up and others wait; when all have given up, it is cancelled.
func (s *Store) startLocked(ctx context.Context, f *flight) {
	detached, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f.cancel = cancel
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		defer cancel()
		s.fly(detached, f)
	}()
}

// await waits for flights and returns the first one that failed. Each waiter of a flight is counted once for each block.
func (s *Store) await(ctx context.Context, flights []*flight) (*flight, error) {
	for i, f := range flights {
		select {
		case <-f.done:
		case <-ctx.Done():
			s.leave(flights[i:])
			return f, ctx.Err()
		}
	}
	for _, f := range flights {
		if f.err != nil {
			return f, f.err
		}
	}
	return nil, nil
}

// leave gives up waiting.
func (s *Store) leave(flights []*flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range flights {
		if f.waiters--; f.waiters == 0 && !f.arrived {
			s.landLocked(f)
			f.cancel()
		}
	}
}

// landLocked makes a flight unknown to later readers.
func (s *Store) landLocked(f *flight) {
	if f.object.tail == f {
		f.object.tail = nil
	}
	for number, other := range f.object.flights {
		if other == f {
			delete(f.object.flights, number)
		}
	}
}

// copyFlights copies what was fetched to its places in p.
func (s *Store) copyFlights(flights []*flight, p []byte, off int64, missing []need) {
	for i, f := range flights {
		first := missing[i].number * int64(s.opts.BlockBytes)
		lo, hi := first+int64(missing[i].lo), first+int64(missing[i].hi)
		copy(p[lo-off:hi-off], f.data[lo-f.from:hi-f.from])
	}
}

// fly makes the request, hands its bytes to those who wait, and writes them to the disk.
func (s *Store) fly(ctx context.Context, f *flight) {
	s.counters.innerRequests.Add(1)
	var data []byte
	var size int64
	var err error
	if f.isTail {
		data = make([]byte, f.want)
		var n int
		n, size, err = s.inner.ReadTail(ctx, f.object.name, data)
		data = data[:n:n]
	} else {
		data = make([]byte, f.to-f.from)
		err = s.inner.ReadAt(ctx, f.object.name, data, f.from)
	}
	if f.data, f.size = data, size; f.isTail && err == nil { // nobody looks at these before the flight has arrived
		f.from, f.to = size-int64(len(data)), size
	}
	kept := s.copies(f, err)
	weight := min(int64(len(data)), writeBudget)
	write := err == nil && s.budget.Acquire(ctx, weight) == nil
	s.mu.Lock()
	f.err, f.arrived = err, true
	contradicted := false
	if err != nil {
		s.landLocked(f)
	} else {
		s.counters.innerBytes.Add(int64(len(data)))
		contradicted = !s.learnLocked(f, kept)
	}
	s.mu.Unlock()
	close(f.done)
	if contradicted {
		s.counters.replaced.Add(1)
		s.drop(f.object)
	}
	if write {
		s.storeFlight(f)
		s.budget.Release(weight)
	}
	s.mu.Lock()
	s.landLocked(f)
	s.mu.Unlock()
}

// learnLocked takes note of what a flight says of its object, and puts its blocks into memory. It returns false if the object is not the one that is
// cached.
func (s *Store) learnLocked(f *flight, kept [][]byte) bool {
	o := f.object
	if f.isTail {
		if o.size >= 0 && o.size != f.size || o.atLeast > f.size {
			return false
		}
		o.size = f.size
		if o.tail == f {
			o.tail = nil
		}
	}
	o.atLeast = max(o.atLeast, f.to)
	now := s.now().UnixNano()
	for i, part := range f.parts(s.opts.BlockBytes) {
		if f.isTail && o.flights[part.number] == nil {
			o.flights[part.number] = f
		}
		if kept != nil {
			s.keepLocked(o, part.number, part.lo, kept[i], now)
		}
	}
	return true
}

// copies returns what a flight brought for the memory tier, each block in memory of its own, so that it keeps nothing else there. nil: nothing.
func (s *Store) copies(f *flight, err error) [][]byte {
	n, block := int64(len(f.data)), int64(s.opts.BlockBytes)
	if err != nil || s.memory.limit == 0 || n >= s.memory.limit/bulkPart && n > block {
		return nil
	}
	parts := f.parts(s.opts.BlockBytes)
	kept := make([][]byte, len(parts))
	for i, part := range parts {
		if kept[i] = f.bytes(block, part); len(parts) > 1 || int64(f.want) > n {
			kept[i] = bytes.Clone(kept[i])
		}
	}
	return kept
}

// parts cuts what a flight brought into blocks.
func (f *flight) parts(blockBytes int) []need {
	var all []need
	block := int64(blockBytes)
	for at := f.from; at < f.to; {
		number := at / block
		next := min((number+1)*block, f.to)
		all = append(all, need{number: number, lo: int(at - number*block), hi: int(next - number*block)})
		at = next
	}
	if f.isTail && f.size == 0 {
		all = append(all, need{})
	}
	return all
}

// bytes returns the part of a flight's data that is of a block.
func (f *flight) bytes(block int64, part need) []byte {
	first := part.number*block - f.from
	return f.data[first+int64(part.lo) : first+int64(part.hi)]
}

// fetchTail reads the end of an object of unknown size.
func (s *Store) fetchTail(ctx context.Context, o *object, p []byte) (int, int64, error) {
	s.counters.misses.Add(1)
	for range fetchAttempts {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			break
		}
		f := o.tail
		if f != nil && f.want >= len(p) {
			s.counters.joined.Add(1)
		} else {
			f = &flight{object: o, done: make(chan struct{}), isTail: true, want: len(p)}
			o.tail = f
			s.startLocked(ctx, f)
		}
		f.waiters++
		s.mu.Unlock()
		_, err := s.await(ctx, []*flight{f})
		switch {
		case err == nil:
			n := int(min(int64(len(p)), f.size))
			copy(p, f.data[len(f.data)-n:])
			s.counters.missBytes.Add(int64(n))
			return n, f.size, nil
		case ctx.Err() != nil:
			return 0, 0, fmt.Errorf("read the end of %q in %s: %w", o.name, s.uri, ctx.Err())
		case !errors.Is(err, context.Canceled):
			return 0, 0, err
		}
	}
	return s.bypassTail(ctx, o.name, p)
}
