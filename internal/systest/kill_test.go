package systest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/loggen"
)

// sequence returns the values of attrs.seq of the matching rows.
func sequence(t testing.TB, lake, table, query string) []int {
	t.Helper()
	var list []int
	for row := range strings.Lines(ok(t, lake, "search", table, query, "--columns", "attrs")) {
		var object struct{ Attrs map[string]string }
		require.NoError(t, json.Unmarshal([]byte(row), &object), row)
		n, err := strconv.Atoi(object.Attrs["seq"])
		require.NoError(t, err, row)
		list = append(list, n)
	}
	return list
}

// checkPrefix checks that the matching rows are the first n of an input, for some n, each once, and returns n.
func checkPrefix(t testing.TB, lake, table, query string, most int) int {
	t.Helper()
	list := sequence(t, lake, table, query)
	seen := make([]bool, most)
	for _, n := range list {
		require.Less(t, n, most)
		require.False(t, seen[n], "row %d is there twice", n)
		seen[n] = true
	}
	for n := range list {
		require.True(t, seen[n], "row %d is missing, but there are %d rows", n, len(list))
	}
	return len(list)
}

// tagged is a sequence of rows that all hold a word of their own.
func tagged(seed int64, rows int, word string) []byte {
	text := loggen.Bytes(loggen.Options{Seed: seed, Rows: rows, Sequence: true, Plain: true, Days: 2})
	return bytes.ReplaceAll(text, []byte(`"seq":"`), []byte(`"run":"`+word+`","seq":"`))
}

// TestKill kills firn load with signal 9 at random moments. Afterwards the table must open, verify, and hold each committed batch once.
func TestKill(t *testing.T) {
	kills := 3
	switch {
	case longTests():
		kills = 50
	case testing.Short():
		kills = 1
	}
	const rows = 6000
	flags := []string{"--buffer-bytes", "1000000", "--file-bytes", "200000"}
	rng := rand.New(rand.NewSource(time.Now().UnixNano()))
	lake := t.TempDir()
	start := time.Now()
	_, o := loadFile(t, t.TempDir(), "web", writeFile(t, tagged(0, rows, "whole")), flags...)
	require.Zero(t, o.code, o.stderr)
	whole := time.Since(start)
	killed, partial := 0, 0
	for i := 0; killed < kills; i++ {
		require.Less(t, i, 4*kills, "most loads end before they are killed")
		if i%10 == 0 { // verification reads the whole table each time: start afresh now and then
			lake = t.TempDir()
		}
		word := fmt.Sprintf("run%d", i)
		cmd := command(t, lake, append([]string{"load", "web", writeFile(t, tagged(int64(i), rows, word))}, flags...)...)
		require.NoError(t, cmd.Start())
		time.Sleep(time.Duration(rng.Int63n(int64(whole))))
		if cmd.Process.Kill() == nil {
			killed++
		}
		_ = cmd.Wait()
		if _, err := os.Stat(lake + "/catalog.db"); err != nil {
			continue // killed before there was anything
		}
		if o := run(t, lake, "search", "web", "*", "--limit", "1"); o.code == 1 && strings.Contains(o.stderr, "does not exist") {
			continue // killed before the table was made
		}
		ok(t, lake, "verify", "web")
		if n := checkPrefix(t, lake, "web", "run:"+word, rows); n > 0 && n < rows {
			partial++
		}
	}
	t.Logf("%d kills, %d of them between two commits of a load that takes %v", killed, partial, whole)
	_, o = loadFile(t, lake, "web", writeFile(t, tagged(999, rows, "last")), flags...)
	require.Zero(t, o.code, "%s", o.stderr)
	ok(t, lake, "verify", "web")
	require.Equal(t, rows, checkPrefix(t, lake, "web", "run:last", rows))
}

// TestContention lets four processes load into one table, which none of them has made, at once.
func TestContention(t *testing.T) {
	const writers = 4
	for _, at := range everyPlace(t) {
		t.Run(at.name, func(t *testing.T) {
			rows := 3000
			if at.name != localPlace().name {
				rows = 1000
			}
			lake := configFile(t, at.config(t))
			flags := []string{"--buffer-bytes", "400000", "--file-bytes", "200000"}
			var group sync.WaitGroup
			outputs := make([]bytes.Buffer, writers)
			commands := make([]*exec.Cmd, writers)
			for i := range writers {
				path := writeFile(t, tagged(int64(i), rows, fmt.Sprintf("writer%d", i)))
				commands[i] = command(t, lake, append([]string{"load", "web", path}, flags...)...)
				commands[i].Stdout, commands[i].Stderr = &outputs[i], &outputs[i]
				require.NoError(t, commands[i].Start())
			}
			for i := range writers {
				group.Go(func() { _ = commands[i].Wait() })
			}
			group.Wait()
			for i, cmd := range commands {
				require.Zero(t, cmd.ProcessState.ExitCode(), outputs[i].String())
			}
			ok(t, lake, "verify", "web")
			require.EqualValues(t, writers*rows, rowCount(t, lake, "web", "*"))
			for i := range writers {
				require.Equal(t, rows, checkPrefix(t, lake, "web", fmt.Sprintf("run:writer%d", i), rows))
			}
		})
	}
}
