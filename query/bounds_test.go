package query

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index"
)

// randomTree makes a node over the given leaves.
func randomTree(r *rand.Rand, leaves []*leaf, depth int) node {
	if depth == 0 || r.IntN(4) == 0 {
		if r.IntN(10) == 0 {
			return constNode(r.IntN(2) == 0)
		}
		return leaves[r.IntN(len(leaves))]
	}
	list := make([]node, r.IntN(4))
	for i := range list {
		list[i] = randomTree(r, leaves, depth-1)
	}
	switch r.IntN(3) {
	case 0:
		return andNode(list)
	case 1:
		return orNode(list)
	default:
		return notNode{randomTree(r, leaves, depth-1)}
	}
}

// truthOf evaluates a node in one row.
func truthOf(x node, row uint32, leafTruth []*index.RowSet) bool {
	switch x := x.(type) {
	case constNode:
		return bool(x)
	case *leaf:
		return leafTruth[x.id].Contains(row)
	case notNode:
		return !truthOf(x.x, row, leafTruth)
	case andNode:
		for _, kid := range x {
			if !truthOf(kid, row, leafTruth) {
				return false
			}
		}
		return true
	case orNode:
		for _, kid := range x {
			if truthOf(kid, row, leafTruth) {
				return true
			}
		}
	}
	return false
}

func randomRows(r *rand.Rand, n uint32, share float64) *index.RowSet {
	var rows []uint32
	for row := range n {
		if r.Float64() < share {
			rows = append(rows, row)
		}
	}
	return index.RowsFromSorted(n, rows)
}

// naiveBounds is boundsOf with a Not that complements the sets and forgets to swap them.
func naiveBounds(x node, n uint32, ofLeaf func(*leaf) bounds) bounds {
	switch x := x.(type) {
	case notNode:
		b := naiveBounds(x.x, n, ofLeaf)
		return bounds{must: b.must.Not(), may: b.may.Not()}
	case andNode:
		all := exactRows(index.AllRows(n))
		for _, kid := range x {
			all = all.and(naiveBounds(kid, n, ofLeaf))
		}
		return all
	case orNode:
		any := exactRows(index.NoRows(n))
		for _, kid := range x {
			any = any.or(naiveBounds(kid, n, ofLeaf))
		}
		return any
	default:
		return boundsOf(x, n, ofLeaf)
	}
}

// encloses says whether must ⊆ truth ⊆ may.
func encloses(b bounds, n uint32, isTrue func(row uint32) bool) bool {
	for row := range n {
		if t := isTrue(row); b.must.Contains(row) && !t || t && !b.may.Contains(row) {
			return false
		}
	}
	return true
}

func TestBoundsEncloseTheTruth(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	naiveFailures := 0
	for range 1500 {
		n := uint32(1 + r.IntN(70))
		leaves, leafTruth, leafBounds := make([]*leaf, 4), make([]*index.RowSet, 4), make([]bounds, 4)
		for i := range leaves {
			leaves[i] = &leaf{id: i, kind: leafKind(r.IntN(6)), tokens: &tokenMatcher{}}
			leafTruth[i] = randomRows(r, n, r.Float64())
			leafBounds[i] = bounds{ // lossy in both directions, more or less
				must: leafTruth[i].And(randomRows(r, n, float64(r.IntN(3))/2)),
				may:  leafTruth[i].Or(randomRows(r, n, float64(r.IntN(3))/2)),
			}
		}
		ofLeaf := func(l *leaf) bounds { return leafBounds[l.id] }
		x := randomTree(r, leaves, 4)
		isTrue := func(row uint32) bool { return truthOf(x, row, leafTruth) }
		b := boundsOf(x, n, ofLeaf)
		require.True(t, encloses(b, n, isTrue), "%v", x)
		if !encloses(naiveBounds(x, n, ofLeaf), n, isTrue) {
			naiveFailures++
		}

		// For candidates, the residual is as true as the predicate.
		candidates := randomRows(r, n, 0.5)
		if r.IntN(2) == 0 {
			candidates = b.may.AndNot(b.must)
		}
		rest := byCost(residual(x, candidates, ofLeaf))
		for row := range candidates.Rows() {
			require.Equal(t, isTrue(row), truthOf(rest, row, leafTruth), "%v becomes %v", x, rest)
		}

		// Verdicts are bounds of a run of rows.
		v := verdictOf(x, func(l *leaf) verdict {
			return verdict{all: leafBounds[l.id].must.IsAll(), some: !leafBounds[l.id].may.IsEmpty()}
		})
		for row := range n {
			require.False(t, v.all && !isTrue(row))
			require.False(t, !v.some && isTrue(row))
		}
	}
	require.Greater(t, naiveFailures, 100, "the test must see that a naive Not is wrong")
}
