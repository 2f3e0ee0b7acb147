package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asProgram makes the test binary behave as firn itself, so that the tests run real processes without a second build.
const asProgram = "FIRN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// result is how a process ended.
type result struct {
	code           int
	stdout, stderr string
}

// command returns a firn process that is not started yet. Its working directory is dir.
func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asProgram+"=1", "FIRN_LAKE=")
	return cmd
}

// firnIn runs firn in a directory, with input on standard input.
func firnIn(t *testing.T, dir, input string, args ...string) result {
	t.Helper()
	cmd := command(t, dir, args...)
	cmd.Stdin = strings.NewReader(input)
	return finish(t, cmd)
}

// finish runs a command to its end.
func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// ok runs firn, which must end well, and returns its standard output.
func ok(t *testing.T, dir string, args ...string) string {
	t.Helper()
	r := firnIn(t, dir, "", args...)
	require.Equal(t, exitDone, r.code, "firn %v\nstdout: %s\nstderr: %s", args, r.stdout, r.stderr)
	return r.stdout
}

// object decodes a text that must be exactly one JSON object.
func object(t *testing.T, text string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	var v map[string]any
	require.NoError(t, decoder.Decode(&v), "not a JSON object: %s", text)
	require.False(t, decoder.More(), "more than one JSON object: %s", text)
	return v
}

// objects decodes JSON lines.
func objects(t *testing.T, text string) []map[string]any {
	t.Helper()
	var list []map[string]any
	for line := range strings.Lines(text) {
		list = append(list, object(t, line))
	}
	return list
}

// write makes a file and returns its path.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// inProcess runs firn without a process of its own, for the many cases that do not need one: starting up takes 0.1 s of processor time.
func inProcess(t *testing.T, dir string, args ...string) result {
	t.Helper()
	t.Chdir(dir)
	var stdout, stderr bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: time.Now, getenv: func(string) string { return "" }}
	code := a.run(t.Context(), args)
	return result{code, stdout.String(), stderr.String()}
}
