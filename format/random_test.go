package format

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// wideSchema has a column of every type, optional and required.
func wideSchema() *Schema {
	s := &Schema{}
	id := 1
	for t := TypeString; t <= TypeStringMap; t++ {
		for _, required := range []bool{false, true} {
			f := Field{Name: fmt.Sprintf("c%d_%v", t, required), ID: id, Type: t, Required: required}
			id++
			if t == TypeStringMap {
				f.KeyID, f.ValueID = id, id+1
				id += 2
			}
			s.Fields = append(s.Fields, f)
		}
	}
	s.Fields[0].Name = "log_msg"
	s.Fields = append(s.Fields, Field{Name: DefaultSortColumn, ID: id, Type: TypeTimestamp, Required: true})
	return s
}

// randomTexts makes texts in one of several styles, from few values to all different, short to long.
type randomTexts struct {
	r     *rand.Rand
	style int
	long  int
}

func newRandomTexts(r *rand.Rand) randomTexts {
	return randomTexts{r: r, style: r.IntN(5), long: 1 + r.IntN(60)}
}

func (g *randomTexts) next() []byte {
	r := g.r
	switch g.style {
	case 0:
		return []byte{}
	case 1:
		return fmt.Appendf(nil, "value %d", r.IntN(4))
	case 2:
		return fmt.Appendf(nil, "value %d of many, and some more text", r.IntN(300))
	case 3:
		b := make([]byte, r.IntN(g.long))
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		return b
	}
	switch r.IntN(50) {
	case 0:
		return []byte{}
	case 1: // long, and all of one character that cannot be raised in a bound
		b := []byte{}
		for range r.IntN(200) {
			b = append(b, "\U0010FFFF"...)
		}
		return b
	case 2:
		b := []byte("é")
		for range r.IntN(5000) {
			b = append(b, byte('a'+r.IntN(3)))
		}
		return b
	}
	return fmt.Appendf(nil, "level=%d é %x", r.IntN(9), r.Uint64())
}

// randomColumn makes a column of rows with a share of nulls.
func randomColumn(r *rand.Rand, f Field, rows int) Column {
	c := Column{Field: f}
	nulls := []float64{0, 0, 0.1, 0.9, 1}[r.IntN(5)]
	if f.Required {
		nulls = 0
	}
	null := func() bool { return r.Float64() < nulls }
	texts := newRandomTexts(r)
	spread := []int64{2, 1000, 1 << 40}[r.IntN(3)]
	at := r.Int64N(spread)
	if nulls > 0 && f.Type != TypeString && f.Type != TypeStringMap {
		c.Valid = make([]bool, rows)
	}
	if f.Type == TypeStringMap {
		c.Offsets = make([]int32, 1, rows+1)
	}
	for i := range rows {
		isNull := null()
		if c.Valid != nil {
			c.Valid[i] = !isNull
		}
		switch f.Type {
		case TypeString:
			c.Texts = append(c.Texts, nil)
			if !isNull {
				c.Texts[i] = texts.next()
			}
		case TypeStringMap:
			if !isNull {
				for j := range r.IntN(6) {
					c.Keys = append(c.Keys, fmt.Appendf(nil, "k%d", j))
					c.Values = append(c.Values, texts.next())
					if null() || r.IntN(9) == 0 {
						c.Values[len(c.Values)-1] = nil
					}
				}
			}
			c.Offsets = append(c.Offsets, int32(len(c.Keys)))
		case TypeBool:
			c.Bools = append(c.Bools, !isNull && r.IntN(2) == 0)
		case TypeFloat32, TypeFloat64:
			v := []float64{0, math.Copysign(0, -1), math.Inf(1), r.NormFloat64(), r.NormFloat64(), float64(r.IntN(3))}[r.IntN(6)]
			if f.Type == TypeFloat32 {
				v = float64(float32(v))
			}
			if isNull {
				v = 0
			}
			c.Floats = append(c.Floats, v)
		default:
			at += r.Int64N(spread) - spread/3
			v := at
			if r.IntN(40) == 0 {
				v = []int64{math.MinInt64, math.MaxInt64, 0, -1}[r.IntN(4)]
			}
			if f.Type == TypeInt32 || f.Type == TypeDate {
				v = int64(int32(v))
			}
			if isNull {
				v = 0
			}
			c.Ints = append(c.Ints, v)
		}
	}
	return c
}

func randomBatch(r *rand.Rand, s *Schema, rows int) *Batch {
	b := &Batch{Rows: rows}
	for _, f := range s.Fields {
		b.Columns = append(b.Columns, randomColumn(r, f, rows))
	}
	return b
}

// randomRanges returns ascending ranges within rows rows.
func randomRanges(r *rand.Rand, rows uint32) []RowRange {
	var out []RowRange
	step := []int{2, 50, 1 + int(rows)}[r.IntN(3)]
	for at := uint32(0); at < rows; {
		start := min(at+uint32(r.IntN(step*3)), rows)
		end := min(start+uint32(r.IntN(step+1)), rows)
		out = append(out, RowRange{start, end})
		at = end + uint32(r.IntN(2))
	}
	return out
}
