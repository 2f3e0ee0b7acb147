package oracle

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"sort"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Sample reads lines and returns a random share of at most n rows, in input order. limit bounds the lines read; 0: all.
func Sample(r io.Reader, m *Mapper, n int, limit int64, seed int64) ([]*Row, error) {
	rng := rand.New(rand.NewSource(seed))
	in := bufio.NewReaderSize(r, 1<<20)
	var kept [][]byte
	for count := 1; limit == 0 || int64(count) <= limit; count++ {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("sample line %d: %w", count, err)
		}
		if len(kept) < n {
			kept = append(kept, line)
		} else if i := rng.Intn(count); i < n {
			kept[i] = line
		}
		if err != nil {
			break
		}
	}
	var rows []*Row
	for _, line := range kept {
		if row, err := m.Map(line); err == nil {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// Generator makes random queries that have to do with a sample of rows. The same seed and rows give the same queries. It is not
// safe for concurrent use.
type Generator struct {
	rng      *rand.Rand
	mapper   *Mapper
	rows     []*Row
	classes  [3][]string // tokens of one row of the sample, of a few, of many
	digits   []string    // tokens with a digit
	foreign  []string    // tokens with a letter outside ASCII
	attrKeys []string
}

// NewGenerator makes a generator. It needs at least one row.
func NewGenerator(seed int64, m *Mapper, rows []*Row) *Generator {
	g := &Generator{rng: rand.New(rand.NewSource(seed)), mapper: m, rows: rows}
	message := m.index[MessageColumn]
	counts, keys := map[string]int{}, map[string]bool{}
	for _, row := range rows {
		seen := map[string]bool{}
		for _, token := range Tokens(row.Cells[message].Text) {
			if !seen[token] {
				seen[token] = true
				counts[token]++
			}
		}
		for _, a := range row.Attrs {
			if _, isColumn := m.index[a.Key]; !isColumn {
				keys[a.Key] = true
			}
		}
	}
	for token, n := range counts {
		class := 1
		if n == 1 {
			class = 0
		} else if n*20 > len(rows) {
			class = 2
		}
		g.classes[class] = append(g.classes[class], token)
		if strings.ContainsFunc(token, unicode.IsDigit) {
			g.digits = append(g.digits, token)
		}
		if strings.ContainsFunc(token, func(r rune) bool { return r >= utf8.RuneSelf }) {
			g.foreign = append(g.foreign, token)
		}
	}
	for key := range keys {
		g.attrKeys = append(g.attrKeys, key)
	}
	for _, list := range [][]string{g.classes[0], g.classes[1], g.classes[2], g.digits, g.foreign, g.attrKeys} {
		sort.Strings(list) // map order is not seeded
	}
	return g
}

// Text makes a query that the search text can say, and its text.
func (g *Generator) Text() (Query, string) {
	for {
		q := g.query(true)
		if text, ok := g.mapper.Text(q.Where); ok {
			return q, text
		}
	}
}

// Any makes a query that may use every predicate there is.
func (g *Generator) Any() Query { return g.query(false) }

func (g *Generator) query(textOnly bool) Query {
	q := Query{Where: g.tree(1+g.rng.Intn(3), textOnly)}
	switch g.rng.Intn(10) {
	case 0:
		q.From = g.moment()
	case 1:
		q.To = g.moment()
	case 2, 3:
		q.From, q.To = g.moment(), g.moment()
		if q.To.Before(q.From) {
			q.From, q.To = q.To, q.From
		}
	case 4: // around one row
		q.From = Time(g.row().Micros())
		q.To = q.From.Add([]time.Duration{time.Microsecond, time.Second, 10 * time.Minute, time.Hour}[g.rng.Intn(4)])
	}
	return q
}

// moment picks a time: that of a row, or close by, or midnight.
func (g *Generator) moment() time.Time {
	t := Time(g.row().Micros())
	switch g.rng.Intn(5) {
	case 0:
		return t.Add(time.Microsecond)
	case 1:
		return t.Truncate(24 * time.Hour)
	case 2:
		return t.Add(time.Duration(g.rng.Int63n(int64(2*time.Hour))) - time.Hour).Truncate(time.Microsecond)
	}
	return t
}

func (g *Generator) row() *Row { return g.rows[g.rng.Intn(len(g.rows))] }

func (g *Generator) tree(depth int, textOnly bool) *Node {
	if depth == 0 || g.rng.Intn(3) == 0 {
		return g.leaf(textOnly)
	}
	op := []Op{And, And, And, Or, Or, Not}[g.rng.Intn(6)]
	kids := 1
	if op != Not {
		kids = 2 + g.rng.Intn(2)
	}
	n := &Node{Op: op}
	for range kids {
		n.Kids = append(n.Kids, g.tree(depth-1, textOnly))
	}
	return n
}

// pick returns a random element, or the zero value of an empty list.
func pick[T any](g *Generator, list []T) T {
	var none T
	if len(list) == 0 {
		return none
	}
	return list[g.rng.Intn(len(list))]
}

// recase changes the case of some letters, through every rune that folds to the same.
func (g *Generator) recase(s string) string {
	if g.rng.Intn(3) > 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if g.rng.Intn(2) == 0 && unicode.IsLetter(r) {
			return unicode.SimpleFold(r)
		}
		return r
	}, s)
}
