package sql

import (
	"strings"
	"time"

	clickhouse "github.com/AfterShip/clickhouse-sql-parser/parser"

	"github.com/firnlog/firn/index/expression"
	"github.com/firnlog/firn/query"
)

// unwrap takes away parentheses around one expression, and the wrapper of list elements without an alias.
func unwrap(e clickhouse.Expr) clickhouse.Expr {
	for {
		switch x := e.(type) {
		case *clickhouse.ParamExprList:
			if x.ColumnArgList != nil || x.Items == nil || x.Items.HasDistinct || len(x.Items.Items) != 1 {
				return e
			}
			e = x.Items.Items[0]
		case *clickhouse.ColumnExpr:
			if x.Alias != nil {
				return e
			}
			e = x.Expr
		default:
			return e
		}
	}
}

// isWord says whether the name is one of these words, without quotes.
func (t *translator) isWord(id *clickhouse.Ident, words ...string) bool {
	i, ok := t.at[int(id.NamePos)]
	if !ok || t.tokens[i].kind != wordToken {
		return false
	}
	for _, w := range words {
		if t.tokens[i].is(w) {
			return true
		}
	}
	return false
}

func (t *translator) isNullWord(e clickhouse.Expr) bool {
	id, ok := unwrap(e).(*clickhouse.Ident)
	return ok && t.isWord(id, "NULL")
}

// text returns the text of a literal in single quotes.
func (t *translator) text(e clickhouse.Expr) (string, bool) {
	literal, ok := unwrap(e).(*clickhouse.StringLiteral)
	if !ok {
		return "", false
	}
	if _, isSpan := t.spans[t.at[int(literal.LiteralPos)]]; isSpan {
		return "", false
	}
	return t.token(literal.LiteralPos).text, true
}

// numberText returns a number as it is written, with its sign. The library takes a sign for a part of some numbers.
func (t *translator) numberText(n *clickhouse.NumberLiteral) string {
	i, ok := t.ends[int(n.NumEnd)]
	if !ok || t.tokens[i].kind != numberToken {
		t.fail(int(n.NumPos), "this number is not understood")
		return ""
	}
	t.used[i] = true
	return strings.TrimSuffix(n.Literal, t.tokens[i].text) + t.tokens[i].text
}

// value reads what a column is compared with: a text, a whole number that fits into 64 bits, another number, a bool, or a moment as seen from now.
func (t *translator) value(e clickhouse.Expr) any {
	e = unwrap(e)
	switch e := e.(type) {
	case *clickhouse.StringLiteral:
		if text, ok := t.text(e); ok {
			return text
		}
		t.fail(start(e), "an interval is no value; write now() - INTERVAL '15' MINUTE")
		return nil
	case *clickhouse.NumberLiteral:
		return number(t.numberText(e))
	case *clickhouse.UnaryExpr:
		if n, ok := unwrap(e.Expr).(*clickhouse.NumberLiteral); ok && (e.Kind == "-" || e.Kind == "+") {
			text := t.numberText(n)
			if e.Kind == "-" {
				text = strings.TrimPrefix("-"+text, "--")
			}
			return number(text)
		}
	case *clickhouse.Ident:
		switch {
		case t.isWord(e, "TRUE"):
			return true
		case t.isWord(e, "FALSE"):
			return false
		case t.isWord(e, "CURRENT_TIMESTAMP", "LOCALTIMESTAMP"):
			return query.Ago(0)
		}
	case *clickhouse.FunctionExpr, *clickhouse.BinaryOperation:
		if ago, ok := t.moment(e); ok {
			return ago
		}
	case *clickhouse.SubQuery, *clickhouse.SelectQuery:
		t.refuse(e.Pos(), "subqueries", "a statement here has one SELECT")
		return nil
	case *clickhouse.CastExpr:
		t.fail(start(e), "firn converts values to the type of their column by itself: write the value without CAST")
		return nil
	}
	if _, isColumn := t.column(e); isColumn {
		t.fail(start(e), "%s", notRun("comparisons of two columns", "a column is compared with a value; texts are written in 'single quotes'"))
		return nil
	}
	t.fail(start(e), "expected a value: 'a text', a number, TRUE, FALSE, or now() - INTERVAL '15' MINUTE")
	return nil
}

// number reads a number that is written well.
func number(text string) any {
	n, ok := query.ParseNumber(text)
	if !ok {
		return text
	}
	return n
}

// moment reads now(), and now() minus or plus intervals.
func (t *translator) moment(e clickhouse.Expr) (query.Ago, bool) {
	switch e := unwrap(e).(type) {
	case *clickhouse.FunctionExpr:
		args, plain := arguments(e)
		name := plainName(t.functionName(e))
		return 0, plain && len(args) == 0 && (name == "now" || name == "currenttimestamp")
	case *clickhouse.Ident:
		return 0, t.isWord(e, "CURRENT_TIMESTAMP", "LOCALTIMESTAMP")
	case *clickhouse.BinaryOperation:
		if e.Operation != "-" && e.Operation != "+" {
			return 0, false
		}
		base, ok := t.moment(e.LeftExpr)
		if !ok {
			return 0, false
		}
		length, ok := t.span(e.RightExpr)
		if !ok {
			return 0, true // span told the error
		}
		if e.Operation == "+" {
			length = -length
		}
		sum := time.Duration(base) + length
		if length > 0 && sum < time.Duration(base) || length < 0 && sum > time.Duration(base) {
			t.fail(start(e), "the interval is too long")
		}
		return query.Ago(sum), true
	}
	return 0, false
}

// interval returns the INTERVAL that was taken out of the statement at this place, if there was one.
func (t *translator) interval(e clickhouse.Expr) (i interval, ok bool) {
	at := -1
	switch e := unwrap(e).(type) {
	case *clickhouse.StringLiteral:
		at = t.at[int(e.LiteralPos)]
	case *clickhouse.NumberLiteral:
		at = t.ends[int(e.NumEnd)]
	}
	if i, ok = t.spans[at]; ok {
		t.used[at] = true
	}
	return i, ok
}

// span reads an interval of fixed length.
func (t *translator) span(e clickhouse.Expr) (time.Duration, bool) {
	i, ok := t.interval(e)
	if !ok {
		t.fail(start(e), "expected an interval, as in now() - INTERVAL '15' MINUTE")
		return 0, false
	}
	length, err := i.duration()
	if err != nil {
		t.fail(start(e), "%s", err)
		return 0, false
	}
	return length, true
}

func validPath(path string) bool {
	_, err := expression.ParsePath(path)
	return err == nil && path != "$" // which search text cannot say
}
