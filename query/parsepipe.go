package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/firnlog/firn/index/expression"
)

// ParseQuery reads a whole question: a condition in the language of Parse (none: every row), and then pipes, each at most once:
//
//	| stats count(), max(took) as slowest by level, bucket(_timestamp, 1h)
//	| sort by count() desc, level
//	| limit 10
//	| fields level, count()
//
// stats makes groups. Its functions are count() of rows, and count, count_distinct, min, max, sum and avg of a column, and quantile(0.99, column); bucket rounds a
// time down to the start of an interval: 30s, 15m, 1h, 1d, 1w, 1month, 1quarter, 1year. Groups without a function are the distinct values: stats by level.
// sort, limit and fields are about the answer: what stats made, by the names that it prints or gives with as, or else columns of the rows. They come in this
// order, but fields may stand before sort and limit. A name is like a field's, or in quotes. A | stands for itself within a word, in quotes and behind a backslash.
//
// The result is in normal form (Query.Normalize), its Table is empty. Errors are of type *SyntaxError.
func ParseQuery(text string) (Query, error) {
	p := &parser{text: text, pipes: true}
	var q Query
	p.next()
	if p.err == nil && p.tok.kind != tokenPipe {
		q.Where = p.condition()
	}
	pipes := pipeReader{parser: p, query: &q}
	for p.err == nil && p.tok.kind == tokenPipe {
		pipes.read()
	}
	if p.err != nil {
		return Query{}, p.err
	}
	return q.Normalize(), nil
}

// The pipes, in the order in which they come.
const (
	pipeStats = iota
	pipeSort
	pipeLimit
	pipeFields
)

var pipeNames = []string{"stats", "sort", "limit", "fields"}

// pipeReader reads pipes into a question.
type pipeReader struct {
	*parser
	query *Query
	seen  []int // pipes, in the order of the text
	names []string
}

// read reads one pipe; the current token is its |.
func (p *pipeReader) read() {
	p.space()
	start := p.pos
	name := p.name()
	pipe := slices.Index(pipeNames, strings.ToLower(name))
	if pipe < 0 {
		p.fail(start, `expected stats, sort, limit or fields after |; write \| to search for the character`)
		return
	}
	if !p.checkOrder(start, pipe) {
		return
	}
	p.seen = append(p.seen, pipe)
	switch pipe {
	case pipeStats:
		p.stats()
	case pipeSort:
		p.sort()
	case pipeLimit:
		p.limit()
	case pipeFields:
		p.fields()
	}
	if p.err != nil {
		return
	}
	if p.space(); p.pos < len(p.text) && p.text[p.pos] != '|' {
		p.fail(p.pos, "expected , or | or the end of the query")
		return
	}
	p.next()
}

// checkOrder says whether a pipe may stand behind those that were read.
func (p *pipeReader) checkOrder(at, pipe int) bool {
	for _, before := range p.seen {
		switch {
		case before == pipe:
			p.fail(at, fmt.Sprintf("%s stands here for the second time; a query has one of each", pipeNames[pipe]))
		case pipe == pipeStats:
			p.fail(at, fmt.Sprintf("stats comes before %s: it makes the rows that %s is about", pipeNames[before], pipeNames[before]))
		case pipe == pipeSort && before == pipeLimit:
			p.fail(at, "sort comes before limit: the limit is on sorted rows")
		}
	}
	return p.err == nil
}

// space skips spaces.
func (p *parser) space() {
	for p.pos < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.pos:])
		if !unicode.IsSpace(r) {
			return
		}
		p.pos += n
	}
}

// accept skips spaces and then this character, and says whether it was there.
func (p *parser) accept(c byte) bool {
	p.space()
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// expect is accept with an error.
func (p *parser) expect(c byte, where string) {
	if !p.accept(c) {
		p.fail(p.pos, fmt.Sprintf("expected %c %s", c, where))
	}
}

// name reads letters, digits and _; empty if there are none.
func (p *parser) name() string {
	start := p.pos
	for p.pos < len(p.text) && asciiWord[p.text[p.pos]] {
		p.pos++
	}
	return p.text[start:p.pos]
}

// keyword skips this word, if it comes next, and says whether it did.
func (p *parser) keyword(word string) bool {
	p.space()
	start := p.pos
	if strings.EqualFold(p.name(), word) && (p.pos == len(p.text) || !isFieldRune(rune(p.text[p.pos]), false, false)) {
		return true
	}
	p.pos = start
	return false
}

func (p *pipeReader) stats() {
	if !p.keyword("by") {
		for {
			p.query.Aggregates = append(p.query.Aggregates, p.aggregate())
			if p.err != nil || !p.accept(',') {
				break
			}
		}
		if p.err != nil || !p.keyword("by") {
			return
		}
	}
	for {
		p.query.GroupBy = append(p.query.GroupBy, p.group())
		if p.err != nil || !p.accept(',') {
			return
		}
	}
}

var functions = []Function{FuncCount, FuncCountDistinct, FuncMin, FuncMax, FuncSum, FuncAvg, FuncQuantile}

const functionNames = "count, count_distinct, min, max, sum, avg or quantile"

// aggregate reads a function with its arguments and name.
func (p *pipeReader) aggregate() Aggregate {
	p.space()
	start := p.pos
	a := Aggregate{Function: Function(strings.ToLower(p.name()))}
	if !slices.Contains(functions, a.Function) {
		p.fail(start, "expected "+functionNames+", with its column in parentheses, or by")
		return a
	}
	p.arguments(&a)
	a.As = p.as()
	p.unique(start, a.Name())
	return a
}

// arguments reads what stands in parentheses behind a function.
func (p *pipeReader) arguments(a *Aggregate) {
	p.expect('(', "after "+string(a.Function))
	if a.Function == FuncQuantile {
		p.space()
		start := p.pos
		text := p.plain()
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || !(f >= 0 && f <= 1) {
			p.fail(start, "expected a number from 0 to 1, and then the column: quantile(0.99, took)")
			return
		}
		a.Quantile = f
		p.expect(',', "and the column: quantile(0.99, took)")
	}
	if a.Function == FuncCount && p.err == nil {
		p.accept('*')
		if p.accept(')') {
			return
		}
	}
	a.Column = p.column()
	p.expect(')', "after the column")
}

// plain reads up to a space, comma or parenthesis.
func (p *parser) plain() string {
	start := p.pos
	for p.pos < len(p.text) && !strings.ContainsRune(" \t\r\n,()|", rune(p.text[p.pos])) {
		p.pos++
	}
	return p.text[start:p.pos]
}

// group reads a column, or bucket(column, interval), and its name.
func (p *pipeReader) group() Group {
	p.space()
	start := p.pos
	g := p.bareGroup()
	g.As = p.as()
	p.unique(start, g.Name())
	return g
}

// isCall reads this name and a parenthesis, and says whether they come next.
func (p *parser) isCall(name string) bool {
	start := p.pos
	if strings.EqualFold(p.name(), name) && p.accept('(') {
		return true
	}
	p.pos = start
	return false
}

// unique notes the name of a column of the answer.
func (p *pipeReader) unique(at int, name string) {
	if slices.Contains(p.names, name) {
		p.fail(at, fmt.Sprintf("two columns of the answer are called %s; name one with as", name))
	}
	p.names = append(p.names, name)
}

// interval reads 15m, 1h, day.
func (p *parser) interval() Interval {
	p.space()
	start := p.pos
	text := strings.ToLower(p.name())
	digits := strings.TrimLeft(text, "0123456789")
	count, err := 1, error(nil)
	if n := len(text) - len(digits); n > 0 {
		count, err = strconv.Atoi(text[:n])
	} else if p.space(); digits == "" {
		err = strconv.ErrSyntax
	}
	if digits == "" && err == nil {
		p.space()
		digits = strings.ToLower(p.name())
	}
	i := Interval{Count: count, Unit: unitOf(digits)}
	switch {
	case err != nil || count < 1 || i.Unit == "":
		p.fail(start, "expected an interval: 30s, 15m, 1h, 1d, 1w, 1month, 1quarter or 1year")
	case count > maxIntervalCount:
		p.fail(start, fmt.Sprintf("expected an interval of at most %d units", maxIntervalCount))
	case count > 1 && slices.Contains([]IntervalUnit{Week, Month, Quarter, Year}, i.Unit):
		p.fail(start, fmt.Sprintf("expected 1 %s: intervals of several weeks, months, quarters or years have no marks in the calendar", i.Unit))
	}
	return i
}

// maxIntervalCount keeps intervals within what a span of microseconds holds.
const maxIntervalCount = 1_000_000

// unitOf returns the unit that a text means: h, hour, hours.
func unitOf(text string) IntervalUnit {
	for unit, short := range intervalUnits {
		if text == short || text == string(unit) || text == string(unit)+"s" {
			return unit
		}
	}
	return ""
}

// as reads the name that follows as; empty if there is none.
func (p *pipeReader) as() string {
	if p.err != nil || !p.keyword("as") {
		return ""
	}
	p.space()
	start := p.pos
	if p.pos < len(p.text) && p.text[p.pos] == '"' {
		if name := p.quoted(); name != "" || p.err != nil {
			return name
		}
		p.fail(start, "the name is empty")
		return ""
	}
	name := p.columnName()
	if name == "" {
		p.fail(start, "expected a name after as")
	}
	return name
}

// columnName reads a name as a field has it, without what follows; empty if there is none.
func (p *parser) columnName() string {
	var b strings.Builder
	for p.pos < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.pos:])
		if r == '\\' {
			_, m := utf8.DecodeRuneInString(p.text[p.pos+n:])
			if m == 0 || !p.escapes(p.pos+n) {
				break
			}
			b.WriteString(p.text[p.pos+n : p.pos+n+m])
			p.pos += n + m
			continue
		}
		if !isFieldRune(r, b.Len() == 0, strings.HasPrefix(b.String(), attrsColumn+".")) {
			break
		}
		b.WriteString(p.text[p.pos : p.pos+n])
		p.pos += n
	}
	return b.String()
}

// column reads a column: its name, or its name in quotes, and perhaps a JSON path.
func (p *parser) column() Column {
	if p.err != nil {
		return Column{}
	}
	p.space()
	start := p.pos
	name := ""
	if p.pos < len(p.text) && p.text[p.pos] == '"' {
		if name = p.quoted(); name == "" {
			p.fail(start, "the name of the column is empty")
		}
	} else {
		name = p.columnName()
	}
	switch {
	case name == "":
		p.fail(start, `expected the name of a column; write names with odd characters in quotes: "a name"`)
		return Column{}
	case isPipeKeyword(p.text[start:p.pos]):
		p.fail(start, fmt.Sprintf("expected the name of a column before %s; write %q in quotes for a column of that name", name, name))
		return Column{}
	}
	if path, n := expression.ReadPath(p.text[p.pos:]); n > 1 {
		p.pos += n
		return JSONPath(name, path.String())
	}
	return normalColumn(Col(name))
}

// answer reads a column of the answer.
func (p *pipeReader) answer() Column {
	if !p.query.isOfGroups() {
		p.space()
		start := p.pos
		if p.isAnyCall() {
			p.fail(start, "expected the name of a column; functions need | stats before this")
		}
		return p.column()
	}
	p.space()
	start := p.pos
	name := p.answerName()
	if p.err == nil && !slices.Contains(p.names, name) {
		p.fail(start, fmt.Sprintf("the answer has no column %s; it has %s", name, strings.Join(p.names, ", ")))
	}
	return Col(name)
}

// isAnyCall says whether a function comes next.
func (p *parser) isAnyCall() bool {
	start := p.pos
	defer func() { p.pos = start }()
	return p.name() != "" && p.accept('(')
}

// answerName reads the name of a column of an answer in groups.
func (p *pipeReader) answerName() string {
	start := p.pos
	switch {
	case p.isCall("bucket"):
		p.pos = start
		return p.bareGroup().Name()
	case p.isAnyCall():
		a := Aggregate{Function: Function(strings.ToLower(p.name()))}
		if !slices.Contains(functions, a.Function) {
			p.fail(start, "expected "+functionNames+", or the name of a column")
			return ""
		}
		p.arguments(&a)
		return a.canonicalName()
	case p.pos < len(p.text) && p.text[p.pos] == '"':
		name := p.quoted()
		if quoted := quoteText(name); !slices.Contains(p.names, name) && slices.Contains(p.names, quoted) {
			return quoted
		}
		return name
	}
	return pipeColumn(p.column())
}

// bareGroup reads a group without a name.
func (p *pipeReader) bareGroup() Group {
	g := Group{}
	if p.isCall("bucket") {
		g.Column = p.column()
		p.expect(',', "and an interval: bucket(_timestamp, 1h)")
		g.Every = p.interval()
		p.expect(')', "after the interval")
		return g
	}
	g.Column = p.column()
	return g
}

func (p *pipeReader) sort() {
	p.keyword("by")
	for p.err == nil {
		p.space()
		start := p.pos
		s := Sort{Column: p.answer()}
		if s.Descending = p.keyword("desc"); !s.Descending {
			p.keyword("asc")
		}
		if slices.Contains(p.seen, pipeFields) && !slices.Contains(p.query.Columns, s.Column) {
			p.fail(start, fmt.Sprintf("fields before this leaves out %s; sort first", s.Column))
		}
		p.query.OrderBy = append(p.query.OrderBy, s)
		if !p.accept(',') {
			return
		}
	}
}

func (p *pipeReader) limit() {
	p.space()
	start := p.pos
	n, err := strconv.Atoi(p.plain())
	if err != nil || n < 1 {
		p.fail(start, "expected a number of rows, 1 or more")
		return
	}
	p.query.Limit = n
}

func (p *pipeReader) fields() {
	for p.err == nil {
		p.query.Columns = append(p.query.Columns, p.answer())
		if !p.accept(',') {
			return
		}
	}
}
