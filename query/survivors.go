package query

import (
	"context"
	"fmt"
	"slices"
)

// firstAsked is how many files' sidecars a search with a limit asks at once in a remote store, before it reads anything.
const firstAsked = 64

// pruneSurvivors runs the other stages on the files that the metadata left. With a limit, sidecars are asked when a reading reaches their files, in a
// remote store all but the first ones.
func (p *planner) pruneSurvivors(ctx context.Context, all []*filePlan) error {
	var survivors []*filePlan
	for _, f := range all {
		if f.skipped == "" {
			survivors = append(survivors, f)
		}
	}
	p.inRace = int64(len(survivors))
	slices.SortFunc(survivors, p.readingOrder)
	p.openLedger(survivors)
	limited := p.request.Limit > 0
	n := len(survivors)
	switch {
	case p.request.ForceIndex || !limited:
	case p.engine.remote():
		n = min(n, firstAsked)
	default:
		n = 0
	}
	for _, f := range survivors[n:] {
		f.publish()
	}
	err := p.parallel(ctx, n, func(ctx context.Context, i int) error {
		f := survivors[i]
		if limited {
			return p.settle(ctx, f, 1, false)
		}
		_, err := p.finish(ctx, f, true, 1)
		return err
	})
	if err != nil || limited {
		return err
	}
	// What was saved since may pay for sidecars that were not worth the risk.
	return p.parallel(ctx, n, func(ctx context.Context, i int) error {
		_, err := p.askLate(ctx, survivors[i], 1, false, false)
		return err
	})
}

// openLedger opens the account of the search.
func (p *planner) openLedger(survivors []*filePlan) {
	if p.request.NoIndex || len(p.indexed) == 0 {
		return
	}
	total := 0.0
	for _, f := range survivors {
		cost := p.scanCost(f)
		total += cost.total()
		if p.request.Limit == 0 {
			p.commit(f, cost, 1)
		}
	}
	if p.engine.remote() {
		p.ledger.earn(remoteSlackBytes)
		return
	}
	p.ledger.earn(min(slackBytes, slackPart*total))
}

// settle decides about the sidecar of a file, without opening the file itself.
func (p *planner) settle(ctx context.Context, f *filePlan, part share, counting bool) error {
	if err := f.mu.lock(ctx); err != nil {
		return err
	}
	defer f.mu.Unlock()
	_, err := p.settleTokens(ctx, f, part, counting)
	f.publish()
	if err != nil {
		return fmt.Errorf("reading the sidecar of %s: %w", f.data.Path, err)
	}
	return nil
}
