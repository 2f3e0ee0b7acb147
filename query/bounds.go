package query

import (
	"slices"

	"github.com/firnlog/firn/index"
)

// bounds enclose the rows of one file for which a predicate is true: must ⊆ truth ⊆ may.
type bounds struct {
	must, may *index.RowSet
}

// unknown is what is known of a predicate about which nothing is known.
func unknown(n uint32) bounds { return bounds{must: index.NoRows(n), may: index.AllRows(n)} }

// exactly these rows.
func exactRows(rows *index.RowSet) bounds { return bounds{must: rows, may: rows} }

func (b bounds) and(o bounds) bounds { return bounds{b.must.And(o.must), b.may.And(o.may)} }
func (b bounds) or(o bounds) bounds  { return bounds{b.must.Or(o.must), b.may.Or(o.may)} }

// not swaps the sets as it complements them: a row that may be true may be false, and only rows that cannot be true are certainly false.
func (b bounds) not() bounds { return bounds{b.may.Not(), b.must.Not()} }

// refine joins two things known about the same predicate.
func (b bounds) refine(o bounds) bounds { return bounds{b.must.Or(o.must), b.may.And(o.may)} }

// decided says whether the truth is known for each row.
func (b bounds) decided() bool { return b.must.Cardinality() == b.may.Cardinality() }

// boundsOf computes the bounds of a node from those of its leaves, over n rows.
func boundsOf(x node, n uint32, ofLeaf func(*leaf) bounds) bounds {
	switch x := x.(type) {
	case *leaf:
		return ofLeaf(x)
	case notNode:
		return boundsOf(x.x, n, ofLeaf).not()
	case andNode:
		if len(x) == 0 {
			return exactRows(index.AllRows(n))
		}
		all := boundsOf(x[0], n, ofLeaf)
		for _, kid := range x[1:] {
			if all.may.IsEmpty() {
				break
			}
			all = all.and(boundsOf(kid, n, ofLeaf))
		}
		return all
	case orNode:
		if len(x) == 0 {
			return exactRows(index.NoRows(n))
		}
		any := boundsOf(x[0], n, ofLeaf)
		for _, kid := range x[1:] {
			if any.must.IsAll() {
				break
			}
			any = any.or(boundsOf(kid, n, ofLeaf))
		}
		return any
	case constNode:
		if x {
			return exactRows(index.AllRows(n))
		}
		return exactRows(index.NoRows(n))
	}
	return unknown(n)
}

// residual simplifies a node for the rows in candidates: parts that are known to be true (or false) for all of them become constants.
func residual(x node, candidates *index.RowSet, ofLeaf func(*leaf) bounds) node {
	if _, ok := x.(constNode); ok {
		return x
	}
	b := boundsOf(x, candidates.Universe(), ofLeaf)
	switch {
	case candidates.AndNot(b.must).IsEmpty():
		return constNode(true)
	case candidates.And(b.may).IsEmpty():
		return constNode(false)
	}
	switch x := x.(type) {
	case notNode:
		return newNot(residual(x.x, candidates, ofLeaf))
	case andNode:
		kids := make([]node, len(x))
		for i, kid := range x {
			kids[i] = residual(kid, candidates, ofLeaf)
		}
		return newAnd(kids...)
	case orNode:
		kids := make([]node, len(x))
		for i, kid := range x {
			kids[i] = residual(kid, candidates, ofLeaf)
		}
		return newOr(kids...)
	}
	return x
}

// byCost returns an equivalent node whose parts are in the order in which they should be checked, cheap ones first.
func byCost(x node) node {
	order := func(list []node) []node {
		sorted := make([]node, len(list))
		for i, kid := range list {
			sorted[i] = byCost(kid)
		}
		slices.SortStableFunc(sorted, func(a, b node) int { return cost(a) - cost(b) })
		return sorted
	}
	switch x := x.(type) {
	case andNode:
		return andNode(order(x))
	case orNode:
		return orNode(order(x))
	case notNode:
		return notNode{byCost(x.x)}
	}
	return x
}

// cost ranks nodes by the time it takes to check one row.
func cost(x node) (sum int) {
	switch x := x.(type) {
	case *leaf:
		sum = map[leafKind]int{leafNull: 1, leafRange: 2, leafIn: 4, leafPrefix: 3, leafContains: 16, leafTokens: 20, leafTokenPrefix: 22, leafRegexp: 60, leafPattern: 100}[x.kind]
		if x.inMap {
			sum += 10
		}
		if !x.path.IsZero() {
			sum += 20
		}
		if x.kind == leafTokens {
			sum += len(x.tokens.tokens)
		}
	case notNode:
		sum = cost(x.x)
	case andNode:
		for _, kid := range x {
			sum += cost(kid)
		}
	case orNode:
		for _, kid := range x {
			sum += cost(kid)
		}
	}
	return sum
}

// verdict is bounds for a whole run of rows: whether the predicate is true for every row, and whether it may be true for any.
type verdict struct{ all, some bool }

// verdictOf computes the verdict on a node from those on its leaves.
func verdictOf(x node, ofLeaf func(*leaf) verdict) verdict {
	switch x := x.(type) {
	case constNode:
		return verdict{bool(x), bool(x)}
	case *leaf:
		return ofLeaf(x)
	case notNode:
		v := verdictOf(x.x, ofLeaf)
		return verdict{all: !v.some, some: !v.all}
	case andNode:
		and := verdict{true, true}
		for _, kid := range x {
			v := verdictOf(kid, ofLeaf)
			and = verdict{and.all && v.all, and.some && v.some}
		}
		return and
	case orNode:
		or := verdict{}
		for _, kid := range x {
			v := verdictOf(kid, ofLeaf)
			or = verdict{or.all || v.all, or.some || v.some}
		}
		return or
	}
	return verdict{some: true}
}
