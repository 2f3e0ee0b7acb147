package index

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
)

// putObject stores bytes under a name.
func putObject(tb testing.TB, store storage.Store, name string, data []byte) {
	tb.Helper()
	ctx := context.Background()
	require.NoError(tb, store.Delete(ctx, name))
	w, err := store.Create(ctx, name)
	require.NoError(tb, err)
	_, err = w.Write(data)
	require.NoError(tb, err)
	require.NoError(tb, w.Commit(ctx))
}

// build makes the sidecar of texts, one for each row, in one column of field id 7.
func build(tb testing.TB, o Options, texts []string) ([]byte, Identity, Summary) {
	tb.Helper()
	b, err := NewBuilder(o)
	require.NoError(tb, err)
	for i, text := range texts {
		b.ObserveText(7, uint32(i), []byte(text))
	}
	id := Identity{DataFile: "f.parquet", Rows: uint32(len(texts))}
	var out bytes.Buffer
	summary, err := b.Finish(&out, id)
	require.NoError(tb, err)
	require.Equal(tb, int64(out.Len()), summary.Bytes)
	return out.Bytes(), id, summary
}

func oneColumn() Options {
	return Options{Columns: []ColumnSpec{{Column: "log_msg", FieldID: 7, Bitmap: true, Bloom: true}}}
}

// openBytes opens a sidecar that lies in memory.
func openBytes(tb testing.TB, data []byte, id Identity) (*Sidecar, error) {
	tb.Helper()
	store := mem.New()
	putObject(tb, store, "s.puffin", data)
	return Open(context.Background(), store, "s.puffin", id)
}

// truth is the index made the simple way: token -> rows, of all tokens.
func truth(texts []string) map[string][]uint32 {
	rows := map[string][]uint32{}
	for i, text := range texts {
		seen := map[string]bool{}
		for _, token := range analyzer.Split(text) {
			if !seen[token] {
				seen[token] = true
				rows[token] = append(rows[token], uint32(i))
			}
		}
	}
	return rows
}

// checkToken compares what a sidecar says about a token with the rows that hold it.
func checkToken(tb testing.TB, s *Sidecar, token string, rows []uint32) {
	tb.Helper()
	if problem := tokenProblem(s, token, rows); problem != "" {
		require.Fail(tb, problem, "token %q, rows %.100v", token, rows)
	}
}

func tokenProblem(s *Sidecar, token string, rows []uint32) string {
	ctx := context.Background()
	n := s.Identity().Rows
	posting, err := s.Lookup(ctx, 7, token)
	if err != nil {
		return err.Error()
	}
	answer, err := s.Bloom(ctx, 7, token)
	if err != nil {
		return err.Error()
	}
	if !s.head.analyzer.Keeps([]byte(token)) {
		if posting.Kind != PostingUnindexed || answer != NoFilter {
			return "an answer about a token that is not kept"
		}
		return ""
	}
	if len(rows) > 0 && answer != MayContain {
		return "the bloom filter denies it"
	}
	return postingProblem(posting, RowsFromSorted(n, rows))
}

// postingProblem says what is wrong with a posting of a token that is in exactly these rows.
func postingProblem(p Posting, truth *RowSet) string {
	switch {
	case p.Kind == PostingUnindexed:
		return "no answer about a token that is kept"
	case !truth.AndNot(p.Rows).IsEmpty():
		return fmt.Sprintf("kind %d: rows with the token are not in Rows", p.Kind)
	case !p.Must.AndNot(truth).IsEmpty():
		return fmt.Sprintf("kind %d: rows of Must lack the token", p.Kind)
	case p.Counted && p.Count != truth.Cardinality():
		return fmt.Sprintf("kind %d: %d rows, not %d", p.Kind, p.Count, truth.Cardinality())
	case p.Kind != PostingMay && !p.Counted:
		return fmt.Sprintf("kind %d: not counted", p.Kind)
	case p.Kind == PostingAbsent && !p.Rows.IsEmpty(), p.Kind == PostingExact && !p.Rows.Equal(p.Must):
		return fmt.Sprintf("kind %d: %d rows, %d of them certain", p.Kind, p.Rows.Cardinality(), p.Must.Cardinality())
	}
	return ""
}

// logTexts makes texts like those of logs: few templates, numbers, ids that appear once, words of all frequencies, long runs.
func logTexts(rng *rand.Rand, rows int) []string {
	texts := make([]string, rows)
	for i := range texts {
		var b strings.Builder
		switch rng.IntN(6) {
		case 0:
			fmt.Fprintf(&b, "INFO request %d from 10.0.%d.%d took %d ms", i, rng.IntN(4), rng.IntN(256), rng.IntN(5000))
		case 1:
			fmt.Fprintf(&b, "ERROR trace=%016x%016x failed: TimeoutException at %s.java:%d", rng.Uint64(), rng.Uint64(), "Handler", rng.IntN(400))
		case 2:
			fmt.Fprintf(&b, "WARN caf\u00e9 \u65e5\u672c\u8a9e %s", strings.Repeat("x", rng.IntN(60)))
		case 3:
			fmt.Fprintf(&b, "GET /api/v1/users/%d?page=%d HTTP/1.1 200", rng.IntN(100), rng.IntN(3))
		case 4:
			for range rng.IntN(30) {
				fmt.Fprintf(&b, "word%d ", rng.IntN(1+rng.IntN(1+rng.IntN(3000))))
			}
		case 5: // an empty text
		}
		if i/1000%2 == 1 {
			b.WriteString(" burst")
		}
		if i%2 == 0 || rng.IntN(3) == 0 {
			b.WriteString(" heartbeat")
		}
		texts[i] = b.String()
	}
	return texts
}

// newBytes finishes a builder into a sidecar that lies in memory.
func newBytes(tb testing.TB, b *Builder, rows uint32) (storage.Store, Identity) {
	tb.Helper()
	id := Identity{DataFile: "f.parquet", Rows: rows}
	var out bytes.Buffer
	_, err := b.Finish(&out, id)
	require.NoError(tb, err)
	store := mem.New()
	putObject(tb, store, "s.puffin", out.Bytes())
	return store, id
}
