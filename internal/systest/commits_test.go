package systest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/testservers"
)

// committerEnv makes the test binary a committer: "configuration file;number of the process;commits".
const committerEnv = "FIRN_TEST_COMMITTER"

// runCommitter makes commits of one row each and returns the exit code.
func runCommitter(arguments string) int {
	err := func() error {
		parts := strings.Split(arguments, ";")
		c, err := firn.ReadConfig(parts[0])
		if err != nil {
			return err
		}
		commits, err := strconv.Atoi(parts[2])
		if err != nil {
			return err
		}
		c.Cache = nil
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		lake, err := firn.Open(ctx, c.Lake, firn.WithConfig(c))
		if err != nil {
			return err
		}
		table, err := lake.Table(ctx, "web")
		if err != nil {
			return err
		}
		for i := range commits {
			w, err := lake.Writer(ctx, table, firn.WriterOptions{})
			if err != nil {
				return err
			}
			row := firn.Record{Time: time.Date(2026, 5, 1, 0, 0, i, 0, time.UTC), Fields: []firn.Field{
				firn.F("log_msg", fmt.Sprintf("process%s commit%d", parts[1], i)),
			}}
			if err := w.Append(ctx, row); err != nil {
				return err
			}
			if err := w.Close(ctx); err != nil {
				return err
			}
		}
		return lake.Close()
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestCommitsUnderContention lets 8 processes commit 50 times each to one table.
func TestCommitsUnderContention(t *testing.T) {
	testservers.Need(t)
	const processes = 8
	commits := 6
	if longTests() {
		commits = 50
	}
	for _, at := range []place{{"postgres and s3", s3Postgres}, {"sqlite and hdfs", hdfsSQLite}} {
		t.Run(at.name, func(t *testing.T) {
			c := at.config(t)
			lake := openConfig(t, c)
			_, err := lake.Create(t.Context(), firn.TableSpec{Name: "web"})
			require.NoError(t, err)
			path := configFile(t, c)
			self, err := os.Executable()
			require.NoError(t, err)
			start := time.Now()
			outputs := make([]bytes.Buffer, processes)
			running := make([]*exec.Cmd, processes)
			for i := range processes {
				running[i] = exec.CommandContext(t.Context(), self)
				running[i].Env = append(os.Environ(), fmt.Sprintf("%s=%s;%d;%d", committerEnv, path, i, commits))
				running[i].Stdout, running[i].Stderr = &outputs[i], &outputs[i]
				require.NoError(t, running[i].Start())
			}
			for i, cmd := range running {
				require.NoError(t, cmd.Wait(), "process %d: %s", i, outputs[i].String())
			}
			t.Logf("%d commits in %v", processes*commits, time.Since(start))
			seen := map[string]int{}
			for row, err := range lake.Search(t.Context(), "web", "*", firn.Request{Columns: []string{"log_msg"}}) {
				require.NoError(t, err)
				text, err := row.MarshalJSON()
				require.NoError(t, err)
				seen[string(text)]++
			}
			require.Len(t, seen, processes*commits)
			for text, n := range seen {
				require.Equal(t, 1, n, text)
			}
			table, err := lake.Table(t.Context(), "web")
			require.NoError(t, err)
			require.Len(t, table.Snapshots(), processes*commits)
		})
	}
}
