package query

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/firnlog/firn/format"
)

// contextBatchRows is how many rows the hits of a batch may have around them, if no two of them share any.
const contextBatchRows = 1 << 15

// contextReader finds the rows around hits. The hits come in batches, in the order of the request. "Ahead" is the direction in which they come: towards older rows if
// the newest comes first. So what lies behind a hit was gone through, and what lies ahead may still turn out to be a hit.
type contextReader struct {
	scan   *Scan                               // what the caller asked for
	wide   *Scan                               // the same rows, with the columns of the stream
	places []int                               // of the columns of scan among those of wide
	fields []format.Field                      // of the rows that are handed out
	shape  func(b *format.Batch) *format.Batch // makes them of the columns of scan
	stream []streamPlace
	newest bool
	behind int // rows wanted behind a hit
	ahead  int // rows wanted ahead of a hit
	most   int // hits of a batch

	reading *reading // of the hits
	streams map[string]*contextStream
	order   []*contextStream // of the batch, in the order of their first hits
	hits    int              // of the batch
	last    position         // of the batch's last hit
	groups  int              // handed out so far
	yield   func(ContextRow, error) bool
	stopped bool // the consumer wants no more
}

// contextStream is the hits of one stream in a batch.
type contextStream struct {
	stream stream
	hits   []contextHit
	open   *contextGroup   // that the batch before left open
	groups []*contextGroup // of the batch
}

// contextHit is a row with its place.
type contextHit struct {
	at     position
	number int // among the hits of the batch
	row    Row
}

// contextGroup is rows that follow on each other in their stream, and what is known about how it goes on.
type contextGroup struct {
	number int          // 0: none yet
	first  int          // number of its first hit in the batch; -1 if it was begun before
	rows   []ContextRow // in the direction ahead

	edge  position // of the row that was taken last
	since int      // rows taken since the last hit
	open  bool     // whether it goes on is only known with the next batch
}

func (s *Scan) newContextReader(o ContextOptions) (*contextReader, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := s.planner
	x := &contextReader{scan: s, fields: s.fields, shape: func(b *format.Batch) *format.Batch { return b }, streams: map[string]*contextStream{}, newest: p.request.Order == NewestFirst, behind: o.After, ahead: o.Before}
	if !x.newest {
		x.behind, x.ahead = o.Before, o.After
	}
	x.most = max(1, p.engine.sizes.context/(1+o.Before+o.After))
	var err error
	if x.stream, err = p.bound.streamPlaces(o.Stream); err != nil {
		return nil, err
	}
	wanted := map[int]bool{}
	for _, place := range x.stream {
		wanted[place.field.ID] = true
	}
	x.wide = &Scan{planner: p, partial: s.partial, metadata: s.metadata, listed: s.listed, files: s.files}
	for _, f := range p.schema.Fields {
		handedOut := slices.ContainsFunc(s.fields, func(g format.Field) bool { return f.ID == g.ID })
		if handedOut {
			x.places = append(x.places, len(x.wide.fields))
		}
		if handedOut || wanted[f.ID] {
			x.wide.fields = append(x.wide.fields, f)
		}
	}
	return x, nil
}

// run finds the hits and deals with them. The limits of the request are those of the hits and their neighbours together.
func (x *contextReader) run(ctx context.Context, yield func(ContextRow, error) bool) error {
	x.yield, x.reading = yield, x.wide.newReading(false)
	defer x.reading.finish()
	x.scan.mu.Lock()
	x.scan.latest = x.reading
	x.scan.mu.Unlock()
	if len(x.wide.files) == 0 {
		return ctx.Err()
	}
	ctx, end := x.reading.begin(ctx)
	defer end()
	err := x.reading.forgive(ctx, x.find(ctx))
	if err != nil || x.stopped {
		return err
	}
	return x.reading.forgive(ctx, x.flush(ctx, true))
}

// find deals with the hits, but for those of the last batch.
func (x *contextReader) find(ctx context.Context) error {
	var flushed error
	var picked *format.Batch
	var of *chunk
	err := x.reading.merge(ctx, func(c *chunk, row int32) bool {
		if of != c {
			of, picked = c, x.shape(x.pick(c))
		}
		x.add(c, row, newRow(x.fields, picked, row))
		if x.hits >= x.most {
			flushed = x.flush(ctx, false)
		}
		return flushed == nil && !x.stopped
	})
	return cmp.Or(err, flushed)
}

// pick returns the columns of a chunk that are handed out.
func (x *contextReader) pick(c *chunk) *format.Batch {
	b := &format.Batch{Rows: c.batch.Rows, Columns: make([]format.Column, len(x.places))}
	for i, place := range x.places {
		b.Columns[i] = c.batch.Columns[place]
	}
	return b
}

// add takes a hit into the batch.
func (x *contextReader) add(c *chunk, row int32, picked Row) {
	values := make([]any, len(x.stream))
	var key []byte
	for i, place := range x.stream {
		at := slices.IndexFunc(x.wide.fields, func(f format.Field) bool { return f.ID == place.field.ID })
		values[i] = place.valueOf(&c.batch.Columns[at], row)
		switch v := values[i].(type) {
		case string:
			key = append(append(strconv.AppendInt(key, int64(len(v)), 10), ':'), v...)
		case int64:
			key = append(strconv.AppendInt(key, v, 10), ';')
		default:
			key = append(key, '-', ';')
		}
	}
	s := x.streams[string(key)]
	if s == nil {
		s = &contextStream{stream: stream{x.stream, values}}
		x.streams[string(key)] = s
		x.order = append(x.order, s)
	}
	x.last = c.position(row)
	s.hits = append(s.hits, contextHit{at: x.last, number: x.hits, row: picked})
	x.hits++
}

// flush finds the rows around the hits of the batch and hands them out.
func (x *contextReader) flush(ctx context.Context, final bool) error {
	err := x.scan.planner.parallel(ctx, len(x.order), func(ctx context.Context, i int) error { return x.group(ctx, x.order[i], final) })
	if reachedLimit(ctx, err) != "" { // the hits that were found are handed out all the same: nothing more is found around them
		for _, s := range x.order {
			if err := x.group(ctx, s, final); err != nil {
				return err
			}
		}
	} else if err != nil {
		return err
	}
	var groups []*contextGroup
	for _, s := range x.order {
		groups = append(groups, s.groups...)
	}
	slices.SortFunc(groups, func(a, b *contextGroup) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.number, b.number))
	})
	for _, g := range groups {
		if g.number == 0 {
			x.groups++
			g.number = x.groups
		}
		if !x.emit(g) {
			return nil
		}
	}
	x.begin()
	return ctx.Err()
}

// emit hands out the rows of a group, the oldest first, and says whether the consumer wants more.
func (x *contextReader) emit(g *contextGroup) bool {
	if x.newest {
		slices.Reverse(g.rows)
	}
	for _, row := range g.rows {
		row.Group = g.number
		if x.stopped = !x.yield(row, nil); x.stopped {
			return false
		}
	}
	g.rows = nil
	return true
}

// begin starts the next batch with the groups that are open.
func (x *contextReader) begin() {
	order := x.order
	x.hits, x.order = 0, nil
	for key, s := range x.streams {
		if n := len(s.groups); n == 0 || !s.groups[n-1].open {
			delete(x.streams, key)
		}
	}
	for _, s := range order {
		n := len(s.groups)
		if n == 0 || !s.groups[n-1].open {
			continue
		}
		s.open, s.hits, s.groups = s.groups[n-1], nil, nil
		s.open.first, s.open.open = -1, false
		x.order = append(x.order, s)
	}
}

// group finds the groups of a stream.
func (x *contextReader) group(ctx context.Context, s *contextStream, final bool) error {
	for s.open != nil || len(s.hits) > 0 {
		g := s.open
		if s.open = nil; g == nil {
			var err error
			if g, err = x.start(ctx, s); err != nil {
				return err
			}
		}
		s.groups = append(s.groups, g)
		if err := x.extend(ctx, s, g, final); err != nil {
			return err
		}
	}
	return nil
}

// start begins a group with the next hit and the rows behind it.
func (x *contextReader) start(ctx context.Context, s *contextStream) (*contextGroup, error) {
	hit := s.hits[0]
	s.hits = s.hits[1:]
	g := &contextGroup{first: hit.number, edge: hit.at}
	if x.behind > 0 {
		err := x.walk(ctx, s, hit.at, x.newest, x.behind, func(_ position, row Row) bool {
			g.rows = append(g.rows, ContextRow{Row: row, Part: x.part(true)})
			return len(g.rows) < x.behind
		})
		if err != nil {
			return nil, err
		}
		slices.Reverse(g.rows)
	}
	g.rows = append(g.rows, ContextRow{Row: hit.row, Part: PartHit})
	return g, nil
}

// part says what a row behind a hit, or ahead of it, is.
func (x *contextReader) part(behind bool) ContextPart {
	if behind == x.newest {
		return PartAfter
	}
	return PartBefore
}

// extend goes ahead from where a group ends, and takes the rows there and the hits that are near enough.
func (x *contextReader) extend(ctx context.Context, s *contextStream, g *contextGroup, final bool) error {
	type passed struct {
		at  position
		row Row
	}
	var rows []passed // since the last hit, not taken yet
	reach := func() int {
		if final && len(s.hits) == 0 {
			return x.ahead
		}
		return x.behind + x.ahead + 1 // a hit there has rows behind it that touch those ahead of the one before
	}
	take := func(n, toHit int) { // toHit: how far the first of the rows is from the next hit; 0: there is none
		for i, row := range rows[:n] {
			part := x.part(false)
			if inFront := toHit > 0 && toHit-i <= x.behind; inFront && (x.part(true) == PartBefore || g.since+i+1 > x.ahead) {
				part = x.part(true)
			}
			g.rows = append(g.rows, ContextRow{Row: row.row, Part: part})
			g.edge = row.at
		}
		g.since += n
		rows = rows[n:]
	}
	if reach() <= g.since {
		return nil
	}
	err := x.walk(ctx, s, g.edge, !x.newest, reach()-g.since, func(at position, row Row) bool {
		if len(s.hits) > 0 && at == s.hits[0].at {
			take(len(rows), len(rows))
			g.rows = append(g.rows, ContextRow{Row: row, Part: PartHit})
			s.hits, g.since, g.edge, rows = s.hits[1:], 0, at, nil
			return reach() > 0
		}
		if !final && x.before(x.last, at) {
			g.open = true // it may turn out to be a hit
			return false
		}
		rows = append(rows, passed{at, row})
		return g.since+len(rows) < reach()
	})
	if err != nil {
		return err
	}
	take(min(len(rows), max(0, x.ahead-g.since)), 0)
	return nil
}

// before says whether a hit at a comes before one at b in the order of the request.
func (x *contextReader) before(a, b position) bool {
	if x.newest {
		return a.compare(b) > 0
	}
	return a.compare(b) < 0
}
