package query

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/firnlog/firn/index"
)

// pruneByTokens asks the file's sidecar about f.asking. It says whether candidates are left. The only errors are those of the context.
func (p *planner) pruneByTokens(ctx context.Context, f *filePlan, ask *spending, cost scanCost) (bool, error) {
	asked, err := p.withSidecar(ctx, f, f.asking, func(sidecar *index.Sidecar) error { return p.askSidecar(ctx, f, sidecar, ask, cost) })
	if err != nil {
		return false, err
	}
	if !asked {
		for _, l := range f.asking {
			f.choices[l.id] = choice{}
		}
	}
	return f.skipped == "", nil
}

// withSidecar asks the file's sidecar about leaves, and notes if that cannot be done. What the sidecar said before it failed was checked, and holds. The only
// errors are those of the context.
func (p *planner) withSidecar(ctx context.Context, f *filePlan, about []*leaf, ask func(*index.Sidecar) error) (asked bool, err error) {
	sidecar, problem, err := p.engine.openSidecar(ctx, f)
	if err != nil {
		return false, err
	}
	for again := true; problem == ""; again = false {
		err = ask(sidecar)
		p.engine.cache.remeasure(sidecarKey(f.sidecarName))
		if err == nil {
			return true, nil
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if again && errors.Is(err, index.ErrCorrupt) && p.engine.store.invalidate(f.sidecarName) {
			p.engine.cache.remove(sidecarKey(f.sidecarName)) // its bytes may be wrong in the disk cache only
			if sidecar, problem, err = p.engine.openSidecar(ctx, f); err != nil {
				return false, err
			}
			continue
		}
		problem = p.engine.dropSidecar(f, err)
	}
	f.problem = problem
	for _, l := range about {
		f.note(l.id, noteProblem, string(problem))
	}
	return false, nil
}

// tokenLeaves returns the open leaves that a token index may help with, and notes why it cannot help with the others.
func (p *planner) tokenLeaves(f *filePlan) (asking []*leaf) {
	for _, l := range f.activeLeaves(p.bound.root, nil) {
		if l.class != classText && l.class != classNumber || l.kind == leafRange || l.kind == leafNull || l.kind == leafPattern || !l.path.IsZero() {
			continue // no matter of tokens
		}
		switch {
		case p.request.NoIndex:
			f.note(l.id, noteNoIndex, "")
		case l.inMap:
			f.note(l.id, noteMapKey, "")
		case !p.indexed[l.field.ID]:
			if l.kind != leafIn || !p.blooms[l.field.ID] {
				f.note(l.id, noteNoColumn, "")
			}
		case l.evidence == nil:
			f.note(l.id, noteNoEvidence, "")
		case len(l.evidence) > maxLookups:
			f.note(l.id, noteTooMany, "")
		default:
			asking = append(asking, l)
		}
	}
	return asking
}

// askSidecar asks the bloom filters for all leaves, and then the bitmaps, as far as that is affordable.
func (p *planner) askSidecar(ctx context.Context, f *filePlan, sidecar *index.Sidecar, ask *spending, cost scanCost) error {
	asking := f.asking
	alive := make([][][]string, len(asking)) // the sets of evidence that the file may hold
	skip := p.prepareBlooms(ctx, sidecar, asking, ask)
	likely := false
	for i, l := range asking {
		if skip[i] {
			alive[i] = l.evidence
			continue
		}
		var err error
		if alive[i], err = p.askBloom(ctx, f, sidecar, l); err != nil {
			return err
		}
		likely = likely || hasBloom(sidecar, l)
	}
	if !f.conclude(stageTokenBloom, p.bound.root) {
		return nil
	}
	p.prepareLookups(ctx, f, sidecar, asking, alive, likely)
	for i, l := range asking {
		if f.known[l.id].decided() {
			continue
		}
		if err := p.askBitmap(ctx, f, sidecar, l, alive[i], ask, cost); err != nil {
			return err
		}
		if !f.conclude(stageTokenBitmap, p.bound.root) {
			return nil
		}
	}
	return nil
}

// askBloom returns the sets of evidence of which no token is known to be absent.
func (p *planner) askBloom(ctx context.Context, f *filePlan, sidecar *index.Sidecar, l *leaf) ([][]string, error) {
	var alive [][]string
	missing := ""
sets:
	for _, set := range l.evidence {
		for _, token := range set {
			answer, err := sidecar.Bloom(ctx, l.field.ID, token)
			if err != nil {
				return nil, err
			}
			if answer == index.Absent {
				missing = token
				continue sets
			}
		}
		alive = append(alive, set)
	}
	if len(alive) == 0 {
		f.refine(l, exactRows(index.NoRows(f.rows)))
		f.note(l.id, noteBloomAbsent, missing)
	}
	return alive, nil
}

// askBitmap looks up the posting lists of the sets of evidence.
func (p *planner) askBitmap(ctx context.Context, f *filePlan, sidecar *index.Sidecar, l *leaf, sets [][]string, ask *spending, cost scanCost) error {
	may, must := index.NoRows(f.rows), index.NoRows(f.rows)
	complete, missing := true, ""
	for _, set := range sets {
		rows := index.AllRows(f.rows)
		for _, token := range byRarity(set) {
			if !p.worth(f, sidecar, l, token, rows, ask, cost) {
				complete = false
				continue
			}
			posting, err := p.lookup(ctx, f, sidecar, l.field.ID, token)
			if err != nil {
				return err
			}
			switch {
			case posting.Kind == index.PostingUnindexed:
				complete = false
				f.note(l.id, noteUnindexed, token)
				continue
			case posting.Kind == index.PostingAbsent:
				rows, missing = index.NoRows(f.rows), token
			default:
				rows = rows.And(posting.Rows)
				if l.exactTokens() { // then each set is one token
					must = must.Or(posting.Must)
				}
				if posting.Kind != index.PostingExact {
					complete = false
					f.note(l.id, noteDense, token)
				}
			}
			if l.exactTokens() && len(l.evidence) == 1 && posting.Counted {
				f.counted[l.id] = int64(posting.Count)
			}
			if rows.IsEmpty() {
				break
			}
		}
		may = may.Or(rows)
	}
	b := bounds{must: must, may: may}
	switch {
	case may.IsEmpty():
		f.note(l.id, noteBitmapAbsent, missing)
	case complete && l.exactTokens():
		b.must = may
		f.note(l.id, noteBitmapExact, "")
	case !may.IsAll():
		f.note(l.id, noteBitmapNarrow, "")
	}
	f.refine(l, b)
	return nil
}

// rememberedRows is how many rows a file must have for the rows of its tokens to be kept: to find those of fewer takes microseconds.
const rememberedRows = 1 << 15

// rowsOfToken is what the cache holds for a token of a file.
type rowsOfToken struct{ index.Posting }

func (r rowsOfToken) SizeInMemory() int64 {
	const fixed = 300
	switch {
	case r.Kind == index.PostingUnindexed: // has no rows
		return fixed
	case r.Must == r.Rows:
		return fixed + r.Rows.SizeInMemory()
	}
	return fixed + r.Rows.SizeInMemory() + r.Must.SizeInMemory()
}

// lookup asks a sidecar for the rows of a token, or takes them from the cache: people ask for the same words again and again, with others beside them.
func (p *planner) lookup(ctx context.Context, f *filePlan, sidecar *index.Sidecar, field int, token string) (index.Posting, error) {
	if f.rows < rememberedRows {
		return sidecar.Lookup(ctx, field, token)
	}
	v, err := p.engine.cache.get(ctx, rowsKey(f.sidecarName, field, token), &hitCounter{}, nil, func() (sized, error) {
		posting, err := sidecar.Lookup(ctx, field, token)
		return rowsOfToken{posting}, err
	})
	if err != nil {
		return index.Posting{}, err
	}
	return v.(rowsOfToken).Posting, nil
}

// worth says whether looking a token up costs less than what it can save: the pages of the candidates that are left.
func (p *planner) worth(f *filePlan, sidecar *index.Sidecar, l *leaf, token string, rows *index.RowSet, ask *spending, cost scanCost) bool {
	bytes := float64(sidecar.LookupBytes(l.field.ID, token))
	if bytes == 0 || p.request.ForceIndex || p.engine.cache.has(rowsKey(f.sidecarName, l.field.ID, token)) {
		return true
	}
	left := p.remaining(f, cost, f.counting)
	if !rows.IsAll() {
		left = min(left, cost.footer+p.remainingOf(bounds{index.NoRows(f.rows), rows.And(f.bounds.may)}, cost, f.counting))
	}
	switch {
	case bytes > left:
		f.choices[l.id] = choice{choiceFew, int64(left), int64(bytes)}
		return false
	case !ask.afford(bytes):
		f.choices[l.id] = choice{choiceUnproven, int64(left), int64(bytes)}
		f.asked = false // it may be worth it later
		return false
	}
	return true
}

// byRarity returns tokens in the order in which they are looked up: long ones and those with digits are mostly in fewer rows.
func byRarity(set []string) []string {
	sorted := slices.Clone(set)
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(rareness(b), rareness(a)) })
	return sorted
}

func rareness(token string) int {
	const digits = 8 // like so many letters more
	if strings.ContainsAny(token, "0123456789") {
		return len(token) + digits
	}
	return len(token)
}
