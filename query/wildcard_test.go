package query

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWildcardsMatchAsWritten compares with a matcher that tries every way.
func TestWildcardsMatchAsWritten(t *testing.T) {
	var matches func(w Wildcards, text string) bool
	matches = func(w Wildcards, text string) bool {
		switch {
		case len(w) == 0:
			return text == ""
		case w[0].Any == AnyCharacter:
			return text != "" && matches(w[1:], text[1:])
		case w[0].Any == AnyText:
			return matches(w[1:], text) || text != "" && matches(w, text[1:])
		}
		return strings.HasPrefix(text, w[0].Text) && matches(w[1:], text[len(w[0].Text):])
	}
	texts := []string{"", "a", "b", "ab", "ba", "aab", "a.b", "a\nb", "abab", "A"}
	var patterns []string
	for _, a := range []string{"", "a", "*", "?", "."} {
		for _, b := range []string{"", "a", "b", "*", "?"} {
			for _, c := range []string{"", "b", "*", "?"} {
				patterns = append(patterns, a+b+c, a+b+c+"*")
			}
		}
	}
	c := Col("c")
	for _, pattern := range patterns {
		var w Wildcards
		for _, r := range pattern {
			switch r {
			case '*':
				w.AddAny(AnyText)
			case '?':
				w.AddAny(AnyCharacter)
			default:
				w.Add(string(r))
			}
		}
		for _, fold := range []bool{false, true} {
			p := w.Match(c, fold)
			for _, text := range texts {
				want := matches(w, text)
				if fold {
					want = matches(w, strings.ToLower(text))
				}
				var got bool
				switch p := p.(type) {
				case Equal:
					got = text == p.Value
				case Prefix:
					got = strings.HasPrefix(text, p.Text)
				case Contains:
					got = strings.Contains(text, p.Text)
				case Not:
					got = true
				case Regexp:
					got = regexp.MustCompile(p.Expr).MatchString(text)
				}
				require.Equal(t, want, got, "%q is %s: %q", pattern, p, text)
			}
		}
	}
}

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]any{
		"5": int64(5), "-5": int64(-5), "+5": int64(5), "007": int64(7), "1.0": int64(1), "1.50": 1.5, "-0.25": -0.25, ".5": 0.5, "2e3": 2000.0, "1E-3": 0.001,
		"9223372036854775807": int64(math.MaxInt64), "9223372036854775808": json.Number("9223372036854775808"), "12345678901234567891": json.Number("12345678901234567891"),
		"0.1234567890123456789": json.Number("0.1234567890123456789"), "18446744073709551616.00": json.Number("18446744073709551616"), "-0": int64(0),
	} {
		got, ok := ParseNumber(text)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "x", "0x10", "1_000", "Inf", "NaN", "1e999", "1.2.3", "--5", "+-5"} {
		got, ok := ParseNumber(text)
		require.False(t, ok, "%s: %v", text, got)
	}
}
