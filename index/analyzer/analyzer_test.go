package analyzer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeeps(t *testing.T) {
	a, err := New(Params{StopWords: StopWordsEnglishLog})
	require.NoError(t, err)
	for token, want := range map[string]bool{
		"":                       false,
		"the":                    false,
		"info":                   false,
		"error":                  true,
		"x":                      true,
		"12":                     false,
		"123":                    true,
		"0x":                     true,
		"1_":                     true,
		"\u0663":                 true, // only ASCII digits are trimmed
		strings.Repeat("a", 40):  true,
		strings.Repeat("a", 41):  false,
		strings.Repeat("a", 400): false,
	} {
		require.Equal(t, want, a.Keeps([]byte(token)), "%q", token)
	}

	all, err := New(Params{StopWords: StopWordsNone, MinDigits: 1, MaxTokenBytes: 255})
	require.NoError(t, err)
	for _, token := range []string{"the", "1", strings.Repeat("a", 255)} {
		require.True(t, all.Keeps([]byte(token)), "%q", token)
	}
}

func TestStopWordsAreFoldedTokens(t *testing.T) {
	words := stopWords()[StopWordsEnglishLog]
	require.Len(t, words, 114, "the list belongs to version 1 and must not change")
	a, err := New(Params{StopWords: StopWordsEnglishLog})
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, w := range words {
		require.Equal(t, []string{w}, Split(w))
		require.False(t, a.Keeps([]byte(w)), w)
		require.False(t, seen[w], "%q is twice in the list", w)
		seen[w] = true
	}
}

func TestParams(t *testing.T) {
	a, err := New(Params{})
	require.NoError(t, err)
	require.Equal(t, Params{MaxTokenBytes: 40, StopWords: "none", MinDigits: 3}, a.Params())
	for _, p := range []Params{{MaxTokenBytes: -1}, {MaxTokenBytes: 256}, {MinDigits: -1}, {StopWords: "klingon"}} {
		_, err := New(p)
		require.ErrorIs(t, err, ErrInvalidParams)
	}
}

func TestLoad(t *testing.T) {
	a, err := New(Params{MinDigits: 5, StopWords: "none"})
	require.NoError(t, err)
	stored, err := json.Marshal(a.Params())
	require.NoError(t, err)
	b, err := Load(a.Name(), a.Version(), stored)
	require.NoError(t, err)
	require.Equal(t, a.Params(), b.Params())

	for _, c := range []struct {
		name    string
		version int
		params  string
	}{
		{"text", 2, "{}"}, {"text", 0, "{}"}, {"cjk", 1, "{}"}, {"text", 1, ""}, {"text", 1, "[]"}, {"text", 1, `{"x":1}`},
		{"text", 1, `{} {}`}, {"text", 1, `{"min_digits":-3}`}, {"text", 1, `{"stop_words":"klingon"}`},
	} {
		_, err := Load(c.name, c.version, []byte(c.params))
		require.ErrorIs(t, err, ErrUnknownAnalyzer, "%+v", c)
	}
}
