// Package testservers starts real servers for tests, with the scripts in scripts/servers: HDFS, S3, Postgres, an Iceberg REST catalog.
//
// Tests that use it are skipped unless FIRN_TEST_SERVERS is set; `make test-servers` sets it, and stops the servers afterwards.
package testservers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a running server, or a cluster of them.
type Server struct {
	// Vars are what the script printed, such as S3_ENDPOINT; see the head of each script.
	Vars map[string]string

	kind  string
	state string   // directory of its data, logs and pid files
	env   []string // settings, for later calls of the scripts
}

// Enabled tells whether tests may start servers.
func Enabled() bool {
	v := os.Getenv("FIRN_TEST_SERVERS")
	return v != "" && v != "0"
}

// Need skips the test unless servers may be started.
func Need(t testing.TB) {
	t.Helper()
	if !Enabled() {
		t.Skip("needs servers: set FIRN_TEST_SERVERS=1, or run make test-servers")
	}
}

// Shared returns the server of a kind ("s3", "hdfs", "postgres", "rest", the names of the scripts without "-up") that all tests share.
// It is started if it is not running, and left running. Tests keep to places of their own on it, and never stop it.
func Shared(t testing.TB, kind string, settings ...string) *Server {
	t.Helper()
	Need(t)
	s := &Server{kind: kind, state: os.Getenv("SERVERS_STATE"), env: settings}
	if s.state == "" {
		s.state = filepath.Join(os.TempDir(), fmt.Sprintf("firn-servers-%d", os.Getuid()))
	}
	s.Up(t)
	return s
}

// Own starts a server that only this test uses, and may stop and kill. It is removed when the test ends.
func Own(t testing.TB, kind string, settings ...string) *Server {
	t.Helper()
	Need(t)
	// Not t.TempDir: the names of tests make paths that are too long for some servers.
	state, err := os.MkdirTemp("", "firn-own-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(state, 0o755); err != nil { // Postgres runs as another user if the test runs as root
		t.Fatal(err)
	}
	s := &Server{kind: kind, state: state, env: settings}
	t.Cleanup(func() {
		if t.Failed() {
			s.logTails(t)
		}
		if out, err := s.script("down", "PURGE=1").CombinedOutput(); err != nil {
			t.Errorf("stopping %s: %v: %s", kind, err, out)
		}
		_ = os.RemoveAll(state)
	})
	s.Up(t)
	return s
}

// Up starts what is not running of the server, on the same ports as before, and waits until it answers.
func (s *Server) Up(t testing.TB) {
	t.Helper()
	command := s.script("up")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("starting %s: %v: %s", s.kind, err, stderr.String())
	}
	s.Vars = map[string]string{}
	for line := range strings.Lines(string(out)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			s.Vars[key] = strings.Trim(value, "'")
		}
	}
}

// Down stops the server as an administrator would. Its data stays.
func (s *Server) Down(t testing.TB) {
	t.Helper()
	if out, err := s.script("down").CombinedOutput(); err != nil {
		t.Fatalf("stopping %s: %v: %s", s.kind, err, out)
	}
}

// Signal sends a signal to one of the server's processes, named as its pid file is: "server", or "namenode", "datanode0", ….
// A process that was killed is dead when Signal returns, so that Up knows that it has to start another one.
func (s *Server) Signal(t testing.TB, process string, signal syscall.Signal) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.state, "*", process+".pid"))
	if err != nil || len(files) != 1 {
		t.Fatalf("pid file of %s in %s: found %v, %v", process, s.state, files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(content))[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatalf("sending %v to %s (%d): %v", signal, process, pid, err)
	}
	for range 500 {
		if signal != syscall.SIGKILL || dead(pid) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s (%d) does not die", process, pid)
}

// dead tells whether a process is gone, or waits for its parent to notice.
func dead(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return os.IsNotExist(err)
	}
	_, state, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}

// script returns the command that runs scripts/servers/<kind>-<action>.
func (s *Server) script(action string, settings ...string) *exec.Cmd {
	_, file, _, _ := runtime.Caller(0)
	command := exec.Command(filepath.Join(filepath.Dir(file), "..", "..", "scripts", "servers", s.kind+"-"+action))
	command.Env = append(append(os.Environ(), "SERVERS_STATE="+s.state), append(s.env, settings...)...)
	return command
}

// logTails logs the ends of the server's logs.
func (s *Server) logTails(t testing.TB) {
	const most = 1 << 10
	files, _ := filepath.Glob(filepath.Join(s.state, "*", "*.log"))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err == nil && len(content) > 0 {
			t.Logf("end of %s:\n%s", filepath.Base(file), content[max(0, len(content)-most):])
		}
	}
}
