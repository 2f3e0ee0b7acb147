package sql

import (
	"fmt"
	"slices"
	"strings"

	clickhouse "github.com/AfterShip/clickhouse-sql-parser/parser"

	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/query"
)

// plainName makes hasToken, has_token and HAS_TOKEN one name.
func plainName(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

// functionName returns the name of a function as it is written.
func (t *translator) functionName(f *clickhouse.FunctionExpr) string {
	return t.name(f.Name)
}

// arguments returns the arguments of a function, and false if it has DISTINCT or two lists of them.
func arguments(f *clickhouse.FunctionExpr) ([]clickhouse.Expr, bool) {
	if f.Params == nil || f.Params.Items == nil {
		return nil, true
	}
	return f.Params.Items.Items, f.Params.ColumnArgList == nil && !f.Params.Items.HasDistinct
}

// predicateFunctions are the functions that are conditions, by plain name: of a column and a text.
var predicateFunctions = map[string]func(t *translator, c query.Column, e clickhouse.Expr) query.Predicate{
	"hastoken": func(t *translator, c query.Column, e clickhouse.Expr) query.Predicate {
		return query.HasToken{Column: c, Text: t.words(e)}
	},
	"phrase": func(t *translator, c query.Column, e clickhouse.Expr) query.Predicate {
		return query.Phrase{Column: c, Text: t.words(e)}
	},
	"tokenprefix": func(t *translator, c query.Column, e clickhouse.Expr) query.Predicate {
		return query.TokenPrefix{Column: c, Text: t.words(e)}
	},
	"regexplike": func(t *translator, c query.Column, e clickhouse.Expr) query.Predicate {
		return query.Regexp{Column: c, Expr: t.regexp(e)}
	},
	"contains": func(t *translator, c query.Column, e clickhouse.Expr) query.Predicate {
		return query.Contains{Column: c, Text: t.argument(e)}
	},
	"startswith": func(t *translator, c query.Column, e clickhouse.Expr) query.Predicate {
		return query.Prefix{Column: c, Text: t.argument(e)}
	},
}

// argument reads an argument that is a text.
func (t *translator) argument(e clickhouse.Expr) string {
	text, ok := t.text(e)
	if !ok {
		t.fail(start(e), "expected a text in 'single quotes'")
	}
	return text
}

// words reads an argument that has tokens.
func (t *translator) words(e clickhouse.Expr) string {
	text := t.argument(e)
	if t.err == nil && len(analyzer.Split(text)) == 0 {
		t.fail(start(e), "there is no letter, digit or _ in it, so there is no token to look for; use contains")
	}
	return text
}

// predicateFunction translates a function that is a condition.
func (t *translator) predicateFunction(f *clickhouse.FunctionExpr, want bool) (query.Predicate, bool) {
	written := t.functionName(f)
	name := plainName(written)
	make, ok := predicateFunctions[name]
	if !ok {
		if _, isColumn := columnFunctions[name]; isColumn {
			return nil, false
		}
		t.unknownFunction(f, written)
		return nil, true
	}
	args, plain := arguments(f)
	if !plain || len(args) != 2 {
		t.fail(start(f), "expected %s with two arguments: a column and a text, as in %s(log_msg, 'text')", written, written)
		return nil, true
	}
	c := t.textColumn(args[0])
	return leaf(make(t, c, args[1]), c, want), true
}

// columnFunctions stand for a column; groupFunctions for intervals of one.
var (
	columnFunctions = map[string]string{
		"elementat": "element_at", "mapget": "map_get", "jsonextract": "json_extract", "jsonextractscalar": "json_extract_scalar",
		"jsonvalue": "json_value", "getjsonobject": "get_json_object",
	}
	groupFunctions = map[string]string{"datetrunc": "date_trunc", "datehistogram": "date_histogram"}
)

// spellings are the names of all functions, in the order in which they are suggested.
var spellings = []string{
	"has_token", "phrase", "token_prefix", "contains", "starts_with", "regexp_like", "element_at", "json_extract", "date_trunc", "date_histogram",
	"count", "min", "max", "sum", "avg", "quantile", "approx_percentile", "percentile_cont", "median", "approx_distinct", "now",
}

// others are functions of other engines, with what to write instead.
var others = map[string]string{
	"match": "regexp_like", "regexp": "regexp_like", "rlike": "regexp_like", "regexpmatches": "regexp_like", "regexplikei": "regexp_like with (?i) in front",
	"matchphrase": "phrase", "multisearchany": "IN, or has_token with OR", "hasanytoken": "has_token with OR",
	"hasalltokens": "has_token with AND", "hastokencaseinsensitive": "has_token",
	"position": "contains", "strpos": "contains", "instr": "contains", "locate": "contains", "charindex": "contains",
	"endswith": "LIKE '%text'", "lower": "ILIKE", "upper": "ILIKE", "like": "LIKE between column and pattern", "in": "IN between column and list",
	"coalesce": "IS NOT DISTINCT FROM or IS NULL", "ifnull": "IS NOT DISTINCT FROM or IS NULL",
	"tostartofhour": "date_trunc('hour', _timestamp)", "tostartofminute": "date_trunc('minute', _timestamp)", "tostartofday": "date_trunc('day', _timestamp)",
	"tostartofinterval": "date_histogram(_timestamp, '5m')", "timebucket": "date_histogram(_timestamp, '5m')", "datebin": "date_histogram(_timestamp, '5m')",
	"uniqexact": "count(DISTINCT x)", "uniq": "count(DISTINCT x)", "todate": "the value as a text: '2026-11-22'",
	"todatetime": "the value as a text: '2026-11-22T10:00:00Z'",
	"dateadd":    "now() - INTERVAL '15' MINUTE", "datesub": "now() - INTERVAL '15' MINUTE", "jsonextractstring": "json_extract(log_msg, '$.user.id')",
}

// unknownFunction fails with a suggestion.
func (t *translator) unknownFunction(f *clickhouse.FunctionExpr, written string) {
	name := plainName(written)
	if _, isGroup := groupFunctions[name]; isGroup {
		t.fail(start(f), "%s is for SELECT and GROUP BY; in WHERE compare the column with values: _timestamp >= '2026-11-22' AND _timestamp < '2026-11-23'", written)
		return
	}
	if _, isAggregate := aggregates[name]; isAggregate {
		t.fail(start(f), "%s stands for many rows, and cannot be asked of one: it belongs behind SELECT", written)
		return
	}
	t.fail(start(f), "there is no function %s here%s", written, suggestion(name))
}

// suggestion says what to write instead of a function that firn does not have.
func suggestion(name string) string {
	if instead, ok := others[name]; ok {
		return "; write " + instead
	}
	best, distance := "", 3
	for _, s := range spellings {
		if d := editDistance(name, plainName(s)); d < distance {
			best, distance = s, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return "; it has " + strings.Join(spellings, ", ") + "; " + strings.Replace(elsewhere, "run it", "have others", 1)
}

// editDistance is Levenshtein's: the least number of characters to be changed, added or taken away (V. Levenshtein, 1966; rows as by R. Wagner and M.
// Fischer, 1974).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := slices.Clone(row)
		row[0] = i + 1
		for j := range len(b) {
			change := before[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, before[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// functionInComparison fails at a function on one side of a comparison.
func (t *translator) functionInComparison(f *clickhouse.FunctionExpr) {
	written := t.functionName(f)
	if _, ok := predicateFunctions[plainName(written)]; ok {
		t.fail(start(f), "%s is a condition by itself; write it without a comparison, and NOT before it to turn it round", written)
		return
	}
	t.unknownFunction(f, written)
}
