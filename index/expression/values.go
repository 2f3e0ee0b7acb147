package expression

// Values are the values of one column over some rows. Only the slice of the column's type is set.
type Values struct {
	Rows   int
	Texts  [][]byte  // of text columns; nil is null
	Ints   []int64   // whole numbers, dates, timestamps
	Floats []float64 // floats and doubles
	Bools  []bool
	Valid  []bool // of Ints, Floats, Bools: false where null; nil if no value is null
	// Offsets, Keys and MapValues are a map of texts: row i has the entries Offsets[i] up to Offsets[i+1]. A nil value is null.
	Offsets   []int32
	Keys      [][]byte
	MapValues [][]byte
}

// Sink takes the values of rows. Texts are not kept.
type Sink interface {
	AddText(text []byte)
	AddInt(n int64)
	AddFloat(f float64)
	EndRow() // all values of the present row are told
}

// Eval tells a sink the values that an expression gives each row. An expression that does not fit the type of the column gives none.
func (e Expression) Eval(v Values, to Sink, s *Scratch) {
	for row := range v.Rows {
		switch e.Function {
		case Column:
			v.plain(row, to)
		case JSONExtract:
			if row < len(v.Texts) && v.Texts[row] != nil {
				if found := e.Path.Extract(v.Texts[row], s); found != nil {
					to.AddText(found)
				}
			}
		default:
			e.evalMap(v, row, to)
		}
		to.EndRow()
	}
}

func (v *Values) plain(row int, to Sink) {
	if v.Valid != nil && !v.Valid[row] {
		return
	}
	switch {
	case v.Texts != nil:
		if v.Texts[row] != nil {
			to.AddText(v.Texts[row])
		}
	case v.Ints != nil:
		to.AddInt(v.Ints[row])
	case v.Floats != nil:
		to.AddFloat(v.Floats[row])
	case v.Bools != nil:
		n := int64(0)
		if v.Bools[row] {
			n = 1
		}
		to.AddInt(n)
	}
}

func (e Expression) evalMap(v Values, row int, to Sink) {
	if row+1 >= len(v.Offsets) {
		return
	}
	for i := v.Offsets[row]; i < v.Offsets[row+1]; i++ {
		switch e.Function {
		case MapKeys:
			to.AddText(v.Keys[i])
		case MapValues:
			if v.MapValues[i] != nil {
				to.AddText(v.MapValues[i])
			}
		case ElementAt:
			if string(v.Keys[i]) != e.Key {
				continue
			}
			if v.MapValues[i] != nil {
				to.AddText(v.MapValues[i])
			}
			return
		}
	}
}
