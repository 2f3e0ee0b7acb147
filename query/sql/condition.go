package sql

import (
	"regexp"
	"slices"
	"strings"

	clickhouse "github.com/AfterShip/clickhouse-sql-parser/parser"

	"github.com/firnlog/firn/query"
)

// never is the condition that no row fulfils.
func never() query.Predicate { return query.Not{X: query.All{}} }

// condition returns the predicate that is true for the rows for which the SQL condition is true or, if want is false, for which it is false. For the
// rows for which it is unknown both are false.
func (t *translator) condition(e clickhouse.Expr, want bool) query.Predicate {
	switch e := unwrap(e).(type) {
	case *clickhouse.UnaryExpr:
		if string(e.Kind) == "NOT" {
			return t.condition(e.Expr, !want)
		}
	case *clickhouse.BinaryOperation:
		return t.binary(e, want)
	case *clickhouse.BetweenClause:
		return t.between(e, want)
	case *clickhouse.IsNullExpr:
		return t.isNull(e.Expr, want)
	case *clickhouse.IsNotNullExpr:
		return t.isNull(e.Expr, !want)
	case *clickhouse.FunctionExpr:
		if p, ok := t.predicateFunction(e, want); ok {
			return p
		}
	case *clickhouse.WindowFunctionExpr:
		t.refuse(e.Pos(), "window functions", "it groups rows by GROUP BY alone")
		return nil
	case *clickhouse.CaseExpr:
		t.refuse(e.Pos(), "CASE", "conditions are joined by AND and OR")
		return nil
	case *clickhouse.Ident:
		if t.isWord(e, "TRUE", "FALSE") {
			if (strings.EqualFold(e.Name, "TRUE")) == want {
				return query.All{}
			}
			return never()
		}
	}
	if c, ok := t.column(e); ok {
		return query.Equal{Column: c, Value: want} // a column of bools
	}
	t.fail(start(e), "expected a condition, like level = 'error' or has_token(log_msg, 'timeout')")
	return nil
}

// leaf returns the condition p on a column, or that it is false: which it is not for a missing value.
func leaf(p query.Predicate, c query.Column, want bool) query.Predicate {
	if want {
		return p
	}
	return query.And{query.Not{X: query.IsNull{Column: c}}, query.Not{X: p}}
}

func (t *translator) isNull(e clickhouse.Expr, want bool) query.Predicate {
	c, ok := t.column(e)
	if !ok {
		t.fail(start(e), "expected the name of a column before IS")
	}
	if want {
		return query.IsNull{Column: c}
	}
	return query.Not{X: query.IsNull{Column: c}}
}

func (t *translator) binary(e *clickhouse.BinaryOperation, want bool) query.Predicate {
	switch op := strings.ToUpper(string(e.Operation)); op {
	case "AND", "OR":
		return t.joined(e, op, want)
	case "=", "==":
		return t.equal(e, want)
	case "<>", "!=":
		return t.equal(e, !want)
	case "<", "<=", ">", ">=":
		return t.compare(e, query.Op(op), want)
	case "IN", "NOT IN":
		return t.in(e, want == (op == "IN" && !e.HasNot))
	case "LIKE", "NOT LIKE":
		return t.like(e, false, want == (op == "LIKE" && !e.HasNot))
	case "ILIKE", "NOT ILIKE":
		return t.like(e, true, want == (op == "ILIKE" && !e.HasNot))
	case "REGEXP":
		c := t.textColumn(e.LeftExpr)
		return leaf(query.Regexp{Column: c, Expr: t.regexp(e.RightExpr)}, c, want)
	case isDistinctFrom, isNotDistinctFrom:
		return t.distinct(e, want == (op == isNotDistinctFrom))
	case "+", "-", "*":
		t.refuse(e.Pos(), "arithmetic", "conditions compare a column with a value")
		return nil
	default:
		t.refuse(e.Pos(), op, "it knows AND, OR, NOT, =, <>, <, <=, >, >=, IN, BETWEEN, LIKE, ILIKE and IS NULL")
		return nil
	}
}

// joined translates a chain of ANDs or ORs. Chains lean to the left, and are walked without recursion, however long they are.
func (t *translator) joined(e *clickhouse.BinaryOperation, op string, want bool) query.Predicate {
	var list []query.Predicate
	var next clickhouse.Expr = e
	for {
		b, ok := next.(*clickhouse.BinaryOperation)
		if !ok || !strings.EqualFold(string(b.Operation), op) {
			break
		}
		list = append(list, t.condition(b.RightExpr, want))
		next = b.LeftExpr
	}
	list = append(list, t.condition(next, want))
	slices.Reverse(list)
	if (op == "AND") == want {
		return query.And(list)
	}
	return query.Or(list)
}

// sides returns the column and the expression that it is compared with, and whether they were written the other way round.
func (t *translator) sides(e *clickhouse.BinaryOperation) (c query.Column, value clickhouse.Expr, swapped, ok bool) {
	if c, ok = t.column(e.LeftExpr); ok {
		return c, e.RightExpr, false, true
	}
	if c, ok = t.column(e.RightExpr); ok {
		return c, e.LeftExpr, true, true
	}
	if f, isFunction := unwrap(e.LeftExpr).(*clickhouse.FunctionExpr); isFunction {
		t.functionInComparison(f)
	} else {
		t.fail(start(e), "expected a comparison of a column with a value")
	}
	return c, nil, false, false
}

func (t *translator) equal(e *clickhouse.BinaryOperation, want bool) query.Predicate {
	if p, ok := t.constant(e, want); ok {
		return p
	}
	c, value, _, ok := t.sides(e)
	if !ok {
		return nil
	}
	if t.isNullWord(value) {
		t.fail(start(value), "a comparison with NULL is never true; write IS NULL or IS NOT NULL")
		return nil
	}
	return leaf(t.equals(c, value), c, want)
}

// equals returns the condition that the column holds the value, or has the pattern.
func (t *translator) equals(c query.Column, e clickhouse.Expr) query.Predicate {
	v := t.value(e)
	of, isPattern := strings.CutPrefix(c.Name, patternField+".")
	if c.Name == patternField {
		of, isPattern = messageColumn, true
	}
	if _, isAgo := v.(query.Ago); isAgo {
		t.fail(start(e), "a moment is hit by no row; compare with >= or <")
	}
	if !isPattern || c.Key != "" || c.Path != "" {
		return query.Equal{Column: c, Value: v}
	}
	text, _ := v.(string)
	id, err := query.ParsePatternID(text)
	if err != nil {
		t.fail(start(e), "expected the id of a pattern: 16 hexadecimal digits, as firn patterns prints them")
	}
	return query.HasPattern{Column: query.Col(of), ID: id}
}

// constant translates 1 = 1 and the like, with which programs begin a chain of ANDs.
func (t *translator) constant(e *clickhouse.BinaryOperation, want bool) (query.Predicate, bool) {
	left, ok := unwrap(e.LeftExpr).(*clickhouse.NumberLiteral)
	right, ok2 := unwrap(e.RightExpr).(*clickhouse.NumberLiteral)
	if !ok || !ok2 {
		return nil, false
	}
	if (t.value(left) == t.value(right)) == want {
		return query.All{}, true
	}
	return never(), true
}

// compare translates <, <=, > and >=. What is not less is greater or equal, unless it is missing.
func (t *translator) compare(e *clickhouse.BinaryOperation, op query.Op, want bool) query.Predicate {
	c, value, swapped, ok := t.sides(e)
	if !ok {
		return nil
	}
	if t.isNullWord(value) {
		t.fail(start(value), "a comparison with NULL is never true; write IS NULL or IS NOT NULL")
		return nil
	}
	if swapped {
		op = map[query.Op]query.Op{"<": ">", ">": "<", "<=": ">=", ">=": "<="}[op]
	}
	if !want {
		op = inverse[op]
	}
	return query.Compare{Column: c, Op: op, Value: t.value(value)}
}

// inverse holds for each operator the one that is true where it is false.
var inverse = map[query.Op]query.Op{"<": ">=", ">": "<=", "<=": ">", ">=": "<"}

func (t *translator) between(e *clickhouse.BetweenClause, want bool) query.Predicate {
	c, ok := t.column(e.Expr)
	if !ok {
		t.fail(start(e), "expected the name of a column before BETWEEN")
		return nil
	}
	if t.isNullWord(e.Between) || t.isNullWord(e.And) {
		t.fail(start(e.Between), "BETWEEN with NULL is never true; compare with one end alone")
		return nil
	}
	low, high := t.value(e.Between), t.value(e.And)
	_, ago := low.(query.Ago)
	_, agoToo := high.(query.Ago)
	switch {
	case want == e.Not: // it is outside
		return query.Or{query.Compare{Column: c, Op: query.Less, Value: low}, query.Compare{Column: c, Op: query.Greater, Value: high}}
	case ago || agoToo:
		return query.And{query.Compare{Column: c, Op: query.GreaterOrEqual, Value: low}, query.Compare{Column: c, Op: query.LessOrEqual, Value: high}}
	}
	return query.Between{Column: c, Low: low, High: high}
}

func (t *translator) in(e *clickhouse.BinaryOperation, want bool) query.Predicate {
	c, ok := t.column(e.LeftExpr)
	if !ok {
		t.fail(start(e.LeftExpr), "expected the name of a column before IN")
		return nil
	}
	list, ok := e.RightExpr.(*clickhouse.ParamExprList)
	if !ok || list.ColumnArgList != nil || list.Items == nil || list.Items.HasDistinct {
		t.fail(start(e.RightExpr), "expected a list of values in parentheses: IN ('a', 'b')")
		return nil
	}
	if len(list.Items.Items) == 0 {
		t.fail(start(list), "the list of values is empty")
		return nil
	}
	or := make(query.Or, 0, len(list.Items.Items))
	values := make([]any, 0, len(list.Items.Items))
	for _, item := range list.Items.Items {
		if t.isNullWord(item) {
			t.fail(start(item), "NULL in a list of values: write OR %s IS NULL instead", c)
			return nil
		}
		p := t.equals(c, item)
		or = append(or, p)
		if equal, ok := p.(query.Equal); ok {
			values = append(values, equal.Value)
		}
	}
	if len(values) < len(or) {
		return leaf(or, c, want)
	}
	return leaf(query.In{Column: c, Values: values}, c, want)
}

// distinct translates IS [NOT] DISTINCT FROM a value, and IS [NOT] TRUE and FALSE, which are never unknown. same is what is asked for.
func (t *translator) distinct(e *clickhouse.BinaryOperation, same bool) query.Predicate {
	not := func(p query.Predicate) query.Predicate {
		if same {
			return p
		}
		return query.Not{X: p}
	}
	c, ok := t.column(e.LeftExpr)
	if !ok {
		if id, isIdent := e.RightExpr.(*clickhouse.Ident); isIdent && t.isWord(id, "TRUE", "FALSE") {
			return not(t.condition(e.LeftExpr, strings.EqualFold(id.Name, "TRUE")))
		}
		t.fail(start(e), "expected the name of a column before IS, or a condition in parentheses before IS TRUE")
		return nil
	}
	if t.isNullWord(e.RightExpr) {
		return not(query.IsNull{Column: c})
	}
	return not(t.equals(c, e.RightExpr))
}

// textColumn reads a column in a place where no value may stand.
func (t *translator) textColumn(e clickhouse.Expr) query.Column {
	c, ok := t.column(e)
	if !ok {
		t.fail(start(e), "expected the name of a column here")
	}
	return c
}

// regexp reads a regular expression, and checks it, so that its place is told if it is none.
func (t *translator) regexp(e clickhouse.Expr) string {
	text, ok := t.text(e)
	if !ok {
		t.fail(start(e), "expected a regular expression in 'single quotes'")
		return ""
	}
	if _, err := regexp.Compile(text); err != nil {
		t.fail(start(e), "%s; the syntax is that of RE2", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return text
}
