package main

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/query"
)

// span is a part of a text, in bytes.
type span struct{ from, to int }

// finder finds what a condition matched in a text, and appends where.
type finder func(text string, spans []span) []span

// highlights knows what a predicate matches in which column or key of attrs.
type highlights struct {
	columns map[string][]finder
	keys    map[string][]finder // of attrs
}

// newHighlights collects what the conditions of a predicate match; those under a Not match nothing that is there. columns are the names of the table's.
func newHighlights(p query.Predicate, columns []string) *highlights {
	h := &highlights{columns: map[string][]finder{}, keys: map[string][]finder{}}
	h.collect(p, columns)
	return h
}

func (h *highlights) collect(p query.Predicate, columns []string) {
	switch p := p.(type) {
	case query.And:
		for _, x := range p {
			h.collect(x, columns)
		}
	case query.Or:
		for _, x := range p {
			h.collect(x, columns)
		}
	case query.HasToken:
		h.add(p.Column, columns, findTokens(p.Text, false))
	case query.Phrase:
		h.add(p.Column, columns, findTokens(p.Text, false))
	case query.TokenPrefix:
		h.add(p.Column, columns, findTokens(p.Text, true))
	case query.Contains:
		h.add(p.Column, columns, findText(p.Text))
	case query.Prefix:
		h.add(p.Column, columns, func(text string, spans []span) []span {
			if p.Text != "" && strings.HasPrefix(text, p.Text) {
				spans = append(spans, span{0, len(p.Text)})
			}
			return spans
		})
	case query.Regexp:
		if re, err := regexp.Compile(p.Expr); err == nil {
			h.add(p.Column, columns, findRegexp(re))
		}
	case query.Equal:
		h.addEqual(p.Column, columns, p.Value)
	case query.In:
		for _, v := range p.Values {
			h.addEqual(p.Column, columns, v)
		}
	}
}

// add notes a finder under the places that a column means.
func (h *highlights) add(c query.Column, columns []string, f finder) {
	switch {
	case f == nil || c.Path != "":
	case c.Key == "" && slices.Contains(columns, c.Name):
		h.columns[c.Name] = append(h.columns[c.Name], f)
	case c.Key == "": // a name that is no column means a key of attrs
		h.keys[c.Name] = append(h.keys[c.Name], f)
	default:
		h.keys[c.Key] = append(h.keys[c.Key], f)
		h.columns[c.Key] = append(h.columns[c.Key], f)
	}
}

func (h *highlights) addEqual(c query.Column, columns []string, value any) {
	if wanted, ok := value.(string); ok && wanted != "" {
		h.add(c, columns, func(text string, spans []span) []span {
			if text == wanted {
				spans = append(spans, span{0, len(text)})
			}
			return spans
		})
	}
}

// findText returns a finder of all places where a text stands.
func findText(wanted string) finder {
	if wanted == "" {
		return nil
	}
	return func(text string, spans []span) []span {
		for at := 0; ; {
			i := strings.Index(text[at:], wanted)
			if i < 0 {
				return spans
			}
			spans = append(spans, span{at + i, at + i + len(wanted)})
			at += i + len(wanted)
		}
	}
}

// findRegexp returns a finder of what an expression matches. An invalid byte is U+FFFD to it, as package regexp has it.
func findRegexp(re *regexp.Regexp) finder {
	return func(text string, spans []span) []span {
		for _, at := range re.FindAllStringIndex(text, -1) {
			if at[0] < at[1] {
				spans = append(spans, span{at[0], at[1]})
			}
		}
		return spans
	}
}

// findTokens returns a finder of the tokens of a text that stand next to each other; the last one may be the beginning of a token only.
func findTokens(wanted string, prefix bool) finder {
	tokens := analyzer.Split(wanted)
	if len(tokens) == 0 {
		return nil
	}
	last := len(tokens) - 1
	matches := func(i int, token string) bool {
		folded := analyzer.Fold(token)
		if prefix && i == last {
			return strings.HasPrefix(folded, tokens[i])
		}
		return folded == tokens[i]
	}
	return func(text string, spans []span) []span {
		var window []span // the latest tokens, as many as are wanted
		for at := nextToken(text, 0); at.from < len(text); at = nextToken(text, at.to) {
			if len(window) == len(tokens) {
				window = append(window[:0], window[1:]...)
			}
			if window = append(window, at); len(window) < len(tokens) {
				continue
			}
			found := true
			for i := 0; i < len(tokens) && found; i++ {
				found = matches(i, text[window[i].from:window[i].to])
			}
			if found {
				spans = append(spans, span{window[0].from, window[last].to})
			}
		}
		return spans
	}
}

// nextToken returns where the next token stands, by the rule of package analyzer; one that begins at the end of the text if there is none.
func nextToken(text string, at int) span {
	from := -1
	for at < len(text) {
		r, size := rune(text[at]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(text[at:])
		}
		inside := r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
		switch {
		case inside && from < 0:
			from = at
		case !inside && from >= 0:
			return span{from, at}
		}
		at += size
	}
	if from < 0 {
		from = at
	}
	return span{from, at}
}

// column returns what to highlight in the text of a column: parts that neither touch nor overlap, in order.
func (h *highlights) column(name, text string) []span { return spansOf(h.columns[name], text) }

// key returns what to highlight in the value of a key of attrs.
func (h *highlights) key(name, text string) []span { return spansOf(h.keys[name], text) }

func spansOf(finders []finder, text string) []span {
	var spans []span
	for _, f := range finders {
		spans = f(text, spans)
	}
	if len(spans) < 2 {
		return spans
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	joined := spans[:1]
	for _, s := range spans[1:] {
		if last := &joined[len(joined)-1]; s.from <= last.to {
			last.to = max(last.to, s.to)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}
