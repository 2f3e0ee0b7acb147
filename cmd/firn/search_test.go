package main

import (
	"bufio"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sampleLake makes a lake with one small table and returns its directory.
func sampleLake(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var lines strings.Builder
	for day := 1; day <= 3; day++ {
		for i := range 40 {
			level := []string{"info", "warn", "error", "info"}[i%4]
			fmt.Fprintf(&lines, `{"ts":"2026-01-%02dT00:%02d:00Z","level":%q,"msg":"request %d of day%d: connection reset by peer-%d","trace_id":"t%d-%d","pod":"web-%d","status":%d}`+"\n",
				day, i, level, i, day, i, day, i, i%2, 200+i)
		}
	}
	ok(t, dir, "create", "web", "--column", "status:int")
	ok(t, dir, "load", "web", write(t, dir, "in.jsonl", lines.String()))
	return dir
}

func TestSearch(t *testing.T) {
	dir := sampleLake(t)
	search := func(args ...string) []map[string]any {
		r := inProcess(t, dir, append([]string{"search", "web"}, args...)...)
		require.Equal(t, exitDone, r.code, "%q: %s", args, r.stderr)
		return objects(t, r.stdout)
	}
	rows := search("day2 level:error", "--limit", "3")
	require.Len(t, rows, 3)
	require.Equal(t, "2026-01-02T00:38:00.000000Z", rows[0]["_timestamp"]) // newest first
	require.Equal(t, "error", rows[0]["level"])
	require.Equal(t, map[string]any{"pod": "web-0"}, rows[0]["attrs"])
	require.EqualValues(t, 238, rows[0]["status"])
	require.Nil(t, rows[0]["host"])
	require.Contains(t, rows[0], "host") // every row has the same keys

	require.Equal(t, "2026-01-01T00:00:00.000000Z", search("*", "--order", "oldest", "--limit", "1")[0]["_timestamp"])
	require.Equal(t, []map[string]any{{"log_msg": "request 7 of day3: connection reset by peer-7", "level": "info"}},
		search("trace_id:t3-7", "--columns", "log_msg,level"))
	for query, want := range map[string]int{
		"*": 120, "DAY1": 40, `"connection reset"`: 120, `"reset connection"`: 0, "pod:web-1": 60, "status:239": 3, "level:error OR level:warn": 60,
		"NOT level:info": 60, "trace_id:t1-1 OR trace_id:t2-2": 2, "nowhere": 0, "(day1 OR day2) level:warn": 20, "attrs.pod:web-0": 60,
	} {
		for _, flags := range [][]string{nil, {"--no-index"}, {"--force-index"}} {
			require.Len(t, search(append([]string{query}, flags...)...), want, "%s %v", query, flags)
			r := inProcess(t, dir, append([]string{"search", "web", query, "--count"}, flags...)...)
			require.Equal(t, fmt.Sprintln(want), r.stdout, "%s %v", query, flags)
		}
	}
	require.JSONEq(t, `{"count":40}`, inProcess(t, dir, "search", "web", "day1", "--count", "--json").stdout)
}

// --from belongs to the window, --to does not, however they are written.
func TestSearchWindow(t *testing.T) {
	dir := sampleLake(t)
	for _, test := range []struct {
		from, to string
		want     int
	}{
		{"2026-01-02", "", 80},
		{"", "2026-01-02", 40},
		{"2026-01-02", "2026-01-03", 40},
		{"2026-01-02T00:10:00Z", "2026-01-02T00:20:00Z", 10},
		{"2026-01-02T00:10:00.000000001Z", "2026-01-02T00:20:00.000000001Z", 10},
		{"2026-01-02T01:10:00+01:00", "1767313200", 10},
		{"1767225600000", "1767225600000001", 1},
		{"2026-01-02", "2026-01-02", 0},
		{"", "0001-01-01", 0},
	} {
		r := inProcess(t, dir, "search", "web", "*", "--count", "--from", test.from, "--to", test.to)
		require.Equal(t, fmt.Sprintln(test.want), r.stdout, "%+v: %s", test, r.stderr)
	}
}

func TestSearchStats(t *testing.T) {
	dir := sampleLake(t)
	r := inProcess(t, dir, "search", "web", "trace_id:t2-3", "--stats")
	require.Len(t, objects(t, r.stdout), 1)
	stats := object(t, r.stderr)
	for _, key := range []string{"files_total", "files_read", "files_skipped", "rows_decoded", "bytes_read", "requests", "plan_ms", "total_ms"} {
		require.Contains(t, stats, key)
	}
	require.Equal(t, 3, number(t, stats, "files_total"))
	require.Equal(t, 1, number(t, stats, "files_read"))
	skipped, isObject := stats["files_skipped"].(map[string]any)
	require.True(t, isObject)
	sum := 0
	for reason := range skipped {
		sum += number(t, skipped, reason)
	}
	require.Equal(t, 2, sum)

	r = inProcess(t, dir, "search", "web", "nowhere", "--count", "--stats", "--force-index")
	require.Equal(t, "0\n", r.stdout)
	require.Equal(t, 0, number(t, object(t, r.stderr), "files_read"))
}

func TestSearchErrors(t *testing.T) {
	dir := sampleLake(t)
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"search", "web", "*", "--columns", "log_msg,nosuch"}, exitUsage, "nosuch"},
		{[]string{"search", "web", "status:abc"}, exitUsage, "abc"},
		{[]string{"search", "nosuch", "*"}, exitFailed, "default.web"},
		{[]string{"explain", "nosuch", "*"}, exitFailed, "default.web"},
		{[]string{"verify", "nosuch"}, exitFailed, "default.web"},
		{[]string{"drop", "nosuch"}, exitFailed, "default.web"},
		{[]string{"inspect", "table", "nosuch"}, exitFailed, "default.web"},
		{[]string{"maintain", "index", "nosuch"}, exitFailed, "default.web"},
		{[]string{"create", "web"}, exitFailed, "firn drop web"},
		{[]string{"inspect", "file", "nosuch.parquet"}, exitFailed, "nosuch.parquet"},
		{[]string{"inspect", "file", "in.jsonl"}, exitFailed, "in.jsonl"},
		{[]string{"inspect", "index", "in.jsonl"}, exitFailed, "in.jsonl"},
		{[]string{"inspect", "file", "."}, exitFailed, "directory"},
	} {
		r := inProcess(t, dir, test.args...)
		require.Equal(t, test.code, r.code, "%q: %s", test.args, r.stderr)
		require.Contains(t, r.stderr, test.says, "%q", test.args)
		require.Empty(t, r.stdout, "%q", test.args)
	}
}

// A reader that goes away ends a search quietly.
func TestBrokenPipe(t *testing.T) {
	dir := sampleLake(t)
	var lines strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&lines, `{"ts":%d,"msg":"a line that is long enough to fill the pipe and the buffers %d"}`+"\n", 1767225600+i, i)
	}
	ok(t, dir, "load", "big", write(t, dir, "big.jsonl", lines.String()))
	cmd := command(t, dir, "search", "big", "*")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, out.Close())
	waitEnd(t, cmd)
	require.Equal(t, exitDone, cmd.ProcessState.ExitCode())
	require.Empty(t, stderr.String())
}

func TestExplain(t *testing.T) {
	dir := sampleLake(t)
	text := inProcess(t, dir, "explain", "web", "day2 level:error").stdout
	require.Contains(t, text, "file")
	require.NotContains(t, text, `"log_msg"`)
	r := object(t, inProcess(t, dir, "explain", "web", "day2 level:error", "--json").stdout)
	require.NotEmpty(t, r)
}
