package query

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/internal/roundtrips"
	"github.com/firnlog/firn/storage"
)

// truePatterns counts the rows that a request asks for by pattern, one after the other.
func (tt *testTable) truePatterns(q Request, column string) (patterns []Pattern, rows, noText int64) {
	var signer analyzer.Signer
	byID := map[uint64]*Pattern{}
	q.Order = OldestFirst
	for _, at := range tt.matches(q) {
		rows++
		rec := tt.record(at)
		text, ok := rec.cells[column].(string)
		if !ok {
			noText++
			continue
		}
		id := signer.Signature([]byte(text))
		if byID[id] == nil {
			sample := string(index.CutSample([]byte(text)))
			byID[id] = &Pattern{ID: PatternID(id), First: timestampOf(rec).UTC(), Sample: sample, Template: Template(sample)}
		}
		byID[id].Count++
		byID[id].Last = timestampOf(rec).UTC()
	}
	for _, p := range byID {
		patterns = append(patterns, *p)
	}
	slices.SortFunc(patterns, func(a, b Pattern) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.ID, b.ID)) })
	return patterns, rows, noText
}

// fakeIndex knows the patterns of a file that have enough rows, and may break.
type fakeIndex struct {
	patterns []index.Pattern
	numbers  []uint32
	rest     *index.RowSet
	breaks   func() bool
}

var errBroken = fmt.Errorf("%w: broken on purpose", index.ErrCorrupt)

func (f *fakeIndex) Patterns(context.Context, int) ([]index.Pattern, *index.RowSet, error) {
	if f.breaks() {
		return nil, nil, errBroken
	}
	return f.patterns, f.rest, nil
}

func (f *fakeIndex) PatternRows(_ context.Context, _, pattern int) (*index.RowSet, error) {
	if f.breaks() {
		return nil, errBroken
	}
	var rows []uint32
	for row, number := range f.numbers {
		if number == uint32(pattern) {
			rows = append(rows, uint32(row))
		}
	}
	return index.RowsFromSorted(uint32(len(f.numbers)), rows), nil
}

func (f *fakeIndex) PatternOfRows(context.Context, int) ([]uint32, error) {
	if f.breaks() {
		return nil, errBroken
	}
	return f.numbers, nil
}

// fakeIndexes puts indexes that know patterns of at least so many rows in the place of sidecars. It works on one column only.
func (tt *testTable) fakeIndexes(e *Engine, column string, least uint32, breaks func() bool) {
	byFile := map[string]*fakeIndex{}
	for _, file := range tt.files {
		f := &fakeIndex{breaks: breaks}
		var signer analyzer.Signer
		places := map[uint64]uint32{}
		for _, rec := range file.records {
			if text, ok := rec.cells[column].(string); ok {
				id := signer.Signature([]byte(text))
				n, known := places[id]
				if !known {
					n = uint32(len(f.patterns))
					places[id] = n
					f.patterns = append(f.patterns, index.Pattern{ID: id, Sample: string(index.CutSample([]byte(text)))})
				}
				f.patterns[n].Rows++
			}
		}
		var kept []index.Pattern
		for i, p := range f.patterns {
			places[p.ID] = index.NoPattern
			if p.Rows >= least {
				places[p.ID] = uint32(len(kept))
				kept = append(kept, f.patterns[i])
			}
		}
		var rest []uint32
		for row, rec := range file.records {
			number := uint32(index.NoPattern)
			if text, ok := rec.cells[column].(string); ok {
				number = places[signer.Signature([]byte(text))]
			}
			if f.numbers = append(f.numbers, number); number == index.NoPattern {
				rest = append(rest, uint32(row))
			}
		}
		f.patterns, f.rest = kept, index.RowsFromSorted(uint32(len(file.records)), rest)
		byFile[file.uri[strings.LastIndexByte(file.uri, '/')+1:]] = f
	}
	e.patternIndex = func(s *index.Sidecar) patternIndex { return byFile[s.Identity().DataFile] }
}

// logRecord replaces the message by one of a few kinds, some of them rare.
func logRecord(r *rand.Rand) func(*record) {
	return func(rec *record) {
		switch n := r.IntN(20); {
		case n < 9:
			rec.cells["log_msg"] = fmt.Sprintf("user %d logged in from 10.0.0.%d", r.IntN(1000), r.IntN(256))
		case n < 12:
			rec.cells["log_msg"] = fmt.Sprintf("Connection to db-%d reset by peer after %dms", r.IntN(9), r.IntN(5000))
		case n < 15:
			rec.cells["log_msg"] = fmt.Sprintf("GET /item/%x HTTP/1.1 %d", r.Uint32(), 200+r.IntN(300))
		case n == 15:
			rec.cells["log_msg"] = strings.Repeat("ab cd ", r.IntN(100)) + fmt.Sprint(n)
		}
	}
}

// ask compares the patterns of a request with those counted one after the other.
func askPatterns(t *testing.T, e *Engine, tt *testTable, q Request, o PatternOptions, message string) *Scan {
	t.Helper()
	want, rows, noText := tt.truePatterns(q, cmp.Or(o.Column, "log_msg"))
	scan, err := e.Plan(context.Background(), tt.table, q)
	require.NoError(t, err, message)
	got, err := scan.Patterns(context.Background(), o)
	require.NoError(t, err, message)
	distinct, hidden := len(want), int64(0)
	want = slices.DeleteFunc(want, func(p Pattern) bool { return p.Count < o.MinCount })
	if o.Limit > 0 {
		want = want[:min(len(want), o.Limit)]
	}
	hidden = rows - noText
	for i := range want {
		hidden -= want[i].Count
		if o.CountsOnly {
			want[i] = Pattern{ID: want[i].ID, Count: want[i].Count}
		}
	}
	require.Equal(t, len(want), len(got.Patterns), message)
	for i := range want {
		require.Equal(t, want[i], got.Patterns[i], message)
	}
	got.Summary.Indexed = 0
	require.Equal(t, PatternSummary{Rows: rows, NoText: noText, Patterns: int64(distinct), Hidden: hidden}, got.Summary, message)
	checkStats(t, scan, int(rows), message)
	return scan
}

// randomEngine returns an engine of random width, near or far.
func randomEngine(r *rand.Rand, store storage.Store) *Engine {
	options := EngineOptions{Now: testNow, CacheBytes: []int64{1, 10_000, 0}[r.IntN(3)], Parallelism: r.IntN(4)}
	if r.IntN(2) == 0 {
		far := roundtrips.New(store, 0)
		far.Shape = storage.Traits{Remote: true, Parallel: r.IntN(20), ReadGap: r.Int64N(4000), TailBytes: []int{0, 4000, 1 << 20}[r.IntN(3)]}
		store = far
	}
	return NewEngine(store, options)
}

// randomPatternRequest asks for everything, a window, or some rows.
func randomPatternRequest(r *rand.Rand) Request {
	q := Request{NoIndex: r.IntN(6) == 0, Limit: r.IntN(3)}
	switch r.IntN(4) {
	case 0:
		q.Predicate = randomPredicate(r, 2)
	case 1:
		q.Predicate = msg([]string{"user", "reset", "GET", "nowhere", "error"}[r.IntN(5)])
	case 2:
		q.Predicate = Phrase{Col("log_msg"), "logged in from"}
	}
	if r.IntN(3) == 0 {
		q.From = time.Unix(19_675*86_400+r.Int64N(4*86_400), 0)
	}
	if r.IntN(3) == 0 {
		q.To = time.Unix(19_675*86_400+r.Int64N(4*86_400), 0)
	}
	return q
}
