//go:build unix

package cache

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/local"
)

// asVictim is the environment variable that makes TestVictim a process to be killed: it names the lake and the cache.
const asVictim = "FIRN_TEST_CACHE_VICTIM"

// What all processes of TestProcesses use.
const (
	victimBytes   = 1 << 20
	victimObjects = 100
)

func victimOptions(dir string) Options {
	return Options{Dir: dir, BlockBytes: 16 << 10, Bytes: victimBytes, Objects: victimObjects, MemoryBytes: 64 << 10, OpenFiles: 16, Cacheable: all, MinFree: -1}
}

// TestVictim is not a test but one of the processes of TestProcesses: it reads at random, compares, and says how often it has.
func TestVictim(t *testing.T) {
	dirs := strings.Split(os.Getenv(asVictim), "\n")
	if len(dirs) != 3 {
		t.Skip("run by TestProcesses")
	}
	inner, err := local.New(dirs[0])
	require.NoError(t, err)
	s, err := Open(inner, victimOptions(dirs[1]))
	require.NoError(t, err)
	var objects [][]byte
	for i := range 12 {
		data, err := storage.ReadAll(t.Context(), inner, fmt.Sprintf("dir/%d", i))
		require.NoError(t, err)
		objects = append(objects, data)
	}
	var seed uint64
	_, err = fmt.Sscan(dirs[2], &seed)
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(seed, 3))
	for range 20 {
		require.True(t, randomReads(t, s, objects, random, 20))
		require.Zero(t, s.Stats().Errors, s.Stats())
		fmt.Printf("read %s\n", s.Stats())
	}
	require.NoError(t, s.Close())
	fmt.Printf("damaged %d\n", s.Stats().Damaged)
}

// TestProcesses runs processes over one directory, kills some at random moments, and looks at what they read and left.
func TestProcesses(t *testing.T) {
	lake, dir := t.TempDir(), t.TempDir()
	inner, err := local.New(lake)
	require.NoError(t, err)
	defer func() { require.NoError(t, inner.Close()) }()
	random := rand.New(rand.NewPCG(1, 2))
	objects := randomObjects(t, inner, random)
	for round := range 4 {
		var running []*victim
		for i := range 3 {
			running = append(running, startVictim(t, lake, dir, fmt.Sprint(10*round+i)))
		}
		running[0].kill(t, 1+random.IntN(10))
		if round%2 == 1 {
			running[1].kill(t, 1)
		}
		for _, v := range running {
			v.wait(t)
		}
		r, err := Inspect(t.Context(), dir, InspectOptions{Verify: true})
		require.NoError(t, err)
		require.Zero(t, r.Damaged)
		// Each process may be a 64th above, and a killed one takes what it had not told the others along with it until somebody counts.
		require.LessOrEqual(t, r.Bytes, int64(victimBytes+4*(victimBytes/publishPart+16*20<<10)))
		require.LessOrEqual(t, r.Blocks, victimObjects+4*16)
		require.NotZero(t, r.Blocks)
	}
	s := openCache(t, inner, victimOptions(dir))
	require.True(t, randomReads(t, s, objects, random, 300))
	require.NoError(t, s.Close())
	require.Zero(t, s.Stats().Damaged)
	s.sweep(0)
	r, err := Inspect(t.Context(), dir, InspectOptions{Verify: true})
	require.NoError(t, err)
	require.LessOrEqual(t, r.Bytes, int64(victimBytes))
	require.LessOrEqual(t, r.Blocks, victimObjects)
}

// victim is a process that runs TestVictim.
type victim struct {
	command *exec.Cmd
	lines   *bufio.Reader
	killed  bool
	output  strings.Builder
}

func startVictim(t *testing.T, lake, dir, seed string) *victim {
	t.Helper()
	v := &victim{command: exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$", "-test.v")}
	v.command.Env = append(os.Environ(), asVictim+"="+lake+"\n"+dir+"\n"+seed)
	out, err := v.command.StdoutPipe()
	require.NoError(t, err)
	v.command.Stderr = v.command.Stdout
	v.lines = bufio.NewReader(out)
	require.NoError(t, v.command.Start())
	return v
}

// kill kills the process a moment after it has said something so often.
func (v *victim) kill(t *testing.T, after int) {
	t.Helper()
	for after > 0 {
		line, err := v.lines.ReadString('\n')
		require.NoError(t, err, v.output.String())
		v.output.WriteString(line)
		if strings.HasPrefix(line, "read ") {
			after--
		}
	}
	time.Sleep(time.Duration(after+3) * time.Millisecond)
	require.NoError(t, v.command.Process.Kill())
	v.killed = true
}

// wait waits for the process and fails if it failed without having been killed.
func (v *victim) wait(t *testing.T) {
	t.Helper()
	for {
		line, err := v.lines.ReadString('\n')
		v.output.WriteString(line)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	err := v.command.Wait()
	if !v.killed {
		require.NoError(t, err, v.output.String())
		require.Contains(t, v.output.String(), "damaged 0\n")
	}
	require.NotContains(t, v.output.String(), "FAIL")
}
