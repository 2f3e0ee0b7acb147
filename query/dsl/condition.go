package dsl

import (
	"maps"
	"slices"
	"strings"

	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/query"
)

// queries are the readers of the kinds of conditions. It is a function, as they call each other.
func queries() map[string]func(*reader, node) query.Predicate {
	return map[string]func(*reader, node) query.Predicate{
		"bool": (*reader).boolean, "term": (*reader).term, "terms": (*reader).terms, "match": (*reader).match, "match_phrase": (*reader).matchPhrase,
		"match_all": (*reader).matchAll, "match_none": (*reader).matchNone, "range": (*reader).rangeOf, "exists": (*reader).exists, "prefix": (*reader).prefix,
		"wildcard": (*reader).wildcard, "regexp": (*reader).regexp, "query_string": (*reader).queryString, "constant_score": (*reader).constantScore,
	}
}

// instead are the kinds of conditions that are not run, with what to write.
var instead = map[string]string{
	"fuzzy": "there is no fuzzy search; write a prefix, wildcard or regexp", "match_phrase_prefix": "write match_phrase, or a prefix for the last word",
	"match_bool_prefix": "write a bool with match and prefix",
	"multi_match":       "write a bool with should, and a match for each field", "combined_fields": "write a bool with should",
	"simple_query_string": "write query_string, or a bool", "ids": "rows have no ids; write terms of a field", "terms_set": "write a bool with should",
	"nested": "fields of a JSON text are asked by their path: log_msg$.user.id", "geo_distance": "there are no places", "geo_bounding_box": "there are no places",
	"script": "there are no scripts", "script_score": "there are no scripts, and rows have no score",
	"function_score": "rows have no score", "boosting": "rows have no score; write a bool",
	"dis_max": "rows have no score; write a bool with should", "more_like_this": "write match",
	"span_near": "write match_phrase", "intervals": "write match_phrase",
	"type": "a table holds one type", "percolate": "questions are not stored", "knn": "there are no vectors", "semantic": "there are no vectors",
}

// noScore are keys that only change scores, or how a condition is run.
var noScore = map[string]string{
	"boost": "rows have no score", "_name": "conditions have no names", "rewrite": "the plan is made by firn", "fuzziness": "there is no fuzzy search",
	"analyzer": "the analyzer is that of the table", "case_insensitive": "write a regular expression with (?i) in query_string",
	"minimum_should_match": "write a bool with should",
	"zero_terms_query":     "a text has a token, or is refused", "lenient": "values must fit their columns", "max_expansions": "all are found",
}

// condition reads one object with one key: the kind of condition.
func (r *reader) condition(n node) query.Predicate {
	key, value := r.single(n, `an object with one key, the kind of the condition: {"term": …}`)
	if r.err != nil {
		return nil
	}
	known := queries()
	if read, ok := known[key]; ok {
		return read(r, value)
	}
	hint, ok := instead[key]
	if !ok {
		hint = "expected " + oneOf(slices.Sorted(maps.Keys(known)))
	}
	r.failf(value, "firn does not run %s: %s", key, hint)
	return nil
}

func (r *reader) conditions(n node) []query.Predicate {
	elements := []node{n}
	if n.kind == listKind {
		elements = n.list
	}
	list := make([]query.Predicate, len(elements))
	for i, e := range elements {
		list[i] = r.condition(e)
	}
	return list
}

// boolean reads bool, its parts in the order in which they are written.
func (r *reader) boolean(n node) query.Predicate {
	r.onlyKeys(n, []string{"must", "filter", "should", "must_not", "minimum_should_match"}, noScore)
	_, must := n.get("must")
	_, filter := n.get("filter")
	atLeast, given := n.get("minimum_should_match")
	if given && atLeast.text != "0" && atLeast.text != "1" {
		r.failf(atLeast, "expected 0 or 1")
	}
	var and query.And
	for _, f := range n.fields {
		switch f.key {
		case "must", "filter":
			and = append(and, r.conditions(f.value)...)
		case "must_not":
			for _, x := range r.conditions(f.value) {
				and = append(and, query.Not{X: x})
			}
		case "should":
			or := query.Or(r.conditions(f.value))
			switch {
			case !given && (must || filter):
				r.failf(f.value, "beside must or filter this only changes scores, which rows have not: "+
					"write \"minimum_should_match\": 1 if one of these must be true, or leave them out")
			case len(or) == 0 && given && atLeast.text == "1":
				r.failf(f.value, "one of these must be true, and there are none")
			case len(or) > 0 && atLeast.text != "0":
				and = append(and, or)
			}
		}
	}
	return and
}

func (r *reader) matchAll(n node) query.Predicate {
	r.onlyKeys(n, nil, noScore)
	return query.All{}
}

func (r *reader) matchNone(n node) query.Predicate {
	r.onlyKeys(n, nil, noScore)
	return query.Not{X: query.All{}}
}

func (r *reader) constantScore(n node) query.Predicate {
	r.onlyKeys(n, []string{"filter"}, noScore)
	filter, ok := n.get("filter")
	if !ok {
		r.failf(n, "expected filter")
		return nil
	}
	return r.condition(filter)
}

// ofField reads {"field": value} or {"field": {"value": value, …}}. long is the key of the value in the second form, options are others.
func (r *reader) ofField(n node, long string, options ...string) (c query.Column, whole bool, value, object node) {
	name, value := r.single(n, `an object with one key, the name of a field`)
	if r.err != nil {
		return c, false, value, object
	}
	c, whole = r.column(name, value)
	if value.kind != objectKind {
		return c, whole, value, object
	}
	object = value
	r.onlyKeys(object, append([]string{long}, options...), noScore)
	value, ok := object.get(long)
	if !ok {
		r.failf(object, "expected %s", long)
	}
	return c, whole, value, object
}

// equal returns the condition that a column has a value: a token of log_msg, else the whole value.
func (r *reader) equal(c query.Column, whole bool, value node) query.Predicate {
	v := r.value(value)
	if of, isPattern := strings.CutPrefix(c.Name, patternField+"."); (isPattern || c.Name == patternField) && c.Key == "" && c.Path == "" {
		if c.Name == patternField {
			of = messageColumn
		}
		id, err := query.ParsePatternID(value.text)
		if err != nil {
			r.failf(value, "expected the id of a pattern: 16 hexadecimal digits, as firn patterns prints them")
		}
		return query.HasPattern{Column: query.Col(of), ID: id}
	}
	if whole {
		return query.Equal{Column: c, Value: v}
	}
	r.tokens(value)
	return query.HasToken{Column: c, Text: value.text}
}

// tokens returns the words of a text that is searched; there must be one.
func (r *reader) tokens(n node) []string {
	tokens := analyzer.Split(n.text)
	if len(tokens) == 0 {
		r.failf(n, "there is no letter, digit or _ in %s, so there is no token to look for; write query_string with ~\"text\" for any characters", readable(n))
	}
	return tokens
}

func (r *reader) term(n node) query.Predicate {
	c, whole, value, _ := r.ofField(n, "value")
	if r.err != nil {
		return nil
	}
	return r.equal(c, whole, value)
}

func (r *reader) terms(n node) query.Predicate {
	c, whole, value, _ := r.ofField(n, "terms")
	switch {
	case r.err != nil:
		return nil
	case value.kind != listKind:
		r.fail(value.expected("a list of values"))
		return nil
	}
	in := query.In{Column: c}
	var or query.Or
	for _, e := range value.list {
		p := r.equal(c, whole, e)
		or = append(or, p)
		if equal, ok := p.(query.Equal); ok {
			in.Values = append(in.Values, equal.Value)
		}
	}
	if len(in.Values) == len(or) {
		return in
	}
	return or
}

// match reads a condition on the words of log_msg, or on the whole value of another column.
func (r *reader) match(n node) query.Predicate {
	c, whole, value, object := r.ofField(n, "query", "operator")
	operator, _ := object.get("operator")
	all := strings.EqualFold(operator.text, "and")
	switch {
	case r.err != nil:
		return nil
	case operator.kind != nullKind && !all && !strings.EqualFold(operator.text, "or"):
		r.failf(operator, `expected "and" or "or"`)
		return nil
	case whole || c.Name == patternField:
		return r.equal(c, whole, value)
	}
	r.value(value)
	var list []query.Predicate
	for _, token := range r.tokens(value) {
		list = append(list, query.HasToken{Column: c, Text: token})
	}
	if all {
		return query.And(list)
	}
	return query.Or(list)
}

func (r *reader) matchPhrase(n node) query.Predicate {
	c, _, value, object := r.ofField(n, "query", "slop")
	if slop, ok := object.get("slop"); ok && slop.text != "0" {
		r.failf(slop, "expected 0: the words of a phrase stand next to each other")
	}
	if r.err != nil {
		return nil
	}
	r.value(value)
	r.tokens(value)
	return query.Phrase{Column: c, Text: value.text}
}

func (r *reader) exists(n node) query.Predicate {
	r.onlyKeys(n, []string{"field"}, noScore)
	value, ok := n.get("field")
	if !ok {
		r.failf(n, "expected field")
		return nil
	}
	c, _ := r.column(r.text(value), value)
	return query.Not{X: query.IsNull{Column: c}}
}

// queryString reads search text. Elasticsearch joins its words by OR unless it is told otherwise, firn by AND: this has to be said.
func (r *reader) queryString(n node) query.Predicate {
	r.onlyKeys(n, []string{"query", "default_operator", "default_field"}, noScore)
	value, ok := n.get("query")
	if !ok {
		r.failf(n, "expected query")
		return nil
	}
	operator, _ := n.get("default_operator")
	if !strings.EqualFold(operator.text, "and") {
		r.failf(n, `the query is read as firn's search text, whose words are joined by AND: `+
			`write "default_operator": "AND", and OR between the words where it is meant`)
	}
	if f, ok := n.get("default_field"); ok && f.text != messageColumn {
		r.failf(f, "expected log_msg; other fields are named in the query: host:web")
	}
	p, err := query.Parse(r.text(value))
	if err != nil {
		r.failf(value, "%s", err)
	}
	return p
}
