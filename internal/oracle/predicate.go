package oracle

import (
	"regexp"
	"strings"
	"time"
)

// Op says what a Node is.
type Op uint8

// The predicates. All but And, Or, Not, All and IsNull are false for a null.
const (
	All            Op = iota
	HasToken          // one of the field's tokens is Text; a Text of several tokens is a Phrase
	Phrase            // the tokens of Text stand next to each other in the field
	Equal             // the field is Values[0]
	In                // the field is one of Values
	Less              // the field is < Values[0]
	LessOrEqual       // <=
	Greater           // >
	GreaterOrEqual    // >=
	Between           // Values[0] <= the field <= Values[1]
	IsNull            // the field is null or missing
	Prefix            // the field starts with Text
	Contains          // the field holds Text
	TokenPrefix       // one of the field's tokens begins with Text
	Regexp            // the regular expression Text matches somewhere in the field
	And               // all Kids
	Or                // one of Kids
	Not               // not Kids[0]
)

// Field names a column, a key of attrs, or what a JSON path finds in a column's texts.
type Field struct {
	Column string // empty: Key is a key of attrs
	Key    string
	Path   string // empty: the column itself; else $, ['name'] and [0] as often as needed
}

// Node is a predicate.
type Node struct {
	Op     Op
	Field  Field
	Text   string
	Values []Value
	Kids   []*Node

	// Source, if not empty, is the search text of this node; otherwise it is printed from the rest.
	Source string
}

// Query is a predicate within a window of time.
type Query struct {
	Where    *Node
	From, To time.Time // [From, To); zero is open
}

// compiled is a predicate ready to be evaluated.
type compiled func(*rowView) bool

// compile turns a node into a function, and collects in p what the rows must be tokenised for.
func compile(p *plan, n *Node) compiled {
	switch n.Op {
	case All:
		return func(*rowView) bool { return true }
	case And, Or, Not:
		return compileTree(p, n)
	case HasToken, Phrase:
		return compileTokens(p, n)
	}
	get := p.getter(n.Field)
	test := cellTest(n)
	return func(v *rowView) bool {
		cell := get(v.row)
		if n.Op == IsNull {
			return !cell.Known
		}
		return cell.Known && test(cell)
	}
}

func compileTree(p *plan, n *Node) compiled {
	kids := make([]compiled, len(n.Kids))
	for i, kid := range n.Kids {
		kids[i] = compile(p, kid)
	}
	if n.Op == Not {
		return func(v *rowView) bool { return !kids[0](v) }
	}
	stop := n.Op == Or // the answer of a kid that settles it
	return func(v *rowView) bool {
		for _, kid := range kids {
			if kid(v) == stop {
				return stop
			}
		}
		return !stop
	}
}

// cellTest returns the test of a known cell.
func cellTest(n *Node) func(Value) bool {
	switch n.Op {
	case Prefix:
		return func(v Value) bool { return strings.HasPrefix(v.Text, n.Text) }
	case Contains:
		return func(v Value) bool { return strings.Contains(v.Text, n.Text) }
	case TokenPrefix:
		return func(v Value) bool { return hasTokenPrefix(v.Text, n.Text) }
	case Regexp:
		expr := regexp.MustCompile(n.Text)
		return func(v Value) bool { return expr.MatchString(v.Text) }
	case In, Equal:
		return func(v Value) bool {
			for _, want := range n.Values {
				if compare(v, want) == 0 {
					return true
				}
			}
			return false
		}
	case Less:
		return func(v Value) bool { return compare(v, n.Values[0]) < 0 }
	case LessOrEqual:
		return func(v Value) bool { return compare(v, n.Values[0]) <= 0 }
	case Greater:
		return func(v Value) bool { return compare(v, n.Values[0]) > 0 }
	case GreaterOrEqual:
		return func(v Value) bool { return compare(v, n.Values[0]) >= 0 }
	case Between:
		return func(v Value) bool { return compare(v, n.Values[0]) >= 0 && compare(v, n.Values[1]) <= 0 }
	}
	return func(Value) bool { return false }
}

// compileTokens compiles HasToken and Phrase.
func compileTokens(p *plan, n *Node) compiled {
	source := p.source(n.Field)
	var want []int32
	for _, token := range Tokens(n.Text) {
		want = append(want, p.dictionary.add(token))
	}
	return func(v *rowView) bool {
		have := v.tokens(source)
		for _, id := range want {
			if !have.has(id) {
				return false
			}
		}
		if len(want) < 2 {
			return len(want) == 1
		}
		return containsRun(have.sequence, want)
	}
}

// containsRun says whether want stands in sequence, unbroken.
func containsRun(sequence, want []int32) bool {
	for start := 0; start+len(want) <= len(sequence); start++ {
		i := 0
		for i < len(want) && sequence[start+i] == want[i] {
			i++
		}
		if i == len(want) {
			return true
		}
	}
	return false
}
