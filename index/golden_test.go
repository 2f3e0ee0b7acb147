package index

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage/mem"
)

var update = flag.Bool("update", false, "write the golden files of the present format version again")

// goldenCase is one golden file: testdata/<name>.puffin is the sidecar of texts. The files of released versions are never written
// again and never deleted; a new version adds cases.
type goldenCase struct {
	name    string
	version int
	texts   func(t *testing.T) []string
	options Options
}

func goldenCases() []goldenCase {
	precise, coarse := oneColumn(), oneColumn()
	precise.BitmapFraction = 10
	coarse.BitmapFraction = 1e-9
	return []goldenCase{
		{"v2", 2, textsOf("testdata/v2.txt"), precise},
		{"v2-coarse", 2, textsOf("testdata/v2.txt"), coarse},
		{"v2-blocks", 2, scatteredTexts, coarse},
	}
}

// textsOf reads the lines of a file.
func textsOf(file string) func(t *testing.T) []string {
	return func(t *testing.T) []string {
		if *update {
			texts := logTexts(rand.New(rand.NewPCG(51, 51)), 600)
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			require.NoError(t, os.WriteFile(file, []byte(strings.Join(texts, "\n")), 0o644))
		}
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		return strings.Split(string(raw), "\n")
	}
}

// scatteredTexts have numbers in scattered rows, whose postings are lists and bitmaps of blocks, in more rows than a block of the column of patterns has.
func scatteredTexts(*testing.T) []string {
	texts := make([]string, 100000)
	for i := range texts {
		hash := uint32(i) * 2654435761
		if hash>>31 == 0 {
			texts[i] += " half 1000"
		}
		if hash>>22 == 0 {
			texts[i] += fmt.Sprintf(" rare 2000 x%d", i)
		}
		if i%30000 < 20 {
			texts[i] += " burst 3000"
		}
		if i >= 70000 && i < 80000 {
			texts[i] += " run"
		}
	}
	return texts
}

// TestGolden reads sidecars of every format version that was released. Building the present version must give the same bytes.
func TestGolden(t *testing.T) {
	known := map[string]bool{}
	for _, c := range goldenCases() {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join("testdata", c.name+".puffin")
			texts := c.texts(t)
			if *update && c.version == formatVersion {
				built, _, _ := build(t, c.options, texts)
				require.NoError(t, os.WriteFile(file, built, 0o644))
			}
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			s, err := openBytes(t, data, Identity{DataFile: "f.parquet", Rows: uint32(len(texts))})
			require.NoError(t, err)
			for token, rows := range truth(texts) {
				checkToken(t, s, token, rows)
			}
			checkToken(t, s, "absent", nil)
			if c.version == formatVersion {
				built, _, _ := build(t, c.options, texts)
				require.True(t, bytes.Equal(data, built), "the same texts no longer give the same bytes: that takes a new format version")
			}
		})
		known[c.name] = true
	}
	files, err := filepath.Glob("testdata/*.puffin")
	require.NoError(t, err)
	for _, file := range files {
		require.True(t, known[strings.TrimSuffix(filepath.Base(file), ".puffin")], "no test reads %s", file)
	}
}

// TestGoldenDescription is what people see.
func TestGoldenDescription(t *testing.T) {
	store := mem.New()
	var out bytes.Buffer
	for _, c := range goldenCases() {
		data, err := os.ReadFile(filepath.Join("testdata", c.name+".puffin"))
		require.NoError(t, err)
		name := "web.index/" + c.name + ".puffin"
		putObject(t, store, name, data)
		require.NoError(t, Dump(t.Context(), store, name, &out, 12))
		_, err = fmt.Fprintln(&out)
		require.NoError(t, err)
	}
	file := filepath.Join("testdata", "dump.txt")
	if *update {
		require.NoError(t, os.WriteFile(file, out.Bytes(), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}
