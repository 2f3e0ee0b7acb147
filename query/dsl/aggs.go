package dsl

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/firnlog/firn/query"
)

// countName is the name of the number of rows of a group in the answer.
const countName = "doc_count"

// metrics are the aggregations that are numbers of a group.
var metrics = map[string]query.Function{
	"min": query.FuncMin, "max": query.FuncMax, "sum": query.FuncSum, "avg": query.FuncAvg, "value_count": query.FuncCount, "cardinality": query.FuncCountDistinct,
}

// known are all kinds of aggregations.
var known = []string{"terms", "date_histogram", "composite", "min", "max", "sum", "avg", "value_count", "cardinality", "percentiles", "stats"}

// groups is what aggregations are made into.
type groups struct {
	*reader
	query    *query.Query
	required []query.Column // rows without them are in no bucket
	byKeys   []query.Sort   // the groups in the order of their values
	terms    bool           // the outermost is terms
	order    node           // of terms
	nested   int
}

// aggregations reads metrics, or one bucket aggregation with metrics or one more bucket aggregation in it.
func (r *reader) aggregations(n node, q *query.Query) {
	g := &groups{reader: r, query: q}
	g.level(n)
	if r.err != nil {
		return
	}
	if len(q.GroupBy) > 0 {
		q.Aggregates = append([]query.Aggregate{{Function: query.FuncCount, As: countName}}, q.Aggregates...)
	}
	if g.terms {
		g.termsOrder()
	} else if slices.ContainsFunc(g.byKeys, func(s query.Sort) bool { return s.Descending }) {
		q.OrderBy = g.byKeys
	}
	g.uniqueNames(n)
	and := query.And{}
	if q.Where != nil {
		and = append(and, q.Where)
	}
	for _, c := range g.required {
		and = append(and, query.Not{X: query.IsNull{Column: c}})
	}
	q.Where = and
}

// level reads the aggregations that stand side by side.
func (g *groups) level(n node) {
	if n.kind != objectKind || len(n.fields) == 0 {
		g.failf(n, `expected an object of aggregations: {"levels": {"terms": {"field": "level"}}}`)
		return
	}
	for _, f := range n.fields {
		key, body, inner, hasInner := g.aggregation(f.value)
		if g.err != nil {
			return
		}
		switch key {
		case "terms", "date_histogram", "composite":
			if len(n.fields) > 1 {
				g.failf(f.value, "a bucket aggregation stands alone: ask for the others in a question of their own, or within it")
				return
			}
			g.bucket(key, f.key, body)
			if hasInner {
				g.nested++
				g.level(inner)
			}
		default:
			if hasInner {
				g.failf(inner, "%s makes no groups that could have aggregations in them", key)
			}
			g.metric(key, f.key, body)
		}
	}
}

// aggregation takes {"terms": {…}, "aggs": {…}} apart.
func (g *groups) aggregation(n node) (key string, body, inner node, hasInner bool) {
	if n.kind != objectKind {
		g.fail(n.expected(`an object like {"terms": {"field": "level"}}`))
		return
	}
	for _, f := range n.fields {
		switch {
		case f.key == "aggs" || f.key == "aggregations":
			inner, hasInner = f.value, true
		case f.key == "meta":
			g.failf(f.value, "firn does not keep notes in answers; leave it out")
		case key != "":
			g.failf(f.value, "expected one kind of aggregation beside aggs, and %s stands here already", key)
		case !slices.Contains(known, f.key):
			g.failf(f.value, "firn does not run %s; expected %s", f.key, oneOf(known))
		default:
			key, body = f.key, f.value
		}
	}
	if key == "" {
		g.failf(n, "expected %s", oneOf(known))
	}
	return key, body, inner, hasInner
}

func (g *groups) bucket(key, name string, body node) {
	if g.terms || key == "terms" && g.nested > 0 {
		g.failf(body, "a terms keeps the first of its groups in each of the outer ones, which one list of groups cannot: "+
			"write a composite aggregation with both as its sources")
		return
	}
	switch key {
	case "terms":
		g.addTerms(name, body)
	case "date_histogram":
		g.add(g.histogram(name, body, true))
	case "composite":
		if g.nested > 0 {
			g.failf(body, "composite stands outermost: make the outer aggregation one of its sources")
		}
		g.composite(body)
	}
}

func (g *groups) add(group query.Group, descending bool) {
	g.query.GroupBy = append(g.query.GroupBy, group)
	g.byKeys = append(g.byKeys, query.Sort{Column: query.Col(group.Name()), Descending: descending})
	if group.Column != query.Col(timestampColumn) {
		g.required = append(g.required, group.Column)
	}
}

// bucketHints are keys of bucket aggregations that are not run.
var bucketHints = map[string]string{
	"missing": "missing values are no group; ask for them with a bool of must_not and exists", "script": "there are no scripts",
	"include": "write a condition into query",
	"exclude": "write a condition into query", "shard_size": "counts are exact",
	"show_term_doc_count_error": "counts are exact", "collect_mode": "the plan is made by firn",
	"execution_hint": "the plan is made by firn", "format": "times are printed as the caller asks",
	"offset": "intervals begin at the marks of UTC's calendar", "keyed": "groups are rows",
	"interval": "write calendar_interval or fixed_interval", "extended_bounds": "groups without rows are left out", "hard_bounds": "write a range into query",
	"after": "ask for the next groups by a range", "value_type": "values are of their column's type",
}

func (g *groups) field(body node) query.Column {
	f, ok := body.get("field")
	if !ok {
		g.failf(body, "expected field")
		return query.Column{}
	}
	c, _ := g.column(g.text(f), f)
	return c
}

// minCount checks that groups without rows are not asked for.
func (g *groups) minCount(body node) {
	if m, ok := body.get("min_doc_count"); ok && m.text != "1" {
		g.failf(m, "expected 1: groups without rows are left out, and all others returned")
	}
}

func (g *groups) addTerms(name string, body node) {
	g.onlyKeys(body, []string{"field", "size", "order", "min_doc_count"}, bucketHints)
	g.minCount(body)
	size := DefaultSize
	if s, ok := body.get("size"); ok {
		if size = g.count(s); size == 0 {
			g.failf(s, "expected a number of groups from 1")
		}
	}
	order, _ := body.get("order")
	g.add(query.Group{Column: g.field(body), As: name}, false)
	g.terms, g.order = true, order
	g.query.Limit = size
}

// termsOrder reads the order of a terms aggregation, when its metrics are known. Groups that are equal in it are ordered by their value, as in
// Elasticsearch.
func (g *groups) termsOrder() {
	key := g.query.GroupBy[0].Name()
	elements := []node{g.order}
	switch g.order.kind {
	case nullKind:
		elements = nil
		g.query.OrderBy = append(g.query.OrderBy, query.Sort{Column: query.Col(countName), Descending: true})
	case listKind:
		elements = g.order.list
	}
	keyed := false
	for _, e := range elements {
		by, value := g.single(e, `an object like {"_count": "desc"}`)
		if g.err != nil {
			return
		}
		name := by
		switch by {
		case "_count":
			name = countName
		case "_key", "_term":
			name, keyed = key, true
		default:
			if !slices.ContainsFunc(g.query.Aggregates, func(a query.Aggregate) bool { return a.Name() == by }) {
				g.failf(value, "expected _count, _key or the name of an aggregation within this one")
			}
		}
		g.query.OrderBy = append(g.query.OrderBy, query.Sort{Column: query.Col(name), Descending: g.reader.order(value, "missing")})
	}
	if !keyed {
		g.query.OrderBy = append(g.query.OrderBy, query.Sort{Column: query.Col(key)})
	}
}

// histogram reads a date_histogram.
func (g *groups) histogram(name string, body node, alone bool) (group query.Group, descending bool) {
	keys := []string{"field", "calendar_interval", "fixed_interval", "time_zone", "order"}
	if alone {
		keys = append(keys, "min_doc_count")
	}
	g.onlyKeys(body, keys, bucketHints)
	g.minCount(body)
	if zone, ok := body.get("time_zone"); ok && zone.text != "UTC" && zone.text != "Z" && zone.text != "+00:00" {
		g.failf(zone, "expected UTC: intervals begin at the marks of UTC's calendar")
	}
	calendar, hasCalendar := body.get("calendar_interval")
	fixed, hasFixed := body.get("fixed_interval")
	group = query.Group{Column: g.field(body), As: name}
	switch {
	case hasCalendar == hasFixed:
		g.failf(body, "expected calendar_interval or fixed_interval")
	case hasCalendar:
		unit, ok := calendarUnits[calendar.text]
		if !ok {
			g.failf(calendar, "expected minute, hour, day, week, month, quarter or year; other spans are fixed_interval")
		}
		group.Every = query.Interval{Count: 1, Unit: unit}
	default:
		group.Every = g.fixed(fixed)
	}
	order, ok := body.get("order")
	switch {
	case !ok:
	case !alone:
		descending = g.reader.order(order, "missing_order")
	default:
		by, value := g.single(order, `an object like {"_key": "desc"}`)
		if by != "_key" {
			g.failf(order, "expected _key: intervals are in the order of time")
		}
		descending = g.reader.order(value, "missing")
	}
	return group, descending
}

var calendarUnits = map[string]query.IntervalUnit{
	"1m": query.Minute, "minute": query.Minute, "1h": query.Hour, "hour": query.Hour, "1d": query.Day, "day": query.Day, "1w": query.Week, "week": query.Week,
	"1M": query.Month, "month": query.Month, "1q": query.Quarter, "quarter": query.Quarter, "1y": query.Year, "year": query.Year,
}

// fixed reads 30s, 5m, 12h or 7d.
func (g *groups) fixed(n node) query.Interval {
	units := map[string]query.IntervalUnit{"s": query.Second, "m": query.Minute, "h": query.Hour, "d": query.Day}
	digits := len(n.text) - len(strings.TrimLeft(n.text, "0123456789"))
	count, err := strconv.Atoi(n.text[:digits])
	unit, ok := units[n.text[digits:]]
	if n.kind != textKind || err != nil || !ok || count < 1 || count > math.MaxInt32 {
		g.failf(n, "expected a number and s, m, h or d, like 5m")
		return query.Interval{}
	}
	return query.Interval{Count: count, Unit: unit}
}

// composite reads groups by several columns, in the order of their values.
func (g *groups) composite(body node) {
	g.onlyKeys(body, []string{"size", "sources"}, bucketHints)
	sources, _ := body.get("sources")
	if sources.kind != listKind || len(sources.list) == 0 {
		g.failf(body, `expected sources: [{"level": {"terms": {"field": "level"}}}]`)
		return
	}
	g.query.Limit = DefaultSize
	if s, ok := body.get("size"); ok {
		if g.query.Limit = g.count(s); g.query.Limit == 0 {
			g.failf(s, "expected a number of groups from 1")
		}
	}
	for _, s := range sources.list {
		name, value := g.single(s, "an object with one key, the name of the group")
		kind, source := g.single(value, "an object with one key, terms or date_histogram")
		if g.err != nil {
			return
		}
		var group query.Group
		descending := false
		switch kind {
		case "terms":
			g.onlyKeys(source, []string{"field", "order"}, bucketHints)
			group = query.Group{Column: g.field(source), As: name}
			if o, ok := source.get("order"); ok {
				descending = g.reader.order(o, "missing_order")
			}
		case "date_histogram":
			group, descending = g.histogram(name, source, false)
		default:
			g.failf(source, "firn does not run %s as a source; expected terms or date_histogram", kind)
		}
		g.add(group, descending)
	}
}

// metric reads a number of a group.
func (g *groups) metric(key, name string, body node) {
	add := func(f query.Function, quantile float64, as string) {
		g.query.Aggregates = append(g.query.Aggregates, query.Aggregate{Function: f, Column: g.field(body), Quantile: quantile, As: as})
	}
	hints := map[string]string{
		"missing": "missing values are left out", "script": "there are no scripts",
		"precision_threshold": "values are counted exactly", "tdigest": "percentiles are exact", "hdr": "percentiles are exact",
		"keyed": "numbers are columns", "format": "numbers are printed as the caller asks",
	}
	switch key {
	case "percentiles":
		g.onlyKeys(body, []string{"field", "percents"}, hints)
		percents := []node{}
		if p, ok := body.get("percents"); ok {
			percents = p.list
		} else {
			for _, p := range []string{"1", "5", "25", "50", "75", "95", "99"} {
				percents = append(percents, node{kind: numberKind, text: p})
			}
		}
		if len(percents) == 0 {
			g.failf(body, "expected percents: a list of numbers from 0 to 100")
		}
		for _, p := range percents {
			percent, err := strconv.ParseFloat(p.text, 64)
			if p.kind != numberKind || err != nil || !(percent >= 0 && percent <= 100) {
				g.failf(p, "expected a number from 0 to 100")
				return
			}
			as := name
			if len(percents) > 1 {
				as = fmt.Sprintf("%s.%s", name, strconv.FormatFloat(percent, 'f', -1, 64))
			}
			add(query.FuncQuantile, fraction(percent), as)
		}
	case "stats":
		g.onlyKeys(body, []string{"field"}, hints)
		for _, f := range []struct {
			function query.Function
			name     string
		}{{query.FuncCount, "count"}, {query.FuncMin, "min"}, {query.FuncMax, "max"}, {query.FuncAvg, "avg"}, {query.FuncSum, "sum"}} {
			add(f.function, 0, name+"."+f.name)
		}
	default:
		g.onlyKeys(body, []string{"field"}, hints)
		add(metrics[key], 0, name)
	}
}

// fraction returns a hundredth, rounded so that 99.9 becomes 0.999.
func fraction(percent float64) float64 {
	f, err := strconv.ParseFloat(strconv.FormatFloat(percent/100, 'g', 15, 64), 64)
	if err != nil {
		return percent / 100
	}
	return f
}

// uniqueNames checks that no two columns of the answer are called the same.
func (g *groups) uniqueNames(at node) {
	seen := map[string]bool{}
	check := func(name string) {
		if seen[name] || name == "" {
			g.failf(at, "two columns of the answer would be called %q; give each aggregation a name of its own (%s is the number of rows)", name, countName)
		}
		seen[name] = true
	}
	for _, group := range g.query.GroupBy {
		check(group.Name())
	}
	for _, a := range g.query.Aggregates {
		check(a.Name())
	}
}
