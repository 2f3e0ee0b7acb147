package query

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

// The cost model: what a file costs without its sidecar, and what the sidecar costs. The unit is a byte that is read, because bytes are known before they are
// read. Constants that stand for something else say what.
const (
	// allowance is which part of what a scan would read without indexes may be spent on indexes that turn out to be of no help. With it a search never
	// reads more than 1.05 times as much as without indexes, up to slackBytes; the rest of the 5 % is for estimates that are a little off.
	allowance = 0.035
	// slackBytes is what a search may spend on top, once: less than the 64 KiB that the traits of a local store call not worth a second request, because what a
	// sidecar costs is known only when it was read. It is never more than slackPart of what a scan would read.
	slackBytes = 40 << 10
	slackPart  = 0.25
	// remoteSlackBytes is the same of a remote store: bytes against waiting for one request after the other.
	remoteSlackBytes = mostGuessedBytes
	// patience is how many times what a sidecar costs is read of a file without it, by however many searches of one engine, until the sidecar is asked
	// although the file costs less: in memory, it will cost nothing any more.
	patience = 16
	// openCost stands for the CPU time that opening a sidecar takes beside its bytes: about 40 µs, in which a scan decodes and checks 4 kB of a
	// compressed column (10 ns a byte). A byte of an index takes under 1 ns (checksum, a few words of it looked at), and counts as a byte nevertheless.
	openCost = 4 << 10
	// pageBytes is about what a page takes in the file (64 kB of text before compression, see format), tailBytes what opening a file of a local store
	// reads, and footerFraction what its page index takes of a file.
	pageBytes = 12 << 10
	tailBytes = 64 << 10
	// unknownShare is the part of a file that a column takes, if the catalog does not know.
	unknownShare = 0.2
)

// scanCost is about what a file costs without its sidecar.
type scanCost struct {
	footer  float64 // of the file, and its page index; 0 if it is open
	columns float64 // the pages of the predicate's columns that the time window leaves
	parts   []columnCost
}

// columnCost is the part of columns that one column has.
type columnCost struct {
	bytes float64
	kept  bool // it is handed out too
}

func (c scanCost) total() float64 { return c.footer + c.columns }

// scanCost estimates what the file costs without its sidecar. The caller holds f.mu, or nobody else knows f yet.
func (p *planner) scanCost(f *filePlan) (c scanCost) {
	c = p.wholeCost(f)
	if total := c.columns; total > 0 && !f.finished {
		c.columns = min(total, max(total*p.windowShare(f), pageBytes))
		for i := range c.parts {
			c.parts[i].bytes *= c.columns / total
		}
	}
	return c
}

// wholeCost is scanCost without regard to the time window.
func (p *planner) wholeCost(f *filePlan) (c scanCost) {
	var fields []int
	for _, l := range f.activeLeaves(p.bound.root, nil) {
		if (l.field.ID != p.time.ID || p.time.Type == format.TypeInvalid) && !slices.Contains(fields, l.field.ID) {
			fields = append(fields, l.field.ID)
		}
	}
	file := f.file
	if file == nil {
		if v, ok := p.engine.cache.peek(fileKey(f.name, p.schemaKey)); ok {
			file = v.(*format.File)
		} else {
			c.footer = p.footerCost(f)
		}
	}
	rows := []format.RowRange{{End: f.rows}}
	if f.finished {
		rows = rangesOf(f.bounds.may)
	}
	for _, id := range fields {
		bytes := 0.0
		if file != nil {
			bytes = float64(file.EstimateBytes([]int{id}, rows))
		} else {
			bytes = p.columnBytes(f, id)
		}
		c.columns += bytes
		c.parts = append(c.parts, columnCost{bytes, p.outputs[id]})
	}
	return c
}

// footerCost is about what opening a data file costs, with its page index.
func (p *planner) footerCost(f *filePlan) float64 {
	tail := float64(tailBytes)
	if p.engine.remote() {
		tail = float64(p.engine.store.traits.TailBytes)
	}
	return min(float64(f.data.Size), tail+float64(f.data.Size)/(2*footerFraction))
}

// columnBytes returns the bytes of a column in a file.
func (p *planner) columnBytes(f *filePlan, id int) float64 {
	ids := []int{id}
	for _, field := range p.schema.Fields {
		if field.ID == id && field.Type == format.TypeStringMap {
			ids = []int{field.KeyID, field.ValueID}
		}
	}
	sum, known := int64(0), false
	for _, id := range ids {
		n, ok := f.data.ColumnSizes[id]
		sum, known = sum+n, known || ok
	}
	if !known || sum < 0 || sum > f.data.Size {
		return float64(f.data.Size) * unknownShare
	}
	return float64(sum)
}

// windowShare is the part of a file's pages that From and To leave, if its rows are sorted by time and spread evenly.
func (p *planner) windowShare(f *filePlan) float64 {
	if !f.data.TimeSorted || p.time.Type == format.TypeInvalid || p.request.From.IsZero() && p.request.To.IsZero() {
		return 1
	}
	times := p.times
	if times.state[f.position]&(factLow|factHigh) != factLow|factHigh {
		return 1
	}
	low, high := times.wholeLow[f.position], times.wholeHigh[f.position]
	if high <= low {
		return 1
	}
	left := float64(min(f.newest, high)) - float64(max(f.oldest, low))
	return min(1, max(0, left/(float64(high)-float64(low))))
}

// remaining estimates what is left to be read of a file after its sidecar has said something. Columns that are handed out are read of all rows that match,
// checked or not.
func (p *planner) remaining(f *filePlan, c scanCost, counting bool) float64 {
	if f.skipped != "" || f.bounds.may.IsEmpty() {
		return 0
	}
	return c.footer + p.remainingOf(f.bounds, c, counting)
}

func (p *planner) remainingOf(b bounds, c scanCost, counting bool) (bytes float64) {
	open := index.NoRows(b.may.Universe())
	if !b.decided() {
		open = b.may.AndNot(b.must)
	}
	for _, part := range c.parts {
		rows := open
		if part.kept && !counting {
			rows = b.may
		}
		bytes += part.bytes * p.touched(rows, part.bytes)
	}
	return bytes
}

// touched returns which part of a column of so many bytes is read if these rows are: the pages that hold them, and what lies between pages near each other.
func (p *planner) touched(rows *index.RowSet, bytes float64) float64 {
	n := float64(rows.Universe())
	gap := float64(p.engine.store.traits.ReadGap)
	if p.engine.remote() {
		gap = pageBytes // less is read along there
	}
	switch {
	case rows.IsEmpty():
		return 0
	case rows.IsAll() || bytes <= gap+2*pageBytes || float64(rows.Cardinality()) > 64*bytes/pageBytes:
		return 1
	}
	perRow := bytes / n
	sum, end := 0.0, math.Inf(-1) // end: of what is read so far
	for first, last := range rows.Ranges() {
		from := math.Floor(float64(first)*perRow/pageBytes) * pageBytes
		to := math.Min(bytes, math.Ceil(float64(last)*perRow/pageBytes)*pageBytes)
		if from <= end+gap {
			from = math.Min(end, to)
		}
		sum += math.Max(0, to-from)
		end = math.Max(end, to)
	}
	return math.Min(1, sum/bytes)
}

// ledger keeps the account of a search: what may be spent on indexes. It starts with the slack, grows by a part of what would be read
// without indexes and by what they saved, and shrinks by what was read of them. So indexes that do not help are soon asked no more, and those that
// do are asked everywhere, however many files there are. It is safe for concurrent use.
type ledger struct {
	free bool // everything is granted

	mu     sync.Mutex
	credit float64
	busy   int           // grants that are being used and may earn something
	ended  chan struct{} // closed, and replaced, when one ends
}

func newLedger(free bool) *ledger { return &ledger{free: free, ended: make(chan struct{})} }

// earn adds to the credit.
func (l *ledger) earn(bytes float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.credit += bytes
}

// grant takes bytes from the credit, if it suffices.
func (l *ledger) grant(bytes float64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free || l.credit >= bytes {
		l.credit -= bytes
		return true
	}
	return false
}

// begin grants want bytes, or at least least, waiting for others who may earn enough. What it returns is to be given back to end. It returns nil if nothing is
// granted.
func (l *ledger) begin(ctx context.Context, want, least float64) (*spending, error) {
	for {
		l.mu.Lock()
		if l.free || l.credit >= least || least == 0 {
			left := want
			if !l.free {
				left = min(want, max(0, l.credit))
			}
			l.credit -= left
			l.busy++
			l.mu.Unlock()
			return &spending{ledger: l, left: left}, nil
		}
		if l.busy == 0 {
			l.mu.Unlock()
			return nil, nil //nolint:nilnil // nothing is granted
		}
		ended := l.ended
		l.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// spending is what was granted for one sidecar. It is not safe for concurrent use.
type spending struct {
	ledger *ledger
	left   float64
	spent  float64
}

// afford spends bytes if they were granted, or can be now.
func (s *spending) afford(bytes float64) bool {
	if bytes > s.left {
		if !s.ledger.grant(bytes - s.left) {
			return false
		}
		s.left = bytes
	}
	s.left -= bytes
	s.spent += bytes
	return true
}

// end gives back what was granted but not read, and adds what was saved.
func (s *spending) end(saved, read float64) {
	l := s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.credit += s.left + s.spent - read + max(0, saved)
	l.busy--
	close(l.ended)
	l.ended = make(chan struct{})
}

// regrets remember what was read of files whose sidecars were not asked because a single search gains nothing by it. It is safe for concurrent use.
type regrets struct {
	mu    sync.Mutex
	bytes *simplelru.LRU[string, float64] // by the name of the sidecar
}

// rememberedRegrets bounds the files that are remembered, to a few MB.
const rememberedRegrets = 1 << 14

func newRegrets() *regrets {
	r := &regrets{}
	r.bytes, _ = simplelru.NewLRU[string, float64](rememberedRegrets, nil) // fails only for sizes below one
	return r
}

// add notes that so many bytes will be read of a file, once in a search.
func (r *regrets) add(f *filePlan, bytes float64) {
	if f.regretted {
		return
	}
	f.regretted = true
	r.mu.Lock()
	defer r.mu.Unlock()
	sum, _ := r.bytes.Get(f.sidecarName)
	r.bytes.Add(f.sidecarName, sum+bytes)
}

// spend says whether asking a sidecar once and for all would have paid by now, and takes what it costs off.
func (r *regrets) spend(f *filePlan, price float64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum, ok := r.bytes.Peek(f.sidecarName)
	if !ok || sum < patience*price {
		return false
	}
	r.bytes.Add(f.sidecarName, sum-patience*price)
	return true
}

// savings are what the sidecars that an engine asked have spared its searches so far, in bytes. A part of it may be spent on opening sidecars that do not pay
// for the search at hand, because files are small or nothing is known of the words: once open they are kept, and ask for nothing any more. So all searches of an
// engine together never read more than without indexes, and one reads more than its own account allows only if others before it have spared at least as much. It is safe for
// concurrent use.
type savings struct {
	mu    sync.Mutex
	bytes float64
}

const (
	investedPart = 0.5     // of what was spared
	mostSavings  = 4 << 20 // that are remembered: an engine whose cache does not hold the sidecars that it opens must not open them all the time
)

// add notes what a sidecar has spared, less what was read of it.
func (s *savings) add(bytes float64) {
	if bytes > 0 {
		bytes *= investedPart
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes = min(s.bytes+bytes, mostSavings)
}

// spend takes bytes, if there are so many.
func (s *savings) spend(bytes float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes < bytes {
		return false
	}
	s.bytes -= bytes
	return true
}
