package maintain

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
)

func TestSpan(t *testing.T) {
	ints := &format.Column{Ints: []int64{5, -3, 0, 9}, Valid: []bool{true, true, false, true}}
	floats := &format.Column{Floats: []float64{math.NaN(), 1.5, 0, -2}, Valid: []bool{true, true, false, true}}
	texts := &format.Column{Texts: [][]byte{[]byte("b"), {}, nil, []byte("\xff")}}
	bools := &format.Column{Bools: []bool{true, true, false, true}, Valid: []bool{true, true, false, true}}
	all := func(kind valueKind, c *format.Column) *span {
		s := &span{kind: kind}
		for i := range 4 {
			s.add(c, i)
		}
		require.EqualValues(t, 1, s.nulls)
		require.EqualValues(t, 4, s.rows)
		return s
	}
	tests := []struct {
		s            *span
		bounds       format.Bounds
		contradicted bool
	}{
		{all(intValues, ints), format.Bounds{Min: int64(-3), Max: int64(9), NullCount: 1, MinExact: true, MaxExact: true}, false},
		{all(intValues, ints), format.Bounds{NullCount: -1}, false},
		{all(intValues, ints), format.Bounds{Min: int64(-4), Max: int64(10), NullCount: -1}, false},
		{all(intValues, ints), format.Bounds{Min: int64(-4), Max: int64(9), NullCount: 1, MinExact: true}, true},
		{all(intValues, ints), format.Bounds{Min: int64(-2), Max: int64(9), NullCount: 1}, true},
		{all(intValues, ints), format.Bounds{Min: int64(-3), Max: int64(8), NullCount: 1}, true},
		{all(intValues, ints), format.Bounds{NullCount: 2}, true},
		{all(intValues, ints), format.Bounds{NullCount: -1, AllNull: true}, true},
		{all(intValues, ints), format.Bounds{Min: "a", NullCount: -1}, true},
		{all(floatValues, floats), format.Bounds{Min: -2.0, Max: 1.5, NullCount: 1, MinExact: true, MaxExact: true}, false},
		{all(floatValues, floats), format.Bounds{Min: -1.0, Max: 1.5, NullCount: 1}, true},
		{all(textValues, texts), format.Bounds{Min: "", Max: "\xff", NullCount: 1, MinExact: true, MaxExact: true}, false},
		{all(textValues, texts), format.Bounds{Min: "a", NullCount: 1}, true},
		{all(textValues, texts), format.Bounds{Max: "c", NullCount: 1}, true},
		{all(boolValues, bools), format.Bounds{Min: true, Max: true, NullCount: 1, MinExact: true}, false},
		{all(boolValues, bools), format.Bounds{Min: true, Max: false, NullCount: 1}, true},
	}
	for i, test := range tests {
		require.Equal(t, test.contradicted, test.s.contradicts(test.bounds) != "", "%d: %s", i, test.s.contradicts(test.bounds))
		merged := &span{kind: test.s.kind}
		merged.merge(test.s)
		merged.merge(&span{kind: test.s.kind})
		require.Equal(t, test.s.contradicts(test.bounds), merged.contradicts(test.bounds), "%d", i)
	}
}

func TestFloorDiv(t *testing.T) {
	require.EqualValues(t, -1, floorDiv(-1, microsADay))
	require.EqualValues(t, -1, floorDiv(-microsADay, microsADay))
	require.EqualValues(t, 0, floorDiv(0, microsADay))
	require.EqualValues(t, 0, floorDiv(microsADay-1, microsADay))
}
