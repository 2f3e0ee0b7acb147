package query

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
)

func TestExplain(t *testing.T) {
	tt := bigTable(t)
	e := NewEngine(tt.store, EngineOptions{})
	all := tt.matches(Request{Order: OldestFirst})
	q := Request{Predicate: And{msg("frequent"), Or{msg("u17"), Phrase{Col("log_msg"), "42 needle"}}, Not{Equal{Attr("pod"), "a"}}, Not{Equal{Col("level"), "x"}}},
		From: timestampOf(tt.record(all[15_000])), ForceIndex: true}
	scan, err := e.Plan(t.Context(), tt.table, q)
	require.NoError(t, err)
	explained := regexp.MustCompile(`snapshot \d+`).ReplaceAllString(scan.Explain(), "snapshot S")
	report := scan.Explanation()
	require.Len(t, report.Stages, int(numStages))
	candidates, certain := int64(0), int64(0)
	for _, r := range report.Residuals {
		candidates, certain = candidates+r.Candidates, certain+r.Certain
	}
	require.Equal(t, scan.Stats().RowsCandidate, candidates)
	require.Equal(t, scan.Stats().RowsCertain, certain)
	for _, says := range []string{
		"search _timestamp>=2023-11-", `AND frequent AND (u17 OR "42 needle") AND NOT attrs.pod:a AND NOT level:x`,
		"snapshot S: 8 files, 48,000 rows", "newest first, file by file",
		"─ frequent\n", `index not used for "42": a stop word`, "─ attrs.pod:a\n", "keys of a map column have none",
		"left to read", "the others are checked for",
	} {
		require.Contains(t, explained, says, explained)
	}
	text, err := json.Marshal(report)
	require.NoError(t, err)
	var back Explanation
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, report, back)

	q.NoIndex, q.Limit = true, 10
	scan, err = e.Plan(t.Context(), tt.table, q)
	require.NoError(t, err)
	require.Contains(t, scan.Explain(), "the request forbids it")
	require.Contains(t, scan.Explain(), "more files when reached")
	for _, err := range scan.Rows(t.Context()) {
		require.NoError(t, err)
	}
	st := scan.Stats()
	text, err = json.Marshal(st)
	require.NoError(t, err)
	for _, name := range []string{"files_total", "files_read", "files_skipped", "rows_decoded", "bytes_read", "requests", "plan_ms", "total_ms", "index_problems"} {
		require.Contains(t, string(text), fmt.Sprintf("%q:", name))
	}
}

// explainedTable is small and always the same.
func explainedTable(t testing.TB) *testTable {
	n := 0
	return makeTable(t, rand.New(rand.NewPCG(95, 0)), tableSpec{files: 4, rowsPerFile: 500, options: format.WriterOptions{PageBytes: 1024}, edit: func(rec *record) {
		rec.cells["level"] = []string{"info", "warn", "error"}[n%3]
		rec.cells["log_msg"] = fmt.Sprintf("request %d of user u%d", n, n%97)
		rec.cells["status"] = int64(200 + n%5*100)
		rec.cells["_timestamp"] = int64(19_675+n/500)*86_400_000_000 + int64(n%500)*60_000_000
		n++
	}})
}

// TestTreeIsGolden: the tree as people see it. Times, bytes and the snapshot's number differ from run to run or from release to release.
func TestTreeIsGolden(t *testing.T) {
	tt := explainedTable(t)
	e := NewEngine(tt.store, EngineOptions{Now: func() time.Time { return time.Unix(1_700_000_000, 0) }})
	q := Query{
		Where: And{msg("u17"), Not{Equal{Col("level"), "info"}}, Contains{Col("log_msg"), "st 1"}}, GroupBy: []Group{{Column: Col("level")}},
		Aggregates: []Aggregate{{Function: FuncCount}}, OrderBy: []Sort{{Column: Col("count()"), Descending: true}}, Limit: 5,
	}
	answer, err := e.Ask(t.Context(), tt.table, q, AskOptions{From: time.UnixMicro(19_676 * 86_400_000_000), ForceIndex: true})
	require.NoError(t, err)
	blur := func(text string) string {
		text = regexp.MustCompile(`snapshot \d+`).ReplaceAllString(text, "snapshot S")
		return regexp.MustCompile(`(bytes of .*?|requests|pages decoded) +[\d,]+( +[\d,]+)?\n|\d+ kB`).ReplaceAllStringFunc(text, func(found string) string {
			return regexp.MustCompile(`[\d,]+`).ReplaceAllString(regexp.MustCompile(` +`).ReplaceAllString(found, " "), "N")
		})
	}
	planned := answer.Explanation()
	analyzed, err := answer.Analyze(t.Context())
	require.NoError(t, err)
	golden(t, "testdata/explain/planned.txt", blur(planned.Tree(false)))
	golden(t, "testdata/explain/analyzed.txt", blur(analyzed.Tree(true)))
	require.NotContains(t, analyzed.Tree(true), "─")

	st := answer.Stats()
	require.Equal(t, &st, analyzed.Actual)
	require.Equal(t, planned.Estimate, analyzed.Estimate)
	require.Nil(t, planned.Actual)
	content, err := json.Marshal(analyzed)
	require.NoError(t, err)
	var back Explanation
	require.NoError(t, json.Unmarshal(content, &back))
	require.Equal(t, analyzed, back)
}

// golden compares with a file, which FIRN_UPDATE_GOLDEN=1 writes.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if os.Getenv("FIRN_UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// TestAnalyzeTellsWhatHappened: what is told of a reading is what Stats tells, and what was expected of it stays what it was.
func TestAnalyzeTellsWhatHappened(t *testing.T) {
	tt := explainedTable(t)
	e := NewEngine(tt.store, EngineOptions{})
	for _, q := range []Request{{}, {Limit: 10}, {Limit: 10, Order: OldestFirst, Predicate: msg("u17")}, {Predicate: msg("nowhere0815"), ForceIndex: true}} {
		scan, err := e.Plan(t.Context(), tt.table, q)
		require.NoError(t, err)
		before := scan.Explanation()
		explained, err := scan.Analyze(t.Context())
		require.NoError(t, err)
		st := scan.Stats()
		require.Equal(t, &st, explained.Actual)
		require.Equal(t, before.Estimate, explained.Estimate)
		matches := len(tt.matches(q))
		if q.Limit > 0 {
			matches = min(matches, q.Limit)
		}
		require.EqualValues(t, matches, explained.Actual.RowsMatched)
		if q.Predicate == nil {
			require.Equal(t, explained.Estimate.Files, explained.Actual.FilesRead, "%+v", q)
		}
	}
	scan, err := e.Plan(t.Context(), tt.table, Request{})
	require.NoError(t, err)
	_, err = scan.Count(t.Context())
	require.NoError(t, err)
	late := scan.Explanation()
	require.Nil(t, late.Estimate)
	require.Contains(t, late.Tree(false), "?")
}

// TestReasonsHaveWords: whatever is counted as a reason can be told.
func TestReasonsHaveWords(t *testing.T) {
	for kind := noteNone + 1; kind < numNotes; kind++ {
		require.NotEmpty(t, note{kind: kind, token: "x"}.text(), kind)
	}
	for kind := choiceNone + 1; kind < numChoices; kind++ {
		require.NotEmpty(t, kind.text(1000, 1000), kind)
	}
	for s, reason := range skipReasons {
		require.NotEmpty(t, skipWords[reason])
		require.NotEmpty(t, stageNames[s])
	}
	require.NotEmpty(t, skipWords[SkipAnswered])
	require.NotEmpty(t, skipWords[SkipNotReached])
	require.Len(t, skipWords, int(numStages)+2)
}

func TestTreeIsSafeToPrint(t *testing.T) {
	e := Explanation{Predicate: "log_msg:\"a\x1b[31m\nb\u202e\"", Conditions: []ConditionReport{{Predicate: "x\ty"}}}
	tree := e.Tree(true)
	require.Contains(t, tree, `search log_msg:"a?[31m?b?"`)
	require.NotRegexp(t, `[^\n -~]`, tree)
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", 12345: "12,345"} {
		require.Equal(t, want, grouped(n))
	}
}
