package query

import (
	"cmp"
	"context"
	"slices"

	"github.com/firnlog/firn/index"
)

// When a bloom pack is worth asking.
const (
	fewestPackFiles  = 8        // files of a partition whose sidecars would have to be read
	packSidecarBytes = 64 << 10 // that reading a sidecar costs, roughly
	packHeadBytes    = 64       // that opening a pack costs for each file
	mostPackTokens   = 3        // tokens that a pack is asked for, of those that a match must have together
)

// packSearch is a listing of packs under way.
type packSearch struct {
	location string // of the indexes, in the store
	done     chan struct{}
	cancel   context.CancelFunc
	latest   map[string][]index.PackName
	err      error
}

// findPacks begins to list the packs of the table, while its manifests are read; nil if it is certain that there are none to use.
func (p *planner) findPacks(ctx context.Context) *packSearch {
	if !p.hasPacks || p.request.NoIndex || p.request.Files != nil || !slices.ContainsFunc(p.bound.leaves, p.packMayHelp) {
		return nil
	}
	location := p.tableState.packs
	s := &packSearch{location: location, done: make(chan struct{})}
	ctx, s.cancel = context.WithCancel(ctx)
	go func() {
		defer close(s.done)
		s.latest, s.err = p.engine.listPacks(ctx, location)
	}()
	return s
}

// end gives up a listing that is still under way.
func (s *packSearch) end() {
	if s != nil {
		s.cancel()
		<-s.done
	}
}

// packMayHelp says whether the bloom filters of sidecars may know something about a leaf.
func (p *planner) packMayHelp(l *leaf) bool {
	return l.evidence != nil && len(l.evidence) <= maxLookups && !l.inMap && p.indexed[l.field.ID] && (l.class == classText || l.class == classNumber)
}

// packGroup is the files of one partition that a pack may exclude.
type packGroup struct {
	partition string
	files     []*filePlan
	asking    [][]*leaf // of each file
	total     int       // files of the partition
}

// pruneByPacks skips files that the packs of their partitions exclude. The only errors are those of the context.
func (p *planner) pruneByPacks(ctx context.Context, search *packSearch, list *fileList, listed []*filePlan) error {
	if search == nil {
		return nil
	}
	groups := p.packGroups(list, listed)
	if len(groups) == 0 {
		return nil
	}
	select {
	case <-search.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if search.err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.engine.log.Warn("bloom packs cannot be listed; sidecars are asked one by one", "location", search.location, "error", search.err)
		p.packs.problem(ProblemUnreadable)
		return nil
	}
	groups = slices.DeleteFunc(groups, func(g *packGroup) bool { return len(search.latest[g.partition]) == 0 })
	return p.parallel(ctx, len(groups), func(ctx context.Context, i int) error {
		for _, part := range search.latest[groups[i].partition] {
			if err := p.askPack(ctx, groups[i], search.location, part); err != nil {
				return err
			}
		}
		return nil
	})
}

// packGroups gathers the files whose sidecars would have to be read.
func (p *planner) packGroups(list *fileList, listed []*filePlan) []*packGroup {
	byPartition := map[string]*packGroup{}
	for _, f := range listed {
		partition, total := list.partitionOf(f.position)
		g := byPartition[partition]
		if g == nil {
			g = &packGroup{partition: partition, total: total}
			byPartition[partition] = g
		}
		if f.skipped != "" || f.sidecarName == "" || p.engine.cache.has(sidecarKey(f.sidecarName)) {
			continue
		}
		if asking := slices.DeleteFunc(f.activeLeaves(p.bound.root, nil), func(l *leaf) bool { return !p.packMayHelp(l) }); len(asking) > 0 {
			g.files, g.asking = append(g.files, f), append(g.asking, asking)
		}
	}
	var groups []*packGroup
	for _, g := range byPartition {
		if len(g.files) >= fewestPackFiles {
			groups = append(groups, g)
		}
	}
	slices.SortFunc(groups, func(a, b *packGroup) int { return cmp.Compare(a.partition, b.partition) })
	return groups
}

// askPack asks one pack about the files of a group that it covers, if that is cheaper than to ask their sidecars.
func (p *planner) askPack(ctx context.Context, g *packGroup, location string, part index.PackName) error {
	files := g.total / part.Parts
	if len(g.files)*packSidecarBytes < files*packHeadBytes && !p.engine.cache.has(packKey(part.Name)) {
		return nil
	}
	pack, problem, err := p.engine.openPack(ctx, location, part.Name, files+files/8)
	if err != nil {
		return err
	}
	if problem != "" {
		p.packs.problem(problem)
		return nil
	}
	defer p.engine.cache.remeasure(packKey(part.Name))
	covered, numbers := p.covered(g, pack)
	tokens := packTokens(g, pack, covered)
	if len(tokens) == 0 {
		return nil
	}
	absent, err := pack.Absent(ctx, tokens)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.packs.problem(p.engine.dropPack(location, part.Name, err))
		return nil
	}
	gone := make(map[index.Token]*index.RowSet, len(tokens))
	for i, token := range tokens {
		gone[token] = absent[i]
	}
	skipped := 0
	for i, k := range covered {
		f := g.files[k]
		for _, l := range g.asking[k] {
			if token, dead := l.deadIn(gone, uint32(numbers[i])); dead {
				f.refine(l, exactRows(index.NoRows(f.rows)))
				f.note(l.id, notePackAbsent, token)
			}
		}
		if !f.conclude(stageBloomPack, p.bound.root) {
			skipped++
		}
	}
	p.packs.used(len(covered), skipped)
	return nil
}

// covered returns which files of a group a pack covers, and their numbers in the pack.
func (p *planner) covered(g *packGroup, pack *index.Pack) (covered, numbers []int) {
	table, location := p.location, p.indexLocation
	for k, f := range g.files {
		if f.skipped != "" {
			continue
		}
		file, err := index.PackFileOf(f.data.Path, table, location, f.rows, f.data.Size)
		if err != nil {
			continue
		}
		if number := pack.Find(file); number >= 0 {
			covered, numbers = append(covered, k), append(numbers, number)
		}
	}
	return covered, numbers
}

// packTokens returns the tokens that a pack is to be asked for: of each set of evidence the longest few, which are likely to be the rarest. It returns
// none if asking is no cheaper than to read the sidecars of the files.
func packTokens(g *packGroup, pack *index.Pack, covered []int) []index.Token {
	if len(covered) < fewestPackFiles {
		return nil
	}
	seen := map[*leaf]bool{}
	var leaves []*leaf
	for _, k := range covered {
		for _, l := range g.asking[k] {
			if !seen[l] && pack.Has(l.field.ID) {
				seen[l] = true
				leaves = append(leaves, l)
			}
		}
	}
	for most := mostPackTokens; most > 0; most-- {
		var tokens []index.Token
		for _, l := range leaves {
			for _, set := range l.evidence {
				known := slices.DeleteFunc(tokensOf(l, [][]string{set}, nil), func(t index.Token) bool { return !pack.Knows(t) })
				slices.SortStableFunc(known, func(a, b index.Token) int { return cmp.Compare(len(b.Text), len(a.Text)) })
				tokens = append(tokens, known[:min(most, len(known))]...)
			}
		}
		slices.SortFunc(tokens, func(a, b index.Token) int {
			return cmp.Or(cmp.Compare(a.FieldID, b.FieldID), cmp.Compare(a.Text, b.Text))
		})
		tokens = slices.Compact(tokens)
		requests, bytes := pack.Cost(tokens)
		if requests*2 <= len(covered) && bytes <= int64(len(covered))*packSidecarBytes {
			return tokens
		}
	}
	return nil
}

// deadIn says whether each set of evidence of a leaf has a token that a file of a pack lacks, and gives one of them.
func (l *leaf) deadIn(gone map[index.Token]*index.RowSet, file uint32) (missing string, dead bool) {
	for _, set := range l.evidence {
		i := slices.IndexFunc(set, func(token string) bool {
			absent := gone[index.Token{FieldID: l.field.ID, Text: token}]
			return absent != nil && absent.Contains(file)
		})
		if i < 0 {
			return "", false
		}
		missing = set[i]
	}
	return missing, len(l.evidence) > 0
}
