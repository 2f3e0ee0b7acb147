package query

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/firnlog/firn/format"
)

// pieceSizes say how many rows are read at once. They are fields, so that tests can make them small.
type pieceSizes struct {
	least     int64 // candidates of a piece
	first     int64 // candidates of a piece, at least, when nothing is known about how many of them match
	most      int64 // rows of a chunk
	mostCheck int64 // candidates of a piece of which few match
	sortCheck int64 // candidates that are checked at once when a file must be sorted
	context   int   // rows around the hits of a batch: see contextBatchRows
}

var defaultPieceSizes = pieceSizes{least: 256, first: 1024, most: 1 << 14, mostCheck: 1 << 17, sortCheck: 1 << 16, context: contextBatchRows}

// sortKey is the place of a row in the order of all rows, oldest first.
type sortKey struct {
	time    int64
	rank    int // of the file's path
	ordinal uint32
}

func (k sortKey) compare(o sortKey) int {
	return cmp.Or(cmp.Compare(k.time, o.time), cmp.Compare(k.rank, o.rank), cmp.Compare(k.ordinal, o.ordinal))
}

// pending is a chunk that is being read.
type pending struct {
	done     chan struct{}
	chunk    *chunk
	err      error
	expected int64 // guess of the number of its rows
}

// cursor hands out the matching rows of one file, chunk by chunk, in the order of the reading.
type cursor struct {
	merger   *merger
	reading  *reading
	file     *filePlan
	view     *fileView // of file, once it is open
	position int       // in scan.files
	newest   bool

	flights []*pending // chunks being read, in order

	// What follows is set up by open, and changed by the goroutine of the reading alone after the first flight has landed.
	rest    []format.RowRange // candidates that no flight has taken yet, ascending
	entries []timedRow        // instead of rest, of a file that had to be sorted: its matching rows, in order
	sorted  bool
	left    int64  // candidates in rest
	edge    uint32 // the rows before it, or behind it if newest, were gone through

	chunk *chunk // being handed out
	at    int    // in chunk.order
	last  sortKey
	begun bool
}

// timedRow is a matching row of a file that had to be sorted.
type timedRow struct {
	time    int64
	ordinal uint32
}

// open prunes and opens the file, decides how it is read, and reads its first chunk.
func (c *cursor) open(ctx context.Context) (*chunk, error) {
	r, p := c.reading, c.reading.scan.planner
	if left, err := p.finish(ctx, c.file, true, r.shareOf(c.file)); err != nil || !left {
		r.spanned.Add(int64(c.file.rows))
		return nil, err
	}
	if err := c.look(ctx); err != nil {
		return nil, err
	}
	if p.engine.remote() { // so that it is known what is cheap to read
		if err := c.view.file.LoadPageIndex(ctx, residualFields(c.view.residual, r.wanted())); err != nil {
			return nil, fmt.Errorf("reading data file %s: %w", c.file.data.Path, err)
		}
	}
	c.rest, c.left = rangesOf(c.view.bounds.may), int64(c.view.bounds.may.Cardinality())
	if c.left == 0 {
		r.spanned.Add(int64(c.file.rows))
		return nil, nil
	}
	if c.newest {
		c.edge = c.file.rows
	}
	piece, span := c.nextPiece()
	if c.left > 0 && !p.trusted(c.view) {
		return c.sortFile(ctx)
	}
	first, err := c.load(ctx, c.view, piece, span)
	if err == nil && c.left > 0 && first.disorder {
		return c.sortFile(ctx) // the file's claim to be sorted is wrong
	}
	return first, err
}

// look takes a view of the file.
func (c *cursor) look(ctx context.Context) (err error) {
	c.view, err = c.reading.scan.planner.view(ctx, c.file, false)
	return err
}

// reconsider asks the sidecar of a file that was begun without, if the reading has not found enough and it is worth it by now. Nothing else is under way in
// the cursor, or what is has its own view.
func (c *cursor) reconsider(ctx context.Context) error {
	r := c.reading
	if !r.byRows() || c.sorted || c.left == 0 || c.view.bounds.decided() {
		return nil
	}
	asked, err := r.scan.planner.askLate(ctx, c.file, r.shareOf(c.file), false, true)
	if err != nil || !asked {
		return err
	}
	if err := c.look(ctx); err != nil {
		return err
	}
	rest := rowsInRanges(c.file.rows, c.rest).And(c.view.bounds.may)
	c.rest, c.left = rangesOf(rest), int64(rest.Cardinality())
	return nil
}

// trusted says whether an opened file claims, everywhere, to be sorted by time, and nothing known so far contradicts it. The rows
// that are read are checked again.
func (p *planner) trusted(f *fileView) bool {
	t := p.time
	if t.Type == format.TypeInvalid {
		return true // only ordered by place
	}
	if !f.data.TimeSorted || !f.file.Sorted() {
		return false
	}
	highest := int64(math.MinInt64)
	groups := f.file.RowGroups()
	for i := range groups {
		b, _ := groups[i].Bounds(t.ID)
		low, okLow := b.Min.(int64)
		high, okHigh := b.Max.(int64)
		if okLow && low < highest {
			return false
		}
		if okHigh {
			highest = max(highest, high)
		}
	}
	return true
}

// load reads the matching rows of a piece, which spans so many rows.
func (c *cursor) load(ctx context.Context, view *fileView, piece []format.RowRange, span int64) (*chunk, error) {
	r := c.reading
	find := r.survivors
	if r.atOnce(view, piece, r.wanted()) {
		find = r.matching
	}
	rows, kept, err := find(ctx, view, c.position, piece, r.wanted())
	if err != nil {
		return nil, err
	}
	r.hits.Add(int64(len(rows)))
	r.spanned.Add(span)
	disorder := false
	if need := r.needed(); int64(len(rows)) > need && r.scan.planner.time.Type != format.TypeInvalid {
		if rows, kept, disorder, err = c.trim(ctx, view, rows, kept, int(need)); err != nil {
			return nil, err
		}
	}
	chunk, err := r.assemble(ctx, view, c.position, rows, kept)
	if err != nil {
		return nil, err
	}
	chunk.order = byTime(chunk.times, len(rows))
	chunk.disorder = disorder || !slices.IsSorted(chunk.times)
	if c.newest {
		slices.Reverse(chunk.order)
	}
	return chunk, nil
}

// byTime returns the numbers of n rows, ordered by their times, if there are any, and then by number.
func byTime(times []int64, n int) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	if !slices.IsSorted(times) {
		slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(times[a], times[b]) })
	}
	return order
}

// trim drops those of the matching rows that come too late to be handed out, so that their other columns need not be read. It
// tells whether the rows were out of order.
func (c *cursor) trim(ctx context.Context, view *fileView, rows []uint32, kept *gatherer, need int) ([]uint32, *gatherer, bool, error) {
	field := c.reading.scan.planner.time
	fields, source := []format.Field{field}, &format.Batch{Rows: len(rows)}
	if kept != nil {
		source = kept.batch()
	}
	place := slices.IndexFunc(source.Columns, func(column format.Column) bool { return column.Field.ID == field.ID })
	if place < 0 {
		g, err := c.reading.fetch(ctx, view, c.position, fields, rows)
		if err != nil {
			return nil, nil, false, err
		}
		place = len(source.Columns)
		source.Columns = append(source.Columns, g.columns[0])
	}
	times := timesOf(&source.Columns[place])
	order := byTime(times, len(rows))
	if c.newest {
		order = order[len(order)-need:]
	} else {
		order = order[:need]
	}
	slices.Sort(order)
	fields = nil
	for _, column := range source.Columns {
		fields = append(fields, column.Field)
	}
	left := newGatherer(fields)
	left.add(source, firstPlaces(len(fields)), order)
	numbers := make([]uint32, need)
	for i, row := range order {
		numbers[i] = rows[row]
	}
	return numbers, left, !slices.IsSorted(times), nil
}

// sortFile finds all matching rows of a file that is not sorted, sorts them by time, and reads the first chunk of them.
func (c *cursor) sortFile(ctx context.Context) (*chunk, error) {
	r, p := c.reading, c.reading.scan.planner
	c.sorted, c.entries = true, nil
	c.rest, c.left = rangesOf(c.view.bounds.may), int64(c.view.bounds.may.Cardinality())
	for c.left > 0 {
		piece := c.cut(p.engine.sizes.sortCheck)
		rows, kept, err := r.survivors(ctx, c.view, c.position, piece, []format.Field{p.time})
		if err != nil {
			return nil, err
		}
		if kept == nil {
			if kept, err = r.fetch(ctx, c.view, c.position, []format.Field{p.time}, rows); err != nil {
				return nil, err
			}
		}
		for i, t := range timesOf(&kept.columns[0]) {
			c.entries = append(c.entries, timedRow{t, rows[i]})
		}
	}
	slices.SortFunc(c.entries, func(a, b timedRow) int {
		order := cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.ordinal, b.ordinal))
		if c.newest {
			return -order
		}
		return order
	})
	if int64(len(c.entries)) > r.limit {
		c.entries = slices.Clone(c.entries[:r.limit])
	}
	c.left = int64(len(c.entries))
	return c.loadSorted(ctx, c.cutSorted(c.pieceRows()))
}

// cutSorted takes the next n rows of a file that had to be sorted.
func (c *cursor) cutSorted(n int64) []timedRow {
	n = min(n, int64(len(c.entries)))
	piece := c.entries[:n]
	c.entries = c.entries[n:]
	c.left -= n
	return piece
}

// loadSorted reads rows of a file that had to be sorted.
func (c *cursor) loadSorted(ctx context.Context, piece []timedRow) (*chunk, error) {
	rows := make([]uint32, len(piece))
	for i, entry := range piece {
		rows[i] = entry.ordinal
	}
	slices.Sort(rows)
	chunk, err := c.reading.assemble(ctx, c.view, c.position, rows, nil)
	if err != nil {
		return nil, err
	}
	chunk.order = make([]int32, len(rows))
	for i, entry := range piece {
		place, _ := slices.BinarySearch(rows, entry.ordinal)
		chunk.order[i] = int32(place)
	}
	return chunk, nil
}

// next lets the cursor stand on its next row. It reports false at the end of the file.
func (c *cursor) next(ctx context.Context) (bool, error) {
	c.at++
	for c.chunk == nil || c.at >= len(c.chunk.order) {
		if c.chunk != nil {
			c.merger.topUp(ctx, c)
			if c.at >= len(c.chunk.order) && !c.begun {
				c.merger.lookAhead(ctx, c)
			}
		}
		if len(c.flights) == 0 {
			return false, nil
		}
		flight := c.flights[0]
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-flight.done:
		}
		c.flights = c.flights[1:]
		if flight.err != nil {
			return false, flight.err
		}
		if flight.chunk == nil {
			return false, nil // pruning left nothing
		}
		c.chunk, c.at = flight.chunk, 0
		if err := c.verify(); err != nil {
			return false, err
		}
		c.merger.topUp(ctx, c)
	}
	return true, nil
}

// verify checks that a chunk continues the order of those before it.
func (c *cursor) verify() error {
	if len(c.chunk.order) == 0 {
		return nil
	}
	first, last := c.chunk.key(c.chunk.order[0]), c.chunk.key(c.chunk.order[len(c.chunk.order)-1])
	wrong := !c.sorted && c.chunk.disorder && c.begun
	if c.begun {
		order := c.last.compare(first)
		wrong = wrong || c.newest && order <= 0 || !c.newest && order >= 0
	}
	c.last, c.begun = last, true
	if wrong {
		return fmt.Errorf("%w: data file %s claims to be sorted by %s and is not, near row %d: have the file rewritten", format.ErrCorrupt,
			c.file.data.Path, timestampColumn, first.ordinal)
	}
	return nil
}

// key returns the place of the row that the cursor stands on.
func (c *cursor) key() sortKey { return c.chunk.key(c.chunk.order[c.at]) }
