package main

import (
	"fmt"
	"time"

	"github.com/firnlog/firn"
)

// Targets of counting frequent words.
const (
	frequentTarget = 50 // times as fast as by a scan
	frequentWords  = 5  // words of each corpus
)

// frequentWord is counting the rows with a word that is in more than 30 % of them. Milliseconds are medians of warm runs.
type frequentWord struct {
	Corpus      string  `json:"corpus"`
	Word        string  `json:"word"`
	Rows        int64   `json:"rows"`
	Part        float64 `json:"part_of_rows"`
	IndexMS     float64 `json:"index_ms"`
	ScanMS      float64 `json:"scan_ms"`
	IndexCPU    float64 `json:"index_cpu_ms"`
	ScanCPU     float64 `json:"scan_cpu_ms"`
	RowsDecoded int64   `json:"rows_decoded"`
}

// frequentWords counts frequent words with indexes and without.
func (x *indexBench) frequentWords() error {
	x.section("count(has_token(log_msg, word)) of words in more than 30 % of the rows, with the default indexes and by scan (indexes not used); " +
		"warm, median")
	x.row("corpus", "word", "rows", "part", "index ms", "scan ms", "faster", "CPU faster", "rows dec.", "target")
	for _, c := range x.corpora {
		if c.Bytes < smallCorpus && x.rows == 0 {
			continue
		}
		l, err := x.lake(c.Name)
		if err != nil {
			return err
		}
		d, err := x.digest(l)
		if err != nil {
			return err
		}
		worst, decoded := 0.0, int64(0)
		for i := range min(frequentWords, len(d.frequent)) {
			word := d.frequent[i*len(d.frequent)/min(frequentWords, len(d.frequent))]
			f, err := x.frequentWord(l, word, d.rows)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", c.Name, word.token, err)
			}
			x.result.Frequent = append(x.result.Frequent, f)
			faster := f.ScanMS / f.IndexMS
			if worst == 0 || faster < worst {
				worst = faster
			}
			decoded = max(decoded, f.RowsDecoded)
			verdict := check{Target: frequentTarget, AtLeast: true, Reached: faster >= frequentTarget && f.RowsDecoded == 0}
			x.row(c.Name, f.Word, f.Rows, fmt.Sprintf("%.0f %%", 100*f.Part), ms(f.IndexMS), ms(f.ScanMS), fmt.Sprintf("%.1f x", faster),
				fmt.Sprintf("%.1f x", f.ScanCPU/f.IndexCPU), f.RowsDecoded, verdict.text())
		}
		if worst > 0 {
			x.result.atLeast("count of a word in > 30 % of the rows / by scan, speed, slowest, "+c.Name, worst, frequentTarget, "times")
			x.result.atMost("count of a word in > 30 % of the rows, rows decoded, most, "+c.Name, float64(decoded), 0, "rows")
		} else {
			x.row(c.Name, "no word is in so many rows")
		}
	}
	return nil
}

func (x *indexBench) frequentWord(l loaded, word frequency, rows int64) (f frequentWord, err error) {
	f = frequentWord{Corpus: l.Corpus, Word: word.token, Rows: word.rows, Part: float64(word.rows) / float64(rows)}
	return f, x.withLake(l, func(lake *firn.Lake, table *firn.Table) error {
		count := func(noIndex bool) func() error {
			return func() error {
				request := firn.Request{Predicate: firn.HasToken{Column: firn.Col("log_msg"), Text: word.token}, NoIndex: noIndex}
				scan, err := lake.Plan(x.ctx, table, request)
				if err != nil {
					return err
				}
				n, err := scan.Count(x.ctx)
				if err == nil && n != word.rows {
					err = fmt.Errorf("counted %d rows (no-index %v), want %d", n, noIndex, word.rows)
				}
				if !noIndex {
					f.RowsDecoded = scan.Stats().RowsDecoded
				}
				return err
			}
		}
		if f.IndexMS, f.IndexCPU, err = x.warm(count(false)); err != nil {
			return err
		}
		f.ScanMS, f.ScanCPU, err = x.warm(count(true))
		return err
	})
}

// warmTime is how long something is repeated at least.
const warmTime = 60 * time.Millisecond

// warm runs something once, and then as often as --reps says or longer, until the clock tells something. It returns milliseconds of one
// run: the median of wall time, the mean of CPU time.
func (x *indexBench) warm(once func() error) (wall, cpu float64, err error) {
	if err := once(); err != nil {
		return 0, 0, err
	}
	var all []float64
	cpuStart, start := cpuSeconds(), time.Now()
	for len(all) < 2 || time.Since(start) < slowest && (len(all) < x.reps || time.Since(start) < warmTime) {
		begin := time.Now()
		if err := once(); err != nil {
			return 0, 0, err
		}
		all = append(all, 1000*time.Since(begin).Seconds())
	}
	cpu = 1000 * (cpuSeconds() - cpuStart) / float64(len(all))
	return median(all), cpu, nil
}
