package query

import (
	"cmp"
	"math"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/index/analyzer"
)

// position is the place of a row in the order of all rows, oldest first, whatever files a scan looks at. It is sortKey with a file's path for its rank, by
// which ranks are given.
type position struct {
	time    int64 // µs; math.MinInt64: null; 0 in a table without _timestamp
	path    string
	ordinal uint32
}

func (p position) compare(o position) int {
	return cmp.Or(cmp.Compare(p.time, o.time), cmp.Compare(p.path, o.path), cmp.Compare(p.ordinal, o.ordinal))
}

// position returns the place of a row of the chunk.
func (c *chunk) position(row int32) position {
	key := c.key(row)
	return position{time: key.time, path: c.file.data.Path, ordinal: key.ordinal}
}

// beside restricts a request to the rows of a stream that come before a row, or after it.
type beside struct {
	at     position
	after  bool
	stream stream
}

// restrict adds the conditions to those of the bound predicate.
func (b *bound) restrict(to *beside) {
	nodes := []node{b.root}
	for i, place := range to.stream.places {
		nodes = append(nodes, b.add(place.equals(to.stream.values[i])))
	}
	b.root = newAnd(append(nodes, b.side(to))...)
}

// side returns the condition that a row comes before or after a position. Which rows of a file do so among those of the same time is known of each
// file, whatever its statistics say.
func (b *bound) side(to *beside) node {
	place := leaf{kind: leafPlace, place: to.at, after: to.after, source: All{}}
	f, ok := b.schema.Lookup(timestampColumn)
	if !ok || f.Type != format.TypeTimestamp {
		return b.add(place)
	}
	t := to.at.time
	times := func(low, high int64) node {
		return b.add(leaf{kind: leafRange, class: classWhole, field: f, whole: interval{low, high}, source: All{}})
	}
	null := node(constNode(false))
	if !f.Required {
		null = b.add(leaf{kind: leafNull, class: classWhole, field: f, source: All{}})
	}
	same, beyond := times(t, t), node(constNode(false))
	if t == math.MinInt64 {
		same = newOr(null, same)
	}
	switch {
	case to.after && t < math.MaxInt64:
		beyond = times(t+1, math.MaxInt64)
	case !to.after && t > math.MinInt64:
		beyond = newOr(null, times(math.MinInt64, t-1))
	}
	return newOr(beyond, newAnd(same, b.add(place)))
}

// rowsBeside returns the rows of a file that a leafPlace is true for.
func (f *filePlan) rowsBeside(l *leaf) *index.RowSet {
	order := cmp.Compare(f.data.Path, l.place.path)
	switch {
	case order == 0 && l.after:
		return index.RowsInRange(f.rows, min(f.rows, l.place.ordinal+1), f.rows)
	case order == 0:
		return index.RowsInRange(f.rows, 0, min(f.rows, l.place.ordinal))
	case (order > 0) == l.after:
		return index.AllRows(f.rows)
	}
	return index.NoRows(f.rows)
}

// placeLeaf evaluates a leafPlace in the file of its place; in others it is a constant.
func (e *evaluator) placeLeaf(l *leaf, in, out []int32) []int32 {
	for _, row := range in {
		if o := e.batch.Ordinals[row]; o != l.place.ordinal && (o > l.place.ordinal) == l.after {
			out = append(out, row)
		}
	}
	return out
}

// streamPlace is a place of values that tell streams apart: a column, or a key of a map column.
type streamPlace struct {
	field format.Field
	inMap bool
	key   []byte
}

// stream is the values that the rows of one stream have in the places: nil, string or int64.
type stream struct {
	places []streamPlace
	values []any
}

// equals returns the leaf that the place has a value; nil equals nil.
func (p streamPlace) equals(value any) leaf {
	l := leaf{kind: leafIn, field: p.field, inMap: p.inMap, key: p.key, source: All{}}
	l.class = classOf(l)
	switch v := value.(type) {
	case string:
		l.texts = map[string]struct{}{v: {}}
		if tokens := distinct(analyzer.Split(v)); len(tokens) > 0 {
			l.evidence = [][]string{tokens}
		}
	case int64:
		l.wholes = map[int64]struct{}{v: {}}
	default:
		l.kind = leafNull
	}
	return l
}

// valueOf returns the value of a row: nil, string or int64. Of several entries of a map with that key the first with a value counts.
func (p streamPlace) valueOf(c *format.Column, row int32) any {
	switch {
	case p.inMap:
		for i := c.Offsets[row]; i < c.Offsets[row+1]; i++ {
			if string(c.Keys[i]) == string(p.key) && c.Values[i] != nil {
				return string(c.Values[i])
			}
		}
		return nil
	case p.field.Type == format.TypeString:
		if c.Texts[row] == nil {
			return nil
		}
		return string(c.Texts[row])
	case c.Valid != nil && !c.Valid[row]:
		return nil
	case p.field.Type == format.TypeBool:
		if c.Bools[row] {
			return int64(1)
		}
		return int64(0)
	}
	return c.Ints[row]
}
