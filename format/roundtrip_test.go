package format

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// gather returns the rows of a column that the ranges name.
func gather(c Column, rows []RowRange) Column {
	out := &Batch{}
	for _, r := range rows {
		if r.Start < r.End {
			appendBatch(out, &Batch{Rows: int(r.End - r.Start), Columns: []Column{sliceColumn(c, int(r.Start), int(r.End))}})
		}
	}
	if out.Columns == nil {
		return Column{Field: c.Field}
	}
	return out.Columns[0]
}

// TestRoundTripRandom writes random batches in random layouts and reads random rows of random columns.
func TestRoundTripRandom(t *testing.T) {
	for seed := range uint64(25) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := wideSchema()
		rows := 1 + r.IntN([]int{20, 1500}[r.IntN(2)])
		whole := &Batch{}
		var batches []*Batch
		for range 1 + r.IntN(3) {
			b := randomBatch(r, s, rows)
			batches = append(batches, b)
			appendBatch(whole, b)
		}
		opts := WriterOptions{RowGroupRows: 1 + r.IntN(4000), PageBytes: 1 + r.IntN(20000), BloomColumns: []string{"log_msg"}}
		data, footer := writeFile(t, s, opts, batches...)
		require.Equal(t, int64(whole.Rows), footer.Rows)
		f := openBytes(t, data, s)
		require.Equal(t, uint32(whole.Rows), f.Rows())
		require.True(t, f.Sorted())
		for range 6 {
			ranges := randomRanges(r, f.Rows())
			ids := fieldIDs(s)
			r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
			ids = ids[:1+r.IntN(len(ids))]
			got := readRanges(t, f, ids, []int{0, 1, 7, 1000}[r.IntN(4)], ranges...)
			checkRows(t, seed, whole, got, ids, ranges)
		}
		checkBounds(t, f, whole)
	}
}

func checkRows(t *testing.T, seed uint64, whole, got *Batch, ids []int, ranges []RowRange) {
	t.Helper()
	n := 0
	for _, r := range ranges {
		for i := r.Start; i < r.End; i++ {
			if got.Ordinals[n] != i {
				require.Equal(t, i, got.Ordinals[n], "seed %d", seed)
			}
			n++
		}
	}
	require.Equal(t, n, got.Rows, "seed %d", seed)
	if n == 0 {
		return
	}
	for i, id := range ids {
		for _, c := range whole.Columns {
			if c.Field.ID == id {
				require.Equal(t, c.Field, got.Columns[i].Field)
				requireSameColumn(t, gather(c, ranges), got.Columns[i])
			}
		}
	}
}

// checkBounds checks the bounds of every page and row group against the values.
func checkBounds(t *testing.T, f *File, whole *Batch) {
	t.Helper()
	for _, c := range whole.Columns {
		pages, err := f.Pages(context.Background(), c.Field.ID)
		require.NoError(t, err)
		next := uint32(0)
		for _, p := range pages {
			require.Equal(t, next, p.Rows.Start)
			require.Greater(t, p.Rows.End, p.Rows.Start)
			next = p.Rows.End
			checkOneBounds(t, c, p.Rows, p.Bounds)
		}
		require.Equal(t, f.Rows(), next)
		for _, g := range f.RowGroups() {
			b, ok := g.Bounds(c.Field.ID)
			require.Equal(t, c.Field.Type != TypeStringMap, ok)
			checkOneBounds(t, c, RowRange{g.FirstRow, g.FirstRow + g.Rows}, b)
		}
	}
}

func checkOneBounds(t *testing.T, c Column, rows RowRange, b Bounds) {
	t.Helper()
	nulls := int64(0)
	sawMin, sawMax := false, false
	for i := rows.Start; i < rows.End; i++ {
		v, ok := valueAt(c, int(i))
		if c.Field.Type == TypeStringMap {
			continue
		}
		if !ok {
			nulls++
			continue
		}
		if b.AllNull || b.Min != nil && compareValues(b.Min, v) > 0 || b.Max != nil && compareValues(b.Max, v) < 0 {
			require.Fail(t, "bounds are not sound", "%s: %+v, value %v", c.Field.Name, b, v)
		}
		sawMin = sawMin || b.Min != nil && compareValues(b.Min, v) == 0
		sawMax = sawMax || b.Max != nil && compareValues(b.Max, v) == 0
	}
	if b.NullCount >= 0 {
		require.Equal(t, nulls, b.NullCount, c.Field.Name)
	}
	require.True(t, !b.MinExact || sawMin, "%s: min %v is said to be exact", c.Field.Name, b.Min)
	require.True(t, !b.MaxExact || sawMax, "%s: max %v is said to be exact", c.Field.Name, b.Max)
	if text, ok := b.Min.(string); ok {
		require.LessOrEqual(t, len(text), maxBoundBytes)
	}
}

func valueAt(c Column, i int) (any, bool) {
	switch {
	case c.Field.Type == TypeString:
		return string(c.Texts[i]), c.Texts[i] != nil
	case c.Field.Type == TypeStringMap:
		return nil, false
	case c.Valid != nil && !c.Valid[i]:
		return nil, false
	case c.Bools != nil:
		return c.Bools[i], true
	case c.Floats != nil:
		return c.Floats[i], true
	}
	return c.Ints[i], true
}

func compareValues(a, b any) int {
	switch x := a.(type) {
	case int64:
		switch y := b.(int64); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
	case float64:
		switch y := b.(float64); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
	case string:
		return strings.Compare(x, b.(string))
	case bool:
		switch y := b.(bool); {
		case !x && y:
			return -1
		case x && !y:
			return 1
		}
	}
	return 0
}

// TestBatchMemory checks that a batch stays as it is until the next iteration, whatever pages it comes from.
func TestBatchMemory(t *testing.T) {
	c := generatedCorpus(5000)
	data, _ := writeFile(t, logSchema(), WriterOptions{PageBytes: 300, RowGroupRows: 1500}, c.batch)
	f := openBytes(t, data, nil)
	for b, err := range f.Read(t.Context(), []int{6, 7}, []RowRange{{0, 5000}}, ReadOptions{BatchRows: 1000}) {
		require.NoError(t, err)
		lo := int(b.Ordinals[0])
		requireSameColumn(t, sliceColumn(c.batch.Columns[5], lo, lo+b.Rows), b.Columns[0])
		requireSameColumn(t, sliceColumn(c.batch.Columns[6], lo, lo+b.Rows), b.Columns[1])
	}
}

// TestExtremes writes values that are large, many or absent.
func TestExtremes(t *testing.T) {
	s := &Schema{Fields: []Field{
		{Name: "text", ID: 1, Type: TypeString},
		{Name: "attrs", ID: 2, Type: TypeStringMap, KeyID: 3, ValueID: 4},
		{Name: "number", ID: 5, Type: TypeFloat64},
	}}
	large := bytes.Repeat([]byte("0123456789abcdef"), 20<<20/16)
	b := &Batch{Rows: 4, Columns: []Column{
		{Field: s.Fields[0], Texts: [][]byte{large, nil, {}, []byte("x")}},
		{Field: s.Fields[1], Entries: Entries{Offsets: []int32{0, 0, 10000, 10000, 10001}}},
		{Field: s.Fields[2], Floats: []float64{math.NaN(), 1, 2, 0}, Valid: []bool{true, true, true, false}},
	}}
	for i := range 10001 {
		b.Columns[1].Keys = append(b.Columns[1].Keys, []byte(strings.Repeat("k", i%7)))
		b.Columns[1].Values = append(b.Columns[1].Values, []byte{})
	}
	b.Columns[1].Values[10000] = large
	data, _ := writeFile(t, s, WriterOptions{}, b)
	f := openBytes(t, data, s)
	got := readRanges(t, f, []int{1, 2}, 0, RowRange{0, 4})
	requireSameColumn(t, b.Columns[0], got.Columns[0])
	requireSameColumn(t, b.Columns[1], got.Columns[1])
	numbers := readRanges(t, f, []int{5}, 0, RowRange{0, 4}).Columns[0]
	require.True(t, math.IsNaN(numbers.Floats[0]))
	bounds, ok := f.RowGroups()[0].Bounds(5)
	require.True(t, ok)
	require.Nil(t, bounds.Min, "a column with NaN has no bounds")
	require.Equal(t, int64(1), bounds.NullCount)
}

// TestNoRows checks that neither empty files nor empty row groups are written.
func TestNoRows(t *testing.T) {
	var buf bytes.Buffer
	w, err := NewWriter(&buf, logSchema(), WriterOptions{})
	require.NoError(t, err)
	empty := newLogBatch()
	require.NoError(t, w.Write(empty))
	_, err = w.Close()
	require.ErrorIs(t, err, ErrInvalidBatch)

	c := generatedCorpus(10)
	data, _ := writeFile(t, logSchema(), WriterOptions{}, empty, c.batch, empty)
	require.Len(t, openBytes(t, data, nil).RowGroups(), 1)
}

// TestInvalidBatches checks that batches that contradict the schema or themselves are refused.
func TestInvalidBatches(t *testing.T) {
	for name, spoil := range map[string]func(b *Batch){
		"missing column":   func(b *Batch) { b.Columns = b.Columns[:3] },
		"too few texts":    func(b *Batch) { b.Columns[1].Texts = b.Columns[1].Texts[:5] },
		"too few numbers":  func(b *Batch) { b.Columns[0].Ints = nil },
		"required is null": func(b *Batch) { b.Columns[0].Valid = make([]bool, b.Rows) },
		"offsets descend":  func(b *Batch) { b.Columns[6].Offsets[3] = 1 << 20 },
		"offsets too few":  func(b *Batch) { b.Columns[6].Offsets = b.Columns[6].Offsets[1:] },
		"null key":         func(b *Batch) { b.Columns[6].Keys[0] = nil },
		"values too few":   func(b *Batch) { b.Columns[6].Values = b.Columns[6].Values[1:] },
		"validity too few": func(b *Batch) { b.Columns[0].Valid = make([]bool, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			c := generatedCorpus(20)
			spoil(c.batch)
			w, err := NewWriter(&bytes.Buffer{}, logSchema(), WriterOptions{})
			require.NoError(t, err)
			require.ErrorIs(t, w.Write(c.batch), ErrInvalidBatch)
			_, err = w.Close()
			require.ErrorIs(t, err, ErrInvalidBatch)
		})
	}
}

// recorder is an Observer that keeps what it is told.
type recorder map[int]map[uint32]string

func (r recorder) ObserveText(fieldID int, row uint32, text []byte) {
	if r[fieldID] == nil {
		r[fieldID] = map[uint32]string{}
	}
	r[fieldID][row] = string(text)
}

// TestObserver checks that the observer gets every text of the string columns, and nothing else.
func TestObserver(t *testing.T) {
	c := generatedCorpus(1000)
	told := recorder{}
	writeFile(t, logSchema(), WriterOptions{RowGroupRows: 300, Observer: told}, firstRows(c.batch, 450), c.batch)
	require.Len(t, told, 5)
	for i := range 1450 {
		row := i
		if i >= 450 {
			row = i - 450
		}
		for id := 2; id <= 6; id++ {
			want := c.batch.Columns[id-1].Texts[row]
			got, ok := told[id][uint32(i)]
			require.Equal(t, want != nil, ok)
			require.Equal(t, string(want), got)
		}
	}
}
