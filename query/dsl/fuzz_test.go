package dsl

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/query"
)

// FuzzParse checks that no JSON panics, that what is understood is in normal form, and that its search text means the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{"query": {"bool": {"filter": [{"match_phrase": {"log_msg": "a b"}}, {"range": {"_timestamp": {"gte": "now-15m"}}}], "must_not": {"term": {"a": 1.5}}}}, "sort": [{"_timestamp": "desc"}]}`,
		`{"query": {"bool": {"should": [{"terms": {"a": ["x", 2]}}, {"exists": {"field": "attrs.b"}}]}}, "_source": ["a", "log_msg$.c[0]"], "size": 5}`,
		`{"size": 0, "aggs": {"l": {"terms": {"field": "level", "order": {"_key": "asc"}}, "aggs": {"m": {"avg": {"field": "took"}}}}}}`,
		`{"aggs": {"g": {"composite": {"sources": [{"l": {"terms": {"field": "level"}}}, {"h": {"date_histogram": {"field": "_timestamp", "fixed_interval": "5m"}}}]}}}}`,
		`{"query": {"wildcard": {"a": "b?c*"}}, "aggs": {"p": {"percentiles": {"field": "a", "percents": [50, 99.9]}}, "u": {"cardinality": {"field": "b"}}}}`,
		`{"query": {"regexp": {"a": "b.*"}}, "size": 0}`, `{"query": {"prefix": {"log_msg": "co"}}}`, `{"query": {"query_string": {"query": "a OR b:c", "default_operator": "AND"}}}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse([]byte(text))
		if err != nil {
			require.ErrorIs(t, err, query.ErrSyntax)
			require.NotEmpty(t, err.Error())
			return
		}
		require.Equal(t, q.Normalize(), q)
		again, err := query.ParseQuery(q.String())
		require.NoError(t, err, q.String())
		again.Table = q.Table
		require.Equal(t, q, again, q.String())
	})
}
