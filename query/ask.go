package query

import (
	"context"
	"slices"

	"github.com/firnlog/firn/index"
)

// choiceKind says whether a file's sidecar was asked about a condition, and why.
type choiceKind uint8

const (
	choiceNone      choiceKind = iota
	choiceAsked                // it was expected to be cheaper
	choiceFree                 // it was in memory
	choiceForced               // the request wants it
	choiceCostly               // reading the file costs less
	choiceUnproven             // it may cost less than reading the file, but nothing is known about whether it helps
	choicePointless            // whatever it says, the same rows are to be read
	choiceFew                  // so few candidates are left that reading them costs less
	choiceFrequent             // it was asked, but its rows are in all pages
	choiceLater                // a reading decides when it reaches the file
	choiceOften                // earlier searches have paid for it: by what indexes spared them, or because they read the file without it so often
	numChoices
)

// choice is what was chosen for a condition in one file, with estimates in bytes.
type choice struct {
	kind    choiceKind
	without int64 // to read of the file
	with    int64 // to read of the sidecar
}

func (f *filePlan) choose(leaves []*leaf, kind choiceKind, without, with float64) {
	for _, l := range leaves {
		f.choices[l.id] = choice{kind, int64(without), int64(with)}
	}
}

// share is which part of a file a reading is expected to go through: up to 1, or unknownYet.
type share float64

// unknownYet says that a first piece of a file should be read before its sidecar is asked: the reading may be satisfied by then.
const unknownYet share = 0

// price is about what asking a sidecar costs.
type price struct {
	open    float64 // 0 if it is open
	blooms  bool    // opening it brings the bloom filters
	lookups float64
}

func (c price) total() float64 { return c.open + c.lookups }

// least is what has to be spent before the sidecar may say something.
func (c price) least() float64 {
	if c.blooms {
		return c.open
	}
	return c.total()
}

// price estimates what asking the sidecar of a file about some leaves costs.
func (p *planner) price(f *filePlan) (c price) {
	if v, ok := p.engine.cache.peek(sidecarKey(f.sidecarName)); ok {
		entry := v.(*sidecarEntry)
		if entry.problem != "" && p.engine.now().Before(entry.until) {
			return c // it is known to be of no use, and that costs nothing
		}
		if entry.sidecar != nil {
			c.blooms = true
			for _, l := range f.asking {
				c.lookups += float64(cheapestLookup(entry.sidecar, l))
				c.blooms = c.blooms && hasBloom(entry.sidecar, l) && entry.sidecar.BloomCost(l.field.ID) == 0
			}
			return c
		}
	}
	traits := p.engine.store.traits
	c.open = float64(index.OpenBytes(traits, f.rows)) + openCost
	c.blooms = traits.Remote || index.OpenHoldsBlooms(traits, f.rows)
	c.lookups = float64(index.TokenBytes(f.rows)) * float64(len(f.asking))
	return c
}

// cheapestLookup returns what looking up one of the tokens of a leaf costs, or asking the bloom filter if that costs less.
func cheapestLookup(sidecar *index.Sidecar, l *leaf) int64 {
	least := int64(-1)
	if hasBloom(sidecar, l) {
		if least = sidecar.BloomCost(l.field.ID); least == 0 {
			least = -1 // it is asked in any case
		}
	}
	for _, t := range tokensOf(l, l.evidence, nil) {
		if sidecar.HasPostings(t) {
			if cost := sidecar.LookupBytes(t.FieldID, t.Text); least < 0 || cost < least {
				least = cost
			}
		}
	}
	return max(0, least)
}

// hasBloom says whether a sidecar has a bloom filter of a leaf's column.
func hasBloom(sidecar *index.Sidecar, l *leaf) bool {
	return slices.ContainsFunc(sidecar.Options().Columns, func(c index.ColumnSpec) bool { return c.FieldID == l.field.ID && c.Bloom })
}

// settleTokens decides whether the file's sidecar is asked, and asks it. It may be called again with another share as long as f.asked is not set. It says
// whether candidates are left. The only errors are those of the context. The caller holds f.mu.
func (p *planner) settleTokens(ctx context.Context, f *filePlan, part share, counting bool) (left bool, err error) {
	if f.asked {
		return f.skipped == "", nil
	}
	if !f.listed {
		f.listed = true
		f.asking = p.useful(f, p.tokenLeaves(f))
	}
	if len(f.asking) == 0 || f.sidecarName == "" {
		f.asked = true
		return true, nil
	}
	if part == unknownYet && !p.request.ForceIndex && p.price(f).least() > 0 {
		f.choose(f.asking, choiceLater, 0, 0)
		return true, nil
	}
	cost := p.scanCost(f)
	ask, kind, err := p.mayAsk(ctx, f, cost, part)
	if err != nil || ask == nil {
		return true, err
	}
	f.asked = true
	before := slices.Clone(f.known)
	f.choose(f.asking, kind, cost.footer+cost.columns*float64(part), p.price(f).least())
	saved, read := 0.0, &counters{}
	left, err = p.pruneByTokens(withCounters(ctx, read), f, ask, cost)
	countersOf(ctx).add(read)
	defer func() {
		spent := float64(read.bytes.Load())
		ask.end(saved, spent)
		p.engine.savings.add(saved - spent)
	}()
	if err != nil {
		return false, err
	}
	saved = p.saved(f, cost, part, counting)
	f.unsaved = cost.total() - saved
	if !p.request.ForceIndex && !p.engine.remote() && p.scattered(f, cost) {
		f.before = before
		for _, l := range f.asking {
			f.choices[l.id].kind = choiceFrequent
		}
	}
	return left, nil
}

// saved is what need not be read any more because of what the sidecar said.
func (p *planner) saved(f *filePlan, cost scanCost, part share, counting bool) float64 {
	if f.skipped != "" {
		return cost.total()
	}
	if counting {
		f.counting = true
		if _, ok := p.knownCount(f); ok {
			return cost.total()
		}
	}
	return cost.footer + cost.columns*float64(part) - p.remaining(f, cost, counting)
}

// mayAsk decides whether to ask the sidecar of a file: nil if not. Else the caller ends what it gets.
func (p *planner) mayAsk(ctx context.Context, f *filePlan, cost scanCost, part share) (*spending, choiceKind, error) {
	price := p.price(f)
	without := cost.footer + cost.columns*float64(part)
	if p.engine.remote() {
		without += float64(p.engine.store.traits.ReadGap) // a sidecar is one request, a data file is two: so many bytes are not worth another one
	}
	kind := choiceAsked
	switch {
	case p.request.ForceIndex:
		kind = choiceForced
	case price.least() == 0:
		kind = choiceFree
	case price.least() <= without:
	case p.paidBefore(f, price):
		kind = choiceOften
	default:
		p.engine.regrets.add(f, without)
		f.choose(f.asking, choiceCostly, without, price.least())
		return nil, 0, nil
	}
	p.commit(f, cost, part)
	ask, err := p.ledger.begin(ctx, price.total(), price.least())
	if err == nil && ask == nil && p.paidBefore(f, price) {
		kind = choiceOften
		ask, err = p.ledger.begin(ctx, price.total(), price.least())
	}
	if err == nil && ask == nil {
		p.engine.regrets.add(f, without)
		f.choose(f.asking, choiceUnproven, without, price.total())
	}
	return ask, kind, err
}

// paidBefore adds what asking a sidecar costs to the account of the search, if earlier searches of the engine have spared that much, or have read the file so often
// without. In a remote store the former is not reason enough for a request that the search at hand would wait for.
func (p *planner) paidBefore(f *filePlan, price price) bool {
	if !p.engine.regrets.spend(f, price.least()) && (p.engine.remote() || !p.engine.savings.spend(price.total())) {
		return false
	}
	p.ledger.earn(price.total())
	return true
}

// commit adds to the account that a search without indexes would read a part of a file.
func (p *planner) commit(f *filePlan, cost scanCost, part share) {
	if reads := cost.footer + cost.columns*float64(part); reads > f.committed {
		p.ledger.earn(allowance * (reads - f.committed))
		f.committed = reads
	}
}

// scattered says whether readings should not make use of what a sidecar said about a file, because the rows that are left to be checked are in nearly all pages
// anyway: columns would be read in more pieces. With a limit the reading gains nevertheless: it knows where it may stop, and checks fewer rows.
func (p *planner) scattered(f *filePlan, cost scanCost) bool {
	if p.request.Limit > 0 || f.skipped != "" || f.bounds.may.IsAll() && f.bounds.must.IsEmpty() || f.bounds.decided() {
		return false
	}
	return p.remainingOf(f.bounds, cost, false)+float64(p.engine.store.traits.ReadGap) >= cost.columns
}

// useful returns those of the leaves that can change what is to be read of the file, and notes why the others cannot.
func (p *planner) useful(f *filePlan, asking []*leaf) (useful []*leaf) {
	asked := map[*leaf]bool{}
	for _, l := range asking {
		asked[l] = true
	}
	for _, l := range asking {
		if p.changes(f, l, nil) || p.changes(f, l, asked) || p.request.ForceIndex {
			useful = append(useful, l)
			continue
		}
		f.choose([]*leaf{l}, choicePointless, 0, 0)
	}
	return useful
}

// changes says whether the best that a sidecar can say about a leaf changes what is to be read, if it says the best about the others too.
func (p *planner) changes(f *filePlan, l *leaf, others map[*leaf]bool) bool {
	positive := map[*leaf]bool{}
	polarities(p.bound.root, true, positive)
	best := func(x *leaf) bounds {
		switch {
		case positive[x] || !x.exactTokens():
			return exactRows(index.NoRows(f.rows))
		default:
			return exactRows(index.AllRows(f.rows))
		}
	}
	measure := func(with bool) (rows, open uint32) {
		b := boundsOf(p.bound.root, f.rows, func(x *leaf) bounds {
			if x == l && with || x != l && others[x] {
				return f.known[x.id].refine(best(x))
			}
			return f.known[x.id]
		})
		return b.may.Cardinality(), b.may.Cardinality() - b.must.Cardinality()
	}
	rows, open := measure(false)
	rowsWith, openWith := measure(true)
	return rowsWith < rows || openWith < open
}

// polarities finds out which leaves stand below an even number of Nots.
func polarities(x node, sign bool, positive map[*leaf]bool) {
	switch x := x.(type) {
	case *leaf:
		positive[x] = sign
	case notNode:
		polarities(x.x, !sign, positive)
	case andNode:
		for _, kid := range x {
			polarities(kid, sign, positive)
		}
	case orNode:
		for _, kid := range x {
			polarities(kid, sign, positive)
		}
	}
}

// earnCounts adds to the account what sidecars save that were asked for rows, now that rows are only counted.
func (p *planner) earnCounts(ctx context.Context, files []*filePlan) error {
	for _, f := range files {
		if err := f.mu.lock(ctx); err != nil {
			return err
		}
		if f.asked && !f.counting && len(f.asking) > 0 && f.skipped == "" {
			f.counting = true
			if _, ok := p.knownCount(f); ok {
				p.ledger.earn(f.unsaved)
			}
		}
		f.mu.Unlock()
	}
	return nil
}
