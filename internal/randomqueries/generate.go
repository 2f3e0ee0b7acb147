// Package randomqueries asks lakes seeded random questions of all classes, and measures what each costs with indexes and without: a planner that chooses
// well never loses by having indexes. The same seed and Words give the same queries.
package randomqueries

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/query"
)

// Query is one question.
type Query struct {
	Class   string       // what kind of condition it has, for reports
	Request firn.Request // NoIndex is not set
	Count   bool         // only the number of rows is asked for
}

// String describes the query for people.
func (q Query) String() string {
	window := ""
	if !q.Request.From.IsZero() || !q.Request.To.IsZero() {
		window = fmt.Sprintf(" [%s, %s)", q.Request.From.Format(time.RFC3339), q.Request.To.Format(time.RFC3339))
	}
	return fmt.Sprintf("%s: %s%s limit %d, %s, columns %v, count %v", q.Class, q.Request.Predicate, window, q.Request.Limit, q.Request.Order,
		q.Request.Columns, q.Count)
}

// message is the column that is searched most.
func message() query.Column { return firn.Col("log_msg") }

// generator makes queries about Words.
type generator struct {
	rand  *rand.Rand
	words *Words
}

// Generate returns n queries. Classes take turns, so that each is there from about 30 queries on.
func Generate(seed uint64, n int, words *Words) []Query {
	g := &generator{rand: rand.New(rand.NewPCG(seed, 1)), words: words}
	queries := make([]Query, n)
	for i := range queries {
		class := classes[i%len(classes)]
		q := &queries[i]
		q.Class = class.name
		q.Request.Predicate = class.make(g)
		q.Request.Limit = []int{0, 1, 200, 200}[g.rand.IntN(4)]
		q.Request.Order = []query.Order{firn.NewestFirst, firn.NewestFirst, firn.OldestFirst}[g.rand.IntN(3)]
		q.Request.Columns = [][]string{nil, nil, {"_timestamp", "log_msg"}, {"_timestamp", "level"}}[g.rand.IntN(4)]
		q.Count = g.rand.IntN(4) == 0
		if g.rand.IntN(3) == 0 {
			g.window(&q.Request)
		}
	}
	return queries
}

// window restricts a request to some minutes, hours or a day.
func (g *generator) window(r *firn.Request) {
	whole := g.words.To.Sub(g.words.From)
	span := []time.Duration{10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}[g.rand.IntN(4)]
	r.From = g.words.From.Add(time.Duration(g.rand.Int64N(int64(max(whole, 1))))).Truncate(time.Second)
	r.To = r.From.Add(span)
	switch g.rand.IntN(6) {
	case 0:
		r.To = time.Time{}
	case 1:
		r.From = time.Time{}
	}
}

// class is a kind of condition.
type class struct {
	name string
	make func(g *generator) firn.Predicate
}

var classes = []class{
	{"needle", func(g *generator) firn.Predicate { return g.token(g.words.Needles) }},
	{"middle", func(g *generator) firn.Predicate { return g.token(g.words.Middle) }},
	{"frequent", func(g *generator) firn.Predicate { return g.token(g.words.Frequent) }},
	{"absent", func(g *generator) firn.Predicate { return g.absent() }},
	{"id", func(g *generator) firn.Predicate { return firn.HasToken{Column: message(), Text: g.pick(g.words.IDs)} }},
	{"number", func(g *generator) firn.Predicate { return g.token(g.words.Numbers) }},
	{"phrase", func(g *generator) firn.Predicate { return g.phrase(false) }},
	{"phrase of frequent words", func(g *generator) firn.Predicate { return g.phrase(true) }},
	{"and", func(g *generator) firn.Predicate { return firn.And{g.any(), g.any()} }},
	{"or", func(g *generator) firn.Predicate { return firn.Or{g.any(), g.any()} }},
	{"or with a part that no index knows", func(g *generator) firn.Predicate { return firn.Or{g.any(), g.unindexed()} }},
	{"and with a part that no index knows", func(g *generator) firn.Predicate { return firn.And{g.any(), g.unindexed()} }},
	{"not", func(g *generator) firn.Predicate { return firn.Not{X: g.any()} }},
	{"and not", func(g *generator) firn.Predicate { return firn.And{g.any(), firn.Not{X: g.any()}} }},
	{"mixed", func(g *generator) firn.Predicate {
		return firn.Or{firn.And{g.any(), g.any()}, firn.And{g.any(), firn.Not{X: firn.Or{g.any(), g.unindexed()}}}}
	}},
	{"level", func(g *generator) firn.Predicate {
		return firn.HasToken{Column: firn.Col("level"), Text: g.pick(g.words.Levels)}
	}},
	{"level and word", func(g *generator) firn.Predicate {
		return firn.And{firn.Equal{Column: firn.Col("level"), Value: g.pick(g.words.Levels)}, g.any()}
	}},
	{"regular expression", func(g *generator) firn.Predicate {
		return firn.Regexp{Column: message(), Expr: "[ =]" + g.pick(g.words.Middle) + g.pick([]string{`\W`, "[a-z]*", ".*[0-9]$", "( |$)"})}
	}},
	{"unindexed", func(g *generator) firn.Predicate { return g.unindexed() }},
	{"everything", func(*generator) firn.Predicate { return firn.All{} }},
	{"stop word", func(g *generator) firn.Predicate {
		return firn.HasToken{Column: message(), Text: g.pick([]string{"the", "of", "a", "7", "42"})}
	}},
}

func (g *generator) pick(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return list[g.rand.IntN(len(list))]
}

func (g *generator) token(list []string) firn.Predicate {
	return firn.HasToken{Column: message(), Text: g.pick(list)}
}

func (g *generator) absent() firn.Predicate {
	const letters = "bcdfghjklmnpqrstvwxz"
	var b strings.Builder
	for range 4 + g.rand.IntN(12) {
		b.WriteByte(letters[g.rand.IntN(len(letters))])
	}
	if g.rand.IntN(2) == 0 {
		fmt.Fprintf(&b, "%x", g.rand.Uint64())
	}
	return firn.HasToken{Column: message(), Text: b.String()}
}

// any is a condition on the tokens of a message.
func (g *generator) any() firn.Predicate {
	switch g.rand.IntN(8) {
	case 0, 1:
		return g.token(g.words.Needles)
	case 2, 3:
		return g.token(g.words.Middle)
	case 4, 5:
		return g.token(g.words.Frequent)
	case 6:
		return g.absent()
	}
	return g.phrase(g.rand.IntN(2) == 0)
}

// phrase is a piece of a message that is there, or frequent words.
func (g *generator) phrase(frequent bool) firn.Predicate {
	if frequent {
		return firn.Phrase{Column: message(), Text: g.pick(g.words.Frequent) + " " + g.pick(g.words.Frequent)}
	}
	return firn.Phrase{Column: message(), Text: g.pick(g.words.Phrases)}
}

// unindexed is a condition that no token index knows.
func (g *generator) unindexed() firn.Predicate {
	word := g.pick(g.words.Middle)
	switch g.rand.IntN(6) {
	case 5:
		return firn.TokenPrefix{Column: message(), Text: string([]rune(word)[:min(3, utf8.RuneCountInString(word))])}
	case 0:
		return firn.Contains{Column: message(), Text: word[:max(1, len(word)/2)]}
	case 1:
		return firn.Prefix{Column: firn.Col("host"), Text: "host-0"}
	case 2:
		return firn.Equal{Column: firn.Attr("status"), Value: g.pick([]string{"200", "404", "500"})}
	case 3:
		return firn.Compare{Column: firn.Attr("line"), Op: ">", Value: 100 + g.rand.IntN(300)}
	}
	return firn.IsNull{Column: firn.Col("host")}
}
