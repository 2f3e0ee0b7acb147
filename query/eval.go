package query

import (
	"bytes"
	"slices"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/index/expression"
)

// evaluator computes the truth of nodes over batches. It keeps buffers, and belongs to one goroutine.
type evaluator struct {
	batch   *format.Batch
	columns map[int]*format.Column // of batch, by field id
	scanner analyzer.Scanner
	signer  analyzer.Signer
	json    expression.Scratch
	arena   []int32
}

// filter returns the rows of the batch for which the node is true, ascending. The result is valid until the next call.
func (e *evaluator) filter(n node, b *format.Batch) []int32 {
	e.batch, e.arena = b, e.arena[:0]
	if e.columns == nil {
		e.columns = map[int]*format.Column{}
	}
	clear(e.columns)
	for i := range b.Columns {
		e.columns[b.Columns[i].Field.ID] = &b.Columns[i]
	}
	all := e.take(b.Rows)
	for i := range b.Rows {
		all = append(all, int32(i))
	}
	return e.eval(n, all)
}

// take returns an empty slice with room for n rows.
func (e *evaluator) take(n int) []int32 {
	if cap(e.arena)-len(e.arena) < n {
		e.arena = make([]int32, 0, max(n, 2*cap(e.arena), 4096))
	}
	start := len(e.arena)
	e.arena = e.arena[:start+n]
	return e.arena[start : start : start+n]
}

// eval returns those of the rows in for which the node is true. It leaves in as it is and may return it.
func (e *evaluator) eval(n node, in []int32) []int32 {
	if len(in) == 0 {
		return in
	}
	switch n := n.(type) {
	case constNode:
		if n {
			return in
		}
		return in[:0]
	case andNode:
		for _, x := range n {
			in = e.eval(x, in)
		}
		return in
	case orNode:
		rest := in
		var found []int32
		for _, x := range n {
			hits := e.eval(x, rest)
			rest = e.minus(rest, hits)
			found = e.merge(found, hits)
		}
		return found
	case notNode:
		return e.minus(in, e.eval(n.x, in))
	case *leaf:
		return e.leaf(n, in)
	}
	return in[:0]
}

// minus returns the rows of a that are not in b; b is a part of a.
func (e *evaluator) minus(a, b []int32) []int32 {
	if len(b) == 0 {
		return a
	}
	out := e.take(len(a) - len(b))
	for _, row := range a {
		if len(b) > 0 && b[0] == row {
			b = b[1:]
			continue
		}
		out = append(out, row)
	}
	return out
}

// merge joins two disjoint ascending lists.
func (e *evaluator) merge(a, b []int32) []int32 {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	out := e.take(len(a) + len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

func (e *evaluator) leaf(l *leaf, in []int32) []int32 {
	if l.kind == leafPlace {
		return e.placeLeaf(l, in, e.take(len(in)))
	}
	c, ok := e.columns[l.field.ID]
	if !ok {
		return in[:0] // cannot be: the caller reads all fields of the node
	}
	out := e.take(len(in))
	if !l.path.IsZero() {
		return e.pathLeaf(l, c.Texts, in, out)
	}
	if l.inMap {
		return e.mapLeaf(l, &c.Entries, in, out)
	}
	switch c.Field.Type {
	case format.TypeString:
		return e.textLeaf(l, c.Texts, in, out)
	case format.TypeFloat32, format.TypeFloat64:
		for _, row := range in {
			null := c.Valid != nil && !c.Valid[row]
			if l.kind == leafNull && null || l.kind != leafNull && !null && l.floatTrue(c.Floats[row]) {
				out = append(out, row)
			}
		}
	case format.TypeBool:
		for _, row := range in {
			n := int64(0)
			if c.Bools[row] {
				n = 1
			}
			if l.wholeTrue(n, c.Valid != nil && !c.Valid[row]) {
				out = append(out, row)
			}
		}
	default:
		for _, row := range in {
			if l.wholeTrue(c.Ints[row], c.Valid != nil && !c.Valid[row]) {
				out = append(out, row)
			}
		}
	}
	return out
}

func (l *leaf) wholeTrue(n int64, null bool) bool {
	switch {
	case l.kind == leafNull:
		return null
	case null:
		return false
	case l.kind == leafRange:
		return n >= l.whole.low && n <= l.whole.high
	default:
		_, ok := l.wholes[n]
		return ok
	}
}

func (l *leaf) floatTrue(f float64) bool {
	if l.kind == leafRange {
		return l.float.contains(f)
	}
	return slices.Contains(l.floats, f)
}

// textLeaf evaluates a leaf over the texts of a column. The kinds that search long texts have loops of their own.
func (e *evaluator) textLeaf(l *leaf, texts [][]byte, in, out []int32) []int32 {
	switch l.kind {
	case leafNull:
		for _, row := range in {
			if texts[row] == nil {
				out = append(out, row)
			}
		}
	case leafTokens:
		for _, row := range in {
			if t := texts[row]; t != nil && l.tokens.match(t, &e.scanner) {
				out = append(out, row)
			}
		}
	case leafPattern:
		for _, row := range in {
			if t := texts[row]; t != nil && e.signer.Signature(t) == l.pattern {
				out = append(out, row)
			}
		}
	case leafContains:
		for _, row := range in {
			if t := texts[row]; t != nil && bytes.Contains(t, l.needle) {
				out = append(out, row)
			}
		}
	default:
		for _, row := range in {
			if t := texts[row]; t != nil && l.textTrue(t, &e.scanner) {
				out = append(out, row)
			}
		}
	}
	return out
}

// textTrue evaluates a leaf for one text that is not null.
func (l *leaf) textTrue(t []byte, s *analyzer.Scanner) bool {
	switch l.kind {
	case leafIn:
		_, ok := l.texts[string(t)]
		return ok
	case leafRange:
		if l.class == classNumber {
			f, ok := expression.Number(t)
			return ok && l.float.contains(f)
		}
		return l.text.contains(t)
	case leafPrefix:
		return bytes.HasPrefix(t, l.needle)
	case leafContains:
		return bytes.Contains(t, l.needle)
	case leafTokens:
		return l.tokens.match(t, s)
	case leafTokenPrefix:
		return l.prefix.match(t, s)
	case leafRegexp:
		return l.regexp.match(t)
	}
	return false
}

// mapLeaf evaluates a leaf over the entries of one key.
func (e *evaluator) mapLeaf(l *leaf, m *format.Entries, in, out []int32) []int32 {
	for _, row := range in {
		value := mapValue(m, l.key, int(row))
		if l.kind == leafNull && value == nil || l.kind != leafNull && value != nil && l.textTrue(value, &e.scanner) {
			out = append(out, row)
		}
	}
	return out
}

// mapValue returns the value of a key in a row of a map column; nil if there is none.
func mapValue(m *format.Entries, key []byte, row int) []byte {
	for i := m.Offsets[row]; i < m.Offsets[row+1]; i++ {
		if bytes.Equal(m.Keys[i], key) {
			return m.Values[i]
		}
	}
	return nil
}
