package sql

import (
	"math"
	"strconv"
	"strings"

	clickhouse "github.com/AfterShip/clickhouse-sql-parser/parser"

	"github.com/firnlog/firn/query"
)

// statement translates the whole.
func (t *translator) statement(s *clickhouse.SelectQuery) query.Query {
	t.refuseClauses(s)
	q := query.Query{}
	if s.From == nil {
		t.fail(len(t.source), "expected FROM and the name of a table")
		return q
	}
	q.Table = t.table(s.From.Expr)
	if s.Where != nil {
		q.Where = t.condition(s.Where.Expr, true)
	}
	if t.err != nil {
		return q
	}
	c := &columns{translator: t}
	c.selectItems(s)
	c.groupBy(s.GroupBy)
	c.finish(&q, s)
	q.Limit = t.limit(s.Limit)
	return q
}

// refuseClauses fails at the clauses that have no meaning here.
func (t *translator) refuseClauses(s *clickhouse.SelectQuery) {
	at := clickhouse.Pos(0)
	for _, c := range []struct {
		clause    clickhouse.Expr
		construct string
		why       string
	}{
		{orNil(s.With), "WITH", "a statement here is one SELECT"},
		{orNil(s.Top), "TOP", "write LIMIT at the end"},
		{orNil(s.DistinctOn), "DISTINCT ON", "group with GROUP BY"},
		{orNil(s.Window), "WINDOW", "it groups rows by GROUP BY alone"},
		{orNil(s.Prewhere), "PREWHERE", "write WHERE"},
		{orNil(s.Having), "HAVING", "it returns all groups, in order and up to LIMIT"},
		{orNil(s.LimitBy), "LIMIT BY", "it knows one limit for all rows"},
		{orNil(s.Settings), "SETTINGS", "limits are given beside the statement"},
		{orNil(s.Format), "FORMAT", "the format is given beside the statement"},
		{orNil(s.UnionAll), "UNION", "a statement here has one SELECT"},
		{orNil(s.UnionDistinct), "UNION", "a statement here has one SELECT"},
		{orNil(s.Except), "EXCEPT", "a statement here has one SELECT"},
		{orNil(s.Intersect), "INTERSECT", "a statement here has one SELECT"},
	} {
		if c.clause != nil {
			at = c.clause.Pos()
			t.refuse(at, c.construct, c.why)
		}
	}
	if s.WithTotal {
		t.refuse(s.SelectPos, "WITH TOTALS", "it knows groups alone")
	}
}

// orNil keeps a missing clause from becoming an interface that is not nil.
func orNil[T any, P interface {
	*T
	clickhouse.Expr
}](clause P) clickhouse.Expr {
	if clause == nil {
		return nil
	}
	return clause
}

// table returns the name that FROM says.
func (t *translator) table(e clickhouse.Expr) string {
	join, ok := e.(*clickhouse.JoinTableExpr)
	if !ok {
		at := start(e)
		if j, isJoin := e.(*clickhouse.JoinExpr); isJoin && j.Right != nil {
			at = start(j.Right)
		}
		t.fail(at, "%s", notRun("joins", "a statement here asks one table"))
		return ""
	}
	if join.SampleRatio != nil || join.HasFinal || join.Table.HasFinal {
		t.refuse(join.Pos(), "SAMPLE and FINAL", "it reads all rows, and each once")
	}
	inner := join.Table.Expr
	alias := ""
	if a, ok := inner.(*clickhouse.AliasExpr); ok {
		alias, inner = t.name(a.Alias), a.Expr
	}
	id, ok := inner.(*clickhouse.TableIdentifier)
	if !ok {
		t.fail(start(inner), "%s", notRun("table functions and subqueries", "FROM is followed by the name of a table"))
		return ""
	}
	name := t.name(id.Table)
	t.qualifiers = []string{name}
	if id.Database != nil {
		name = t.name(id.Database) + "." + name
		t.qualifiers = append(t.qualifiers, name)
	}
	if alias != "" {
		t.qualifiers = []string{alias}
	}
	return name
}

// name returns a name as the user wrote it.
func (t *translator) name(e clickhouse.Expr) string {
	id, ok := e.(*clickhouse.Ident)
	if !ok {
		t.fail(start(e), "expected a name")
		return ""
	}
	token := t.token(id.NamePos)
	if token.kind == stringToken {
		t.fail(token.start, `expected a name; 'single quotes' are for texts, "double quotes" for names`)
	}
	return token.text
}

func (t *translator) limit(l *clickhouse.LimitClause) int {
	if l == nil {
		return 0
	}
	if l.Offset != nil {
		t.fail(start(l.Offset), "%s", notRun("OFFSET", "ask for the next rows by a condition on _timestamp"))
		return 0
	}
	number, ok := l.Limit.(*clickhouse.NumberLiteral)
	if !ok {
		t.fail(start(l.Limit), "expected a number of rows")
		return 0
	}
	n, err := strconv.ParseInt(t.numberText(number), 10, 64)
	if err != nil || n < 1 || n > math.MaxInt32 {
		t.fail(start(number), "expected a number of rows from 1 to %d", math.MaxInt32)
	}
	return int(n)
}

// column reads a name, a dotted name, attrs['k'], element_at(attrs, 'k') or a JSON path; ok is false, without an error, for everything else.
func (t *translator) column(e clickhouse.Expr) (c query.Column, ok bool) {
	switch e := unwrap(e).(type) {
	case *clickhouse.Ident:
		if e.Name == "*" || t.isWord(e, "TRUE", "FALSE", "NULL", "CURRENT_TIMESTAMP", "LOCALTIMESTAMP") {
			return c, false
		}
		return query.Col(t.name(e)), true
	case *clickhouse.Path:
		return t.dotted(e), true
	case *clickhouse.ObjectParams:
		if e.Params == nil || e.Params.Items == nil || len(e.Params.Items.Items) != 1 {
			return c, false
		}
		outer, ok := t.column(e.Object)
		if !ok {
			return c, false
		}
		return t.key(outer, e.Params.Items.Items[0]), true
	case *clickhouse.FunctionExpr:
		return t.columnFunction(e)
	}
	return c, false
}

// dotted reads attrs.key, and the name of a key with dots in it; the name of the table may stand before.
func (t *translator) dotted(e *clickhouse.Path) query.Column {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = t.name(f)
	}
	for _, q := range t.qualifiers {
		if n := strings.Count(q, ".") + 1; n < len(parts) && strings.EqualFold(strings.Join(parts[:n], "."), q) {
			parts = parts[n:]
			break
		}
	}
	if len(parts) > 1 && parts[0] == attrsColumn {
		return query.Attr(strings.Join(parts[1:], "."))
	}
	return query.Col(strings.Join(parts, "."))
}

const (
	attrsColumn   = "attrs"
	messageColumn = "log_msg"
	patternField  = "_pattern"
)

// key returns the column of a key of a map.
func (t *translator) key(outer query.Column, e clickhouse.Expr) query.Column {
	text, ok := t.text(e)
	switch {
	case !ok:
		t.fail(start(e), "expected the name of a key, as in attrs['user']")
	case outer.Key != "" || outer.Path != "":
		t.fail(start(e), "the value of a key has no keys itself")
	case text == "":
		t.fail(start(e), "expected the name of a key between the quotes")
	}
	return query.Column{Name: outer.Name, Key: text}
}

// columnFunction reads a function that stands for a column.
func (t *translator) columnFunction(f *clickhouse.FunctionExpr) (c query.Column, ok bool) {
	args, plain := arguments(f)
	name := plainName(t.functionName(f))
	if columnFunctions[name] == "" {
		return c, false
	}
	if !plain || len(args) != 2 {
		t.fail(start(f), "expected %s with two arguments: a column, and a text", f.Name.Name)
		return c, true
	}
	outer, ok := t.column(args[0])
	if !ok {
		t.fail(start(args[0]), "expected the name of a column")
		return c, true
	}
	if name == "elementat" || name == "mapget" {
		return t.key(outer, args[1]), true
	}
	path, ok := t.text(args[1])
	if !ok || outer.Key != "" || outer.Path != "" {
		t.fail(start(args[1]), "expected a JSON path like '$.user.id' within a column of texts")
		return c, true
	}
	c = query.JSONPath(outer.Name, path)
	if !validPath(c.Path) {
		t.fail(start(args[1]), "%q is no JSON path; write it like '$.user.id' or '$.items[0]'", path)
	}
	return c, true
}
