package main

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/firnlog/firn"
)

// absentTokens is how many tokens that no row holds the bloom filters are asked for.
const absentTokens = 9000

// digest is what the sections need to know about a lake's tokens. The census itself is dropped: it would weigh on the garbage collector
// of what is measured.
type digest struct {
	rows     int64
	tokens   int64       // distinct, of all lengths
	frequent []frequency // words in more than 30 % of the rows, most frequent first
	absent   []string    // words, numbers and ids that no row holds
}

// digest returns the digest of a lake.
func (x *indexBench) digest(l loaded) (*digest, error) {
	if d := x.digests[l.Corpus]; d != nil {
		return d, nil
	}
	d := &digest{}
	err := x.withLake(l, func(lake *firn.Lake, table *firn.Table) error {
		c, err := takeCensus(x.bench, lake, table)
		if err != nil {
			return err
		}
		d.rows, d.tokens = c.rows, int64(len(c.tokens))
		for _, f := range slices.Backward(c.sorted) {
			if f.rows*10 <= c.rows*3 {
				break
			}
			if isWord(f.token) {
				d.frequent = append(d.frequent, *f)
			}
		}
		d.absent = makeAbsent(c, absentTokens, rand.New(rand.NewPCG(5, 1)))
		return nil
	})
	x.digests[l.Corpus] = d
	return d, err
}

// makeAbsent makes tokens that look like those of a corpus but are not in it: a third of them words, a third numbers, a third ids.
func makeAbsent(c *census, n int, r *rand.Rand) []string {
	words := c.some(isWord)
	var list []string
	seen := map[string]bool{}
	for tries := 0; len(list) < n && tries < 100*n; tries++ {
		var token string
		switch len(list) % 3 {
		case 0:
			token = otherWord(words, r)
		case 1:
			token = fmt.Sprint(1000 + r.Int64N(1_000_000_000))
		default:
			token = fmt.Sprintf("%0*x", []int{8, 16}[r.IntN(2)], r.Uint64())
			if r.IntN(3) == 0 {
				token += fmt.Sprintf("%016x", r.Uint64())
			}
		}
		if c.tokens[token] == nil && !seen[token] {
			seen[token] = true
			list = append(list, token)
		}
	}
	return list
}

// some returns the tokens that pass a test, in the order of the census.
func (c *census) some(test func(string) bool) []string {
	var list []string
	for _, f := range c.sorted {
		if test(f.token) {
			list = append(list, f.token)
		}
	}
	return list
}

// otherWord makes a word from the beginning of one word and the end of another.
func otherWord(words []string, r *rand.Rand) string {
	if len(words) == 0 {
		words = []string{"connection", "timeout"}
	}
	a, b := words[r.IntN(len(words))], words[r.IntN(len(words))]
	word := []byte(a[:len(a)/2+1] + b[len(b)/2:])
	word[r.IntN(len(word))] = 'a' + byte(r.IntN(26))
	return string(word)
}
