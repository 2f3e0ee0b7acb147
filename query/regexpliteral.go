package query

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/firnlog/firn/index/analyzer"
)

// What a regular expression demands of the texts that it matches: literals, of which one of each group must be there. They are read off its syntax tree, as code
// search engines do it (Russ Cox, Regular Expression Matching with a Trigram Index, 2012), but as whole literals, because firn looks up words.

// Bounds of what is tried.
const (
	mostExact      = 16  // texts that a part of an expression may be exactly
	mostAlternate  = 64  // literals in a group
	mostClassRunes = 8   // characters of a class that are tried one by one
	mostEdgeRunes  = 512 // characters of a class that may all be no part of words
	mostLiteral    = 200 // bytes of a literal
)

// literal is a text that stands in what a regular expression matches.
type literal struct {
	text     string
	fold     bool // in any case; then text is ASCII
	from, to bool // no character of a word stands before it, behind it
}

// literals are what is known of a part of a regular expression.
type literals struct {
	exact  []literal   // it matches one of these texts and nothing else; nil: that is not known
	groups [][]literal // of each group, one is in whatever it matches
	edge   bool        // what it matches begins and ends with a character that is no part of a word, or is empty where such a character or an end of the text is
}

// requiredLiterals returns the groups of literals of which one each must be in a text that matches, and whether being there is also enough.
func requiredLiterals(tree *syntax.Regexp) (groups [][]literal, enough bool) {
	l := literalsOf(tree)
	if l.exact != nil {
		return groupOf(l.exact), !slices.ContainsFunc(l.exact, func(l literal) bool { return l.text == "" })
	}
	return l.groups, false
}

// groupOf returns a group of literals, unless one is empty.
func groupOf(list []literal) [][]literal {
	if len(list) == 0 || slices.ContainsFunc(list, func(l literal) bool { return l.text == "" }) {
		return nil
	}
	return [][]literal{list}
}

func literalsOf(re *syntax.Regexp) literals {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return literals{exact: []literal{{}}}
	case syntax.OpLiteral:
		return literalsOfText(re)
	case syntax.OpCharClass:
		return literalsOfClass(re)
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText:
		return literals{edge: true}
	case syntax.OpCapture:
		return literalsOf(re.Sub[0])
	case syntax.OpConcat:
		return concatenated(re.Sub)
	case syntax.OpAlternate:
		return alternated(re.Sub)
	case syntax.OpQuest:
		return alternated([]*syntax.Regexp{re.Sub[0], {Op: syntax.OpEmptyMatch}})
	case syntax.OpPlus:
		return repeated(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 && re.Min == re.Max && re.Min <= mostClassRunes {
			return concatenated(slices.Repeat(re.Sub, re.Min))
		}
		if re.Min > 0 {
			return repeated(re.Sub[0])
		}
	}
	return literals{}
}

// repeated returns what is known if a part is there once or more.
func repeated(re *syntax.Regexp) literals {
	l := literalsOf(re)
	if l.exact != nil {
		l.groups, l.exact = groupOf(l.exact), nil
	}
	return l
}

// literalsOfText returns a literal, or the pieces of one between characters whose bytes are not certain.
func literalsOfText(re *syntax.Regexp) literals {
	fold := re.Flags&syntax.FoldCase != 0
	run := newConcatenation()
	for _, r := range re.Rune {
		folds := fold && unicode.SimpleFold(r) != r
		switch {
		case r == utf8.RuneError, folds && r >= utf8.RuneSelf: // an invalid byte; other characters fold to it
			run.add(literals{})
		case folds:
			run.add(literals{exact: []literal{{text: string(unicode.ToLower(r)), fold: true}}})
		default:
			run.add(literals{exact: []literal{{text: string(r)}}})
		}
	}
	return run.end()
}

// literalsOfClass returns the characters of a small class, or whether none of them is part of a word.
func literalsOfClass(re *syntax.Regexp) (l literals) {
	count := 0
	for i := 0; i < len(re.Rune); i += 2 {
		count += int(re.Rune[i+1]-re.Rune[i]) + 1
	}
	if count == 0 || count > mostEdgeRunes {
		return literals{}
	}
	l.edge = count > 1
	for i := 0; i < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if r == utf8.RuneError {
				return literals{} // any invalid byte
			}
			l.edge = l.edge && !isWordRune(r)
			if count <= mostClassRunes {
				l.exact = append(l.exact, literal{text: string(r)})
			}
		}
	}
	if l.edge {
		l.exact = nil // which separator it is does not matter to words
	}
	return l
}

// alternated returns what is known if one of several parts is there.
func alternated(list []*syntax.Regexp) literals {
	all := literals{exact: []literal{}, edge: true}
	var group []literal
	for i, re := range list {
		l := literalsOf(re)
		all.edge = all.edge && l.edge
		groups := l.groups
		if l.exact != nil {
			groups = groupOf(l.exact)
		}
		if l.exact == nil || all.exact == nil || len(all.exact)+len(l.exact) > mostExact {
			all.exact = nil
		} else {
			all.exact = append(all.exact, l.exact...)
		}
		switch {
		case len(groups) == 0, i > 0 && group == nil:
			group = nil
		default:
			group = append(group, bestGroup(groups)...)
		}
	}
	if all.exact == nil && len(group) > 0 && len(group) <= mostAlternate {
		all.groups = [][]literal{group}
	}
	return all
}

// concatenated returns what is known if several parts follow each other.
func concatenated(list []*syntax.Regexp) literals {
	run := newConcatenation()
	for _, re := range list {
		run.add(literalsOf(re))
	}
	return run.end()
}

// concatenation joins what is known of parts that follow each other.
type concatenation struct {
	run    []literal // exactly one of these stands where the run began
	broken bool      // the run is not all
	groups [][]literal
}

func newConcatenation() *concatenation { return &concatenation{run: []literal{{}}} }

func (c *concatenation) add(l literals) {
	if l.exact == nil {
		c.flush(l.edge)
		c.groups = append(c.groups, l.groups...)
		c.run = []literal{{from: l.edge}}
		return
	}
	joined := make([]literal, 0, len(c.run)*len(l.exact))
	for _, a := range c.run {
		for _, b := range l.exact {
			both, ok := a.join(b)
			if !ok || len(joined) == mostExact {
				c.flush(false)
				c.run = l.exact
				return
			}
			joined = append(joined, both)
		}
	}
	c.run = joined
}

// flush ends a run.
func (c *concatenation) flush(edge bool) {
	ended := slices.Clone(c.run)
	for i := range ended {
		ended[i].to = edge
	}
	c.groups, c.broken = append(c.groups, groupOf(ended)...), true
}

func (c *concatenation) end() literals {
	if !c.broken {
		return literals{exact: c.run}
	}
	c.flush(false)
	return literals{groups: c.groups}
}

// join returns a followed by b, if that can be said as one literal.
func (a literal) join(b literal) (literal, bool) {
	both := literal{text: a.text + b.text, fold: a.fold || b.fold, from: a.from}
	if both.fold {
		if !isASCII(both.text) {
			return literal{}, false
		}
		both.text = strings.ToLower(both.text)
	}
	return both, len(both.text) <= mostLiteral
}

// bestGroup returns the group that probably stands in the fewest texts: of the longest literals.
func bestGroup(groups [][]literal) []literal {
	best, most := groups[0], 0
	for _, g := range groups {
		least := mostLiteral
		for _, l := range g {
			least = min(least, len(l.text))
		}
		if least > most || least == most && len(g) < len(best) {
			best, most = g, least
		}
	}
	return best
}

// tokens returns the distinct tokens that every text holds which contains the literal.
func (a literal) tokens() []string {
	text := a.text
	if !a.from {
		text = strings.TrimLeftFunc(text, isWordRune)
	}
	if !a.to {
		text = strings.TrimRightFunc(text, isWordRune)
	}
	return distinct(analyzer.Split(text))
}

// evidenceOf returns sets of tokens; a text that has a literal of each group has all tokens of at least one set. nil: no token is certain.
func evidenceOf(groups [][]literal) [][]string {
	var common []string
	var sets [][]string
	for _, g := range groups {
		if len(g) == 1 {
			common = append(common, g[0].tokens()...)
			continue
		}
		each := make([][]string, len(g))
		complete := true
		for i, l := range g {
			each[i] = l.tokens()
			complete = complete && len(each[i]) > 0
		}
		if complete && (sets == nil || len(each) < len(sets)) {
			sets = each
		}
	}
	switch {
	case sets == nil && len(common) == 0:
		return nil
	case sets == nil:
		return [][]string{distinct(common)}
	}
	for i, set := range sets {
		sets[i] = distinct(append(common[:len(common):len(common)], set...))
	}
	return sets
}
