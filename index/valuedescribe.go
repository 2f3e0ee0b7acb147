package index

import (
	"context"
	"fmt"
)

// ValueDescription is what a sidecar holds for one expression. Sizes are bytes.
type ValueDescription struct {
	ValueSpec
	Class      string `json:"class,omitempty"`       // "text", "whole" or "float"; empty if there is neither index
	PointBytes int64  `json:"point_bytes,omitempty"` // of the bloom
	RangeBytes int64  `json:"range_bytes,omitempty"`
	Values     int64  `json:"values,omitempty"`    // distinct values in the bloom
	Intervals  int64  `json:"intervals,omitempty"` // in the range, of all blocks
	Blocks     int    `json:"blocks,omitempty"`
	WithValues int    `json:"blocks_with_values,omitempty"`
}

// describeValues checks and describes the value indexes.
func (s *Sidecar) describeValues(ctx context.Context, d *Description) error {
	for i, spec := range s.head.options.Values {
		v := ValueDescription{ValueSpec: spec, PointBytes: s.head.values[i].points.bytes(), RangeBytes: s.head.values[i].ranges.bytes()}
		if v.PointBytes > 0 {
			p, err := s.points(ctx, i)
			if err != nil {
				return err
			}
			if _, err := p.Check(); err != nil {
				return fmt.Errorf("%w: value index on %s: %w", ErrCorrupt, spec.Expression, err)
			}
			v.Values, v.Blocks, v.WithValues, v.Class = p.Distinct(), p.Blocks(), count(p.Blocks(), p.Some), p.Class().String()
			d.Parts = append(d.Parts, PartDescription{Kind: kindPoints.String(), Column: spec.Expression, FieldID: spec.FieldID, Bytes: v.PointBytes, Pieces: 1})
		}
		if v.RangeBytes > 0 {
			r, err := s.ranges(ctx, i)
			if err != nil {
				return err
			}
			v.Intervals, v.Blocks, v.WithValues, v.Class = r.Intervals(), r.Blocks(), count(r.Blocks(), r.Some), r.Class().String()
			d.Parts = append(d.Parts, PartDescription{Kind: kindRanges.String(), Column: spec.Expression, FieldID: spec.FieldID, Bytes: v.RangeBytes, Pieces: 1})
		}
		d.Values = append(d.Values, v)
	}
	return nil
}

// count returns for how many numbers below n is says yes.
func count(n int, is func(i int) bool) (sum int) {
	for i := range n {
		if is(i) {
			sum++
		}
	}
	return sum
}

// writeText describes an expression for people.
func (v *ValueDescription) writeText(line func(format string, args ...any)) {
	line("\nexpression\t%s\tfield id %d", v.Expression, v.FieldID)
	if v.Class == "" {
		line("\tthe data file's column was not told when the index was built")
		return
	}
	line("values\t%s\t%d of %d blocks have any", v.Class, v.WithValues, v.Blocks)
	if v.PointBytes > 0 {
		line("bloom\t%d distinct values\t%d bytes", v.Values, v.PointBytes)
	}
	if v.RangeBytes > 0 {
		line("range\t%d intervals\t%d bytes", v.Intervals, v.RangeBytes)
	}
}
