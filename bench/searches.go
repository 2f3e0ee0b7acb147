package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firnlog/firn"
)

// fetchRows is how many rows a fetch asks for.
const fetchRows = 200

// measured is one query on one lake.
type measured struct {
	Lake    string     `json:"lake"` // how the table is indexed
	NoIndex bool       `json:"no_index"`
	Count   int64      `json:"count"`
	Fetched int        `json:"fetched"`
	CountMS timing     `json:"count_ms"`
	FetchMS timing     `json:"fetch_ms"` // the newest 200 rows with all columns
	Costs   firn.Stats `json:"count_stats"`
	Fetch   firn.Stats `json:"fetch_stats"`
}

// timing is the first run after opening the lake (nothing in firn's caches; the files in the page cache of the system), and the
// median of the warm ones.
type timing struct {
	First float64 `json:"first"`
	Warm  float64 `json:"warm_median"`
	Reps  int     `json:"reps"`
}

// searchResult is everything that the default run measures.
type searchResult struct {
	Loads   []loaded      `json:"loads"`
	Queries []queryResult `json:"queries"`
}

type queryResult struct {
	benchQuery
	Runs []measured `json:"runs"`
}

// searches loads the corpora and measures the queries.
func (b *bench) searches() (*searchResult, error) {
	loads, err := b.loads()
	if err != nil {
		return nil, err
	}
	result := &searchResult{Loads: loads}
	var queries []benchQuery
	for _, l := range loads {
		if l.Corpus != "all" {
			continue
		}
		runs, err := b.measureLake(l, &queries)
		if err != nil {
			return nil, err
		}
		if result.Queries == nil {
			result.Queries = make([]queryResult, len(queries))
		}
		for i, q := range queries {
			result.Queries[i].benchQuery = q
			result.Queries[i].Runs = append(result.Queries[i].Runs, runs[i]...)
		}
	}
	b.printSearches(result.Queries)
	return result, result.check()
}

// check makes sure that every lake gave the same answers, and the ones that were counted without the engine.
func (r *searchResult) check() error {
	var errs []error
	for _, q := range r.Queries {
		for _, m := range q.Runs {
			want := q.Expected
			if want < 0 {
				want = q.Runs[0].Count
			}
			if m.Count != want {
				errs = append(errs, fmt.Errorf("%s (%s): %d rows with index %s (no-index %v), want %d", q.Name, q.Text, m.Count, m.Lake, m.NoIndex, want))
			}
		}
	}
	return errors.Join(errs...)
}

// measureLake measures all queries on one lake; the first lake is also where they are chosen.
func (b *bench) measureLake(l loaded, queries *[]benchQuery) ([][]measured, error) {
	lake, table, err := b.open(l.dir)
	if err != nil {
		return nil, err
	}
	if *queries == nil {
		if *queries, err = b.pickQueries(lake, table); err != nil {
			return nil, errors.Join(err, lake.Close())
		}
	}
	if err := lake.Close(); err != nil {
		return nil, err
	}
	var all [][]measured
	for _, q := range *queries {
		var runs []measured
		for _, noIndex := range []bool{false, true} {
			if noIndex && l.Index != "both" {
				continue
			}
			m, err := b.measure(l, q, noIndex)
			if err != nil {
				return nil, fmt.Errorf("%s on %s: %w", q.Text, l.Index, err)
			}
			runs = append(runs, m)
		}
		all = append(all, runs)
	}
	return all, nil
}

// open opens a lake that is there, and its table.
func (b *bench) open(location string, opts ...firn.Option) (*firn.Lake, *firn.Table, error) {
	lake, err := firn.Open(b.ctx, location, append(opts, firn.MustExist())...)
	if err != nil {
		return nil, nil, err
	}
	table, err := lake.Table(b.ctx, tableName)
	if err != nil {
		return nil, nil, errors.Join(err, lake.Close())
	}
	return lake, table, nil
}

// measure measures one query on a lake that was just opened.
func (b *bench) measure(l loaded, q benchQuery, noIndex bool) (m measured, err error) {
	m = measured{Lake: l.Index, NoIndex: noIndex}
	request, err := q.request(noIndex)
	if err != nil {
		return m, err
	}
	timed := func(once func(*firn.Lake, *firn.Table) error) (timing, error) {
		lake, table, err := b.open(l.dir)
		if err != nil {
			return timing{}, err
		}
		t, err := b.repeat(func() error { return once(lake, table) })
		return t, errors.Join(err, lake.Close())
	}
	m.CountMS, err = timed(func(lake *firn.Lake, table *firn.Table) error {
		scan, err := lake.Plan(b.ctx, table, request)
		if err != nil {
			return err
		}
		m.Count, err = scan.Count(b.ctx)
		m.Costs = scan.Stats()
		return err
	})
	if err != nil {
		return m, err
	}
	request.Limit = fetchRows
	m.FetchMS, err = timed(func(lake *firn.Lake, table *firn.Table) error {
		scan, err := lake.Plan(b.ctx, table, request)
		if err != nil {
			return err
		}
		m.Fetched = 0
		for row, err := range scan.Rows(b.ctx) {
			if err != nil {
				return err
			}
			if _, err := row.MarshalJSON(); err != nil { // as the program would print it
				return err
			}
			m.Fetched++
		}
		m.Fetch = scan.Stats()
		return nil
	})
	return m, err
}

// slowest is how long the warm repetitions of one query may take together; at least two are made.
const slowest = 3 * time.Second

// repeat runs something once cold and then several times warm.
func (b *bench) repeat(once func() error) (timing, error) {
	var t timing
	var all []float64
	start := time.Now()
	for i := 0; i <= b.reps; i++ {
		if i > 2 && time.Since(start) > slowest {
			break
		}
		begin := time.Now()
		if err := once(); err != nil {
			return t, err
		}
		took := float64(time.Since(begin).Microseconds()) / 1000
		if i == 0 {
			t.First = took
			continue
		}
		all = append(all, took)
	}
	slices.Sort(all)
	t.Warm, t.Reps = all[len(all)/2], len(all)
	return t, nil
}

// printSearches prints the queries as two tables: latencies, and costs.
func (b *bench) printSearches(queries []queryResult) {
	b.section(fmt.Sprintf("Searches on the lake of all corpora: in process, median of up to %d warm runs (files in the system's page cache, firn's caches warm), ms", b.reps))
	fmt.Fprintln(b.out, "count = number of matches; fetch = newest 200 rows, all columns, as JSON; off = the lake with both indexes, indexes not used; cold = first run after opening")
	b.row("query", "hits", "count:none", "bloom", "bitmap", "both", "off", "both cold", "fetch:none", "bloom", "bitmap", "both", "off", "both cold")
	for _, q := range queries {
		cells := []any{q.Name, q.Runs[0].Count}
		for _, pick := range []func(measured) timing{func(m measured) timing { return m.CountMS }, func(m measured) timing { return m.FetchMS }} {
			for _, r := range q.Runs {
				cells = append(cells, ms(pick(r).Warm))
			}
			cells = append(cells, ms(pick(q.Runs[3]).First))
		}
		b.row(cells...)
	}
	b.section("What they cost with both indexes and without (off), warm")
	b.row("query", "files read", "of", "rows dec.", "KB read", "requests", "off: files", "rows dec.", "KB read", "requests", "fetch: KB", "requests")
	for _, q := range queries {
		on, off := q.Runs[3], q.Runs[4]
		b.row(q.Name, on.Costs.FilesRead, on.Costs.FilesTotal, on.Costs.RowsDecoded, on.Costs.BytesRead/1000, on.Costs.Requests,
			off.Costs.FilesRead, off.Costs.RowsDecoded, off.Costs.BytesRead/1000, off.Costs.Requests, on.Fetch.BytesRead/1000, on.Fetch.Requests)
	}
	b.section("The queries")
	for _, q := range queries {
		window := ""
		if !q.From.IsZero() {
			window = fmt.Sprintf("  [%s, %s)", q.From.Format(time.RFC3339), q.To.Format(time.RFC3339))
		}
		fmt.Fprintf(b.out, "  %-26s %s%s\n", q.Name, q.Text, window)
	}
}
