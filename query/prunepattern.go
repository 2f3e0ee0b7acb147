package query

import (
	"context"

	"github.com/firnlog/firn/index"
)

// askPatterns asks the file's sidecar which rows have the patterns that the predicate names. It says whether candidates are left. The only errors are
// those of the context. The caller holds f.mu.
func (p *planner) askPatterns(ctx context.Context, f *filePlan) (bool, error) {
	asking := p.patternLeaves(f)
	if len(asking) == 0 || f.sidecarName == "" || f.bounds.may.Cardinality() <= fewPatternRows {
		return true, nil
	}
	_, err := p.withSidecar(ctx, f, asking, func(sidecar *index.Sidecar) error {
		return p.lookUpPatterns(ctx, f, p.engine.patternsOf(sidecar), asking)
	})
	if err != nil {
		return false, err
	}
	return f.conclude(stageTokenBitmap, p.bound.root), nil
}

// patternLeaves returns the open leaves that name a pattern, and notes why no index can help with some.
func (p *planner) patternLeaves(f *filePlan) (asking []*leaf) {
	for _, l := range f.activeLeaves(p.bound.root, nil) {
		switch {
		case l.kind != leafPattern:
		case p.request.NoIndex:
			f.note(l.id, noteNoIndex, "")
		case !p.indexed[l.field.ID]:
			f.note(l.id, noteNoColumn, "")
		default:
			asking = append(asking, l)
		}
	}
	return asking
}

// lookUpPatterns finds out which rows have the patterns. Rows that are in no pattern of the sidecar may have any.
func (p *planner) lookUpPatterns(ctx context.Context, f *filePlan, sidecar patternIndex, asking []*leaf) error {
	for _, l := range asking {
		patterns, rest, err := sidecar.Patterns(ctx, l.field.ID)
		if err != nil {
			return err
		}
		rows := index.NoRows(f.rows)
		for i := range patterns {
			if patterns[i].ID != l.pattern {
				continue
			}
			some, err := sidecar.PatternRows(ctx, l.field.ID, i)
			if err != nil {
				return err
			}
			rows = rows.Or(some)
		}
		b := bounds{must: rows, may: rows.Or(rest)}
		switch {
		case b.decided():
			f.note(l.id, noteBitmapExact, "")
		case !b.may.IsAll():
			f.note(l.id, noteBitmapNarrow, "")
		}
		f.refine(l, b)
	}
	return nil
}
