package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index/analyzer"
)

func TestHasPatternText(t *testing.T) {
	for text, want := range map[string]Predicate{
		"_pattern:00000000000000ff":           HasPattern{Col("log_msg"), 255},
		"_pattern.host:00000000000000ff":      HasPattern{Col("host"), 255},
		"NOT _pattern:FEDCBA9876543210 error": And{Not{HasPattern{Col("log_msg"), 0xfedcba9876543210}}, msg("error")},
		"_patterns:1":                         Equal{Col("_patterns"), "1"},
	} {
		p, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, p)
		again, err := Parse(p.String())
		require.NoError(t, err, p.String())
		require.Equal(t, want, again)
	}
	for _, bad := range []string{"_pattern:", "_pattern:1", "_pattern:xx", "_pattern.host:12"} {
		_, err := Parse(bad)
		require.ErrorIs(t, err, ErrSyntax, bad)
	}
}

// patternMatches returns the places of rows whose column has a pattern, newest first.
func (tt *testTable) patternMatches(q Request, column string, id PatternID, is bool) (found []where) {
	var signer analyzer.Signer
	for _, at := range tt.matches(q) {
		text, ok := tt.record(at).cells[column].(string)
		if is == (ok && signer.Signature([]byte(text)) == uint64(id)) {
			found = append(found, at)
		}
	}
	return found
}

func TestHasPatternAgreesWithBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(790, 0))
	tt := makeTable(t, r, tableSpec{files: 5, rowsPerFile: 200, edit: logRecord(r), options: format.WriterOptions{RowGroupRows: 70, PageBytes: 512}})
	patterns, _, _ := tt.truePatterns(Request{}, "log_msg")
	for i := range 60 {
		e := randomEngine(r, tt.store)
		if r.IntN(3) > 0 {
			breaks := func() bool { return false }
			if r.IntN(4) == 0 {
				breaks = breakAfter(r.IntN(8))
			}
			tt.fakeIndexes(e, "log_msg", []uint32{1, 5, 30}[r.IntN(3)], breaks)
		}
		id := PatternID(r.Uint64())
		if i > 3 {
			id = patterns[r.IntN(min(len(patterns), 20))].ID
		}
		q := randomPatternRequest(r)
		q.Limit = []int{0, 0, 5}[r.IntN(3)]
		other, is := q.Predicate, r.IntN(3) > 0
		want := tt.patternMatches(q, "log_msg", id, is)
		var p Predicate = HasPattern{Col("log_msg"), id}
		if !is {
			p = Not{p}
		}
		if q.Predicate = p; other != nil {
			q.Predicate = And{other, p}
		}
		message := fmt.Sprintf("%s no index: %v, limit %d", text(q.Predicate), q.NoIndex, q.Limit)
		scan, err := e.Plan(context.Background(), tt.table, q)
		require.NoError(t, err, message)
		n, err := scan.Count(context.Background())
		require.NoError(t, err, message)
		require.EqualValues(t, len(want), n, message)
		rows, scan := collect(t, e, tt.table, q)
		if q.Limit > 0 {
			want = want[:min(len(want), q.Limit)]
		}
		require.Equal(t, tt.ids(want), idsOf(rows), message)
		require.NotEmpty(t, scan.Explain())
		checkStats(t, scan, len(rows), message)
	}
}

// If the index knows all patterns, a search for one reads its rows only.
func TestHasPatternIsAnsweredByTheIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(791, 0))
	tt := makeTable(t, r, tableSpec{files: 3, rowsPerFile: 200, edit: logRecord(r)})
	patterns, _, _ := tt.truePatterns(Request{}, "log_msg")
	e := NewEngine(tt.store, EngineOptions{})
	tt.fakeIndexes(e, "log_msg", 1, func() bool { return false })
	for _, id := range []PatternID{patterns[0].ID, patterns[len(patterns)-1].ID} {
		want := tt.patternMatches(Request{}, "log_msg", id, true)
		scan, err := e.Plan(t.Context(), tt.table, Request{Predicate: HasPattern{Col("log_msg"), id}})
		require.NoError(t, err)
		n, err := scan.Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, len(want), n)
		// Only rows without a text are left to be looked at.
		require.Less(t, scan.Stats().RowsDecoded, int64(200))
	}
	for _, c := range []Column{Col("status"), Attr("pod"), Col("nowhere")} {
		_, err := e.Plan(t.Context(), tt.table, Request{Predicate: HasPattern{c, 1}})
		require.ErrorIs(t, err, ErrInvalidRequest)
	}
}
