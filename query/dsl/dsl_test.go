package dsl

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/query"
)

func TestConditions(t *testing.T) {
	level, message := query.Col("level"), query.Col("log_msg")
	token := func(text string) query.Predicate { return query.HasToken{Column: message, Text: text} }
	equal := func(v any) query.Predicate { return query.Equal{Column: level, Value: v} }
	compare := func(c string, op query.Op, v any) query.Predicate {
		return query.Compare{Column: query.Col(c), Op: op, Value: v}
	}
	for text, want := range map[string]query.Predicate{
		`{"match_all": {}}`:                                                             query.All{},
		`{"match_none": {}}`:                                                            query.Or{},
		`{"term": {"level": "warn"}}`:                                                   equal("warn"),
		`{"term": {"level": {"value": "warn"}}}`:                                        equal("warn"),
		`{"term": {"level.keyword": "warn"}}`:                                           equal("warn"),
		`{"term": {"level": 5}}`:                                                        equal("5"),
		`{"term": {"level": 1.50}}`:                                                     equal("1.5"),
		`{"term": {"level": 12345678901234567890}}`:                                     equal("12345678901234567890"),
		`{"term": {"level": true}}`:                                                     equal("true"),
		`{"term": {"log_msg": "Error"}}`:                                                token("Error"),
		`{"term": {"log_msg.keyword": "Error"}}`:                                        query.Equal{Column: message, Value: "Error"},
		`{"term": {"log_msg": "a-b"}}`:                                                  query.Phrase{Column: message, Text: "a-b"},
		`{"term": {"attrs.user id": "x"}}`:                                              query.Equal{Column: query.Attr("user id"), Value: "x"},
		`{"term": {"log_msg$.user.id": 42}}`:                                            query.Equal{Column: query.JSONPath("log_msg", "$.user.id"), Value: "42"},
		`{"term": {"_pattern": "00000000000000ff"}}`:                                    query.HasPattern{Column: message, ID: 255},
		`{"terms": {"level": ["a", "b"]}}`:                                              query.In{Column: level, Values: []any{"a", "b"}},
		`{"terms": {"level": ["a"]}}`:                                                   equal("a"),
		`{"terms": {"level": []}}`:                                                      query.Or{},
		`{"terms": {"log_msg": ["a", "b"]}}`:                                            query.Or{token("a"), token("b")},
		`{"match": {"log_msg": "timeout"}}`:                                             token("timeout"),
		`{"match": {"log_msg": "a b"}}`:                                                 query.Or{token("a"), token("b")},
		`{"match": {"log_msg": {"query": "a b", "operator": "AND"}}}`:                   query.And{token("a"), token("b")},
		`{"match": {"level": "a b"}}`:                                                   equal("a b"),
		`{"match_phrase": {"log_msg": "a b"}}`:                                          query.Phrase{Column: message, Text: "a b"},
		`{"match_phrase": {"level": {"query": "a b", "slop": 0}}}`:                      query.Phrase{Column: level, Text: "a b"},
		`{"exists": {"field": "level"}}`:                                                query.Not{X: query.IsNull{Column: level}},
		`{"prefix": {"level": "wa"}}`:                                                   query.Prefix{Column: level, Text: "wa"},
		`{"prefix": {"log_msg": {"value": "conn"}}}`:                                    query.TokenPrefix{Column: message, Text: "conn"},
		`{"wildcard": {"level": "wa*"}}`:                                                query.Prefix{Column: level, Text: "wa"},
		`{"wildcard": {"level": {"value": "*a*"}}}`:                                     query.Contains{Column: level, Text: "a"},
		`{"wildcard": {"level": {"wildcard": "w\\*n"}}}`:                                equal("w*n"),
		`{"wildcard": {"level": "w?n*x"}}`:                                              query.Regexp{Column: level, Expr: "(?s)^w.n.*x$"},
		`{"wildcard": {"level": "*"}}`:                                                  query.Not{X: query.IsNull{Column: level}},
		`{"wildcard": {"log_msg": "conn*"}}`:                                            query.TokenPrefix{Column: message, Text: "conn"},
		`{"regexp": {"level": "w.*n"}}`:                                                 query.Regexp{Column: level, Expr: "^(?:w.*n)$"},
		`{"regexp": {"level": {"value": "a@b", "flags": "NONE"}}}`:                      query.Regexp{Column: level, Expr: "^(?:a@b)$"},
		`{"range": {"status": {"gte": 500}}}`:                                           compare("status", ">=", int64(500)),
		`{"range": {"status": {"lt": 600, "gte": 500.5}}}`:                              query.And{compare("status", ">=", 500.5), compare("status", "<", int64(600))},
		`{"range": {"status": {"gt": "a", "lte": "b"}}}`:                                query.And{compare("status", ">", "a"), compare("status", "<=", "b")},
		`{"range": {"_timestamp": {"gte": "now-15m"}}}`:                                 compare("_timestamp", ">=", query.Ago(15*time.Minute)),
		`{"range": {"_timestamp": {"gte": "now-1h-30m", "lt": "now+1d"}}}`:              query.And{compare("_timestamp", ">=", query.Ago(90*time.Minute)), compare("_timestamp", "<", query.Ago(-24*time.Hour))},
		`{"range": {"_timestamp": {"gte": "2026-11-22"}}}`:                              compare("_timestamp", ">=", "2026-11-22"),
		`{"range": {"_timestamp": {"gte": 1700000000123}}}`:                             compare("_timestamp", ">=", "2023-11-14T22:13:20.123Z"),
		`{"range": {"_timestamp": {"gte": "1700000000123", "format": "epoch_millis"}}}`: compare("_timestamp", ">=", "2023-11-14T22:13:20.123Z"),
		`{"range": {"seen": {"gte": 1700000000, "format": "epoch_second"}}}`:            compare("seen", ">=", "2023-11-14T22:13:20Z"),
		`{"query_string": {"query": "a level:b", "default_operator": "AND"}}`:           query.And{token("a"), equal("b")},
		`{"constant_score": {"filter": {"term": {"level": "a"}}}}`:                      equal("a"),
		`{"bool": {}}`: query.All{},
		`{"bool": {"must": {"term": {"level": "a"}}}}`:                                              equal("a"),
		`{"bool": {"must": [{"term": {"level": "a"}}, {"match": {"log_msg": "x"}}]}}`:               query.And{equal("a"), token("x")},
		`{"bool": {"must_not": {"term": {"level": "a"}}, "filter": [{"match": {"log_msg": "x"}}]}}`: query.And{query.Not{X: equal("a")}, token("x")},
		`{"bool": {"should": [{"term": {"level": "a"}}, {"match": {"log_msg": "x"}}]}}`:             query.Or{equal("a"), token("x")},
		`{"bool": {"filter": [{"term": {"level": "a"}}], "should": [{"match": {"log_msg": "x"}}, {"match": {"log_msg": "y"}}], "minimum_should_match": 1}}`: query.And{
			equal("a"), query.Or{token("x"), token("y")}},
		`{"bool": {"filter": [{"term": {"level": "a"}}], "should": [{"match": {"log_msg": "x"}}], "minimum_should_match": "0"}}`: equal("a"),
	} {
		q, err := Parse([]byte(`{"query": ` + text + `}`))
		require.NoError(t, err, text)
		require.Equal(t, query.Query{Where: query.Normalize(want), Limit: DefaultSize}, q, text)
	}
}

func TestQuestions(t *testing.T) {
	col := query.Col
	count := query.Aggregate{Function: query.FuncCount, As: "doc_count"}
	exists := query.Not{X: query.IsNull{Column: col("level")}}
	levels := query.Group{Column: col("level"), As: "levels"}
	hours := query.Group{Column: col("_timestamp"), Every: query.Interval{Count: 1, Unit: query.Hour}, As: "hours"}
	byCount := []query.Sort{{Column: col("doc_count"), Descending: true}, {Column: col("levels")}}
	for text, want := range map[string]query.Query{
		`{}`:                       {Limit: 10},
		`{"size": 200, "from": 0}`: {Limit: 200},
		`{"size": 0}`:              {Aggregates: []query.Aggregate{{Function: query.FuncCount}}},
		`{"size": 0, "track_total_hits": true, "query": {"term": {"level": "a"}}}`: {Where: query.Equal{Column: col("level"), Value: "a"}, Aggregates: []query.Aggregate{{Function: query.FuncCount}}},
		`{"sort": "level"}`: {Limit: 10, OrderBy: []query.Sort{{Column: col("level")}}},
		`{"sort": [{"_timestamp": "desc"}, {"level": {"order": "asc", "missing": "_last"}}]}`: {Limit: 10, OrderBy: []query.Sort{{Column: col("_timestamp"), Descending: true}, {Column: col("level")}}},
		`{"_source": ["level", "attrs.k"]}`:                                                   {Limit: 10, Columns: []query.Column{col("level"), query.Attr("k")}},
		`{"_source": {"includes": ["level"]}}`:                                                {Limit: 10, Columns: []query.Column{col("level")}},
		`{"_source": false, "fields": ["level"]}`:                                             {Limit: 10, Columns: []query.Column{col("level")}},
		`{"_source": true}`:                                                                   {Limit: 10},
		`{"size": 0, "aggs": {"levels": {"terms": {"field": "level"}}}}`:                      {Where: exists, GroupBy: []query.Group{levels}, Aggregates: []query.Aggregate{count}, OrderBy: byCount, Limit: 10},
		`{"size": 0, "aggs": {"levels": {"terms": {"field": "level", "size": 3, "order": [{"slow": "asc"}, {"_key": "desc"}]}, "aggs": {"slow": {"max": {"field": "took"}}}}}}`: {
			Where: exists, GroupBy: []query.Group{levels}, Aggregates: []query.Aggregate{count, {Function: query.FuncMax, Column: col("took"), As: "slow"}},
			OrderBy: []query.Sort{{Column: col("slow")}, {Column: col("levels"), Descending: true}}, Limit: 3},
		`{"aggregations": {"hours": {"date_histogram": {"field": "_timestamp", "calendar_interval": "hour", "min_doc_count": 1, "time_zone": "UTC"}}}}`: {
			GroupBy: []query.Group{hours}, Aggregates: []query.Aggregate{count}},
		`{"aggs": {"hours": {"date_histogram": {"field": "_timestamp", "fixed_interval": "60m", "order": {"_key": "desc"}}}}}`: {
			GroupBy: []query.Group{hours}, Aggregates: []query.Aggregate{count}, OrderBy: []query.Sort{{Column: col("hours"), Descending: true}}},
		`{"aggs": {"g": {"composite": {"size": 50, "sources": [{"levels": {"terms": {"field": "level"}}}, {"hours": {"date_histogram": {"field": "_timestamp", "fixed_interval": "1h", "order": "desc"}}}]}}}}`: {
			Where: exists, GroupBy: []query.Group{levels, hours}, Aggregates: []query.Aggregate{count},
			OrderBy: []query.Sort{{Column: col("levels")}, {Column: col("hours"), Descending: true}}, Limit: 50},
		`{"aggs": {"d": {"date_histogram": {"field": "_timestamp", "calendar_interval": "1d"}, "aggs": {"hours": {"date_histogram": {"field": "_timestamp", "fixed_interval": "1h"}}}}}}`: {
			GroupBy: []query.Group{{Column: col("_timestamp"), Every: query.Interval{Count: 1, Unit: query.Day}, As: "d"}, hours}, Aggregates: []query.Aggregate{count}},
		`{"aggs": {"n": {"value_count": {"field": "a"}}, "u": {"cardinality": {"field": "a"}}, "s": {"sum": {"field": "a"}}, "p": {"percentiles": {"field": "a", "percents": [99.9]}}}}`: {
			Aggregates: []query.Aggregate{{Function: query.FuncCount, Column: col("a"), As: "n"}, {Function: query.FuncCountDistinct, Column: col("a"), As: "u"},
				{Function: query.FuncSum, Column: col("a"), As: "s"}, {Function: query.FuncQuantile, Column: col("a"), Quantile: 0.999, As: "p"}}},
		`{"aggs": {"p": {"percentiles": {"field": "a", "percents": [50, 95]}}}}`: {
			Aggregates: []query.Aggregate{{Function: query.FuncQuantile, Column: col("a"), Quantile: 0.5, As: "p.50"}, {Function: query.FuncQuantile, Column: col("a"), Quantile: 0.95, As: "p.95"}}},
		`{"aggs": {"s": {"stats": {"field": "a"}}}}`: {Aggregates: []query.Aggregate{{Function: query.FuncCount, Column: col("a"), As: "s.count"}, {Function: query.FuncMin, Column: col("a"), As: "s.min"},
			{Function: query.FuncMax, Column: col("a"), As: "s.max"}, {Function: query.FuncAvg, Column: col("a"), As: "s.avg"}, {Function: query.FuncSum, Column: col("a"), As: "s.sum"}}},
	} {
		q, err := Parse([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want.Normalize(), q, text)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ text, pointer, want string }{
		{`[]`, "", "expected an object"},
		{`{"qery": {}}`, "/qery", "expected query, sort"},
		{`{"timeout": "5s"}`, "/timeout", "limits are given beside"},
		{`{"from": 10}`, "/from", "range of _timestamp"},
		{`{"size": -1}`, "/size", "whole number"},
		{`{"size": 1e3}`, "/size", "whole number"},
		{`{"size": 5, "aggs": {"n": {"max": {"field": "a"}}}}`, "/size", "write 0"},
		{`{"size": 5, "track_total_hits": true}`, "/track_total_hits", `"size": 0`},
		{`{"sort": "a", "size": 0}`, "/sort", "leave it out"},
		{`{"sort": "_score"}`, "/sort", "no score"},
		{`{"sort": [{"a": {"missing": "_first"}}]}`, "/sort/0/a/missing", "_last"},
		{`{"sort": [{"a": "down"}]}`, "/sort/0/a", `"asc" or "desc"`},
		{`{"_source": false}`, "/_source", "fields"},
		{`{"_source": ["a*"]}`, "/_source/0", "one field"},
		{`{"query": {}}`, "/query", "0 keys"},
		{`{"query": {"term": {"a": 1}, "match": {"b": 2}}}`, "/query", "2 keys"},
		{`{"query": {"fuzzy": {"a": "x"}}}`, "/query/fuzzy", "no fuzzy search"},
		{`{"query": {"frob": {"a": "x"}}}`, "/query/frob", "expected bool, constant_score"},
		{`{"query": {"bool": {"must": [{"term": {"a": "x"}}, {"fuzzy": {}}]}}}`, "/query/bool/must/1/fuzzy", "does not run fuzzy"},
		{`{"query": {"bool": {"must": [{"term": {"a/b~c": ["x"]}}]}}}`, "/query/bool/must/0/term/a~1b~0c", "found a list"},
		{`{"query": {"bool": {"boost": 2}}}`, "/query/bool/boost", "no score"},
		{`{"query": {"bool": {"must": [], "should": [{"match_all": {}}]}}}`, "/query/bool/should", "minimum_should_match"},
		{`{"query": {"bool": {"should": [{"match_all": {}}], "minimum_should_match": 2}}}`, "/query/bool/minimum_should_match", "0 or 1"},
		{`{"query": {"bool": {"should": [], "minimum_should_match": 1}}}`, "/query/bool/should", "there are none"},
		{`{"query": {"match": {"log_msg": "--"}}}`, "/query/match/log_msg", "no letter"},
		{`{"query": {"match": {"log_msg": {"query": "a", "fuzziness": "AUTO"}}}}`, "/query/match/log_msg/fuzziness", "fuzzy"},
		{`{"query": {"match_phrase": {"log_msg": {"query": "a b", "slop": 2}}}}`, "/query/match_phrase/log_msg/slop", "next to each other"},
		{`{"query": {"range": {"a": {}}}}`, "/query/range/a", "gt, gte, lt or lte"},
		{`{"query": {"range": {"a": {"from": 1}}}}`, "/query/range/a/from", "write gte"},
		{`{"query": {"range": {"a": {"gte": 1, "format": "yyyy"}}}}`, "/query/range/a/format", "epoch_millis"},
		{`{"query": {"range": {"a": {"gte": 1, "time_zone": "+02:00"}}}}`, "/query/range/a/time_zone", "UTC"},
		{`{"query": {"range": {"a": {"gte": "now-1d/d"}}}}`, "/query/range/a/gte", "rounding"},
		{`{"query": {"range": {"a": {"gte": "now-1M"}}}}`, "/query/range/a/gte", "no fixed length"},
		{`{"query": {"range": {"a": {"gte": 1e999}}}}`, "/query/range/a/gte", "64 bits"},
		{`{"query": {"wildcard": {"log_msg": "*a"}}}`, "/query/wildcard/log_msg", "single tokens"},
		{`{"query": {"regexp": {"log_msg": "a.*"}}}`, "/query/regexp/log_msg", "single tokens"},
		{`{"query": {"regexp": {"a": "x~y"}}}`, "/query/regexp/a", `\~`},
		{`{"query": {"regexp": {"a": "[x"}}}`, "/query/regexp/a", "missing closing ]"},
		{`{"query": {"query_string": {"query": "a b"}}}`, "/query/query_string", "default_operator"},
		{`{"query": {"query_string": {"query": "a (", "default_operator": "AND"}}}`, "/query/query_string/query", "syntax error"},
		{`{"aggs": {}}`, "/aggs", "expected an object of aggregations"},
		{`{"aggs": {"a": {"frob": {}}}}`, "/aggs/a/frob", "does not run frob"},
		{`{"aggs": {"a": {}}}`, "/aggs/a", "expected terms"},
		{`{"aggs": {"a": {"terms": {"field": "x", "missing": "none"}}}}`, "/aggs/a/terms/missing", "missing values"},
		{`{"aggs": {"a": {"terms": {"field": "x", "order": {"b": "asc"}}}}}`, "/aggs/a/terms/order/b", "_count, _key"},
		{`{"aggs": {"a": {"terms": {"field": "x"}}, "b": {"max": {"field": "y"}}}}`, "/aggs/a", "stands alone"},
		{`{"aggs": {"a": {"terms": {"field": "x"}, "aggs": {"b": {"terms": {"field": "y"}}}}}}`, "/aggs/a/aggs/b/terms", "composite"},
		{`{"aggs": {"a": {"terms": {"field": "x"}, "aggs": {"b": {"date_histogram": {"field": "y", "fixed_interval": "1h"}}}}}}`, "/aggs/a/aggs/b/date_histogram", "composite"},
		{`{"aggs": {"a": {"date_histogram": {"field": "x"}}}}`, "/aggs/a/date_histogram", "calendar_interval or fixed_interval"},
		{`{"aggs": {"a": {"date_histogram": {"field": "x", "fixed_interval": "1M"}}}}`, "/aggs/a/date_histogram/fixed_interval", "5m"},
		{`{"aggs": {"a": {"date_histogram": {"field": "x", "calendar_interval": "2d"}}}}`, "/aggs/a/date_histogram/calendar_interval", "fixed_interval"},
		{`{"aggs": {"a": {"date_histogram": {"field": "x", "fixed_interval": "1h", "min_doc_count": 0}}}}`, "/aggs/a/date_histogram/min_doc_count", "left out"},
		{`{"aggs": {"a": {"max": {"field": "x"}, "aggs": {"b": {"max": {"field": "x"}}}}}}`, "/aggs/a/aggs", "no groups"},
		{`{"aggs": {"doc_count": {"terms": {"field": "x"}}}}`, "/aggs", "doc_count"},
		{`{"aggs": {"a": {"percentiles": {"field": "x", "percents": [101]}}}}`, "/aggs/a/percentiles/percents/0", "0 to 100"},
		{`{"query": {"match_all": {}}, "query": {"match_all": {}}}`, "/query", "second time"},
	} {
		_, err := Parse([]byte(c.text))
		var ours *Error
		if !assert.True(t, errors.As(err, &ours), "%s: %v", c.text, err) {
			continue
		}
		assert.ErrorIs(t, err, query.ErrSyntax)
		assert.Equal(t, c.pointer, ours.Pointer, "%s: %v", c.text, err)
		assert.Contains(t, ours.Message, c.want, c.text)
	}
}

func TestNoJSON(t *testing.T) {
	for text, want := range map[string]struct {
		offset  int
		message string
	}{
		``:                              {0, "too early"},
		`{"query": `:                    {10, "too early"},
		`{"query": {"term": {"a": x}}}`: {25, "invalid character 'x'"},
		`{} {}`:                         {3, "something follows"},
		"{\"a\xff\": 1}":                {3, "UTF-8"},
	} {
		_, err := Parse([]byte(text))
		var syntax *query.SyntaxError
		require.True(t, errors.As(err, &syntax), "%s: %v", text, err)
		assert.Contains(t, syntax.Message, want.message, text)
		assert.Equal(t, want.offset, syntax.Offset, text)
	}
	for _, text := range []string{strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 100_000), `{"query":` + strings.Repeat(`{"bool":{"must":`, 10_000)} {
		_, err := Parse([]byte(text))
		require.ErrorContains(t, err, "within each other")
	}
	_, err := Parse([]byte(`{"query": "` + strings.Repeat("x", maxBytes) + `"}`))
	require.ErrorContains(t, err, "KiB")
}
