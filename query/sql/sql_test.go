package sql

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/query"
)

// parse parses a statement that must be right.
func parse(t *testing.T, text string) query.Query {
	t.Helper()
	q, err := Parse(text)
	require.NoError(t, err, text)
	require.Equal(t, q.Normalize(), q, text)
	return q
}

func TestTheTwoQueriesOfTheDesign(t *testing.T) {
	require.Equal(t, query.Query{
		Table: "test",
		Where: query.And{
			query.Equal{Column: query.Col("arg_trid"), Value: "7f3a"},
			query.Or{query.Equal{Column: query.Col("log_date"), Value: "20230512"}, query.Equal{Column: query.Col("log_date"), Value: "20230513"}},
		},
		OrderBy: []query.Sort{{Column: query.Col("_timestamp"), Descending: true}},
		Limit:   200,
	}, parse(t, `select * from test where arg_trid = '7f3a' and (log_date = '20230512' or log_date = '20230513') order by _timestamp desc limit 200`))
	require.Equal(t, query.Query{
		Table:      "test01",
		Where:      query.HasToken{Column: query.Col("log_msg"), Text: "error"},
		Aggregates: []query.Aggregate{{Function: query.FuncCount}},
	}, parse(t, `select count(*) from test01 where has_token(log_msg, 'error')`))
}

// exists is the condition that SQL's NOT adds.
func exists(name string) query.Predicate {
	return query.Not{X: query.IsNull{Column: query.Col(name)}}
}

func TestConditions(t *testing.T) {
	a, b := query.Col("a"), query.Col("b")
	equal := func(v any) query.Predicate { return query.Equal{Column: a, Value: v} }
	not := func(p query.Predicate) query.Predicate { return query.Not{X: p} }
	compare := func(op query.Op, v any) query.Predicate { return query.Compare{Column: a, Op: op, Value: v} }
	for text, want := range map[string]query.Predicate{
		"a = 'x'":                      equal("x"),
		"'x' = a":                      equal("x"),
		"a == 1":                       equal("1"),
		"a = 1.50":                     equal("1.5"),
		"a = -2e3":                     equal("-2000"),
		"a = 12345678901234567890":     equal("12345678901234567890"),
		"a = true":                     equal("true"),
		"a = 'it''s'":                  equal("it's"),
		`a = 'c:\dir'`:                 equal(`c:\dir`),
		"a <> 'x'":                     query.And{exists("a"), not(equal("x"))},
		"not a = 'x'":                  query.And{exists("a"), not(equal("x"))},
		"not a <> 'x'":                 equal("x"),
		"not not a = 'x'":              equal("x"),
		"a < 5":                        compare("<", int64(5)),
		"5 < a":                        compare(">", int64(5)),
		"not a < 5":                    compare(">=", int64(5)),
		"a >= '5'":                     compare(">=", "5"),
		"a > 1.5":                      compare(">", 1.5),
		"a > - 1.5":                    compare(">", -1.5),
		"a in ('x', 'y')":              query.In{Column: a, Values: []any{"x", "y"}},
		"a in ('x')":                   equal("x"),
		"a not in ('x', 'y')":          query.And{exists("a"), not(query.In{Column: a, Values: []any{"x", "y"}})},
		"a between 1 and 5":            query.Between{Column: a, Low: int64(1), High: int64(5)},
		"a not between 1 and 5":        query.Or{compare("<", int64(1)), compare(">", int64(5))},
		"a is null":                    query.IsNull{Column: a},
		"a is not null":                exists("a"),
		"not a is null":                exists("a"),
		"a like 'x%'":                  query.Prefix{Column: a, Text: "x"},
		"a like '%x%'":                 query.Contains{Column: a, Text: "x"},
		"a like '%%x%%'":               query.Contains{Column: a, Text: "x"},
		"a like 'x'":                   equal("x"),
		"a like ''":                    equal(""),
		"a like '%'":                   exists("a"),
		"a not like '%'":               query.Or{},
		"a like '%x'":                  query.Regexp{Column: a, Expr: "x$"},
		"a like 'x%y'":                 query.Regexp{Column: a, Expr: "(?s)^x.*y$"},
		"a like 'x_'":                  query.Regexp{Column: a, Expr: "(?s)^x.$"},
		"a like '_%'":                  query.Regexp{Column: a, Expr: "(?s)^."},
		"a like 'a.b_c'":               query.Regexp{Column: a, Expr: `(?s)^a\.b.c$`},
		"a like '50!%%' escape '!'":    query.Prefix{Column: a, Text: "50%"},
		`a like 'a\_%' escape '\'`:     query.Prefix{Column: a, Text: "a_"},
		`a like 'c:\%' escape ''`:      query.Prefix{Column: a, Text: `c:\`},
		"a ilike '%x%'":                query.Regexp{Column: a, Expr: "(?i)x"},
		"a ilike 'x'":                  query.Regexp{Column: a, Expr: "(?i)^x$"},
		"a ilike 'x%y'":                query.Regexp{Column: a, Expr: "(?is)^x.*y$"},
		"a not like 'x%'":              query.And{exists("a"), not(query.Prefix{Column: a, Text: "x"})},
		"a not ilike 'x%'":             query.And{exists("a"), not(query.Regexp{Column: a, Expr: "(?i)^x"})},
		"a regexp '^x'":                query.Regexp{Column: a, Expr: "^x"},
		"regexp_like(a, '^x')":         query.Regexp{Column: a, Expr: "^x"},
		"has_token(log_msg, 'x')":      query.HasToken{Column: query.Col("log_msg"), Text: "x"},
		"hasToken(log_msg, 'x-y')":     query.Phrase{Column: query.Col("log_msg"), Text: "x-y"},
		"phrase(log_msg, 'x y')":       query.Phrase{Column: query.Col("log_msg"), Text: "x y"},
		"token_prefix(log_msg, 'co')":  query.TokenPrefix{Column: query.Col("log_msg"), Text: "co"},
		"contains(a, 'x y')":           query.Contains{Column: a, Text: "x y"},
		"starts_with(a, 'x')":          query.Prefix{Column: a, Text: "x"},
		"not contains(a, 'x')":         query.And{exists("a"), not(query.Contains{Column: a, Text: "x"})},
		"contains(a, 'x') is not true": not(query.Contains{Column: a, Text: "x"}),
		"contains(a, 'x') is true":     query.Contains{Column: a, Text: "x"},
		"(a > 5) is false":             compare("<=", int64(5)),
		"(a > 5) is not false":         not(compare("<=", int64(5))),
		"a is distinct from 'x'":       not(equal("x")),
		"a is not distinct from 'x'":   equal("x"),
		"a is distinct from null":      exists("a"),
		"a is not distinct from null":  query.IsNull{Column: a},
		"a is true":                    equal("true"),
		"a is not true":                not(equal("true")),
		"a":                            equal("true"),
		"not a":                        equal("false"),
		"true":                         query.All{},
		"false or a = 'x'":             equal("x"),
		"1 = 1 and a = 'x'":            equal("x"),
		"1 <> 1 or a = 'x'":            equal("x"),
		"a = 'x' and b = 'y' or a = 'z'": query.Or{
			query.And{equal("x"), query.Equal{Column: b, Value: "y"}}, equal("z")},
		"not (a = 'x' or b > 5)":       query.And{exists("a"), not(equal("x")), query.Compare{Column: b, Op: "<=", Value: int64(5)}},
		"not (a = 'x' and b > 5)":      query.Or{query.And{exists("a"), not(equal("x"))}, query.Compare{Column: b, Op: "<=", Value: int64(5)}},
		"attrs['user id'] = 'x'":       query.Equal{Column: query.Attr("user id"), Value: "x"},
		"element_at(attrs, 'k') = 'x'": query.Equal{Column: query.Attr("k"), Value: "x"},
		"attrs.k = 'x'":                query.Equal{Column: query.Attr("k"), Value: "x"},
		"attrs.a.b = 'x'":              query.Equal{Column: query.Attr("a.b"), Value: "x"},
		`"user.id" = 'x'`:              query.Equal{Column: query.Col("user.id"), Value: "x"},
		"user.id = 'x'":                query.Equal{Column: query.Col("user.id"), Value: "x"},
		"`odd name` = 'x'":             query.Equal{Column: query.Col("odd name"), Value: "x"},
		`"a""b" = 'x'`:                 query.Equal{Column: query.Col(`a"b`), Value: "x"},
		`"@timestamp" = 'x'`:           query.Equal{Column: query.Col("@timestamp"), Value: "x"},
		"Größe = 'x'":                  query.Equal{Column: query.Col("Größe"), Value: "x"},
		"t.a = 'x'":                    equal("x"),
		"json_extract_scalar(log_msg, '$.user.id') = 42": query.Equal{Column: query.JSONPath("log_msg", "$.user.id"), Value: "42"},
		"json_extract(log_msg, '$.user.id') = 42":        query.Equal{Column: query.JSONPath("log_msg", "$.user.id"), Value: "42"},
		"_pattern = '00000000000000ff'":                  query.HasPattern{Column: query.Col("log_msg"), ID: 255},
		"date = 'x' and user = 'y'":                      query.And{query.Equal{Column: query.Col("date"), Value: "x"}, query.Equal{Column: query.Col("user"), Value: "y"}},
		"log_date <> '20230512'":                         query.And{exists("log_date"), not(query.Equal{Column: query.Col("log_date"), Value: "20230512"})},
		"a >= date '2026-01-01'":                         compare(">=", "2026-01-01"),
		"a >= timestamp '2026-01-01 10:00:00'":           compare(">=", "2026-01-01 10:00:00"),
		"a >= now() - interval '15' minute":              compare(">=", query.Ago(15*time.Minute)),
		"a >= now() - interval 15 minutes":               compare(">=", query.Ago(15*time.Minute)),
		"a >= now() - INTERVAL '15 minutes'":             compare(">=", query.Ago(15*time.Minute)),
		"a >= now() - interval '1' day - interval '1h'":  compare(">=", query.Ago(25*time.Hour)),
		"a < current_timestamp + interval '1' week":      compare("<", query.Ago(-7*24*time.Hour)),
		"a < now()": compare("<", query.Ago(0)),
		"a between now() - interval '1' hour and now()": query.And{compare(">=", query.Ago(time.Hour)), compare("<=", query.Ago(0))},
		"a = 'x' -- b = 'y'":                            equal("x"),
		"a = /* 'y' */ 'x';":                            equal("x"),
		"((a = 'x'))":                                   equal("x"),
	} {
		require.Equal(t, query.Normalize(want), parse(t, "select * from t where "+text).Where, text)
	}
}

func TestStatements(t *testing.T) {
	count := query.Aggregate{Function: query.FuncCount}
	named := func(a query.Aggregate, name string) query.Aggregate { a.As = name; return a }
	level := query.Group{Column: query.Col("level")}
	hour := query.Group{Column: query.Col("_timestamp"), Every: query.Interval{Count: 1, Unit: query.Hour}}
	col := query.Col
	for text, want := range map[string]query.Query{
		"* from t":                            {Table: "t"},
		"* from ns.t":                         {Table: "ns.t"},
		`* from "my table"`:                   {Table: "my table"},
		"x.* from t as x":                     {Table: "t"},
		"* from t limit 5":                    {Table: "t", Limit: 5},
		"a, attrs['k'], t.b, attrs.x from t":  {Table: "t", Columns: []query.Column{col("a"), query.Attr("k"), col("b"), query.Attr("x")}},
		"a as a from t":                       {Table: "t", Columns: []query.Column{col("a")}},
		"a, b from t order by 2 desc, a":      {Table: "t", Columns: []query.Column{col("a"), col("b")}, OrderBy: []query.Sort{{Column: col("b"), Descending: true}, {Column: col("a")}}},
		"* from t order by a desc nulls last": {Table: "t", OrderBy: []query.Sort{{Column: col("a"), Descending: true}}},
		"count(*), count(1), count(a), count(distinct a) from t": {}, // twice the same
		"count(*), count(a), count(distinct a) from t": {Table: "t", Aggregates: []query.Aggregate{
			count, {Function: query.FuncCount, Column: col("a")}, {Function: query.FuncCountDistinct, Column: col("a")}}},
		"min(a), max(a), sum(a), avg(a) from t": {Table: "t", Aggregates: []query.Aggregate{
			{Function: query.FuncMin, Column: col("a")}, {Function: query.FuncMax, Column: col("a")}, {Function: query.FuncSum, Column: col("a")}, {Function: query.FuncAvg, Column: col("a")}}},
		"quantile(0.9)(a) from t":                                    {Table: "t", Aggregates: []query.Aggregate{{Function: query.FuncQuantile, Column: col("a"), Quantile: 0.9}}},
		"quantile(a, 0.9) from t":                                    {Table: "t", Aggregates: []query.Aggregate{{Function: query.FuncQuantile, Column: col("a"), Quantile: 0.9}}},
		"approx_percentile(a, 0.9) from t":                           {Table: "t", Aggregates: []query.Aggregate{{Function: query.FuncQuantile, Column: col("a"), Quantile: 0.9}}},
		"percentile_cont(0.9) within group (order by a) as p from t": {Table: "t", Aggregates: []query.Aggregate{{Function: query.FuncQuantile, Column: col("a"), Quantile: 0.9, As: "p"}}},
		"median(attrs['took']) from t":                               {Table: "t", Aggregates: []query.Aggregate{{Function: query.FuncQuantile, Column: query.Attr("took"), Quantile: 0.5}}},
		"level, count(*) from t group by level":                      {Table: "t", GroupBy: []query.Group{level}, Aggregates: []query.Aggregate{count}},
		"level, count(*) as n from t group by 1 order by 2 desc": {Table: "t", GroupBy: []query.Group{level}, Aggregates: []query.Aggregate{named(count, "n")},
			OrderBy: []query.Sort{{Column: col("n"), Descending: true}}},
		"level l, count(*) n from t group by l order by n, level": {Table: "t", GroupBy: []query.Group{{Column: col("level"), As: "l"}}, Aggregates: []query.Aggregate{named(count, "n")},
			OrderBy: []query.Sort{{Column: col("n")}, {Column: col("l")}}},
		"count(*), level from t group by level": {Table: "t", GroupBy: []query.Group{level}, Aggregates: []query.Aggregate{count}, Columns: []query.Column{col("count()"), col("level")}},
		"count(*) from t group by level":        {Table: "t", GroupBy: []query.Group{level}, Aggregates: []query.Aggregate{count}, Columns: []query.Column{col("count()")}},
		"level from t group by level":           {Table: "t", GroupBy: []query.Group{level}},
		"distinct level, host from t":           {Table: "t", GroupBy: []query.Group{level, {Column: col("host")}}},
		"level from t group by level order by count(*) desc limit 3": {Table: "t", GroupBy: []query.Group{level}, Aggregates: []query.Aggregate{count}, Columns: []query.Column{col("level")},
			OrderBy: []query.Sort{{Column: col("count()"), Descending: true}}, Limit: 3},
		"date_trunc('hour', _timestamp), count(*) from t group by date_trunc('hour', _timestamp) order by 1": {Table: "t", GroupBy: []query.Group{hour}, Aggregates: []query.Aggregate{count},
			OrderBy: []query.Sort{{Column: col("bucket(_timestamp, 1h)")}}},
		"date_trunc('HOURS', _timestamp) h, count(*) from t group by h":                             {Table: "t", GroupBy: []query.Group{{Column: hour.Column, Every: hour.Every, As: "h"}}, Aggregates: []query.Aggregate{count}},
		"date_histogram(_timestamp, interval '60' minute), count(*) from t group by 1":              {Table: "t", GroupBy: []query.Group{hour}, Aggregates: []query.Aggregate{count}},
		"date_histogram(_timestamp, '1h'), count(*) from t group by date_trunc('hour', _timestamp)": {Table: "t", GroupBy: []query.Group{hour}, Aggregates: []query.Aggregate{count}},
		"date_histogram(_timestamp, 'month'), count(*) from t group by 1": {Table: "t", GroupBy: []query.Group{{Column: col("_timestamp"), Every: query.Interval{Count: 1, Unit: query.Month}}},
			Aggregates: []query.Aggregate{count}},
		"attrs['k'], max(a) from t group by attrs['k'] order by attrs['k']": {Table: "t", GroupBy: []query.Group{{Column: query.Attr("k")}}, Aggregates: []query.Aggregate{{Function: query.FuncMax, Column: col("a")}},
			OrderBy: []query.Sort{{Column: col("attrs.k")}}},
	} {
		if want.Table == "" {
			_, err := Parse("select " + text)
			require.Error(t, err, text)
			continue
		}
		require.Equal(t, want.Normalize(), parse(t, "SELECT "+text), text)
	}
}

// TestRefusals checks that each error says what it must, at the place that | marks.
func TestRefusals(t *testing.T) {
	for marked, want := range map[string]string{
		"|":                                                 "the statement is empty",
		"select| ":                                          "",
		"|selct * from t":                                   "expected SELECT",
		"|insert into t values (1)":                         "does not run INSERT",
		"|with x as (select 1) select * from x":             "Trino and Spark",
		"select 1|":                                         "expected FROM",
		"select * from t; |drop table t":                    "second statement",
		"select * from t; |x":                               "second statement",
		"select * from a |join b on a.x = b.x":              "joins",
		"select * from a, |b":                               "joins",
		"select * from (|select 1)":                         "a subquery",
		"select * from t where a in (|select 1)":            "a subquery",
		"select a from t |union all select b from t":        "UNION",
		"select a from t |except select b from t":           "EXCEPT",
		"select row_number() |over (partition by a) from t": "window functions",
		"select level, count(*) from t group by level |having count(*) > 1":          "HAVING",
		"select * from t limit 10 offset |5":                                         "OFFSET",
		"select * from t limit |5, 10":                                               "OFFSET",
		"select * from t limit |0":                                                   "expected a number of rows",
		"select * from t limit |'x'":                                                 "expected a number of rows",
		"select |case when a then b end from t":                                      "CASE",
		"select |a + 1 from t":                                                       "expressions",
		"select * from t where |a + 1 = 5":                                           "",
		"select * from t where a |/ 2 = 5":                                           "does not compute",
		"select * from t where a |% 2 = 5":                                           "does not compute",
		"select * from t where a ||| 'x' = 'y'":                                      "does not join texts",
		"select a|::int from t":                                                      "without ::type",
		"select * from t where a = |cast('5' as int)":                                "without CAST",
		"select * from t where a = |?":                                               "no parameters",
		"select |@timestamp from t":                                                  `"@timestamp"`,
		"select * from t where a = |b":                                               "comparisons of two columns",
		"select * from t where a = |NULL":                                            "IS NULL",
		"select * from t where a in ('x', |null)":                                    "OR a IS NULL",
		"select * from t where a in |()":                                             "empty",
		"select * from t where |hastokn(a, 'x')":                                     "did you mean has_token?",
		"select |avgg(a) from t":                                                     "did you mean avg?",
		"select * from t where |position(a, 'x') > 0":                                "write contains",
		"select * from t where |frobnicate(a)":                                       "it has has_token, phrase",
		"select * from t where |sum(a) > 1":                                          "belongs behind SELECT",
		"select |has_token(a, 'x') from t":                                           "belongs behind WHERE",
		"select * from t where |has_token(a, 'x') = true":                            "is a condition by itself",
		"select * from t where has_token(a, |'--')":                                  "no token",
		"select * from t where |date_trunc('hour', _timestamp) = '2026'":             "SELECT and GROUP BY",
		"select * from t where a regexp |'[a'":                                       "missing closing ]",
		`select * from t where a like |'x\%'`:                                        `ESCAPE '\'`,
		"select * from t where a like |'x!y' escape '!'":                             "behind the !",
		"select |level, count(*) from t":                                             "GROUP BY",
		"select |level, count(*) from t group by host":                               "GROUP BY",
		"select |*, a from t":                                                        "* stands alone",
		"select |a as b from t":                                                      "keep their names",
		"select level from t group by |2":                                            "from 1 to 1",
		"select count(*) from t group by |1":                                         "cannot be grouped",
		"select a from t order by |count(*)":                                         "rows are ordered by columns",
		"select * from t order by a |nulls first":                                    "nulls last",
		"select quantile(a, |1.5) from t":                                            "from 0 to 1",
		"select date_trunc(|'fortnight', _timestamp), count(*) from t group by 1":    "unit of time",
		"select date_histogram(_timestamp, |'5 months'), count(*) from t group by 1": "one at a time",
		"select * from t where a > now() - interval |'1' month":                      "no fixed length",
		"select * from t where a > now() - interval |'1' fortnight":                  "no unit of time",
		"select * from t where a = |'x":                                              "never closed",
		"select * from t where |\"a = 'x'":                                           "never closed",
		"select * from t |/* x":                                                      "never closed",
		"select * from t where a = 'x' |b":                                           "does not fit here",
		"select * from t where (a = 1|":                                              "expected )",
		"select * from t where a =|":                                                 `expected more behind "="`,
		"select * from t where a = |5xx":                                             "needs quotes",
		"select * from t |\xff":                                                      "UTF-8",
		"select * from |'t'":                                                         "double quotes",
		"select * from t |fetch first 5 rows only":                                   "LIMIT",
		"select count(*) |filter (where a = 1) from t":                               "FILTER",
		"select * from t where _pattern = |'x'":                                      "hexadecimal",
		"select distinct a, |count(*) from t":                                        "",
	} {
		offset := strings.Index(marked, "|")
		text := marked[:offset] + marked[offset+1:]
		_, err := Parse(text)
		var syntax *query.SyntaxError
		require.True(t, errors.As(err, &syntax), "%s: %v", text, err)
		require.ErrorIs(t, err, query.ErrSyntax)
		assert.Contains(t, syntax.Message, want, text)
		if want != "" {
			assert.Equal(t, offset, syntax.Offset, "%s: %v", text, err)
		}
	}
}

// TestBounds checks that what could exhaust stack or time is refused or done with ease.
func TestBounds(t *testing.T) {
	const n = 50_000
	for _, text := range []string{
		strings.Repeat("(", n), strings.Repeat("not ", n) + "a", strings.Repeat("a[", n), strings.Repeat("f(", n), strings.Repeat("interval ", n), strings.Repeat("- ", n) + "1",
		strings.Repeat("not (", n) + "a = 1" + strings.Repeat(")", n), strings.Repeat("interval - ", n), strings.Repeat("x between ", n),
	} {
		text = "select * from t where " + text
		_, err := Parse(text[:min(len(text), maxBytes)])
		require.ErrorIs(t, err, query.ErrSyntax, text[:40])
	}
	_, err := Parse("select * from t where a = '" + strings.Repeat("x", maxBytes) + "'")
	require.ErrorContains(t, err, "KiB")

	long := parse(t, "select * from t where a = '0'"+strings.Repeat(" or a = '1'", 20_000))
	require.Len(t, long.Where, 20_001)
	list := parse(t, "select * from t where a in ('0'"+strings.Repeat(", '1'", 20_000)+")")
	require.Len(t, list.Where.(query.In).Values, 20_001)
	deep := parse(t, "select * from t where "+strings.Repeat("(", maxDepth-1)+"a = 'x'"+strings.Repeat(")", maxDepth-1))
	require.Equal(t, query.Equal{Column: query.Col("a"), Value: "x"}, deep.Where)
}
