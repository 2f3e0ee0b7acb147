package format

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// Gate bounds how many readers decode at once. A reader enters it before it calls Read's iterator and leaves it behind the iteration; Read leaves it
// while it waits for the store, and enters it again before it goes on. Enter waits for a place and must get one whatever happens.
type Gate interface {
	Enter()
	Leave()
}

// Budget bounds how many bytes several readers hold together that were read and are not decoded yet. It is safe for concurrent use.
type Budget struct {
	bytes int64
	sem   *semaphore.Weighted
}

// NewBudget returns a budget of so many bytes. A single read that is larger waits until it is alone.
func NewBudget(bytes int64) *Budget { return &Budget{bytes: bytes, sem: semaphore.NewWeighted(bytes)} }

// acquire waits for room and returns how much is to be released; it holds at most all there is.
func (b *Budget) acquire(ctx context.Context, n int64) (int64, error) {
	if b == nil {
		return 0, nil
	}
	n = min(n, b.bytes)
	return n, b.sem.Acquire(ctx, n)
}

// tryAcquire is acquire for those who can do without.
func (b *Budget) tryAcquire(n int64) (int64, bool) {
	if b == nil {
		return 0, true
	}
	n = min(n, b.bytes)
	return n, b.sem.TryAcquire(n)
}

func (b *Budget) release(n int64) {
	if b != nil {
		b.sem.Release(n)
	}
}

// unitBytes is about how much of a remote store is read together, if it is in several row groups.
const unitBytes = requestBytes * requestsAtOnce / 4

// window is what is decoded in one go: rows of one row group.
type window struct {
	group   int
	rows    []RowRange // within the row group
	readers [][]*leafReader
}

// halve splits a window's rows in two.
func (w window) halve() (a, b window) {
	total := uint32(0)
	for _, r := range w.rows {
		total += r.End - r.Start
	}
	a.group, b.group = w.group, w.group
	left := total / 2
	for _, r := range w.rows {
		n := min(left, r.End-r.Start)
		left -= n
		if n > 0 {
			a.rows = append(a.rows, RowRange{r.Start, r.Start + n})
		}
		if r.Start+n < r.End {
			b.rows = append(b.rows, RowRange{r.Start + n, r.End})
		}
	}
	return a, b
}

// unit is windows whose pages are read together: one, or of a remote store several small ones.
type unit struct {
	windows  []window
	ranges   []location
	bytes    int64
	transfer transfer
}

// flight is a unit on its way into memory.
type flight struct {
	unit
	held   int64 // bytes of the budget
	done   chan struct{}
	err    error
	cancel context.CancelFunc
}

// nextUnit has the next unit in memory, and says whether there is one.
func (s *scan) nextUnit(ctx context.Context) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	u, err := s.land(ctx)
	if err != nil {
		return false, err
	}
	if len(u.windows) == 0 {
		if u, err = s.cutUnit(); err != nil || len(u.windows) == 0 {
			return false, err
		}
		if err := s.load(ctx, &u); err != nil {
			return false, err
		}
	} else if err := s.takeOff(ctx); err != nil {
		return false, err
	}
	s.fetch.keep(u.transfer)
	s.ready = u.windows
	return true, nil
}

// load reads a unit now, and lets the next one take off beside it.
func (s *scan) load(ctx context.Context, u *unit) error {
	u.transfer = s.fetch.prepare(u.ranges)
	if len(u.transfer.requests) == 0 {
		return nil
	}
	return s.fetch.wait(func() (err error) {
		held, err := s.budget.acquire(ctx, u.bytes)
		if err != nil {
			return err
		}
		s.held = held
		if err := s.takeOff(ctx); err != nil { // only once there is memory for this unit, so that nobody waits with memory in hand
			return err
		}
		return s.fetch.run(ctx, u.transfer)
	})
}

// takeOff begins to read the unit behind the one that was just begun, if the store is remote and there is memory.
func (s *scan) takeOff(ctx context.Context) error {
	if !s.fetch.traits.Remote || len(s.windows) == 0 {
		return nil
	}
	u, err := s.cutUnit()
	if err != nil {
		return err
	}
	held, ok := s.budget.tryAcquire(u.bytes)
	if !ok {
		s.windows = append(u.windows, s.windows...)
		return nil
	}
	u.transfer = s.fetch.prepare(u.ranges)
	ctx, cancel := context.WithCancel(ctx)
	f := &flight{unit: u, held: held, done: make(chan struct{}), cancel: cancel}
	s.ahead = f
	fetch := s.fetch // the rest of it is not used by run
	go func() {
		defer close(f.done)
		f.err = fetch.run(ctx, f.transfer)
	}()
	return nil
}

// land waits for the unit that is on its way; without windows, there was none.
func (s *scan) land(ctx context.Context) (unit, error) {
	f := s.ahead
	if f == nil {
		return unit{}, nil
	}
	err := s.fetch.wait(func() error {
		select {
		case <-f.done:
			return f.err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		return unit{}, err // stop clears up
	}
	f.cancel()
	s.ahead, s.held = nil, f.held
	return f.unit, nil
}

// stop gives up what is on its way, and waits until nothing is.
func (s *scan) stop() {
	if f := s.ahead; f != nil {
		f.cancel()
		<-f.done
		s.budget.release(f.held)
		s.ahead = nil
	}
}

// endUnit frees the memory of what was read.
func (s *scan) endUnit() {
	s.fetch.forget()
	s.budget.release(s.held)
	s.held, s.ready = 0, nil
}

// cutUnit takes the next unit off the windows. A window that is too large is halved.
func (s *scan) cutUnit() (u unit, err error) {
	for len(s.windows) > 0 {
		w := s.windows[0]
		ranges, bytes, indexed, err := s.openWindow(&w)
		if err != nil {
			return u, err
		}
		if bytes > maxPlanBytes {
			if a, b := w.halve(); indexed && len(a.rows) > 0 {
				s.windows = append([]window{a, b}, s.windows[1:]...)
				continue
			}
			ranges, bytes = nil, 0 // what is not read ahead is read when it is needed
		}
		if len(u.windows) > 0 && u.bytes+bytes > unitBytes {
			return u, nil
		}
		s.windows = s.windows[1:]
		u.windows, u.ranges, u.bytes = append(u.windows, w), append(u.ranges, ranges...), u.bytes+bytes
		if !s.fetch.traits.Remote || u.bytes >= unitBytes {
			return u, nil
		}
	}
	return u, nil
}

// openWindow makes the readers of a window's column chunks and says which bytes hold its rows, and whether there is a page index to tell.
func (s *scan) openWindow(w *window) (ranges []location, bytes int64, indexed bool, err error) {
	if w.readers, err = s.openLeaves(w.group); err != nil {
		return nil, 0, false, err
	}
	indexed = true
	for _, leaves := range w.readers {
		for _, l := range leaves {
			l.pages.wanted = w.rows
			indexed = indexed && l.pages.index != nil
			for _, r := range l.pages.ranges(w.rows) {
				ranges = append(ranges, r)
				bytes += r.length
			}
		}
	}
	return ranges, bytes, indexed, nil
}

// EstimateBytes returns about how many bytes Read would fetch for these columns and rows, as far as is known without reading anything. Columns
// and ranges that Read would refuse count nothing.
func (f *File) EstimateBytes(fieldIDs []int, rows []RowRange) int64 {
	windows, err := f.split(rows)
	if err != nil {
		return 0
	}
	total := int64(0)
	f.indexes.mu.Lock()
	defer f.indexes.mu.Unlock()
	for _, id := range fieldIDs {
		c, err := f.bound(id)
		if err != nil || c.file == nil || c.reason != "" {
			continue
		}
		for _, w := range windows {
			for leaf := c.file.leaf; leaf < c.file.leaf+c.file.leaves; leaf++ {
				total += f.estimateLeaf(w, leaf)
			}
		}
	}
	return total
}

func (f *File) estimateLeaf(w window, leaf int) (bytes int64) {
	g := &f.groups[w.group]
	chunk := &g.chunks[leaf]
	index := f.indexes.pages[indexKey{w.group, leaf}]
	if index == nil && chunk.offsetIndex.length > 0 && f.indexes.whole {
		index, _ = f.pageIndex(w.group, leaf) // an error is told by Read
	}
	if index == nil {
		return chunk.compressed
	}
	r := pageReader{chunk: chunk, rows: int(g.rows), index: index}
	for _, at := range r.ranges(w.rows) {
		bytes += at.length
	}
	return bytes
}
