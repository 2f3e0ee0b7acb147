package sql

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/query"
)

// FuzzParse checks that no text panics, that what is understood is in normal form, and that its search text means the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"select * from test where arg_trid = 'x' and (log_date = '20230512' or log_date = '20230513') order by _timestamp desc limit 200",
		"select count(*) from test01 where has_token(log_msg, 'a')",
		"select level l, count(distinct attrs['k']) as n from ns.t where not (a <> 1.5 or b in ('x', 'y')) group by l order by n desc, 1 limit 3",
		"select date_trunc('hour', _timestamp), quantile(0.9)(took) from t where a like '%x_y!%' escape '!' and b ilike 'c%' group by 1",
		"select percentile_cont(0.5) within group (order by took) from t where _timestamp >= now() - interval '15' minute",
		"select \"a b\", `c`, attrs.d from t as x where x.e is distinct from 5 and f between 1 and 2 and (g = 1) is not true -- comment",
		"select date_histogram(_timestamp, interval 5 minute), min(a) from t where json_value(log_msg, '$.a[0]') = 'x' /* y */ group by 1;",
		"select distinct a from t where _pattern = '00000000000000ff' or token_prefix(log_msg, 'co') or regexp_like(a, '^b') and phrase(c, 'd e')",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse(text)
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
