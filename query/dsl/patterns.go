package dsl

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/query"
)

// onMessage refuses patterns that Elasticsearch would test on each token of log_msg, where firn has no such condition.
func (r *reader) onMessage(value node, what string) {
	r.failf(value, "on log_msg a %s would be tested on single tokens, which firn does only for beginnings (prefix); "+
		"write query_string with ~\"text\" or /expression/ to test the whole text, or log_msg.keyword", what)
}

// prefix reads the beginning of a token of log_msg, or of the whole value of another column.
func (r *reader) prefix(n node) query.Predicate {
	c, whole, value, _ := r.ofField(n, "value")
	if r.err != nil {
		return nil
	}
	text := r.text(value)
	if whole {
		return query.Prefix{Column: c, Text: text}
	}
	return r.tokenPrefix(c, text, value)
}

func (r *reader) tokenPrefix(c query.Column, text string, at node) query.Predicate {
	if tokens := analyzer.Split(text); len(tokens) != 1 || len(tokens[0]) != len(text) {
		r.failf(at, "expected the beginning of one token: letters, digits and _")
	}
	return query.TokenPrefix{Column: c, Text: text}
}

// wildcard reads * and ?, and a backslash that takes the next character literally.
func (r *reader) wildcard(n node) query.Predicate {
	long := "value"
	if len(n.fields) == 1 {
		if _, ok := n.fields[0].value.get("wildcard"); ok {
			long = "wildcard"
		}
	}
	c, whole, value, _ := r.ofField(n, long)
	if r.err != nil {
		return nil
	}
	var pieces query.Wildcards
	for rest := r.text(value); rest != ""; {
		c, size := utf8.DecodeRuneInString(rest)
		switch {
		case c == '*':
			pieces.AddAny(query.AnyText)
		case c == '?':
			pieces.AddAny(query.AnyCharacter)
		case c == '\\' && len(rest) > 1:
			rest = rest[1:]
			_, size = utf8.DecodeRuneInString(rest)
			pieces.Add(rest[:size])
		default:
			pieces.Add(rest[:size])
		}
		rest = rest[size:]
	}
	if whole {
		return pieces.Match(c, false)
	}
	switch {
	case len(pieces) == 1 && pieces[0].Any == query.AnyText:
		return pieces.Match(c, false)
	case len(pieces) == 1 && pieces[0].Any == 0:
		return r.equal(c, whole, value)
	case len(pieces) == 2 && pieces[0].Any == 0 && pieces[1].Any == query.AnyText:
		return r.tokenPrefix(c, pieces[0].Text, value)
	}
	r.onMessage(value, "wildcard")
	return nil
}

// lucene are characters that are operators in Elasticsearch's regular expressions and not in RE2's.
const lucene = `~@&#<>"`

// regexp reads a regular expression that the whole value must match.
func (r *reader) regexp(n node) query.Predicate {
	c, whole, value, object := r.ofField(n, "value", "flags")
	if flags, ok := object.get("flags"); ok && flags.text != "NONE" {
		r.failf(flags, "expected NONE: the syntax is that of RE2")
	}
	if r.err != nil {
		return nil
	}
	text := r.text(value)
	if !whole {
		r.onMessage(value, "regexp")
		return nil
	}
	if _, plain := object.get("flags"); !plain {
		if at := unescaped(text, lucene); at != "" {
			r.failf(value, `%s is an operator in Elasticsearch and a character here: write \%s, or "flags": "NONE"`, at, at)
		}
	}
	if _, err := regexp.Compile(text); err != nil {
		r.failf(value, "%s; the syntax is that of RE2", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return query.Regexp{Column: c, Expr: "^(?:" + text + ")$"}
}

// unescaped returns the first of these characters that no backslash stands before.
func unescaped(text, characters string) string {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case strings.IndexByte(characters, text[i]) >= 0:
			return text[i : i+1]
		}
	}
	return ""
}
