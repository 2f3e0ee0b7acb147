package sql

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/query"
)

// row holds the values of the columns a, b and c; one that is not there is null.
type row map[string]string

// truth is SQL's: true, false or unknown.
type truth int

const (
	isFalse truth = iota
	isUnknown
	isTrue
)

func (t truth) not() truth { return isTrue - t }

func known(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

// condition is a random condition: its text, and its truth for a row, as the standard has it.
type condition struct {
	text string
	eval func(row) truth
}

// on makes a condition on a value that is not null.
func on(column, text string, eval func(v string) bool) condition {
	return condition{text, func(r row) truth {
		v, ok := r[column]
		if !ok {
			return isUnknown
		}
		return known(eval(v))
	}}
}

var values = []string{"", "x", "y", "xy", "x y", "X"}

func randomLeaf(r *rand.Rand) condition {
	c := string("abc"[r.IntN(3)])
	v, w := values[r.IntN(len(values))], values[r.IntN(len(values))]
	maybeNot, negate := "", func(b bool) bool { return b }
	if r.IntN(2) == 0 {
		maybeNot, negate = "NOT ", func(b bool) bool { return !b }
	}
	switch r.IntN(13) {
	case 0:
		return on(c, fmt.Sprintf("%s = '%s'", c, v), func(got string) bool { return got == v })
	case 1:
		return on(c, fmt.Sprintf("'%s' <> %s", v, c), func(got string) bool { return got != v })
	case 2:
		return on(c, fmt.Sprintf("%s < '%s'", c, v), func(got string) bool { return got < v })
	case 3:
		return on(c, fmt.Sprintf("'%s' <= %s", v, c), func(got string) bool { return v <= got })
	case 4:
		return on(c, fmt.Sprintf("%s %sIN ('%s', '%s')", c, maybeNot, v, w), func(got string) bool { return negate(got == v || got == w) })
	case 5:
		return on(c, fmt.Sprintf("%s %sBETWEEN '%s' AND '%s'", c, maybeNot, v, w), func(got string) bool { return negate(v <= got && got <= w) })
	case 6:
		return on(c, fmt.Sprintf("%s %sLIKE '%s%%'", c, maybeNot, v), func(got string) bool { return negate(strings.HasPrefix(got, v)) })
	case 7:
		return on(c, fmt.Sprintf("%s %sILIKE '%%%s%%'", c, maybeNot, v), func(got string) bool {
			return negate(strings.Contains(strings.ToLower(got), strings.ToLower(v)))
		})
	case 8:
		return on(c, fmt.Sprintf("has_token(%s, 'X')", c), func(got string) bool { return strings.Contains(" "+strings.ToLower(got)+" ", " x ") })
	case 9:
		return condition{c + " IS NULL", func(r row) truth { _, ok := r[c]; return known(!ok) }}
	case 10:
		return condition{c + " IS NOT NULL", func(r row) truth { _, ok := r[c]; return known(ok) }}
	case 11:
		return condition{fmt.Sprintf("%s IS %sDISTINCT FROM '%s'", c, maybeNot, v), func(r row) truth {
			got, ok := r[c]
			return known(negate(!ok || got != v))
		}}
	default:
		return on(c, fmt.Sprintf("%s LIKE '%s_%%'", c, v), func(got string) bool { return strings.HasPrefix(got, v) && got != v })
	}
}

func randomCondition(r *rand.Rand, depth int) condition {
	if depth == 0 || r.IntN(4) == 0 {
		return randomLeaf(r)
	}
	x, y := randomCondition(r, depth-1), randomCondition(r, depth-1)
	switch r.IntN(5) {
	case 0:
		return condition{"NOT (" + x.text + ")", func(r row) truth { return x.eval(r).not() }}
	case 1:
		return condition{"(" + x.text + ") IS NOT TRUE", func(r row) truth { return known(x.eval(r) != isTrue) }}
	case 2, 3:
		return condition{"(" + x.text + ") AND (" + y.text + ")", func(r row) truth { return min(x.eval(r), y.eval(r)) }}
	default:
		return condition{"(" + x.text + ") OR (" + y.text + ")", func(r row) truth { return max(x.eval(r), y.eval(r)) }}
	}
}

// expressions keeps what was compiled.
var expressions = map[string]*regexp.Regexp{}

func compiled(expr string) *regexp.Regexp {
	if expressions[expr] == nil {
		expressions[expr] = regexp.MustCompile(expr)
	}
	return expressions[expr]
}

// holds is the two-valued truth of a predicate, as package query defines it.
func holds(p query.Predicate, r row) bool {
	on := func(c query.Column, test func(v string) bool) bool {
		v, ok := r[c.Name]
		return ok && test(v)
	}
	switch p := p.(type) {
	case query.All:
		return true
	case query.Not:
		return !holds(p.X, r)
	case query.And:
		for _, x := range p {
			if !holds(x, r) {
				return false
			}
		}
		return true
	case query.Or:
		for _, x := range p {
			if holds(x, r) {
				return true
			}
		}
		return false
	case query.IsNull:
		return !on(p.Column, func(string) bool { return true })
	case query.Equal:
		return on(p.Column, func(v string) bool { return v == p.Value })
	case query.In:
		return on(p.Column, func(v string) bool {
			for _, x := range p.Values {
				if v == x {
					return true
				}
			}
			return false
		})
	case query.Compare:
		want, _ := p.Value.(string)
		return on(p.Column, func(v string) bool {
			return map[query.Op]bool{"<": v < want, "<=": v <= want, ">": v > want, ">=": v >= want}[p.Op]
		})
	case query.Between:
		low, _ := p.Low.(string)
		high, _ := p.High.(string)
		return on(p.Column, func(v string) bool { return low <= v && v <= high })
	case query.Prefix:
		return on(p.Column, func(v string) bool { return strings.HasPrefix(v, p.Text) })
	case query.Contains:
		return on(p.Column, func(v string) bool { return strings.Contains(v, p.Text) })
	case query.Regexp:
		return on(p.Column, compiled(p.Expr).MatchString)
	case query.Phrase: // of one token: HasToken of a column that is not log_msg
		return on(p.Column, func(v string) bool {
			for _, token := range analyzer.Split(v) {
				if strings.EqualFold(token, p.Text) {
					return true
				}
			}
			return false
		})
	}
	panic(fmt.Sprintf("%T", p))
}

// TestNullsMeanWhatSQLSays compares with a naive three-valued evaluator: a row is found if the condition is true for it, and not if it is false or unknown.
func TestNullsMeanWhatSQLSays(t *testing.T) {
	var rows []row
	all := append([]string{"null"}, values...)
	for _, a := range all {
		for _, b := range all {
			for _, c := range []string{"null", "x"} {
				r := row{}
				for name, v := range map[string]string{"a": a, "b": b, "c": c} {
					if v != "null" {
						r[name] = v
					}
				}
				rows = append(rows, r)
			}
		}
	}
	const seed = 6
	random := rand.New(rand.NewPCG(seed, 0))
	naive, unknown := 0, 0
	for range 1500 {
		c := randomCondition(random, random.IntN(4))
		q, err := Parse("SELECT * FROM t WHERE " + c.text)
		require.NoError(t, err, c.text)
		for _, r := range rows {
			want := c.eval(r)
			if (want == isTrue) != holds(q.Where, r) {
				require.Fail(t, "another answer", "seed %d: %s is %v for %v, but %s", seed, c.text, want, r, q.Where)
			}
			if want == isUnknown {
				unknown++
			}
		}
		// The control: NOT taken as that of package query gives other answers.
		for _, r := range rows {
			if (c.eval(r).not() == isTrue) != holds(query.Not{X: q.Where}, r) {
				naive++
			}
		}
	}
	require.Positive(t, unknown)
	require.Positive(t, naive, "the control that must fail does not")
}
