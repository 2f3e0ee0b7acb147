package sql

import (
	"slices"
	"strconv"
	"strings"

	clickhouse "github.com/AfterShip/clickhouse-sql-parser/parser"

	"github.com/firnlog/firn/query"
)

// item is one expression behind SELECT, GROUP BY or ORDER BY.
type item struct {
	at        int
	alias     string
	star      bool
	aggregate query.Aggregate // if its Function is set
	group     query.Group     // otherwise
}

func (i item) isAggregate() bool { return i.aggregate.Function != "" }

// columns puts together what a statement returns: its list behind SELECT, GROUP BY and ORDER BY.
type columns struct {
	*translator
	items      []item
	groups     []query.Group
	aggregates []query.Aggregate
	hidden     bool // there are aggregates that only ORDER BY names
}

func (c *columns) selectItems(s *clickhouse.SelectQuery) {
	for _, e := range s.SelectItems {
		if len(e.Modifiers) > 0 {
			c.refuse(e.Modifiers[0].Pos(), "EXCEPT, REPLACE and APPLY", "name the columns")
		}
		i := c.item(e.Expr)
		if e.Alias != nil {
			i.alias = c.name(e.Alias)
		}
		c.items = append(c.items, i)
	}
	if len(c.items) == 0 {
		c.fail(int(s.SelectPos), "expected * or columns behind SELECT")
	}
	if !s.HasDistinct || c.err != nil {
		return
	}
	if s.GroupBy != nil || slices.ContainsFunc(c.items, func(i item) bool { return i.star || i.isAggregate() }) {
		c.fail(int(s.SelectPos), "SELECT DISTINCT is followed by columns, without *, functions and GROUP BY")
		return
	}
	for _, i := range c.items {
		c.addGroup(i)
	}
}

// item reads an expression without its alias.
func (c *columns) item(e clickhouse.Expr) item {
	e = unwrap(e)
	i := item{at: start(e)}
	switch x := e.(type) {
	case *clickhouse.Ident:
		i.star = x.Name == "*"
	case *clickhouse.NestedIdentifier:
		i.star = x.DotIdent != nil && x.DotIdent.Name == "*"
	case *clickhouse.WindowFunctionExpr:
		c.refuse(x.Pos(), "window functions", "it groups rows by GROUP BY alone")
	case *clickhouse.FunctionExpr:
		name := plainName(c.functionName(x))
		if make, ok := aggregates[name]; ok {
			i.aggregate = make(c.translator, x)
			return i
		}
		if _, ok := groupFunctions[name]; ok {
			i.group = c.bucket(x, name)
			return i
		}
		if _, ok := columnFunctions[name]; !ok {
			c.notForSelect(x, name)
		}
	}
	if i.star {
		return i
	}
	column, ok := c.column(e)
	if !ok {
		c.fail(i.at, "%s", notRun("expressions", "expected a column, or a function like count(*) or date_trunc('hour', _timestamp)"))
	}
	i.group = query.Group{Column: column}
	return i
}

// notForSelect fails at a function that is no column.
func (c *columns) notForSelect(f *clickhouse.FunctionExpr, name string) {
	if _, ok := predicateFunctions[name]; ok {
		c.fail(start(f), "%s is a condition: it belongs behind WHERE", c.functionName(f))
		return
	}
	c.unknownFunction(f, c.functionName(f))
}

// asked says whether the statement asks for groups.
func (c *columns) asked() bool {
	return len(c.groups) > 0 || slices.ContainsFunc(c.items, item.isAggregate)
}

func (c *columns) groupBy(g *clickhouse.GroupByClause) {
	if g == nil || c.err != nil {
		return
	}
	list, ok := g.Expr.(*clickhouse.ColumnExprList)
	if !ok || g.AggregateType != "" || g.WithCube || g.WithRollup || g.WithTotals {
		c.refuse(g.Pos(), "GROUP BY ALL, CUBE, ROLLUP and GROUPING SETS", "it groups by one list of columns")
		return
	}
	for _, e := range list.Items {
		i := c.resolve(e)
		switch {
		case c.err != nil:
			return
		case i.star || i.isAggregate():
			c.fail(start(e), "rows cannot be grouped by what is counted over them; name a column")
			return
		}
		c.addGroup(i)
	}
	if len(list.Items) == 0 {
		c.fail(start(g), "expected columns behind GROUP BY")
	}
}

// resolve reads an expression of GROUP BY or ORDER BY, which may be the number or the alias of one behind SELECT.
func (c *columns) resolve(e clickhouse.Expr) item {
	inner := unwrap(e)
	if n, ok := inner.(*clickhouse.NumberLiteral); ok {
		at, err := strconv.Atoi(c.numberText(n))
		if err != nil || at < 1 || at > len(c.items) {
			c.fail(start(n), "expected a number from 1 to %d: that of a column behind SELECT", len(c.items))
			return item{}
		}
		return c.items[at-1]
	}
	if id, ok := inner.(*clickhouse.Ident); ok && id.Name != "*" {
		name := c.name(id)
		for _, i := range c.items {
			if i.alias != "" && i.alias == name {
				return i
			}
		}
	}
	i := c.item(inner)
	for _, other := range c.items {
		if other.group == i.group && other.aggregate == i.aggregate && !other.star {
			return other
		}
	}
	return i
}

// addGroup groups by an expression, under its alias.
func (c *columns) addGroup(i item) {
	g := i.group
	g.As = i.alias
	if c.findGroup(i.group) < 0 {
		c.groups = append(c.groups, g)
	}
}

func (c *columns) findGroup(g query.Group) int {
	return slices.IndexFunc(c.groups, func(o query.Group) bool { return o.Column == g.Column && o.Every == g.Every })
}

func (c *columns) findAggregate(a query.Aggregate) int {
	return slices.IndexFunc(c.aggregates, func(o query.Aggregate) bool {
		return o.Function == a.Function && o.Column == a.Column && o.Quantile == a.Quantile
	})
}

// finish fills in the Query.
func (c *columns) finish(q *query.Query, s *clickhouse.SelectQuery) {
	if c.err != nil {
		return
	}
	if !c.asked() {
		q.Columns = c.rowColumns()
		q.OrderBy = c.orderBy(s.OrderBy, func(i item) string { return "" })
		return
	}
	for _, i := range c.items {
		if i.isAggregate() {
			a := i.aggregate
			a.As = i.alias
			if c.findAggregate(a) >= 0 {
				c.fail(i.at, "this column is there twice")
			}
			c.aggregates = append(c.aggregates, a)
		}
	}
	names := c.answerNames()
	q.OrderBy = c.orderBy(s.OrderBy, c.nameOf)
	q.GroupBy, q.Aggregates = c.groups, c.aggregates
	if c.hidden || !slices.Equal(names, c.allNames()) {
		for _, n := range names {
			q.Columns = append(q.Columns, query.Col(n))
		}
	}
}

// rowColumns returns the columns of a question for rows.
func (c *columns) rowColumns() []query.Column {
	var list []query.Column
	for _, i := range c.items {
		switch {
		case i.star && len(c.items) > 1:
			c.fail(i.at, "* stands alone; name the columns, or leave the others out")
		case i.star && i.alias != "":
			c.fail(i.at, "* has no name")
		case i.star:
			return nil
		case i.group.Every != (query.Interval{}):
			c.fail(i.at, "intervals are for groups: add an aggregate like count(*), and GROUP BY")
		case i.alias != "" && i.alias != i.group.Column.String() && i.alias != i.group.Column.Name:
			c.fail(i.at, "columns of rows keep their names here; leave AS out (it names groups and aggregates)")
		}
		list = append(list, i.group.Column)
	}
	return list
}

// nameOf returns the name that an expression has in the answer, or fails.
func (c *columns) nameOf(i item) string {
	if i.isAggregate() {
		if at := c.findAggregate(i.aggregate); at >= 0 {
			return c.aggregates[at].Name()
		}
		c.hidden = true
		c.aggregates = append(c.aggregates, i.aggregate)
		return i.aggregate.Name()
	}
	if at := c.findGroup(i.group); at >= 0 {
		return c.groups[at].Name()
	}
	what := i.group.Column.String()
	if i.star {
		what = "*"
	}
	c.fail(i.at, "%s has many values in a group: write it into GROUP BY too, or an aggregate of it, like max(%s)", what, strings.TrimPrefix(what, "*"))
	return ""
}

// answerNames returns the names of the columns behind SELECT.
func (c *columns) answerNames() []string {
	names := make([]string, 0, len(c.items))
	for _, i := range c.items {
		name := c.nameOf(i)
		if i.alias != "" && i.alias != name && c.err == nil {
			c.fail(i.at, "this column is called %s in the answer already", name)
		}
		if slices.Contains(names, name) {
			c.fail(i.at, "this column is there twice; give it another name with AS")
		}
		names = append(names, name)
	}
	return names
}

func (c *columns) allNames() []string {
	var names []string
	for _, g := range c.groups {
		names = append(names, g.Name())
	}
	for _, a := range c.aggregates {
		names = append(names, a.Name())
	}
	return names
}

// orderBy reads ORDER BY. name gives the name of an expression in the answer; empty: the column itself.
func (c *columns) orderBy(o *clickhouse.OrderByClause, name func(item) string) []query.Sort {
	if o == nil {
		return nil
	}
	if o.Interpolate != nil {
		c.refuse(o.Pos(), "INTERPOLATE", "it returns the groups that there are")
	}
	var list []query.Sort
	for _, e := range o.Items {
		order, ok := e.(*clickhouse.OrderExpr)
		if !ok || order.Fill != nil || order.Alias != nil {
			c.refuse(e.Pos(), "WITH FILL", "it returns the groups that there are")
			return nil
		}
		i := c.resolve(order.Expr)
		s := query.Sort{Column: i.group.Column, Descending: order.Direction == clickhouse.OrderDirectionDesc}
		if n := name(i); n != "" {
			s.Column = query.Col(n)
		} else if i.star || i.isAggregate() || i.group.Every != (query.Interval{}) {
			c.fail(start(order.Expr), "rows are ordered by columns; aggregates and intervals are for groups")
		}
		list = append(list, s)
	}
	return list
}
