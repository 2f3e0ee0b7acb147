package ingest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
)

// typedSchema has, beside the default columns, one column of each type.
func typedSchema() *format.Schema {
	s := defaultSchema()
	for i, t := range []format.Type{
		format.TypeBool, format.TypeInt32, format.TypeInt64, format.TypeFloat32, format.TypeFloat64, format.TypeTimestamp, format.TypeDate, format.TypeString,
	} {
		names := []string{"flag", "n32", "n64", "f32", "f64", "seen", "day", "note"}
		s.Fields = append(s.Fields, format.Field{Name: names[i], ID: 100 + i, Type: t})
	}
	return s
}

// at is the timestamp of most rows here; it is left out of renderings.
const at = `"_timestamp":"2026-01-02T03:04:05.000006Z"`

var atMicros = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC).UnixMicro()

// A testBench decodes rows into a buffer and reads them back.
type testBench struct {
	d   decoder
	buf *buffer
}

func newTestBench(t testing.TB, s *format.Schema, partition string) *testBench {
	p, err := newPlan(s, partition)
	require.NoError(t, err)
	return &testBench{d: decoder{mapper: newMapper(p)}, buf: newBuffer(p, newChunkPool(1<<20))}
}

// take decodes a line, stores it, and renders what comes out of the buffer.
func (b *testBench) take(line string) (string, error) {
	if err := b.d.decode([]byte(line)); err != nil {
		return "", err
	}
	return b.store(), nil
}

// store moves the mapper's row through the buffer and renders it.
func (b *testBench) store() string {
	b.buf.reset()
	b.buf.add(b.d.mapper)
	b.buf.names = b.buf.keys.names
	r := splitRuns(b.buf)[0]
	batch, n := newGatherer(b.buf.plan).next(b.buf, r.partition, r.rows)
	if n != 1 {
		return fmt.Sprintf("%d rows", n)
	}
	return render(batch, 0)
}

// render writes a row as name=value, nulls left out, attrs in brackets.
func render(b *format.Batch, row int) string {
	var out []string
	for i := range b.Columns {
		c := &b.Columns[i]
		name := c.Field.Name
		null := c.Valid != nil && !c.Valid[row]
		switch c.Field.Type {
		case format.TypeString:
			if c.Texts[row] != nil {
				out = append(out, name+"="+string(c.Texts[row]))
			}
		case format.TypeUnsupported:
		case format.TypeBool:
			if !null {
				out = append(out, name+"="+strconv.FormatBool(c.Bools[row]))
			}
		case format.TypeFloat32, format.TypeFloat64:
			if !null {
				out = append(out, fmt.Sprintf("%s=%v", name, c.Floats[row]))
			}
		case format.TypeStringMap:
			var entries []string
			for e := c.Offsets[row]; e < c.Offsets[row+1]; e++ {
				value := "null"
				if c.Values[e] != nil {
					value = string(c.Values[e])
				}
				entries = append(entries, string(c.Keys[e])+"="+value)
			}
			if len(entries) > 0 {
				out = append(out, "["+strings.Join(entries, " ")+"]")
			}
		default:
			if !null && (name != catalog.ColumnTimestamp || c.Ints[row] != atMicros) {
				out = append(out, fmt.Sprintf("%s=%d", name, c.Ints[row]))
			}
		}
	}
	return strings.Join(out, " ")
}

func TestMapping(t *testing.T) {
	type counts = rowCounts
	cases := []struct {
		name, fields, want string
		counts             rowCounts
	}{
		{"columns", `"app_id":"a","level":"info","host":"h","trace_id":"t","log_msg":"m"`, "app_id=a level=info host=h trace_id=t log_msg=m", counts{}},
		{"aliases", `"lvl":"info","msg":"m"`, "level=info log_msg=m", counts{}},
		{"the better alias wins", `"message":"b","_msg":"a","body":"c","lvl":"e","severity":"d"`, "level=d log_msg=a [message=b body=c lvl=e]", counts{}},
		{"the name itself wins", `"msg":"a","log_msg":"b","level":"x","severity":"y"`, "level=x log_msg=b [msg=a severity=y]", counts{}},
		{"null yields", `"log_msg":null,"msg":"a","level":null,"severity":null`, "log_msg=a", counts{}},
		{"null after a value yields", `"msg":"a","log_msg":null`, "log_msg=a", counts{}},
		{"null keys of attrs stay", `"x":null,"attrs":{"y":null,"level":null}`, "[x=null y=null]", counts{}},
		{"everything else", `"s":"t","n":-1.50e+3,"b":true,"c":false,"a":[1, "x",{"y":[]}],"o":{"p":{"q":1},"r":[]},"e":{},"":"empty"`,
			`[s=t n=-1.50e+3 b=true c=false a=[1, "x",{"y":[]}] o.p.q=1 o.r=[] e={} =empty]`, counts{}},
		{"attrs are merged", `"x":"1","attrs":{"y":"2","o":{"p":"3"},"e":{}}`, "[x=1 y=2 o.p=3 e={}]", counts{}},
		{"attrs twice", `"attrs":{"a":"1"},"attrs":{"b":"2"}`, "[a=1 b=2]", counts{}},
		{"attrs that is no object", `"attrs":"text"`, "[attrs=text]", counts{}},
		{"attrs that is an array", `"attrs":[1]`, "[attrs=[1]]", counts{}},
		{"empty attrs", `"attrs":{}`, "", counts{}},
		{"null attrs", `"attrs":null`, "", counts{}},
		{"attrs fill columns", `"attrs":{"trace_id":"t","host":"h","n32":"5"}`, "host=h trace_id=t n32=5", counts{}},
		{"attrs do not fill timestamp and message", `"attrs":{"_timestamp":"x","log_msg":"m","ts":"y"}`, "[_timestamp=x log_msg=m ts=y]", counts{}},
		{"attrs yield to the top level", `"attrs":{"host":"a","level":"c"},"host":"b","lvl":"d"`, "level=d host=b [host=a level=c]", counts{}},
		{"attrs yield to the top level before", `"host":"b","attrs":{"host":"a"}`, "host=b [host=a]", counts{}},
		{"strings take what attrs would hold", `"host":5,"level":true,"log_msg":["a", 1],"note":1.0`, `level=true host=5 log_msg=["a", 1] note=1.0`, counts{}},
		{"objects do not fit columns", `"host":{"name":"h"},"log_msg":{"a":1},"n32":{"x":{}},"msg":"m"`, "log_msg=m [host.name=h log_msg.a=1 n32.x={}]", counts{misfits: 3}},
		{"an object under an alias", `"log":{"level":"x"},"message":"m"`, "log_msg=m [log.level=x]", counts{}},
		{"types", `"flag":true,"n32":-5,"n64":9007199254740993,"f32":0.1,"f64":0.1,"seen":"1969-12-31T23:59:59Z","day":"1970-01-02","note":"n"`,
			"flag=true n32=-5 n64=9007199254740993 f32=0.10000000149011612 f64=0.1 seen=-1000000 day=1 note=n", counts{}},
		{"types in strings", `"flag":"false","n32":"-5","n64":"5.0","f32":"1e2","f64":"-0.5","seen":"1","day":"1969-12-31","note":""`,
			"flag=false n32=-5 n64=5 f32=100 f64=-0.5 seen=1000000 day=-1 note=", counts{}},
		{"misfits", `"flag":1,"n32":2147483648,"n64":"9223372036854775808","f32":"NaN","f64":1e400,"seen":"soon","day":5`,
			"[flag=1 n32=2147483648 n64=9223372036854775808 f32=NaN f64=1e400 seen=soon day=5]", counts{misfits: 7}},
		{"more misfits", `"flag":"yes","n32":1.5,"n64":[1],"f32":1e39,"f64":"0x1","seen":false,"day":"1970-1-2"`,
			"[flag=yes n32=1.5 n64=[1] f32=1e39 f64=0x1 seen=false day=1970-1-2]", counts{misfits: 7}},
		{"misfit in attrs", `"attrs":{"n32":"x"}`, "[n32=x]", counts{misfits: 1}},
		{"limits", `"n32":-2147483648,"n64":-9223372036854775808,"attrs":{"f64":1.7976931348623157e308}`,
			"n32=-2147483648 n64=-9223372036854775808 f64=1.7976931348623157e+308", counts{}},
		{"duplicates", `"host":"a","host":"b","x":1,"x":2,"attrs":{"y":1,"y":2,"x":3}`, "host=b [x=3 y=2]", counts{duplicates: 4}},
		{"duplicate null", `"host":"a","host":null`, "", counts{duplicates: 1}},
		{"flattened twins", `"a":{"b":1},"a.b":2`, "[a.b=2]", counts{duplicates: 1}},
		{"rounding", `"seen":"2026-01-01T00:00:00.0000019Z"`, "seen=1767225600000001", counts{rounded: 1}},
		{"escapes", `"a\tb":"\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude80"`, "[a\tb=\"\\/\b\f\n\r\té€🚀]", counts{}},
		{"lone surrogates", `"a":"x\ud800y\udc00z\ud800\u0041"`, "[a=x\uFFFDy\uFFFDz\uFFFDA]", counts{repaired: 1}},
		{"a lone surrogate in an array stays as it is", `"a":["\ud800"]`, `[a=["\ud800"]]`, counts{}},
		{"invalid UTF-8", "\"k\xff\":\"a\xc3(b\xed\xa0\x80\",\"l\":[\"\xfe\"]", "[k\uFFFD=a\uFFFD(b\uFFFD\uFFFD\uFFFD l=[\"\uFFFD\"]]", counts{repaired: 1}},
		{"other alphabets", `"日本":"語 テキスト","x":"Ωé"`, "[日本=語 テキスト x=Ωé]", counts{}},
	}
	b := newTestBench(t, typedSchema(), "")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for range 2 { // the second time names are known
				got, err := b.take("{" + at + "," + c.fields + "}")
				require.NoError(t, err)
				require.Equal(t, c.want, got)
				require.Equal(t, c.counts, b.d.counts)
			}
			got, err := b.take(" {\t" + strings.ReplaceAll(at, ":\"", " : \"") + " , " + c.fields + "\r\n } ")
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestMappingOfTimestamps(t *testing.T) {
	b := newTestBench(t, defaultSchema(), "")
	for fields, want := range map[string]string{
		`"timestamp":1`:                                 "_timestamp=1000000",
		`"@timestamp":3,"time":"2","ts":1`:              "_timestamp=1000000 [@timestamp=3 time=2]",
		`"ts":null,"time":2`:                            "_timestamp=2000000",
		`"ts":{"x":1},"time":2`:                         "_timestamp=2000000 [ts.x=1]",
		`"time":2,"attrs":{"_timestamp":1}`:             "_timestamp=2000000 [_timestamp=1]",
		`"_timestamp":"1969-12-31T23:59:59.999999999Z"`: "_timestamp=-1",
	} {
		got, err := b.take("{" + fields + "}")
		require.NoError(t, err, fields)
		require.Equal(t, want, got, fields)
	}
}

func TestTableWithoutDefaultColumns(t *testing.T) {
	s := &format.Schema{Fields: []format.Field{
		{Name: "_timestamp", ID: 1, Type: format.TypeTimestamp, Required: true},
		{Name: "message", ID: 2, Type: format.TypeString},
		{Name: "labels", ID: 3, Type: format.TypeStringMap},
		{Name: "odd", ID: 4, Type: format.TypeUnsupported},
		{Name: "must", ID: 5, Type: format.TypeInt64, Required: true},
	}}
	b := newTestBench(t, s, "")
	got, err := b.take("{" + at + `,"message":"m","level":"x","labels":{"a":1},"odd":1,"must":1}`)
	require.NoError(t, err)
	require.Equal(t, "message=m must=1", got)
	require.EqualValues(t, 3, b.d.counts.dropped)
	for _, line := range []string{"{" + at + "}", "{" + at + `,"must":null}`, "{" + at + `,"must":"x"}`} {
		_, err := b.take(line)
		require.Equal(t, &RejectError{Reason: ReasonRequired, Detail: "must"}, err)
	}
	s.Fields[3].Required = true
	_, err = newPlan(s, "")
	require.ErrorContains(t, err, "odd")
	_, err = newPlan(&format.Schema{}, "")
	require.ErrorContains(t, err, "_timestamp")
	_, err = newPlan(defaultSchema(), "nowhere")
	require.ErrorContains(t, err, "nowhere")
}

func TestPartitions(t *testing.T) {
	b := newTestBench(t, typedSchema(), "n32")
	for _, line := range []string{
		`{"ts":0,"n32":1}`, `{"ts":0}`, `{"ts":86399.999999999,"n32":1}`, `{"ts":86400,"n32":1}`, `{"ts":-0.000000001,"n32":"x"}`, `{"ts":0,"n32":1}`, `{"ts":1}`,
	} {
		require.Nil(t, b.d.decode([]byte(line)), line)
		b.buf.add(b.d.mapper)
	}
	require.Equal(t, []partition{{day: 0, fixed: 1}, {day: 0, null: true}, {day: 1, fixed: 1}, {day: -1, null: true}}, b.buf.partitions)
	b.buf.refs, _ = sortRefs(b.buf.refs, nil)
	var sizes []int
	var folders []string
	for _, r := range splitRuns(b.buf) {
		sizes = append(sizes, len(r.rows))
		folders = append(folders, r.partition.folder(b.buf.plan))
	}
	require.Equal(t, []int{3, 2, 1, 1}, sizes)
	require.Equal(t, []string{
		"log_date=1970-01-01/n32=1", "log_date=1970-01-01/n32=__HIVE_DEFAULT_PARTITION__", "log_date=1970-01-02/n32=1",
		"log_date=1969-12-31/n32=__HIVE_DEFAULT_PARTITION__",
	}, folders)
	require.Equal(t, map[string]any{"log_date": int32(0), "n32": int32(1)}, b.buf.partitions[0].values(b.buf.plan))
	require.Equal(t, map[string]any{"log_date": int32(-1), "n32": nil}, b.buf.partitions[3].values(b.buf.plan))
}

func TestPartitionFolders(t *testing.T) {
	p, err := newPlan(defaultSchema(), "app_id")
	require.NoError(t, err)
	for value, want := range map[string]string{
		"":                        "app_id=",
		"a/b c":                   "app_id=a%2Fb+c",
		"..":                      "app_id=..",
		"日":                       "app_id=%E6%97%A5",
		strings.Repeat("x", 1000): "",
	} {
		got := partition{text: value}.folder(p)
		if len(value) > 100 {
			require.Regexp(t, "^log_date=1970-01-01/app_id=x{87}~[0-9a-f]{32}$", got)
			continue
		}
		require.Equal(t, "log_date=1970-01-01/"+want, got)
	}
}
