package sql

import (
	"fmt"
	"strings"

	"github.com/firnlog/firn/query"
)

// Limits of a statement. They bound the time and the stack that its parsing may take.
const (
	maxBytes = 256 << 10
	maxDepth = 100 // of parentheses and brackets, and of NOTs in a row
)

// elsewhere names engines for what is not run here.
const elsewhere = "Trino and Spark run it on the same Iceberg table"

// prepared is a statement with what the library cannot be trusted with taken out of it. It has as many bytes as the text that it was made of, so that
// places in the one are places in the other.
type prepared struct {
	source string           // what the user wrote
	text   string           // what the library gets: the grammar alone, with stand-ins for texts and quoted names
	tokens []token          // of source, without the ones that were taken out
	at     map[int]int      // the token that starts, behind its quote if it has one, at this byte
	ends   map[int]int      // the token that ends before this byte
	spans  map[int]interval // tokens that stand for an interval, by number
	escape map[int]string   // of patterns of LIKE with an ESCAPE, by number of the token
}

// interval is what is written behind INTERVAL.
type interval struct {
	count int
	unit  query.IntervalUnit
}

// Stand-ins for operators that the library does not know. They bind more tightly than comparisons, and lex refuses them in a source text.
const (
	isDistinctFrom    = "||"
	isNotDistinctFrom = "%"
)

// preparation takes a list of tokens and rewrites it.
type preparation struct {
	source string
	in     []token
	out    []token
	spans  map[int]interval
	escape map[int]string
	err    error
}

// prepare checks that a text is one SELECT statement of bounded size, and rewrites what the library does not read.
func prepare(text string) (*prepared, error) {
	if len(text) > maxBytes {
		return nil, fail(text, maxBytes, fmt.Sprintf("the statement is longer than %d KiB; shorten its lists of values", maxBytes>>10))
	}
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	if tokens, err = oneSelect(text, tokens); err != nil {
		return nil, err
	}
	r := &preparation{source: text, in: tokens, spans: map[int]interval{}, escape: map[int]string{}}
	for len(r.in) > 0 && r.err == nil {
		r.step()
	}
	if r.err != nil {
		return nil, r.err
	}
	if err := checkDepth(text, r.out); err != nil {
		return nil, err
	}
	return r.finish(), nil
}

// statements are the words that begin statements which are not run.
var statements = map[string]string{
	"WITH": "WITH", "INSERT": "INSERT", "UPDATE": "UPDATE", "DELETE": "DELETE", "MERGE": "MERGE", "CREATE": "CREATE", "DROP": "DROP", "ALTER": "ALTER",
	"TRUNCATE": "TRUNCATE", "EXPLAIN": "EXPLAIN", "SHOW": "SHOW", "DESCRIBE": "DESCRIBE", "DESC": "DESCRIBE", "SET": "SET", "USE": "USE", "VALUES": "VALUES",
	"CALL": "CALL", "GRANT": "GRANT", "OPTIMIZE": "OPTIMIZE", "TABLE": "TABLE",
}

// oneSelect checks that the tokens are one SELECT, without a second one inside or behind it, and takes the semicolon from its end.
func oneSelect(text string, tokens []token) ([]token, error) {
	if len(tokens) == 0 {
		return nil, fail(text, 0, "the statement is empty; write SELECT * FROM a_table")
	}
	if first := tokens[0]; !first.is("SELECT") {
		message := "expected SELECT"
		if name, ok := statements[first.upper]; ok {
			message = notRun(name, "firn's SQL only asks: it begins with SELECT")
		}
		return nil, fail(text, first.start, message)
	}
	for i, t := range tokens {
		if t.is(";") {
			for _, rest := range tokens[i:] {
				if !rest.is(";") {
					return nil, fail(text, rest.start, "this is a second statement; give one at a time")
				}
			}
			return tokens[:i], nil
		}
		if i > 0 && t.is("SELECT") && !tokens[i-1].is(".") {
			return nil, secondSelect(text, tokens, i)
		}
	}
	return tokens, nil
}

func secondSelect(text string, tokens []token, i int) error {
	before := tokens[i-1]
	if (before.is("ALL") || before.is("DISTINCT")) && i > 1 {
		before = tokens[i-2]
	}
	switch before.upper {
	case "UNION", "INTERSECT", "EXCEPT":
		return fail(text, before.start, notRun(before.upper, "a statement here has one SELECT"))
	}
	return fail(text, tokens[i].start, notRun("a subquery", "a statement here has one SELECT"))
}

// notRun is the message about a construct that is not run here.
func notRun(construct, why string) string {
	return fmt.Sprintf("firn does not run %s: %s; %s", construct, why, elsewhere)
}

// step moves one token, or several that are rewritten, from in to out.
func (r *preparation) step() {
	t := r.in[0]
	switch {
	case t.kind != wordToken:
	case len(r.out) > 0 && r.out[len(r.out)-1].is("."):
	case (t.is("DATE") || t.is("TIMESTAMP")) && r.kindAt(1) == stringToken:
		r.in = r.in[1:] // a text that is compared with a column of time is read as a time
		return
	case t.is("ESCAPE") && r.kindAt(1) == stringToken && len(r.out) > 0 && r.out[len(r.out)-1].kind == stringToken:
		r.escape[len(r.out)-1] = r.in[1].text
		r.in = r.in[2:]
		return
	case t.is("INTERVAL") && (r.kindAt(1) == stringToken || r.kindAt(1) == numberToken):
		r.interval()
		return
	case r.words("WITHIN", "GROUP", "(", "ORDER", "BY"):
		r.out = append(r.out, r.in[2])
		r.in = r.in[5:]
		return
	case r.words("NULLS", "LAST"):
		r.in = r.in[2:]
		return
	case t.is("IS") && r.isTest():
		return
	default:
		r.refuse()
	}
	r.out = append(r.out, t)
	r.in = r.in[1:]
}

// refuse fails at words that cannot be meant otherwise.
func (r *preparation) refuse() {
	t, message := r.in[0], ""
	closed := len(r.out) > 0 && r.out[len(r.out)-1].is(")")
	switch {
	case r.words("NULLS", "FIRST"):
		message = "firn puts nulls last, in either direction; " + elsewhere
	case r.words("FETCH", "FIRST"), r.words("FETCH", "NEXT"):
		message = "write LIMIT 10 for this"
	case closed && r.words("OVER", "("):
		message = notRun("window functions", "it groups rows by GROUP BY alone")
	case closed && r.words("FILTER", "("):
		message = notRun("FILTER", "write its condition into WHERE")
	case t.is("CASE") && !t.isName(r):
		message = notRun("CASE", "columns and conditions are what a SELECT is made of here")
	case r.words("AT", "TIME", "ZONE"):
		message = "times are in UTC here; write the other zone into the value: '2026-11-22T10:00:00+02:00'"
	}
	if message != "" && r.err == nil {
		r.err = fail(r.source, t.start, message)
	}
}

// isName says whether the word at the front of in is followed by what follows a name.
func (t token) isName(r *preparation) bool {
	return len(r.in) == 1 || r.in[1].kind == symbolToken && !r.in[1].is("(") || r.in[1].is("FROM") || r.in[1].is("AS")
}

func (r *preparation) kindAt(i int) kind {
	if i >= len(r.in) {
		return symbolToken
	}
	return r.in[i].kind
}

// words says whether these words and symbols come next.
func (r *preparation) words(list ...string) bool {
	if len(r.in) < len(list) {
		return false
	}
	for i, w := range list {
		if !r.in[i].is(w) {
			return false
		}
	}
	return true
}

// isTest rewrites IS [NOT] DISTINCT FROM, and IS [NOT] TRUE and FALSE, whose right side stays.
func (r *preparation) isTest() bool {
	operator, taken := isNotDistinctFrom, 1
	if r.words("IS", "NOT") {
		operator, taken = isDistinctFrom, 2
	}
	rest := *r
	rest.in = r.in[taken:]
	switch {
	case rest.words("DISTINCT", "FROM"):
		taken += 2
		if operator == isDistinctFrom {
			operator = isNotDistinctFrom
		} else {
			operator = isDistinctFrom
		}
	case rest.words("TRUE"), rest.words("FALSE"):
	default:
		return false
	}
	r.out = append(r.out, token{kind: symbolToken, start: r.in[0].start, end: r.in[0].end, text: operator, upper: operator})
	r.in = r.in[taken:]
	return true
}

// interval takes INTERVAL '15' MINUTE, INTERVAL 15 MINUTE or INTERVAL '15 minutes', and leaves the value.
func (r *preparation) interval() {
	value, text := r.in[1], r.in[1].text
	taken := 2
	if !strings.ContainsFunc(text, isWordStart) {
		if r.kindAt(2) != wordToken {
			r.err = fail(r.source, value.end, "expected a unit of time: "+unitList)
			return
		}
		text += " " + r.in[2].text
		taken = 3
	}
	span, err := parseInterval(text)
	if err != nil {
		r.err = fail(r.source, value.start, err.Error())
		return
	}
	r.spans[len(r.out)] = span
	r.out = append(r.out, value)
	r.in = r.in[taken:]
}

// checkDepth bounds what the library's recursion may be driven to.
func checkDepth(text string, tokens []token) error {
	depth, row, intervals := 0, 0, 0
	for _, t := range tokens {
		row++
		switch {
		case t.is("(") || t.is("["):
			depth++
		case t.is(")") || t.is("]"):
			depth--
		case t.is("INTERVAL"):
			intervals++
		}
		if !t.is("NOT") {
			row = 0
		}
		if depth > maxDepth || row > maxDepth || intervals > maxDepth {
			return fail(text, t.start, fmt.Sprintf("more than %d nested parentheses and NOTs", maxDepth))
		}
	}
	return nil
}

// finish writes the text for the library.
func (r *preparation) finish() *prepared {
	p := &prepared{source: r.source, tokens: r.out, spans: r.spans, escape: r.escape, at: make(map[int]int, len(r.out)), ends: make(map[int]int, len(r.out))}
	b := []byte(strings.Repeat(" ", len(r.source)))
	for i, t := range r.out {
		p.at[t.start], p.ends[t.end] = i, i
		switch t.kind {
		case stringToken:
			standIn(b[t.start:t.end], '\'')
			p.at[t.start+1] = i
		case quotedToken:
			standIn(b[t.start:t.end], '`')
			p.at[t.start+1] = i
		case wordToken:
			for j := t.start; j < t.end; j++ {
				if b[j] = r.source[j]; b[j] >= 0x80 {
					b[j] = '_'
				}
			}
		default:
			copy(b[t.start:t.end], t.text)
		}
	}
	p.text = string(b)
	return p
}

// standIn fills a quoted token with letters.
func standIn(b []byte, quote byte) {
	for i := range b {
		b[i] = 'q'
	}
	b[0], b[len(b)-1] = quote, quote
}
