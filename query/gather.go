package query

import "github.com/firnlog/firn/format"

// gatherer copies rows out of batches, whose memory lives for one iteration only, into columns that own theirs.
type gatherer struct {
	columns []format.Column
	rows    int
	block   []byte // room for bytes; a full block is left to its slices and a new one taken
}

func newGatherer(fields []format.Field) *gatherer {
	g := &gatherer{columns: make([]format.Column, len(fields))}
	for i, f := range fields {
		g.columns[i].Field = f
		if f.Type == format.TypeStringMap {
			g.columns[i].Offsets = []int32{0}
		}
	}
	return g
}

// add appends rows of a batch that has the gatherer's fields at these places.
func (g *gatherer) add(b *format.Batch, places []int, rows []int32) {
	for i := range g.columns {
		g.addColumn(&g.columns[i], &b.Columns[places[i]], rows)
	}
	g.rows += len(rows)
}

func (g *gatherer) addColumn(to, from *format.Column, rows []int32) {
	switch to.Field.Type {
	case format.TypeString:
		for _, row := range rows {
			to.Texts = append(to.Texts, g.copy(from.Texts[row]))
		}
		return
	case format.TypeStringMap:
		for _, row := range rows {
			for i := from.Offsets[row]; i < from.Offsets[row+1]; i++ {
				to.Keys = append(to.Keys, g.copy(from.Keys[i]))
				to.Values = append(to.Values, g.copy(from.Values[i]))
			}
			to.Offsets = append(to.Offsets, int32(len(to.Keys)))
		}
		return
	case format.TypeBool:
		for _, row := range rows {
			to.Bools = append(to.Bools, from.Bools[row])
		}
	case format.TypeFloat32, format.TypeFloat64:
		for _, row := range rows {
			to.Floats = append(to.Floats, from.Floats[row])
		}
	default:
		for _, row := range rows {
			to.Ints = append(to.Ints, from.Ints[row])
		}
	}
	g.addValid(to, from, rows)
}

// addValid appends which values are not null. The list is made when the first null comes.
func (g *gatherer) addValid(to, from *format.Column, rows []int32) {
	if from.Valid == nil && to.Valid == nil {
		return
	}
	for len(to.Valid) < g.rows {
		to.Valid = append(to.Valid, true)
	}
	for _, row := range rows {
		to.Valid = append(to.Valid, from.Valid == nil || from.Valid[row])
	}
}

// copy copies bytes; nil stays nil, and empty stays empty.
func (g *gatherer) copy(b []byte) []byte {
	const blockBytes = 64 << 10
	if b == nil {
		return nil
	}
	if cap(g.block)-len(g.block) < len(b) || g.block == nil {
		if len(b) > blockBytes/4 {
			return append(make([]byte, 0, len(b)), b...)
		}
		g.block = make([]byte, 0, blockBytes)
	}
	start := len(g.block)
	g.block = append(g.block, b...)
	return g.block[start:len(g.block):len(g.block)]
}

// batch returns the columns gathered so far.
func (g *gatherer) batch() *format.Batch {
	return &format.Batch{Rows: g.rows, Columns: g.columns}
}
