package query

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// PatternChange says what became of a pattern.
type PatternChange string

// The kinds of change, in the order in which they are handed out.
const (
	PatternNew    PatternChange = "new"    // no row before
	PatternGrown  PatternChange = "grown"  // a larger part of the rows than before
	PatternGone   PatternChange = "gone"   // no row after
	PatternShrunk PatternChange = "shrunk" // a smaller part of the rows than before
)

// Thresholds of PatternGrown and PatternShrunk.
const (
	// ChangedRatio is the least ratio of the rates that counts as a change.
	ChangedRatio = 2.0
	// ChangedScore is the least score that does: chance makes a larger one of one pattern in a thousand that did not change (the chi-squared
	// distribution with one degree of freedom).
	ChangedScore = 10.83
)

// PatternDelta is a pattern that changed.
type PatternDelta struct {
	Change PatternChange `json:"change"`
	Before int64         `json:"before"` // rows
	After  int64         `json:"after"`
	// Ratio is the pattern's part of all rows after, divided by its part before; 0 if it is new (it has none) or gone.
	Ratio float64 `json:"ratio,omitempty"`
	Score float64 `json:"score"` // PatternScore
	// Pattern is the pattern in the rows after, or, of one that is gone or shrunk, in the rows before. Count is the number of these rows.
	Pattern
}

// PatternComparison is the answer of ComparePatterns.
type PatternComparison struct {
	// Deltas are the patterns that changed: the new ones, then those that have grown, are gone, have shrunk; of each kind the highest score first.
	Deltas    []PatternDelta
	Changed   map[PatternChange]int // number of patterns by kind, with those that are not handed out
	Unchanged int                   // patterns that are in both and did not change by the thresholds
	Before    PatternSummary        // without Hidden
	After     PatternSummary
}

// PatternScore is the log-likelihood ratio G² of the two by two table of rows that have a pattern or not, before and after (Dunning, Accurate
// Methods for the Statistics of Surprise and Coincidence, 1993): 2 Σ observed ln(observed / expected). It is 0 if the pattern has the same
// part of both, and grows with the difference and with the number of rows. before of beforeAll, and after of afterAll rows have the pattern.
func PatternScore(before, beforeAll, after, afterAll int64) float64 {
	all, have := float64(beforeAll+afterAll), float64(before+after)
	sum := 0.0
	for _, side := range [][2]int64{{before, beforeAll}, {after, afterAll}} {
		for _, cell := range [][2]float64{{float64(side[0]), have}, {float64(side[1] - side[0]), all - have}} {
			if cell[0] > 0 {
				sum += cell[0] * math.Log(cell[0]/(cell[1]*float64(side[1])/all))
			}
		}
	}
	return max(0, 2*sum)
}

// ComparePatterns counts the rows of two scans by pattern, and tells which patterns are new, gone, or have grown or shrunk. The scans may
// differ in their time, in their predicate (the version of a program, say), or be of two tables. It is as complete as Scan.Patterns, and reads
// in the same way. What it counts each for itself, it counts in both scans: MaxPatterns bounds the patterns of both together.
//
// A pattern's rate is its part of all rows with a text. It is new or gone if it has no row before or after. It has grown or shrunk if the
// rates differ by ChangedRatio at least, and the score is at least ChangedScore. MinCount is about the larger of both counts.
//
// Errors are those of Scan.Patterns.
func ComparePatterns(ctx context.Context, before, after *Scan, o PatternOptions) (*PatternComparison, error) {
	run, err := newPatternRun(o, before, after)
	if err != nil {
		return nil, err
	}
	defer run.finish()
	if err := run.count(ctx); err != nil {
		return nil, err
	}
	c := &PatternComparison{Changed: map[PatternChange]int{}, Before: run.summary(0), After: run.summary(1)}
	kinds, groups := map[PatternChange][]PatternDelta{}, map[PatternID]*patternGroup{}
	for id, g := range run.groups {
		d := PatternDelta{Before: g.counts[0], After: g.counts[1], Pattern: Pattern{ID: PatternID(id)}}
		if max(d.Before, d.After) < run.options.MinCount {
			continue
		}
		if d.judge(c.Before.Rows-c.Before.NoText, c.After.Rows-c.After.NoText); d.Change == "" {
			c.Unchanged++
			continue
		}
		kinds[d.Change] = append(kinds[d.Change], d)
		groups[d.ID] = g
	}
	for _, kind := range []PatternChange{PatternNew, PatternGrown, PatternGone, PatternShrunk} {
		list := kinds[kind]
		c.Changed[kind] = len(list)
		slices.SortFunc(list, func(a, b PatternDelta) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID)) })
		if n := run.options.Limit; n > 0 && len(list) > n {
			list = list[:n]
		}
		c.Deltas = append(c.Deltas, list...)
	}
	picks := make([]patternPick, len(c.Deltas))
	for i := range c.Deltas {
		d := &c.Deltas[i]
		picks[i] = patternPick{id: uint64(d.ID), side: 1, group: groups[d.ID], out: &d.Pattern}
		if d.Change == PatternGone || d.Change == PatternShrunk {
			picks[i].side = 0
		}
		d.Count = picks[i].group.counts[picks[i].side]
	}
	return c, run.describe(ctx, picks)
}

// judge fills in Change, Ratio and Score from the counts.
func (d *PatternDelta) judge(beforeAll, afterAll int64) {
	d.Score = PatternScore(d.Before, beforeAll, d.After, afterAll)
	switch {
	case d.Before == 0:
		d.Change = PatternNew
		return
	case d.After == 0:
		d.Change = PatternGone
		return
	}
	d.Ratio = float64(d.After) / float64(afterAll) / (float64(d.Before) / float64(beforeAll))
	switch {
	case d.Score < ChangedScore:
	case d.Ratio >= ChangedRatio:
		d.Change = PatternGrown
	case d.Ratio <= 1/ChangedRatio:
		d.Change = PatternShrunk
	}
}
