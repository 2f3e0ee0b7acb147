package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPatterns(t *testing.T) {
	dir := sampleLake(t)
	patterns := func(args ...string) []map[string]any {
		r := inProcess(t, dir, append([]string{"patterns", "web", "--json"}, args...)...)
		require.Equal(t, exitDone, r.code, "%q: %s", args, r.stderr)
		return objects(t, r.stdout)
	}
	for _, flags := range [][]string{nil, {"*"}, {"--no-index"}} {
		lines := patterns(flags...)
		require.Len(t, lines, 2)
		require.Equal(t, "2026-01-01T00:00:00Z", lines[0]["first"])
		require.Equal(t, "2026-01-03T00:39:00Z", lines[0]["last"])
		require.Equal(t, "request 0 of day1: connection reset by peer-0", lines[0]["sample"])
		require.Equal(t, "request <num> of <id>: connection reset by peer-<num>", lines[0]["template"])
		require.EqualValues(t, 120, lines[0]["count"])
		require.Len(t, lines[0]["id"], 16)
		summary := lines[1]["summary"].(map[string]any)
		require.EqualValues(t, 120, summary["rows"])
	}
	id := patterns()[0]["id"]
	for query, want := range map[string]int{"day2": 40, "level:error": 30, "day1 level:warn": 10} {
		lines := patterns(query)
		require.EqualValues(t, want, lines[0]["count"], query)
		require.Equal(t, id, lines[0]["id"], query)
	}
	require.Len(t, patterns("nowhere"), 1)
	require.EqualValues(t, 10, patterns("--from", "2026-01-02T00:10", "--to", "2026-01-02T00:20")[0]["count"])
	require.Len(t, patterns("--column", "level"), 4)
	require.Len(t, patterns("--column", "level", "--limit", "1"), 2)
	require.Len(t, patterns("--column", "level", "--min-count", "31"), 2)

	text := ok(t, dir, "patterns", "web")
	require.Contains(t, text, "120   100.0 %  2026-01-01T00:00:00Z  2026-01-03T00:39:00Z  "+fmt.Sprint(id)+
		"  request <num> of <id>: connection reset by peer-<num>\n")
	require.Contains(t, text, "120 rows in 1 pattern; indexes told the pattern of ")
	text = ok(t, dir, "patterns", "web", "--column", "level", "--max-patterns", "1", "--limit", "1")
	require.Contains(t, text, "rows in other patterns, each of less than")
	require.Contains(t, ok(t, dir, "patterns", "web", "--column", "level", "--limit", "1"), "Not shown: 60 rows in 2 patterns")

	r := inProcess(t, dir, "patterns", "web", "--stats")
	require.EqualValues(t, 120, object(t, r.stderr)["rows_matched"])
}

func TestPatternsCompared(t *testing.T) {
	dir := t.TempDir()
	var lines strings.Builder
	for i := range 200 {
		release, text := "1.0", []string{"steady work %d", "old path %d", "often at first %d", "often at first %d"}[i%4]
		if i >= 100 {
			release, text = "1.1", []string{"steady work %d", "new path %d", "rarely at first %d", "rarely at first %d"}[i%4]
		}
		if i == 1 {
			text = "rarely at first %d"
		}
		if i == 101 {
			text = "often at first %d"
		}
		fmt.Fprintf(&lines, `{"ts":"2026-01-%02dT00:%02d:00Z","level":"info","msg":%q,"release":%q}`+"\n", 1+i/100, i%60, fmt.Sprintf(text, i), release)
	}
	ok(t, dir, "load", "web", write(t, dir, "in.jsonl", lines.String()))
	for _, args := range [][]string{
		{"--from", "2026-01-02", "--compare", "..2026-01-02"},
		{"--from", "2026-01-02", "--to", "2026-01-03", "--compare", "2026-01-01..2026-01-02", "--no-index"},
		{"release:1.1", "--compare-query", "release:1.0"},
	} {
		r := inProcess(t, dir, append([]string{"patterns", "web", "--json"}, args...)...)
		require.Equal(t, exitDone, r.code, r.stderr)
		list := objects(t, r.stdout)
		require.Len(t, list, 5, r.stdout)
		for i, want := range []struct {
			change, template string
			before, after    float64
		}{
			{"new", "new path <num>", 0, 24}, {"grown", "rarely at first <num>", 1, 50},
			{"gone", "old path <num>", 24, 0}, {"shrunk", "often at first <num>", 50, 1},
		} {
			require.Equal(t, []any{want.change, want.template, want.before, want.after},
				[]any{list[i]["change"], list[i]["template"], list[i]["before"], list[i]["after"]})
		}
		summary := list[4]["summary"].(map[string]any)
		require.EqualValues(t, 1, summary["unchanged"])
		require.EqualValues(t, 100, summary["after"].(map[string]any)["rows"])
	}
	text := ok(t, dir, "patterns", "web", "release:1.1", "--compare-query", "release:1.0", "--limit", "10")
	require.Contains(t, text, "new     0       24     -")
	require.Contains(t, text, "Patterns: 1 new, 1 grown, 1 gone, 1 shrunk, 1 unchanged.\n")
	require.Equal(t, exitDone, inProcess(t, dir, "patterns", "web", "--compare", "..", "--stats").code)
}

func TestShortTemplateIsHarmless(t *testing.T) {
	require.Equal(t, `a\x1b[31mb`, shortTemplate("a\x1b[31mb"))
	require.Len(t, []rune(shortTemplate(strings.Repeat("ä", 200))), 161)
}
