package main

import (
	"strings"
	"testing"
	"unicode"

	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/query"
)

func prettyLake(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ok(t, dir, "load", "web", write(t, dir, "in.jsonl", strings.Join([]string{
		`{"ts":"2026-01-01T22:00:00.123456Z","level":"error","app_id":"shop","host":"web-1","msg":"Connection reset by peer, connection lost","trace_id":"t1","took":"12 ms"}`,
		`{"ts":"2026-01-01T22:00:01Z","level":"WARN","host":"web-2","msg":"panic:\r\n\tat main.go:1\n\tat connection.go:2\n","took":"","n":null}`,
		`{"ts":"2026-01-01T22:00:02Z","msg":"no level, 漢字 connection"}`,
	}, "\n")))
	return dir
}

func TestPretty(t *testing.T) {
	dir := prettyLake(t)
	args := []string{"search", "web", "connection", "--order", "oldest", "--no-histogram"}
	r := onTerminal(t, dir, 80, append(args, "--color", "never")...)
	require.Equal(t, `2026-01-02 00:00:00.123 error shop/web-1 Connection reset by peer, connection lost  trace_id=t1 took="12 ms"
2026-01-02 00:00:01.000 WARN  web-2 panic:
    	at main.go:1
    	at connection.go:2
    took="" n=null
2026-01-02 00:00:02.000       no level, 漢字 connection
`, r.stdout)
	r = onTerminal(t, dir, 80, args...)
	lines := strings.Split(r.stdout, "\n")
	require.Equal(t, "\x1b[2m2026-01-02 00:00:00.123\x1b[0m \x1b[1;31merror\x1b[0m \x1b[36mshop\x1b[0m/\x1b[36mweb-1\x1b[0m "+
		"\x1b[1;30;43mConnection\x1b[0m reset by peer, \x1b[1;30;43mconnection\x1b[0m lost  "+
		"\x1b[2mtrace_id=\x1b[0m\x1b[2mt1\x1b[0m \x1b[2mtook=\x1b[0m\x1b[2m\"\x1b[0m\x1b[2m12 ms\x1b[0m\x1b[2m\"\x1b[0m", lines[0])
	require.Contains(t, lines[1], "\x1b[33mWARN\x1b[0m  ")
	require.NotContains(t, inProcess(t, dir, append(args, "--format", "pretty")...).stdout, "\x1b")
	require.Contains(t, inProcess(t, dir, append(args, "--format", "pretty", "--color", "always")...).stdout, "\x1b")
}

func TestTable(t *testing.T) {
	dir := prettyLake(t)
	args := []string{"search", "web", "*", "--order", "oldest", "--no-histogram", "--columns", "level,log_msg,trace_id,attrs", "--format", "table", "--color", "never"}
	require.Equal(t, `level  log_msg                                           trace_id  attrs
error  Connection reset by peer, connection lost         t1        {"took":"12 ms"}
WARN   panic:\r\n\tat main.go:1\n\tat connection.go:2\n            {"took":"","n":null}
       no level, 漢字 connection                                   {}
`, inProcess(t, dir, args...).stdout)
	require.Equal(t, `level  log_msg           trace_id  attrs
error  Connection rese…  t1        {"took":"12 ms…
WARN   panic:\r\n\tat …            {"took":"","n"…
       no level, 漢字 …            {}
`, onTerminal(t, dir, 50, args...).stdout)
	for width := 1; width < 30; width++ {
		for line := range strings.Lines(onTerminal(t, dir, width, args...).stdout) {
			require.LessOrEqual(t, uniseg.StringWidth(strings.TrimSuffix(line, "\n")), width)
		}
	}
}

func TestSeverities(t *testing.T) {
	for want, words := range map[severity][]string{
		severityTrace:   {"trace", "TRC", "V", "FINEST", "10"},
		severityDebug:   {"DEBUG", "dbg", "D", "DEBUG2", "7", "20"},
		severityInfo:    {"info", "Information", "INF", "I", "6", "30", "[INFO]"},
		severityNotice:  {"notice", "NOTE", "5"},
		severityWarning: {"Warning", "WARN", "W", "wrn", "4", "40"},
		severityError:   {"error", "ERR", "E", "3", "50", "ERROR+4", "severe"},
		severityFatal:   {"FATAL", "crit", "Critical", "F", "emerg", "alert", "0", "2", "60", "panic"},
		severityUnknown: {"", "8", "9", "70", "-1", "99999999999999999999999", "12345678901234567890123456789", "hello", "\x1b[1m"},
	} {
		for _, word := range words {
			require.Equal(t, want, severityOf(word), word)
		}
	}
}

func TestHighlights(t *testing.T) {
	columns := []string{"log_msg", "host", "attrs"}
	marked := func(p firn.Predicate, text string) string {
		var b strings.Builder
		from := 0
		for _, s := range newHighlights(p, columns).column("log_msg", text) {
			b.WriteString(text[from:s.from] + "<" + text[s.from:s.to] + ">")
			from = s.to
		}
		return b.String() + text[from:]
	}
	message := firn.Col("log_msg")
	for _, test := range []struct {
		p          firn.Predicate
		text, want string
	}{
		{firn.HasToken{Column: message, Text: "reset"}, "Reset! preset reset_1 RESET", "<Reset>! preset reset_1 <RESET>"},
		{firn.Phrase{Column: message, Text: "connection  RESET"}, "a connection, reset connection reset", "a <connection, reset> <connection reset>"},
		{firn.Phrase{Column: message, Text: "a a"}, "a a a b", "<a a a> b"},
		{firn.Contains{Column: message, Text: "es"}, "reset Test", "r<es>et T<es>t"},
		{firn.Prefix{Column: message, Text: "re"}, "reset re", "<re>set re"},
		{query.TokenPrefix{Column: message, Text: "conn"}, "Connections disconnect", "<Connections> disconnect"},
		{query.Regexp{Column: message, Expr: `\d+ms|x*`}, "took 12ms, 3 ms", "took <12ms>, 3 ms"},
		{query.Regexp{Column: message, Expr: `(`}, "a", "a"},
		{firn.Not{X: firn.HasToken{Column: message, Text: "a"}}, "a", "a"},
		{firn.And{firn.HasToken{Column: message, Text: "b"}, firn.Or{firn.Contains{Column: message, Text: "bc"}, nil}}, "b bcd", "<b> <bc>d"},
		{firn.HasToken{Column: firn.Col("host"), Text: "a"}, "a", "a"},
		{firn.HasToken{Column: message, Text: "ÄRGER"}, "ärger", "<ärger>"},
		{nil, "a", "a"},
	} {
		require.Equal(t, test.want, marked(test.p, test.text), "%v", test.p)
	}
	h := newHighlights(firn.And{firn.Equal{Column: firn.Col("pod"), Value: "web"}, firn.Contains{Column: firn.Attr("host"), Text: "e"}}, columns)
	require.Len(t, h.key("pod", "web"), 1)
	require.Empty(t, h.key("pod", "web-1"))
	require.Len(t, h.key("host", "e"), 1)
	require.Len(t, h.column("host", "e"), 1)
}

// Tokens are highlighted by the rule of the analyzer.
func FuzzNextToken(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add(text)
	}
	f.Add("\xffa\xc3b_1é漢")
	f.Fuzz(func(t *testing.T, text string) {
		var got []string
		for at := nextToken(text, 0); at.from < len(text); at = nextToken(text, at.to) {
			got = append(got, analyzer.Fold(text[at.from:at.to]))
		}
		require.Equal(t, analyzer.Split(text), got)
	})
}

// What is shown holds nothing hostile, and what is cut fits.
func FuzzFit(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add(text, 10)
	}
	f.Add("漢字", 3)
	f.Fuzz(func(t *testing.T, text string, width int) {
		shown := visible(text)
		for _, r := range shown {
			require.False(t, hostile(r) && r != unicode.ReplacementChar)
		}
		width = max(0, min(width, 1000))
		cut, got := fit(shown, width)
		require.LessOrEqual(t, got, width)
		require.Equal(t, uniseg.StringWidth(cut), got)
		if uniseg.StringWidth(shown) <= width {
			require.Equal(t, shown, cut)
		}
	})
}
