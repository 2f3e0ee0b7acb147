package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/query"
)

func TestHistogram(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := sampleLake(t) // 40 rows from midnight UTC on each of three days
	require.Equal(t, "█"+strings.Repeat(" ", 23)+"█"+strings.Repeat(" ", 23)+"█  120 rows, 2026-01-01 02:00:00 to 2026-01-03 03:00:00, 1 hour a column",
		strings.SplitN(onTerminal(t, dir, 200, "search", "web", "*", "--color", "never").stdout, "\n", 2)[0])
	r := onTerminal(t, dir, 80, "search", "web", "level:error day2", "--color", "never", "--from", "2026-01-02", "--to", "2026-01-02T00:20:00Z", "--limit", "1")
	require.Equal(t, `    █       █       █       █       █  
5 rows, 2026-01-02 02:00:00 to 2026-01-02 02:19:30, 30 seconds a column
`, strings.Join(strings.SplitAfter(r.stdout, "\n")[:2], ""))
	for _, args := range [][]string{
		{"*", "--no-histogram"}, {"*", "--format", "jsonl"}, {"*", "--count"}, {"nowhere"}, {"* | stats count() by level"},
	} {
		require.NotContains(t, onTerminal(t, dir, 80, append([]string{"search", "web"}, args...)...).stdout, "a column", args)
	}
	require.NotContains(t, inProcess(t, dir, "search", "web", "*", "--format", "pretty").stdout, "a column")
}

// Whatever the span, there are no more buckets than asked for, but for one, and they are of a round length.
func TestRoundInterval(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	for range 2000 {
		span := time.Duration(random.Int64() >> random.IntN(63))
		buckets := 1 + random.IntN(histogramBuckets)
		interval, width := roundInterval(span, buckets)
		require.LessOrEqual(t, int(span/width), buckets, "%s in %d, seed %d", span, buckets, seed)
		units := map[query.IntervalUnit]time.Duration{query.Second: time.Second, query.Minute: time.Minute, query.Hour: time.Hour, query.Day: 24 * time.Hour}
		require.Equal(t, time.Duration(interval.Count)*units[interval.Unit], width)
	}
	interval, _ := roundInterval(0, 60)
	require.Equal(t, query.Interval{Count: 1, Unit: query.Second}, interval)
}

func TestTimesOf(t *testing.T) {
	for text, want := range map[string]string{
		"error last 15m":                     "last 15m",
		"error":                              "*",
		"_timestamp>=2026-01-01T00:00:00Z a": "_timestamp>=2026-01-01T00:00:00Z",
		"a OR last 15m":                      "*",
		"NOT last 15m":                       "*",
	} {
		p, err := firn.Parse(text)
		require.NoError(t, err)
		q, err := firn.Parse(want)
		require.NoError(t, err)
		require.Equal(t, query.Normalize(q).String(), query.Normalize(timesOf(p)).String(), text)
	}
}

func TestSQL(t *testing.T) {
	dir := sampleLake(t)
	statement := "SELECT level, count(*) AS n FROM web GROUP BY level ORDER BY n DESC, level LIMIT 2"
	require.Equal(t, "{\"level\":\"info\",\"n\":60}\n{\"level\":\"error\",\"n\":30}\n", inProcess(t, dir, "sql", statement).stdout)
	require.Equal(t, "level,n\r\ninfo,60\r\nerror,30\r\n", inProcess(t, dir, "sql", statement, "--format", "csv").stdout)
	require.Equal(t, "level   n\ninfo   60\nerror  30\n", onTerminal(t, dir, 80, "sql", statement, "--color", "never").stdout)
	require.Equal(t, "{\"level\":\"info\",\"n\":60}\n{\"level\":\"error\",\"n\":30}\n", firnIn(t, dir, statement, "sql", "-").stdout)
	require.Equal(t, "{\"n\":30}\n", inProcess(t, dir, "search", "web", "level:warn | stats count() as n").stdout)
	require.Equal(t, "count\r\n30\r\n", inProcess(t, dir, "search", "web", "level:warn", "--count", "--format", "csv").stdout)
	require.Len(t, objects(t, inProcess(t, dir, "sql", "SELECT * FROM web WHERE has_token(log_msg, 'day2') ORDER BY _timestamp DESC LIMIT 7").stdout), 7)
	for statement, code := range map[string]int{"": exitUsage, "SELECT": exitUsage, "SELECT * FROM nosuch": exitFailed, "SELECT * FROM a JOIN b ON a.x = b.x": exitUsage} {
		r := inProcess(t, dir, "sql", statement)
		require.Equal(t, code, r.code, statement)
		require.Empty(t, r.stdout)
		require.NotEmpty(t, r.stderr)
	}
	require.Equal(t, exitUsage, firnIn(t, dir, " \n", "sql", "-").code)
}

// A limit ends a search with a part of the answer, which is told on standard error and by the exit code.
func TestPartialAnswers(t *testing.T) {
	dir := sampleLake(t)
	for _, args := range [][]string{
		{"search", "web", "peer", "--max-bytes", "1"}, {"sql", "SELECT * FROM web", "--max-bytes", "1"},
		{"search", "web", "pod:web-1 | stats count() by pod", "--max-bytes", "1"}, {"search", "web", "*", "--max-time", "1ns"},
	} {
		r := inProcess(t, dir, args...)
		require.Equal(t, exitPartial, r.code, "%q: %s", args, r.stderr)
		require.Contains(t, r.stderr, "PARTIAL ANSWER: the ")
		objects(t, r.stdout)
		r = inProcess(t, dir, append(args, "--stats")...)
		require.Equal(t, exitPartial, r.code)
		require.NotEmpty(t, object(t, r.stderr)["partial"])
	}
	r := inProcess(t, dir, "search", "web", "request", "--max-rows", "100000", "--max-bytes", "1GB", "--max-time", "10m")
	require.Equal(t, exitDone, r.code)
	require.Empty(t, r.stderr)
	require.Len(t, objects(t, r.stdout), 120)
}

// What a query says and what flags say must not contradict each other.
func TestFlagsAndPipes(t *testing.T) {
	dir := sampleLake(t)
	for _, args := range [][]string{
		{"* | limit 3", "--limit", "2"}, {"* | sort by _timestamp", "--order", "oldest"}, {"* | fields level", "--columns", "level"}, {"* | stats count()", "--count"},
	} {
		r := inProcess(t, dir, append([]string{"search", "web"}, args...)...)
		require.Equal(t, exitUsage, r.code, args)
		require.Contains(t, r.stderr, "already")
	}
	require.Equal(t, "{\"attrs.pod\":\"web-1\",\"level\":\"info\"}\n", inProcess(t, dir, "search", "web", "trace_id:t3-7", "--columns", "attrs.pod,level").stdout)
	require.Equal(t, fmt.Sprintln(`{"level":"info"}`), inProcess(t, dir, "search", "web", "trace_id:t3-7 | fields level").stdout)
}

// A query in JSON comes from a file or from standard input.
func TestSearchDSL(t *testing.T) {
	dir := sampleLake(t)
	text := `{"query":{"bool":{"must":[{"term":{"level":"warn"}},{"match":{"log_msg":"day2"}}]}},"size":3}`
	require.Len(t, objects(t, inProcess(t, dir, "search", "web", "--dsl", write(t, dir, "q.json", text)).stdout), 3)
	require.Len(t, objects(t, firnIn(t, dir, text, "search", "web", "--dsl", "-").stdout), 3)
	for _, bad := range []string{`{`, `{"query":{"fuzzy":{}}}`, ` `, strings.Repeat(" ", mostQueryBytes+1)} {
		r := firnIn(t, dir, bad, "search", "web", "--dsl", "-")
		require.Equal(t, exitUsage, r.code, r.stderr)
		require.Empty(t, r.stdout)
	}
	require.Equal(t, exitUsage, inProcess(t, dir, "search", "web", "*", "--dsl", "q.json").code)
	require.Equal(t, exitFailed, inProcess(t, dir, "search", "web", "--dsl", "nosuch.json").code)
}

// A histogram that comes too late stands below the rows or nowhere, never among them.
func TestLateHistogram(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := sampleLake(t)
	t.Chdir(dir)
	var stdout, stderr strings.Builder
	a := &app{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: time.Now, getenv: func(string) string { return "" },
		terminals: pseudoTerminal{80, 20}, zone: time.UTC, patience: 1,
	}
	require.Equal(t, exitDone, a.run(t.Context(), []string{"search", "web", "*"}), stderr.String())
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	for i, line := range lines {
		isRow := strings.Contains(line, "request ")
		require.True(t, isRow || i < 2 || i >= 120, "line %d: %s", i, line)
	}
}

// A reader that goes away ends every format quietly.
func TestBrokenPipeOfFormats(t *testing.T) {
	dir := sampleLake(t)
	for _, format := range outputFormats {
		for _, args := range [][]string{{"search", "web", "*"}, {"sql", "SELECT level, count(*) FROM web GROUP BY level"}} {
			t.Chdir(dir)
			var stderr strings.Builder
			a := &app{stdin: strings.NewReader(""), stdout: brokenOutput{}, stderr: &stderr, now: time.Now, getenv: func(string) string { return "" }}
			require.Equal(t, exitDone, a.run(t.Context(), append(args, "--format", string(format))), "%s: %s", format, stderr.String())
			require.Empty(t, stderr.String(), format)
		}
	}
}

// brokenOutput is a pipe whose reader went away.
type brokenOutput struct{}

func (brokenOutput) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// What the help shows is understood.
func TestHelpExamples(t *testing.T) {
	examples := 0
	for line := range strings.Lines(queryHelp) {
		text, indented := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "  ")
		if text, _, _ = strings.Cut(text, "   "); !indented {
			continue
		}
		examples++
		_, err := firn.ParseQuery(text)
		require.NoError(t, err, text)
	}
	require.GreaterOrEqual(t, examples, 15)
	statements := 0
	for line := range strings.Lines(sqlHelp) {
		if strings.HasPrefix(line, "  SELECT") {
			statements++
			_, err := firn.ParseSQL(line)
			require.NoError(t, err, line)
		}
	}
	require.Equal(t, 4, statements)
}
