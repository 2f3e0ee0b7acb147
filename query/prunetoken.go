package query

import (
	"context"
	"slices"

	"github.com/firnlog/firn/index"
)

// pruneByTokens runs the stages that need the file's sidecar. It says whether candidates are left. The only errors are those of the context.
func (p *planner) pruneByTokens(ctx context.Context, f *filePlan) (bool, error) {
	asking := p.tokenLeaves(f)
	if len(asking) == 0 {
		return true, nil
	}
	if f.sidecarName == "" {
		return true, nil
	}
	sidecar, problem, err := p.engine.openSidecar(ctx, f)
	if err != nil {
		return false, err
	}
	if problem == "" {
		defer p.engine.cache.remeasure(sidecarKey(f.sidecarName))
		err = p.askSidecar(ctx, f, sidecar, asking)
		if err == nil {
			return f.skipped == "", nil
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		// What the sidecar said before it failed was checked, and holds.
		problem = p.engine.dropSidecar(f, err)
	}
	f.problem = problem
	for _, l := range asking {
		f.note(l.id, noteProblem, string(problem))
	}
	return f.skipped == "", nil
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

// askSidecar asks the bloom filters for all leaves, and then the bitmaps.
func (p *planner) askSidecar(ctx context.Context, f *filePlan, sidecar *index.Sidecar, asking []*leaf) error {
	alive := make([][][]string, len(asking)) // the sets of evidence that the file may hold
	skip := p.prepareBlooms(ctx, sidecar, asking)
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
		likely = likely || slices.ContainsFunc(sidecar.Options().Columns, func(c index.ColumnSpec) bool { return c.FieldID == l.field.ID && c.Bloom })
	}
	if !f.conclude(stageTokenBloom, p.bound.root) {
		return nil
	}
	p.prepareLookups(ctx, f, sidecar, asking, alive, likely)
	for i, l := range asking {
		if f.known[l.id].decided() {
			continue
		}
		if err := p.askBitmap(ctx, f, sidecar, l, alive[i]); err != nil {
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
func (p *planner) askBitmap(ctx context.Context, f *filePlan, sidecar *index.Sidecar, l *leaf, sets [][]string) error {
	may, must := index.NoRows(f.rows), index.NoRows(f.rows)
	complete, missing := true, ""
	for _, set := range sets {
		rows := index.AllRows(f.rows)
		for _, token := range set {
			posting, err := sidecar.Lookup(ctx, l.field.ID, token)
			if err != nil {
				return err
			}
			switch posting.Kind {
			case index.PostingAbsent:
				rows, missing = index.NoRows(f.rows), token
			case index.PostingExact, index.PostingMay:
				rows = rows.And(posting.Rows)
				if l.exactTokens() { // then each set is one token
					must = must.Or(posting.Must)
				}
				if posting.Kind == index.PostingExact {
					continue
				}
				complete = false
				f.note(l.id, noteDense, token)
				if l.exactTokens() && posting.Counted {
					f.counted[l.id] = int64(posting.Count)
				}
			default:
				complete = false
				f.note(l.id, noteUnindexed, token)
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
