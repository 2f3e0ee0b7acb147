package query

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/storage"
)

func TestPatternsAgreeWithBruteForce(t *testing.T) {
	settings := map[string]tableSpec{
		"no index":    {index: "none"},
		"bitmap":      {index: "bitmap", hostIndex: "bitmap,bloom"},
		"partitioned": {partitionBy: true},
		"overlap":     {overlap: true},
		"unsorted":    {overlap: true, unsorted: func(i int) bool { return i%3 == 0 }, foreign: func(i int) bool { return i%3 == 0 || i == 4 }},
	}
	seed := uint64(700)
	for name, spec := range settings {
		seed++
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			spec.files, spec.rowsPerFile, spec.edit = 5, 200, logRecord(r)
			spec.options = format.WriterOptions{RowGroupRows: 70, PageBytes: 512}
			tt := makeTable(t, r, spec)
			ask := func(what string, questions int, prepare func(e *Engine)) {
				for range questions {
					e := randomEngine(r, tt.store)
					prepare(e)
					q := randomPatternRequest(r)
					o := PatternOptions{Limit: []int{0, 0, 3}[r.IntN(3)], MinCount: []int64{0, 0, 4}[r.IntN(3)], CountsOnly: r.IntN(4) == 0}
					askPatterns(t, e, tt, q, o, fmt.Sprintf("%s: %s [%s, %s) no index: %v, %+v", what, text(q.Predicate), q.From, q.To, q.NoIndex, o))
				}
			}
			ask("sidecars", 12, func(*Engine) {})
			if spec.index == "none" {
				return
			}
			ask("fakes", 20, func(e *Engine) {
				tt.fakeIndexes(e, "log_msg", []uint32{1, 5, 30}[r.IntN(3)], func() bool { return false })
			})
			ask("breaking fakes", 20, func(e *Engine) {
				tt.fakeIndexes(e, "log_msg", 5, breakAfter(r.IntN(12)))
			})
			for _, damage := range slices.Sorted(maps.Keys(damages)) {
				whole := map[string][]byte{}
				for _, f := range tt.files[:3] {
					whole[f.sidecar] = tt.bytesOf(t, f.sidecar)
					if damaged := damages[damage](r, append([]byte(nil), whole[f.sidecar]...)); damaged == nil {
						require.NoError(t, tt.store.Delete(context.Background(), f.sidecar))
					} else {
						tt.put(t, tt.store.URI(f.sidecar), damaged)
					}
				}
				ask(damage, 5, func(*Engine) {})
				for name, data := range whole {
					tt.put(t, tt.store.URI(name), data)
				}
			}
		})
	}
}

// breakAfter returns a function that is true from the n-th call on. Engines ask it from several goroutines.
func breakAfter(n int) func() bool {
	calls := make(chan struct{}, n)
	return func() bool {
		select {
		case calls <- struct{}{}:
			return false
		default:
			return true
		}
	}
}

// If the index knows all patterns and which rows match, no data page is read.
func TestPatternsFromIndexesReadNoData(t *testing.T) {
	r := rand.New(rand.NewPCG(720, 0))
	tt := makeTable(t, r, tableSpec{files: 4, rowsPerFile: 300, index: "bitmap", options: format.WriterOptions{RowGroupRows: 100, PageBytes: 512},
		edit: func(rec *record) {
			if rec.cells["log_msg"] == nil {
				rec.cells["log_msg"] = ""
			}
			logRecord(r)(rec)
		}})
	e := NewEngine(tt.store, EngineOptions{})
	tt.fakeIndexes(e, "log_msg", 1, func() bool { return false })
	for _, q := range []Request{{}, {Predicate: msg("GET")}, {Predicate: Not{msg("reset")}}} {
		scan := askPatterns(t, e, tt, q, PatternOptions{CountsOnly: true}, text(q.Predicate))
		st := scan.Stats()
		require.Zero(t, st.FilesRead, text(q.Predicate))
		require.Zero(t, st.RowsDecoded, text(q.Predicate))
		require.Equal(t, 4, st.FilesSkipped[SkipAnswered])
		result, err := scan.Patterns(t.Context(), PatternOptions{CountsOnly: true})
		require.NoError(t, err)
		require.Equal(t, result.Summary.Rows, result.Summary.Indexed)
	}

	// Times and samples take a few rows of the patterns that are handed out.
	scan := askPatterns(t, e, tt, Request{}, PatternOptions{Limit: 2}, "two")
	require.LessOrEqual(t, scan.Stats().RowsDecoded, int64(2*2*4))

	// With a window that cuts pages only the times of those pages are read, and no text.
	watch := newSpy(tt.store)
	e = NewEngine(watch, EngineOptions{Parallelism: 1})
	tt.fakeIndexes(e, "log_msg", 1, func() bool { return false })
	from := time.Unix(19_675*86_400+12*3600, 0)
	scan = askPatterns(t, e, tt, Request{From: from, To: from.Add(30 * time.Hour)}, PatternOptions{CountsOnly: true}, "window")
	require.Less(t, scan.Stats().RowsDecoded, scan.Stats().RowsMatched)
}

// The same rows give the same answer, however they are spread over files.
func TestPatternsDoNotDependOnTheLayout(t *testing.T) {
	r := rand.New(rand.NewPCG(730, 0))
	var records []record
	for i := range 600 {
		rec := randomRecord(r, true)
		logRecord(r)(&rec)
		rec.cells["_timestamp"] = int64(19_675)*86_400_000_000 + int64(i)*100_000_000
		records = append(records, rec)
	}
	var want *PatternResult
	for _, files := range []int{1, 5, 20} {
		r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		n := 0
		tt := makeTable(t, r, tableSpec{files: files, rowsPerFile: len(records) / files, overlap: true, edit: func(rec *record) {
			*rec = records[n]
			n++
		}})
		for _, parallelism := range []int{1, 7} {
			for _, least := range []uint32{1, 3, 1 << 20} {
				e := NewEngine(tt.store, EngineOptions{Parallelism: parallelism})
				tt.fakeIndexes(e, "log_msg", least, func() bool { return false })
				scan := askPatterns(t, e, tt, Request{}, PatternOptions{}, "layout")
				got, err := scan.Patterns(t.Context(), PatternOptions{})
				require.NoError(t, err)
				got.Summary.Indexed = 0
				if want == nil {
					want = got
				}
				require.Equal(t, want, got)
			}
		}
	}
}

// More patterns than are told apart: frequent ones are counted exactly, the others together, and in the same way whatever the order of the work.
func TestPatternsBeyondTheBound(t *testing.T) {
	r := rand.New(rand.NewPCG(740, 0))
	word := func() string { return string(rune('a'+r.IntN(26))) + string(rune('a'+r.IntN(26))) }
	tt := makeTable(t, r, tableSpec{files: 6, rowsPerFile: 300, edit: func(rec *record) {
		rec.cells["log_msg"] = word() + " " + word()
		if r.IntN(3) == 0 {
			rec.cells["log_msg"] = fmt.Sprintf("frequent kind %s of message %d", []string{"one", "two", "three"}[r.IntN(3)], r.IntN(1000))
		}
	}})
	want, rows, noText := tt.truePatterns(Request{}, "log_msg")
	require.Greater(t, len(want), 500)
	for _, bound := range []int{1, 3, 40, 400} {
		for _, buckets := range []int{1, 64, 1 << 14} {
			var first *PatternResult
			for _, parallelism := range []int{1, 2, 9} {
				e := NewEngine(tt.store, EngineOptions{Parallelism: parallelism})
				tt.fakeIndexes(e, "log_msg", []uint32{1, 4, 1 << 20}[r.IntN(3)], func() bool { return false })
				scan, err := e.Plan(t.Context(), tt.table, Request{})
				require.NoError(t, err)
				got, err := scan.Patterns(t.Context(), PatternOptions{MaxPatterns: bound, buckets: buckets})
				require.NoError(t, err)
				got.Summary.Indexed = 0
				if first == nil {
					first = got
				}
				require.Equal(t, first, got)
			}
			require.LessOrEqual(t, len(first.Patterns), bound)
			require.Equal(t, []int64{rows, noText, 0}, []int64{first.Summary.Rows, first.Summary.NoText, first.Summary.Hidden})
			kept, sum := map[PatternID]Pattern{}, int64(0)
			for _, p := range first.Patterns {
				kept[p.ID] = p
				sum += p.Count
			}
			require.Equal(t, rows-noText-sum, first.Summary.Other)
			for _, p := range want {
				if got, ok := kept[p.ID]; ok {
					require.Equal(t, p, got)
				} else {
					require.Less(t, p.Count, first.Summary.OtherBelow)
				}
			}
			if bound >= 40 && buckets > 1000 { // so that what shares a bucket with frequent patterns fits in, too
				require.Equal(t, want[:3], first.Patterns[:3])
			}
		}
	}
}

func TestPatternsOfOddTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(750, 0))
	long := strings.Repeat("word ", 400_000) + "end"
	odd := []any{nil, "", "   ", "1 2 3", long,
		strings.Repeat("é", 127) + "a" + "é", strings.Repeat("x", 255) + "日本", "\u0000\n\t", "a b", "b a", "A  B a", nil, ""}
	n := 0
	tt := makeTable(t, r, tableSpec{files: 2, rowsPerFile: 26, edit: func(rec *record) {
		rec.cells["log_msg"] = odd[n%len(odd)]
		n++
	}})
	for _, least := range []uint32{1, 3, 1 << 20} {
		e := NewEngine(tt.store, EngineOptions{})
		tt.fakeIndexes(e, "log_msg", least, func() bool { return false })
		askPatterns(t, e, tt, Request{}, PatternOptions{}, "odd texts")
	}
	askPatterns(t, NewEngine(tt.store, EngineOptions{}), tt, Request{}, PatternOptions{}, "odd texts")
	askPatterns(t, NewEngine(tt.store, EngineOptions{}), tt, Request{}, PatternOptions{Column: "host"}, "another column")

	e := NewEngine(tt.store, EngineOptions{})
	scan, err := e.Plan(t.Context(), tt.table, Request{})
	require.NoError(t, err)
	for _, o := range []PatternOptions{{Column: "status"}, {Column: "nowhere"}, {Column: "attrs"}, {Limit: -1}, {MinCount: -1}, {MaxPatterns: -1}} {
		_, err := scan.Patterns(t.Context(), o)
		require.ErrorIs(t, err, ErrInvalidRequest, "%+v", o)
	}
}

func TestPatternsStopWhenCancelled(t *testing.T) {
	r := rand.New(rand.NewPCG(760, 0))
	tt := makeTable(t, r, tableSpec{files: 4, rowsPerFile: 200, edit: logRecord(r)})
	for n := range 12 {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("enough")
		e := NewEngine(cancelling{tt.store, breakAfter(n), func() { cancel(why) }}, EngineOptions{Parallelism: 1 + n%3})
		tt.fakeIndexes(e, "log_msg", 5, func() bool { return false })
		scan, err := e.Plan(ctx, tt.table, Request{Predicate: msg("user")})
		if err == nil {
			_, err = scan.Patterns(ctx, PatternOptions{})
		}
		if context.Cause(ctx) != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
		cancel(nil)
	}
}

// cancelling cancels a context after some reads.
type cancelling struct {
	storage.Store
	now    func() bool
	cancel func()
}

func (s cancelling) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	if s.now() {
		s.cancel()
		return ctx.Err()
	}
	return s.Store.ReadAt(ctx, name, p, off)
}

func TestPatternID(t *testing.T) {
	for _, id := range []PatternID{0, 1, 0xfedcba9876543210} {
		again, err := ParsePatternID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, again)
	}
	for _, bad := range []string{"", "1", "00000000000000zz", "0x00000000000000", "00000000000000000", "+000000000000001"} {
		_, err := ParsePatternID(bad)
		require.ErrorIs(t, err, ErrInvalidRequest, bad)
	}
}

// patternOfUsers is the pattern of logRecord's most frequent kind.
const patternOfUsers PatternID = 0xa8b53aba8a8d1040

// Whichever byte of a sidecar is damaged, the answer stays the same.
func TestPatternsWithAnyByteDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(795, 0))
	tt := makeTable(t, r, tableSpec{files: 1, rowsPerFile: 2000, index: "bitmap", edit: logRecord(r)})
	sidecar := tt.files[0].sidecar
	whole := tt.bytesOf(t, sidecar)
	for i := range 60 {
		damaged := slices.Clone(whole)
		damaged[(i*len(whole)/60+r.IntN(len(whole)/60))%len(whole)] ^= byte(1 + r.IntN(255))
		tt.put(t, tt.store.URI(sidecar), damaged)
		for _, q := range []Request{{}, {Predicate: HasPattern{Col("log_msg"), patternOfUsers}}, {Predicate: msg("reset")}} {
			e := NewEngine(tt.store, EngineOptions{})
			want, rows, _ := tt.truePatterns(Request{Predicate: without(q.Predicate)}, "log_msg")
			if p, ok := q.Predicate.(HasPattern); ok {
				want = slices.DeleteFunc(want, func(x Pattern) bool { return x.ID != p.ID })
				rows = want[0].Count
			}
			scan, err := e.Plan(t.Context(), tt.table, q)
			require.NoError(t, err)
			got, err := scan.Patterns(t.Context(), PatternOptions{Limit: 5})
			require.NoError(t, err)
			require.Equal(t, want[:min(5, len(want))], got.Patterns)
			require.Equal(t, rows, got.Summary.Rows)
		}
	}
}

// without returns a predicate that the oracle knows: it does not know HasPattern.
func without(p Predicate) Predicate {
	if _, ok := p.(HasPattern); ok {
		return All{}
	}
	return p
}

// Real sidecars know the patterns of nearly all rows, and what they know is not read.
func TestSidecarsKnowPatterns(t *testing.T) {
	r := rand.New(rand.NewPCG(797, 0))
	tt := makeTable(t, r, tableSpec{files: 3, rowsPerFile: 3000, index: "bitmap", edit: func(rec *record) {
		rec.cells["log_msg"] = fmt.Sprintf("user %d logged in", r.IntN(1000))
		if n := r.IntN(500); n > 0 {
			logRecord(r)(rec)
		}
	}})
	e := NewEngine(tt.store, EngineOptions{})
	for _, q := range []Request{{}, {Predicate: msg("user")}, {Predicate: HasPattern{Col("log_msg"), patternOfUsers}}} {
		scan, err := e.Plan(t.Context(), tt.table, q)
		require.NoError(t, err)
		got, err := scan.Patterns(t.Context(), PatternOptions{CountsOnly: true})
		require.NoError(t, err)
		require.Greater(t, got.Summary.Indexed, got.Summary.Rows*9/10, text(q.Predicate))
		require.Less(t, scan.Stats().RowsDecoded, got.Summary.Rows/10, text(q.Predicate))
	}
}
