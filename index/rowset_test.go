package index

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// model is a set of rows made the simple way.
type model map[uint32]bool

func (m model) sorted() []uint32 {
	rows := make([]uint32, 0, len(m))
	for row := range m {
		rows = append(rows, row)
	}
	slices.Sort(rows)
	return rows
}

// randomSet makes a set of one of the kinds that have a path of their own, and its model.
func randomSet(rng *rand.Rand, n uint32) (*RowSet, model) {
	m := model{}
	if n == 0 {
		return NoRows(0), m
	}
	fill := func(start, end uint32) {
		for row := start; row < min(end, n); row++ {
			m[row] = true
		}
	}
	switch rng.IntN(7) {
	case 0:
		return NoRows(n), m
	case 1:
		fill(0, n)
		return AllRows(n), m
	case 2:
		start, end := rng.Uint32N(n+2), rng.Uint32N(n+2)
		fill(start, end)
		return RowsInRange(n, start, end), m
	case 3: // from the beginning, or up to the end
		at := rng.Uint32N(n + 1)
		if rng.IntN(2) == 0 {
			fill(0, at)
			return RowsInRange(n, 0, at), m
		}
		fill(at, n)
		return RowsInRange(n, at, n+5), m
	case 4: // a few rows
		for range rng.IntN(6) {
			m[rng.Uint32N(n)] = true
		}
	case 5: // many rows
		for row := range n {
			if rng.IntN(3) > 0 {
				m[row] = true
			}
		}
	case 6: // a few runs
		for range rng.IntN(4) {
			start := rng.Uint32N(n)
			fill(start, start+rng.Uint32N(n/2+1))
		}
	}
	return RowsFromSorted(n, m.sorted()), m
}

func checkSet(t *testing.T, s *RowSet, n uint32, m model) {
	t.Helper()
	require.Equal(t, n, s.Universe())
	require.Equal(t, uint32(len(m)), s.Cardinality())
	require.Equal(t, len(m) == 0, s.IsEmpty())
	require.Equal(t, uint32(len(m)) == n, s.IsAll())
	var rows []uint32
	for row := range s.Rows() {
		rows = append(rows, row)
	}
	want := m.sorted()
	require.True(t, slices.Equal(want, rows), "%v, not %v", rows, want)
	last := uint32(0)
	first := true
	for start, end := range s.Ranges() {
		require.Less(t, start, end)
		require.True(t, first || start > last, "ranges must be apart")
		first, last = false, end
	}
	require.True(t, s.Equal(RowsFromSorted(n, want)))
	require.Positive(t, s.SizeInMemory())
}

func TestRowSetAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 31))
	for range 3000 {
		n := []uint32{0, 1, 2, 5, 40, 200}[rng.IntN(6)]
		s, sm := randomSet(rng, n)
		o, om := randomSet(rng, n)
		checkSet(t, s, n, sm)
		and, or, andNot, not := model{}, model{}, model{}, model{}
		for row := range n {
			if sm[row] && om[row] {
				and[row] = true
			}
			if sm[row] || om[row] {
				or[row] = true
			}
			if sm[row] && !om[row] {
				andNot[row] = true
			}
			if !sm[row] {
				not[row] = true
			}
			require.Equal(t, sm[row], s.Contains(row))
		}
		require.False(t, s.Contains(n))
		checkSet(t, s.And(o), n, and)
		checkSet(t, s.Or(o), n, or)
		checkSet(t, s.AndNot(o), n, andNot)
		checkSet(t, s.Not(), n, not)
		require.Equal(t, slices.Equal(sm.sorted(), om.sorted()), s.Equal(o))
		start, end := rng.Uint32N(n+3), rng.Uint32N(n+3)
		count := uint32(0)
		for row := start; row < end; row++ {
			if sm[row] {
				count++
			}
		}
		require.Equal(t, count, s.CountInRange(start, end))
		checkSet(t, s, n, sm) // nothing changed it
		checkSet(t, o, n, om)
	}
}

// TestRowSetLarge crosses the blocks of 65,536 rows that bitmaps are made of.
func TestRowSetLarge(t *testing.T) {
	const n = 1 << 32 >> 1
	s := RowsFromSorted(n, []uint32{5, 65535, 65536, 65537, 1 << 20, n - 1, n, n + 7})
	require.Equal(t, uint32(6), s.Cardinality())
	require.Equal(t, uint32(n-6), s.Not().Cardinality())
	require.Equal(t, uint32(3), s.CountInRange(6, 70000))
	require.True(t, s.Not().Not().Equal(s))
	require.True(t, s.Or(s.Not()).IsAll())
	require.True(t, s.And(s.Not()).IsEmpty())
	var runs [][2]uint32
	for start, end := range s.Ranges() {
		runs = append(runs, [2]uint32{start, end})
	}
	require.Equal(t, [][2]uint32{{5, 6}, {65535, 65538}, {1 << 20, 1<<20 + 1}, {n - 1, n}}, runs)
	for start, end := range s.Ranges() { // stopping early
		require.Equal(t, [2]uint32{5, 6}, [2]uint32{start, end})
		break
	}
	for row := range s.Rows() {
		require.Equal(t, uint32(5), row)
		break
	}
}

func TestRowSetsOfDifferentUniverses(t *testing.T) {
	small, large := RowsFromSorted(10, []uint32{1, 3, 9}), RowsFromSorted(100, []uint32{3, 9, 50, 70})
	checkSet(t, small.Or(large), 10, model{1: true, 3: true, 9: true})
	checkSet(t, small.And(large), 10, model{3: true, 9: true})
	checkSet(t, large.Or(small), 100, model{1: true, 3: true, 9: true, 50: true, 70: true})
	checkSet(t, large.AndNot(small), 100, model{50: true, 70: true})
	checkSet(t, small.AndNot(AllRows(5)), 10, model{9: true})
}
