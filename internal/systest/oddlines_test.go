package systest

import (
	"bytes"
	"fmt"
	"io"
	"math/rand"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/oracle"
)

// oddLines makes lines that try the mapping rules: any field name with any kind of value, in any order.
type oddLines struct{ rng *rand.Rand }

func (o oddLines) pick(list ...string) string { return list[o.rng.Intn(len(list))] }

// source makes a source of n lines.
func (o oddLines) source(n int) source {
	var b bytes.Buffer
	for range n {
		b.WriteString(o.line())
		b.WriteByte('\n')
	}
	return source{name: "odd", open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }}
}

func (o oddLines) line() string {
	if o.rng.Intn(50) == 0 {
		return o.pick("", " ", "\t\r", "x", "[]", "{", "}", `{"a"}`, `{"a":1,}`, `{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":"\x"}`, `{'a':1}`,
			`{"a":"`+"\n"+`"}`, "nul", `{"_timestamp":1700000000}{}`, `{"_timestamp":1700000000} x`, `{"_timestamp":NaN}`, `{"_timestamp":1700000000,"a":tru}`,
			"{\"_timestamp\":1700000000,\"a\":\"\x01\"}", `{"_timestamp":1700000000,"a":"\ud8"}`)
	}
	var fields []string
	used := map[string]bool{}
	add := func(name, value string) {
		if !used[name] { // equal names are another test
			used[name] = true
			fields = append(fields, o.space()+o.name(name)+o.space()+":"+o.space()+value+o.space())
		}
	}
	add(o.pick("_timestamp", "_timestamp", "_timestamp", "ts", "time", "timestamp", "@timestamp"), o.timestamp())
	for range o.rng.Intn(8) {
		add(o.pick("log_msg", "_msg", "message", "msg", "log", "body", "level", "severity", "lvl", "host", "app_id", "trace_id", "n32", "n64", "f32", "f64",
			"flag", "seen", "day", "note", "attrs", "a", "b", "a.b", "", "é", "k\"q", "x y", "@timestamp", "ts"), o.value(2))
	}
	o.rng.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return o.space() + "{" + strings.Join(fields, ",") + "}" + o.space()
}

func (o oddLines) space() string {
	if o.rng.Intn(10) > 0 {
		return ""
	}
	return o.pick(" ", "\t", "\r", "  ")
}

// name writes a name, sometimes with escapes.
func (o oddLines) name(name string) string {
	text := fmt.Sprintf("%q", name)
	if o.rng.Intn(10) == 0 && name != "" && name[0] < 0x80 && name[0] != '"' {
		text = fmt.Sprintf(`"\u%04x%s`, name[0], fmt.Sprintf("%q", name[1:])[1:])
	}
	return text
}

func (o oddLines) timestamp() string {
	return o.pick(`"2026-01-02T03:04:05.123456789Z"`, `"2026-01-02 03:04:05"`, `"2026-01-02T03:04:05+02:30"`, "1767323045", "1767323045123", `"1767323045123456"`,
		"1767323045123456789", "1.767323045e9", "1767323045.25", "-1", `"1754-08-30T22:43:41.128654848Z"`, `"9999-12-31T23:59:59Z"`, `"1969-12-31T23:59:59.9999999Z"`,
		"null", `"soon"`, "true", `""`, "{}", "[]", "1e30", `"2026-02-30T00:00:00Z"`, `"0001-01-01T00:00:00Z"`, "0", "99999999999", "100000000000", `"2024-02-29T23:59:59.5-11:00"`)
}

func (o oddLines) value(depth int) string {
	if depth > 0 && o.rng.Intn(8) == 0 {
		var fields []string
		for i := range o.rng.Intn(4) {
			fields = append(fields, fmt.Sprintf(`"%s%d":%s`, o.pick("k", "level", "n32", "host"), i%2, o.value(depth-1)))
			if i > 0 {
				break // k0 and k1 at most: names that differ
			}
			if o.rng.Intn(3) == 0 {
				fields = append(fields, fmt.Sprintf(`%s:%s`, o.name(o.pick("host", "n64", "flag", "note", "level", "trace_id", "seen", "log_msg", "_timestamp")), o.value(depth-1)))
			}
		}
		return "{" + strings.Join(fields, ",") + "}"
	}
	return o.pick(`"text"`, `"x y z"`, `""`, `"\u00e9\n\t\"\\\/"`, `"\ud83d\ude80"`, "null", "null", "true", "false", "0", "-0", "1", "-17", "3000000000", "1.5", "1e3", "1.0",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "1E-2", `"5"`, `"1.5"`, `"true"`, `"2026-01-02"`, `"2026-01-02T00:00:00Z"`,
		`"1767323045"`, "[]", `[1,"a",{"b":null}]`, `[ 1 , 2 ]`, `"日本語 テキスト"`, "16777217", "0.1", "1e400", "1e39", `"0x1F"`, `"NaN"`)
}

func TestOddLines(t *testing.T) {
	n, seeds := 3000, int64(2)
	if longTests() {
		n, seeds = 10_000, 20
	}
	columns := append(oracle.DefaultColumns(), oracle.Column{Name: "n32", Type: oracle.Int}, oracle.Column{Name: "n64", Type: oracle.Long},
		oracle.Column{Name: "f32", Type: oracle.Float}, oracle.Column{Name: "f64", Type: oracle.Double}, oracle.Column{Name: "flag", Type: oracle.Bool},
		oracle.Column{Name: "seen", Type: oracle.Timestamp}, oracle.Column{Name: "day", Type: oracle.Date}, oracle.Column{Name: "note", Type: oracle.String})
	for seed := range seeds {
		s := oddLines{rand.New(rand.NewSource(seed))}.source(n)
		if path := os.Getenv("FIRN_TEST_KEEP"); path != "" { // to look at them with other tools
			in := s.reader(t)
			text, err := io.ReadAll(in)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, text, 0o644))
		}
		m := oracle.NewMapper(columns)
		truth, err := oracle.Evaluate(s.reader(t), m, nil, oracle.Options{Digest: true})
		require.NoError(t, err)
		require.Positive(t, truth.Rejected)
		require.Positive(t, truth.Blank)
		lake := openLake(t, t.TempDir())
		table, report := load(t, lake, settings()[0].table(t, lake, "odd", columns), s, firn.WriterOptions{})
		require.Equal(t, truth.Rows, report.Rows)
		require.Equal(t, truth.Rejected, report.Rejected)
		require.Equal(t, truth.Blank, report.Blank)
		e := &examine{source: s, lake: lake, table: table, mapper: m, truth: truth}
		e.everything(t)
	}
}
