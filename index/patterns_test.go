package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index/analyzer"
)

// letters spells a number without digits.
func letters(n int) string {
	return strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(n))
}

// statementTexts are of many statements, some of which are rare, in the order in which a program would run through them.
func statementTexts(rng *rand.Rand, rows, statements int) []string {
	texts := make([]string, rows)
	at := 0
	for i := range texts {
		if rng.IntN(4) == 0 {
			at = rng.IntN(1 + rng.IntN(statements))
		} else {
			at = (at + 1) % statements
		}
		texts[i] = fmt.Sprintf("statement %s took %d ms, x=%d", letters(at), rng.IntN(100), i)
		if rng.IntN(1000) == 0 {
			texts[i] += " oddity " + letters(i)
		}
	}
	return texts
}

// TestPatterns compares patterns with texts grouped by signature.
func TestPatterns(t *testing.T) {
	rng := rand.New(rand.NewPCG(81, 81))
	for name, texts := range map[string][]string{
		"few rows":         statementTexts(rng, 100, 5),
		"log":              logTexts(rng, 5000),
		"several blocks":   statementTexts(rng, 3*columnBlockRows+77, 100),
		"wide":             statementTexts(rng, 20000, 700),
		"wide, two blocks": statementTexts(rng, columnBlockRows+1, 1000),
		"no two alike":     statementTexts(rng, 500, 100000),
	} {
		t.Run(name, func(t *testing.T) {
			data, id, summary := build(t, oneColumn(), texts)
			s, err := openBytes(t, data, id)
			require.NoError(t, err)
			checkPatterns(t, s, texts)
			for token, rows := range truth(texts) {
				if !strings.HasPrefix(token, "oddity") && len(rows) < 40 && rng.IntN(20) > 0 {
					continue // there are many
				}
				checkToken(t, s, token, rows)
			}
			d, err := s.Describe(context.Background(), 3)
			require.NoError(t, err)
			require.EqualValues(t, summary.Columns[0].Patterns, d.Columns[0].Patterns)
		})
	}
}

func checkPatterns(t *testing.T, s *Sidecar, texts []string) {
	ctx := context.Background()
	var signer analyzer.Signer
	rows := map[uint64][]uint32{}
	var few []uint32
	for i, text := range texts {
		id := signer.Signature([]byte(text))
		rows[id] = append(rows[id], uint32(i))
	}
	for id, list := range rows {
		if len(list) < leastPatternRows {
			few = append(few, list...)
			delete(rows, id)
		}
	}
	patterns, rest, err := s.Patterns(ctx, 7)
	require.NoError(t, err)
	require.Len(t, patterns, len(rows))
	require.EqualValues(t, len(few), rest.Cardinality())
	for _, row := range few {
		require.True(t, rest.Contains(row))
	}
	of, err := s.PatternOfRows(ctx, 7)
	require.NoError(t, err)
	require.Len(t, of, len(texts))
	for i, p := range patterns {
		want := rows[p.ID]
		require.EqualValues(t, len(want), p.Rows)
		require.Equal(t, len(want) >= sampledRows, p.Sample != "" || texts[want[0]] == "", "%+v", p)
		if p.Sample != "" {
			require.Equal(t, p.ID, signer.Signature([]byte(p.Sample)))
		}
		for _, row := range want {
			require.EqualValues(t, i, of[row])
		}
		if i%50 == 0 {
			got, err := s.PatternRows(ctx, 7, i)
			require.NoError(t, err)
			require.True(t, RowsFromSorted(uint32(len(texts)), want).Equal(got))
		}
	}
	for _, row := range few {
		require.Equal(t, NoPattern, of[row])
	}
	_, err = s.PatternRows(ctx, 7, len(patterns))
	require.Error(t, err)
}

// TestWordsOfPatternsAreExact: how many rows have a word makes no difference.
func TestWordsOfPatternsAreExact(t *testing.T) {
	texts := statementTexts(rand.New(rand.NewPCG(82, 82)), 30000, 40)
	o := oneColumn()
	o.BitmapFraction = 1e-9
	data, id, summary := build(t, o, texts)
	require.Less(t, summary.Columns[0].PatternBytes+summary.Columns[0].DictionaryBytes, int64(len(texts)))
	s, err := openBytes(t, data, id)
	require.NoError(t, err)
	for token, rows := range truth(texts) {
		if token != "oddity" && s.Keeps(token) && analyzer.WordToken([]byte(token)) && len(rows) > 100 {
			p, err := s.Lookup(context.Background(), 7, token)
			require.NoError(t, err)
			require.True(t, p.Kind == PostingExact || p.Rows.Cardinality()-p.Must.Cardinality() < 200, "%s: kind %d, %d rows, %d of them certain",
				token, p.Kind, p.Rows.Cardinality(), p.Must.Cardinality())
			require.EqualValues(t, len(rows), p.Count)
		}
	}
}

// TestNaturalLanguage: where no two texts have the same words, the attempt to find patterns costs next to nothing.
func TestNaturalLanguage(t *testing.T) {
	rng := rand.New(rand.NewPCG(83, 83))
	texts := make([]string, 5000)
	for i := range texts {
		for range 5 + rng.IntN(20) {
			texts[i] += letters(rng.IntN(1+rng.IntN(4000))) + " "
		}
	}
	data, id, summary := build(t, oneColumn(), texts)
	require.Zero(t, summary.Columns[0].Patterns)
	require.Zero(t, summary.Columns[0].PatternBytes)
	s, err := openBytes(t, data, id)
	require.NoError(t, err)
	for token, rows := range truth(texts) {
		checkToken(t, s, token, rows)
	}
}

// TestManyRows has more blocks of the column of patterns than a mask has bits.
func TestManyRows(t *testing.T) {
	if os.Getenv("FIRN_TEST_LONG") == "" {
		t.Skip("takes some seconds: set FIRN_TEST_LONG")
	}
	const rows = 65*columnBlockRows + 3
	b, err := NewBuilder(oneColumn())
	require.NoError(t, err)
	want := map[string][]uint32{}
	for row := range uint32(rows) {
		text := "beat"
		if row%100000 == 99999 {
			text = "alarm rung"
		}
		if row%1000000 == 5 {
			text = "bell " + letters(int(row))
		}
		b.ObserveText(7, row, []byte(text))
		for _, token := range analyzer.Split(text) {
			want[token] = append(want[token], row)
		}
	}
	store, id := newBytes(t, b, rows)
	s, err := Open(context.Background(), store, "s.puffin", id)
	require.NoError(t, err)
	for token, rows := range want {
		checkToken(t, s, token, rows)
	}
}
