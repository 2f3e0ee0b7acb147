package analyzer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// naiveTokens is the definition: rune by rune, with no tricks. The tokens are not folded.
func naiveTokens(text string) []string {
	var tokens []string
	var token strings.Builder
	flush := func() {
		if token.Len() > 0 {
			tokens = append(tokens, token.String())
			token.Reset()
		}
	}
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		invalid := r == utf8.RuneError && size == 1
		if !invalid && (r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)) {
			token.WriteRune(r)
		} else {
			flush()
		}
		text = text[size:]
	}
	flush()
	return tokens
}

func checkText(t *testing.T, text string) {
	t.Helper()
	want := naiveTokens(text)
	got := Split(text)
	require.Equal(t, len(want), len(got), "number of tokens of %.300q", text)
	for i := range want {
		if !strings.EqualFold(want[i], got[i]) || Fold(want[i]) != got[i] {
			require.Fail(t, "wrongly folded", "token %d of %.300q: %q, folded %q", i, text, want[i], got[i])
		}
	}

	// The batches hold the same tokens, and the bytes behind each token may be read.
	var s Scanner
	var batched []string
	s.Reset([]byte(text))
	for {
		folded, bounds, ok := s.NextBatch()
		if !ok {
			break
		}
		require.NotEmpty(t, bounds)
		for bounds.Len() > 0 {
			var start, end uint32
			start, end, bounds = bounds.Next()
			if int(end)+Padding > len(folded) {
				require.Fail(t, "no padding")
			}
			batched = append(batched, string(folded[start:end]))
		}
	}
	require.Equal(t, got, batched)
}

func TestScannerExamples(t *testing.T) {
	for text, want := range map[string][]string{
		"":                             nil,
		"   --  ":                      nil,
		"a":                            {"a"},
		"GET /index.html HTTP/1.1":     {"get", "index", "html", "http", "1", "1"},
		"user_id=42,_x":                {"user_id", "42", "_x"},
		"12345678":                     {"12345678"},
		"ABCDEFGH IJKLMNOP":            {"abcdefgh", "ijklmnop"},
		"caf\u00e9 CAF\u00c9":          {"caf\u00c9", "caf\u00c9"},
		"Kelvin \u212a k K":            {"kelvin", "k", "k", "k"},
		"long \u017f":                  {"long", "s"},
		"\u65e5\u672c\u8a9e\u3000text": {"\u65e5\u672c\u8a9e", "text"},
		"a\xffb\xc3(c":                 {"a", "b", "c"},
		"\ufffd x\ufffdy":              {"x", "y"},
		"\u0663\u0664 \u2167":          {"\u0663\u0664"},
		"\u03b9\u0399\u1fbe":           {"\u0399\u0399\u0399"},
		"e\u0301t\u00e9":               {"e", "t\u00c9"},
	} {
		require.Equal(t, want, Split(text), "%q", text)
		checkText(t, text)
	}
}

// TestScannerEveryRune puts each rune between, before and after letters.
func TestScannerEveryRune(t *testing.T) {
	var text strings.Builder
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		text.WriteRune(r)
		if r%7 == 0 {
			text.WriteString(" x")
		}
		if text.Len() > 1<<16 || r == unicode.MaxRune {
			checkText(t, text.String())
			text.Reset()
		}
	}
}

func TestFoldIsCanonical(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		f := foldRune(r)
		if foldRune(f) != f || utf8.RuneLen(f) > utf8.RuneLen(r) || isTokenRune(r) != isTokenRune(f) {
			require.Fail(t, "folded twice it changes, or it grew, or it left its class", "%U folds to %U", r, f)
		}
		for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
			if isTokenRune(o) == isTokenRune(r) && foldRune(o) != f {
				require.Fail(t, "one orbit, two folded forms", "%U and %U", r, o)
			}
		}
	}
	require.Equal(t, "stra\u00dfe", Fold("STRA\u1e9eE"))
	require.Equal(t, "a\xffb", Fold("A\xffB"))
}

// randomText mixes everything that has a path of its own: words, long runs, non-ASCII, invalid bytes, separators.
func randomText(rng *rand.Rand, pieces int) string {
	parts := []string{"a", "Z", "_", "0", "9", "error", "TIMEOUT", "4711", " ", "/", "=", "\u00e9", "\u0130", "\u017f", "\u212a", "\u03b9",
		"\u65e5\u672c", "\U00010400", "\U0001f600", "\xff", "\xc3", "\xe2\x82", "\u2028", "\u0301", "@[`{", "\x00", "\x7f"}
	var b strings.Builder
	for range pieces {
		p := parts[rng.IntN(len(parts))]
		repeat := 1
		if rng.IntN(40) == 0 {
			repeat = rng.IntN(2 * scanBlock)
		}
		b.WriteString(strings.Repeat(p, repeat))
	}
	return b.String()
}

func TestScannerAgainstDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		checkText(t, randomText(rng, rng.IntN(60)))
	}
	for n := range 300 {
		raw := make([]byte, n)
		for i := range raw {
			raw[i] = byte(rng.Uint32())
		}
		checkText(t, string(raw))
		for i := range raw {
			raw[i] &= 0x7f
		}
		checkText(t, string(raw))
	}
	for n := scanBlock - 20; n < scanBlock+20; n++ {
		checkText(t, strings.Repeat("x", n))
		checkText(t, strings.Repeat("x", n)+" y")
		checkText(t, strings.Repeat("x", n)+"\u65e5y")
		checkText(t, strings.Repeat(" ", n)+"y")
	}
}

func TestScannerIsReusable(t *testing.T) {
	var s Scanner
	rng := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		text := randomText(rng, rng.IntN(30))
		want := Split(text)
		s.Reset([]byte(text))
		for stop := rng.IntN(len(want) + 1); stop > 0; stop-- { // leave some of them
			_, ok := s.Next()
			require.True(t, ok)
		}
		s.Reset([]byte(text))
		var got []string
		for {
			if rng.IntN(3) == 0 {
				folded, bounds, ok := s.NextBatch()
				if !ok {
					break
				}
				for bounds.Len() > 0 {
					var start, end uint32
					start, end, bounds = bounds.Next()
					got = append(got, string(folded[start:end]))
				}
				continue
			}
			token, ok := s.Next()
			if !ok {
				break
			}
			got = append(got, string(token))
		}
		require.Equal(t, want, got, "%.300q", text)
	}
}

func TestScannerDoesNotAllocate(t *testing.T) {
	text := []byte(strings.Repeat("2026-11-22T10:00:00 ERROR caf\u00e9 \u65e5\u672c request_id=4711 failed ", 100))
	var s Scanner
	scan := func() {
		s.Reset(text)
		for {
			if _, ok := s.Next(); !ok {
				return
			}
		}
	}
	scan()
	require.Zero(t, testing.AllocsPerRun(10, scan))
}

func FuzzScanner(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		f.Add([]byte(randomText(rng, 20)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := slices.Clone(text)
		checkText(t, string(text))
		require.Equal(t, before, text)
	})
}

func BenchmarkScanner(b *testing.B) {
	ascii := []byte(strings.Repeat("2013-05-04 10:00:00,123 [http-nio-8080-exec-7] INFO  o.a.i.db.Storage:182 - Flushed 4711 points of root.sg_12 in 33 ms\n", 20))
	japanese := []byte(strings.Repeat("\u65e5\u672c\u8a9e\u306e\u30ed\u30b0 \u30a8\u30e9\u30fc ", 40))
	var s Scanner
	next := func(text []byte) func() {
		return func() {
			s.Reset(text)
			for {
				if _, ok := s.Next(); !ok {
					return
				}
			}
		}
	}
	b.Run("next", func(b *testing.B) { reportCPU(b, len(ascii), next(ascii)) })
	b.Run("unicode", func(b *testing.B) { reportCPU(b, len(japanese), next(japanese)) })
	b.Run("batch", func(b *testing.B) {
		reportCPU(b, len(ascii), func() {
			s.Reset(ascii)
			for {
				if _, _, ok := s.NextBatch(); !ok {
					return
				}
			}
		})
	})
}
