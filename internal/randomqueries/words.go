package randomqueries

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/index/analyzer"
)

// Words are what a table's messages hold, by how many rows hold it.
type Words struct {
	Needles  []string // in up to 3 rows
	Middle   []string // in more, and in at most 3 % of the rows
	Frequent []string // in more than 15 % of the rows
	Numbers  []string // only digits
	IDs      []string // several tokens with digits
	Phrases  []string // two or three tokens that stand next to each other
	Levels   []string
	From, To time.Time // of the rows
}

// mostWords is how many of each kind are kept.
const mostWords = 400

// WordsOf reads the messages of a table, without its indexes.
func WordsOf(ctx context.Context, lake *firn.Lake, table *firn.Table) (*Words, error) {
	scan, err := lake.Plan(ctx, table, firn.Request{NoIndex: true, Order: firn.OldestFirst, Columns: []string{"_timestamp", "log_msg", "level"}})
	if err != nil {
		return nil, err
	}
	words, counts, levels, rows := &Words{}, map[string]int{}, map[string]bool{}, 0
	for row, err := range scan.Rows(ctx) {
		if err != nil {
			return nil, err
		}
		if rows == 0 {
			words.From = row.Time()
		}
		words.To = row.Time()
		rows++
		if level := row.Text("level"); level != "" {
			levels[level] = true
		}
		words.add(counts, row.Text("log_msg"), rows)
	}
	words.Levels = slices.Sorted(maps.Keys(levels))
	for _, token := range slices.Sorted(maps.Keys(counts)) {
		words.sort(token, counts[token], rows)
	}
	for _, list := range []*[]string{&words.Needles, &words.Middle, &words.Numbers} {
		*list = thin(*list)
	}
	return words, nil
}

// add counts the tokens of a message, and takes phrases and ids of some.
func (w *Words) add(counts map[string]int, text string, row int) {
	tokens := analyzer.Split(text)
	seen := make(map[string]bool, len(tokens))
	for _, token := range tokens {
		if !seen[token] {
			seen[token] = true
			counts[token]++
		}
	}
	const every = 97
	if row%every != 0 || len(tokens) < 3 {
		return
	}
	if at := row / every % (len(tokens) - 2); len(w.Phrases) < mostWords {
		w.Phrases = append(w.Phrases, strings.Join(tokens[at:at+2+row%2], " "))
	}
	for _, field := range strings.Fields(text) {
		if len(w.IDs) < mostWords && len(field) < 80 && len(analyzer.Split(field)) > 2 && strings.ContainsAny(field, "0123456789") {
			w.IDs = append(w.IDs, field)
			return
		}
	}
}

func (w *Words) sort(token string, count, rows int) {
	if strings.Trim(token, "0123456789") == "" {
		w.Numbers = append(w.Numbers, token)
	}
	switch {
	case count <= 3:
		w.Needles = append(w.Needles, token)
	case count*100 <= rows*3:
		w.Middle = append(w.Middle, token)
	case count*100 > rows*15:
		w.Frequent = append(w.Frequent, token)
	}
}

// thin keeps some, evenly.
func thin(list []string) []string {
	if len(list) <= mostWords {
		return list
	}
	kept := make([]string, mostWords)
	for i := range kept {
		kept[i] = list[i*len(list)/mostWords]
	}
	return kept
}
