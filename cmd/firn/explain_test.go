package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExplainAnalyze(t *testing.T) {
	dir := sampleLake(t)
	tree := ok(t, dir, "explain", "web", "day2 level:error", "--analyze")
	for _, says := range []string{"search day2 AND level:error", "├─ pruned", "├─ conditions", "rows expected", "really", "pages decoded"} {
		require.Contains(t, tree, says)
	}
	grouped := ok(t, dir, "explain", "--sql", "SELECT level, count(*) AS n FROM web WHERE has_token(log_msg, 'day2') GROUP BY level ORDER BY n DESC LIMIT 2")
	for _, says := range []string{"by level", "sort", "by n descending", "the first 2"} {
		require.Contains(t, grouped, says)
	}
	require.NotContains(t, grouped, "really")
	counted := ok(t, dir, "explain", "web", "day2", "--count", "--analyze")
	require.Contains(t, counted, "count() of all rows")

	for _, args := range [][]string{{"--format", "json"}, {"--json"}} {
		r := inProcess(t, dir, append([]string{"explain", "web", "day2", "--analyze", "--stats"}, args...)...)
		require.Equal(t, exitDone, r.code, r.stderr)
		explained, stats := object(t, r.stdout), object(t, r.stderr)
		require.EqualValues(t, 40, explained["actual"].(map[string]any)["rows_matched"])
		require.Contains(t, explained["estimate"], "bytes_data")
		require.EqualValues(t, 40, stats["rows_matched"])
		cache := stats["cache"].(map[string]any)
		require.EqualValues(t, 1, cache["plans"].(map[string]any)["entries"])
		require.Positive(t, cache["bytes"])
	}
	for _, args := range [][]string{{"explain", "web", "*", "--format", "csv"}, {"explain", "--sql", "SELECT"}, {"explain", "web", "*", "--sql", "SELECT 1"}, {"explain", "web"}} {
		require.Equal(t, exitUsage, inProcess(t, dir, args...).code, "%q", args)
	}
}

// A terminal that shows only ASCII gets a tree of ASCII.
func TestExplainUnicode(t *testing.T) {
	for locale, want := range map[string]bool{"": false, "C": false, "en_US.UTF-8": true, "de_DE.utf8": true, "de_DE.ISO-8859-1": false} {
		a := app{terminals: pseudoTerminal{}, getenv: func(name string) string { return map[string]string{"LC_CTYPE": locale}[name] }}
		require.Equal(t, want, a.showsUnicode(), locale)
	}
	require.True(t, (&app{}).showsUnicode()) // a file
}
