package query_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/query"
	"github.com/firnlog/firn/query/dsl"
	"github.com/firnlog/firn/query/sql"
)

// form is one question in four languages. Where a language cannot say it, its text is empty and cannot says why.
type form struct {
	text    string // search text, as it is printed
	written string // the same as people write it; empty: as it is printed
	sql     string // behind SELECT * FROM logs, or from SELECT on
	json    string // the query, or from { on
	tree    query.Query
	cannot  string
}

var (
	level, message, timestamp = query.Col("level"), query.Col("log_msg"), query.Col("_timestamp")
	ten                       = dsl.DefaultSize
)

func token(text string) query.Predicate { return query.HasToken{Column: message, Text: text} }

func equal(c query.Column, v string) query.Predicate { return query.Equal{Column: c, Value: v} }

func not(p query.Predicate) query.Predicate { return query.Not{X: p} }

func exists(c query.Column) query.Predicate { return not(query.IsNull{Column: c}) }

func compare(c query.Column, op query.Op, v any) query.Predicate {
	return query.Compare{Column: c, Op: op, Value: v}
}

// rows is a question for the first rows that match.
func rows(p query.Predicate) query.Query { return query.From("").Where(p).Limit(ten).Query() }

var conditionForms = map[string]form{
	"all":            {"* | limit 10", "", "LIMIT 10", `{"match_all": {}}`, rows(query.All{}), ""},
	"a word":         {"timeout | limit 10", "log_msg:timeout | limit 10", "WHERE has_token(log_msg, 'timeout') LIMIT 10", `{"match": {"log_msg": "timeout"}}`, rows(token("timeout")), ""},
	"a phrase":       {`"connection reset" | limit 10`, "", "WHERE phrase(log_msg, 'connection reset') LIMIT 10", `{"match_phrase": {"log_msg": "connection reset"}}`, rows(query.Phrase{Column: message, Text: "connection reset"}), ""},
	"an id":          {`"7f3a-11" | limit 10`, "7f3a-11 | limit 10", "WHERE has_token(log_msg, '7f3a-11') LIMIT 10", `{"term": {"log_msg": "7f3a-11"}}`, rows(token("7f3a-11")), ""},
	"all words":      {"a AND b | limit 10", "a b | limit 10", "WHERE has_token(log_msg, 'a') AND has_token(log_msg, 'b') LIMIT 10", `{"match": {"log_msg": {"query": "a b", "operator": "and"}}}`, rows(query.And{token("a"), token("b")}), ""},
	"any word":       {"a OR b | limit 10", "", "WHERE has_token(log_msg, 'a') OR has_token(log_msg, 'b') LIMIT 10", `{"match": {"log_msg": "a b"}}`, rows(query.Or{token("a"), token("b")}), ""},
	"a value":        {"level:warn | limit 10", "", "WHERE level = 'warn' LIMIT 10", `{"term": {"level": "warn"}}`, rows(equal(level, "warn")), ""},
	"a key of attrs": {"attrs.user:42 | limit 10", "", "WHERE attrs['user'] = 42 LIMIT 10", `{"term": {"attrs.user": 42}}`, rows(equal(query.Attr("user"), "42")), ""},
	"not, of firn":   {"NOT level:warn | limit 10", "-level:warn | limit 10", "WHERE level IS DISTINCT FROM 'warn' LIMIT 10", `{"bool": {"must_not": {"term": {"level": "warn"}}}}`, rows(not(equal(level, "warn"))), ""},
	"not, of SQL": {"level:* AND NOT level:warn | limit 10", "level:* -level:warn | limit 10", "WHERE level <> 'warn' LIMIT 10",
		`{"bool": {"filter": {"exists": {"field": "level"}}, "must_not": {"term": {"level": "warn"}}}}`, rows(query.And{exists(level), not(equal(level, "warn"))}), ""},
	"there":   {"attrs.user:* | limit 10", "", "WHERE attrs['user'] IS NOT NULL LIMIT 10", `{"exists": {"field": "attrs.user"}}`, rows(exists(query.Attr("user"))), ""},
	"missing": {"NOT attrs.user:* | limit 10", "", "WHERE attrs['user'] IS NULL LIMIT 10", `{"bool": {"must_not": [{"exists": {"field": "attrs.user"}}]}}`, rows(query.IsNull{Column: query.Attr("user")}), ""},
	"one of, by or": {"level:warn OR level:error | limit 10", "level:(warn OR error) | limit 10", "WHERE level = 'warn' OR level = 'error' LIMIT 10",
		`{"bool": {"should": [{"term": {"level": "warn"}}, {"term": {"level": "error"}}]}}`, rows(query.Or{equal(level, "warn"), equal(level, "error")}), ""},
	"one of a list": {"level:in(warn, error) | limit 10", "", "WHERE level IN ('warn', 'error') LIMIT 10", `{"terms": {"level": ["warn", "error"]}}`, rows(query.In{Column: level, Values: []any{"warn", "error"}}), ""},
	"a number":      {"attrs.status>=500 | limit 10", "", "WHERE attrs['status'] >= 500 LIMIT 10", `{"range": {"attrs.status": {"gte": 500}}}`, rows(compare(query.Attr("status"), ">=", 500)), ""},
	"a text that looks like a number": {`attrs.status>="500" | limit 10`, "", "WHERE attrs['status'] >= '500' LIMIT 10", `{"range": {"attrs.status": {"gte": "500"}}}`,
		rows(compare(query.Attr("status"), ">=", "500")), ""},
	"between": {"attrs.status:[500 TO 599] | limit 10", "", "WHERE attrs['status'] BETWEEN 500 AND 599 LIMIT 10", "", rows(query.Between{Column: query.Attr("status"), Low: 500, High: 599}),
		"JSON: range has two ends that are two comparisons"},
	"two ends": {"attrs.status>=500 AND attrs.status<600 | limit 10", "attrs.status:[500 TO 600} | limit 10", "WHERE attrs['status'] >= 500 AND attrs['status'] < 600 LIMIT 10",
		`{"range": {"attrs.status": {"gte": 500, "lt": 600}}}`, rows(query.And{compare(query.Attr("status"), ">=", 500), compare(query.Attr("status"), "<", 600)}), ""},
	"the last minutes": {"last 15m | limit 10", "_timestamp>=now-15m | limit 10", "WHERE _timestamp >= now() - INTERVAL '15' MINUTE LIMIT 10", `{"range": {"_timestamp": {"gte": "now-15m"}}}`,
		rows(compare(timestamp, ">=", query.Ago(15*time.Minute))), ""},
	"a window": {"_timestamp>=2026-11-22T10:00:00Z AND _timestamp<2026-11-22T11:00:00Z | limit 10", `_timestamp>="2026-11-22T10:00:00Z" _timestamp<"2026-11-22T11:00:00Z" | limit 10`, "WHERE _timestamp >= '2026-11-22T10:00:00Z' AND _timestamp < '2026-11-22T11:00:00Z' LIMIT 10",
		`{"range": {"_timestamp": {"gte": "2026-11-22T10:00:00Z", "lt": "2026-11-22T11:00:00Z"}}}`,
		rows(query.And{compare(timestamp, ">=", "2026-11-22T10:00:00Z"), compare(timestamp, "<", "2026-11-22T11:00:00Z")}), ""},
	"two days": {"log_date:20230512 OR log_date:20230513 | limit 10", "log_date:(20230512 OR 20230513) | limit 10", "WHERE log_date = '20230512' OR log_date = 20230513 LIMIT 10",
		`{"bool": {"should": [{"term": {"log_date": "20230512"}}, {"term": {"log_date": "20230513"}}]}}`, rows(query.Or{equal(query.Col("log_date"), "20230512"), equal(query.Col("log_date"), "20230513")}), ""},
	"the beginning of a word":  {"conn* | limit 10", "", "WHERE token_prefix(log_msg, 'conn') LIMIT 10", `{"prefix": {"log_msg": "conn"}}`, rows(query.TokenPrefix{Column: message, Text: "conn"}), ""},
	"the beginning of a value": {"host:web* | limit 10", "", "WHERE host LIKE 'web%' LIMIT 10", `{"prefix": {"host": "web"}}`, rows(query.Prefix{Column: query.Col("host"), Text: "web"}), ""},
	"within a value":           {`host:~"eb 1" | limit 10`, "", "WHERE host LIKE '%eb 1%' LIMIT 10", `{"wildcard": {"host": "*eb 1*"}}`, rows(query.Contains{Column: query.Col("host"), Text: "eb 1"}), ""},
	"a regular expression": {"host:/^(?:web[0-9]+)$/ | limit 10", "", "WHERE regexp_like(host, '^(?:web[0-9]+)$') LIMIT 10", `{"regexp": {"host": "web[0-9]+"}}`,
		rows(query.Regexp{Column: query.Col("host"), Expr: "^(?:web[0-9]+)$"}), ""},
	"a regular expression on messages": {"/time(d )?out/ | limit 10", "", "WHERE regexp_like(log_msg, 'time(d )?out') LIMIT 10", `{"query_string": {"query": "/time(d )?out/", "default_operator": "AND"}}`,
		rows(query.Regexp{Column: message, Expr: "time(d )?out"}), ""},
	"a JSON path": {"log_msg$.user.id:42 | limit 10", "", "WHERE json_extract(log_msg, '$.user.id') = 42 LIMIT 10", `{"term": {"log_msg$.user.id": 42}}`,
		rows(equal(query.JSONPath("log_msg", "$.user.id"), "42")), ""},
	"a pattern": {"_pattern:00000000000000ff | limit 10", "", "WHERE _pattern = '00000000000000ff' LIMIT 10", `{"term": {"_pattern": "00000000000000ff"}}`, rows(query.HasPattern{Column: message, ID: 255}), ""},
	"within each other": {"timeout AND (level:warn OR level:error AND NOT conn*) | limit 10", "timeout (level:warn OR level:error -conn*) | limit 10",
		"WHERE has_token(log_msg, 'timeout') AND (level = 'warn' OR level = 'error' AND token_prefix(log_msg, 'conn') IS NOT TRUE) LIMIT 10",
		`{"bool": {"must": [{"match": {"log_msg": "timeout"}}, {"bool": {"should": [{"term": {"level": "warn"}},
			{"bool": {"filter": [{"term": {"level": "error"}}], "must_not": [{"prefix": {"log_msg": "conn"}}]}}]}}]}}`,
		rows(query.And{token("timeout"), query.Or{equal(level, "warn"), query.And{equal(level, "error"), not(query.TokenPrefix{Column: message, Text: "conn"})}}}), ""},
}

var wholeForms = map[string]form{
	"columns and order": {"* | sort by _timestamp desc, level | limit 5 | fields _timestamp, level, attrs.user", "* | fields _timestamp, level, attrs.user | sort by _timestamp desc, level | limit 5",
		"SELECT _timestamp, level, attrs['user'] FROM logs ORDER BY _timestamp DESC, level LIMIT 5",
		`{"_source": ["_timestamp", "level", "attrs.user"], "sort": [{"_timestamp": "desc"}, "level"], "size": 5}`,
		query.Select("_timestamp", "level", "attrs.user").OrderByDescending("_timestamp").OrderBy("level").Limit(5).Query(), ""},
	"no limit": {"error", "", "SELECT * FROM logs WHERE has_token(log_msg, 'error')", "", query.From("").Where(token("error")).Query(), "JSON: without size it is 10, as in Elasticsearch"},
	"count":    {"error | stats count()", "", "SELECT count(*) FROM logs WHERE has_token(log_msg, 'error')", `{"query": {"match": {"log_msg": "error"}}, "size": 0}`, query.From("").Where(token("error")).Count().Query(), ""},
	"count by level": {"* | stats count() by level", "", "SELECT level, count(*) FROM logs GROUP BY level", "", query.From("").GroupBy("level").Count().Query(),
		"JSON: aggregations have names, and leave rows without the field out"},
	"most frequent": {"level:* | stats count() as doc_count by level as levels | sort by doc_count desc, levels | limit 3", "",
		"SELECT level AS levels, count(*) AS doc_count FROM logs WHERE level IS NOT NULL GROUP BY level ORDER BY doc_count DESC, levels LIMIT 3",
		`{"size": 0, "aggs": {"levels": {"terms": {"field": "level", "size": 3}}}}`,
		query.From("").Where(exists(level)).GroupBy("level").As("levels").Count().As("doc_count").OrderByDescending("doc_count").OrderBy("levels").Limit(3).Query(), ""},
	"histogram": {"last 1h | stats count() as doc_count by bucket(_timestamp, 5m) as t", "_timestamp>=now-1h | stats count() as doc_count by bucket(_timestamp, 5m) as t",
		"SELECT date_histogram(_timestamp, INTERVAL '5' MINUTE) AS t, count(*) AS doc_count FROM logs WHERE _timestamp >= now() - INTERVAL '1' HOUR GROUP BY t",
		`{"query": {"range": {"_timestamp": {"gte": "now-1h"}}}, "size": 0, "aggs": {"t": {"date_histogram": {"field": "_timestamp", "fixed_interval": "5m"}}}}`,
		query.From("").Last(time.Hour).GroupByInterval("_timestamp", 5, query.Minute).As("t").Count().As("doc_count").Query(), ""},
	"by month": {"* | stats count() by bucket(_timestamp, 1month)", "", "SELECT date_trunc('month', _timestamp), count(*) FROM logs GROUP BY 1", "",
		query.From("").GroupByInterval("_timestamp", 1, query.Month).Count().Query(), "JSON: aggregations have names"},
	"two groups": {"level:* | stats count() as doc_count, max(took) as slowest by level as l, bucket(_timestamp, 1h) as t | limit 50", "",
		"SELECT level AS l, date_trunc('hour', _timestamp) AS t, count(*) AS doc_count, max(took) AS slowest FROM logs WHERE level IS NOT NULL GROUP BY l, t LIMIT 50",
		`{"size": 0, "aggs": {"g": {"composite": {"size": 50, "sources": [{"l": {"terms": {"field": "level"}}}, {"t": {"date_histogram": {"field": "_timestamp", "calendar_interval": "hour"}}}]},
			"aggs": {"slowest": {"max": {"field": "took"}}}}}}`,
		query.From("").Where(exists(level)).GroupBy("level").As("l").GroupByInterval("_timestamp", 1, query.Hour).As("t").Count().As("doc_count").Max("took").As("slowest").Limit(50).Query(), ""},
	"numbers": {"* | stats count(took) as n, min(took) as least, avg(took) as mean, sum(took) as total, count_distinct(host) as hosts, quantile(0.99, took) as p99", "",
		"SELECT count(took) AS n, min(took) AS least, avg(took) AS mean, sum(took) AS total, count(DISTINCT host) AS hosts, quantile(0.99)(took) AS p99 FROM logs",
		`{"size": 0, "aggs": {"n": {"value_count": {"field": "took"}}, "least": {"min": {"field": "took"}}, "mean": {"avg": {"field": "took"}}, "total": {"sum": {"field": "took"}},
			"hosts": {"cardinality": {"field": "host"}}, "p99": {"percentiles": {"field": "took", "percents": [99]}}}}`,
		query.From("").CountValues("took").As("n").Min("took").As("least").Avg("took").As("mean").Sum("took").As("total").CountDistinct("host").As("hosts").Quantile(0.99, "took").As("p99").Query(), ""},
	"distinct values": {"* | stats by level, host", "", "SELECT DISTINCT level, host FROM logs", "", query.From("").GroupBy("level", "host").Query(),
		"JSON: aggregations have names, and count"},
}

// TestFourFormsOneTree checks that search text, SQL, JSON and Go give one tree, and that it is printed as the table says.
func TestFourFormsOneTree(t *testing.T) {
	require.GreaterOrEqual(t, len(conditionForms)+len(wholeForms), 25)
	for name, f := range conditionForms {
		f.sql = "SELECT * FROM logs " + f.sql
		if f.json != "" {
			f.json = `{"query": ` + f.json + `}`
		}
		t.Run(name, f.check)
	}
	for name, f := range wholeForms {
		t.Run(name, f.check)
	}
}

func (f form) check(t *testing.T) {
	want := f.tree.Normalize()
	if f.written == "" {
		f.written = f.text
	}
	for _, text := range []string{f.text, f.written} {
		q, err := query.ParseQuery(text)
		require.NoError(t, err, text)
		require.Equal(t, want, q, text)
	}
	q, err := sql.Parse(f.sql)
	require.NoError(t, err)
	require.Equal(t, "logs", q.Table)
	q.Table = ""
	require.Equal(t, want, q, f.sql)
	require.Equal(t, f.json == "", f.cannot != "", "what a language cannot say has a reason")
	if f.json != "" {
		q, err := dsl.Parse([]byte(f.json))
		require.NoError(t, err)
		require.Equal(t, want, q, f.json)
	}
	require.Equal(t, f.text, want.String())
}
