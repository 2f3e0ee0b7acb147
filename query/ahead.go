package query

import (
	"context"
	"slices"

	"github.com/firnlog/firn/index"
)

// What a search in a remote store reads on the chance that it is needed, in order to wait for fewer requests one after the other.
const (
	mostGuessedBytes = 8 << 20 // of data files of which no bloom filter said that they may match, by all of a plan
	mostGuessedFiles = 32      // with a limit, which may be reached in the first files
	footerFraction   = 128     // of a data file, roughly, that opening it reads
	footerBytes      = 64 << 10
)

// tokensOf returns the tokens of sets of evidence of a leaf.
func tokensOf(l *leaf, sets [][]string, to []index.Token) []index.Token {
	for _, set := range sets {
		for _, token := range set {
			to = append(to, index.Token{FieldID: l.field.ID, Text: token})
		}
	}
	return to
}

// prepareBlooms loads the bloom filters that the leaves need, from a remote store side by side. It returns for which leaves they are not asked because that
// costs too much: a part of a dictionary knows more, and may be smaller than a bloom filter of a whole file.
func (p *planner) prepareBlooms(ctx context.Context, sidecar *index.Sidecar, asking []*leaf, ask *spending) (skip []bool) {
	skip = make([]bool, len(asking))
	var fields []int
	for i, l := range asking {
		cost := sidecar.BloomCost(l.field.ID)
		if cost == 0 || slices.Contains(fields, l.field.ID) {
			continue
		}
		tokens, lookups := tokensOf(l, l.evidence, nil), int64(0)
		listed := false // what the bloom filter knows, the dictionary knows too
		for _, t := range tokens {
			listed = listed || sidecar.HasPostings(t)
			lookups += sidecar.LookupBytes(t.FieldID, t.Text)
		}
		if p.engine.remote() {
			lookups = sidecar.LookupCost(tokens)
		}
		if skip[i] = listed && lookups <= cost || !ask.afford(float64(cost)); !skip[i] {
			fields = append(fields, l.field.ID)
		}
	}
	if p.engine.remote() {
		sidecar.PrefetchBlooms(ctx, fields)
	}
	return skip
}

// prepareLookups loads what the look-ups of the leaves need side by side, and opens the data file meanwhile if it will probably be needed. likely
// says that bloom filters were asked and could not exclude the file. In a local store nothing is prepared.
func (p *planner) prepareLookups(ctx context.Context, f *filePlan, sidecar *index.Sidecar, asking []*leaf, alive [][][]string, likely bool) {
	if !p.engine.remote() {
		return
	}
	var tokens []index.Token
	for i, l := range asking {
		if !f.known[l.id].decided() {
			tokens = tokensOf(l, alive[i], tokens)
		}
	}
	if sidecar.LookupCost(tokens) == 0 {
		return
	}
	wait := p.openEarly(ctx, f, likely)
	sidecar.Prefetch(ctx, tokens)
	wait()
}

// openEarly opens a data file in the background, so that the engine's cache has it when it is needed, and returns what waits for it. Whoever needs
// the file and does not find it in the cache opens it again, and reports the error if there is one.
func (p *planner) openEarly(ctx context.Context, f *filePlan, likely bool) (wait func()) {
	if !likely && p.inRace*max(footerBytes, f.data.Size/footerFraction) > mostGuessedBytes {
		return func() {}
	}
	if p.request.Limit > 0 && p.guessed.Add(1) > mostGuessedFiles {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = p.engine.openFile(ctx, f, p.schema, p.schemaKey)
	}()
	return func() { <-done }
}
