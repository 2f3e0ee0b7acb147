//go:build unix

package index

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/storage/mem"
)

// corpusBytes is how much message text the benchmarks take of a corpus.
const corpusBytes = 256 << 20

// benchmarkTexts are the messages of the file of JSON lines that FIRN_CORPUS names, or made ones.
func benchmarkTexts(b *testing.B) [][]byte {
	b.Helper()
	if path := os.Getenv("FIRN_CORPUS"); path != "" {
		return loadCorpus(b, path, corpusBytes)
	}
	var texts [][]byte
	for _, text := range logTexts(rand.New(rand.NewPCG(61, 61)), 200000) {
		texts = append(texts, []byte(text))
	}
	return texts
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBuild builds the sidecar of a corpus, and says what each step does in MB of text per CPU-second (of the whole process, garbage
// collection included): tokenising alone (scan), tokenising into the table (observe), finishing, observe and finish (build). ratio is sidecar
// bytes / text bytes.
//
//	FIRN_CORPUS=k8s.jsonl.zst go test -run '^$' -bench Build -cpu 1 -benchtime 5x ./index
func BenchmarkBuild(b *testing.B) {
	texts := benchmarkTexts(b)
	total := 0
	for _, text := range texts {
		total += len(text)
	}
	id := Identity{DataFile: "f.parquet", Rows: uint32(len(texts))}
	for name, spec := range map[string]ColumnSpec{
		"both":   {Column: "m", FieldID: 7, Bitmap: true, Bloom: true},
		"bitmap": {Column: "m", FieldID: 7, Bitmap: true},
		"bloom":  {Column: "m", FieldID: 7, Bloom: true},
	} {
		b.Run(name, func(b *testing.B) {
			builder, err := NewBuilder(Options{Columns: []ColumnSpec{spec}})
			require.NoError(b, err)
			var scan, observe, finish time.Duration
			var summary Summary
			b.SetBytes(int64(total))
			for b.Loop() {
				builder.Reset()
				t0 := cpuTime()
				scanAll(texts)
				t1 := cpuTime()
				for i, text := range texts {
					builder.ObserveText(7, uint32(i), text)
				}
				t2 := cpuTime()
				summary, err = builder.Finish(io.Discard, id)
				require.NoError(b, err)
				t3 := cpuTime()
				scan, observe, finish = scan+t1-t0, observe+t2-t1, finish+t3-t2
			}
			rate := func(d time.Duration) float64 { return float64(total) * float64(b.N) / 1e6 / d.Seconds() }
			b.ReportMetric(rate(scan), "scan-MB/cpu-s")
			b.ReportMetric(rate(observe), "observe-MB/cpu-s")
			b.ReportMetric(rate(finish), "finish-MB/cpu-s")
			b.ReportMetric(rate(observe+finish), "build-MB/cpu-s")
			b.ReportMetric(float64(summary.Bytes)/float64(total), "ratio")
			b.ReportMetric(float64(summary.BloomBytes)/float64(total), "bloom-ratio")
			b.ReportMetric(float64(builder.MemoryBytes())/1e6, "MB-memory")
		})
	}
}

// scanAll cuts all texts into tokens and forgets them.
func scanAll(texts [][]byte) {
	var s analyzer.Scanner
	for _, text := range texts {
		s.Reset(text)
		for {
			if _, _, ok := s.NextBatch(); !ok {
				break
			}
		}
	}
}

// BenchmarkLookup looks tokens up that are warm, of each class.
func BenchmarkLookup(b *testing.B) {
	texts := logTexts(rand.New(rand.NewPCG(62, 62)), 100000)
	data, id, _ := build(b, oneColumn(), texts)
	ctx := context.Background()
	for _, token := range []string{"absent0", "00000", "4711", "timeoutexception", "heartbeat"} {
		s, err := openBytes(b, data, id)
		require.NoError(b, err)
		p, err := s.Lookup(ctx, 7, token)
		require.NoError(b, err)
		b.Run(fmt.Sprintf("%s-%d", token, p.Count), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err = s.Lookup(ctx, 7, token)
			}
			require.NoError(b, err)
		})
	}
	b.Run("bloom", func(b *testing.B) {
		s, err := openBytes(b, data, id)
		require.NoError(b, err)
		for b.Loop() {
			_, err = s.Bloom(ctx, 7, "timeoutexception")
		}
		require.NoError(b, err)
	})
	b.Run("open", func(b *testing.B) {
		store := mem.New()
		putObject(b, store, "s", data)
		b.ReportAllocs()
		for b.Loop() {
			_, err := Open(ctx, store, "s", id)
			require.NoError(b, err)
		}
	})
}

// TestObserveDoesNotAllocate is the rule for the hot path: tokens that were seen before take no memory but their postings.
func TestObserveDoesNotAllocate(t *testing.T) {
	b, err := NewBuilder(oneColumn())
	require.NoError(t, err)
	var texts [][]byte
	for _, text := range logTexts(rand.New(rand.NewPCG(63, 63)), 2000) {
		texts = append(texts, bytes.Clone([]byte(text)))
	}
	run := func() {
		b.Reset()
		for i, text := range texts {
			b.ObserveText(7, uint32(i), text)
		}
	}
	run()
	require.Zero(t, testing.AllocsPerRun(3, run))
}
