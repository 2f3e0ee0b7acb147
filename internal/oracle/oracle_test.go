package oracle

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func mustMap(t *testing.T, m *Mapper, line string) *Row {
	t.Helper()
	row, err := m.Map([]byte(line))
	require.NoError(t, err, line)
	return row
}

func TestTokens(t *testing.T) {
	require.Equal(t, []string{"a_1", "b", "Straße", "日本", "٣"}, Tokens("a_1 b-Straße 日本\xff٣."))
	require.Empty(t, Tokens(" -,. \xff"))
	require.True(t, SameToken("Kelvin", "\u212Aelvin"))
	require.True(t, SameToken("loss", "LO\u017FS"))
	require.False(t, SameToken("straße", "strasse"))
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2023-11-18T08:46:14.674000000Z":    "2023-11-18T08:46:14.674000Z",
		"2023-11-18 08:46:14":               "2023-11-18T08:46:14.000000Z",
		"2023-11-18T08:46:14.1234569+02:00": "2023-11-18T06:46:14.123456Z",
		"1754-08-30T22:43:41.128654848Z":    "1754-08-30T22:43:41.128654Z",
		"9999-12-31T23:59:59.999999999Z":    "9999-12-31T23:59:59.999999Z",
		"1700000000":                        "2023-11-14T22:13:20.000000Z",
		"1700000000.5":                      "2023-11-14T22:13:20.500000Z",
		"1700000000123":                     "2023-11-14T22:13:20.123000Z",
		"1700000000123456":                  "2023-11-14T22:13:20.123456Z",
		"1700000000123456789":               "2023-11-14T22:13:20.123456Z",
		"-1.5":                              "1969-12-31T23:59:58.500000Z",
		"1.7e9":                             "2023-11-14T22:13:20.000000Z",
	} {
		micros, _, ok := parseTime(text)
		require.True(t, ok, text)
		require.Equal(t, want, Time(micros).Format(timeText), text)
	}
	for _, text := range []string{"", "now", "2023-13-01T00:00:00Z", "0x10", "NaN"} {
		_, _, ok := parseTime(text)
		require.False(t, ok, text)
	}
}

func TestMapping(t *testing.T) {
	m := NewMapper(append(DefaultColumns(), Column{"status", Int}, Column{"ok", Bool}, Column{"took", Double}))
	row := mustMap(t, m, `{"ts":1700000000,"@timestamp":5,"msg":"hello","log":"loser","severity":"warn","status":404,"ok":true,"took":1.5,
		"k8s":{"pod":"a","labels":{"x":1e3}},"list":[1, "x"],"n":null,"attrs":{"trace_id":"t1","x":"y","host":"h"}}`)
	require.Equal(t, `{"_timestamp":"2023-11-14T22:13:20.000000Z","app_id":null,"attrs":{"@timestamp":"5","k8s.labels.x":"1e3","k8s.pod":"a",`+
		`"list":"[1, \"x\"]","log":"loser","n":null,"x":"y"},"host":"h","level":"warn","log_msg":"hello","ok":true,"status":"number 404","took":"number 3/2","trace_id":"t1"}`,
		m.Canonical(row))
	row = mustMap(t, m, `{"_timestamp":"2023-11-14T22:13:20Z","status":"many","host":"top","attrs":{"host":"inner"},"a":1,"a":2}`)
	require.Equal(t, `{"_timestamp":"2023-11-14T22:13:20.000000Z","app_id":null,"attrs":{"a":"2","host":"inner","status":"many"},"host":"top",`+
		`"level":null,"log_msg":null,"ok":null,"status":null,"took":null,"trace_id":null}`, m.Canonical(row))
	for _, bad := range []string{`{`, `[]`, `{"a":1}`, `{"_timestamp":null}`, `{"_timestamp":"x"}`, `{"_timestamp":1} x`, "\x00\x01", `{"_timestamp":"12345-01-01T00:00:00Z"}`} {
		_, err := m.Map([]byte(bad))
		require.Error(t, err, bad)
		require.NotErrorIs(t, err, ErrBlank)
	}
	_, err := m.Map([]byte(" \r\n"))
	require.ErrorIs(t, err, ErrBlank)
}

func TestManyKeys(t *testing.T) {
	var line strings.Builder
	line.WriteString(`{"_timestamp":1700000000`)
	for i := range 10000 {
		fmt.Fprintf(&line, `,"k%d":"%d"`, i%5000, i)
	}
	line.WriteString("}")
	row := mustMap(t, NewMapper(DefaultColumns()), line.String())
	require.Len(t, row.Attrs, 5000)
	require.Equal(t, "9999", row.attr("k4999").Text)
}

func TestEvaluate(t *testing.T) {
	m := NewMapper(DefaultColumns())
	lines := `{"_timestamp":1700000000,"log_msg":"Connection refused by 10.0.0.1","level":"error","attrs":{"pod":"a b"}}
{"_timestamp":1700000001,"log_msg":"refused connection","attrs":{"pod":"b","none":null}}

{"_timestamp":1700000002,"level":"info"}
broken`
	token := func(s string) *Node { return &Node{Op: HasToken, Field: message, Text: s} }
	equal := func(f Field, s string) *Node { return &Node{Op: Equal, Field: f, Values: []Value{Text(s)}} }
	cases := []struct {
		where *Node
		text  string
		want  int64
	}{
		{&Node{Op: All}, "*", 3},
		{token("REFUSED"), "REFUSED", 2},
		{token("refuse"), "refuse", 0},
		{token("10.0.0.1"), "10.0.0.1", 1},
		{token("0.10"), "0.10", 0},
		{&Node{Op: Phrase, Field: message, Text: `connection "refused`}, `"connection \"refused"`, 1},
		{&Node{Op: Not, Kids: []*Node{token("refused")}}, "NOT refused", 1},
		{&Node{Op: Not, Kids: []*Node{{Op: Or, Kids: []*Node{token("by"), equal(Field{Column: "level"}, "info")}}}}, "NOT (by OR level:info)", 1},
		{equal(Field{Key: "pod"}, "a b"), `pod:a\ b`, 1},
		{equal(Field{Key: "none"}, "null"), "none:null", 0},
		{&Node{Op: Phrase, Field: Field{Key: "pod"}, Text: "B"}, `pod:"B"`, 2},
		{&Node{Op: IsNull, Field: Field{Key: "none"}}, "", 3},
		{&Node{Op: IsNull, Field: message}, "", 1},
		{&Node{Op: Between, Field: Field{Column: "level"}, Values: []Value{Text("e"), Text("i")}}, "", 1},
		{&Node{Op: Prefix, Field: message, Text: "Conn"}, "", 1},
		{&Node{Op: Contains, Field: message, Text: "onnection"}, "", 2},
		{&Node{Op: In, Field: Field{Column: "level"}, Values: []Value{Text("error"), Text("info")}}, "", 2},
	}
	var queries []Query
	for _, c := range cases {
		queries = append(queries, Query{Where: c.where})
	}
	queries = append(queries, Query{Where: cases[0].where, From: time.Unix(1700000001, 0), To: time.Unix(1700000002, 0)})
	result, err := Evaluate(strings.NewReader(lines), m, queries, Options{Keep: 1, Digest: true})
	require.NoError(t, err)
	require.EqualValues(t, 3, result.Rows)
	require.EqualValues(t, 1, result.Rejected)
	require.EqualValues(t, 1, result.Blank)
	for i, c := range cases {
		require.Equal(t, c.want, result.Answers[i].Count, "%d %s", i, c.text)
		text, ok := m.Text(c.where)
		require.Equal(t, c.text != "", ok)
		require.Equal(t, c.text, text)
	}
	last := result.Answers[len(cases)]
	require.EqualValues(t, 1, last.Count)
	canonical, err := CanonicalJSON([]byte(`{"attrs":{"none":null,"pod":"b"},"_timestamp":"2023-11-14T22:13:21.000000Z","app_id":null,"level":null,` +
		`"host":null,"trace_id":null,"log_msg":"refused connection"}`))
	require.NoError(t, err)
	require.Equal(t, []string{canonical}, last.Rows)
}
