package query

import (
	"regexp/syntax"
	"strings"
)

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
