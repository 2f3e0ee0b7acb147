// Package sql reads a SELECT statement into a query.Query: the SQL-like one of firn's languages.
//
//	SELECT level, count(*) AS n FROM logs
//	WHERE has_token(log_msg, 'timeout') AND _timestamp >= now() - INTERVAL '15' MINUTE
//	GROUP BY level ORDER BY n DESC LIMIT 10
//
// docs/QUERY.md tells the language. What firn does not run is refused with a message that names it, its place, and engines that run it on the same table.
//
// # Nulls
//
// SQL's conditions are true, false or unknown, and a condition on a missing value is unknown; so is NOT of it. WHERE keeps the rows for which it is
// true. The conditions of package query are true or false. Parse keeps SQL's meaning: it moves NOT down to the single conditions, where
//
//	status <> 500          becomes  status:* AND NOT status:500
//	NOT has_token(m, 'x')  becomes  m:* AND NOT m:"x"
//	NOT status >= 500      becomes  status<500
//
// The conditions of package query are said by IS DISTINCT FROM (which is true for a missing value) and, of any condition, by IS NOT TRUE:
//
//	status IS DISTINCT FROM 500           becomes  NOT status:500
//	has_token(m, 'x') IS NOT TRUE         becomes  NOT m:"x"
//
// The grammar is read by github.com/AfterShip/clickhouse-sql-parser. It gets no text that it could stumble over: this package cuts the text into tokens
// by itself, bounds length and nesting, takes texts and quoted names out, and rewrites what that library does not know (ESCAPE, IS DISTINCT FROM, WITHIN
// GROUP, DATE '…' and intervals).
package sql

import (
	"errors"
	"fmt"
	"strings"

	clickhouse "github.com/AfterShip/clickhouse-sql-parser/parser"

	"github.com/firnlog/firn/query"
)

// Parse reads one SELECT statement. Query.Table is what FROM says, with a dot between namespace and name; everything else is normalized. Errors are of
// type *query.SyntaxError.
func Parse(text string) (query.Query, error) {
	p, err := prepare(text)
	if err != nil {
		return query.Query{}, err
	}
	statement, err := p.parse()
	if err != nil {
		return query.Query{}, err
	}
	t := &translator{prepared: p, used: map[int]bool{}}
	q := t.statement(statement)
	t.checkUsed()
	if t.err != nil {
		return query.Query{}, t.err
	}
	return q.Normalize(), nil
}

// parse asks the library. A panic of it is an error here: it reads what users type.
func (p *prepared) parse() (statement *clickhouse.SelectQuery, err error) {
	defer func() {
		if r := recover(); r != nil {
			statement, err = nil, fail(p.source, 0, fmt.Sprintf("this statement is not understood (%v); write a simpler one", r))
		}
	}()
	if last := p.tokens[len(p.tokens)-1]; last.kind == symbolToken && !last.is(")") && !last.is("]") && !last.is("*") {
		return nil, fail(p.source, last.end, fmt.Sprintf("expected more behind %q", last.text))
	}
	statements, err := clickhouse.NewParser(p.text).ParseStmts()
	if err != nil {
		return nil, p.translateError(err)
	}
	if len(statements) == 1 {
		if s, ok := statements[0].(*clickhouse.SelectQuery); ok {
			return s, nil
		}
	}
	return nil, fail(p.source, len(p.source), "expected a list of columns, and FROM with a table")
}

// translateError makes an error of the library one of ours.
func (p *prepared) translateError(err error) error {
	var parse *clickhouse.ParseError
	if !errors.As(err, &parse) {
		return fail(p.source, 0, err.Error())
	}
	offset := min(max(int(parse.Pos), 0), len(p.source))
	got := "the statement ends here"
	if i, ok := p.at[offset]; ok {
		t := p.tokens[i]
		offset, got = t.start, fmt.Sprintf("%q does not fit here", p.source[t.start:t.end])
	}
	switch {
	case parse.Keyword != "":
		got = fmt.Sprintf("expected %s; %s", parse.Keyword, got)
	case len(parse.Expected) > 0:
		got = fmt.Sprintf("expected %s; %s", kindName(string(parse.Expected[0])), got)
	case strings.Contains(parse.Msg, "<EOF>"):
		got += "; a statement is SELECT … FROM … WHERE … GROUP BY … ORDER BY … LIMIT …, in this order"
	}
	return fail(p.source, offset, got)
}

func kindName(kind string) string {
	names := map[string]string{"<ident>": "a name", "<string>": "a text in 'single quotes'", "<int>": "a number", "<keyword>": "a keyword"}
	if name, ok := names[kind]; ok {
		return name
	}
	return kind
}

// translator makes a Query of a parsed statement. The first error sticks.
type translator struct {
	*prepared
	qualifiers []string // of columns: the name of the table, and its alias
	used       map[int]bool
	err        error
}

// fail tells an error; a place behind a quote is taken for that of the quote.
func (t *translator) fail(offset int, format string, args ...any) {
	if i, ok := t.at[offset]; ok {
		offset = t.tokens[i].start
	}
	if t.err == nil {
		t.err = fail(t.source, offset, fmt.Sprintf(format, args...))
	}
}

// refuse fails at what is not run.
func (t *translator) refuse(offset clickhouse.Pos, construct, why string) {
	t.fail(int(offset), "%s", notRun(construct, why))
}

// token returns what the user wrote at a place that the library tells.
func (t *translator) token(at clickhouse.Pos) token {
	i, ok := t.at[int(at)]
	if !ok {
		t.fail(int(at), "this is not understood")
		return token{}
	}
	t.used[i] = true
	return t.tokens[i]
}

// checkUsed fails if a value or a quoted name of the statement got lost in parsing.
func (t *translator) checkUsed() {
	for i, token := range t.tokens {
		if token.kind != symbolToken && token.kind != wordToken && !t.used[i] {
			t.fail(token.start, "this is not understood here")
		}
	}
}

// start returns where an expression begins.
func start(e clickhouse.Expr) int { return int(e.Pos()) }
