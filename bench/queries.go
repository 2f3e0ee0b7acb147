package main

import (
	"fmt"
	"time"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/index/analyzer"
)

// benchQuery is one query that is measured.
type benchQuery struct {
	Name     string    `json:"name"`
	Text     string    `json:"query"`
	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`
	Expected int64     `json:"expected"` // rows, counted without the engine; -1: not counted
}

func (q benchQuery) request(noIndex bool) (firn.Request, error) {
	p, err := firn.Parse(q.Text)
	return firn.Request{Predicate: p, From: q.From, To: q.To, NoIndex: noIndex}, err
}

// pickQueries chooses the queries from what the corpora hold: by how many rows a token is in, never by name.
func (b *bench) pickQueries(lake *firn.Lake, table *firn.Table) ([]benchQuery, error) {
	c, err := takeCensus(b, lake, table)
	if err != nil {
		return nil, err
	}
	needle, id, number := c.pick(25, isWord), c.pick(25, isID), c.pick(25, isNumber)
	middle, middleID := c.pick(3000, isWord), c.pick(3000, func(t string) bool { return isID(t) || isNumber(t) })
	high := c.pick(c.rows*35/100, func(t string) bool { return isWord(t) && c.tokens[t].rows*10 > c.rows*3 })
	absent := "zzabsentzz"
	for c.tokens[absent] != nil {
		absent += "z"
	}
	at := func(f *frequency) time.Time { return time.UnixMicro(f.first).UTC() }
	list := []benchQuery{
		{Name: "needle, word", Text: needle.token, Expected: needle.rows},
		{Name: "needle, id", Text: id.token, Expected: id.rows},
		{Name: "needle, number", Text: number.token, Expected: number.rows},
		{Name: "middle, word", Text: middle.token, Expected: middle.rows},
		{Name: "middle, id or number", Text: middleID.token, Expected: middleID.rows},
		{Name: "high", Text: high.token, Expected: high.rows},
		{Name: "absent", Text: absent},
		{Name: "NOT high", Text: "NOT " + high.token, Expected: c.rows - high.rows},
	}
	pairs, err := b.pickPhrases(c, lake, table)
	if err != nil {
		return nil, err
	}
	list = append(list, pairs...)
	return append(list,
		benchQuery{Name: "middle in 10 minutes", Text: middle.token, From: at(middle).Add(-5 * time.Minute), To: at(middle).Add(5 * time.Minute), Expected: -1},
		benchQuery{Name: "high in 10 minutes", Text: high.token, From: at(high), To: at(high).Add(10 * time.Minute), Expected: -1},
		benchQuery{Name: "all in 1 hour", Text: "*", From: at(middle).Add(-30 * time.Minute), To: at(middle).Add(30 * time.Minute), Expected: -1},
		benchQuery{Name: "level:error", Text: "level:error", Expected: -1},
		benchQuery{Name: "needle AND high", Text: needle.token + " AND " + high.token, Expected: -1},
	), nil
}

// pair is two tokens that stand next to each other somewhere.
type pair struct{ first, second string }

// pairCount is in how many rows they are.
type pairCount struct {
	phrase     int64
	lastPhrase int64
}

// pickPhrases chooses a phrase of two frequent tokens that many rows hold but few next to each other, and one that is frequent.
func (b *bench) pickPhrases(c *census, lake *firn.Lake, table *firn.Table) ([]benchQuery, error) {
	counts := map[pair]*pairCount{}
	frequent := func(token string) bool {
		f := c.tokens[token]
		return f != nil && isWord(token) && f.rows*200 > c.rows // above 0.5 % of the rows
	}
	every := max(c.rows/5000, 1)
	var scanner analyzer.Scanner
	walk := func(message string, visit func(pair)) {
		scanner.Reset([]byte(message))
		last := ""
		for token, ok := scanner.Next(); ok; token, ok = scanner.Next() {
			visit(pair{last, string(token)})
			last = string(token)
		}
	}
	err := messages(b, lake, table, func(row, _ int64, message string) {
		if row%every == 0 {
			walk(message, func(p pair) {
				if frequent(p.first) && frequent(p.second) && p.first != p.second {
					counts[p] = &pairCount{lastPhrase: -1}
				}
			})
		}
	})
	if err != nil {
		return nil, err
	}
	err = messages(b, lake, table, func(row, _ int64, message string) {
		walk(message, func(p pair) {
			if n := counts[p]; n != nil && n.lastPhrase != row {
				n.phrase++
				n.lastPhrase = row
			}
		})
	})
	if err != nil {
		return nil, err
	}
	best := func(want int64) (pair, *pairCount) {
		var p pair
		var n *pairCount
		for q, m := range counts {
			d, e := max(m.phrase-want, want-m.phrase), int64(-1)
			if n != nil {
				e = max(n.phrase-want, want-n.phrase)
			}
			if n == nil || d < e || d == e && fmt.Sprint(q) < fmt.Sprint(p) {
				p, n = q, m
			}
		}
		return p, n
	}
	if len(counts) == 0 {
		return nil, nil
	}
	rare, n := best(400)
	often, m := best(c.rows / 5)
	return []benchQuery{
		{Name: "phrase, rare", Text: fmt.Sprintf("%q", rare.first+" "+rare.second), Expected: n.phrase},
		{Name: "phrase, frequent", Text: fmt.Sprintf("%q", often.first+" "+often.second), Expected: m.phrase},
		{Name: "AND of the rare phrase", Text: rare.first + " AND " + rare.second, Expected: -1},
		{Name: "OR of the rare phrase", Text: rare.first + " OR " + rare.second, Expected: -1},
	}, nil
}
