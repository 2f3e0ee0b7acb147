// Package dsl reads a question in the shape of Elasticsearch's query DSL into a query.Query: the JSON one of firn's languages.
//
//	{
//	  "query": {"bool": {"filter": [{"match_phrase": {"log_msg": "connection reset"}}, {"range": {"_timestamp": {"gte": "now-15m"}}}]}},
//	  "sort": [{"_timestamp": "desc"}],
//	  "size": 200
//	}
//
// docs/QUERY.md tells the language. What firn does not run is refused with a JSON pointer to its place, and what to write instead; no key is ignored.
package dsl

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/firnlog/firn/index/expression"
	"github.com/firnlog/firn/query"
)

// DefaultSize is how many rows a question without a size asks for, as in Elasticsearch.
const DefaultSize = 10

// Parse reads one question, a JSON object. Its Table is empty: the caller names it, as the address of a search does in Elasticsearch. The result is in
// normal form. Errors are of type *Error, or *query.SyntaxError if the text is no JSON.
func Parse(json []byte) (query.Query, error) {
	root, err := decode(json)
	if err != nil {
		return query.Query{}, err
	}
	r := &reader{}
	q := r.question(root)
	if r.err != nil {
		return query.Query{}, r.err
	}
	return q.Normalize(), nil
}

// reader translates nodes. The first error sticks.
type reader struct {
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) failf(n node, format string, args ...any) { r.fail(n.errorf(format, args...)) }

// topLevel are the keys of a question.
var topLevel = []string{"query", "sort", "size", "from", "_source", "fields", "aggs", "aggregations", "track_total_hits"}

// elsewhere are keys of a question that are said otherwise.
var elsewhere = map[string]string{
	"timeout": "limits are given beside the question", "terminate_after": "limits are given beside the question",
	"highlight":    "firn search --format pretty highlights",
	"search_after": "ask for the next rows by a range of _timestamp", "pit": "a table is read at one snapshot anyway", "post_filter": "write it into query",
	"explain": "firn explain tells", "profile": "firn explain --analyze tells", "knn": "there are no vectors", "collapse": "use a composite aggregation",
	"script_fields": "there are no scripts", "runtime_mappings": "there are no scripts", "docvalue_fields": "use fields", "stored_fields": "use fields",
	"min_score": "rows have no score", "track_scores": "rows have no score", "rescore": "rows have no score",
	"version": "rows have none", "suggest": "there are no suggestions",
}

// question reads the outermost object.
func (r *reader) question(n node) (q query.Query) {
	r.onlyKeys(n, topLevel, elsewhere)
	if from, ok := n.get("from"); ok && r.count(from) != 0 {
		r.failf(from, "expected 0: ask for the next rows by a range of _timestamp")
	}
	if condition, ok := n.get("query"); ok {
		q.Where = r.condition(condition)
	}
	size, hasSize := n.get("size")
	limit := DefaultSize
	if hasSize {
		limit = r.count(size)
	}
	aggs, hasAggs := n.get("aggs")
	if more, ok := n.get("aggregations"); ok {
		if hasAggs {
			r.failf(more, "this is said by aggs already")
		}
		aggs, hasAggs = more, true
	}
	total, hasTotal := n.get("track_total_hits")
	if hasTotal && total.text != "true" && total.text != "false" {
		r.fail(total.expected("true or false"))
	}
	counts := hasSize && limit == 0
	if total.text == "true" && !counts {
		r.failf(total, "a question is for rows or for their number: write \"size\": 0 to count")
	}
	if hasAggs || counts {
		r.noRows(n, hasAggs, hasSize, limit)
	}
	switch {
	case hasAggs:
		r.aggregations(aggs, &q)
	case counts:
		q.Aggregates = []query.Aggregate{{Function: query.FuncCount}}
	default:
		q.Limit = limit
		q.OrderBy = r.sort(n)
		q.Columns = r.columns(n)
	}
	return q
}

// noRows checks that a question for groups or for the number of rows says nothing about rows.
func (r *reader) noRows(n node, hasAggs, hasSize bool, limit int) {
	if size, _ := n.get("size"); hasAggs && hasSize && limit != 0 {
		r.failf(size, "with aggs the answer has the groups alone: write 0, and ask for the rows in a second question")
	}
	for _, key := range []string{"sort", "fields"} {
		if v, ok := n.get(key); ok {
			r.failf(v, "this is about rows, and the answer has none; leave it out")
		}
	}
	if v, ok := n.get("_source"); ok && v.text != "false" {
		r.failf(v, "this is about rows, and the answer has none; leave it out")
	}
}

// onlyKeys fails at a key that is not known.
func (r *reader) onlyKeys(n node, known []string, hints map[string]string) {
	if n.kind != objectKind {
		r.fail(n.expected("an object"))
		return
	}
	for _, f := range n.fields {
		if slices.Contains(known, f.key) {
			continue
		}
		message := "firn does not know this key"
		if hint, ok := hints[f.key]; ok {
			message = "firn does not run this: " + hint
		}
		r.failf(f.value, "%s; expected %s", message, oneOf(known))
		return
	}
}

// oneOf lists words: a, b or c.
func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// single returns the one key of an object.
func (r *reader) single(n node, what string) (key string, value node) {
	if n.kind != objectKind {
		r.fail(n.expected(what))
		return "", node{}
	}
	if len(n.fields) != 1 {
		r.failf(n, "expected %s, found %d keys", what, len(n.fields))
		return "", node{}
	}
	return n.fields[0].key, n.fields[0].value
}

// text reads a text.
func (r *reader) text(n node) string {
	if n.kind != textKind {
		r.fail(n.expected("a text"))
	}
	return n.text
}

// count reads a number of rows.
func (r *reader) count(n node) int {
	i, err := strconv.ParseInt(n.text, 10, 64)
	if n.kind != numberKind || err != nil || i < 0 || i > math.MaxInt32 {
		r.failf(n, "expected a whole number from 0 to %d", math.MaxInt32)
		return 0
	}
	return int(i)
}

// value reads a text, number or bool.
func (r *reader) value(n node) any {
	switch n.kind {
	case textKind:
		return n.text
	case boolKind:
		return n.text == "true"
	case numberKind:
		if v, ok := query.ParseNumber(n.text); ok {
			return v
		}
		r.failf(n, "this number does not fit into 64 bits; write it as a text")
		return nil
	}
	r.fail(n.expected("a text, a number, true or false"))
	return nil
}

// column reads the name of a field: that of a column, of a key of attrs (attrs.user, or user), or with a JSON path behind it (log_msg$.user.id). The
// ending .keyword, by which Elasticsearch tells a text as it is from the words of it, says for log_msg that the whole text is meant, and nothing for
// other columns.
func (r *reader) column(name string, at node) (c query.Column, whole bool) {
	name, whole = strings.CutSuffix(name, ".keyword")
	switch i := strings.IndexByte(name, '$'); {
	case name == "":
		r.failf(at, "expected the name of a field")
	case strings.Contains(name, "*"):
		r.failf(at, "expected the name of one field; write a bool with should for several")
	case i > 0:
		if _, err := expression.ParsePath(name[i:]); err == nil && name[i:] != "$" {
			return query.JSONPath(name[:i], name[i:]), true
		}
	}
	if key, ok := strings.CutPrefix(name, "attrs."); ok && key != "" {
		return query.Attr(key), true
	}
	return query.Col(name), whole || name != messageColumn
}

const (
	messageColumn   = "log_msg"
	timestampColumn = "_timestamp"
	patternField    = "_pattern"
)

// sort reads the order of rows.
func (r *reader) sort(n node) []query.Sort {
	s, ok := n.get("sort")
	if !ok {
		return nil
	}
	elements := []node{s}
	if s.kind == listKind {
		elements = s.list
	}
	var list []query.Sort
	for _, e := range elements {
		key, value := e.text, e
		descending := false
		if e.kind != textKind {
			key, value = r.single(e, `a field or {"field": "desc"}`)
			descending = r.order(value, "missing")
		}
		if key == "_score" || key == "_doc" {
			r.failf(value, "rows have no score and no order of their own; sort by _timestamp")
		}
		c, _ := r.column(key, value)
		list = append(list, query.Sort{Column: c, Descending: descending})
	}
	return list
}

// order reads "desc", or {"order": "desc"} with missing values last.
func (r *reader) order(n node, missing string) (descending bool) {
	if n.kind == objectKind {
		r.onlyKeys(n, []string{"order", missing}, nil)
		if m, ok := n.get(missing); ok && m.text != "_last" {
			r.failf(m, "expected _last: firn puts missing values last, in either direction")
		}
		o, ok := n.get("order")
		if !ok {
			return false
		}
		n = o
	}
	if n.text != "asc" && n.text != "desc" || n.kind != textKind {
		r.failf(n, `expected "asc" or "desc"`)
	}
	return n.text == "desc"
}

// columns reads _source and fields.
func (r *reader) columns(n node) []query.Column {
	source, hasSource := n.get("_source")
	fields, hasFields := n.get("fields")
	switch {
	case hasFields && hasSource && source.text != "false":
		r.failf(source, `expected "_source": false beside fields`)
	case hasFields:
		source = fields
	case !hasSource || source.text == "true" && source.kind == boolKind:
		return nil
	case source.kind == boolKind:
		r.failf(source, `rows without columns are their number: write "size": 0, or name columns in "fields"`)
	}
	elements := []node{source}
	switch source.kind {
	case listKind:
		elements = source.list
	case objectKind:
		r.onlyKeys(source, []string{"includes"}, map[string]string{"excludes": "name the fields that you want"})
		includes, _ := source.get("includes")
		elements = includes.list
	}
	var list []query.Column
	for _, e := range elements {
		c, _ := r.column(r.text(e), e)
		list = append(list, c)
	}
	if len(list) == 0 {
		r.failf(source, "expected names of fields")
	}
	return list
}

// readable says how a value is to be written, for messages.
func readable(n node) string { return fmt.Sprintf("%q", n.text) }
