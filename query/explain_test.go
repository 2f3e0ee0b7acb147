package query

import (
	"encoding/json"
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
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
		"search   _timestamp>=2023-11-", `AND frequent AND (u17 OR "42 needle") AND NOT attrs.pod:a AND NOT level:x`,
		"snapshot S: 8 files, 48000 rows", "order    newest first",
		"  frequent\n", `index not used for "42": a stop word`, "  attrs.pod:a\n", "keys of a map column have none",
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
