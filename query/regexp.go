package query

import (
	"fmt"
	"regexp"
	"regexp/syntax"
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
		return nil, err
	}
	if size := regexpSize(tree); size > maxRegexpSize {
		return nil, fmt.Errorf("its repetitions would make it %d steps long, more than %d; repeat less", size, maxRegexpSize)
	}
	return regexp.Compile(expr)
}

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
