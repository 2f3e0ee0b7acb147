package query

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index/analyzer"
)

func TestEvaluationAgreesWithTheOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	schema := testSchema()
	var e evaluator
	for round := range 120 {
		records := make([]record, r.IntN(120))
		for i := range records {
			records[i] = randomRecord(r, round%2 == 0)
		}
		b := batchOf(schema, records)
		for range 15 {
			p := randomPredicate(r, 3)
			bound, err := bind(schema, p, time.Time{}, time.Time{}, testNow())
			require.NoError(t, err, "%s", p)
			got := map[int32]bool{}
			for _, row := range e.filter(byCost(bound.root), b) {
				got[row] = true
			}
			for i, rec := range records {
				require.Equal(t, truth(p, rec), got[int32(i)], "%s\n%+v", p, rec)
			}
		}
	}
}

func TestTokenMatcherAgreesWithTheOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var s analyzer.Scanner
	for range 12_000 {
		text, phrase := randomMessage(r, false), randomMessage(r, false)
		if r.IntN(2) == 0 && len(text) > 0 {
			start := r.IntN(len(text))
			phrase = text[start : start+r.IntN(len(text)-start)+1]
		}
		tokens := analyzer.Split(phrase)
		if len(tokens) == 0 {
			continue
		}
		require.Equal(t, naivePhrase(text, phrase), newTokenMatcher(tokens).match([]byte(text), &s), "%q in %q", phrase, text)
	}
}

func TestMatchingAllocatesNothing(t *testing.T) {
	var s analyzer.Scanner
	texts := [][]byte{[]byte("2026-11-22 ERROR connection refused by 10.0.0.1:80"), []byte("größe ERROR Connection \u212aelvin")}
	for _, phrase := range []string{"error", "connection refused", "kelvin", "größe"} {
		m := newTokenMatcher(analyzer.Split(phrase))
		for _, text := range texts {
			m.match(text, &s)
			require.Zero(t, testing.AllocsPerRun(100, func() { m.match(text, &s) }), phrase)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	text := []byte("081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 for block blk_38865049064139660 terminating, " +
		"081109 203807 222 INFO dfs.FSNamesystem: BLOCK* NameSystem.addStoredBlock: blockMap updated")
	var s analyzer.Scanner
	for _, phrase := range []string{"exception", "updated", "packetresponder 1", "info"} {
		m := newTokenMatcher(analyzer.Split(phrase))
		b.Run(phrase, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				m.match(text, &s)
			}
		})
	}
}
