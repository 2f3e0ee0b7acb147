package index

import (
	"fmt"

	"github.com/apache/iceberg-go/puffin"

	"github.com/firnlog/firn/index/expression"
	"github.com/firnlog/firn/index/valueindex"
)

// The blobs of value indexes. Their payloads are those of package valueindex; index/VALUES.md describes them.
const (
	kindPoints blobKind = 16
	kindRanges blobKind = 17
)

// ValueSpec says which value indexes an expression gets.
type ValueSpec struct {
	Expression string `json:"expression"`      // in its canonical spelling; the name of its column is the one at the time of building, for people
	FieldID    int    `json:"field_id"`        // Iceberg field id of the column: what look-ups go by
	Bloom      bool   `json:"bloom,omitempty"` // which blocks of rows may hold a whole value (valueindex.Points)
	Range      bool   `json:"range,omitempty"` // which blocks of rows may hold a number within bounds (valueindex.Ranges)
}

// valuesHead says where the value indexes of one expression lie. A place of length 0 says that there is none.
type valuesHead struct {
	expression expression.Expression
	points     place
	ranges     place
}

// largestValueBlock bounds Options.ValueBlockRows.
const largestValueBlock = 1 << 20

// checkValues checks the specs, brings expressions to their canonical spelling, and fills in the rows of a block.
func checkValues(specs []ValueSpec, blockRows int) ([]ValueSpec, int, error) {
	if blockRows < 0 || blockRows > largestValueBlock {
		return nil, 0, fmt.Errorf("%w: blocks of value indexes have %d rows; give 1 to %d", ErrInvalidOptions, blockRows, largestValueBlock)
	}
	if blockRows == 0 && len(specs) > 0 {
		blockRows = valueindex.BlockRows
	}
	var checked []ValueSpec
	seen := map[string]bool{}
	for _, spec := range specs {
		e, err := expression.Parse(spec.Expression)
		if err != nil {
			return nil, 0, fmt.Errorf("%w: %w", ErrInvalidOptions, err)
		}
		spec.Expression = e.String()
		e.Column = ""
		key := fmt.Sprintf("%d %d %s %s", spec.FieldID, e.Function, e.Path, e.Key)
		switch {
		case spec.FieldID <= 0 || int64(spec.FieldID) > 1<<31-1 || seen[key]:
			return nil, 0, fmt.Errorf("%w: the expression %s of field id %d is there twice, or the id is not positive", ErrInvalidOptions, spec.Expression, spec.FieldID)
		case !spec.Bloom && !spec.Range:
			return nil, 0, fmt.Errorf("%w: the expression %s gets neither %s nor %s; leave it out", ErrInvalidOptions, spec.Expression, KindBloom, KindRange)
		}
		seen[key] = true
		checked = append(checked, spec)
	}
	return checked, blockRows, nil
}

// valueBuilder collects the values of one expression.
type valueBuilder struct {
	spec       ValueSpec
	expression expression.Expression
	collector  *valueindex.Collector
	scratch    expression.Scratch
}

func newValueBuilders(o Options) (list []*valueBuilder, err error) {
	for _, spec := range o.Values {
		v := &valueBuilder{spec: spec, collector: valueindex.NewCollector(valueindex.Options{Points: spec.Bloom, Ranges: spec.Range, BlockRows: uint32(o.ValueBlockRows)})}
		if v.expression, err = expression.Parse(spec.Expression); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalidOptions, err)
		}
		list = append(list, v)
	}
	return list, nil
}

// ObserveValues tells the values of a column in some rows, of which first is the number of the first one. All rows of a column must be told, in
// order. Columns without a value index are ignored; of a column that is never told, nothing is known. Nothing is kept of what is told. What goes
// wrong is told by Finish.
func (b *Builder) ObserveValues(fieldID int, first uint32, v expression.Values) {
	for _, value := range b.values {
		if value.spec.FieldID != fieldID || v.Rows == 0 {
			continue
		}
		if next := value.collector.Rows(); first != next {
			if b.err == nil {
				b.err = fmt.Errorf("%w: row %d of %s came where row %d should be", ErrRowOrder, first, value.spec.Expression, next)
			}
			return
		}
		if first == 0 {
			value.collector.Reset(classOf(v))
		}
		value.expression.Eval(v, value.collector, &value.scratch)
	}
}

// classOf returns the class of a column's values.
func classOf(v expression.Values) valueindex.Class {
	switch {
	case v.Ints != nil, v.Bools != nil:
		return valueindex.Whole
	case v.Floats != nil:
		return valueindex.Float
	}
	return valueindex.Text
}

func (b *Builder) valuesMemory() (size int64) {
	for _, v := range b.values {
		size += v.collector.MemoryBytes()
	}
	return size
}

func (b *Builder) resetValues() {
	for _, v := range b.values {
		v.collector.Reset(valueindex.NoClass)
	}
}

// finishValues writes the value indexes.
func (b *Builder) finishValues(file *puffin.Writer, h *head) error {
	h.values = make([]valuesHead, len(b.values))
	for i, v := range b.values {
		h.values[i].expression = v.expression
		if v.collector.Rows() == 0 {
			continue
		}
		if rows := v.collector.Rows(); rows != h.identity.Rows {
			return fmt.Errorf("%w: %s was told %d rows, data file %q has %d", ErrRowOrder, v.spec.Expression, rows, h.identity.DataFile, h.identity.Rows)
		}
		if err := v.collector.End(); err != nil {
			return fmt.Errorf("value index on %s: %w", v.spec.Expression, err)
		}
		if err := v.finish(file, &h.values[i], b.options.FalsePositiveRate); err != nil {
			return fmt.Errorf("value index on %s: %w", v.spec.Expression, err)
		}
	}
	return nil
}

func (v *valueBuilder) finish(file *puffin.Writer, h *valuesHead, rate float64) (err error) {
	if v.spec.Bloom {
		if h.points, err = addBlob(file, kindPoints, v.spec.FieldID, v.collector.AppendPoints(make([]byte, headerBytes), rate)); err != nil {
			return err
		}
	}
	if v.spec.Range {
		h.ranges, err = addBlob(file, kindRanges, v.spec.FieldID, v.collector.AppendRanges(make([]byte, headerBytes)))
	}
	return err
}

// appendValues and readValues write and read what the head says about value indexes: behind the columns, for each of Options.Values, the places
// of its blobs, as far as the options ask for them.
func (h *head) appendValues(b []byte) []byte {
	for i, spec := range h.options.Values {
		if spec.Bloom {
			b = appendPlace(b, h.values[i].points)
		}
		if spec.Range {
			b = appendPlace(b, h.values[i].ranges)
		}
	}
	return b
}

func (h *head) readValues(r *reader, end int64) {
	h.values = make([]valuesHead, len(h.options.Values))
	for i, spec := range h.options.Values {
		h.values[i].expression, _ = expression.Parse(spec.Expression) // it was checked with the options
		if spec.Bloom {
			h.values[i].points = readPlace(r, end)
		}
		if spec.Range {
			h.values[i].ranges = readPlace(r, end)
		}
	}
}
