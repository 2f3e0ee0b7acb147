package query

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func msg(text string) HasToken { return HasToken{Col("log_msg"), text} }

func TestParse(t *testing.T) {
	for text, want := range map[string]Predicate{
		"*":                            All{},
		" error ":                      msg("error"),
		"a b":                          And{msg("a"), msg("b")},
		"a AND b":                      And{msg("a"), msg("b")},
		"a OR b c":                     Or{msg("a"), And{msg("b"), msg("c")}},
		"a OR b OR c":                  Or{msg("a"), msg("b"), msg("c")},
		"(a OR b) c":                   And{Or{msg("a"), msg("b")}, msg("c")},
		"NOT a b":                      And{Not{msg("a")}, msg("b")},
		"NOT (a b)":                    Not{And{msg("a"), msg("b")}},
		"a NOT b":                      And{msg("a"), Not{msg("b")}},
		"a AND(b)":                     And{msg("a"), msg("b")},
		"NOT NOT a":                    Not{Not{msg("a")}},
		"((a))":                        msg("a"),
		"and or not":                   And{msg("and"), msg("or"), msg("not")},
		`"AND"`:                        Phrase{Col("log_msg"), "AND"},
		"log_msg:AND":                  msg("AND"),
		"ANDROID":                      msg("ANDROID"),
		`"a phrase, here"`:             Phrase{Col("log_msg"), "a phrase, here"},
		`foo"bar baz"`:                 And{msg("foo"), Phrase{Col("log_msg"), "bar baz"}},
		"level:ERROR":                  Equal{Col("level"), "ERROR"},
		"status:500":                   Equal{Col("status"), "500"},
		"attrs.pod:x-1":                Equal{Attr("pod"), "x-1"},
		"attrs.größe:5":                Equal{Attr("größe"), "5"},
		"attrs.9:5":                    Equal{Attr("9"), "5"},
		"größe:5":                      msg("größe:5"),
		"log_msg:word":                 msg("word"),
		`log_msg:"two words"`:          Phrase{Col("log_msg"), "two words"},
		`host:"web 1"`:                 Phrase{Col("host"), "web 1"},
		`host:""`:                      Equal{Col("host"), ""},
		`host:a\ b`:                    Equal{Col("host"), "a b"},
		"host:a:b":                     Equal{Col("host"), "a:b"},
		"http://x/y?a=b:c":             msg("http://x/y?a=b:c"),
		`x:\//y`:                       Equal{Col("x"), "//y"},
		"2013-05-04T10:00":             msg("2013-05-04T10:00"),
		"10.0.0.1:80":                  msg("10.0.0.1:80"),
		"/var/log/a.b":                 msg("/var/log/a.b"),
		"key=value,x[1]{2}":            msg("key=value,x[1]{2}"),
		`a\:b`:                         msg("a:b"),
		`a\:b:c`:                       Equal{Col("a:b"), "c"},
		`attrs.a\ b:c`:                 Equal{Attr("a b"), "c"},
		`\(x\)`:                        msg("(x)"),
		`C:\Users\bob`:                 Equal{Col("C"), `\Users\bob`},
		`\d+`:                          msg(`\d+`),
		`"C:\temp\\"`:                  Phrase{Col("log_msg"), `C:\temp\`},
		`"a \"b\" c"`:                  Phrase{Col("log_msg"), `a "b" c`},
		`\*`:                           msg("*"),
		"conn*":                        TokenPrefix{Col("log_msg"), "conn"},
		`"co nn"*`:                     TokenPrefix{Col("log_msg"), "co nn"},
		`log_msg:conn* host:"c"*`:      And{TokenPrefix{Col("log_msg"), "conn"}, TokenPrefix{Col("host"), "c"}},
		"/usr/lib/* *.c x*y":           And{msg("/usr/lib/*"), msg("*.c"), msg("x*y")},
		"host:web* host:a*b":           And{Prefix{Col("host"), "web"}, Equal{Col("host"), "a*b"}},
		`host:="a b"* host:="a"`:       And{Prefix{Col("host"), "a b"}, Equal{Col("host"), "a"}},
		`~"x y" host:~"x"`:             And{Contains{Col("log_msg"), "x y"}, Contains{Col("host"), "x"}},
		`/re d+\/x/ host:/a|b/`:        And{Regexp{Col("log_msg"), `re d+/x`}, Regexp{Col("host"), `a|b`}},
		"(/a/)":                        Regexp{Col("log_msg"), "a"},
		"/a/b / /c /d //e/ x:/e":       And{msg("/a/b"), msg("/"), msg("/c"), msg("/d"), msg("//e/"), Equal{Col("x"), "/e"}},
		"attrs.x>=500 y<-1.5":          And{Compare{Attr("x"), GreaterOrEqual, int64(500)}, Compare{Col("y"), Less, -1.5}},
		`x>"5" y<=1e3 z:>7`:            And{Compare{Col("x"), Greater, "5"}, Compare{Col("y"), LessOrEqual, int64(1000)}, Compare{Col("z"), Greater, int64(7)}},
		"_timestamp<2026-11-22":        Compare{Col("_timestamp"), Less, "2026-11-22"},
		"_timestamp>now-1h30m":         Compare{Col("_timestamp"), Greater, Ago(90 * time.Minute)},
		"t<=now t>now+1d":              And{Compare{Col("t"), LessOrEqual, Ago(0)}, Compare{Col("t"), Greater, Ago(-24 * time.Hour)}},
		"log_msg$.a.b>5":               Compare{JSONPath("log_msg", "$.a.b"), Greater, int64(5)},
		"x>y a->b a->5 <b> 5>4 =>":     And{msg("x>y"), msg("a->b"), msg("a->5"), msg("<b>"), msg("5>4"), msg("=>")},
		"status=500 x>=nowhere":        And{msg("status=500"), msg("x>=nowhere")},
		"last 15m":                     Compare{Col("_timestamp"), GreaterOrEqual, Ago(15 * time.Minute)},
		"last 15 m last":               And{msg("last"), msg("15"), msg("m"), msg("last")},
		"last 2wx 10:00:00":            And{msg("last"), msg("2wx"), msg("10:00:00")},
		"NOT last 1d b":                And{Not{Compare{Col("_timestamp"), GreaterOrEqual, Ago(24 * time.Hour)}}, msg("b")},
		"x:[1 TO 5]":                   Between{Col("x"), int64(1), int64(5)},
		`"größe":5 "9"$.a>5 "l m":"x"`: And{Equal{Col("größe"), "5"}, Compare{JSONPath("9", "$.a"), Greater, int64(5)}, Phrase{Col("l m"), "x"}},
		`"a">b`:                        And{Phrase{Col("log_msg"), "a"}, msg(">b")},
		`x:[ "1"  TO b]`:               Between{Col("x"), "1", "b"},
		"x:{1 TO 5]":                   And{Compare{Col("x"), Greater, int64(1)}, Compare{Col("x"), LessOrEqual, int64(5)}},
		"x:[1 TO *} x:[* TO *]":        And{Compare{Col("x"), GreaterOrEqual, int64(1)}, Not{IsNull{Col("x")}}},
		"t:[now-1d TO now}":            And{Compare{Col("t"), GreaterOrEqual, Ago(24 * time.Hour)}, Compare{Col("t"), Less, Ago(0)}},
		"x:[1] x:[a to b]":             And{Equal{Col("x"), "[1]"}, Equal{Col("x"), "[a"}, msg("to"), msg("b]")},
		"host:* NOT host:* -x:*":       And{Not{IsNull{Col("host")}}, IsNull{Col("host")}, IsNull{Col("x")}},
		`h:(a OR "b c" NOT d)`:         Or{Equal{Col("h"), "a"}, And{Phrase{Col("h"), "b c"}, Not{Equal{Col("h"), "d"}}}},
		`h:(w* (-~"x" /y/) x:z)`:       And{Prefix{Col("h"), "w"}, And{Not{Contains{Col("h"), "x"}}, Regexp{Col("h"), "y"}}, Equal{Col("h"), "x:z"}},
		"s:(>=500 <600) log_msg:(a b)": And{And{Compare{Col("s"), GreaterOrEqual, int64(500)}, Compare{Col("s"), Less, int64(600)}}, And{msg("a"), msg("b")}},
		`h:in(a, "b c",d) h:in()`:      And{In{Col("h"), []any{"a", "b c", "d"}}, In{Column: Col("h")}},
		`-a -"b c" -(d e) -l:x`:        And{Not{msg("a")}, Not{Phrase{Col("log_msg"), "b c"}}, Not{And{msg("d"), msg("e")}}, Not{Equal{Col("l"), "x"}}},
		`a - -- --x -/y/ \-z a-b`:      And{msg("a"), msg("-"), msg("--"), msg("--x"), Not{Regexp{Col("log_msg"), "y"}}, msg("-z"), msg("a-b")},
		"@timestamp:x _a:b a.b:c":      And{Equal{Col("@timestamp"), "x"}, Equal{Col("_a"), "b"}, Equal{Col("a.b"), "c"}},
		"日本 OR 語":                      Or{msg("日本"), msg("語")},
		"a\tb\n c":                     And{msg("a"), msg("b"), msg("c")},
		"attrs:x":                      Equal{Col("attrs"), "x"},
		"NOT level:a OR NOT (b c)":     Or{Not{Equal{Col("level"), "a"}}, Not{And{msg("b"), msg("c")}}},
	} {
		got, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestParseErrorsPointAtTheCharacter(t *testing.T) {
	for text, want := range map[string]struct {
		offset int
		says   string
	}{
		"":                {0, "empty"},
		"   ":             {0, "empty"},
		"a (b":            {2, "never closed"},
		"a b) c":          {3, "no ("},
		"a ()":            {3, "between the parentheses"},
		"AND a":           {0, "not an operator"},
		"a AND":           {5, "ends here"},
		"a AND OR b":      {6, "not an operator"},
		"a OR )":          {5, "before )"},
		"NOT":             {3, "ends here"},
		"level: x":        {6, `after "level:"`},
		"level:(a OR b":   {6, "never closed"},
		"level:()":        {7, "expected a value"},
		"level:(a | b)":   {9, "without pipes"},
		"web-1*":          {0, "one word"},
		"a host:*x*":      {7, "only at its end"},
		"a status >= 500": {9, "without spaces"},
		"a = b":           {2, "without spaces"},
		"x:[1 TO":         {7, "upper end"},
		"x:[1 TO ]":       {8, "upper end"},
		"x:[1 TO 5":       {9, "expected ]"},
		"x:[1 TO 5 6]":    {10, "expected ]"},
		"x:in(a":          {4, "never closed"},
		"x:in(a b)":       {7, "expected ,"},
		"x:in(a,,b)":      {7, "expected a value"},
		"ab /x[a/":        {5, "missing closing ]"},
		"ab host:/x(a/":   {9, "missing closing )"},
		"/(a{900}){9}/":   {9, "invalid repeat count"},
		`/(\pL{100}x{100}y{100}z{100}v{100}w{100}){10}/`: {0, "repeat less"},
		":x":        {0, "field name"},
		`a "b c`:    {2, "quote is never closed"},
		`""`:        {0, "phrase is empty"},
		`host:"b c`: {5, "quote is never closed"},
		`a\`:        {1, "after the backslash"},
		`x:\`:       {2, "after the backslash"},
		`"a\`:       {2, "after the backslash"},
	} {
		_, err := Parse(text)
		require.ErrorIs(t, err, ErrSyntax, text)
		var syntax *SyntaxError
		require.ErrorAs(t, err, &syntax, text)
		require.Equal(t, want.offset, syntax.Offset, "%s: %v", text, err)
		require.ErrorContains(t, err, want.says, text)
	}
	_, err := Parse("größe level:")
	require.EqualError(t, err, "syntax error in query at character 13: expected a value after \"level:\"; write \\: to search for the text itself\n"+
		"    größe level:\n"+
		"                ^")
	_, err = Parse(strings.Repeat("NOT ", 100_000) + "a")
	require.ErrorContains(t, err, "nested")
	_, err = Parse(strings.Repeat("(", 100_000) + "a")
	require.ErrorContains(t, err, "nested")
}

// randomExpressible returns a predicate that the text language can express.
func randomExpressible(r *rand.Rand, depth int) Predicate {
	text := func() string {
		const alphabet = `ab9_:/.*()"\ -=@é日` + "\t\xff"
		runes := []rune(alphabet)
		var b strings.Builder
		for range 1 + r.IntN(6) {
			b.WriteRune(runes[r.IntN(len(runes))])
		}
		if r.IntN(8) == 0 {
			return []string{"AND", "OR", "NOT", "*", "//x", "http://x", "a:b", "a\xffb"}[r.IntN(8)]
		}
		return b.String()
	}
	column := func() Column {
		switch r.IntN(4) {
		case 0:
			return Attr("k" + text())
		case 1:
			return Col("a.b-@c")
		case 2:
			return Attr("größe 9")
		default:
			return Col("level")
		}
	}
	list := func() []Predicate {
		l := make([]Predicate, 2+r.IntN(3))
		for i := range l {
			l[i] = randomExpressible(r, depth-1)
		}
		return l
	}
	n := 5
	if depth > 0 {
		n = 8
	}
	switch r.IntN(n) {
	case 0:
		return All{}
	case 1:
		return msg(text())
	case 2:
		return Phrase{Col("log_msg"), text()}
	case 3:
		return Phrase{column(), text()}
	case 4:
		if r.IntN(5) == 0 {
			return Equal{column(), ""}
		}
		return Equal{column(), text()}
	case 5:
		return And(list())
	case 6:
		return Or(list())
	default:
		return Not{randomExpressible(r, depth-1)}
	}
}

func TestPrintedPredicatesParseBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 8_000 {
		want := randomExpressible(r, 4)
		got, err := Parse(want.String())
		require.NoError(t, err, "%s  of  %#v", want, want)
		require.Equal(t, want, got, "%s", want)
	}
}

func TestPrintedForms(t *testing.T) {
	for want, p := range map[string]Predicate{
		`host:"x"`:                        HasToken{Col("host"), "x"},
		`status>=500`:                     Compare{Col("status"), GreaterOrEqual, 500},
		`attrs.status<"5"`:                Compare{Attr("status"), Less, "5"},
		`status:[1 TO 5]`:                 Between{Col("status"), 1, 5},
		`NOT host:*`:                      IsNull{Col("host")},
		`host:*`:                          Not{IsNull{Col("host")}},
		`host:web*`:                       Prefix{Col("host"), "web"},
		`~"a b"`:                          Contains{Col("log_msg"), "a b"},
		`level:in(a, b)`:                  In{Col("level"), []any{"a", "b"}},
		`level:in(a, "b c") AND x`:        And{In{Col("level"), []any{"a", "b c"}}, msg("x")},
		`NOT level:in(a, b)`:              Not{In{Col("level"), []any{"a", "b"}}},
		`NOT level:in(a)`:                 Not{In{Col("level"), []any{"a"}}},
		`level:in()`:                      In{Col("level"), nil},
		`NOT *`:                           Or{},
		`conn*`:                           TokenPrefix{Col("log_msg"), "conn"},
		`host:"conn"*`:                    TokenPrefix{Col("host"), "conn"},
		`/a\/b/`:                          Regexp{Col("log_msg"), "a/b"},
		`host:/a/`:                        Regexp{Col("host"), "a"},
		`last 15m`:                        Compare{Col("_timestamp"), GreaterOrEqual, Ago(15 * time.Minute)},
		`_timestamp<now-15m`:              Compare{Col("_timestamp"), Less, Ago(15 * time.Minute)},
		`_timestamp<1970-01-01T00:00:00Z`: Compare{Col("_timestamp"), Less, time.Unix(0, 0)},
		`log_msg:="a b"`:                  Equal{Col("log_msg"), "a b"},
		`*`:                               And{},
		`a AND NOT *`:                     And{msg("a"), Or{}},
		`(a OR b) AND c`:                  And{Or{msg("a"), msg("b")}, And{msg("c")}},
		`ok:true AND x:1.5 AND y:-3`:      And{Equal{Col("ok"), true}, Equal{Col("x"), 1.5}, Equal{Col("y"), int8(-3)}},
		`x:a\*`:                           Equal{Col("x"), "a*"},
		`a AND <nil>`:                     And{msg("a"), nil},
	} {
		require.Equal(t, want, p.String())
	}
}

// TestDocumentedTextsParse parses what docs/QUERY.md shows.
func TestDocumentedTextsParse(t *testing.T) {
	page, err := os.ReadFile("../docs/QUERY.md")
	require.NoError(t, err)
	texts := 0
	for _, line := range strings.Split(string(page), "\n") {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !strings.HasPrefix(line, "| ") || strings.Contains(line, "<code>") || strings.Contains(first, "ID") {
			continue
		}
		for i, part := range strings.Split(first, "`") {
			if i%2 == 1 {
				_, err := ParseQuery(part)
				require.NoError(t, err, part)
				texts++
			}
		}
	}
	require.Greater(t, texts, 20)
	_, err = ParseQuery("error -level:debug host:web* attrs.status>=500 last 15m | stats count() by level | sort by count() desc | limit 10")
	require.NoError(t, err)
	_, err = ParseQuery("level:[a TO b")
	require.Contains(t, string(page), strings.ReplaceAll("    "+err.Error(), "\n", "\n    "))
}
