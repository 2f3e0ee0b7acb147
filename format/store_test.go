package format

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
)

// storeBytes returns a store that holds data under the name "f.parquet".
func storeBytes(tb testing.TB, data []byte) storage.Store {
	tb.Helper()
	store := mem.New()
	w, err := store.Create(context.Background(), "f.parquet")
	require.NoError(tb, err)
	_, err = io.Copy(w, bytes.NewReader(data))
	require.NoError(tb, err)
	require.NoError(tb, w.Commit(context.Background()))
	return store
}

// writeFile writes batches as one file.
func writeFile(tb testing.TB, s *Schema, opts WriterOptions, batches ...*Batch) ([]byte, *Footer) {
	tb.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf, s, opts)
	require.NoError(tb, err)
	for _, b := range batches {
		require.NoError(tb, w.Write(b))
	}
	footer, err := w.Close()
	require.NoError(tb, err)
	require.Equal(tb, int64(buf.Len()), footer.Size)
	return buf.Bytes(), footer
}

func openBytes(tb testing.TB, data []byte, s *Schema) *File {
	tb.Helper()
	f, err := Open(context.Background(), storeBytes(tb, data), "f.parquet", int64(len(data)), s)
	require.NoError(tb, err)
	return f
}

func fieldIDs(s *Schema) []int {
	var ids []int
	for _, f := range s.Fields {
		ids = append(ids, f.ID)
	}
	return ids
}

// readRanges reads rows of all columns into one batch of its own memory.
func readRanges(tb testing.TB, f *File, ids []int, batchRows int, rows ...RowRange) *Batch {
	tb.Helper()
	out := &Batch{}
	for b, err := range f.Read(context.Background(), ids, rows, ReadOptions{BatchRows: batchRows}) {
		require.NoError(tb, err)
		appendBatch(out, b)
	}
	return out
}

// appendBatch copies the rows of b to the end of out.
func appendBatch(out, b *Batch) {
	if out.Columns == nil {
		for _, c := range b.Columns {
			out.Columns = append(out.Columns, Column{Field: c.Field})
		}
	}
	for i, c := range b.Columns {
		o := &out.Columns[i]
		if c.Valid != nil && o.Valid == nil {
			o.Valid = make([]bool, out.Rows)
			for j := range o.Valid {
				o.Valid[j] = true
			}
		}
		if o.Valid != nil {
			valid := c.Valid
			if valid == nil {
				valid = make([]bool, b.Rows)
				for j := range valid {
					valid[j] = true
				}
			}
			o.Valid = append(o.Valid, valid...)
		}
		o.Texts = append(o.Texts, cloneTexts(c.Texts)...)
		o.Ints = append(o.Ints, c.Ints...)
		o.Floats = append(o.Floats, c.Floats...)
		o.Bools = append(o.Bools, c.Bools...)
		if c.Offsets != nil {
			if o.Offsets == nil {
				o.Offsets = []int32{0}
			}
			base := int32(len(o.Keys))
			for _, off := range c.Offsets[1:] {
				o.Offsets = append(o.Offsets, base+off)
			}
			o.Keys = append(o.Keys, cloneTexts(c.Keys)...)
			o.Values = append(o.Values, cloneTexts(c.Values)...)
		}
	}
	out.Rows += b.Rows
	out.Ordinals = append(out.Ordinals, b.Ordinals...)
}

func cloneTexts(texts [][]byte) [][]byte {
	var out [][]byte
	for _, t := range texts {
		out = append(out, bytes.Clone(t))
	}
	return out
}

// requireSameColumn fails unless two columns hold the same values.
func requireSameColumn(tb testing.TB, want, got Column) {
	tb.Helper()
	name := want.Field.Name
	require.Equal(tb, len(want.Texts), len(got.Texts), name)
	for i := range want.Texts {
		if (want.Texts[i] == nil) != (got.Texts[i] == nil) || !bytes.Equal(want.Texts[i], got.Texts[i]) {
			require.Equal(tb, want.Texts[i], got.Texts[i], "%s row %d", name, i)
		}
	}
	require.Equal(tb, len(want.Ints)+len(want.Floats)+len(want.Bools), len(got.Ints)+len(got.Floats)+len(got.Bools), name)
	for i := range len(want.Ints) + len(want.Floats) + len(want.Bools) {
		a, okA := valueAt(want, i)
		b, okB := valueAt(got, i)
		if okA != okB || okA && a != b {
			require.Equal(tb, a, b, "%s row %d", name, i)
		}
	}
	require.Equal(tb, want.Offsets, got.Offsets, name)
	for i := range want.Keys {
		if !bytes.Equal(want.Keys[i], got.Keys[i]) {
			require.Equal(tb, string(want.Keys[i]), string(got.Keys[i]), "%s entry %d", name, i)
		}
		if (want.Values[i] == nil) != (got.Values[i] == nil) || !bytes.Equal(want.Values[i], got.Values[i]) {
			require.Equal(tb, want.Values[i], got.Values[i], "%s entry %d", name, i)
		}
	}
}
