package query

import (
	"container/heap"
	"context"
	"math"
	"sync"

	"github.com/firnlog/firn/format"
)

// merger hands out the matching rows of all files in order. A file is opened when a row of it may be the next one, or ahead of that if it is
// (as good as) certain that it will come to that.
type merger struct {
	reading *reading
	newest  bool
	wg      sync.WaitGroup
	ahead   []*cursor // files that were opened ahead, in the order of scan.files, beginning with number next
	next    int       // of scan.files: the first that is not in open
	open    cursorHeap
	emitted int64
}

// What is read ahead of the rows handed out.
const (
	firstWindow     = 4         // files of a remote store, at least, as long as nothing is known about how many of their candidates match
	remoteChunks    = 4         // a chunk of a remote store is so many times as large as one of a local store
	remoteDepth     = 12        // chunks of open files of a remote store, decoded or on their way
	surplus         = 1.25      // of the rows that are expected over those that are needed, for fewer waits
	aheadBytes      = 128 << 20 // decoded, of the first chunks of files that are not open yet
	bloomedExpected = 0.25      // matches in a file, if its bloom filters have yet to be asked for a value
)

// run calls emit with each row in order, until it returns false, the limit is reached or the context ends.
func (r *reading) run(ctx context.Context, emit func(c *chunk, row int32) bool) error {
	if len(r.scan.files) == 0 {
		return ctx.Err()
	}
	ctx, end := r.begin(ctx)
	defer end()
	return r.forgive(ctx, r.merge(ctx, emit))
}

// merge is run without limits of time, bytes and decoded rows.
func (r *reading) merge(ctx context.Context, emit func(c *chunk, row int32) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	m := &merger{reading: r, newest: r.scan.planner.request.Order == NewestFirst}
	m.open.newest = m.newest
	defer m.wg.Wait()
	defer cancel()
	for {
		if err := m.admit(ctx); err != nil {
			return err
		}
		if len(m.open.cursors) == 0 {
			return nil
		}
		c := m.open.cursors[0]
		more, err := m.drain(ctx, c, emit)
		if err != nil || !more {
			return err
		}
	}
}

// admit opens the files that may hold the next row.
func (m *merger) admit(ctx context.Context) error {
	files := m.reading.scan.files
	for m.next < len(files) {
		if len(m.open.cursors) > 0 && !m.before(m.firstKey(files[m.next]), m.open.cursors[0].key()) {
			return nil
		}
		m.lookAhead(ctx, nil)
		c := m.ahead[0]
		m.ahead, m.next = m.ahead[1:], m.next+1
		ok, err := c.next(ctx)
		if err != nil {
			return err
		}
		if ok {
			heap.Push(&m.open, c)
		}
	}
	return nil
}

// before says whether a comes before b in the order of the reading.
func (m *merger) before(a, b sortKey) bool {
	if m.newest {
		return a.compare(b) > 0
	}
	return a.compare(b) < 0
}

// firstKey is a place that no row of a file comes before.
func (m *merger) firstKey(f *filePlan) sortKey {
	if m.newest {
		return sortKey{time: f.newest, rank: f.rank, ordinal: math.MaxUint32}
	}
	return sortKey{time: f.oldest, rank: f.rank}
}

// lookAhead starts to read the next file, and those behind it whose rows will be needed as far as one can tell: because all the
// candidates before them, at the rate at which candidates turned out to match so far, do not reach the limit. From a remote store it reads some
// more files as long as that rate is a mere guess. present is a file that is being waited for and has handed out nothing so far; with it, the next
// file need not be started.
func (m *merger) lookAhead(ctx context.Context, present *cursor) {
	r := m.reading
	remote, need := r.scan.planner.engine.remote(), float64(r.limit-m.emitted)
	if present != nil && !remote {
		return
	}
	var spans []span
	for _, c := range m.open.cursors {
		spans = append(spans, m.spanOf(c.file, c.expected(), m.place(c.key().time)))
	}
	if present != nil {
		spans = append(spans, m.spanOf(present.file, present.expected(), m.place(m.firstKey(present.file).time)))
	}
	guessed, bytes := false, int64(0)
	for i, f := range r.scan.files[m.next:] {
		first := m.place(m.firstKey(f).time)
		if i >= len(m.ahead) {
			enough := rowsBefore(spans, first) >= need && !(guessed && i < firstWindow) || bytes >= aheadBytes && i >= r.scan.planner.engine.parallelism
			if (i > 0 || present != nil) && enough || i >= cap(r.slots) {
				return
			}
			m.ahead = append(m.ahead, m.start(ctx, m.next+i))
		} else if remote {
			m.feed(ctx, m.ahead[i], need-rowsBefore(spans, first))
		}
		spans = append(spans, m.spanOf(f, r.expectedOf(f), first))
		guessed = guessed || remote && r.checked.Load() == 0 && f.certain.Load() < f.candidates.Load()
		bytes += min(f.candidates.Load(), r.scan.planner.engine.sizes.most) * f.rowBytes()
	}
}

// span is how many rows a file is expected to hand out, and between which places.
type span struct {
	first, last, rows float64
}

// place turns a time into a number that grows in the order of the reading.
func (m *merger) place(t int64) float64 {
	if m.newest {
		return -float64(t)
	}
	return float64(t)
}

// spanOf returns the span of a file whose next row is at a place or behind it. Unless the store is remote, all its rows count as if they were there:
// then the files behind are opened one after the other, as they turn out to be needed.
func (m *merger) spanOf(f *filePlan, rows, first float64) span {
	s := span{first: first, last: first, rows: rows}
	last := f.oldest
	if !m.newest {
		last = f.newest
	}
	if m.reading.scan.planner.engine.remote() && last != math.MinInt64 && last != math.MaxInt64 {
		s.last, s.rows = max(first, m.place(last)), rows/surplus
	}
	return s
}

// rowsBefore guesses how many rows come before a place, if those of each file are spread evenly.
func rowsBefore(spans []span, place float64) (rows float64) {
	for _, s := range spans {
		if s.last > s.first {
			rows += s.rows * min(1, max(0, (place-s.first)/(s.last-s.first)))
		} else {
			rows += s.rows
		}
	}
	return rows
}

// feed reads more of a file that was opened ahead and whose first chunk turned out to be empty.
func (m *merger) feed(ctx context.Context, c *cursor, need float64) {
	select {
	case <-c.flights[0].done:
	default:
		return
	}
	first := c.flights[0]
	if first.err != nil || first.chunk == nil || len(first.chunk.order) > 0 {
		return
	}
	m.fill(ctx, c, max(1, remoteDepth/(1+len(m.ahead))), 0, max(1, int64(min(need, math.MaxInt32))))
}

// expectedOf guesses how many rows of a file match.
func (r *reading) expectedOf(f *filePlan) float64 {
	certain, candidates := float64(f.certain.Load()), float64(f.candidates.Load())
	if r.byRows() {
		return certain + min(candidates-certain, float64(f.rows)*r.density())
	}
	expected := certain + (candidates-certain)*r.yield()
	if p := r.scan.planner; p.bloomed && p.engine.remote() && !f.settled.Load() {
		return min(expected, bloomedExpected)
	}
	return expected
}

// expected guesses how many more rows an open cursor will hand out.
func (c *cursor) expected() float64 {
	sum := 0.0
	if c.chunk != nil {
		sum = float64(len(c.chunk.order) - c.at)
	}
	for _, flight := range c.flights {
		sum += float64(flight.expected)
	}
	return sum + c.expectedLeft()
}

// expectedLeft guesses how many of the candidates that no flight has taken match.
func (c *cursor) expectedLeft() float64 {
	left := float64(c.left)
	switch {
	case c.sorted || c.left == 0 || c.view.bounds.decided():
		return left
	case c.reading.byRows():
		rows := float64(c.edge)
		if !c.newest {
			rows = float64(c.file.rows - c.edge)
		}
		return min(left, rows*c.reading.density())
	}
	return left * c.reading.yield()
}

// start begins to read a file.
func (m *merger) start(ctx context.Context, position int) *cursor {
	c := &cursor{merger: m, reading: m.reading, file: m.reading.scan.files[position], position: position, newest: m.newest, at: -1}
	m.fly(ctx, c, 0, c.open)
	return c
}

// fly reads a chunk in the background.
func (m *merger) fly(ctx context.Context, c *cursor, expected int64, load func(context.Context) (*chunk, error)) {
	flight := &pending{done: make(chan struct{}), expected: expected}
	c.flights = append(c.flights, flight)
	m.wg.Go(func() {
		defer close(flight.done)
		flight.err = m.reading.inSlot(ctx, func() (err error) {
			if err = limiterOf(ctx).err(); err != nil {
				return err
			}
			flight.chunk, err = load(ctx)
			return err
		})
	})
}

// launch reads the next piece of a file in the background.
func (m *merger) launch(ctx context.Context, c *cursor) {
	if c.sorted {
		piece := c.cutSorted(c.pieceRows())
		m.fly(ctx, c, int64(len(piece)), func(ctx context.Context) (*chunk, error) { return c.loadSorted(ctx, piece) })
		return
	}
	if err := c.reconsider(ctx); err != nil {
		m.fly(ctx, c, 0, func(context.Context) (*chunk, error) { return nil, err })
		c.left = 0
		return
	}
	if c.left == 0 {
		m.fly(ctx, c, 0, func(context.Context) (*chunk, error) { return &chunk{file: c.file, batch: &format.Batch{}}, nil })
		return
	}
	before := c.expectedLeft()
	piece, span := c.nextPiece()
	view, expected := c.view, int64(before-c.expectedLeft())
	m.fly(ctx, c, expected, func(ctx context.Context) (*chunk, error) { return c.load(ctx, view, piece, span) })
}

// topUp starts reading the pieces of an open file that will be needed soon.
func (m *merger) topUp(ctx context.Context, c *cursor) {
	chunks := cap(m.reading.slots)
	if m.reading.scan.planner.engine.remote() {
		chunks = min(chunks, remoteDepth)
	}
	coming := max(0, int64(len(c.chunk.order)-c.at))
	m.fill(ctx, c, max(1, chunks/max(1, len(m.open.cursors))), coming, m.reading.limit-m.emitted)
}

// fill starts reading pieces of a file until depth of them are on their way or so many rows will come as are needed.
func (m *merger) fill(ctx context.Context, c *cursor, depth int, coming, need int64) {
	for _, flight := range c.flights {
		coming += flight.expected
	}
	for c.left > 0 && len(c.flights) < depth && coming < need {
		m.launch(ctx, c)
		coming += c.flights[len(c.flights)-1].expected
	}
}

// drain emits rows of the first cursor of the heap as long as they come before those of all others. It reports false when the
// reading is over.
func (m *merger) drain(ctx context.Context, c *cursor, emit func(c *chunk, row int32) bool) (bool, error) {
	rival, contested := m.rival()
	for {
		if !emit(c.chunk, c.chunk.order[c.at]) {
			return false, nil
		}
		m.reading.matched.Add(1)
		if m.emitted++; m.emitted >= m.reading.limit {
			return false, nil
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		ok, err := c.next(ctx)
		switch {
		case err != nil:
			return false, err
		case !ok:
			heap.Pop(&m.open)
			return true, nil
		case contested && !m.before(c.key(), rival):
			heap.Fix(&m.open, 0)
			return true, nil
		}
	}
}

// rival returns the place of the first row, known or possible, of the other files.
func (m *merger) rival() (key sortKey, ok bool) {
	for _, other := range m.open.cursors[1:min(3, len(m.open.cursors))] {
		if k := other.key(); !ok || m.before(k, key) {
			key, ok = k, true
		}
	}
	if files := m.reading.scan.files; m.next < len(files) {
		if k := m.firstKey(files[m.next]); !ok || m.before(k, key) {
			key, ok = k, true
		}
	}
	return key, ok
}

// cursorHeap has the cursor with the next row on top.
type cursorHeap struct {
	cursors []*cursor
	newest  bool
}

func (h *cursorHeap) Len() int      { return len(h.cursors) }
func (h *cursorHeap) Swap(i, j int) { h.cursors[i], h.cursors[j] = h.cursors[j], h.cursors[i] }
func (h *cursorHeap) Push(x any)    { h.cursors = append(h.cursors, x.(*cursor)) }
func (h *cursorHeap) Less(i, j int) bool {
	order := h.cursors[i].key().compare(h.cursors[j].key())
	if h.newest {
		return order > 0
	}
	return order < 0
}

func (h *cursorHeap) Pop() any {
	last := len(h.cursors) - 1
	c := h.cursors[last]
	h.cursors = h.cursors[:last]
	return c
}
