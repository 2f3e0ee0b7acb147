package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/internal/oracle"
)

// jsonSeeds are lines from which mutations start.
var jsonSeeds = []string{
	"{" + at + `,"app_id":"iotdb","level":"info","_msg":"Start to read config file","attrs":{"thread":"main","logger":"o.a.i.c","line":"105"}}`,
	"{" + at + `,"n":[-0,0.5,1e5,1E+5,2e-2,123456789012345678901234567890],"t":[true,false,null],"e":[],"o":{},"s":["\"\\\/\b\f\n\r\t\u00e9\ud83d\ude80"]}`,
	" { " + at + " ,\t\"a\" : { \"b\" : { \"c\" : [ { \"d\" : [ ] } ] , \"e\" : 1.25e-3 } } , \"level\":null,\"severity\":\"warn\" } ",
	"{" + at + `,"日本語":"テキスト Ω é 🚀 ` + "\xff\xc3\x28\xed\xa0\x80" + `","lone":"\ud800x","msg":7,"log":true,"n32":12,"n64":"13","flag":"true","day":"2026-01-01"}`,
	`{"ts":1767323045.25,"host":"h","attrs":{"host":"g","n32":1.0,"f64":2.5,"x":{"y":null}},"body":"b"}`,
	`{"level":"x","level":"y","a":1,"a":2}`, `[1,2]`, `"x"`, `17`, `null`,
}

var jsonBits = []string{
	`"`, `\`, `{`, `}`, `[`, `]`, `,`, `:`, ` `, "\t", "\n", "\x00", "\x1f", "\x7f", "\x80", "\xff", "0", "1", "9", "-", "+", ".", "e", "E", "t", "true", "false", "null",
	`\u`, `\u0041`, `\ud800`, `\udc00`, `""`, `"a"`, `{}`, `[]`, "NaN", "//", "'", "é", "\u2028",
}

// mutate changes a line in a few places.
func mutate(rng *rand.Rand, line string) string {
	for range 1 + rng.IntN(3) {
		i := rng.IntN(len(line) + 1)
		bit := jsonBits[rng.IntN(len(jsonBits))]
		j := i
		switch rng.IntN(3) {
		case 0: // replace
			j = min(len(line), i+len(bit))
		case 1: // delete
			bit, j = "", min(len(line), i+1+rng.IntN(3))
		}
		line = line[:i] + bit + line[j:]
	}
	return line
}

// TestTakesExactlyJSON compares what is accepted with encoding/json, and what is made of it with the oracle.
func TestTakesExactlyJSON(t *testing.T) {
	n := 50_000
	if testing.Short() {
		n = 20_000
	}
	c := newComparison(t)
	rng := rand.New(rand.NewPCG(5, 6))
	for _, seed := range jsonSeeds {
		c.check(t, seed)
	}
	for range n {
		c.check(t, mutate(rng, jsonSeeds[rng.IntN(len(jsonSeeds))]))
	}
	require.Greater(t, c.compared, n/50)
}

func FuzzDecode(f *testing.F) {
	for _, seed := range jsonSeeds {
		f.Add(seed)
	}
	c := newComparison(f)
	f.Fuzz(func(t *testing.T, line string) { c.check(t, line) })
}

// A comparison decodes lines twice, with the decoder and with the oracle.
type comparison struct {
	bench    *testBench
	oracle   *oracle.Mapper
	compared int
}

func newComparison(t testing.TB) *comparison {
	types := map[format.Type]oracle.Type{
		format.TypeString: oracle.String, format.TypeBool: oracle.Bool, format.TypeInt32: oracle.Int, format.TypeInt64: oracle.Long,
		format.TypeFloat32: oracle.Float, format.TypeFloat64: oracle.Double, format.TypeTimestamp: oracle.Timestamp, format.TypeDate: oracle.Date,
	}
	var columns []oracle.Column
	for _, f := range typedSchema().Fields {
		if f.Type != format.TypeStringMap {
			columns = append(columns, oracle.Column{Name: f.Name, Type: types[f.Type]})
		}
	}
	return &comparison{bench: newTestBench(t, typedSchema(), ""), oracle: oracle.NewMapper(columns)}
}

func (c *comparison) check(t *testing.T, line string) {
	if isBlank([]byte(line)) {
		return
	}
	got, err := c.bench.take(line)
	reject, _ := errors.AsType[*RejectError](err)
	if reject != nil && reject.Reason == ReasonDepth {
		return
	}
	broken := reject != nil && reject.Reason == ReasonSyntax
	require.Equal(t, !json.Valid([]byte(line)), broken, "%q: %v", line, err)
	if broken {
		return
	}
	isObject := strings.TrimLeft(line, " \t\r\n")[0] == '{'
	require.Equal(t, !isObject, reject != nil && reject.Reason == ReasonNotObject, "%q: %v", line, err)
	if !isObject {
		return
	}
	want, wantErr := c.oracle.Map([]byte(line))
	if reject != nil { // time.Parse, and with it the oracle, takes hours of one digit
		require.True(t, wantErr != nil || reject.Reason == ReasonBadTimestamp, "%q: %v", line, err)
		return
	}
	require.True(t, utf8.ValidString(got), "%q", line)
	// The oracle reads fewer forms of timestamps, drops objects whose name comes again, and repairs runs of bytes in arrays at once.
	if wantErr != nil || c.bench.d.counts.duplicates > 0 || hasTwins(line) || !utf8.ValidString(line) && strings.Contains(line, "[") {
		return
	}
	c.compared++
	require.Equal(t, renderOracle(want, c.oracle.Columns()), c.sorted(), "%q", line)
}

// hasTwins says whether an object of the line, or the line, has two fields of the same name, roughly: by counting the names.
func hasTwins(line string) bool {
	counts := map[string]int{}
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			break
		}
		if name, ok := token.(string); ok {
			counts[name]++
		}
	}
	for _, n := range counts {
		if n > 1 {
			return true
		}
	}
	return false
}

// sorted renders the row in the mapper as renderOracle does.
func (c *comparison) sorted() []string {
	var out []string
	m := c.bench.d.mapper
	for i, f := range m.plan.schema.Fields {
		s := &m.columns[i]
		switch {
		case f.Name == catalog.ColumnTimestamp:
			out = append(out, fmt.Sprint(f.Name, "=", m.time.micros, ".", m.time.nanos))
		case s.null || f.Type == format.TypeStringMap:
		case f.Type == format.TypeString:
			out = append(out, f.Name+"="+string(s.value.text))
		default:
			out = append(out, fmt.Sprint(f.Name, "=", s.fixed))
		}
	}
	for _, a := range m.attrs {
		out = append(out, "attrs."+string(a.key.name)+"="+string(a.value.text)+fmt.Sprint(a.value.kind == kindNull))
	}
	slices.Sort(out)
	return out
}

func renderOracle(row *oracle.Row, columns []oracle.Column) []string {
	var out []string
	for i, c := range columns {
		cell := row.Cells[i]
		switch {
		case i == 0:
			out = append(out, fmt.Sprint(c.Name, "=", cell.Int, ".", row.Nanos))
		case !cell.Known:
		case c.Type == oracle.String:
			out = append(out, c.Name+"="+cell.Text)
		case c.Type == oracle.Float || c.Type == oracle.Double:
			out = append(out, fmt.Sprint(c.Name, "=", math.Float64bits(cell.Float)))
		default:
			out = append(out, fmt.Sprint(c.Name, "=", uint64(cell.Int)))
		}
	}
	for _, a := range row.Attrs {
		out = append(out, "attrs."+a.Key+"="+a.Value.Text+fmt.Sprint(!a.Value.Known))
	}
	slices.Sort(out)
	return out
}

func TestDepth(t *testing.T) {
	b := newTestBench(t, defaultSchema(), "")
	for _, c := range []struct{ open, close string }{{`{"a":`, "}"}, {"[", "]"}, {`[{"a":`, "}]"}} {
		nested := func(n int) string {
			return "{" + at + `,"x":` + strings.Repeat(c.open, n) + "1" + strings.Repeat(c.close, n) + "}"
		}
		_, err := b.take(nested(400))
		require.NoError(t, err)
		_, err = b.take(nested(100_000))
		require.ErrorContains(t, err, ReasonDepth)
	}
	_, err := b.take("{" + at + "}")
	require.NoError(t, err)
}

func TestManyKeys(t *testing.T) {
	b := newTestBench(t, defaultSchema(), "")
	var line strings.Builder
	line.WriteString("{" + at)
	for i := range 10_000 {
		fmt.Fprintf(&line, `,"key%d":"%d"`, i, i)
	}
	for range 3 {
		got, err := b.take(line.String() + "}")
		require.NoError(t, err)
		require.Contains(t, got, "key9999=9999]")
		require.Len(t, b.d.attrs, 10_000)
	}
	got, err := b.take(line.String() + line.String()[1:] + "}")
	require.ErrorContains(t, err, "broken JSON")
	require.Empty(t, got)
	_, err = b.take(line.String() + "," + line.String()[len("{"+at+","):] + "}")
	require.NoError(t, err)
	require.EqualValues(t, 10_000, b.d.counts.duplicates)
}

func TestRejectMessages(t *testing.T) {
	b := newTestBench(t, defaultSchema(), "")
	for line, want := range map[string]string{
		`{"a":}`:                         "broken JSON: at byte 6: want a value",
		`{"a":1`:                         "broken JSON: ends too early: want , or } after a field",
		`{"a":1} x`:                      "broken JSON: at byte 9: text after the object",
		`{"a" 1}`:                        "broken JSON: at byte 6: want : after a name",
		`{a:1}`:                          "broken JSON: at byte 2: want a name in quotes",
		"{\"a\":\"\n\"}":                 "broken JSON: at byte 7: control character in a string",
		`{"a":"\x"}`:                     "broken JSON: at byte 7: invalid escape in a string",
		`{"a":"\u12"}`:                   `broken JSON: at byte 7: invalid \u escape in a string`,
		`{"a":"x`:                        "broken JSON: ends too early: the string has no end",
		`[1,2]`:                          "not a JSON object",
		`[1,2`:                           "broken JSON: ends too early: want , or the closing bracket",
		"\x00\x01":                       "broken JSON: at byte 1: want a value",
		`{"a":1}`:                        "no timestamp",
		`{"ts":null}`:                    "no timestamp",
		`{"ts":true}`:                    `unreadable timestamp: "true"`,
		`{"ts":"soon"}`:                  `unreadable timestamp: "soon" is neither an RFC 3339 time nor a number of seconds, milli-, micro- or nanoseconds since 1970`,
		`{"ts":"10000-01-01T00:00:00Z"}`: `unreadable timestamp: "10000-01-01T00:00:00Z" is neither an RFC 3339 time nor a number of seconds, milli-, micro- or nanoseconds since 1970`,
		`{"ts":1e300}`:                   `timestamp out of range: "1e300"`,
	} {
		_, err := b.take(line)
		require.EqualError(t, err, want)
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	b := newTestBench(t, defaultSchema(), "")
	lines := [][]byte{[]byte(jsonSeeds[0]), []byte(jsonSeeds[4]), []byte(`{` + at + `,"_msg":"a \"quoted\" text\n","n":1.5,"o":{"p":1}}`)}
	run := func() {
		b.buf.reset()
		for _, line := range lines {
			if err := b.d.decode(line); err != nil {
				t.Fatal(err)
			}
			b.buf.add(b.d.mapper)
		}
	}
	run()
	require.Zero(t, testing.AllocsPerRun(100, run))
}
