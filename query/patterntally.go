package query

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
)

// countsOfPass counts something of one pass over the rows.
type countsOfPass = atomic.Int64

// patternRun counts the rows of one or two scans by pattern.
//
// Patterns are counted exactly, in a table, as long as there are no more than MaxPatterns. If there are, the table becomes an array of
// buckets, in which the rows of all patterns with the same first bits of their ids are counted together. Then all rows are gone through once
// more, and only patterns of buckets with at least `least` rows are counted in a table; whenever that has too many, least is doubled and the
// patterns of smaller buckets leave it. Sums of rows do not depend on the order of the rows, and so neither does least in the end: it is the
// smallest power of two that leaves few enough patterns. What is in the table was in it from the beginning, and so was counted exactly.
type patternRun struct {
	options PatternOptions
	sides   []*patternSide
	files   []patternFile
	slots   chan struct{} // one for each piece of work at once

	mu      sync.Mutex
	groups  map[uint64]*patternGroup
	buckets []int64 // rows, by the first bits of the id; nil as long as there are few patterns
	filling bool    // the pass counts in buckets only
	least   int64
}

// patternGroup is what is known of a pattern.
type patternGroup struct {
	counts [2]int64 // rows, by side
	spots  []patternSpot
	full   int // number of spots at which those that do not matter are dropped
}

// patternSpot is where the oldest and the newest row of a pattern in a file are, or in a part of a file.
type patternSpot struct {
	file        uint32 // in patternRun.files
	first, last uint32 // rows; or the number of the pattern and wholePattern
}

// wholePattern, as the last row of a spot, says that all rows of the file that have the pattern match, and that nobody looked where they are.
const wholePattern = math.MaxUint32

// count goes through all rows.
func (run *patternRun) count(ctx context.Context) error {
	if err := run.pass(ctx); err != nil || run.buckets == nil {
		return err
	}
	run.filling, run.groups, run.least = false, map[uint64]*patternGroup{}, 2
	for _, side := range run.sides {
		side.rows.Store(0)
		side.noText.Store(0)
		side.indexed.Store(0)
	}
	return run.pass(ctx)
}

// bucket returns the bucket of an id.
func (run *patternRun) bucket(id uint64) *int64 {
	const half = 32
	return &run.buckets[(id>>half)*uint64(len(run.buckets))>>half]
}

// counted is so many rows of a pattern.
type counted struct {
	id          uint64
	rows        int64
	first, last uint32 // as in patternSpot
}

// merge adds rows of a file. It keeps nothing of the slice.
func (run *patternRun) merge(file *patternFile, list []counted) {
	run.mu.Lock()
	defer run.mu.Unlock()
	for i := range list {
		c := &list[i]
		if run.filling {
			*run.bucket(c.id) += c.rows
			continue
		}
		if run.buckets != nil && *run.bucket(c.id) < run.least {
			continue
		}
		g := run.groups[c.id]
		if g == nil {
			if len(run.groups) >= run.options.MaxPatterns && !run.makeRoom(c.id) {
				if run.filling {
					*run.bucket(c.id) += c.rows
				}
				continue
			}
			g = &patternGroup{}
			run.groups[c.id] = g
		}
		g.counts[file.side] += c.rows
		if !run.options.CountsOnly {
			run.addSpot(g, patternSpot{file.number, c.first, c.last})
		}
	}
}

// makeRoom is called when the table is full, and says whether it may take one more pattern now.
func (run *patternRun) makeRoom(id uint64) bool {
	if run.buckets == nil {
		run.buckets, run.filling = make([]int64, run.options.buckets), true
		for id, g := range run.groups {
			*run.bucket(id) += g.counts[0] + g.counts[1]
		}
		run.groups = map[uint64]*patternGroup{}
		return false
	}
	for len(run.groups) >= run.options.MaxPatterns && *run.bucket(id) >= run.least {
		run.least *= 2
		for id := range run.groups {
			if *run.bucket(id) < run.least {
				delete(run.groups, id)
			}
		}
	}
	return *run.bucket(id) >= run.least
}

// addSpot adds a spot to a group, and now and then drops those that can hold neither the oldest nor the newest row.
func (run *patternRun) addSpot(g *patternGroup, spot patternSpot) {
	const few = 16
	g.spots = append(g.spots, spot)
	if len(g.spots) < max(few, g.full) {
		return
	}
	kept := run.decisive(g, 0, nil)
	if len(run.sides) > 1 {
		kept = run.decisive(g, 1, kept)
	}
	g.spots, g.full = kept, 2*len(kept)
}

// decisive appends those spots of a side that may hold the oldest or the newest row, by the bounds of their files.
func (run *patternRun) decisive(g *patternGroup, side int, to []patternSpot) []patternSpot {
	newest, oldest := int64(math.MaxInt64), int64(math.MinInt64) // some row is not newer than newest, and some is not older than oldest
	for _, spot := range g.spots {
		if f := &run.files[spot.file]; f.side == side {
			newest, oldest = min(newest, f.plan.newest), max(oldest, f.plan.oldest)
		}
	}
	for _, spot := range g.spots {
		if f := &run.files[spot.file]; f.side == side && (f.plan.oldest <= newest || f.plan.newest >= oldest) {
			to = append(to, spot)
		}
	}
	return to
}

// patternSpans counts rows of a part of one file before they are merged.
type patternSpans struct {
	file   *patternFile
	places map[uint64]int32 // in list and times
	list   []counted
	times  []spanTimes // of files that are not sorted by time
}

// spanTimes are the times of first and last.
type spanTimes struct{ first, last int64 }

// mostSpans bounds the memory of patternSpans.
const mostSpans = 1 << 14

func newPatternSpans(file *patternFile) *patternSpans {
	return &patternSpans{file: file, places: map[uint64]int32{}}
}

// add counts a row. Rows come in ascending order; time is the same for all if the file is sorted by time.
func (s *patternSpans) add(id uint64, row uint32, time int64) {
	i, ok := s.places[id]
	if !ok {
		if len(s.list) >= mostSpans {
			s.flush()
		}
		s.places[id] = int32(len(s.list))
		s.list = append(s.list, counted{id: id, rows: 1, first: row, last: row})
		s.times = append(s.times, spanTimes{time, time})
		return
	}
	c, t := &s.list[i], &s.times[i]
	c.rows++
	if time < t.first {
		c.first, t.first = row, time
	}
	if time >= t.last {
		c.last, t.last = row, time
	}
}

// flush merges what was counted.
func (s *patternSpans) flush() {
	s.file.run.merge(s.file, s.list)
	clear(s.places)
	s.list, s.times = s.list[:0], s.times[:0]
}
