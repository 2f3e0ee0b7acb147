package index

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index/expression"
	"github.com/firnlog/firn/index/valueindex"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/metered"
)

// valueOptions has value indexes on an attribute, on JSON, on all keys, and on a number.
func valueOptions() Options {
	return Options{ValueBlockRows: 8, Values: []ValueSpec{
		{Expression: "attrs['n']", FieldID: 4, Bloom: true, Range: true}, {Expression: "map_keys(attrs)", FieldID: 4, Bloom: true},
		{Expression: "json_extract(log_msg,'$.a')", FieldID: 7, Range: true}, {Expression: "status", FieldID: 9, Bloom: true, Range: true},
		{Expression: "never_told", FieldID: 11, Bloom: true},
	}}
}

// buildValues makes a sidecar of rows whose values are runs, told in batches of a size.
func buildValues(tb testing.TB, o Options, rows, batch int) ([]byte, Identity) {
	tb.Helper()
	b, err := NewBuilder(o)
	require.NoError(tb, err)
	for start := 0; start < rows; start += batch {
		n := min(batch, rows-start)
		attrs, texts, status := expression.Values{Rows: n, Offsets: []int32{0}}, expression.Values{Rows: n}, expression.Values{Rows: n}
		for row := start; row < start+n; row++ {
			attrs.Keys = append(attrs.Keys, []byte("n"), []byte("k"+strconv.Itoa(row/10)))
			attrs.MapValues = append(attrs.MapValues, []byte(strconv.Itoa(row)), nil)
			attrs.Offsets = append(attrs.Offsets, int32(len(attrs.Keys)))
			texts.Texts = append(texts.Texts, fmt.Appendf(nil, `{"a":%d.5,"b":[]}`, row/20))
			status.Ints = append(status.Ints, int64(200+row/30))
			status.Valid = append(status.Valid, row/8 != 2)
		}
		b.ObserveValues(4, uint32(start), attrs)
		b.ObserveValues(7, uint32(start), texts)
		b.ObserveValues(9, uint32(start), status)
		b.ObserveValues(10, uint32(start), status)
	}
	id := Identity{DataFile: "f.parquet", Rows: uint32(rows)}
	var out bytes.Buffer
	summary, err := b.Finish(&out, id)
	require.NoError(tb, err)
	require.EqualValues(tb, out.Len(), summary.Bytes)
	return out.Bytes(), id
}

func parsed(tb testing.TB, text string) expression.Expression {
	e, err := expression.Parse(text)
	require.NoError(tb, err)
	return e
}

func TestValueIndexes(t *testing.T) {
	data, id := buildValues(t, valueOptions(), 100, 100)
	again, _ := buildValues(t, valueOptions(), 100, 7)
	require.True(t, bytes.Equal(data, again), "how rows are cut into batches changed the bytes")
	s, err := openBytes(t, data, id)
	require.NoError(t, err)
	ctx := context.Background()

	q := ValueQuestion{FieldID: 4, Expression: parsed(t, "renamed['n']"), Class: valueindex.Text, Points: []valueindex.Hash{valueindex.HashText([]byte("33"))}}
	rows, ok, err := s.AskPoints(ctx, q)
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, rows.May.Equal(RowsInRange(100, 32, 40)))
	require.True(t, rows.Every.IsAll())

	q.Ranges = []valueindex.Bounds{{Low: valueindex.KeyOfFloat(95), High: valueindex.KeyOfFloat(1e9)}, {Low: 0, High: valueindex.KeyOfFloat(3)}}
	rows, ok, err = s.AskRanges(ctx, q)
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, rows.May.Equal(RowsInRange(100, 0, 8).Or(RowsInRange(100, 88, 100))))

	q = ValueQuestion{FieldID: 9, Expression: parsed(t, "status"), Class: valueindex.Whole, Points: []valueindex.Hash{valueindex.HashInt(203), valueindex.HashInt(99)}}
	rows, ok, err = s.AskPoints(ctx, q)
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, rows.May.Equal(RowsInRange(100, 88, 100)))
	require.True(t, rows.Some.Equal(RowsInRange(100, 16, 24).Not()))
	require.True(t, rows.Every.Equal(rows.Some))

	q.Class = valueindex.Text // a question in the wrong class is not answered
	_, ok, err = s.AskPoints(ctx, q)
	require.NoError(t, err)
	require.False(t, ok)
	for _, unknown := range []ValueQuestion{
		{FieldID: 9, Expression: parsed(t, "map_keys(status)")}, {FieldID: 3, Expression: parsed(t, "status")}, {FieldID: 11, Expression: parsed(t, "never_told")},
	} {
		_, ok, err = s.AskPoints(ctx, unknown)
		require.NoError(t, err)
		require.False(t, ok)
		_, ok, err = s.AskRanges(ctx, unknown)
		require.NoError(t, err)
		require.False(t, ok)
	}
	bloom, ranges := s.HasValues(7, parsed(t, "json_extract(log_msg,'$.a')"))
	require.True(t, !bloom && ranges)
}

// TestFrugalValueIndexes asserts that a question takes one ranged read, and the next one none.
func TestFrugalValueIndexes(t *testing.T) {
	data, id := buildValues(t, valueOptions(), 50_000, 10_000)
	store := metered.New(mem.New())
	putObject(t, store, "s.puffin", data)
	s, err := Open(t.Context(), store, "s.puffin", id)
	require.NoError(t, err)
	q := ValueQuestion{FieldID: 4, Expression: parsed(t, "attrs['n']"), Class: valueindex.Text, Points: []valueindex.Hash{valueindex.HashText([]byte("77"))}}
	cost, _ := s.ValueCost(4, q.Expression)
	require.Positive(t, cost)
	for _, requests := range []int64{1, 0} {
		store.Reset()
		_, ok, err := s.AskPoints(t.Context(), q)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, requests, store.Counts().Requests)
		require.Equal(t, requests*(cost+headerBytes), store.Counts().BytesRead)
	}
	cost, _ = s.ValueCost(4, q.Expression)
	require.Zero(t, cost)
}

func TestValuesOutOfOrder(t *testing.T) {
	one := expression.Values{Rows: 1, Ints: []int64{1}}
	for name, tell := range map[string]func(b *Builder){
		"gap":   func(b *Builder) { b.ObserveValues(9, 0, one); b.ObserveValues(9, 2, one) },
		"twice": func(b *Builder) { b.ObserveValues(9, 0, one); b.ObserveValues(9, 0, one) },
		"few":   func(b *Builder) { b.ObserveValues(9, 0, one) },
		"late":  func(b *Builder) { b.ObserveValues(9, 1, one) },
	} {
		b, err := NewBuilder(valueOptions())
		require.NoError(t, err)
		tell(b)
		_, err = b.Finish(&bytes.Buffer{}, Identity{DataFile: "f", Rows: 2})
		require.ErrorIs(t, err, ErrRowOrder, name)
	}
}

// TestDamagedValueIndexes flips each byte of the blobs: answers stay right, or there is an error.
func TestDamagedValueIndexes(t *testing.T) {
	data, id := buildValues(t, valueOptions(), 60, 60)
	s, err := openBytes(t, data, id)
	require.NoError(t, err)
	ctx, errors := context.Background(), 0
	first, last := s.head.values[0].points.offset, s.head.values[3].ranges
	for at := first; at < last.offset+headerBytes+last.length; at++ {
		damaged := bytes.Clone(data)
		damaged[at] ^= 0x11
		s, err := openBytes(t, damaged, id)
		require.NoError(t, err)
		for _, q := range []ValueQuestion{
			{FieldID: 4, Expression: parsed(t, "attrs['n']"), Class: valueindex.Text}, {FieldID: 4, Expression: parsed(t, "map_keys(attrs)"), Class: valueindex.Text},
			{FieldID: 7, Expression: parsed(t, "json_extract(m,'$.a')"), Class: valueindex.Text}, {FieldID: 9, Expression: parsed(t, "status"), Class: valueindex.Whole},
		} {
			_, _, err1 := s.AskPoints(ctx, q)
			_, _, err2 := s.AskRanges(ctx, q)
			for _, err := range []error{err1, err2} {
				if err != nil {
					require.ErrorIs(t, err, ErrCorrupt)
					errors++
				}
			}
		}
		_, err = s.Describe(ctx, 0)
		require.ErrorIs(t, err, ErrCorrupt)
	}
	require.Positive(t, errors)
}

// TestGoldenValues reads a sidecar with value indexes of the present format version, which must still be built the same.
func TestGoldenValues(t *testing.T) {
	built, id := buildValues(t, valueOptions(), 100, 9)
	s, err := openBytes(t, built, id)
	require.NoError(t, err)
	d, err := s.Describe(t.Context(), 0)
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, d.WriteText(&text))
	for name, got := range map[string][]byte{"values.golden": built, "values.txt": text.Bytes()} {
		file := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.WriteFile(file, got, 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "%s: the same values no longer give the same bytes: that takes a new format version", name)
	}
}

func TestValueProperties(t *testing.T) {
	columns := map[string]ValueColumn{
		"attrs": {FieldID: 4, Map: true}, "log_msg": {FieldID: 7, Class: valueindex.Text}, "status": {FieldID: 9, Class: valueindex.Whole}, "odd": {FieldID: 12},
	}
	specs, err := ValuesFromProperties(map[string]string{
		PropertyValuePrefix + "status": "range", PropertyValuePrefix + "attrs['a']": "bloom", PropertyValuePrefix + "element_at(attrs, 'a')": " Range ",
		PropertyValuePrefix + "gone": "range", PropertyValuePrefix + "map_keys(attrs)": "none", "firn.index.column.log_msg": "x",
	}, columns)
	require.NoError(t, err)
	require.Equal(t, []ValueSpec{
		{Expression: "element_at(attrs,'a')", FieldID: 4, Bloom: true, Range: true}, {Expression: "status", FieldID: 9, Range: true},
	}, specs)
	for expr, test := range map[string][2]string{
		"attrs": {"bloom", "is a map"}, "log_msg": {"range", "compared as text"}, "map_keys(attrs)": {"range", "keys are not compared"}, "map_keys(status)": {"bloom", "is no map"},
		"json_extract(attrs,'$')": {"bloom", "only a text column"}, "odd": {"bloom", "cannot read"}, "status": {"bitmap", "no kind of index here"},
		"lower(log_msg)": {"bloom", "no function"}, "status ": {"bloom,none", "and more"},
	} {
		_, err := ValuesFromProperties(map[string]string{PropertyValuePrefix + expr: test[0]}, columns)
		require.ErrorIs(t, err, ErrInvalidOptions, expr)
		require.ErrorContains(t, err, test[1])
	}
	for _, o := range []Options{
		{Values: []ValueSpec{{Expression: "a", FieldID: 1}}}, {Values: []ValueSpec{{Expression: "a(", FieldID: 1, Bloom: true}}},
		{Values: []ValueSpec{{Expression: "a", Bloom: true}}}, {ValueBlockRows: -1},
		{Values: []ValueSpec{{Expression: "a", FieldID: 1, Bloom: true}, {Expression: "b", FieldID: 1, Range: true}}},
	} {
		_, err := NewBuilder(o)
		require.ErrorIs(t, err, ErrInvalidOptions)
	}
}

// FuzzValueHead gives damaged heads with value indexes the right checksum.
func FuzzValueHead(f *testing.F) {
	data, _ := buildValues(f, valueOptions(), 40, 40)
	end, err := headEnd(data)
	require.NoError(f, err)
	mutations(data[headStart(data, end)+headerBytes:end-headTail], func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, payload []byte) {
		h, err := decodeHead(seal(t, payload), 1<<20)
		if err != nil {
			require.True(t, isOurs(err), "%v", err)
			return
		}
		blob, err := h.encode()
		require.NoError(t, err)
		again, err := decodeHead(seal(t, blob[headerBytes:len(blob)-headTail]), 1<<20)
		require.NoError(t, err)
		require.Equal(t, h.values, again.values)
	})
}
