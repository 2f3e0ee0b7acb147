package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/randomqueries"
	"github.com/firnlog/firn/query"
	"github.com/firnlog/firn/storage"
)

// How queries with indexes are compared with the same without.
const (
	neverTarget  = 1.05
	neverQueries = 300
	neverSeed    = 7
	neverRows    = 50_000 // rows of each corpus
	neverRuns    = 7      // with and without, by turns
	neverMost    = 70     // if the first ones say that the index may have lost
	neverDoubt   = 1.02   // from this ratio on
	neverWorst   = 8      // queries that are shown
)

// queryCost is one query with and without indexes, by an engine that has nothing in its caches.
type queryCost struct {
	Class      string  `json:"class"`
	Query      string  `json:"query"`
	Rows       int64   `json:"rows"`
	Bytes      int64   `json:"bytes"`
	BytesOff   int64   `json:"bytes_without"`
	CPU        float64 `json:"cpu_ms"`
	CPUOff     float64 `json:"cpu_ms_without"`
	BytesRatio float64 `json:"bytes_ratio"`
	CPURatio   float64 `json:"cpu_ratio"`
}

// neverLoses runs random queries with and without indexes.
func (x *indexBench) neverLoses() error {
	x.section(fmt.Sprintf("%d random queries with the default indexes and without: bytes read and CPU of a fresh engine (parallelism 1; the fastest "+
		"fifth of %d runs by turns, up to %d where the index seems to lose); the first %d rows of each corpus, mixed over three days",
		neverQueries, neverRuns, neverMost, neverRows))
	l, err := x.neverLake()
	if err != nil {
		return err
	}
	err = x.withLake(l, func(lake *firn.Lake, table *firn.Table) error {
		words, err := randomqueries.WordsOf(x.ctx, lake, table)
		if err != nil {
			return err
		}
		for _, q := range randomqueries.Generate(neverSeed, neverQueries, words) {
			c, err := compareQuery(x.ctx, lake.Store(), table, q)
			if err != nil {
				return err
			}
			x.result.Never = append(x.result.Never, c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	x.printNever()
	return nil
}

// neverLake loads the first rows of the large corpora.
func (x *indexBench) neverLake() (loaded, error) {
	list := x.corporaNamed(totalCorpora)
	if list == nil {
		list = slices.Clone(x.corpora)
	}
	for i := range list {
		list[i].Rows = min(list[i].Rows, neverRows)
	}
	path := filepath.Join(x.scratch, "never.jsonl.zst")
	if err := mixCorpora(path, list, mixedStart, mixedSpan); err != nil {
		return loaded{}, err
	}
	return x.load("never", "default", []string{path})
}

// runQuery runs a query on an engine that has nothing in its caches.
func runQuery(ctx context.Context, store storage.Store, table *firn.Table, q randomqueries.Query, noIndex bool) (
	randomqueries.Answer, firn.Stats, error,
) {
	return randomqueries.Run(ctx, query.NewEngine(store, query.EngineOptions{Parallelism: 1}), table, q, noIndex)
}

// compareQuery measures a query by turns with and without indexes.
func compareQuery(ctx context.Context, store storage.Store, table *firn.Table, q randomqueries.Query) (c queryCost, err error) {
	c = queryCost{Class: q.Class, Query: strings.ReplaceAll(q.String(), "\n", `\n`), CPU: math.Inf(1), CPUOff: math.Inf(1)}
	answer, on, err := runQuery(ctx, store, table, q, false)
	if err != nil {
		return c, err
	}
	truth, off, err := runQuery(ctx, store, table, q, true)
	if err != nil {
		return c, err
	}
	if answer != truth {
		return c, fmt.Errorf("%s: %v with indexes, %v without", q, answer, truth)
	}
	c.Rows, c.Bytes, c.BytesOff = answer.Rows, on.BytesRead, off.BytesRead
	c.BytesRatio = ratioOf(float64(c.Bytes), float64(c.BytesOff))
	var with, without []float64
	for len(with) < neverRuns || len(with) < neverMost && c.CPURatio > neverDoubt {
		runtime.GC()
		for range neverRuns {
			for noIndex, list := range map[bool]*[]float64{false: &with, true: &without} { // in either order
				start := cpuSeconds()
				if _, _, err := runQuery(ctx, store, table, q, noIndex); err != nil {
					return c, err
				}
				*list = append(*list, 1000*(cpuSeconds()-start))
			}
		}
		c.CPU, c.CPUOff = lowQuantile(with), lowQuantile(without)
		c.CPURatio = ratioOf(c.CPU, c.CPUOff)
	}
	return c, nil
}

// ratioOf is a relative cost; none of none is 1.
func ratioOf(a, b float64) float64 {
	if a == b {
		return 1
	}
	return a / b
}

// lowQuantile returns the time that a fifth of the runs stay below: what disturbs a run makes it longer, never shorter.
func lowQuantile(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/5]
}

// measuredCPU is how many CPU seconds a measurement by cpuOf takes at least.
const measuredCPU = 0.03

// cpuOf returns the CPU seconds of one run, from as many runs as the clock needs.
func cpuOf(once func() error) (float64, error) {
	runtime.GC()
	start, used := cpuSeconds(), 0.0
	for n := 1; ; n++ {
		if err := once(); err != nil {
			return 0, err
		}
		if used = cpuSeconds() - start; used >= measuredCPU {
			return used / float64(n), nil
		}
	}
}

func (x *indexBench) printNever() {
	list := slices.Clone(x.result.Never)
	for _, by := range []struct {
		what string
		of   func(queryCost) float64
	}{
		{"bytes read", func(c queryCost) float64 { return c.BytesRatio }},
		{"CPU", func(c queryCost) float64 { return c.CPURatio }},
	} {
		slices.SortStableFunc(list, func(a, b queryCost) int { return cmp.Compare(by.of(b), by.of(a)) })
		above, much := 0, 0
		for _, c := range list {
			if by.of(c) > neverTarget {
				above++
				if (randomqueries.Bytes{With: c.Bytes, Without: c.BytesOff}).Loses() {
					much++
				}
			}
		}
		at := func(q float64) float64 { return by.of(list[int(q*float64(len(list)-1))]) }
		worst := x.result.atMost(fmt.Sprintf("%d random queries with indexes / without, %s, worst", len(list), by.what), at(0), neverTarget, "")
		fmt.Fprintf(x.out, "%s with / without: worst %.3f (%s), 1 in 20 above %.3f, median %.3f, best %.4f; %d of %d above %.2f, %d of these read "+
			"over %d KiB more\n",
			by.what, at(0), worst.text(), at(0.05), at(0.5), at(1), above, len(list), neverTarget, much, randomqueries.Slack>>10)
		x.row("  worst by "+by.what, "bytes", "CPU", "rows", "KB", "KB without", "ms", "ms without", "  query")
		for _, c := range list[:min(neverWorst, len(list))] {
			x.row("  "+c.Class, fmt.Sprintf("%.3f", c.BytesRatio), fmt.Sprintf("%.3f", c.CPURatio), c.Rows, c.Bytes/1000, c.BytesOff/1000,
				ms(c.CPU), ms(c.CPUOff), "  "+c.Query)
		}
	}
}
