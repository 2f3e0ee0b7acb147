package expression

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func FuzzParse(f *testing.F) {
	for _, text := range []string{"status", `"a ""b"`, "map_keys(attrs)", "element_at(attrs,'k')", "attrs['it''s']", "json_extract(log_msg,'$.a[0][''x y'']')"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			require.ErrorIs(t, err, ErrSyntax)
			return
		}
		again, err := Parse(e.String())
		require.NoError(t, err, e.String())
		require.Equal(t, e, again)
	})
}

// FuzzExtract compares with encoding/json whether a text is valid, and, for a path of one name, what is there.
func FuzzExtract(f *testing.F) {
	for _, text := range []string{`{"a":1}`, `{"a":"\ud83d\ude00\u12"}`, `[1,2,{"a":-0.5e+3}]`, ` "x" `, `{"a":{"b":[true,null]},"a":3}`, "{", "01", "\"\x01\""} {
		f.Add([]byte(text), "$.a")
	}
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		p, err := ParsePath(path)
		if err != nil {
			return
		}
		var s Scratch
		got := p.Extract(text, &s)
		if got != nil {
			require.True(t, json.Valid(text), "%q", text)
		}
		root, _ := ParsePath("$")
		var v any
		err = json.Unmarshal(text, &v)
		if strings.Count(string(text), "[")+strings.Count(string(text), "{") > maxDepth || !utf8.Valid(text) {
			return
		}
		found := root.Extract(text, &s)
		switch v := v.(type) {
		case string:
			require.Equal(t, v, string(found))
		case float64, bool:
			require.NotNil(t, found, "%q", text)
		default:
			require.Nil(t, found, "%q", text)
		}
		if object, ok := v.(map[string]any); ok && err == nil && len(p.steps) == 1 && got != nil && !p.steps[0].isIndex {
			require.Contains(t, object, p.steps[0].name)
		}
	})
}
