package systest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shellBlocks finds the commands that a Markdown page shows.
var shellBlocks = regexp.MustCompile("(?s)```sh\n(.*?)```")

// TestReadmeCommands runs every command of README.md as it is printed there, but for `make test`, which runs this test.
func TestReadmeCommands(t *testing.T) {
	if os.Getenv("FIRN_TEST_LONG") == "" {
		t.Skip("builds the program and the bench; set FIRN_TEST_LONG=1")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	blocks := shellBlocks.FindAllStringSubmatch(string(page), -1)
	require.GreaterOrEqual(t, len(blocks), 4)
	bin := t.TempDir()
	env := append(os.Environ(), "GOBIN="+bin, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "FIRN_LAKE="+filepath.Join(t.TempDir(), "lake"))
	ran := 0
	for _, block := range blocks {
		script := strings.TrimSpace(block[1])
		if script == "make test" {
			continue
		}
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
		cmd.Dir, cmd.Env = root, env
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", script, out)
		t.Logf("%s\n%s", script, out)
		ran++
	}
	require.GreaterOrEqual(t, ran, 3)
}
