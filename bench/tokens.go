package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/index/analyzer"
)

// frequency counts in how many rows a token is.
type frequency struct {
	token string
	rows  int64
	last  int64 // row that was counted last
	first int64 // time of the first row, µs
}

// census is the tokens of all messages of a table.
type census struct {
	rows   int64
	tokens map[string]*frequency
	sorted []*frequency // by rows, then token
}

// messages calls visit for every message of a table.
func messages(b *bench, lake *firn.Lake, table *firn.Table, visit func(row, micros int64, message string)) error {
	scan, err := lake.Plan(b.ctx, table, firn.Request{Columns: []string{"_timestamp", "log_msg"}, Order: firn.OldestFirst})
	if err != nil {
		return err
	}
	var row int64
	for batch, err := range scan.Batches(b.ctx) {
		if err != nil {
			return err
		}
		times, ok1 := batch.Column(0).(*array.Timestamp)
		texts, ok2 := batch.Column(1).(*array.String)
		if !ok1 || !ok2 {
			batch.Release()
			return fmt.Errorf("unexpected columns %v and %v", batch.Column(0).DataType(), batch.Column(1).DataType())
		}
		for i := range int(batch.NumRows()) {
			visit(row, int64(times.Value(i)), texts.Value(i))
			row++
		}
		batch.Release()
	}
	return nil
}

// takeCensus counts the tokens of a table.
func takeCensus(b *bench, lake *firn.Lake, table *firn.Table) (*census, error) {
	c := &census{tokens: map[string]*frequency{}}
	var scanner analyzer.Scanner
	err := messages(b, lake, table, func(row, micros int64, message string) {
		c.rows++
		scanner.Reset([]byte(message))
		for token, ok := scanner.Next(); ok; token, ok = scanner.Next() {
			f := c.tokens[string(token)]
			if f == nil {
				f = &frequency{token: string(token), last: -1, first: micros}
				c.tokens[f.token] = f
			}
			if f.last != row {
				f.last = row
				f.rows++
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for _, f := range c.tokens {
		c.sorted = append(c.sorted, f)
	}
	slices.SortFunc(c.sorted, func(a, b *frequency) int { return cmp.Or(cmp.Compare(a.rows, b.rows), cmp.Compare(a.token, b.token)) })
	if len(c.sorted) == 0 {
		return nil, errors.New("the corpora hold no tokens")
	}
	return c, nil
}

// pick returns the token that passes the test and whose rows are closest to a number.
func (c *census) pick(rows int64, test func(string) bool) *frequency {
	var best *frequency
	distance := func(f *frequency) int64 { return max(f.rows-rows, rows-f.rows) }
	for _, f := range c.sorted {
		if test(f.token) && (best == nil || distance(f) < distance(best)) {
			best = f
		}
	}
	if best == nil {
		return c.sorted[len(c.sorted)-1]
	}
	return best
}

// isWord says whether a token is made of letters, as a log statement has them.
func isWord(token string) bool {
	return len(token) >= 4 && len(token) <= 20 && strings.IndexFunc(token, func(r rune) bool { return r < 'a' || r > 'z' }) < 0
}

// isID says whether a token is an id: long, with letters and digits.
func isID(token string) bool {
	return len(token) >= 8 && len(token) <= 40 && strings.ContainsAny(token, "0123456789") && strings.ContainsAny(token, "abcdefghijklmnopqrstuvwxyz")
}

// isNumber says whether a token is a number that an index keeps.
func isNumber(token string) bool {
	return len(token) >= 4 && strings.Trim(token, "0123456789") == ""
}
