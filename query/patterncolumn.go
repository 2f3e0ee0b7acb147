package query

import (
	"cmp"
	"context"
	"fmt"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

// patternColumn has the patterns of one file and of each of its rows, from its sidecar, once they are needed. It is safe for concurrent use.
type patternColumn struct {
	file  *patternFile
	index patternIndex

	patterns []index.Pattern

	lock    planLock
	loaded  bool
	numbers []uint32
	err     error
}

// rows reads the patterns, and returns the rows that are in one of them. Trouble with the sidecar means none.
func (c *patternColumn) rows(ctx context.Context) *index.RowSet {
	f := c.file
	defer f.of().scan.planner.engine.cache.remeasure(sidecarKey(f.plan.sidecarName))
	patterns, rest, err := c.index.Patterns(ctx, f.of().field.ID)
	if err == nil && len(patterns) > 0 && rest.Universe() == f.plan.rows {
		c.patterns = patterns
		return rest.Not()
	}
	if err != nil {
		_ = f.drop(ctx, err) // the caller looks at the context
	}
	return index.NoRows(f.plan.rows)
}

// load reads which pattern each row has.
func (c *patternColumn) load(ctx context.Context) error {
	if err := c.lock.lock(ctx); err != nil {
		return err
	}
	defer c.lock.Unlock()
	if c.loaded {
		return c.err
	}
	f := c.file
	defer f.of().scan.planner.engine.cache.remeasure(sidecarKey(f.plan.sidecarName))
	c.numbers, c.err = c.index.PatternOfRows(ctx, f.of().field.ID)
	if c.err == nil && len(c.numbers) != int(f.plan.rows) {
		c.err = fmt.Errorf("%w: patterns of %d rows of %d", index.ErrCorrupt, len(c.numbers), f.plan.rows)
	}
	c.loaded = true
	return c.err
}

// countCertain counts rows that match and whose patterns the sidecar knows; all says that there are no others with these patterns.
func (c *patternColumn) countCertain(ctx context.Context, rows *index.RowSet, all bool) error {
	var list []counted
	var err error
	if all {
		list, err = c.wholePatterns(int64(rows.Cardinality()))
	} else {
		list, err = c.countRows(ctx, rows)
	}
	if err != nil {
		if err := c.file.drop(ctx, err); err != nil {
			return err
		}
		return c.file.countTexts(ctx, rangesOf(rows), false)
	}
	c.file.countIndexed(list, int64(rows.Cardinality()))
	return nil
}

// countIndexed merges rows whose patterns the index knew.
func (f *patternFile) countIndexed(list []counted, rows int64) {
	side := f.of()
	side.rows.Add(rows)
	side.indexed.Add(rows)
	f.run.merge(f, list)
}

// wholePatterns counts all rows of all patterns, which are so many.
func (c *patternColumn) wholePatterns(rows int64) ([]counted, error) {
	list := make([]counted, len(c.patterns))
	for i, p := range c.patterns {
		list[i] = counted{id: p.ID, rows: int64(p.Rows), first: uint32(i), last: wholePattern}
		rows -= int64(p.Rows)
	}
	if rows != 0 {
		return nil, fmt.Errorf("%w: the rows of all patterns are %d too few", index.ErrCorrupt, rows)
	}
	return list, nil
}

// countRows counts rows by pattern.
func (c *patternColumn) countRows(ctx context.Context, rows *index.RowSet) ([]counted, error) {
	if err := c.load(ctx); err != nil {
		return nil, err
	}
	list := make([]counted, len(c.patterns))
	for start, end := range rows.Ranges() {
		for row := start; row < end; row++ {
			if err := c.add(list, row); err != nil {
				return nil, err
			}
		}
	}
	return c.named(list), nil
}

// add counts a row. Rows ascend.
func (c *patternColumn) add(list []counted, row uint32) error {
	number := c.numbers[row]
	if number >= uint32(len(list)) {
		return fmt.Errorf("%w: row %d has pattern %d of %d", index.ErrCorrupt, row, number, len(list))
	}
	n := &list[number]
	if n.rows == 0 {
		n.first = row
	}
	n.rows++
	n.last = row
	return nil
}

// named returns what was counted of patterns that were met, with their ids.
func (c *patternColumn) named(list []counted) []counted {
	met := list[:0]
	for i := range list {
		if list[i].rows > 0 {
			list[i].id = c.patterns[i].ID
			met = append(met, list[i])
		}
	}
	return met
}

// countOpen reads the predicate's columns of rows whose patterns the sidecar knows, and counts those that match.
func (c *patternColumn) countOpen(ctx context.Context, rows []format.RowRange) error {
	f := c.file
	problem := c.load(ctx)
	if problem == nil {
		list, matched := make([]counted, len(c.patterns)), int64(0)
		err := f.read(ctx, rows, nil, true, func(b *format.Batch, hits []int32) {
			matched += int64(len(hits))
			for _, row := range hits {
				problem = cmp.Or(c.add(list, b.Ordinals[row]), problem)
			}
		})
		if err != nil {
			return err
		}
		if problem == nil {
			f.countIndexed(c.named(list), matched)
			return nil
		}
	}
	if err := f.drop(ctx, problem); err != nil {
		return err
	}
	return f.countTexts(ctx, rows, true)
}
