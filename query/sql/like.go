package sql

import (
	"fmt"
	"strings"
	"unicode/utf8"

	clickhouse "github.com/AfterShip/clickhouse-sql-parser/parser"

	"github.com/firnlog/firn/query"
)

// like translates [NOT] LIKE and ILIKE.
func (t *translator) like(e *clickhouse.BinaryOperation, fold, want bool) query.Predicate {
	c := t.textColumn(e.LeftExpr)
	literal, ok := unwrap(e.RightExpr).(*clickhouse.StringLiteral)
	if !ok {
		t.fail(start(e.RightExpr), "expected a pattern in 'single quotes', with %% for any text and _ for any character")
		return nil
	}
	pattern := t.token(literal.LiteralPos)
	escape, explicit := t.escape[t.at[int(literal.LiteralPos)]]
	if !explicit && strings.Contains(pattern.text, `\`) {
		t.fail(pattern.start, `engines differ on a backslash in a pattern: write ESCAPE '\' behind it `+
			`if it takes the next character literally, ESCAPE '' if it is a character like any other`)
		return nil
	}
	if utf8.RuneCountInString(escape) > 1 {
		t.fail(pattern.start, "expected one character behind ESCAPE")
		return nil
	}
	parts, err := likeParts(pattern.text, escape)
	if err != nil {
		t.fail(pattern.start, "%s", err)
		return nil
	}
	p := parts.Match(c, fold)
	if exists, ok := p.(query.Not); ok { // the column has a text: this is unknown for no row, but false for none that has one
		if !want {
			return never()
		}
		return exists
	}
	return leaf(p, c, want)
}

// likeParts cuts a pattern at its wildcards.
func likeParts(pattern, escape string) (parts query.Wildcards, err error) {
	for rest := pattern; rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		switch {
		case escape != "" && strings.HasPrefix(rest, escape):
			rest = rest[len(escape):]
			r, n = utf8.DecodeRuneInString(rest)
			if rest == "" || r != '%' && r != '_' && !strings.HasPrefix(rest, escape) {
				return nil, fmt.Errorf("expected %%, _ or %s behind the %s of this pattern", escape, escape)
			}
			parts.Add(rest[:n])
		case r == '%':
			parts.AddAny(query.AnyText)
		case r == '_':
			parts.AddAny(query.AnyCharacter)
		default:
			parts.Add(rest[:n])
		}
		rest = rest[n:]
	}
	return parts, nil
}
