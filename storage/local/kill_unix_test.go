//go:build unix

package local

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// asVictim is the environment variable that makes TestVictim a process to be killed: it names the directory to write to.
const asVictim = "FIRN_TEST_LOCAL_VICTIM"

// victimSize is the size of the objects that the victim writes.
const victimSize = 300_000

// TestVictim is not a test but the process that TestKilled kills: it creates objects and prints the name of each after its Commit.
func TestVictim(t *testing.T) {
	dir := os.Getenv(asVictim)
	if dir == "" {
		t.Skip("run by TestKilled")
	}
	s, err := New(dir)
	require.NoError(t, err)
	for i := 0; ; i++ {
		name := fmt.Sprintf("a/%d/object", i)
		require.NoError(t, storage.WriteObject(t.Context(), s, name, make([]byte, victimSize)))
		fmt.Printf("committed %s\n", name)
	}
}

// TestKilled kills a writing process at random moments: what it acknowledged is there and whole, what is there is whole, and
// RemoveStale takes away the rest.
func TestKilled(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 5 {
		dir := filepath.Join(t.TempDir(), "lake")
		acknowledged := runVictim(t, dir, 1+random.IntN(10), time.Duration(random.IntN(8000))*time.Microsecond)
		s, err := New(dir)
		require.NoError(t, err)
		present := map[string]bool{}
		for info, err := range s.List(t.Context(), "") {
			require.NoError(t, err)
			require.EqualValues(t, victimSize, info.Size, "%s", info.Name)
			present[info.Name] = true
		}
		for _, name := range acknowledged {
			require.True(t, present[name], "%s was acknowledged and is gone", name)
		}
		s.now = func() time.Time { return time.Now().Add(time.Hour) }
		_, err = s.RemoveStale(t.Context(), time.Minute)
		require.NoError(t, err)
		requireNoTemp(t, dir)
		require.NoError(t, s.Close())
	}
}

// runVictim runs TestVictim, kills it some time after it has committed a number of objects, and returns the names of all that it said it had.
func runVictim(t *testing.T, dir string, commits int, wait time.Duration) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$", "-test.v")
	command.Env = append(os.Environ(), asVictim+"="+dir)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	var names []string
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // a half-printed line is no acknowledgement
		}
		require.NoError(t, err)
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "committed "); ok {
			names = append(names, name)
		}
		if len(names) == commits {
			time.Sleep(wait)
			require.NoError(t, command.Process.Kill())
			commits = -1
		}
	}
	require.Error(t, command.Wait(), "the process was killed")
	require.NotEmpty(t, names)
	return names
}
