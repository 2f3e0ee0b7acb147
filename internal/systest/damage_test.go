package systest

import (
	"encoding/binary"
	"hash/crc32"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/loggen"
	"github.com/firnlog/firn/internal/oracle"
	"github.com/firnlog/firn/query"
)

// sidecars returns the paths of a table's sidecar files.
func sidecars(t *testing.T, table *firn.Table) []string {
	t.Helper()
	var list []string
	root := strings.TrimPrefix(table.IndexLocation(), "file://")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, path)
		}
		return err
	})
	require.NoError(t, err)
	return list
}

// TestDamagedSidecars damages all sidecars of a table in every way there is and asks the same questions as before.
func TestDamagedSidecars(t *testing.T) {
	dir := t.TempDir()
	lake := openLake(t, dir)
	s := generated(loggen.Options{Seed: 5, Rows: 3000})
	table, _ := load(t, lake, settings()[3].table(t, lake, "logs", oracle.DefaultColumns()), s,
		firn.WriterOptions{BufferBytes: 2 << 20, TargetFileBytes: 128 << 10})
	m := oracle.NewMapper(oracle.DefaultColumns())
	list := questions(t, m, s, 25, 15, 77)
	want := make([]int64, len(list))
	for i, q := range list {
		r := q.request()
		want[i], _ = count(t, lake, table, r)
		r.NoIndex = true
		plain, _ := count(t, lake, table, r)
		require.Equal(t, plain, want[i], "%v", q)
	}
	paths := sidecars(t, table)
	require.NotEmpty(t, paths)
	intact := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		intact[path] = data
	}
	rng := rand.New(rand.NewSource(9))
	cut := func(share float64) func(int, []byte) []byte {
		return func(_ int, b []byte) []byte { return b[:int(float64(len(b)-1)*share)] }
	}
	damages := map[string]struct {
		change  func(i int, b []byte) []byte // nil result: remove
		problem query.IndexProblem           // "": none or any
	}{
		"missing":         {func(int, []byte) []byte { return nil }, query.ProblemMissing},
		"empty":           {cut(0), query.ProblemCorrupt},
		"half":            {cut(0.5), query.ProblemCorrupt},
		"one byte short":  {cut(1), query.ProblemCorrupt},
		"one byte longer": {func(_ int, b []byte) []byte { return append(b, 'x') }, query.ProblemCorrupt},
		"random bytes":    {func(_ int, b []byte) []byte { _, _ = rng.Read(b); return b }, query.ProblemCorrupt},
		"zeros":           {func(_ int, b []byte) []byte { clear(b); return b }, query.ProblemCorrupt},
		"a later version": {func(_ int, b []byte) []byte { return laterVersion(t, b) }, query.ProblemUnknownVersion},
		"another file's":  {func(i int, _ []byte) []byte { return intact[paths[(i+1)%len(paths)]] }, query.ProblemForeign},
	}
	for name, d := range damages {
		t.Run(name, func(t *testing.T) {
			for i, path := range paths {
				change(t, path, d.change(i, append([]byte(nil), intact[path]...)))
			}
			problems, log := askAll(t, dir, list, want)
			if d.problem != "" {
				require.Positive(t, problems[d.problem], "%v", problems)
			}
			require.Contains(t, log, "level=WARN", "a warning in the log")
		})
	}
	flips := 15
	if longTests() {
		flips = 500
	}
	t.Run("flipped bits", func(t *testing.T) {
		for range flips {
			for _, path := range paths {
				b := append([]byte(nil), intact[path]...)
				for range 1 + rng.Intn(3) {
					b[rng.Intn(len(b))] ^= 1 << rng.Intn(8)
				}
				change(t, path, b)
			}
			askAll(t, dir, list, want)
		}
	})
}

// laterVersion changes the version in the header of every blob (index/FORMAT.md: "FIRN", version at byte 4, a checksum of the first
// 28 bytes at byte 28), so that the sidecar is whole but of a version that does not exist yet.
func laterVersion(t *testing.T, b []byte) []byte {
	t.Helper()
	table := crc32.MakeTable(crc32.Castagnoli)
	found := 0
	for i := 0; i+32 <= len(b); i++ {
		header := b[i : i+32]
		if string(header[:4]) == "FIRN" && binary.LittleEndian.Uint32(header[28:]) == crc32.Checksum(header[:28], table) {
			binary.LittleEndian.PutUint16(header[4:], 99)
			binary.LittleEndian.PutUint32(header[28:], crc32.Checksum(header[:28], table))
			found++
		}
	}
	require.Positive(t, found)
	return b
}

// change replaces a file, or removes it.
func change(t *testing.T, path string, content []byte) {
	t.Helper()
	_ = os.Remove(path)
	if content == nil {
		return
	}
	require.NoError(t, os.WriteFile(path, content, 0o644))
}

// askAll opens the lake anew, asks all questions, and returns the problems seen and the log.
func askAll(t *testing.T, dir string, list []question, want []int64) (map[query.IndexProblem]int, string) {
	t.Helper()
	var log logLines
	lake, err := firn.Open(t.Context(), dir, firn.WithLogger(log.logger()))
	require.NoError(t, err)
	defer func() { require.NoError(t, lake.Close()) }()
	table, err := lake.Table(t.Context(), "logs")
	require.NoError(t, err)
	problems := map[query.IndexProblem]int{}
	for i, q := range list {
		got, stats := count(t, lake, table, q.request())
		require.Equal(t, want[i], got, "%v", q)
		for p, n := range stats.IndexProblems {
			problems[p] += n
		}
	}
	return problems, log.String()
}
