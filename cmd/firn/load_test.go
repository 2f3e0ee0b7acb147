package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// number returns an integer out of a decoded JSON object.
func number(t *testing.T, v map[string]any, key string) int {
	t.Helper()
	n, ok := v[key].(float64)
	require.True(t, ok, "%s is missing in %v", key, v)
	return int(n)
}

func TestLoadReport(t *testing.T) {
	dir := t.TempDir()
	a := write(t, dir, "a.jsonl", `{"ts":"2026-01-01T00:00:00Z","msg":"one"}`+"\n\n"+`{"ts":"2026-01-02T00:00:00Z","msg":"two"}`+"\n")
	b := write(t, dir, "b.jsonl", `{"ts":"2026-01-01T12:00:00Z","msg":"three"}`) // no line end
	r := object(t, ok(t, dir, "load", "web", a, b, "--json"))
	for _, key := range []string{"rows", "rejected", "input_bytes", "data_bytes", "index_bytes", "files", "seconds", "cpu_seconds", "commits"} {
		require.Contains(t, r, key)
	}
	require.Equal(t, 3, number(t, r, "rows"))
	require.Equal(t, 0, number(t, r, "rejected"))
	require.Equal(t, 2, number(t, r, "files")) // two days
	require.Equal(t, 1, number(t, r, "commits"))
	size := 0
	for _, path := range []string{a, b} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		size += int(info.Size())
	}
	require.Equal(t, size, number(t, r, "input_bytes"))
	require.Positive(t, number(t, r, "data_bytes"))
	require.Positive(t, number(t, r, "index_bytes"))
	require.Positive(t, r["cpu_seconds"])

	require.Contains(t, ok(t, dir, "load", "web", a), "Loaded 2 rows")
	require.Equal(t, "5\n", ok(t, dir, "search", "web", "*", "--count"))
	require.Contains(t, ok(t, dir, "verify", "web"), "ok")
}

func TestLoadCompressedAndStandardInput(t *testing.T) {
	dir := t.TempDir()
	line := `{"ts":1767225600,"msg":"hello"}` + "\n"
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write([]byte(line))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	encoder, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	gz := write(t, dir, "a.jsonl.gz", zipped.String())
	zst := write(t, dir, "a.jsonl.zst", string(encoder.EncodeAll([]byte(line+line), nil)))
	r := firnIn(t, dir, line+line+line, "load", "web", gz, zst, "-", "--json")
	require.Equal(t, exitDone, r.code, r.stderr)
	require.Equal(t, 6, number(t, object(t, r.stdout), "rows"))
	require.Empty(t, r.stderr)

	// A damaged gzip file: exit 1, what came before stays, and the message says so.
	cut := write(t, dir, "cut.jsonl.gz", zipped.String()[:zipped.Len()-6])
	r = firnIn(t, dir, "", "load", "other", gz, cut, "--json")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, object(t, r.stdout)["error"], "cut.jsonl.gz")
	require.Contains(t, r.stderr, "committed and stay")
	require.Equal(t, fmt.Sprintln(number(t, object(t, r.stdout), "rows")), ok(t, dir, "search", "other", "*", "--count"))
}

func TestLoadRejects(t *testing.T) {
	dir := t.TempDir()
	input := write(t, dir, "in.jsonl", strings.Join([]string{
		`{"ts":"2026-01-01T00:00:00Z","msg":"good"}`,
		`{"ts":"2026-01-01T00:00:00Z","msg":`,
		`[1,2]`,
		`{"msg":"no time"}`,
		`{"ts":"yesterday","msg":"x"}`,
		"\xff\xfe binary \x00",
		`{"ts":"2026-01-01T00:00:01Z","msg":"good, too"}`,
	}, "\n"))
	rejects := filepath.Join(dir, "rejects.jsonl")
	r := firnIn(t, dir, "", "load", "web", input, "--rejects", rejects, "--json")
	require.Equal(t, exitRejected, r.code, r.stderr)
	report := object(t, r.stdout)
	require.Equal(t, 2, number(t, report, "rows"))
	require.Equal(t, 5, number(t, report, "rejected"))
	require.Contains(t, r.stderr, rejects)
	content, err := os.ReadFile(rejects)
	require.NoError(t, err)
	list := objects(t, string(content))
	require.Len(t, list, 5)
	for i, line := range []int{2, 3, 4, 5, 6} {
		require.Equal(t, line, number(t, list[i], "line"))
		require.Equal(t, input, list[i]["file"])
		require.NotEmpty(t, list[i]["reason"])
		require.NotEmpty(t, list[i]["input"])
	}
	require.Equal(t, `[1,2]`, list[1]["input"])
	raw, err := base64.StdEncoding.DecodeString(list[4]["input_base64"].(string))
	require.NoError(t, err)
	require.Equal(t, "\xff\xfe binary \x00", string(raw))

	// Without --rejects people see the first few and how to keep the rest; the exit code is the same.
	r = firnIn(t, dir, "", "load", "web", input)
	require.Equal(t, exitRejected, r.code)
	require.Contains(t, r.stderr, input+":2: rejected")
	require.Contains(t, r.stderr, "--rejects")
}

func TestLoadFailures(t *testing.T) {
	dir := t.TempDir()
	input := write(t, dir, "in.jsonl", `{"ts":1,"msg":"x"}`)
	for _, args := range [][]string{
		{"load", "web", "missing.jsonl"},
		{"load", "web", input, "missing.jsonl"},
		{"load", "web", dir},
		{"load", "web", input, "--lake", input},
		{"load", "web", input, "--rejects", filepath.Join(dir, "no", "such", "dir")},
	} {
		r := inProcess(t, dir, args...)
		require.Equal(t, exitFailed, r.code, "%q: %s", args, r.stderr)
		require.NotEmpty(t, r.stderr, "%q", args)
	}
	require.Equal(t, exitUsage, inProcess(t, dir, "load", "a b", input).code)

	// An empty file is fine: there is a table afterwards, without rows.
	empty := write(t, dir, "empty.jsonl", "")
	require.Equal(t, 0, number(t, object(t, ok(t, dir, "load", "empty", empty, "--json")), "rows"))
	require.Equal(t, "0\n", ok(t, dir, "search", "empty", "*", "--count"))
	require.Empty(t, ok(t, dir, "search", "empty", "*"))
	ok(t, dir, "verify", "empty")
}

// manyLines writes n lines of a few days, of about 200 bytes each, that compress badly enough.
func manyLines(t *testing.T, path string, n int) {
	t.Helper()
	var b bytes.Buffer
	state := uint64(1)
	for i := range n {
		state = state*6364136223846793005 + 1442695040888963407
		fmt.Fprintf(&b, `{"ts":%d,"level":"info","msg":"request %d of client %x took %d ms and %d kB from cache %x","user":"%x"}`+"\n",
			1767225600000+int64(i)*50, i, state, state>>40, state>>50, state*31, state>>20)
	}
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
}

// A full disk in the middle of a load: exit code 1, a message that says so, and a table that opens and verifies.
func TestDiskFull(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("needs Linux and root, to mount a small file system")
	}
	dir := t.TempDir()
	lake := filepath.Join(dir, "small")
	require.NoError(t, os.Mkdir(lake, 0o700))
	if err := syscall.Mount("tmpfs", lake, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("mounting a file system is not permitted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(lake, 0)) })
	input := filepath.Join(dir, "in.jsonl")
	manyLines(t, input, 150_000)
	r := firnIn(t, dir, "", "load", "web", input, "--lake", lake, "--buffer-bytes", "6000000", "--json")
	require.Equal(t, exitFailed, r.code, r.stdout)
	require.Contains(t, r.stderr, "no space left on device")
	require.Contains(t, r.stderr, "committed")
	rows := number(t, object(t, r.stdout), "rows")
	t.Logf("%d rows committed; %s", rows, r.stderr)
	require.Equal(t, fmt.Sprintln(rows), ok(t, dir, "search", "web", "*", "--count", "--lake", lake))
	verified := firnIn(t, dir, "", "verify", "web", "--lake", lake)
	if verified.code != exitDone { // the last index before the end did not fit either; the load has said so
		require.Contains(t, r.stderr, "the index of a data file could not be stored")
		require.Equal(t, strings.Count(verified.stdout, "MISMATCH"), strings.Count(verified.stdout, "MISMATCH sidecar_missing"), verified.stdout)
	}
}

// Ctrl-C in the middle of a load: exit code 1, what was committed stays, and the message says how much that is.
func TestInterruptedLoad(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	dir := t.TempDir()
	input := filepath.Join(dir, "in.jsonl")
	manyLines(t, input, 60_000)
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	cmd := command(t, dir, "load", "web", input, "-", "--buffer-bytes", "4000000", "--json")
	cmd.Stdin = reader // never ends: the load waits for more after the file
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	require.NoError(t, reader.Close())
	waitFor(t, func() bool { // for a first commit
		snapshots, err := filepath.Glob(filepath.Join(dir, "lake", "default", "web", "metadata", "snap-*"))
		return err == nil && len(snapshots) > 0
	})
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	waitEnd(t, cmd)
	require.NoError(t, writer.Close())
	require.Equal(t, exitFailed, cmd.ProcessState.ExitCode(), stderr.String())
	require.Contains(t, stderr.String(), "interrupted")
	require.Contains(t, stderr.String(), "rows were committed and stay")
	rows := number(t, object(t, stdout.String()), "rows")
	require.Positive(t, rows)
	require.Equal(t, fmt.Sprintln(rows), ok(t, dir, "search", "web", "*", "--count"))
	require.Contains(t, ok(t, dir, "verify", "web"), "ok")
}

// Ctrl-C while nothing has come on standard input yet.
func TestInterruptedBeforeInput(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs signals")
	}
	dir := t.TempDir()
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	cmd := command(t, dir, "load", "web", "-")
	cmd.Stdin = reader
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	require.NoError(t, reader.Close())
	waitFor(t, func() bool { // the table is made just before the input is opened
		made, err := filepath.Glob(filepath.Join(dir, "lake", "default", "web", "metadata", "*.metadata.json"))
		return err == nil && len(made) > 0
	})
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	waitEnd(t, cmd)
	require.NoError(t, writer.Close())
	require.Equal(t, exitFailed, cmd.ProcessState.ExitCode())
	require.Contains(t, stderr.String(), "nothing was committed")
}

// waitFor waits until something is true.
func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !is() {
		require.True(t, time.Now().Before(deadline), "it took too long")
		time.Sleep(5 * time.Millisecond)
	}
}

// waitEnd waits until a process has ended by itself.
func waitEnd(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // who calls looks at the exit code
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		t.Fatal("the process did not end")
	}
}
