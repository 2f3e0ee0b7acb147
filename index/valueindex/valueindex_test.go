package valueindex

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index/expression"
)

func TestKeysKeepTheOrder(t *testing.T) {
	floats := []float64{math.Inf(-1), -math.MaxFloat64, -1e9, -1.5, -1, -math.SmallestNonzeroFloat64, 0, math.SmallestNonzeroFloat64, 0.1, 1, 1.5, 1 << 53, 1<<53 + 2,
		math.MaxFloat64, math.Inf(1)}
	for i, f := range floats {
		for j, g := range floats {
			require.Equal(t, cmp.Compare(i, j), cmp.Compare(KeyOfFloat(f), KeyOfFloat(g)), "%g %g", f, g)
		}
	}
	require.Equal(t, KeyOfFloat(0), KeyOfFloat(math.Copysign(0, -1)))
	require.Equal(t, HashFloat(0), HashFloat(math.Copysign(0, -1)))
	ints := []int64{math.MinInt64, -1, 0, 1, 1 << 53, 1<<53 + 1, math.MaxInt64}
	require.True(t, slices.IsSortedFunc(ints, func(a, b int64) int { return cmp.Compare(KeyOfInt(a), KeyOfInt(b)) }))
}

// values makes values of a row.
type values func(r *rand.Rand, row int) []any

var generators = map[string]struct {
	class  Class
	values values
}{
	"few":      {Text, func(r *rand.Rand, _ int) []any { return []any{strconv.Itoa(r.IntN(4) * 100)} }},
	"ids":      {Text, func(r *rand.Rand, _ int) []any { return []any{fmt.Sprintf("%x", r.Uint64())} }},
	"runs":     {Text, func(r *rand.Rand, row int) []any { return []any{strconv.Itoa(row/40*1000 + r.IntN(10))} }},
	"decimals": {Text, func(r *rand.Rand, _ int) []any { return []any{strconv.FormatFloat(r.NormFloat64()*100, 'f', 3, 64)} }},
	"odd": {Text, func(r *rand.Rand, _ int) []any {
		return []any{[]string{"", "1e999", "-1e999", "0x1", "a", "1e-400", "-0"}[r.IntN(7)]}
	}},
	"seldom": {Text, func(r *rand.Rand, _ int) []any { return []any{strconv.Itoa(r.IntN(5))}[:min(1, 1/(1+r.IntN(50)))] }},
	"many": {Text, func(r *rand.Rand, row int) []any {
		return []any{"a", strconv.Itoa(row), strconv.Itoa(-r.IntN(9))}[:r.IntN(4)]
	}},
	"whole": {Whole, func(r *rand.Rand, _ int) []any { return []any{int64(r.Uint64())} }},
	"close": {Whole, func(r *rand.Rand, row int) []any {
		return []any{math.MaxInt64 - int64(row), math.MinInt64 + int64(r.IntN(3))}
	}},
	"small": {Whole, func(r *rand.Rand, _ int) []any { return []any{int64(200 + r.IntN(3)*100 + r.IntN(5))} }},
	"floats": {Float, func(r *rand.Rand, _ int) []any {
		return []any{[]float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), r.NormFloat64()}[r.IntN(6)]}
	}},
	"nothing":   {Float, func(*rand.Rand, int) []any { return nil }},
	"only nans": {Float, func(*rand.Rand, int) []any { return []any{math.NaN()} }},
}

// rowsOf tells a collector rows and returns their values.
func rowsOf(r *rand.Rand, c *Collector, n int, next values) (rows [][]any) {
	for row := range n {
		list := next(r, row)
		for _, v := range list {
			switch v := v.(type) {
			case string:
				c.AddText([]byte(v))
			case int64:
				c.AddInt(v)
			case float64:
				c.AddFloat(v)
			}
		}
		c.EndRow()
		rows = append(rows, list)
	}
	return rows
}

func hashOf(v any) (Hash, bool) {
	switch v := v.(type) {
	case string:
		return HashText([]byte(v)), true
	case int64:
		return HashInt(v), true
	}
	return HashFloat(v.(float64)), !math.IsNaN(v.(float64))
}

func keyOf(v any) (uint64, bool) {
	switch v := v.(type) {
	case string:
		f, ok := expression.Number([]byte(v))
		return KeyOfFloat(f), ok
	case int64:
		return KeyOfInt(v), true
	}
	return KeyOfFloat(v.(float64)), !math.IsNaN(v.(float64))
}

// TestNoFalseNegatives compares both structures with brute force.
func TestNoFalseNegatives(t *testing.T) {
	for name, g := range generators {
		for _, o := range []Options{{BlockRows: 1, Intervals: 1}, {BlockRows: 16, Intervals: 3}, {BlockRows: 64}, {}} {
			t.Run(fmt.Sprintf("%s/%d", name, o.BlockRows), func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(o.BlockRows), 7))
				o.Points, o.Ranges, o.Class = true, true, g.class
				c := NewCollector(o)
				rowsOf(r, c, 70, g.values)
				c.Reset(g.class)
				rows := rowsOf(r, c, 1+r.IntN(700), g.values)
				require.NoError(t, c.End())
				points, err := DecodePoints(c.AppendPoints(nil, 0.01))
				require.NoError(t, err)
				_, err = points.Check()
				require.NoError(t, err)
				ranges, err := DecodeRanges(c.AppendRanges(nil))
				require.NoError(t, err)
				require.Equal(t, g.class, ranges.Class())
				require.EqualValues(t, len(rows), points.Rows())
				checkPoints(t, points, rows)
				checkPresence(t, &ranges.Presence, rows)
				for range 300 {
					low, high := randomKey(r, rows), randomKey(r, rows)
					switch r.IntN(4) {
					case 0:
						high = math.MaxUint64
					case 1:
						high = low + uint64(r.IntN(3))
					case 2:
						low = 0
					}
					checkRange(t, ranges, rows, low, high)
				}
			})
		}
	}
}

func randomKey(r *rand.Rand, rows [][]any) uint64 {
	if list := rows[r.IntN(len(rows))]; len(list) > 0 {
		key, _ := keyOf(list[r.IntN(len(list))])
		return key + uint64(r.IntN(3)) - 1
	}
	return r.Uint64()
}

func checkPoints(t *testing.T, p *Points, rows [][]any) {
	for row, list := range rows {
		for _, v := range list {
			if h, ok := hashOf(v); ok {
				may := make([]bool, p.Blocks())
				require.NoError(t, p.Mark(h, may))
				require.True(t, may[row/int(p.blockRows)], "%v of row %d", v, row)
			}
		}
	}
}

func checkPresence(t *testing.T, p *Presence, rows [][]any) {
	for block := range p.Blocks() {
		start, end := p.Span(block)
		with := 0
		for _, list := range rows[start:end] {
			with += min(1, len(list))
		}
		require.Equal(t, with > 0, p.Some(block))
		require.Equal(t, with == int(end-start), p.Every(block))
	}
}

func checkRange(t *testing.T, ranges *Ranges, rows [][]any, low, high uint64) {
	may := make([]bool, ranges.Blocks())
	ranges.Mark(low, high, may)
	for row, list := range rows {
		for _, v := range list {
			if key, ok := keyOf(v); ok && key >= low && key <= high {
				require.True(t, may[row/int(ranges.blockRows)], "%v of row %d is in [%x, %x]", v, row, low, high)
			}
		}
	}
}

// TestAccuracy checks the rates that are promised.
func TestAccuracy(t *testing.T) {
	for _, rate := range []float64{0.1, 0.01, 0.001} {
		r := rand.New(rand.NewPCG(3, 3))
		c := NewCollector(Options{Points: true, Class: Text, BlockRows: 100})
		rowsOf(r, c, 5000, generators["ids"].values)
		require.NoError(t, c.End())
		p, err := DecodePoints(c.AppendPoints(nil, rate))
		require.NoError(t, err)
		wrong := 0
		const asked = 20_000
		for i := range asked {
			may := make([]bool, p.Blocks())
			require.NoError(t, p.Mark(HashText([]byte(strconv.Itoa(i))), may))
			if slices.Contains(may, true) {
				wrong++
			}
		}
		require.Less(t, float64(wrong)/asked, rate*1.2)
	}
	// Comparisons with one bound are exact to the block.
	r := rand.New(rand.NewPCG(4, 4))
	c := NewCollector(Options{Ranges: true, Class: Text, BlockRows: 50, Intervals: 2})
	rows := rowsOf(r, c, 3000, func(r *rand.Rand, _ int) []any { return []any{strconv.Itoa(r.IntN(1 << 20))} })
	require.NoError(t, c.End())
	ranges, err := DecodeRanges(c.AppendRanges(nil))
	require.NoError(t, err)
	for range 200 {
		low := KeyOfFloat(float64(r.IntN(1<<20)) + 0.5)
		may := make([]bool, ranges.Blocks())
		ranges.Mark(low, math.MaxUint64, may)
		for block, is := range may {
			start, end := ranges.Span(block)
			require.Equal(t, slices.ContainsFunc(rows[start:end], func(list []any) bool {
				key, _ := keyOf(list[0])
				return key >= low
			}), is)
		}
	}
}

func TestWrongClass(t *testing.T) {
	c := NewCollector(Options{Points: true, Class: Whole})
	c.AddText([]byte("x"))
	c.EndRow()
	require.ErrorIs(t, c.End(), ErrClass)
}

// sample returns encoded structures for fuzzing.
func sample(tb testing.TB, name string) (points, ranges []byte) {
	g := generators[name]
	c := NewCollector(Options{Points: true, Ranges: true, Class: g.class, BlockRows: 16})
	rowsOf(rand.New(rand.NewPCG(9, 9)), c, 300, g.values)
	require.NoError(tb, c.End())
	return c.AppendPoints(nil, 0.01), c.AppendRanges(nil)
}

// FuzzPoints and FuzzRanges get bytes whose checksum was right: they may be anything.
func FuzzPoints(f *testing.F) {
	for name := range generators {
		points, _ := sample(f, name)
		f.Add(points, uint64(77))
	}
	f.Fuzz(func(t *testing.T, b []byte, hash uint64) {
		if len(b) > preamble {
			b[10], b[11] = 0, 0 // rows; keeps the blocks few
		}
		p, err := DecodePoints(b)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		if err := p.Mark(Hash(hash), make([]bool, p.Blocks())); err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
		}
		if _, err := p.Check(); err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
		}
	})
}

func FuzzRanges(f *testing.F) {
	for name := range generators {
		_, ranges := sample(f, name)
		f.Add(ranges, uint64(77), uint64(1)<<63)
	}
	f.Fuzz(func(t *testing.T, b []byte, low, high uint64) {
		r, err := DecodeRanges(b)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		r.Mark(low, high, make([]bool, r.Blocks()))
		for block := range r.Blocks() {
			if low, high, ok := r.Bounds(block); ok {
				require.LessOrEqual(t, low, high)
			}
		}
	})
}
