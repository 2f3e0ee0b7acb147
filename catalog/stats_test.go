package catalog

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"
)

var typedColumns = []Column{
	{Name: "n_int", Type: TypeInt}, {Name: "n_long", Type: TypeLong}, {Name: "n_float", Type: TypeFloat},
	{Name: "n_double", Type: TypeDouble}, {Name: "flag", Type: TypeBool}, {Name: "born", Type: TypeDate},
	{Name: "seen", Type: TypeTimestamp}, {Name: "city", Type: TypeString},
}

// textBounds lists all string columns, for files whose texts are short.
func textBounds(tbl *Table) (ids []int) {
	for _, column := range tbl.Columns() {
		if column.Type == TypeString {
			ids = append(ids, column.ID)
		}
	}
	return ids
}

func columnIDs(tbl *Table) map[string]int {
	ids := map[string]int{}
	for _, column := range tbl.Columns() {
		ids[column.Name] = column.ID
	}
	return ids
}

// The alphabet holds what makes truncated upper bounds hard: the last code point, the one before the surrogates, combining marks.
var alphabet = []rune("az09 \U0010FFFF\uD7FF\uE000éß\u0301日本語\uFFFF\U00010000\x00")

func randomText(random *rand.Rand, maxRunes int) string {
	var text strings.Builder
	for range random.IntN(maxRunes + 1) {
		text.WriteRune(alphabet[random.IntN(len(alphabet))])
	}
	return text.String()
}

func randomRow(random *rand.Rand, dayStart int64) logRow {
	row := logRow{
		ColumnTimestamp: arrow.Timestamp(dayStart + random.Int64N(86_400_000_000)),
		ColumnAppID:     randomText(random, 20), ColumnLevel: randomText(random, 3), ColumnHost: randomText(random, 40),
		ColumnTraceID: strings.Repeat("\U0010FFFF", random.IntN(20)), ColumnMessage: randomText(random, 60),
		ColumnAttrs: map[string]string{"k": randomText(random, 5)},
		"n_int":     int32(random.Uint32()), "n_long": int64(random.Uint64()),
		"n_float": float32(random.NormFloat64()), "n_double": []float64{random.NormFloat64(), math.NaN(), math.Inf(1), 0, math.Copysign(0, -1)}[random.IntN(5)],
		"flag": random.IntN(2) == 0, "born": arrow.Date32(random.Int32() - random.Int32()),
		"seen": arrow.Timestamp(random.Int64() - random.Int64()), "city": randomText(random, 17),
	}
	for name := range row {
		if name != ColumnTimestamp && random.IntN(4) == 0 {
			row[name] = nil
		}
	}
	return row
}

// plain turns a test value into the type that bounds have.
func plain(value any) any {
	switch v := value.(type) {
	case int32:
		return int64(v)
	case float32:
		return float64(v)
	case arrow.Date32:
		return int64(v)
	case arrow.Timestamp:
		return int64(v)
	}
	return value
}

func less(a, b any) bool {
	switch a := a.(type) {
	case int64:
		return a < b.(int64)
	case float64:
		return a < b.(float64)
	case string:
		return a < b.(string)
	case bool:
		return !a && b.(bool)
	}
	panic(fmt.Sprintf("%T", a))
}

// truth computes the statistics of a column by looking at every value.
func truth(groups [][]logRow, column string) (low, high any, nulls int64) {
	for _, rows := range groups {
		for _, row := range rows {
			value := plain(row[column])
			if value == nil {
				nulls++
				continue
			}
			if f, ok := value.(float64); ok && math.IsNaN(f) {
				continue
			}
			if low == nil || less(value, low) {
				low = value
			}
			if high == nil || less(high, value) {
				high = value
			}
		}
	}
	return low, high, nulls
}

func requireExactStats(t *testing.T, tbl *Table, file DataFile, groups [][]logRow) {
	t.Helper()
	rows := int64(0)
	for _, group := range groups {
		rows += int64(len(group))
	}
	require.Equal(t, rows, file.Rows)
	for _, column := range tbl.Columns() {
		if column.Type == TypeStringMap {
			require.NotContains(t, file.Lower, column.ID)
			continue
		}
		low, high, nulls := truth(groups, column.Name)
		require.Equal(t, nulls, file.NullCounts[column.ID], column.Name)
		require.Equal(t, rows, file.ValueCounts[column.ID], column.Name)
		lower, hasLower := file.Lower[column.ID]
		upper, hasUpper := file.Upper[column.ID]
		switch {
		case low == nil, column.Name == ColumnMessage: // nothing to bound; not bounded on purpose
			require.False(t, hasLower || hasUpper, column.Name)
		case column.Type == TypeString:
			requireTextBounds(t, lower, upper, low.(string), high.(string))
		default:
			require.Equal(t, low, lower, column.Name)
			require.Equal(t, high, upper, column.Name)
		}
	}
	for id := range file.Lower {
		require.LessOrEqual(t, id, 30, "no bounds of nested fields")
	}
}

// requireTextBounds wants exact bounds of texts up to 16 characters, and the tightest cut ones of longer texts.
func requireTextBounds(t *testing.T, lower, upper any, low, high string) {
	t.Helper()
	if low != "" { // iceberg-go does not write an empty bound; none is as good
		require.NotNil(t, lower)
		require.LessOrEqual(t, lower, low)
		require.Equal(t, string([]rune(low)[:min(16, utf8.RuneCountInString(low))]), lower)
	}
	runes := []rune(high)
	switch {
	case len(runes) <= 16 && high != "":
		require.Equal(t, high, upper)
	case upper != nil:
		require.GreaterOrEqual(t, upper, high)
		require.LessOrEqual(t, utf8.RuneCountInString(upper.(string)), 16)
		require.True(t, utf8.ValidString(upper.(string)))
	default: // only a text of nothing but last code points cannot be raised
		require.Equal(t, strings.Repeat("\U0010FFFF", min(16, len(runes))), string(runes[:min(16, len(runes))]))
	}
}

func TestStatisticsAreExact(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web", Columns: typedColumns})
	random := rand.New(rand.NewPCG(1, 2))
	written := map[string][][]logRow{}
	for _, day := range []string{"0001-01-01", "1754-08-30", "1969-12-31", "1970-01-01", "2026-11-22", "9999-12-31"} {
		for range 6 {
			start := int64(at(day + "T00:00:00Z"))
			groups := make([][]logRow, 1+random.IntN(3))
			for g := range groups {
				groups[g] = make([]logRow, 1+random.IntN(30))
				for i := range groups[g] {
					groups[g][i] = randomRow(random, start)
				}
			}
			if random.IntN(3) == 0 { // a row group, or the whole file, without a value
				for _, row := range groups[0] {
					row["n_int"], row["city"], row["n_double"] = nil, nil, nil
				}
			}
			file := l.write(t, tbl, groups...)
			file.TextBounds = textBounds(tbl)
			written[file.Path] = groups
			var err error
			tbl, err = tbl.Append(ctx, []NewFile{file}, AppendOptions{Summary: map[string]string{"source": day}})
			require.NoError(t, err)
		}
		require.Equal(t, day, tbl.SnapshotSummary()["source"])
	}
	fresh, err := openLake(t, l.dir).Load(ctx, "web")
	require.NoError(t, err)
	files := mustFiles(t, fresh)
	require.Len(t, files, len(written))
	for _, file := range files {
		require.Contains(t, written, file.Path)
		require.Equal(t, "PARQUET", file.Format)
		require.Equal(t, 1, file.SortOrderID)
		require.True(t, file.TimeSorted)
		require.False(t, file.HasDeletes)
		day := dayOf(written[file.Path][0][0][ColumnTimestamp].(arrow.Timestamp))
		require.Equal(t, map[string]any{PartitionDay: day}, file.Partition)
		requireExactStats(t, fresh, file, written[file.Path])
	}
	require.Equal(t, len(written), len(fresh.Snapshots()))
	require.Equal(t, fresh.SnapshotID(), fresh.Snapshots()[len(written)-1].ID)
	require.Equal(t, "append", fresh.Snapshots()[0].Operation)
}

func TestDaysAreFloored(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	for when, day := range map[string]int32{
		"1969-12-31T23:00:00Z": -1, "1969-12-31T00:00:00Z": -1, "1969-12-30T23:59:59.999999Z": -2, "1970-01-01T00:00:00Z": 0,
		"1754-08-30T22:43:41.128654Z": -78651, "0001-01-01T00:00:00Z": -719162, "9999-12-31T23:59:59.999999Z": 2932896,
	} {
		file := l.write(t, tbl, []logRow{message(when, "x")})
		require.Equal(t, map[string]any{PartitionDay: day}, file.Partition)
		wrong := file
		wrong.Partition = map[string]any{PartitionDay: day + 1}
		_, err := tbl.Append(ctx, []NewFile{wrong}, AppendOptions{})
		require.ErrorIs(t, err, ErrInvalid, "a truncated day is refused: %s", when)

		derived := file
		derived.Partition = nil
		after, err := tbl.Append(ctx, []NewFile{derived}, AppendOptions{})
		require.NoError(t, err)
		for _, stored := range mustFiles(t, after) {
			if stored.Path == file.Path {
				require.Equal(t, day, stored.Partition[PartitionDay])
			}
		}
	}
}

func TestLongTextsGetNoBoundsUnlessVouchedFor(t *testing.T) {
	// arrow-go leaves a statistic longer than 4096 bytes out of the footer without a trace; bounds made of the rest would hide the row.
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	file := l.write(t, tbl, []logRow{
		{ColumnTimestamp: at("2026-11-22T10:00:00Z"), ColumnHost: "a", ColumnMessage: "a"},
	}, []logRow{
		{ColumnTimestamp: at("2026-11-22T10:00:00Z"), ColumnHost: "b", ColumnMessage: "b"},
		{ColumnTimestamp: at("2026-11-22T10:00:00Z"), ColumnHost: strings.Repeat("z", 5000), ColumnMessage: strings.Repeat("z", 5000)},
	})
	tbl, err := tbl.Append(ctx, []NewFile{file}, AppendOptions{})
	require.NoError(t, err)
	stored := mustFiles(t, tbl)[0]
	ids := columnIDs(tbl)
	for _, name := range []string{ColumnHost, ColumnMessage} {
		require.NotContains(t, stored.Lower, ids[name])
		require.NotContains(t, stored.Upper, ids[name])
		require.Zero(t, stored.NullCounts[ids[name]])
	}
	require.Contains(t, stored.Lower, ids[ColumnTimestamp])
}

func TestAppendRefusesWhatCannotBe(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web", PartitionBy: ColumnLevel})
	good := l.write(t, tbl, []logRow{message("2026-11-22T10:00:00Z", "x")})
	_, emptyFooter := encode(t, tbl.Schema())
	other := l.create(t, TableSpec{Name: "other", Columns: []Column{{Name: "extra", Type: TypeInt}}})
	for name, spoil := range map[string]func(*NewFile){
		"no path":               func(f *NewFile) { f.Path = "" },
		"no size":               func(f *NewFile) { f.Size = 0 },
		"no footer":             func(f *NewFile) { f.ParquetMetadata = nil },
		"not a footer":          func(f *NewFile) { f.ParquetMetadata = "footer" },
		"no rows":               func(f *NewFile) { f.ParquetMetadata = emptyFooter },
		"unknown partition":     func(f *NewFile) { f.Partition = map[string]any{"week": 1} },
		"partition type":        func(f *NewFile) { f.Partition = map[string]any{PartitionDay: "2026-11-22"} },
		"partition range":       func(f *NewFile) { f.Partition = map[string]any{PartitionDay: int64(math.MaxInt64)} },
		"second partition type": func(f *NewFile) { f.Partition = map[string]any{ColumnLevel: 1} },
		"unknown column": func(f *NewFile) {
			f.ParquetMetadata = l.write(t, other, []logRow{message("2026-11-22T10:00:00Z", "x")}).ParquetMetadata
		},
		"several days": func(f *NewFile) {
			f.ParquetMetadata = l.write(t, tbl, []logRow{message("2026-11-22T10:00:00Z", "x"), message("2026-11-23T10:00:00Z", "x")}).ParquetMetadata
		},
	} {
		file := good
		spoil(&file)
		_, err := tbl.Append(ctx, []NewFile{file}, AppendOptions{})
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	_, err := tbl.Append(ctx, []NewFile{good, good}, AppendOptions{})
	require.Error(t, err, "one file twice")
	same, err := tbl.Append(ctx, nil, AppendOptions{})
	require.NoError(t, err)
	require.Same(t, tbl, same)

	for level, ok := range map[any]bool{"info": true, nil: false} {
		good.Partition[ColumnLevel] = level
		after, err := tbl.Append(ctx, []NewFile{good}, AppendOptions{})
		if !ok {
			require.ErrorIs(t, err, ErrInvalid, "the file has a level")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, "info", mustFiles(t, after)[0].Partition[ColumnLevel])
	}
	noLevel := l.write(t, tbl, []logRow{{ColumnTimestamp: at("2026-11-22T10:00:00Z")}})
	noLevel.Partition[ColumnLevel] = "info"
	_, err = tbl.Append(ctx, []NewFile{noLevel}, AppendOptions{})
	require.ErrorIs(t, err, ErrInvalid)
	noLevel.Partition[ColumnLevel] = nil
	after, err := tbl.Append(ctx, []NewFile{noLevel}, AppendOptions{})
	require.NoError(t, err)
	for _, file := range mustFiles(t, after) {
		if file.Path == noLevel.Path {
			require.Contains(t, file.Partition, ColumnLevel)
			require.Nil(t, file.Partition[ColumnLevel])
		}
	}
}
