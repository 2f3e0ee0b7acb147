package query

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseQuery(t *testing.T) {
	hourly := Group{Column: Col("_timestamp"), Every: Interval{1, Hour}}
	for text, want := range map[string]Query{
		"*":                {Where: All{}},
		"error level:warn": {Where: And{msg("error"), Equal{Col("level"), "warn"}}},
		"error | limit 10": {Where: msg("error"), Limit: 10},
		"a | fields level, attrs.x | sort by attrs.x desc | limit 5": {
			Where: msg("a"), Columns: []Column{Col("level"), Attr("x")}, OrderBy: []Sort{{Column: Attr("x"), Descending: true}}, Limit: 5,
		},
		"| stats count()": {Where: All{}, Aggregates: []Aggregate{{Function: FuncCount}}},
		"a | stats count(*), count(level), quantile(0.99, took) as p99 by level, bucket(_timestamp, 60m) | sort by count() desc, bucket(_timestamp, 1h) | fields p99, level": {
			Where:      msg("a"),
			Aggregates: []Aggregate{{Function: FuncCount}, {Function: FuncCount, Column: Col("level")}, {Function: FuncQuantile, Column: Col("took"), Quantile: 0.99, As: "p99"}},
			GroupBy:    []Group{{Column: Col("level")}, hourly},
			OrderBy:    []Sort{{Column: Col("count()"), Descending: true}, {Column: Col("bucket(_timestamp, 1h)")}},
			Columns:    []Column{Col("p99"), Col("level")},
		},
		`a | STATS BY "by", attrs.k as "odd name" | SORT "by", "odd name" ASC`: {
			Where: msg("a"), GroupBy: []Group{{Column: Col("by")}, {Column: Attr("k"), As: "odd name"}},
			OrderBy: []Sort{{Column: Col(`"by"`)}, {Column: Col("odd name")}},
		},
		`a \| b|c "|"`: {Where: And{msg("a"), msg("|"), Phrase{Col("log_msg"), "b|c"}, msg("|")}},
	} {
		got, err := ParseQuery(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		again, err := ParseQuery(got.String())
		require.NoError(t, err, "%s printed %s", text, got)
		require.Equal(t, got, again, "%s printed %s", text, got)
	}
}

func TestParseQueryErrorsPointAtTheCharacter(t *testing.T) {
	for text, want := range map[string]struct {
		offset int
		says   string
	}{
		"":                                   {0, "empty"},
		"a |":                                {3, "expected stats, sort, limit or fields"},
		"a | grep x":                         {4, "expected stats, sort, limit or fields"},
		"a (b | stats count())":              {2, "never closed"},
		"a AND | stats count()":              {6, "before |"},
		"a | limit x":                        {10, "number of rows"},
		"a | limit 0":                        {10, "number of rows"},
		"a | limit 5 5":                      {12, "expected , or |"},
		"a | limit 5 | limit 6":              {14, "second time"},
		"a | limit 5 | sort by x":            {14, "sort comes before limit"},
		"a | limit 5 | stats count()":        {14, "stats comes before limit"},
		"a | stats":                          {9, "expected count,"},
		"a | stats median(x)":                {10, "expected count,"},
		"a | stats count":                    {15, "expected ( after count"},
		"a | stats sum()":                    {14, "name of a column"},
		"a | stats count() by":               {20, "name of a column"},
		"a | stats quantile(99, x)":          {19, "from 0 to 1"},
		"a | stats by bucket(_timestamp)":    {30, "expected ,"},
		"a | stats by bucket(_timestamp, 5)": {32, "expected an interval"},
		"a | stats by bucket(x, 2w)":         {23, "expected 1 week"},
		"a | stats count(), count()":         {19, "name one with as"},
		"a | sort by count()":                {12, "need | stats"},
		"a | stats count() | sort by x":      {28, "the answer has no column x; it has count()"},
		"a | fields b | sort by c":           {23, "leaves out c"},
		"a | fields desc":                    {11, "quotes"},
		"a | fields":                         {10, "name of a column"},
	} {
		_, err := ParseQuery(text)
		require.ErrorIs(t, err, ErrSyntax, text)
		var syntax *SyntaxError
		require.ErrorAs(t, err, &syntax, text)
		require.Equal(t, want.offset, syntax.Offset, "%s: %v", text, err)
		require.ErrorContains(t, err, want.says, text)
	}
	_, err := Parse("a | limit 5")
	require.ErrorContains(t, err, "without pipes")
}

func TestAgoIsPrintedInTheLargestUnit(t *testing.T) {
	for want, a := range map[string]Ago{
		"now": 0, "now-15m": Ago(15 * time.Minute), "now+90s": -Ago(90 * time.Second), "now-2w": Ago(14 * 24 * time.Hour), "now-1500us": Ago(1500 * time.Microsecond),
		"now+9223372036854775808ns": -1 << 63,
	} {
		require.Equal(t, want, a.String())
	}
}

func TestNormalize(t *testing.T) {
	for _, c := range []struct{ p, want Predicate }{
		{nil, All{}},
		{And{}, All{}},
		{And{msg("a"), And{msg("b"), All{}}}, And{msg("a"), msg("b")}},
		{Or{Or{msg("a")}, msg("b")}, Or{msg("a"), msg("b")}},
		{Not{Not{msg("a")}}, msg("a")},
		{Not{All{}}, Or{}},
		{Not{Or{}}, All{}},
		{Or{And{Or{msg("a"), msg("b")}}}, Or{msg("a"), msg("b")}},
		{Equal{Col("x"), 5.0}, Equal{Col("x"), "5"}},
		{Equal{Col("x"), true}, Equal{Col("x"), "true"}},
		{Equal{Col("x"), time.Unix(0, 0)}, Equal{Col("x"), "1970-01-01T00:00:00Z"}},
		{In{Col("x"), []any{1}}, Equal{Col("x"), "1"}},
		{In{Col("x"), nil}, Or{}},
		{In{Col("attrs.x"), []any{1, "b"}}, In{Attr("x"), []any{"1", "b"}}},
		{Compare{Col("x"), Less, uint8(5)}, Compare{Col("x"), Less, int64(5)}},
		{Compare{Col("x"), Less, 5.5}, Compare{Col("x"), Less, 5.5}},
		{Compare{Col("x"), Less, []byte("5")}, Compare{Col("x"), Less, "5"}},
		{Compare{Col("x"), Less, Ago(5)}, Compare{Col("x"), Less, Ago(5)}},
		{msg("a b"), Phrase{Col("log_msg"), "a b"}},
		{Phrase{Col("log_msg"), "a"}, msg("a")},
		{HasToken{Col("host"), "a"}, Phrase{Col("host"), "a"}},
		{Regexp{Col("host"), ` a\/b `}, Regexp{Col("host"), `\x20a/b\x20`}},
	} {
		require.Equal(t, c.want, Normalize(c.p), "%v", c.p)
		require.Equal(t, c.want, Normalize(c.want), "%v", c.p)
	}
	require.Equal(t, Interval{1, Day}, Interval{86_400, Second}.normalize())
}
