package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/query"
)

// randomQuery is a query that compares using indexes with not using them.
type randomQuery struct {
	Class   string
	Request firn.Request
	Count   bool // else: rows are fetched
}

// String says what is asked, on one line.
func (q randomQuery) String() string {
	var b strings.Builder
	if q.Count {
		b.WriteString("count ")
	} else {
		fmt.Fprintf(&b, "fetch (limit %d, %v, %d columns) ", q.Request.Limit, q.Request.Order, len(q.Request.Columns))
	}
	b.WriteString(q.Request.Predicate.String())
	if !q.Request.From.IsZero() {
		fmt.Fprintf(&b, " [%s, +%v)", q.Request.From.Format(time.RFC3339), q.Request.To.Sub(q.Request.From).Round(time.Second))
	}
	return strings.ReplaceAll(b.String(), "\n", `\n`)
}

// queryMaker makes random queries from what a lake holds.
type queryMaker struct {
	r      *rand.Rand
	tokens []*frequency // by rows
	words  []*frequency
	rows   []firn.Row // a sample
	absent []string
	start  time.Time
	span   time.Duration
}

// sampleRows is about how many rows queries are made from.
const sampleRows = 2000

// newQueryMaker reads the lake once.
func newQueryMaker(b *bench, lake *firn.Lake, table *firn.Table, seed uint64) (*queryMaker, error) {
	c, err := takeCensus(b, lake, table)
	if err != nil {
		return nil, err
	}
	m := &queryMaker{r: rand.New(rand.NewPCG(seed, 7)), tokens: c.sorted, start: mixedStart, span: mixedSpan}
	for _, f := range c.sorted {
		if isWord(f.token) {
			m.words = append(m.words, f)
		}
	}
	if len(m.words) == 0 {
		m.words = c.sorted
	}
	m.absent = makeAbsent(c, 300, m.r)
	scan, err := lake.Plan(b.ctx, table, firn.Request{})
	if err != nil {
		return nil, err
	}
	every, i := max(c.rows/sampleRows, 1), int64(0)
	for row, err := range scan.Rows(b.ctx) {
		if err != nil {
			return nil, err
		}
		if i%every == 0 {
			m.rows = append(m.rows, row)
		}
		i++
	}
	return m, nil
}

// next makes a query: a predicate of some class, often with a time range, counted or fetched.
func (m *queryMaker) next() randomQuery {
	var q randomQuery
	q.Class, q.Request.Predicate = m.predicate()
	if m.r.IntN(3) == 0 {
		width := time.Duration(float64(m.span) * math.Exp(-9*m.r.Float64())) // half a minute to all
		q.Request.From = m.start.Add(time.Duration(m.r.Int64N(int64(m.span))))
		q.Request.To = q.Request.From.Add(width)
		q.Class += ", time"
	}
	if q.Count = m.r.IntN(2) == 0; q.Count {
		return q
	}
	q.Request.Order = []query.Order{firn.NewestFirst, firn.OldestFirst}[m.r.IntN(2)]
	q.Request.Limit = []int{0, 1, 20, 200, 1000}[m.r.IntN(5)]
	if q.Request.Limit == 0 || m.r.IntN(2) == 0 {
		q.Request.Columns = []string{firn.ColumnTimestamp, "log_msg"}
	}
	return q
}

// classes of predicates, and how they are made.
func (m *queryMaker) predicate() (string, firn.Predicate) {
	switch m.r.IntN(12) {
	case 0, 1:
		return "token", m.token(m.tokens)
	case 2, 3:
		return "word", m.token(m.words)
	case 4:
		return "absent", firn.HasToken{Column: firn.Col("log_msg"), Text: m.absent[m.r.IntN(len(m.absent))]}
	case 5:
		return "phrase", m.phrase()
	case 6:
		return "and", firn.And{m.leaf(), m.leaf()}
	case 7:
		return "or", firn.Or{m.leaf(), m.leaf(), m.leaf()}
	case 8:
		return "not", firn.Not{X: m.leaf()}
	case 9:
		return "and not", firn.And{m.leaf(), firn.Not{X: m.leaf()}}
	case 10:
		return "equal", m.equal()
	default:
		return "text", m.text()
	}
}

// leaf is any simple predicate.
func (m *queryMaker) leaf() firn.Predicate {
	switch m.r.IntN(6) {
	case 0, 1:
		return m.token(m.words)
	case 2:
		return m.token(m.tokens)
	case 3:
		return m.phrase()
	case 4:
		return m.equal()
	default:
		return m.text()
	}
}

// token asks for a token whose frequency is drawn on a logarithmic scale, so that rare and frequent ones are as likely.
func (m *queryMaker) token(list []*frequency) firn.Predicate {
	most := list[len(list)-1].rows
	want := int64(math.Exp(m.r.Float64() * math.Log(float64(most)+1)))
	i, _ := slices.BinarySearchFunc(list, want, func(f *frequency, n int64) int { return int(max(min(f.rows-n, 1), -1)) })
	j := i
	for j < len(list) && list[j].rows == list[min(i, len(list)-1)].rows {
		j++
	}
	f := list[min(i+m.r.IntN(max(j-i, 1)), len(list)-1)]
	return firn.HasToken{Column: firn.Col("log_msg"), Text: f.token}
}

// row is one row of the sample.
func (m *queryMaker) row() firn.Row { return m.rows[m.r.IntN(len(m.rows))] }

// phrase asks for two to five tokens of a message, next to each other.
func (m *queryMaker) phrase() firn.Predicate {
	var tokens []string
	var s analyzer.Scanner
	s.Reset([]byte(m.row().Text("log_msg")))
	for token, ok := s.Next(); ok && len(tokens) < 200; token, ok = s.Next() {
		tokens = append(tokens, string(token))
	}
	if len(tokens) < 2 {
		return m.token(m.words)
	}
	n := min(2+m.r.IntN(4), len(tokens))
	at := m.r.IntN(len(tokens) - n + 1)
	return firn.Phrase{Column: firn.Col("log_msg"), Text: strings.Join(tokens[at:at+n], " ")}
}

// equal asks for the value of a column or of a key of attrs.
func (m *queryMaker) equal() firn.Predicate {
	row := m.row()
	name := []string{"app_id", "level", "host", "trace_id"}[m.r.IntN(4)]
	if text := row.Text(name); text != "" && m.r.IntN(3) > 0 {
		return firn.Equal{Column: firn.Col(name), Value: text}
	}
	if entries, ok := row.Get("attrs").(query.Entries); ok && len(entries) > 0 {
		e := entries[m.r.IntN(len(entries))]
		return firn.Equal{Column: firn.Attr(e.Key), Value: e.Value}
	}
	return firn.IsNull{Column: firn.Col(name)}
}

// text asks for a part of a message.
func (m *queryMaker) text() firn.Predicate {
	message := []rune(m.row().Text("log_msg"))
	n := min(4+m.r.IntN(12), len(message))
	if m.r.IntN(2) == 0 {
		return firn.Prefix{Column: firn.Col("log_msg"), Text: string(message[:n])}
	}
	at := m.r.IntN(len(message) - n + 1)
	return firn.Contains{Column: firn.Col("log_msg"), Text: string(message[at : at+n])}
}
