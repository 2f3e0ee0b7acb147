package format

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// goldenFile is the file as this version writes it. A change of the layout gets a new number, and the old files stay: they must
// stay readable.
const goldenFile = "testdata/golden/v1.parquet"

// goldenBatch returns the columns that the golden files hold.
func goldenBatch(t *testing.T) (*Schema, *Batch) {
	s := &Schema{Fields: foreignSchema().Fields[:9]}
	b := foreignBatch(t)
	b.Columns = b.Columns[:9]
	return s, b
}

// TestGolden reads the golden files of all versions. FIRN_GOLDEN=1 writes the file of this version.
func TestGolden(t *testing.T) {
	s, want := goldenBatch(t)
	if os.Getenv("FIRN_GOLDEN") != "" {
		data, _ := writeFile(t, s, WriterOptions{RowGroupRows: 250, PageBytes: 2000, BloomColumns: []string{"level"}}, want)
		require.NoError(t, os.MkdirAll(filepath.Dir(goldenFile), 0o755))
		require.NoError(t, os.WriteFile(goldenFile, data, 0o644))
	}
	files, err := filepath.Glob("testdata/golden/*.parquet")
	require.NoError(t, err)
	require.Contains(t, files, goldenFile)
	for _, path := range files {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		f := openBytes(t, data, nil)
		require.Equal(t, s, f.Schema(), path)
		require.True(t, f.Sorted())
		require.Len(t, f.RowGroups(), 3)
		whole := RowRange{0, f.Rows()}
		checkRows(t, 0, want, readRanges(t, f, fieldIDs(s), 0, whole), fieldIDs(s), []RowRange{whole})
		checkBounds(t, f, want)
		for g := range f.RowGroups() {
			may, present, err := f.BloomMayContain(t.Context(), g, 101, "info")
			require.NoError(t, err)
			require.True(t, may && present)
		}
	}
}

// TestDeterministic checks that the same rows give the same bytes, whether the writer's memory is new or used.
func TestDeterministic(t *testing.T) {
	c := generatedCorpus(20_000)
	first, _ := writeFile(t, logSchema(), WriterOptions{RowGroupRows: 7000, BloomColumns: []string{"trace_id"}}, c.batch)
	writeFile(t, logSchema(), WriterOptions{}, generatedCorpus(100).batch)
	second, _ := writeFile(t, logSchema(), WriterOptions{RowGroupRows: 7000, BloomColumns: []string{"trace_id"}}, c.batch)
	require.True(t, bytes.Equal(first, second))
	fast, _ := writeFile(t, logSchema(), WriterOptions{Effort: EffortFast}, c.batch)
	got := readRanges(t, openBytes(t, fast, nil), []int{6, 7}, 0, RowRange{0, 20_000})
	requireSameColumn(t, c.batch.Columns[5], got.Columns[0])
	requireSameColumn(t, c.batch.Columns[6], got.Columns[1])
}
