package format

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// foreignSchema is the table that testdata/make_foreign.py writes, with a number that the table widened since.
func foreignSchema() *Schema {
	return &Schema{Fields: []Field{
		{Name: "_timestamp", ID: 100, Type: TypeTimestamp, Required: true},
		{Name: "level", ID: 101, Type: TypeString},
		{Name: "log_msg", ID: 102, Type: TypeString},
		{Name: "attrs", ID: 103, Type: TypeStringMap, KeyID: 20, ValueID: 21},
		{Name: "count", ID: 104, Type: TypeInt64},
		{Name: "big", ID: 105, Type: TypeInt64},
		{Name: "ratio", ID: 106, Type: TypeFloat64},
		{Name: "flag", ID: 107, Type: TypeBool},
		{Name: "day", ID: 108, Type: TypeDate},
		{Name: "added_later", ID: 999, Type: TypeString},
		{Name: "number_added_later", ID: 1000, Type: TypeInt32},
		{Name: "map_added_later", ID: 1001, Type: TypeStringMap, KeyID: 1002, ValueID: 1003},
	}}
}

type foreignRow struct {
	Timestamp int64        `json:"_timestamp"`
	Level     *string      `json:"level"`
	LogMsg    *string      `json:"log_msg"`
	Attrs     [][2]*string `json:"attrs"`
	Count     *int64       `json:"count"`
	Big       int64        `json:"big"`
	Ratio     float64      `json:"ratio"`
	Flag      *bool        `json:"flag"`
	Day       int64        `json:"day"`
}

// foreignBatch returns the rows that all files in testdata/foreign hold.
func foreignBatch(t *testing.T) *Batch {
	raw, err := os.ReadFile("testdata/expected.json")
	require.NoError(t, err)
	var rows []foreignRow
	require.NoError(t, json.Unmarshal(raw, &rows))
	b := &Batch{Rows: len(rows)}
	for _, f := range foreignSchema().Fields {
		b.Columns = append(b.Columns, nullColumn(f, len(rows)))
	}
	text := func(s *string) []byte {
		if s == nil {
			return nil
		}
		return append([]byte{}, *s...)
	}
	c := b.Columns
	for i, r := range rows {
		c[0].Ints[i], c[0].Valid[i] = r.Timestamp, true
		c[1].Texts[i], c[2].Texts[i] = text(r.Level), text(r.LogMsg)
		for _, e := range r.Attrs {
			c[3].Keys, c[3].Values = append(c[3].Keys, text(e[0])), append(c[3].Values, text(e[1]))
		}
		c[3].Offsets[i+1] = int32(len(c[3].Keys))
		if r.Count != nil {
			c[4].Ints[i], c[4].Valid[i] = *r.Count, true
		}
		c[5].Ints[i], c[5].Valid[i] = r.Big, true
		c[6].Floats[i], c[6].Valid[i] = r.Ratio, true
		if r.Flag != nil {
			c[7].Bools[i], c[7].Valid[i] = *r.Flag, true
		}
		c[8].Ints[i], c[8].Valid[i] = r.Day, true
	}
	return b
}

// TestForeignFiles reads files that pyarrow and DuckDB wrote.
func TestForeignFiles(t *testing.T) {
	want := foreignBatch(t)
	files, err := filepath.Glob("testdata/foreign/*.parquet")
	require.NoError(t, err)
	require.Len(t, files, 13)
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".parquet"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			want := &Batch{Rows: want.Rows, Columns: slices.Clone(want.Columns)}
			f := openBytes(t, data, foreignSchema())
			own := openBytes(t, data, nil)
			if field, ok := own.Schema().Lookup("ratio"); ok && field.Type == TypeFloat32 {
				narrow := make([]float64, want.Rows)
				for i, v := range want.Columns[6].Floats {
					narrow[i] = float64(float32(v))
				}
				want.Columns[6].Floats = narrow
			}
			if strings.Contains(path, "missing") {
				for _, i := range []int{1, 3, 4, 5, 6, 7, 8} {
					want.Columns[i] = nullColumn(want.Columns[i].Field, want.Rows)
				}
			}
			require.Equal(t, uint32(want.Rows), f.Rows())
			ids := fieldIDs(foreignSchema())
			whole := RowRange{0, f.Rows()}
			checkRows(t, 0, want, readRanges(t, f, ids, 100, whole), ids, []RowRange{whole})
			some := []RowRange{{3, 4}, {5, 90}, {91, 91}, {240, 260}, {599, 600}}
			checkRows(t, 0, want, readRanges(t, f, ids, 0, some...), ids, some)
			checkForeignBounds(t, f, want)
		})
	}
}

// TestForeignTypes checks what becomes of types that firn does not have.
func TestForeignTypes(t *testing.T) {
	data, err := os.ReadFile("testdata/foreign/pyarrow_default.parquet")
	require.NoError(t, err)
	f := openBytes(t, data, nil)
	for name, want := range map[string]Type{
		"a_list": TypeUnsupported, "a_struct": TypeUnsupported, "a_decimal": TypeUnsupported, "a_long_decimal": TypeUnsupported,
		"a_time": TypeUnsupported, "a_binary": TypeUnsupported, "a_number_map": TypeUnsupported, "a_uint64": TypeUnsupported,
		"a_uint32": TypeInt64, "an_int8": TypeInt32, "attrs": TypeStringMap, "day": TypeDate,
	} {
		field, ok := f.Schema().Lookup(name)
		require.True(t, ok, name)
		require.Equal(t, want, field.Type, name)
		for _, err := range f.Read(t.Context(), []int{field.ID}, []RowRange{{0, 1}}, ReadOptions{}) {
			if want == TypeUnsupported {
				require.ErrorIs(t, err, ErrUnsupported, name)
				require.ErrorContains(t, err, name)
			} else {
				require.NoError(t, err, name)
			}
		}
		_, err := f.Pages(t.Context(), field.ID)
		require.NoError(t, err)
		f.RowGroups()[0].Bounds(field.ID)
	}
	unsigned, _ := f.Schema().Lookup("a_uint32")
	require.Equal(t, int64(1<<32-1), readRanges(t, f, []int{unsigned.ID}, 0, RowRange{0, 1}).Columns[0].Ints[0])
	bounds, ok := f.RowGroups()[0].Bounds(unsigned.ID)
	require.True(t, ok)
	require.Equal(t, int64(1<<32-1), bounds.Max)

	// A table that says text where the file says number cannot be read, a table that says text where the file says bytes can.
	s := &Schema{Fields: []Field{{Name: "count", ID: 104, Type: TypeString}}}
	for _, err := range openBytes(t, data, s).Read(t.Context(), []int{104}, []RowRange{{0, 1}}, ReadOptions{}) {
		require.ErrorIs(t, err, ErrUnsupported)
	}
	binary, _ := f.Schema().Lookup("a_binary")
	s = &Schema{Fields: []Field{{Name: "renamed", ID: binary.ID, Type: TypeString}}}
	got := readRanges(t, openBytes(t, data, s), []int{binary.ID}, 0, RowRange{0, 1})
	require.Equal(t, "\xff\x00", string(got.Columns[0].Texts[0]))
}
