package query

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/index/expression"
)

// Normalize returns the normal form of the question: that of its condition (All{} for none, see the function Normalize), columns and intervals in the form in
// which they are printed, and no names where they say nothing new. Questions in normal form that mean the same are equal in most cases, whatever language
// they were written in; ParseQuery(q.String()) is q.Normalize(), but for Table.
func (q Query) Normalize() Query {
	q.Where = Normalize(q.Where)
	groups := make([]Group, len(q.GroupBy))
	for i, g := range q.GroupBy {
		groups[i] = g.normalize()
	}
	aggregates := make([]Aggregate, len(q.Aggregates))
	for i, a := range q.Aggregates {
		aggregates[i] = a.normalize()
	}
	q.GroupBy, q.Aggregates = noneIfEmpty(groups), noneIfEmpty(aggregates)
	column := normalColumn
	if q.isOfGroups() {
		column = q.answerColumn
	}
	columns := make([]Column, len(q.Columns))
	for i, c := range q.Columns {
		columns[i] = column(c)
	}
	sorts := make([]Sort, len(q.OrderBy))
	for i, s := range q.OrderBy {
		sorts[i] = Sort{Column: column(s.Column), Descending: s.Descending}
	}
	q.Columns, q.OrderBy = noneIfEmpty(columns), noneIfEmpty(sorts)
	return q
}

func noneIfEmpty[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// isOfGroups says whether q is a question for groups.
func (q Query) isOfGroups() bool { return len(q.GroupBy)+len(q.Aggregates) > 0 }

// answerColumn returns the column of an answer in groups that is meant: Name alone, as Group.Name and Aggregate.Name return it.
func (q Query) answerColumn(c Column) Column {
	if c.Key != "" || c.Path != "" {
		return Col(normalColumn(c).String())
	}
	if q.hasAnswer(c.Name) {
		return c
	}
	if name := normalColumn(c).String(); q.hasAnswer(name) {
		return Col(name)
	}
	return c
}

// hasAnswer says whether the answer in groups has a column of that name.
func (q Query) hasAnswer(name string) bool {
	for _, g := range q.GroupBy {
		if g.Name() == name {
			return true
		}
	}
	for _, a := range q.Aggregates {
		if a.Name() == name {
			return true
		}
	}
	return false
}

func (g Group) normalize() Group {
	g.Column, g.Every = normalColumn(g.Column), g.Every.normalize()
	if g.As == g.canonicalName() {
		g.As = ""
	}
	return g
}

func (a Aggregate) normalize() Aggregate {
	a.Column = normalColumn(a.Column)
	if a.Function != FuncQuantile {
		a.Quantile = 0
	}
	if a.As == a.canonicalName() {
		a.As = ""
	}
	return a
}

// normalize returns the same interval in its largest unit.
func (i Interval) normalize() Interval {
	if i.Unit != "" && i.Count == 0 {
		i.Count = 1
	}
	for _, step := range []struct {
		from, to IntervalUnit
		count    int
	}{{Second, Minute, 60}, {Minute, Hour, 60}, {Hour, Day, 24}} {
		if i.Unit == step.from && i.Count > 0 && i.Count%step.count == 0 {
			i = Interval{Count: i.Count / step.count, Unit: step.to}
		}
	}
	return i
}

// normalColumn spells a column as parsing its name does.
func normalColumn(c Column) Column {
	if c.Path != "" {
		if p, err := expression.ParsePath(c.Path); err == nil {
			c.Path = p.String()
		}
		return c
	}
	if key, ok := strings.CutPrefix(c.Name, attrsColumn+"."); ok && key != "" && c.Key == "" {
		return Attr(key)
	}
	if c.Key != "" && c.Name != attrsColumn && c.Name != "" && !strings.Contains(c.Name, ".") {
		return Col(c.Name + "." + c.Key) // another map column
	}
	return c
}

// Normalize returns the normal form of a predicate, in which the languages meet; nil is All. It is true for the same rows.
//
//   - And within And and Or within Or are one list, lists of one are what is in them, All is left out of And; an empty And is All, Not of All is an empty Or, Not of Not is nothing.
//   - Values of Equal and In are text: numbers in shortest decimal form, true and false, times as RFC 3339 in UTC. In of one value is Equal.
//   - Values of Compare and Between are int64 if they are whole numbers that fit, float64 if they are other numbers, Ago, or else text.
//   - Of log_msg, HasToken of several tokens is Phrase, Phrase of one is HasToken; of other columns HasToken is Phrase.
//   - Columns are Attr for keys of attrs, and Col for everything else.
//   - A regular expression is as it stands, unless that has no printed form between slashes: without \Q and \/, and with \x20 for spaces at its ends.
func Normalize(p Predicate) Predicate {
	switch p := p.(type) {
	case nil:
		return All{}
	case And:
		return normalAnd(p)
	case Or:
		return normalOr(p)
	case Not:
		return normalNot(p)
	case HasToken:
		return normalTokens(normalColumn(p.Column), p.Text)
	case Phrase:
		return normalTokens(normalColumn(p.Column), p.Text)
	case Equal:
		return Equal{normalColumn(p.Column), normalText(p.Value)}
	case In:
		return normalIn(p)
	case Compare:
		v := normalValue(p.Value)
		if isNaN(v) {
			return Or{}
		}
		return Compare{normalColumn(p.Column), p.Op, v}
	case Between:
		low, high := normalValue(p.Low), normalValue(p.High)
		if isNaN(low) || isNaN(high) {
			return Or{}
		}
		return Between{normalColumn(p.Column), low, high}
	case IsNull:
		return IsNull{normalColumn(p.Column)}
	case Prefix:
		return Prefix{normalColumn(p.Column), p.Text}
	case Contains:
		return Contains{normalColumn(p.Column), p.Text}
	case TokenPrefix:
		return TokenPrefix{normalColumn(p.Column), p.Text}
	case Regexp:
		return Regexp{normalColumn(p.Column), normalExpr(p.Expr)}
	}
	return p
}

// isNaN says whether a value is the float that nothing compares with.
func isNaN(v any) bool {
	f, ok := v.(float64)
	return ok && math.IsNaN(f)
}

func normalAnd(p And) Predicate {
	var list And
	for _, x := range p {
		if x == nil {
			list = append(list, nil) // an error when it is bound
			continue
		}
		switch x := Normalize(x).(type) {
		case All:
		case And:
			list = append(list, x...)
		default:
			list = append(list, x)
		}
	}
	switch {
	case len(list) == 0:
		return All{}
	case len(list) == 1 && list[0] != nil:
		return list[0]
	}
	return list
}

func normalOr(p Or) Predicate {
	list := Or{}
	for _, x := range p {
		if x == nil {
			list = append(list, nil)
			continue
		}
		if inner, ok := Normalize(x).(Or); ok {
			list = append(list, inner...)
		} else {
			list = append(list, Normalize(x))
		}
	}
	if len(list) == 1 && list[0] != nil {
		return list[0]
	}
	return list
}

func normalNot(p Not) Predicate {
	if p.X == nil {
		return p
	}
	switch x := Normalize(p.X).(type) {
	case Not:
		return x.X
	case All:
		return Or{}
	case Or:
		if len(x) == 0 {
			return All{}
		}
		return Not{x}
	default:
		return Not{x}
	}
}

// normalTokens returns HasToken or Phrase.
func normalTokens(c Column, text string) Predicate {
	if c == Col(messageColumn) && len(analyzer.Split(text)) < 2 {
		return HasToken{c, text}
	}
	return Phrase{c, text}
}

func normalIn(p In) Predicate {
	c := normalColumn(p.Column)
	switch len(p.Values) {
	case 0:
		return Or{}
	case 1:
		return Equal{c, normalText(p.Values[0])}
	}
	values := make([]any, len(p.Values))
	for i, v := range p.Values {
		values[i] = normalText(v)
	}
	return In{c, values}
}

// normalText returns a value of Equal or In as text; what is no value stays as it is, for an error when it is bound.
func normalText(v any) any {
	if text, err := toText(v); err == nil {
		return text
	}
	return v
}

// normalValue returns a value of Compare or Between as int64, float64, Ago or text.
func normalValue(v any) any {
	switch n := v.(type) {
	case Ago:
		return n
	case time.Time:
		return formatValue(n)
	case json.Number:
		return normalNumber(n)
	}
	if text, ok := textOf(v); ok {
		return text
	}
	r := reflect.ValueOf(v)
	switch {
	case !r.IsValid() || isDuration(v):
		return v
	case r.Kind() == reflect.Bool:
		return strconv.FormatBool(r.Bool())
	case r.CanInt():
		return r.Int()
	case r.CanUint():
		if r.Uint() <= math.MaxInt64 {
			return int64(r.Uint())
		}
		return float64(r.Uint())
	case r.CanFloat():
		return wholeIfPossible(r.Float())
	}
	return v
}

// normalNumber returns int64 or float64, or the text if it is no number.
func normalNumber(n json.Number) any {
	if v, ok := parseLiteralNumber(n.String()); ok {
		return v
	}
	return n.String()
}

// parseLiteralNumber reads a number as the languages write it: 5, -1.5, 1e3, +Inf, NaN. It returns int64 if it is whole and fits, else float64.
func parseLiteralNumber(text string) (any, bool) {
	switch text {
	case "+Inf":
		return math.Inf(1), true
	case "-Inf":
		return math.Inf(-1), true
	case "NaN":
		return math.NaN(), true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	for i := range len(text) {
		if !strings.ContainsRune("0123456789+-.eE", rune(text[i])) {
			return nil, false
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, false
	}
	return wholeIfPossible(f), true
}

// wholeIfPossible returns a float64 as int64 if nothing is lost.
func wholeIfPossible(f float64) any {
	if f == math.Trunc(f) && f >= math.MinInt64 && f < -math.MinInt64 {
		return int64(f)
	}
	return f
}
