package main

import (
	"fmt"

	"github.com/firnlog/firn"
)

// patternsShown is how many patterns are asked for.
const patternsShown = 20

// patternCost is finding the most frequent log patterns of a lake. Milliseconds are medians of warm runs.
type patternCost struct {
	Lake     string  `json:"lake"`
	Rows     int64   `json:"rows"`
	Patterns int64   `json:"patterns"`
	Top      int64   `json:"rows_in_top_patterns"`
	Indexed  int64   `json:"rows_from_index"`
	IndexMS  float64 `json:"index_ms"`
	ScanMS   float64 `json:"scan_ms"`
	IndexCPU float64 `json:"index_cpu_ms"`
	ScanCPU  float64 `json:"scan_cpu_ms"`
	Decoded  int64   `json:"rows_decoded"`
	ScanRows int64   `json:"rows_decoded_by_scan"`
	CountMS  float64 `json:"counts_only_ms"` // without times, samples and templates
	CountRow int64   `json:"counts_only_rows_decoded"`
}

// patterns asks for the top patterns with indexes and without.
func (x *indexBench) patterns() error {
	x.section(fmt.Sprintf("The %d most frequent log patterns of log_msg, with samples and times; from the index, by scan (indexes not used), and "+
		"counts only from the index; warm, median", patternsShown))
	x.row("lake", "rows", "patterns", "top rows", "from index", "index ms", "rows dec.", "scan ms", "rows dec.", "faster", "CPU faster",
		"counts ms", "rows dec.")
	for _, name := range append(x.corpusNames(), "mixed") {
		if c, ok := x.corpusNamed(name); ok && c.Bytes < smallCorpus && x.rows == 0 {
			continue
		}
		l, err := x.lake(name)
		if err != nil {
			return err
		}
		if l.dir == "" {
			continue
		}
		c, err := x.patternCost(l)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		x.result.Patterns = append(x.result.Patterns, c)
		x.row(c.Lake, c.Rows, c.Patterns, percent(c.Top, c.Rows), percent(c.Indexed, c.Rows), ms(c.IndexMS), c.Decoded, ms(c.ScanMS), c.ScanRows,
			fmt.Sprintf("%.1f x", c.ScanMS/c.IndexMS), fmt.Sprintf("%.1f x", c.ScanCPU/c.IndexCPU), ms(c.CountMS), c.CountRow)
	}
	return nil
}

func (x *indexBench) patternCost(l loaded) (c patternCost, err error) {
	c.Lake = l.Corpus
	return c, x.withLake(l, func(lake *firn.Lake, table *firn.Table) error {
		ask := func(noIndex, countsOnly bool, result *firn.PatternResult, decoded *int64) func() error {
			return func() error {
				scan, err := lake.Plan(x.ctx, table, firn.Request{NoIndex: noIndex})
				if err != nil {
					return err
				}
				r, err := scan.Patterns(x.ctx, firn.PatternOptions{Limit: patternsShown, CountsOnly: countsOnly})
				if err != nil {
					return err
				}
				*result, *decoded = *r, scan.Stats().RowsDecoded
				return nil
			}
		}
		var indexed, scanned, counted firn.PatternResult
		if c.IndexMS, c.IndexCPU, err = x.warm(ask(false, false, &indexed, &c.Decoded)); err != nil {
			return err
		}
		if c.ScanMS, c.ScanCPU, err = x.warm(ask(true, false, &scanned, &c.ScanRows)); err != nil {
			return err
		}
		if c.CountMS, _, err = x.warm(ask(false, true, &counted, &c.CountRow)); err != nil {
			return err
		}
		c.Rows, c.Patterns, c.Indexed = indexed.Summary.Rows, indexed.Summary.Patterns, indexed.Summary.Indexed
		for i, p := range indexed.Patterns {
			c.Top += p.Count
			if p != scanned.Patterns[i] || counted.Patterns[i].ID != p.ID || counted.Patterns[i].Count != p.Count {
				return fmt.Errorf("pattern %d is %v with indexes, %v by scan, %v without samples", i, p, scanned.Patterns[i], counted.Patterns[i])
			}
		}
		return nil
	})
}
