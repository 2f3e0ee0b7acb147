package query

import (
	"context"
	"math"
	"slices"

	"github.com/firnlog/firn/format"
)

// timeAt returns a timestamp; a null counts as older than everything.
func timeAt(c *format.Column, row int32) int64 {
	if c.Valid != nil && !c.Valid[row] {
		return math.MinInt64
	}
	return c.Ints[row]
}

// emit reads the columns of the best rows, some rows at a time, and hands them out in order.
func (s *sorter) emit(ctx context.Context, emit func(b *format.Batch, row int32) bool) error {
	for list := s.best; len(list) > 0; {
		if err := limiterOf(ctx).err(); err != nil {
			return err
		}
		n := min(len(list), batchRows)
		batches, rows, err := s.fetch(ctx, list[:n])
		if err != nil {
			return err
		}
		for _, r := range list[:n] {
			if err := ctx.Err(); err != nil {
				return err
			}
			row, _ := slices.BinarySearch(rows[r.position], r.place.ordinal)
			s.reading.matched.Add(1)
			if !emit(batches[r.position], int32(row)) {
				return nil
			}
		}
		list = list[n:]
	}
	return nil
}

// fetch reads all columns of rows, file by file. It returns batches and the numbers of their rows, by position of the file.
func (s *sorter) fetch(ctx context.Context, list []*rankedRow) (map[int]*format.Batch, map[int][]uint32, error) {
	rows := map[int][]uint32{}
	var positions []int
	for _, r := range list {
		if rows[r.position] == nil {
			positions = append(positions, r.position)
		}
		rows[r.position] = append(rows[r.position], r.place.ordinal)
	}
	made := make([]*format.Batch, len(positions))
	err := s.reading.scan.planner.parallel(ctx, len(positions), func(ctx context.Context, i int) error {
		position := positions[i]
		slices.Sort(rows[position])
		g, err := s.reading.fetch(ctx, s.views[position], position, s.columns.from, rows[position])
		if err == nil {
			b := g.batch()
			b.Rows = len(rows[position])
			made[i] = s.columns.project(b)
		}
		return err
	})
	batches := map[int]*format.Batch{}
	for i, position := range positions {
		batches[position] = made[i]
	}
	return batches, rows, err
}
