package query

import (
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index/expression"
)

// node is a predicate bound to the columns of a table: constNode, andNode, orNode, notNode or *leaf.
type node interface{ node() }

type (
	constNode bool
	andNode   []node
	orNode    []node
	notNode   struct{ x node }
)

func (constNode) node() {}
func (andNode) node()   {}
func (orNode) node()    {}
func (notNode) node()   {}
func (*leaf) node()     {}

// leafKind is what a leaf asks.
type leafKind uint8

const (
	leafRange       leafKind = iota // value within bounds
	leafIn                          // value is one of a set
	leafNull                        // there is no value
	leafPrefix                      // text starts with
	leafContains                    // text contains
	leafTokens                      // tokens stand next to each other; with one token: it is there
	leafPattern                     // text has a pattern
	leafTokenPrefix                 // a token begins with
	leafRegexp                      // a regular expression matches
	leafPlace                       // the row comes before or after a place among the rows of the same time; of no column
)

// leafClass is what kind of values a leaf compares.
type leafClass uint8

const (
	classText   leafClass = iota
	classWhole            // ints, dates, timestamps and bools
	classFloat            // floats and doubles
	classNumber           // text that is compared as a number
)

// leaf is a condition on one column or one key of a map column. It is false for nulls, unless it is leafNull.
type leaf struct {
	id     int // position in bound.leaves
	kind   leafKind
	class  leafClass
	field  format.Field
	inMap  bool // field is a map, key the entry that is meant; or the field is a text, path what is meant in it
	key    []byte
	path   expression.Path
	source Predicate // what the leaf stands for

	whole  interval            // leafRange, classWhole
	wholes map[int64]struct{}  // leafIn, classWhole
	float  floatRange          // leafRange, classFloat and classNumber
	floats []float64           // leafIn, classFloat
	text   textRange           // leafRange, classText
	texts  map[string]struct{} // leafIn, classText
	needle []byte              // leafPrefix, leafContains
	tokens *tokenMatcher       // leafTokens
	prefix *prefixMatcher      // leafTokenPrefix
	regexp *regexpMatcher      // leafRegexp

	pattern uint64 // leafPattern

	place position // leafPlace
	after bool     // leafPlace

	// evidence lists sets of folded tokens; a text for which the leaf is true holds all tokens of at least one set. nil: no such tokens are known.
	evidence [][]string
}

// exactTokens says whether holding the evidence is not only necessary but enough.
func (l *leaf) exactTokens() bool {
	return l.kind == leafTokens && len(l.tokens.tokens) == 1
}

// floatRange is a range of floats by IEEE comparison: NaN is in none.
type floatRange struct {
	low, high         float64
	openLow, openHigh bool // the end itself is not in the range
}

func (r floatRange) contains(f float64) bool {
	return (f > r.low || !r.openLow && f == r.low) && (f < r.high || !r.openHigh && f == r.high)
}

// textRange is a range of texts in byte order.
type textRange struct {
	low, high         string
	openLow, openHigh bool // the end itself is not in the range
	noHigh            bool // no upper end
}

func (r textRange) contains(text []byte) bool {
	return (string(text) > r.low || !r.openLow && string(text) == r.low) &&
		(r.noHigh || string(text) < r.high || !r.openHigh && string(text) == r.high)
}

// and, or and not build nodes and take constants away.

func newAnd(list ...node) node {
	var kept andNode
	for _, n := range list {
		switch n := n.(type) {
		case constNode:
			if !n {
				return n
			}
		case andNode:
			kept = append(kept, n...)
		default:
			kept = append(kept, n)
		}
	}
	switch len(kept) {
	case 0:
		return constNode(true)
	case 1:
		return kept[0]
	}
	return kept
}

func newOr(list ...node) node {
	var kept orNode
	for _, n := range list {
		switch n := n.(type) {
		case constNode:
			if n {
				return n
			}
		case orNode:
			kept = append(kept, n...)
		default:
			kept = append(kept, n)
		}
	}
	switch len(kept) {
	case 0:
		return constNode(false)
	case 1:
		return kept[0]
	}
	return kept
}

func newNot(n node) node {
	switch n := n.(type) {
	case constNode:
		return !n
	case notNode:
		return n.x
	}
	return notNode{n}
}

// predicateOf returns the predicate that a node stands for; nil for what is true everywhere.
func predicateOf(n node) Predicate {
	switch n := n.(type) {
	case constNode:
		if n {
			return nil
		}
		return Or{}
	case *leaf:
		return n.source
	case notNode:
		return Not{predicateOf(n.x)}
	case andNode:
		list := make(And, 0, len(n))
		for _, x := range n {
			if inner, ok := predicateOf(x).(And); ok {
				list = append(list, inner...)
			} else {
				list = append(list, predicateOf(x))
			}
		}
		return list
	case orNode:
		list := make(Or, len(n))
		for i, x := range n {
			list[i] = predicateOf(x)
		}
		return list
	}
	return nil
}

// fieldsOf adds the ids of the fields that a node looks at.
func fieldsOf(n node, ids map[int]bool) {
	switch n := n.(type) {
	case *leaf:
		if n.kind != leafPlace {
			ids[n.field.ID] = true
		}
	case notNode:
		fieldsOf(n.x, ids)
	case andNode:
		for _, x := range n {
			fieldsOf(x, ids)
		}
	case orNode:
		for _, x := range n {
			fieldsOf(x, ids)
		}
	}
}
