package sql

import (
	"strconv"

	clickhouse "github.com/AfterShip/clickhouse-sql-parser/parser"

	"github.com/firnlog/firn/query"
)

// aggregates are the functions over groups, by plain name.
var aggregates = map[string]func(*translator, *clickhouse.FunctionExpr) query.Aggregate{
	"count":          (*translator).count,
	"min":            simple(query.FuncMin),
	"max":            simple(query.FuncMax),
	"sum":            simple(query.FuncSum),
	"avg":            simple(query.FuncAvg),
	"approxdistinct": simple(query.FuncCountDistinct),
	"median":         median,
	"quantile":       quantile, "quantileexact": quantile, "approxquantile": quantile, "approxpercentile": quantile, "percentilecont": quantile,
	"percentileapprox":    quantile,
	"approxcountdistinct": simple(query.FuncCountDistinct),
}

// count reads count(*), count(1), count(), count(x) and count(DISTINCT x).
func (t *translator) count(f *clickhouse.FunctionExpr) query.Aggregate {
	a := query.Aggregate{Function: query.FuncCount}
	args, plain := arguments(f)
	if f.Params != nil && f.Params.Items != nil && f.Params.Items.HasDistinct && f.Params.ColumnArgList == nil {
		a.Function = query.FuncCountDistinct
	} else if !plain {
		t.fail(start(f), "expected count(*), count(x) or count(DISTINCT x)")
		return a
	}
	if len(args) == 0 && plain {
		return a
	}
	if len(args) != 1 {
		t.fail(start(f), "expected count(*), count(x) or count(DISTINCT x)")
		return a
	}
	switch e := unwrap(args[0]).(type) {
	case *clickhouse.Ident:
		if e.Name == "*" && plain {
			return a
		}
	case *clickhouse.NumberLiteral:
		if plain {
			t.numberText(e)
			return a
		}
	}
	a.Column = t.aggregated(args[0])
	return a
}

// aggregated reads the column that an aggregate is of.
func (t *translator) aggregated(e clickhouse.Expr) query.Column {
	c, ok := t.column(e)
	if !ok {
		t.fail(start(e), "%s", notRun("aggregates of expressions", "expected the name of a column"))
	}
	return c
}

// simple returns the reader of a function of one column.
func simple(function query.Function) func(*translator, *clickhouse.FunctionExpr) query.Aggregate {
	return func(t *translator, f *clickhouse.FunctionExpr) query.Aggregate {
		args, plain := arguments(f)
		if !plain || len(args) != 1 {
			t.fail(start(f), "expected %s with one column, as in %s(took)", f.Name.Name, f.Name.Name)
			return query.Aggregate{Function: function}
		}
		return query.Aggregate{Function: function, Column: t.aggregated(args[0])}
	}
}

func median(t *translator, f *clickhouse.FunctionExpr) query.Aggregate {
	a := simple(query.FuncQuantile)(t, f)
	a.Quantile = 0.5
	return a
}

// quantile reads quantile(0.9)(x), quantile(x, 0.9) and quantile(0.9, x); percentile_cont(0.9) WITHIN GROUP (ORDER BY x) was made the first of these.
func quantile(t *translator, f *clickhouse.FunctionExpr) query.Aggregate {
	a := query.Aggregate{Function: query.FuncQuantile}
	args, _ := arguments(f)
	if f.Params != nil && f.Params.ColumnArgList != nil && !f.Params.ColumnArgList.Distinct {
		args = append([]clickhouse.Expr{}, args...)
		args = append(args, f.Params.ColumnArgList.Items...)
	}
	if len(args) != 2 || f.Params.Items.HasDistinct {
		t.fail(start(f), "expected %s with a column and a number from 0 to 1, as in %s(took, 0.99)", f.Name.Name, f.Name.Name)
		return a
	}
	level, ok := unwrap(args[0]).(*clickhouse.NumberLiteral)
	column := args[1]
	if !ok {
		level, ok = unwrap(args[1]).(*clickhouse.NumberLiteral)
		column = args[0]
	}
	if !ok {
		t.fail(start(args[1]), "expected a number from 0 to 1: 0.99 for the 99th percentile")
		return a
	}
	var err error
	a.Quantile, err = strconv.ParseFloat(t.numberText(level), 64)
	if err != nil || !(a.Quantile >= 0 && a.Quantile <= 1) {
		t.fail(start(level), "expected a number from 0 to 1: 0.99 for the 99th percentile")
	}
	a.Column = t.aggregated(column)
	return a
}

// bucket reads date_trunc('hour', _timestamp) and date_histogram(_timestamp, '5m').
func (t *translator) bucket(f *clickhouse.FunctionExpr, name string) query.Group {
	args, plain := arguments(f)
	if !plain || len(args) != 2 {
		t.fail(start(f), "expected date_trunc('hour', _timestamp) or date_histogram(_timestamp, '5m')")
		return query.Group{}
	}
	if name == "datetrunc" {
		text := t.argument(args[0])
		unit, ok := parseUnit(text)
		if !ok {
			t.fail(start(args[0]), "expected a unit of time: %s", unitList)
		}
		return query.Group{Column: t.aggregated(args[1]), Every: query.Interval{Count: 1, Unit: unit}}
	}
	g := query.Group{Column: t.aggregated(args[0])}
	var err error
	g.Every, err = t.every(args[1])
	if err != nil {
		t.fail(start(args[1]), "%s", err)
	}
	return g
}

// every reads an interval to group by: '5m', '5 minutes', INTERVAL '5' MINUTE or 'hour'.
func (t *translator) every(e clickhouse.Expr) (query.Interval, error) {
	if i, ok := t.interval(e); ok {
		return i.every()
	}
	text := t.argument(e)
	if unit, ok := parseUnit(text); ok {
		return query.Interval{Count: 1, Unit: unit}, nil
	}
	span, err := parseInterval(text)
	if err != nil {
		return query.Interval{}, err
	}
	return span.every()
}
