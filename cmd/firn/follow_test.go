package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSearchContext(t *testing.T) {
	dir := sampleLake(t)
	lines := func(args ...string) (found []string) {
		r := inProcess(t, dir, append([]string{"search", "web"}, args...)...)
		require.Equal(t, exitDone, r.code, "%q: %s", args, r.stderr)
		for _, row := range objects(t, r.stdout) {
			found = append(found, fmt.Sprint(row["trace_id"], " ", row["_context"], " ", row["_group"]))
		}
		return found
	}
	require.Equal(t, []string{"t2-19 before 1", "t2-20 hit 1", "t2-21 after 1", "t2-22 after 1"}, lines("trace_id:t2-20", "-B", "1", "--after", "2"))
	require.Equal(t, []string{"t3-7 before 1", "t3-8 hit 1", "t1-2 before 2", "t1-3 hit 2", "t1-4 before 2", "t1-5 hit 2"},
		lines("trace_id:t3-8 OR trace_id:t1-3 OR trace_id:t1-5", "-B", "1"))
	require.Equal(t, []string{"t2-18 before 1", "t2-20 hit 1", "t2-22 after 1"}, lines("trace_id:t2-20", "-C", "1", "--stream", "pod"))
	require.Equal(t, []string{"t3-38 before 1", "t3-39 hit 1"}, lines("*", "-C", "1", "--limit", "1", "--stream", ""))

	r := inProcess(t, dir, "search", "web", "trace_id:t2-20 OR trace_id:t1-3", "-C", "1", "--columns", "trace_id", "--format", "pretty", "--color", "never")
	require.Equal(t, exitDone, r.code, r.stderr)
	require.Equal(t, 7, strings.Count(r.stdout, "\n"), r.stdout)
	require.Equal(t, 1, strings.Count(r.stdout, "--\n"), r.stdout)
	r = inProcess(t, dir, "search", "web", "* | stats count()", "-C", "1")
	require.Equal(t, exitUsage, r.code)
}

// tail prints what is loaded while it runs, and being interrupted is no failure.
func TestTail(t *testing.T) {
	dir := sampleLake(t)
	tail := command(t, dir, "tail", "web", "level:error", "-n", "2", "--interval", "10ms", "--columns", "trace_id")
	var stderr strings.Builder
	tail.Stderr = &stderr
	out, err := tail.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, tail.Start())
	rows := bufio.NewScanner(out)
	next := func() string {
		require.True(t, rows.Scan(), "%s", &stderr)
		return rows.Text()
	}
	require.JSONEq(t, `{"trace_id":"t3-34"}`, next())
	require.JSONEq(t, `{"trace_id":"t3-38"}`, next())
	for i := range 3 {
		text := fmt.Sprintf(`{"ts":"2025-01-0%dT00:00:00Z","level":"error","msg":"late","trace_id":"late-%d"}`+"\n"+`{"ts":"2026-02-01T00:00:00Z","level":"info","msg":"x"}`+"\n", 3-i, i)
		ok(t, dir, "load", "web", write(t, dir, "late.jsonl", text))
		require.JSONEq(t, fmt.Sprintf(`{"trace_id":"late-%d"}`, i), next())
	}
	require.NoError(t, tail.Process.Signal(os.Interrupt))
	require.False(t, rows.Scan(), rows.Text())
	require.NoError(t, tail.Wait(), "%s", &stderr)
	require.Empty(t, stderr.String())
	require.Equal(t, exitDone, tail.ProcessState.ExitCode())

	r := inProcess(t, dir, "tail", "web", "level:error | limit 3", "-n", "5", "--format", "csv", "--columns", "trace_id")
	require.Equal(t, exitDone, r.code, r.stderr)
	require.Equal(t, 4, strings.Count(r.stdout, "\n"), r.stdout)
}
