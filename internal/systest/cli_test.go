package systest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/loggen"
	"github.com/firnlog/firn/internal/oracle"
)

// programDir is where the firn program is built for the tests of this package; TestMain makes and removes it.
var programDir string

// program builds the firn program once and returns its path.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(programDir, "firn")
	build := exec.Command("go", "build", "-o", path, "./cmd/firn")
	build.Dir = repository()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build firn: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	if arguments := os.Getenv(committerEnv); arguments != "" {
		os.Exit(runCommitter(arguments))
	}
	dir, err := os.MkdirTemp("", "firn-systest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// outcome is how one run of the program ended.
type outcome struct {
	stdout, stderr string
	code           int
}

// command prepares a run of firn on a lake, which is a directory or a configuration file (.yaml).
func command(t testing.TB, lake string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := program()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	where := "--lake"
	if strings.HasSuffix(lake, ".yaml") {
		where = "--config"
	}
	cmd := exec.CommandContext(ctx, path, append([]string{where, lake}, args...)...)
	cmd.Env = append(os.Environ(), "FIRN_LAKE=")
	return cmd
}

// firnWith runs firn with a standard input and returns how it ended. A crash of the program fails the test.
func firnWith(t testing.TB, stdin io.Reader, lake string, args ...string) outcome {
	t.Helper()
	cmd := command(t, lake, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil {
		require.True(t, errors.As(err, &exit), "%v", err)
	}
	o := outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	require.NotContains(t, o.stderr, "goroutine ", "firn crashed: %v", args)
	require.Contains(t, []int{0, 1, 2, 3}, o.code, "%v: %s", args, o.stderr)
	return o
}

// run runs firn.
func run(t testing.TB, lake string, args ...string) outcome {
	t.Helper()
	return firnWith(t, nil, lake, args...)
}

// ok runs firn, which must succeed, and returns what it printed.
func ok(t testing.TB, lake string, args ...string) string {
	t.Helper()
	o := run(t, lake, args...)
	require.Zero(t, o.code, "%v\n%s%s", args, o.stdout, o.stderr)
	return o.stdout
}

// rowCount asks firn how many rows match.
func rowCount(t testing.TB, lake, table, query string, flags ...string) int64 {
	t.Helper()
	out := ok(t, lake, append([]string{"search", table, query, "--count"}, flags...)...)
	n, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	require.NoError(t, err, out)
	return n
}

// loadReport is what load --json prints.
type loadReport struct {
	Rows       *int64   `json:"rows"`
	Rejected   *int64   `json:"rejected"`
	InputBytes *int64   `json:"input_bytes"`
	DataBytes  *int64   `json:"data_bytes"`
	IndexBytes *int64   `json:"index_bytes"`
	Files      *int64   `json:"files"`
	Seconds    *float64 `json:"seconds"`
	CPUSeconds *float64 `json:"cpu_seconds"`
}

// loadFile loads a file, which may end with exit code 3, and returns the report.
func loadFile(t testing.TB, lake, table, path string, flags ...string) (loadReport, outcome) {
	t.Helper()
	o := run(t, lake, append([]string{"load", table, path, "--json"}, flags...)...)
	var r loadReport
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &r), "%+v", o)
	for name, missing := range map[string]bool{
		"rows": r.Rows == nil, "rejected": r.Rejected == nil, "input_bytes": r.InputBytes == nil, "data_bytes": r.DataBytes == nil,
		"index_bytes": r.IndexBytes == nil, "files": r.Files == nil, "seconds": r.Seconds == nil, "cpu_seconds": r.CPUSeconds == nil,
	} {
		require.False(t, missing, "load --json lacks %s", name)
	}
	return r, o
}

// writeFile writes a file for a test.
func writeFile(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "input.jsonl")
	require.NoError(t, os.WriteFile(path, content, 0o644))
	return path
}

func TestProgramAgainstOracle(t *testing.T) {
	lake := t.TempDir()
	text := loggen.Bytes(loggen.Options{Seed: 3, Rows: 2000})
	s := generated(loggen.Options{Seed: 3, Rows: 2000})
	report, o := loadFile(t, lake, "web", writeFile(t, text))
	require.Zero(t, o.code, o.stderr)
	require.EqualValues(t, 2000, *report.Rows)
	require.EqualValues(t, len(text), *report.InputBytes)
	ok(t, lake, "verify", "web")
	m := oracle.NewMapper(oracle.DefaultColumns())
	list := questions(t, m, s, 6, 0, 21)
	queries := make([]oracle.Query, len(list))
	for i := range list {
		queries[i] = list[i].query
	}
	truth, err := oracle.Evaluate(bytes.NewReader(text), m, queries, oracle.Options{Keep: 2000})
	require.NoError(t, err)
	for i, q := range list {
		var window []string
		if !q.query.From.IsZero() {
			window = append(window, "--from", q.query.From.Format(time.RFC3339Nano))
		}
		if !q.query.To.IsZero() {
			window = append(window, "--to", q.query.To.Format(time.RFC3339Nano))
		}
		want := truth.Answers[i].Count
		require.Equal(t, want, rowCount(t, lake, "web", q.text, window...), "%v", q)
		require.Equal(t, want, rowCount(t, lake, "web", q.text, append(window, "--no-index")...), "%v", q)
		args := append([]string{"search", "web", q.text, "--limit", "7", "--order", "oldest", "--columns", "_timestamp,level"}, window...)
		rows := strings.Split(strings.TrimSuffix(ok(t, lake, args...), "\n"), "\n")
		if want == 0 {
			require.Equal(t, []string{""}, rows)
			continue
		}
		require.Len(t, rows, int(min(want, 7)), "%v", q)
		for _, row := range rows {
			var object map[string]any
			require.NoError(t, json.Unmarshal([]byte(row), &object), row)
			require.Len(t, object, 2, row)
		}
		var explained any
		require.NoError(t, json.Unmarshal([]byte(ok(t, lake, append([]string{"explain", "web", q.text, "--json"}, window...)...)), &explained))
	}
}

func TestProgramStats(t *testing.T) {
	lake := t.TempDir()
	loadFile(t, lake, "web", writeFile(t, loggen.Bytes(loggen.Options{Seed: 3, Rows: 2000})))
	o := run(t, lake, "search", "web", "absenttoken", "--stats")
	require.Zero(t, o.code, o.stderr)
	require.Empty(t, o.stdout)
	var stats map[string]any
	require.NoError(t, json.Unmarshal([]byte(o.stderr), &stats), o.stderr)
	for _, key := range []string{"files_total", "files_read", "files_skipped", "rows_decoded", "bytes_read", "requests", "plan_ms", "total_ms"} {
		require.Contains(t, stats, key)
	}
	require.EqualValues(t, 3, stats["files_total"])
	require.Zero(t, stats["files_read"], "a token that is nowhere costs no data read")
	require.Zero(t, stats["rows_decoded"])
}

func TestProgramUsage(t *testing.T) {
	lake := t.TempDir()
	loadFile(t, lake, "web", writeFile(t, loggen.Bytes(loggen.Options{Rows: 10})))
	for _, args := range [][]string{
		{"nonsense"}, {"search"}, {"search", "web", "(", "--count"}, {"search", "web", "AND"}, {"search", "web", `"`}, {"search", "web", ""},
		{"search", "web", "x", "--order", "sideways"}, {"search", "web", "x", "--from", "yesteryear"}, {"search", "web", "x", "--limit", "-1"},
		{"search", "web", "x", "--columns", "nosuch"}, {"search", "web", "_timestamp:noon"}, {"create", "t", "--column", "a:decimal"},
		{"create", "t", "--index", "log_msg=tree"}, {"create", "a/b"}, {"load", "web"}, {"search", "web", "- -"},
	} {
		o := run(t, lake, args...)
		require.Equal(t, 2, o.code, "%v: %s", args, o.stderr)
		require.Empty(t, o.stdout, "%v", args)
		require.NotEmpty(t, o.stderr)
	}
	for _, args := range [][]string{
		{"search", "nosuch", "x"}, {"load", "web", "/nonexistent/file"}, {"verify", "nosuch"}, {"inspect", "file", "/nonexistent"},
	} {
		o := run(t, lake, args...)
		require.Equal(t, 1, o.code, "%v: %s", args, o.stderr)
		require.NotEmpty(t, o.stderr)
	}
}
