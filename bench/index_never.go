package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/query"
	"github.com/firnlog/firn/storage"
)

// How queries with indexes are compared with the same without.
const (
	neverTarget  = 1.05
	neverQueries = 300
	neverRows    = 50_000 // rows of each corpus
	neverCPU     = 0.03   // CPU seconds that a measurement takes at least
	neverRounds  = 3      // of which the fastest counts
	neverMore    = 9      // rounds more if the first ones say that the index lost
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
	x.section(fmt.Sprintf("%d random queries with the default indexes and without: bytes read and CPU of a fresh engine (parallelism 1; fastest of "+
		"%d rounds, %d more where the index seems to lose); the first %d rows of each corpus, mixed over three days",
		neverQueries, neverRounds, neverMore, neverRows))
	l, err := x.neverLake()
	if err != nil {
		return err
	}
	err = x.withLake(l, func(lake *firn.Lake, table *firn.Table) error {
		m, err := newQueryMaker(x.bench, lake, table, 1)
		if err != nil {
			return err
		}
		var queries []randomQuery
		for range neverQueries {
			queries = append(queries, m.next())
		}
		*m = queryMaker{} // not to be marked by the garbage collector while CPU is measured
		for _, q := range queries {
			c, err := compareQuery(x.ctx, lake.Store(), table, q)
			if err != nil {
				return fmt.Errorf("%v: %w", q, err)
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

// runQuery runs a query on a fresh engine and returns its costs.
func runQuery(ctx context.Context, store storage.Store, table *firn.Table, q randomQuery, noIndex bool) (firn.Stats, error) {
	engine := query.NewEngine(store, query.EngineOptions{Parallelism: 1})
	q.Request.NoIndex = noIndex
	scan, err := engine.Plan(ctx, table, q.Request)
	if err != nil {
		return firn.Stats{}, err
	}
	if q.Count {
		_, err := scan.Count(ctx)
		return scan.Stats(), err
	}
	for _, err := range scan.Rows(ctx) {
		if err != nil {
			return firn.Stats{}, err
		}
	}
	return scan.Stats(), nil
}

// compareQuery measures a query by turns with and without indexes.
func compareQuery(ctx context.Context, store storage.Store, table *firn.Table, q randomQuery) (c queryCost, err error) {
	c = queryCost{Class: q.Class, Query: q.String(), CPU: math.Inf(1), CPUOff: math.Inf(1)}
	on, err := runQuery(ctx, store, table, q, false)
	if err != nil {
		return c, err
	}
	off, err := runQuery(ctx, store, table, q, true)
	if err != nil {
		return c, err
	}
	if on.RowsMatched != off.RowsMatched {
		return c, fmt.Errorf("%d rows with indexes, %d without", on.RowsMatched, off.RowsMatched)
	}
	c.Rows, c.Bytes, c.BytesOff = on.RowsMatched, on.BytesRead, off.BytesRead
	c.BytesRatio = ratioOf(float64(c.Bytes), float64(c.BytesOff))
	for round := 0; round < neverRounds || round < neverRounds+neverMore && c.CPURatio > neverTarget-0.02; round++ {
		cpu, err := cpuOf(func() error { _, err := runQuery(ctx, store, table, q, false); return err })
		if err != nil {
			return c, err
		}
		cpuOff, err := cpuOf(func() error { _, err := runQuery(ctx, store, table, q, true); return err })
		if err != nil {
			return c, err
		}
		c.CPU, c.CPUOff = min(c.CPU, 1000*cpu), min(c.CPUOff, 1000*cpuOff)
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

// cpuOf returns the CPU seconds of one run, from as many runs as the clock needs.
func cpuOf(once func() error) (float64, error) {
	runtime.GC()
	start, used := cpuSeconds(), 0.0
	for n := 1; ; n++ {
		if err := once(); err != nil {
			return 0, err
		}
		if used = cpuSeconds() - start; used >= neverCPU {
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
		above := 0
		for _, c := range list {
			if by.of(c) > neverTarget {
				above++
			}
		}
		at := func(q float64) float64 { return by.of(list[int(q*float64(len(list)-1))]) }
		worst := x.atMost(fmt.Sprintf("%d random queries with indexes / without, %s, worst", len(list), by.what), at(0), neverTarget, "")
		fmt.Fprintf(x.out, "%s with / without: worst %.3f (%s), 1 in 20 above %.3f, median %.3f, best %.4f; %d of %d above %.2f\n",
			by.what, at(0), worst.text(), at(0.05), at(0.5), at(1), above, len(list), neverTarget)
		x.row("  worst by "+by.what, "bytes", "CPU", "rows", "KB", "KB without", "ms", "ms without", "  query")
		for _, c := range list[:min(neverWorst, len(list))] {
			x.row("  "+c.Class, fmt.Sprintf("%.3f", c.BytesRatio), fmt.Sprintf("%.3f", c.CPURatio), c.Rows, c.Bytes/1000, c.BytesOff/1000,
				ms(c.CPU), ms(c.CPUOff), "  "+c.Query)
		}
	}
}
