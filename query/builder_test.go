package query_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/query"
)

func ExampleFrom() {
	q := query.From("web").
		Where(query.HasToken{Column: query.Col("log_msg"), Text: "error"}, query.Compare{Column: query.Attr("status"), Op: query.GreaterOrEqual, Value: 500}).
		Last(15*time.Minute).
		GroupByInterval("_timestamp", 1, query.Minute).
		GroupBy("level").
		Count().
		Quantile(0.99, "took").As("slowest").
		OrderByDescending("count()").
		Limit(10).
		Query()
	fmt.Println(q)
	// Output:
	// error AND attrs.status>=500 AND last 15m | stats count(), quantile(0.99, took) as slowest by bucket(_timestamp, 1m), level | sort by count() desc | limit 10
}

func ExampleParseQuery() {
	q, err := query.ParseQuery(`conn* -level:debug attrs.took:[1 TO 2.5} | sort attrs.took | fields log_msg, attrs.took`)
	if err != nil {
		panic(err)
	}
	fmt.Println(q)
	// Output:
	// conn* AND NOT level:debug AND attrs.took>=1 AND attrs.took<2.5 | sort by attrs.took | fields log_msg, attrs.took
}

func TestBuilderAgreesWithTheTextLanguage(t *testing.T) {
	for text, b := range map[string]*query.Builder{
		`*`:                     query.From("web"),
		`* | fields a, attrs.b`: query.Select("a", "attrs.b"),
		`a b | sort x, y desc`: query.From("").Where(query.HasToken{Column: query.Col("log_msg"), Text: "a"}).
			Where(query.HasToken{Column: query.Col("log_msg"), Text: "b"}).OrderBy("x").OrderByDescending("y"),
		`* | stats count(x), count_distinct(x), min(x), max(x), sum(x), avg(attrs.x) as m by y as z | sort m | fields z, m`: query.Select("z", "m").CountValues("x").
			CountDistinct("x").Min("x").Max("x").Sum("x").Avg("attrs.x").As("m").GroupBy("y").As("z").OrderBy("m"),
		`last 1d | limit 5`: query.From("").As("nothing").Last(24 * time.Hour).Limit(5),
	} {
		want, err := query.ParseQuery(text)
		require.NoError(t, err, text)
		got := b.Query()
		got.Table = ""
		require.Equal(t, want, got, text)
	}
}
