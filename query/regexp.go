package query

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// Bounds of regular expressions. One of maxRegexpSize instructions takes some microseconds a byte of text at worst.
const (
	maxRegexpBytes = 8 << 10
	maxRegexpSize  = 5_000
)

// compileRegexp compiles a regular expression of bounded size. Matching takes time linear in the text, and at most maxRegexpSize steps a byte of it.
func compileRegexp(expr string) (*regexp.Regexp, error) {
	if len(expr) > maxRegexpBytes {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(expr), maxRegexpBytes)
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, shortRegexpError(err)
	}
	if size := regexpSize(tree); size > maxRegexpSize {
		return nil, fmt.Errorf("its repetitions would make it %d steps long, more than %d; repeat less", size, maxRegexpSize)
	}
	return regexp.Compile(expr)
}

// shortRegexpError returns an error of syntax.Parse without the whole expression.
func shortRegexpError(err error) error {
	var bad *syntax.Error
	if errors.As(err, &bad) {
		return regexpError{bad}
	}
	return err
}

// regexpError is an error of package syntax that shows no more than a piece of the expression.
type regexpError struct{ bad *syntax.Error }

// Error says what is wrong with which piece.
func (e regexpError) Error() string {
	piece := []rune(e.bad.Expr)
	if len(piece) > 40 {
		piece = append(piece[:40], '…')
	}
	return e.bad.Code.String() + ": " + string(piece)
}

// Unwrap returns the error of package syntax.
func (e regexpError) Unwrap() error { return e.bad }

// regexpSize is about how many instructions a regular expression is compiled to. What syntax.Parse accepts keeps it far from overflowing.
func regexpSize(tree *syntax.Regexp) int {
	size := 1
	for _, sub := range tree.Sub {
		size += regexpSize(sub)
	}
	switch tree.Op {
	case syntax.OpLiteral:
		size = len(tree.Rune)
	case syntax.OpRepeat:
		size *= max(tree.Min, tree.Max, 1)
	}
	return size
}

// normalExpr returns a regular expression of the same meaning that can be written between slashes, as normal form has it.
func normalExpr(expr string) string {
	odd := expr == "" || strings.Contains(expr, `\Q`) || strings.Contains(expr, `\/`) || expr != strings.TrimSpace(expr)
	if !odd {
		return expr
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return expr
	}
	expr = tree.String()
	if trimmed := strings.TrimLeft(expr, " "); trimmed != expr {
		expr = strings.Repeat(`\x20`, len(expr)-len(trimmed)) + trimmed
	}
	if trimmed := strings.TrimRight(expr, " "); trimmed != expr {
		expr = trimmed + strings.Repeat(`\x20`, len(expr)-len(trimmed))
	}
	return expr
}

// regexpMatcher searches texts for a regular expression. It is safe for concurrent use.
type regexpMatcher struct {
	regexp *regexp.Regexp
	// One of needles or folded is in every text that matches. Both nil: that is not known.
	needles [][]byte
	folded  []*foldedNeedle
	enough  bool // a text with one of them matches
}

// newRegexpMatcher returns a matcher, and the evidence of texts that match.
func newRegexpMatcher(expr string) (*regexpMatcher, [][]string, error) {
	compiled, err := compileRegexp(expr)
	if err != nil {
		return nil, nil, err
	}
	m := &regexpMatcher{regexp: compiled}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, nil, err
	}
	groups, enough := requiredLiterals(tree)
	if len(groups) == 0 {
		return m, nil, nil
	}
	m.enough = enough
	for _, l := range bestGroup(groups) {
		if l.fold {
			m.folded = append(m.folded, newFoldedNeedle(l.text))
		} else {
			m.needles = append(m.needles, []byte(l.text))
		}
	}
	return m, evidenceOf(groups), nil
}

// match says whether the expression matches somewhere in the text. The literals that it needs are looked for first, because that is many times as fast.
func (m *regexpMatcher) match(text []byte) bool {
	if len(m.needles)+len(m.folded) > 0 {
		found := slices.ContainsFunc(m.needles, func(n []byte) bool { return bytes.Contains(text, n) }) ||
			slices.ContainsFunc(m.folded, func(n *foldedNeedle) bool { return n.in(text) })
		switch {
		case found && m.enough:
			return true
		case !found && !(m.isExotic() && hasExotic(text)):
			return false
		}
	}
	return m.regexp.Match(text)
}

// isExotic says whether a needle may be there in characters that it is not found in.
func (m *regexpMatcher) isExotic() bool {
	return slices.ContainsFunc(m.folded, func(n *foldedNeedle) bool { return n.exotic })
}
