package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/query"
)

// messageColumn is the column of the text that is searched.
const messageColumn = firn.ColumnMessage

// Rows that the chosen words are in, about.
const (
	needleRows = 3
	mediumRows = 2600

	literalLetters = 6 // of the literals of regular expressions
)

// question is one question with the ways in which it is asked.
type question struct {
	name     string
	text     string
	expected int64 // rows that match, counted without the engine; -1: not counted
	ways     []way
}

// way is how a question is asked, and how long it may take.
type way struct {
	what   string
	target float64 // milliseconds
	counts bool    // the answer's rows are all that match
	ask    func(*queryBench) (asked, error)
}

// asked is what asking once gave.
type asked struct {
	rows    int64
	stats   firn.Stats
	explain func() string
}

// scanQuestion is what all messages are gone through for.
type scanQuestion struct {
	text         string
	messageBytes int64
	regexps      []regexpQuestion
}

// regexpQuestion is a regular expression that requires a literal.
type regexpQuestion struct{ literal, expr string }

// pick chooses the questions from what the table holds: by how many rows a word is in, never by name.
func (q *queryBench) pick() (list []question, scan scanQuestion, err error) {
	c, err := takeCensus(q.bench, q.lake, q.table)
	if err != nil {
		return nil, scan, err
	}
	needle, medium := c.pick(needleRows, isID), c.pick(mediumRows, isWord)
	frequent := c.pick(c.rows*3/10, func(t string) bool { return isWord(t) && c.tokens[t].rows*4 > c.rows })
	phrases, err := q.pickPhrases(c, q.lake, q.table)
	if err != nil {
		return nil, scan, err
	}
	other, both, err := q.pickPartner(c, medium)
	if err != nil {
		return nil, scan, err
	}
	absent := "zzabsentzz"
	for c.tokens[absent] != nil {
		absent += "z"
	}
	seen := time.UnixMicro(needle.first).UTC()
	word := func(f *frequency) firn.Predicate {
		return firn.HasToken{Column: firn.Col(messageColumn), Text: f.token}
	}
	window := firn.Request{Predicate: word(needle), From: seen.Add(-5 * time.Minute), To: seen.Add(5 * time.Minute)}
	list = []question{
		{"needle (an id)", needle.token, needle.rows, []way{
			{"count", 1, true, countOf(word(needle))}, {"all columns", 5, false, newest(firn.Request{Predicate: word(needle)}, 0)}}},
		{"medium word", medium.token, medium.rows, []way{
			{"count", 3, true, countOf(word(medium))}, {"newest 200", 15, false, newest(firn.Request{Predicate: word(medium)}, fetchRows)}}},
	}
	if len(phrases) > 0 {
		p, err := firn.Parse(phrases[0].Text)
		if err != nil {
			return nil, scan, err
		}
		list = append(list, question{"phrase of frequent words", phrases[0].Text, phrases[0].Expected, []way{
			{"count", 20, true, countOf(p)}, {"newest 200", 20, false, newest(firn.Request{Predicate: p}, fetchRows)}}})
	}
	and := firn.And{word(medium), word(other)}
	list = append(list,
		question{"two medium words", medium.token + " AND " + other.token, both, []way{
			{"count", 2, true, countOf(and)}, {"first 200", 10, false, newest(firn.Request{Predicate: and}, fetchRows)}}},
		question{"frequent word", frequent.token, frequent.rows, []way{
			{"count", 5, true, countOf(word(frequent))}, {"newest 200", 10, false, newest(firn.Request{Predicate: word(frequent)}, fetchRows)}}},
		question{"needle in 10 minutes", needle.token + ", " + window.From.Format(time.RFC3339) + " +10m", -1, []way{
			{"all columns", 1, false, newest(window, fetchRows)}}},
		question{"nowhere", absent, 0, []way{
			{"count", 1, true, countOf(firn.HasToken{Column: firn.Col(messageColumn), Text: absent})},
			{"newest 200", 1, false, newest(firn.Request{Predicate: firn.HasToken{Column: firn.Col(messageColumn), Text: absent}}, fetchRows)}}},
		question{"histogram by hour, medium word", medium.token, -1, []way{{"groups", 10, false, groupsOf(word(medium), query.Group{
			Column: firn.Col(firn.ColumnTimestamp), Every: query.Interval{Count: 1, Unit: query.Hour}})}}},
		question{"by level, frequent word", frequent.token, -1, []way{{"groups", 60, false, groupsOf(word(frequent), query.Group{Column: firn.Col("level")})}}},
	)
	long := func(t string) bool { return isWord(t) && len(t) > literalLetters }
	scan, err = q.pickScan(c, c.pick(mediumRows, long), c.pick(c.rows*3/10, long))
	return list, scan, err
}

// pickPartner chooses another word of medium frequency that is in some rows of a word, but not in all, and counts the rows with both.
func (q *queryBench) pickPartner(c *census, word *frequency) (*frequency, int64, error) {
	type partner struct{ both, last int64 }
	with := map[string]*partner{}
	var scanner analyzer.Scanner
	err := messages(q.bench, q.lake, q.table, func(row, _ int64, message string) {
		tokens := map[string]bool{}
		scanner.Reset([]byte(message))
		for token, ok := scanner.Next(); ok; token, ok = scanner.Next() {
			tokens[string(token)] = true
			if len(tokens) > 1000 {
				break
			}
		}
		if !tokens[word.token] {
			return
		}
		for t := range tokens {
			f := c.tokens[t]
			if f == word || f.rows < mediumRows/4 || f.rows > 10*mediumRows {
				continue
			}
			if with[t] == nil {
				with[t] = &partner{last: -1}
			}
			if p := with[t]; p.last != row {
				p.both, p.last = p.both+1, row
			}
		}
	})
	var best *frequency
	for _, f := range c.sorted {
		p := with[f.token]
		if p == nil || 10*p.both > 9*word.rows {
			continue
		}
		if best == nil || p.both > with[best.token].both {
			best = f
		}
	}
	if best == nil {
		return c.pick(3*mediumRows, func(t string) bool { return isWord(t) && t != word.token }), -1, err
	}
	return best, with[best.token].both, err
}

// pickScan chooses a text from within an id, so that no index of tokens knows it, and regular expressions around six letters from within words.
func (q *queryBench) pickScan(c *census, words ...*frequency) (s scanQuestion, err error) {
	id := c.pick(needleRows, func(t string) bool { return isID(t) && len(t) >= 16 })
	s.text = id.token[3 : len(id.token)-3]
	err = messages(q.bench, q.lake, q.table, func(_, _ int64, message string) { s.messageBytes += int64(len(message)) })
	for _, w := range words {
		if len(w.token) > literalLetters {
			literal := w.token[:literalLetters]
			s.regexps = append(s.regexps, regexpQuestion{literal, literal + `[a-z]*[^a-z0-9]+[a-z0-9]`})
		}
	}
	if long := c.pick(mediumRows*20, func(t string) bool { return isWord(t) && len(t) >= literalLetters+2 }); len(long.token) >= literalLetters+2 {
		literal := long.token[1 : 1+literalLetters]
		s.regexps = append(s.regexps, regexpQuestion{literal, `[a-z]` + literal + `[a-z]+`})
	}
	slices.SortFunc(s.regexps, func(a, b regexpQuestion) int { return strings.Compare(a.literal, b.literal) })
	s.regexps = slices.Compact(s.regexps)
	return s, err
}

// countOf counts the rows that match.
func countOf(p firn.Predicate) func(*queryBench) (asked, error) {
	return func(q *queryBench) (a asked, err error) {
		scan, err := q.lake.Plan(q.ctx, q.table, firn.Request{Predicate: p})
		if err != nil {
			return a, err
		}
		a.rows, err = scan.Count(q.ctx)
		a.stats, a.explain = scan.Stats(), scan.Explain
		return a, err
	}
}

// newest fetches the newest rows with all columns, as the program would print them; limit 0: all.
func newest(r firn.Request, limit int) func(*queryBench) (asked, error) {
	r.Limit = limit
	return func(q *queryBench) (a asked, err error) {
		scan, err := q.lake.Plan(q.ctx, q.table, r)
		if err != nil {
			return a, err
		}
		var text []byte
		for row, err := range scan.Rows(q.ctx) {
			if err != nil {
				return a, err
			}
			text = row.AppendJSON(text[:0])
			a.rows++
		}
		if a.rows == 0 && limit == 0 {
			return a, fmt.Errorf("no row matches %s", r.Predicate)
		}
		a.stats, a.explain = scan.Stats(), scan.Explain
		return a, nil
	}
}

// groupsOf counts rows by groups.
func groupsOf(p firn.Predicate, by query.Group) func(*queryBench) (asked, error) {
	return func(q *queryBench) (a asked, err error) {
		answer, err := q.lake.Query(q.ctx, q.table, query.Query{
			Where: p, GroupBy: []query.Group{by}, Aggregates: []query.Aggregate{{Function: query.FuncCount}},
		}, query.AskOptions{})
		if err != nil {
			return a, err
		}
		for _, err := range answer.Rows(q.ctx) {
			if err != nil {
				return a, err
			}
			a.rows++
		}
		a.stats, a.explain = answer.Stats(), answer.Scan().Explain
		return a, nil
	}
}
