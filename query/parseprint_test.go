package query

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// randomText makes a short text of characters that mean something in the language, and others.
func randomText(r *rand.Rand) string {
	const alphabet = `ab9_:/.*()"\ -=@é日<>[]{}~|,$'` + "\t\n\xffk"
	if r.IntN(6) == 0 {
		special := []string{
			"AND", "OR", "NOT", "*", "//x", "http://x", "a:b", "a\xffb", "last", "15m", "now", "now-5m", "in", "TO", "/a/", "/a", "->", ">=", "5", "-5", "1e9", "2026-11-22",
			"by", "count()", "|", `\Qa\/`, "attrs.x", "log_msg", "[a", "~", `="`,
		}
		return special[r.IntN(len(special))]
	}
	runes := []rune(alphabet)
	var b strings.Builder
	for range 1 + r.IntN(6) {
		b.WriteRune(runes[r.IntN(len(runes))])
	}
	return b.String()
}

func randomColumn(r *rand.Rand) Column {
	switch r.IntN(9) {
	case 0:
		return Attr("k" + randomText(r))
	case 1:
		return Col("a.b-@c-")
	case 2:
		return Attr("größe 9")
	case 3:
		return JSONPath("log_msg", "$.a['b c'][0]")
	case 4:
		return Col("x" + randomText(r))
	case 5, 6:
		return Col("log_msg")
	case 7:
		return Col("_timestamp")
	default:
		return Col("level")
	}
}

// randomOperand makes a value of Compare, in normal form or not.
func randomOperand(r *rand.Rand) any {
	switch r.IntN(8) {
	case 0:
		return r.Int64() >> r.IntN(64)
	case 1:
		return math.Float64frombits(r.Uint64())
	case 2:
		return Ago(r.Int64()>>r.IntN(64)) * Ago(1+r.IntN(2)*2-1)
	case 3:
		return time.UnixMicro(r.Int64N(1 << 51))
	case 4:
		return []any{uint8(5), true, float32(0.1), math.Inf(1), math.MinInt64, -0x1p63, 0x1p63, 1e300, uint64(math.MaxUint64), []byte("x"), Ago(-1 << 63)}[r.IntN(11)]
	default:
		return randomText(r)
	}
}

// randomPrintable makes any predicate that can be bound to some table.
func randomPrintable(r *rand.Rand, depth int) Predicate {
	n := 13
	if depth > 0 {
		n = 18
	}
	list := func() []Predicate {
		l := make([]Predicate, r.IntN(4))
		for i := range l {
			l[i] = randomPrintable(r, depth-1)
		}
		return l
	}
	c := randomColumn(r)
	switch r.IntN(n) {
	case 0:
		return All{}
	case 1:
		return HasToken{c, randomText(r)}
	case 2:
		return Phrase{c, randomText(r)}
	case 3:
		return Equal{c, []any{randomText(r), "", 5, 1.5, true, time.UnixMicro(5)}[r.IntN(6)]}
	case 4:
		return In{c, []any{randomText(r), "", randomText(r), 7}[:r.IntN(5)]}
	case 5, 6:
		return Compare{c, []Op{Less, LessOrEqual, Greater, GreaterOrEqual}[r.IntN(4)], randomOperand(r)}
	case 7:
		return Between{c, randomOperand(r), randomOperand(r)}
	case 8:
		return IsNull{c}
	case 9:
		return Prefix{c, randomText(r)[1:]}
	case 10:
		return Contains{c, randomText(r)[1:]}
	case 11:
		return TokenPrefix{c, randomText(r)}
	case 12:
		exprs := []string{"", " ", "a/b", `a\/b`, `\Qa\/b`, `[/]`, `a\\/`, "a b ", `\d+(x|y)* z`, `(?i)k\ `, "/", `\x{2f}\n`, "^a$|\t", "日é/"}
		return Regexp{c, exprs[r.IntN(len(exprs))]}
	case 13, 14:
		return And(list())
	case 15, 16:
		return Or(list())
	default:
		return Not{randomPrintable(r, depth-1)}
	}
}

func randomQuery(r *rand.Rand) Query {
	q := Query{Where: randomPrintable(r, 3)}
	if r.IntN(2) == 0 {
		q.Limit = r.IntN(3) * 10
	}
	name := func() string { return []string{"", "", "p99", "odd name", "by", randomText(r)}[r.IntN(6)] }
	columns := make([]Column, 1+r.IntN(3))
	for i := range columns {
		columns[i] = randomColumn(r)
	}
	if r.IntN(2) == 0 {
		q.Columns = columns[:r.IntN(len(columns)+1)]
		for _, c := range columns[:r.IntN(len(columns)+1)] {
			q.OrderBy = append(q.OrderBy, Sort{c, r.IntN(2) == 0})
		}
		return q
	}
	names := map[string]bool{}
	for _, c := range columns {
		a := Aggregate{Function: functions[r.IntN(len(functions))], Column: c, Quantile: r.Float64(), As: name()}
		if a.Function == FuncCount && r.IntN(2) == 0 {
			a.Column = Column{}
		}
		if a = a.normalize(); !names[a.Name()] {
			q.Aggregates = append(q.Aggregates, a)
			names[a.Name()] = true
		}
		g := Group{Column: randomColumn(r), As: name()}
		if r.IntN(2) == 0 {
			g.Every = []Interval{{1, Hour}, {90, Second}, {48, Hour}, {1, Month}, {1, Week}, {0, Year}}[r.IntN(6)]
		}
		if g = g.normalize(); !names[g.Name()] {
			q.GroupBy = append(q.GroupBy, g)
			names[g.Name()] = true
		}
	}
	for n := range names {
		if r.IntN(3) == 0 {
			q.OrderBy = append(q.OrderBy, Sort{Col(n), r.IntN(2) == 0})
		}
		if r.IntN(3) == 0 {
			q.Columns = append(q.Columns, Col(n))
		}
	}
	return q
}

func TestPrintedQuestionsParseToTheirNormalForm(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 4_000 {
		q := randomQuery(r)
		want := q.Normalize()
		require.Equal(t, want, want.Normalize(), "%#v", q)
		got, err := ParseQuery(want.String())
		require.NoError(t, err, "%s  of  %#v", want, q)
		require.Equal(t, want, got, "%s", want)
		require.Equal(t, want.String(), q.String())
		require.Equal(t, text(want.Where), text(got.Where))
		if p, err := Parse(text(q.Where)); true { // what is not in normal form prints so that it means the same
			require.NoError(t, err, "%s  of  %#v", q.Where, q.Where)
			require.Equal(t, want.Where, Normalize(p), "%s", q.Where)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`a "b c" OR NOT (level:x attrs.y:"z")`, `\(x\) a\:b http://x *`, `x:\//y "a\"b"`, "((((", ":", `\`, `conn* ~"x y" /re\/x/ -w host:web* last 15m`,
		`x:[1 TO "b"} x:(a OR -"b") x>=5 t<now-1h x:in(a, "b") x:* host:="a"*`, `a | stats count(), quantile(0.9, x) as p by bucket(_timestamp, 1h) | sort p desc | limit 5 | fields p`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			require.ErrorIs(t, err, ErrSyntax)
			require.NotEmpty(t, err.Error())
		} else {
			again, err := Parse(p.String())
			require.NoError(t, err, "printed: %s", p)
			require.Equal(t, Normalize(p), Normalize(again), "printed: %s", p)
		}
		q, err := ParseQuery(text)
		if err != nil {
			require.ErrorIs(t, err, ErrSyntax)
			require.NotEmpty(t, err.Error())
			return
		}
		require.True(t, reflect.DeepEqual(q, q.Normalize()))
		again, err := ParseQuery(q.String())
		require.NoError(t, err, "printed: %s", q)
		require.Equal(t, q, again, "printed: %s", q)
	})
}
