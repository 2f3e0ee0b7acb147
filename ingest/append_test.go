package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
)

type number int

type level int

func (l level) String() string { return [...]string{"low", "high"}[l] }

type point struct{ X, Y int }

var atTime = time.UnixMicro(atMicros)

func TestAppendGoValues(t *testing.T) {
	var nilError *json.SyntaxError
	text := "pointed"
	cases := []struct {
		value any
		want  string
	}{
		{nil, "[k=null]"}, {"a\xffb", "[k=a\uFFFDb]"}, {[]byte("bytes"), "[k=bytes]"}, {true, "[k=true]"},
		{-5, "[k=-5]"}, {int8(-5), "[k=-5]"}, {int16(-5), "[k=-5]"}, {int32(-5), "[k=-5]"}, {int64(math.MinInt64), "[k=-9223372036854775808]"},
		{uint(5), "[k=5]"}, {uint8(5), "[k=5]"}, {uint16(5), "[k=5]"}, {uint32(5), "[k=5]"}, {uint64(math.MaxUint64), "[k=18446744073709551615]"},
		{0.1, "[k=0.1]"}, {float32(0.1), "[k=0.1]"}, {1e6, "[k=1000000]"}, {1e21, "[k=1e+21]"}, {1e-7, "[k=1e-07]"}, {math.NaN(), "[k=NaN]"}, {math.Inf(-1), "[k=-Inf]"},
		{atTime.In(time.FixedZone("", 3600)), "[k=2026-01-02T03:04:05.000006Z]"}, {1500 * time.Millisecond, "[k=1.5s]"},
		{errors.New("failed"), "[k=failed]"}, {nilError, "[k=!PANIC: runtime error: invalid memory address or nil pointer dereference]"},
		{level(1), "[k=high]"}, {level(7), "[k=!PANIC: runtime error: index out of range [7] with length 2]"}, {number(7), "[k=7]"},
		{&text, "[k=pointed]"}, {(*string)(nil), "[k=null]"}, {point{1, 2}, `[k={"X":1,"Y":2}]`}, {[]string{"a", "<b>"}, `[k=["a","<b>"]]`},
		{make(chan int), "[k=0x"}, {json.RawMessage(`"raw"`), "[k=raw]"}, {json.Number("1.50"), "[k=1.50]"},
		{map[string]any{"b": 1, "a": map[string]string{"x": "y"}}, "[k.a.x=y k.b=1]"}, {map[string]any{}, "[k={}]"},
		{[]Field{F("b", 1), F("a", []Field{F("c", nil)}), F("", []Field{F("inline", 2)})}, "[k.b=1 k.a.c=null k.inline=2]"},
		{slog.GroupValue(slog.Int("a", 1), slog.Group("g", slog.Duration("d", time.Second))), "[k.a=1 k.g.d=1s]"},
		{slog.AnyValue(point{}), `[k={"X":0,"Y":0}]`}, {[]slog.Attr{slog.Bool("b", true)}, "[k.b=true]"},
	}
	b := newTestBench(t, typedSchema(), "")
	tr := translator{mapper: b.d.mapper}
	render := func(r Row) string {
		tr.begin()
		require.Nil(t, tr.row(r))
		require.Nil(t, tr.finish())
		return b.store()
	}
	for _, c := range cases {
		got := render(Row{atTime, []Field{F("k", c.value)}})
		if _, ok := c.value.(chan int); ok {
			require.Contains(t, got, c.want)
			continue
		}
		require.Equal(t, c.want, got, "%T %v", c.value, c.value)
	}
	require.Equal(t, "app_id=a level=high log_msg=m [x=1] flag=true n32=5 n64=-7 f32=0.5 f64=0.25 seen=0 day=0 note=n", render(Row{atTime, []Field{
		F("app_id", "a"), F("severity", level(1)), F("msg", "m"), F("flag", true), F("n32", uint8(5)), F("n64", -7), F("f32", float32(0.5)), F("f64", 0.25),
		F("seen", time.Unix(0, 0)), F("day", "1970-01-01"), F("note", "n"), F("x", 1),
	}}))
	require.Equal(t, "host=h trace_id=t [y=z n32=x]", render(Row{Fields: []Field{
		F("_timestamp", atTime), F("attrs", map[string]string{"trace_id": "t", "host": "h", "n32": "x", "y": "z"}),
	}}))
	require.EqualValues(t, 1, b.d.counts.misfits)
	require.Equal(t, "[host.name=h]", render(Row{atTime, []Field{F("host", map[string]any{"name": "h"}), F("attrs", nil), F("attrs", map[string]any{})}}))
	require.Equal(t, "[attrs=text]", render(Row{atTime, []Field{F("attrs", "text")}}))

	deep := any("bottom")
	for range 2000 {
		deep = []Field{F("a", deep)}
	}
	require.Contains(t, render(Row{atTime, []Field{F("k", deep)}}), "!too deep")
}

func TestAppendAllOrNone(t *testing.T) {
	l := newLake(t, nil)
	w := l.writer(t, l.create(t, catalog.TableSpec{}), Options{BufferBytes: 64 << 10})
	rows := make([]Row, 2000)
	for i := range rows {
		rows[i] = Row{time.Unix(int64(i), 0), []Field{F("host", fmt.Sprint(i)), F("msg", "some text to fill the buffer with")}}
	}
	require.NoError(t, w.Append(ctx, rows[:3]...))
	bad := append(append([]Row{}, rows...), Row{Fields: []Field{F("msg", "no time")}})
	err := w.Append(ctx, bad...)
	reject, ok := errors.AsType[*RejectError](err)
	require.True(t, ok)
	require.Equal(t, ReasonNoTimestamp, reject.Reason)
	require.ErrorContains(t, err, "row 2000")
	require.ErrorContains(t, w.Append(ctx, Row{Time: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}), ReasonRange)
	require.NoError(t, w.Append(ctx, rows[3:]...))
	require.NoError(t, w.Append(ctx))
	require.NoError(t, w.Close(ctx))
	got := l.rows(t, l.load(t))
	require.Len(t, got, 2000)
	for i, row := range got {
		require.Contains(t, row, fmt.Sprintf("host=%d log_msg", i))
	}
	require.EqualValues(t, 2000, w.Report().CommittedRows)
}

func TestAppendArrow(t *testing.T) {
	structType := arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32}, arrow.Field{Name: "b", Type: arrow.BinaryTypes.String})
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "timestamp", Type: &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}},
		{Name: "message", Type: arrow.BinaryTypes.LargeString, Nullable: true},
		{Name: "host", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, Nullable: true},
		{Name: "n64", Type: arrow.PrimitiveTypes.Uint16, Nullable: true},
		{Name: "f64", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
		{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
		{Name: "seen", Type: arrow.FixedWidthTypes.Timestamp_s, Nullable: true},
		{Name: "flag", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		{Name: "attrs", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.BinaryTypes.String), Nullable: true},
		{Name: "s", Type: structType, Nullable: true},
		{Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64), Nullable: true},
		{Name: "raw", Type: arrow.BinaryTypes.Binary, Nullable: true},
	}, nil)
	build := func(lines string) arrow.RecordBatch {
		rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(lines))
		require.NoError(t, err)
		return rec
	}
	var columns []catalog.Column
	for name, kind := range map[string]string{"n64": catalog.TypeLong, "f64": catalog.TypeDouble, "day": catalog.TypeDate, "seen": catalog.TypeTimestamp, "flag": catalog.TypeBool} {
		columns = append(columns, catalog.Column{Name: name, Type: kind})
	}
	l := newLake(t, nil)
	w := l.writer(t, l.create(t, catalog.TableSpec{Columns: columns}), Options{})
	batch := build(`[
		{"timestamp":"2026-01-02T03:04:05.000006789Z","message":"m","host":"h","n64":65535,"f64":0.5,"day":"1970-01-03","seen":"1970-01-01T00:00:01Z","flag":true,
		 "attrs":[{"key":"trace_id","value":"t"},{"key":"x","value":"y"}],"s":{"a":1,"b":"c"},"l":[1,2],"raw":"Ynl0ZXM="},
		{"timestamp":"2026-01-02T03:04:05.000006789Z"}]`)
	defer batch.Release()
	require.NoError(t, w.AppendArrow(ctx, batch))
	require.NoError(t, w.AppendArrow(ctx, batch.NewSlice(0, 1)))
	missing := build(`[{"timestamp":"2026-01-02T03:04:05Z"},{"message":"no time"}]`)
	defer missing.Release()
	require.ErrorContains(t, w.AppendArrow(ctx, missing), "row 1")
	require.NoError(t, w.Close(ctx))
	rows := l.rows(t, l.load(t))
	require.Len(t, rows, 3)
	require.Equal(t, "[s=null l=null raw=null]", rows[1])
	require.Equal(t, rows[0], rows[2])
	for _, part := range []string{"host=h", "trace_id=t", "log_msg=m", "n64=65535", "f64=0.5", "day=2", "seen=1000000", "flag=true", "[x=y s.a=1 s.b=c l=[1,2] raw=bytes]"} {
		require.Contains(t, rows[0], part)
	}
}
