package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/firnlog/firn"

// modulePackages returns the packages of the module as `go list` sees them.
func modulePackages(t *testing.T) []Package {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", "./...")
	command.Dir = filepath.Join("..", "..")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, stderr.String())
	var packages []Package
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p Package
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
}

// pageRules returns the rules as ARCHITECTURE.md states them.
func pageRules(t *testing.T) Rules {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "ARCHITECTURE.md"))
	require.NoError(t, err)
	rules, err := Parse(module, string(page))
	require.NoError(t, err)
	return rules
}

func TestModuleKeepsTheRules(t *testing.T) {
	breaches := pageRules(t).Check(modulePackages(t))
	require.Empty(t, breaches, "\n"+strings.Join(breaches, "\n"))
}

// TestBreachesAreFound is the control: the real packages, each time with one wrong import added, must give one more breach.
func TestBreachesAreFound(t *testing.T) {
	rules, packages := pageRules(t), modulePackages(t)
	before := rules.Check(packages)
	for _, wrong := range []struct{ importer, imported string }{
		{"storage", module + "/query"},
		{"storage/local", module + "/storage/mem"},
		{"index", module + "/format"},
		{"format", module + "/index"},
		{"catalog", module + "/format"},
		{"query", module + "/ingest"},
		{"ingest", module + "/query"},
		{"query", module + "/maintain"},
		{"maintain", module},
		{"query", module + "/internal/oracle"},
		{"internal/oracle", module + "/index/analyzer"},
		{"cmd/firn", module + "/examples/embed"},
		{"query", "github.com/apache/arrow-go/v18/parquet/file"},
		{"index", "github.com/apache/arrow-go/v18/parquet"},
		{"query", "github.com/RoaringBitmap/roaring/v2"},
		{"index/analyzer", "github.com/blevesearch/vellum"},
		{"catalog", "github.com/bits-and-blooms/bloom/v3"},
		{"index", "github.com/apache/iceberg-go"},
		{"ingest", "github.com/apache/iceberg-go/table"},
		{"format", "github.com/apache/iceberg-go/puffin"},
	} {
		changed := slices.Clone(packages)
		i := slices.IndexFunc(changed, func(p Package) bool { return p.ImportPath == module+"/"+wrong.importer })
		require.GreaterOrEqual(t, i, 0, "no package %s", wrong.importer)
		changed[i].Imports = append(slices.Clone(changed[i].Imports), wrong.imported)
		after := rules.Check(changed)
		require.Len(t, after, len(before)+1, "%s importing %s", wrong.importer, wrong.imported)
	}
}

const page = "# Page\n\n| level | package | one line |\n|---|:---:|---|\n| 0 | `low` (+ `low/part`) | text |\n| 1 | `left`, `right` | `quoted` text |\n" +
	"| 2 | `.` | root |\n| 3 | `programs/*`, `internal/*` | |\n| 0 | `internal/oracle` | |\n\n| library | only imported by |\n|---|---|\n| `x.org/lib` | `left` |\n| `x.org/lib/sub` | `left`, `right` |\n\n" +
	"| level | other |\n|---|---|\n| 9 | `nothing` |\n"

func TestParse(t *testing.T) {
	rules, err := Parse("m", page)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"low": 0, "low/part": 0, "left": 1, "right": 1, ".": 2, "programs/*": 3, "internal/*": 3, "internal/oracle": 0}, rules.Levels)
	require.Equal(t, []Home{{"x.org/lib", []string{"left"}}, {"x.org/lib/sub", []string{"left", "right"}}}, rules.Homes)

	for _, broken := range []string{"", strings.Replace(page, "| 0 |", "| zero |", 1), strings.Replace(page, "`right`", "`left`", 1)} {
		_, err := Parse("m", broken)
		require.Error(t, err)
	}
}

func TestCheck(t *testing.T) {
	rules, err := Parse("m", page)
	require.NoError(t, err)
	good := []Package{
		{"m", []string{"m/left", "m/low/part", "fmt"}},
		{"m/low", nil},
		{"m/low/part", []string{"m/low"}},
		{"m/left", []string{"m/low", "x.org/lib", "x.org/lib/sub", "x.org/lib/deep", "x.org/library"}},
		{"m/right", []string{"m/low/part", "x.org/lib/sub"}},
		{"m/programs/a", []string{"m", "m/programs/a/b", "m/internal/oracle"}},
		{"m/programs/a/b", nil},
		{"m/internal/oracle", nil},
		{"m/internal/whole", []string{"m/internal/oracle", "m/left"}},
	}
	require.Empty(t, rules.Check(good))
	for _, test := range []struct {
		packages []Package
		breach   string
	}{
		{append(slices.Clone(good), Package{"m/unknown", nil}), "unknown: is not in the table"},
		{append(slices.Clone(good), Package{"m/programs/util", nil}), "programs/util: the name says nothing"},
		{append(slices.Clone(good), Package{"m/programs/c", []string{"m/programs/a"}}), "strangers"},
		{append(slices.Clone(good), Package{"m/low", []string{"m/left"}}), "from level 0 up to level 1"},
		{append(slices.Clone(good), Package{"m/left", []string{"m/right"}}), "strangers"},
		{append(slices.Clone(good), Package{"m/right", []string{"x.org/lib/deep"}}), "only left may"},
		{append(slices.Clone(good), Package{"m/left", []string{"m/internal/oracle"}}), "for tests and programs"},
		{good[1:], ".: is in the table of levels in ARCHITECTURE.md, but there is no such package"},
	} {
		breaches := rules.Check(test.packages)
		require.Len(t, breaches, 1, "%v", test.breach)
		require.Contains(t, breaches[0], test.breach)
	}
}
