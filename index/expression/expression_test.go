package expression

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	path := func(text string) Path {
		p, err := ParsePath(text)
		require.NoError(t, err)
		return p
	}
	for text, want := range map[string]struct {
		e         Expression
		canonical string
	}{
		"status":                            {Expression{Column: "status"}, "status"},
		` "odd ""name" `:                    {Expression{Column: `odd "name`}, `"odd ""name"`},
		"map_keys( attrs )":                 {Expression{Function: MapKeys, Column: "attrs"}, "map_keys(attrs)"},
		"MAP_VALUES(attrs)":                 {Expression{Function: MapValues, Column: "attrs"}, "map_values(attrs)"},
		"element_at(attrs, 'it''s')":        {Expression{Function: ElementAt, Column: "attrs", Key: "it's"}, "element_at(attrs,'it''s')"},
		"attrs['id.orig_p']":                {Expression{Function: ElementAt, Column: "attrs", Key: "id.orig_p"}, "element_at(attrs,'id.orig_p')"},
		"attrs['']":                         {Expression{Function: ElementAt, Column: "attrs"}, "element_at(attrs,'')"},
		"json_extract(log_msg,'$.a[0].b')":  {Expression{Function: JSONExtract, Column: "log_msg", Path: path("$.a[0].b")}, "json_extract(log_msg,'$.a[0].b')"},
		`json_extract(m,'$["a"][''x y'']')`: {Expression{Function: JSONExtract, Column: "m", Path: path("$.a['x y']")}, "json_extract(m,'$.a[''x y'']')"},
		"json_extract(m,'$')":               {Expression{Function: JSONExtract, Column: "m", Path: path("$")}, "json_extract(m,'$')"},
		`"map_keys"`:                        {Expression{Column: "map_keys"}, "map_keys"},
	} {
		e, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want.e, e, text)
		require.Equal(t, want.canonical, e.String())
		again, err := Parse(e.String())
		require.NoError(t, err)
		require.True(t, e.Same(again))
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "expected a column",
		"lower(a)":                           "no function lower",
		"map_keys(a":                         "expected )",
		"element_at(a)":                      "expected a comma",
		"element_at(a,'b":                    "never closed",
		"a['b'":                              "expected ]",
		"a b":                                "at character 3: expected the end",
		`""`:                                 "the name is empty",
		"json_extract(a,'b.c')":              "must begin with $",
		"json_extract(a,'$.b[-1]')":          "at character 4",
		"json_extract(a,'$.b[99999999999]')": "at character 4",
		"json_extract(a,'$" + strings.Repeat(".a", 65) + "')": "64 of them at most",
	} {
		_, err := Parse(text)
		require.ErrorIs(t, err, ErrSyntax, text)
		require.ErrorContains(t, err, want)
	}
}

func TestExtract(t *testing.T) {
	deep := strings.Repeat("[", 512) + "7" + strings.Repeat("]", 512)
	for _, test := range []struct {
		text, path string
		want       string // "-" is null
	}{
		{`{"a":{"b":5}}`, "$.a.b", "5"},
		{`{"a":{"b":5}}`, "$.a", "-"},
		{`{"a":[1,{"b":"x"}]}`, "$.a[1].b", "x"},
		{`{"a":[1]}`, "$.a[1]", "-"},
		{`{"a":[1]}`, "$.a.b", "-"},
		{`{"a":{"0":1}}`, "$.a[0]", "-"},
		{` "x" `, "$", "x"},
		{`-1.50e+3`, "$", "-1.50e+3"},
		{`{"a":true,"b":false,"c":null}`, "$.a", "true"},
		{`{"a":true,"b":false,"c":null}`, "$.b", "false"},
		{`{"a":true,"b":false,"c":null}`, "$.c", "-"},
		{`{"a":1,"a":2}`, "$.a", "1"},
		{`{"a":null,"a":2}`, "$.a", "-"},
		{`{"a":{"x":1},"a":2}`, "$.a", "-"},
		{`{"a":""}`, "$.a", ""},
		{`{"a":"\u00e9\n\"\\\/\ud83d\ude00\ud83dx"}`, "$.a", "é\n\"\\/😀\ufffdx"},
		{`{"\u0061":1}`, "$.a", "1"},
		{`{"":1}`, "$['']", "1"},
		{`{"a.b":{"it's":1}}`, `$['a.b']['it\'s']`, "1"},
		{`{"a":1}x`, "$.a", "-"},
		{`{"a":1`, "$.a", "-"},
		{`{"a":1,}`, "$.a", "-"},
		{`{"a":01}`, "$.a", "-"},
		{`{"a":1,"b":.5}`, "$.a", "-"},
		{`{"a":1,"b":"` + "\x01" + `"}`, "$.a", "-"},
		{`{"a":1,"b":"\x"}`, "$.a", "-"},
		{`{"a":1,"b":"\u12"}`, "$.a", "-"},
		{`{"a":1,"b":truE}`, "$.a", "-"},
		{`{'a':1}`, "$.a", "-"},
		{`{"a" 1}`, "$.a", "-"},
		{"", "$", "-"},
		{"GET /x 200", "$", "-"},
		{deep, "$" + strings.Repeat("[0]", 64), "-"},
		{"[" + deep + "]", "$[0]", "-"},
		{`[` + strings.Repeat(`0,`, 10_000) + `"last"]`, "$[10000]", "last"},
	} {
		p, err := ParsePath(test.path)
		require.NoError(t, err)
		var s Scratch
		got := p.Extract([]byte(test.text), &s)
		if test.want == "-" {
			require.Nil(t, got, "%.60s %s", test.text, test.path)
			continue
		}
		require.NotNil(t, got, "%.60s %s", test.text, test.path)
		require.Equal(t, test.want, string(got))
	}
}

// tape writes down what a Sink is told.
type tape struct{ rows []string }

func (t *tape) now() *string {
	if len(t.rows) == 0 {
		t.rows = append(t.rows, "")
	}
	return &t.rows[len(t.rows)-1]
}
func (t *tape) AddText(text []byte) { *t.now() += "'" + string(text) + "'" }
func (t *tape) AddInt(n int64)      { *t.now() += "i" + strings.Repeat("+", int(n)) }
func (t *tape) AddFloat(f float64)  { *t.now() += "f" + strings.Repeat("+", int(f)) }
func (t *tape) EndRow()             { t.now(); t.rows = append(t.rows, "") }

func TestEval(t *testing.T) {
	text := func(s ...string) (list [][]byte) {
		for _, v := range s {
			if v == "-" {
				list = append(list, nil)
			} else {
				list = append(list, []byte(v))
			}
		}
		return list
	}
	maps := Values{Rows: 3, Offsets: []int32{2, 4, 4, 7}, Keys: text("x", "x", "a", "b", "b", "b", "c"), MapValues: text("", "", "1", "-", "2", "3", "-")}
	texts := Values{Rows: 3, Texts: text(`{"a":1}`, "-", "no")}
	for _, test := range []struct {
		expression string
		values     Values
		want       []string
	}{
		{"map_keys(m)", maps, []string{"'a''b'", "", "'b''b''c'"}},
		{"map_values(m)", maps, []string{"'1'", "", "'2''3'"}},
		{"m['b']", maps, []string{"", "", "'2'"}},
		{"m['c']", maps, []string{"", "", ""}},
		{"t", texts, []string{`'{"a":1}'`, "", "'no'"}},
		{"json_extract(t,'$.a')", texts, []string{"'1'", "", ""}},
		{"n", Values{Rows: 2, Ints: []int64{0, 2}, Valid: []bool{false, true}}, []string{"", "i++"}},
		{"n", Values{Rows: 2, Floats: []float64{1, 2}}, []string{"f+", "f++"}},
		{"n", Values{Rows: 2, Bools: []bool{true, false}}, []string{"i+", "i"}},
		{"m['b']", texts, []string{"", "", ""}},
		{"json_extract(t,'$.a')", maps, []string{"", "", ""}},
	} {
		e, err := Parse(test.expression)
		require.NoError(t, err)
		var told tape
		e.Eval(test.values, &told, &Scratch{})
		require.Equal(t, append(test.want, ""), told.rows, test.expression)
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]bool{"1": true, "-1.5e3": true, "+7": true, ".5": true, "1e999": true, "1e-999": true, "": false, "0x10": false, "nan": false, "-inf": false,
		"1_000": false, "12abc": false, " 1": false} {
		_, ok := Number([]byte(text))
		require.Equal(t, want, ok, text)
	}
}
