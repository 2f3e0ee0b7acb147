package randomqueries

import (
	"context"
	"fmt"
	"hash/fnv"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/query"
)

// Answer is what a query returned.
type Answer struct {
	Rows int64
	Hash uint64 // of the rows as JSON, in order; 0 for a count
}

// hashedRows is up to how many rows of an answer are looked at; the others are counted.
const hashedRows = 5000

// Run asks an engine one query, and returns the answer and what it cost.
func Run(ctx context.Context, engine *query.Engine, table *firn.Table, q Query, noIndex bool) (a Answer, stats firn.Stats, err error) {
	request := q.Request
	request.NoIndex = noIndex
	scan, err := engine.Plan(ctx, table, request)
	if err != nil {
		return a, stats, fmt.Errorf("%s: %w", q, err)
	}
	if q.Count {
		a.Rows, err = scan.Count(ctx)
		return a, scan.Stats(), err
	}
	hash, text := fnv.New64a(), []byte(nil)
	for row, err := range scan.Rows(ctx) {
		if err != nil {
			return a, stats, fmt.Errorf("%s: %w", q, err)
		}
		if a.Rows++; a.Rows <= hashedRows {
			text = append(row.AppendJSON(text[:0]), '\n')
			_, _ = hash.Write(text)
		}
	}
	a.Hash = hash.Sum64()
	return a, scan.Stats(), nil
}

// Bytes are what a query read.
type Bytes struct {
	With, Without         int64 // by an engine that has nothing in memory
	WarmWith, WarmWithout int64 // by the same engine, on average of the next warmRuns
}

// warmRuns is how often a query is asked again: a second time it may pay to ask sidecars that were not worth it at first, and what they say is kept.
const warmRuns = 3

// String gives the numbers in kB.
func (b Bytes) String() string {
	return fmt.Sprintf("%d kB with indexes, %d without; warm %d and %d", b.With/1000, b.Without/1000, b.WarmWith/1000, b.WarmWithout/1000)
}

func (b *Bytes) add(o Bytes) {
	b.With, b.Without, b.WarmWith, b.WarmWithout = b.With+o.With, b.Without+o.Without, b.WarmWith+o.WarmWith, b.WarmWithout+o.WarmWithout
}

// Measure asks a query with indexes and without, by fresh engines and warmRuns times more by the same ones, and fails if the answers differ.
func Measure(ctx context.Context, fresh func() *query.Engine, table *firn.Table, q Query) (b Bytes, err error) {
	var answers []Answer
	for _, side := range []struct {
		noIndex    bool
		cold, warm *int64
	}{{false, &b.With, &b.WarmWith}, {true, &b.Without, &b.WarmWithout}} {
		engine := fresh()
		for run := range 1 + warmRuns {
			answer, stats, err := Run(ctx, engine, table, q, side.noIndex)
			if err != nil {
				return b, err
			}
			if run == 0 {
				*side.cold = stats.BytesRead
			} else {
				*side.warm += stats.BytesRead
			}
			answers = append(answers, answer)
		}
		*side.warm /= warmRuns
	}
	for _, a := range answers[1:] {
		if a != answers[0] {
			return b, fmt.Errorf("%s: answers differ: cold and warm, with indexes and without: %v", q, answers)
		}
	}
	return b, nil
}

// Slack is what a query may read more than 1.05 times what it reads without indexes: the 64 KiB that the traits of a local store say are not worth a second
// request, once for a query however many files it has. A scan without indexes reads as much to open a single data file.
const Slack = 64 << 10

// Loses says whether indexes made the query read more than is allowed, cold or warm.
func (b Bytes) Loses() bool { return b.LosesMore(1.05) }

// LosesMore says whether indexes made the query read more than so many times what it reads without, and the slack.
func (b Bytes) LosesMore(times float64) bool {
	loses := func(with, without int64) bool { return float64(with) > times*float64(without)+Slack }
	return loses(b.With, b.Without) || loses(b.WarmWith, b.WarmWithout)
}
