package format

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
)

// TestArrowRoundTrip turns random batches into Arrow and back, whole and sliced.
func TestArrowRoundTrip(t *testing.T) {
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 4))
		s := wideSchema()
		back, err := SchemaFromArrow(s.Arrow())
		require.NoError(t, err)
		require.Equal(t, s, back)
		b := randomBatch(r, s, 1+r.IntN(200))
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		rec, err := b.ToArrow(s.Arrow(), mem)
		require.NoError(t, err)
		got, err := BatchFromArrow(s, rec)
		require.NoError(t, err)
		for i := range b.Columns {
			requireSameColumn(t, b.Columns[i], got.Columns[i])
		}
		lo := r.IntN(b.Rows)
		hi := lo + r.IntN(b.Rows-lo+1)
		part := rec.NewSlice(int64(lo), int64(hi))
		got, err = BatchFromArrow(s, part)
		require.NoError(t, err)
		for i := range b.Columns {
			if hi > lo {
				requireSameColumn(t, sliceColumn(b.Columns[i], lo, hi), got.Columns[i])
			}
		}
		part.Release()
		rec.Release()
		mem.AssertSize(t, 0)
	}
}

// TestArrowForeign takes record batches that other programs might make.
func TestArrowForeign(t *testing.T) {
	s := logSchema()
	nanos := &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	schema := arrow.NewSchema([]arrow.Field{{Name: "extra", Type: arrow.PrimitiveTypes.Int8}, {Name: "level", Type: dict}, {Name: "log_msg", Type: arrow.BinaryTypes.LargeString},
		{Name: "host", Type: arrow.BinaryTypes.StringView}, {Name: "_timestamp", Type: nanos}}, nil)
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	builder.Field(0).(*array.Int8Builder).AppendValues([]int8{1, 2, 3}, nil)
	levels := builder.Field(1).(*array.BinaryDictionaryBuilder)
	for _, v := range []string{"info", "warn", "info"} {
		require.NoError(t, levels.AppendString(v))
	}
	builder.Field(2).(*array.LargeStringBuilder).AppendValues([]string{"a", "", "c"}, []bool{true, true, false})
	for _, v := range []string{"h1", "a host with a long name", ""} {
		builder.Field(3).(*array.StringViewBuilder).Append(v)
	}
	for _, ns := range []int64{-1, 1999, int64(time.Second)} {
		builder.Field(4).(*array.TimestampBuilder).Append(arrow.Timestamp(ns))
	}
	b, err := BatchFromArrow(s, builder.NewRecordBatch())
	require.NoError(t, err)
	require.Equal(t, []int64{-1, 1, 1_000_000}, b.Columns[0].Ints, "rounded down")
	require.Equal(t, [][]byte{[]byte("info"), []byte("warn"), []byte("info")}, b.Columns[2].Texts)
	require.Equal(t, [][]byte{[]byte("h1"), []byte("a host with a long name"), {}}, b.Columns[3].Texts)
	require.Equal(t, [][]byte{nil, nil, nil}, b.Columns[4].Texts, "missing columns are null")
	require.Equal(t, [][]byte{[]byte("a"), {}, nil}, b.Columns[5].Texts)
	require.Equal(t, []int32{0, 0, 0, 0}, b.Columns[6].Offsets)
	data, _ := writeFile(t, s, WriterOptions{}, b)
	require.Equal(t, uint32(3), openBytes(t, data, nil).Rows())

	for name, wrong := range map[string]arrow.Array{
		"number for text": makeInts(t), "text for a timestamp": makeTexts(t),
	} {
		field := map[string]string{"number for text": "log_msg", "text for a timestamp": "_timestamp"}[name]
		rec := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{{Name: field, Type: wrong.DataType()}}, nil), []arrow.Array{wrong}, 1)
		_, err := BatchFromArrow(s, rec)
		require.ErrorIs(t, err, ErrInvalidBatch, name)
		require.ErrorContains(t, err, field)
	}
	_, err = SchemaFromArrow(schema)
	require.ErrorIs(t, err, ErrUnsupported, "no field ids")
}

func makeInts(t *testing.T) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.Append(1)
	t.Cleanup(b.Release)
	return b.NewArray()
}

func makeTexts(t *testing.T) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	b.Append("x")
	t.Cleanup(b.Release)
	return b.NewArray()
}

// TestMicros checks the conversion of timestamps of other units: rounded down, and never wrapped around.
func TestMicros(t *testing.T) {
	nanos, ok := microsPer(1)
	require.True(t, ok)
	require.Equal(t, int64(-1), nanos(-1))
	require.Equal(t, int64(-1), nanos(-1000))
	require.Equal(t, int64(1), nanos(1999))
	millis, ok := microsPer(int64(time.Millisecond))
	require.True(t, ok)
	require.Equal(t, int64(-5000), millis(-5))
	require.Equal(t, int64(1<<63-1), millis(1<<62))
	require.Equal(t, int64(-1<<63), millis(-1<<62))
	_, ok = microsPer(7)
	require.False(t, ok)
}
