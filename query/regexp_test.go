package query

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index/analyzer"
)

func TestRegexpMatcherAgreesWithPackageRegexp(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	withEvidence, matches := 0, 0
	for range 4_000 {
		source := randomMessage(r, true)
		expr := randomExpr(r)
		if r.IntN(2) == 0 {
			expr = exprOf(r, source)
		}
		m, evidence, err := newRegexpMatcher(expr)
		require.NoError(t, err, expr)
		naive := regexp.MustCompile(expr)
		if evidence != nil {
			withEvidence++
		}
		for range 10 {
			text := randomMessage(r, false)
			if r.IntN(2) == 0 {
				text = source
			}
			want := naive.MatchString(text)
			require.Equal(t, want, m.match([]byte(text)), "%s in %q", expr, text)
			if !want || evidence == nil {
				continue
			}
			matches++
			have := analyzer.Split(text)
			require.True(t, slices.ContainsFunc(evidence, func(set []string) bool {
				return !slices.ContainsFunc(set, func(token string) bool { return !slices.Contains(have, token) })
			}), "%s matches %q without %q", expr, text, evidence)
		}
	}
	require.Greater(t, withEvidence, 200)
	require.Greater(t, matches, 200)
}

// exprOf makes a regular expression that matches the text as a rule.
func exprOf(r *rand.Rand, text string) string {
	runes := []rune(text)
	expr := []string{"", "", "(?i)", "^.*", "(?s)^.?"}[r.IntN(5)]
	for range 3 {
		if len(runes) == 0 {
			break
		}
		from := r.IntN(len(runes))
		to := from + 1 + r.IntN(len(runes)-from)
		part := regexp.QuoteMeta(string(runes[from:to]))
		part = []string{part, part, "(" + part + ")", "(x1 |" + part + ")", "(" + part + ")+", "(" + part + ")?"}[r.IntN(6)]
		if from > 0 && expr != "" {
			expr += "(?s:.*)"
		}
		expr += part
		runes = runes[to:]
	}
	return expr + []string{"", "", "", `\s*$`, `(\s|$)`, `\b`}[r.IntN(6)]
}

func TestRequiredLiterals(t *testing.T) {
	for expr, want := range map[string]struct {
		needles  string
		evidence string
	}{
		`connection refused`:           {"connection refused", "[]"},
		` connection refused `:         {" connection refused ", "[[connection refused]]"},
		`^connection refused$`:         {"connection refused", "[[connection refused]]"},
		`(?m)^error: .*timeout$`:       {"error: ", "[[error]]"},
		`\s+error\s+\d+`:               {"error", "[[error]]"},
		`=(GET|POST) /`:                {"=GET / =POST /", "[[get] [post]]"},
		`(?i) (refused|reset) by peer`: {"~ refused by peer ~ reset by peer", "[[by refused] [by reset]]"},
		`[Cc]onnection.reset!`:         {"~connection", "[]"},
		`colou?r`:                      {"color colour", "[]"},
		`a{3}bc`:                       {"aaabc", "[]"},
		`(ab)+x`:                       {"ab", "[]"},
		`x*|abc`:                       {"", "[]"},
		`.*`:                           {"", "[]"},
		`\bword\b`:                     {"word", "[]"},
		`a\x{fffd}bcd`:                 {"bcd", "[]"},
		`(?i)größe`:                    {"~gr", "[]"},
		`(abc.*d|efg.*hi)x`:            {"abc efg", "[]"},
	} {
		m, evidence, err := newRegexpMatcher(expr)
		require.NoError(t, err)
		var needles []string
		for _, n := range m.needles {
			needles = append(needles, string(n))
		}
		for _, n := range m.folded {
			needles = append(needles, "~"+n.text)
		}
		slices.Sort(needles)
		require.Equal(t, want.needles, strings.Join(needles, " "), expr)
		require.Equal(t, want.evidence, fmt.Sprint(evidence), expr)
	}
}

func TestRegexpsAreBounded(t *testing.T) {
	for expr, says := range map[string]string{
		strings.Repeat("a", 9_000):                     "bytes",
		`(\pL{100}x{100}y{100}z{100}v{100}w{100}){10}`: "repeat less",
		`((a{9}`:               "missing closing",
		`((a{100}){100}){100}`: "invalid repeat",
		`a**`:                  "invalid nested",
	} {
		_, err := compileRegexp(expr)
		require.ErrorContains(t, err, says, expr)
	}
	for _, expr := range []string{strings.Repeat("(a|b", 200) + strings.Repeat(")?", 200), strings.Repeat("(?i)k", 1_000), `((x{9}){9}|(y{8}){8}){8}`, `[^a]{900}`} {
		m, _, err := newRegexpMatcher(expr)
		require.NoError(t, err, expr)
		m.match([]byte("axxk"))
	}
}

// TestRegexpSizeBoundsPrograms compares the estimate with what is really compiled.
func TestRegexpSizeBoundsPrograms(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 500 {
		expr := randomExpr(r)
		tree, err := syntax.Parse(expr, syntax.Perl)
		require.NoError(t, err)
		program, err := syntax.Compile(tree.Simplify())
		require.NoError(t, err)
		require.LessOrEqual(t, len(program.Inst), 4*regexpSize(tree)+4, expr)
	}
}

func BenchmarkRegexp(b *testing.B) {
	rows := make([][]byte, 1000)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range rows {
		rows[i] = fmt.Appendf(nil, "2026-11-22 10:00:%02d INFO worker %d fetched block %x of node-%d in %d ms from cache", i%60, r.IntN(99), r.Uint64(), r.IntN(50), r.IntN(5000))
		if i%50 == 0 {
			rows[i] = append(rows[i], " connection refused"...)
		}
	}
	size := 0
	for _, row := range rows {
		size += len(row)
	}
	for _, expr := range []string{"refuse", `refuse[a-z]+$`, `(?i)REFUSED`, `conn\w+ refused`, `node-\d+ in \d{4} ms`} {
		m, _, err := newRegexpMatcher(expr)
		require.NoError(b, err)
		b.Run(expr, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				for _, row := range rows {
					m.match(row)
				}
			}
		})
	}
	p := newPrefixMatcher("conn")
	b.Run("conn*", func(b *testing.B) {
		b.SetBytes(int64(size))
		var s analyzer.Scanner
		for b.Loop() {
			for _, row := range rows {
				p.match(row, &s)
			}
		}
	})
}
