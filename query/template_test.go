package query

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index/analyzer"
)

func TestTemplate(t *testing.T) {
	for text, want := range map[string]string{
		"":                                         "",
		"connection refused":                       "connection refused",
		"user 42 took 3.5 ms":                      "user <num> took <num> ms",
		"took 12ms, 1,234 rows":                    "took <num>, <num> rows",
		"list: 1, 2, 3 of [4,5,6]":                 "list: <num>, <num>, <num> of [<num>]",
		"from 10.0.0.1:8080 port -5":               "from <ip>:<num> port -<num>",
		"addr fe80::1ff:fe23:4567:890a%eth0 ::1":   "addr <ip>%<id> ::<num>",
		"std::vector a::b":                         "std::vector a::b",
		"at 2026-11-22T10:00:00.123Z x":            "at <time> x",
		"at 2026-11-22 10:00:00,123 +0100 x":       "at <time> x",
		"on 2026-11-22 at 10:00:01":                "on <time> at <time>",
		"id 123e4567-e89b-12d3-a456-426614174000.": "id <uuid>.",
		"ptr 0xDEADBEEF sha da39a3ee5e6b4b0d3255bfef95601890afd80709": "ptr <hex> sha <hex>",
		"pod web-7f9c6d5b8-x2x4z on node-3":                           "pod web-<id> on node-<num>",
		"v1.2.3 of service2":                                          "<id> of <id>",
		"blk_-1608999687919862906":                                    "blk_-<num>",
		"[22/Nov/2026:10:00:00 +0000]":                                "[<num>/Nov/<num>:<time>]",
		"a\n\tb\x00c":                                                 "a b c",
		"bad \xff byte":                                               "bad \ufffd byte",
		strings.Repeat("x", 41) + " y":                                "<id> y",
		"größe ٣ 日本5":                                                 "größe ٣ <id>",
		"k=v5&n=17 100% #3":                                           "k=<id>&n=<num> <num>% #<num>",
	} {
		require.Equal(t, want, Template(text), "%q", text)
	}
}

// checkTemplate: no digit is left, the words are those of the text, and a template is its own template.
func checkTemplate(t *testing.T, text string) {
	t.Helper()
	got := Template(text)
	require.False(t, strings.ContainsAny(got, decimals), "%q of %q", got, text)
	require.LessOrEqual(t, strings.Count(got, "\n"), 0)
	words := map[string]bool{}
	for _, token := range analyzer.Split(text) {
		words[token] = true
	}
	plain := strings.NewReplacer(placeTime, " ", placeIP, " ", placeUUID, " ", placeHex, " ", placeNum, " ", placeID, " ").Replace(got)
	for _, token := range analyzer.Split(plain) {
		require.True(t, words[token] && analyzer.WordToken([]byte(token)), "%q is in %q, template of %q", token, got, text)
	}
	require.Equal(t, got, Template(got), "%q", text)
}

func TestTemplateOfRandomTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(770, 0))
	pieces := []string{"a", "b5", "12", "2026-11-22", "10:00:00", "T", "Z", ":",
		"::", ".", "-", " ", "/", ",", "f", "é", "\xff", "0x", "日本", "10.0.0.1", "\n", "_", "+01:00"}
	for range 5000 {
		var text strings.Builder
		for range r.IntN(14) {
			text.WriteString(pieces[r.IntN(len(pieces))])
		}
		checkTemplate(t, text.String())
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("user 42 from 10.0.0.1:80 at 2026-11-22T10:00:00Z")
	f.Fuzz(func(t *testing.T, text string) { checkTemplate(t, text) })
}
