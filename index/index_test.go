package index

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/iceberg-go/puffin"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index/analyzer"
)

// TestLookupAgainstBruteForce is the differential test: every token of many files, and many that are nowhere, under several options.
func TestLookupAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	settings := map[string]Options{
		"default":  oneColumn(),
		"all kept": {Analyzer: analyzer.Params{StopWords: "none", MinDigits: 1, MaxTokenBytes: 255}},
		"precise":  {BitmapFraction: 10},
		"coarse":   {BitmapFraction: 1e-9, FalsePositiveRate: 0.3},
		"short":    {Analyzer: analyzer.Params{MaxTokenBytes: 8}},
	}
	for name, o := range settings {
		o.Columns = oneColumn().Columns
		for _, rows := range []int{0, 1, 2, 100, 3000, 30000} {
			if rows > 3000 && (testing.Short() || name != "default" && name != "coarse") {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", name, rows), func(t *testing.T) {
				texts := logTexts(rng, rows)
				data, id, summary := build(t, o, texts)
				s, err := openBytes(t, data, id)
				require.NoError(t, err)
				require.Equal(t, summary, s.Summary())
				want := truth(texts)
				kept := int64(0)
				for token, in := range want {
					checkToken(t, s, token, in)
					if s.Keeps(token) {
						kept++
					}
				}
				require.Equal(t, kept, summary.Tokens)
				for range 300 {
					token := fmt.Sprintf("absent%x", rng.Uint32())
					checkToken(t, s, token, nil)
				}
				d, err := s.Describe(context.Background(), 5)
				require.NoError(t, err)
				require.Equal(t, kept, d.Columns[0].Tokens)
			})
		}
	}
}

// TestFinishIsDeterministic builds the same file twice, with a fresh builder and with one that was used before.
func TestFinishIsDeterministic(t *testing.T) {
	texts := logTexts(rand.New(rand.NewPCG(2, 2)), 5000)
	first, id, _ := build(t, oneColumn(), texts)
	b, err := NewBuilder(oneColumn())
	require.NoError(t, err)
	for i, text := range logTexts(rand.New(rand.NewPCG(3, 3)), 4000) {
		b.ObserveText(7, uint32(i), []byte(text))
	}
	_, err = b.Finish(&bytes.Buffer{}, Identity{DataFile: "other.parquet", Rows: 4000})
	require.NoError(t, err)
	for range 2 {
		b.Reset()
		for i, text := range texts {
			b.ObserveText(7, uint32(i), []byte(text))
		}
		var again bytes.Buffer
		_, err = b.Finish(&again, id)
		require.NoError(t, err)
		require.True(t, bytes.Equal(first, again.Bytes()))
	}
}

// TestSeveralColumns has columns with different indexes, gaps in their rows, and several texts in one row.
func TestSeveralColumns(t *testing.T) {
	o := Options{Columns: []ColumnSpec{
		{Column: "both", FieldID: 3, Bitmap: true, Bloom: true},
		{Column: "bitmap", FieldID: 1, Bitmap: true},
		{Column: "bloom", FieldID: 2, Bloom: true},
		{Column: "never told", FieldID: 9, Bitmap: true, Bloom: true},
	}}
	b, err := NewBuilder(o)
	require.NoError(t, err)
	for row := uint32(0); row < 10; row += 3 {
		for id := 0; id < 5; id++ {
			b.ObserveText(id, row, []byte(fmt.Sprintf("column%d row%d", id, row)))
			b.ObserveText(id, row, []byte("again column"+fmt.Sprint(id)))
		}
	}
	require.Positive(t, b.MemoryBytes())
	id := Identity{DataFile: "f.parquet", Rows: 12}
	var out bytes.Buffer
	_, err = b.Finish(&out, id)
	require.NoError(t, err)
	s, err := openBytes(t, out.Bytes(), id)
	require.NoError(t, err)
	ctx := context.Background()

	for field, want := range map[int]struct {
		bloom   BloomAnswer
		posting PostingKind
	}{3: {MayContain, PostingExact}, 1: {NoFilter, PostingExact}, 2: {MayContain, PostingUnindexed}, 4: {NoFilter, PostingUnindexed}, 9: {Absent, PostingAbsent}} {
		for _, token := range []string{fmt.Sprintf("column%d", field), "row6", "again"} {
			answer, err := s.Bloom(ctx, field, token)
			require.NoError(t, err)
			require.Equal(t, want.bloom, answer, "field %d token %s", field, token)
			posting, err := s.Lookup(ctx, field, token)
			require.NoError(t, err)
			if want.posting != PostingExact {
				require.Equal(t, want.posting, posting.Kind, "field %d token %s", field, token)
			}
			if posting.Kind == PostingExact || posting.Kind == PostingMay {
				rows := []uint32{0, 3, 6, 9}
				if token == "row6" {
					rows = []uint32{6}
				}
				require.Empty(t, postingProblem(posting, RowsFromSorted(12, rows)))
			}
		}
	}
	require.Equal(t, id, s.Identity())
	require.Len(t, s.Summary().Columns, 4)
	_, err = s.Describe(ctx, 3)
	require.NoError(t, err)
}

// TestLookupOfWhatIsNoToken answers "nothing known" and not "absent", which would be a lie.
func TestLookupOfWhatIsNoToken(t *testing.T) {
	data, id, _ := build(t, oneColumn(), []string{"Error in caf\u00c9", "two words"})
	s, err := openBytes(t, data, id)
	require.NoError(t, err)
	for _, token := range []string{"", "Error", "two words", " error", "error ", "caf\u00e9", "10.0.0.1", "\xff", strings.Repeat("z", 41)} {
		posting, err := s.Lookup(context.Background(), 7, token)
		require.NoError(t, err)
		require.Equal(t, PostingUnindexed, posting.Kind, "%q", token)
		answer, err := s.Bloom(context.Background(), 7, token)
		require.NoError(t, err)
		require.Equal(t, NoFilter, answer, "%q", token)
	}
}

func TestBuilderErrors(t *testing.T) {
	b, err := NewBuilder(oneColumn())
	require.NoError(t, err)
	b.ObserveText(7, 5, []byte("a"))
	b.ObserveText(7, 4, []byte("b"))
	_, err = b.Finish(&bytes.Buffer{}, Identity{Rows: 10})
	require.ErrorIs(t, err, ErrRowOrder)
	b.Reset()
	b.ObserveText(7, 5, []byte("a"))
	_, err = b.Finish(&bytes.Buffer{}, Identity{Rows: 5})
	require.ErrorIs(t, err, ErrRowOrder)
	_, err = b.Finish(&bytes.Buffer{}, Identity{Rows: 6, DataFile: strings.Repeat("x", 5000)})
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = b.Finish(failingWriter{}, Identity{Rows: 6})
	require.ErrorIs(t, err, errFull)

	for _, o := range []Options{
		{FalsePositiveRate: -1}, {FalsePositiveRate: 0.9}, {BitmapFraction: 11}, {BitmapFraction: -1},
		{Analyzer: analyzer.Params{StopWords: "klingon"}},
		{Columns: []ColumnSpec{{Column: "a", FieldID: 1}}},
		{Columns: []ColumnSpec{{Column: "a", Bloom: true}}},
		{Columns: []ColumnSpec{{Column: "a", FieldID: 1, Bloom: true}, {Column: "b", FieldID: 1, Bloom: true}}},
	} {
		_, err := NewBuilder(o)
		require.ErrorIs(t, err, ErrInvalidOptions, "%+v", o)
	}
}

var errFull = fmt.Errorf("disk full")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }

// TestFalsePositiveRate measures what FORMAT.md states.
func TestFalsePositiveRate(t *testing.T) {
	texts := make([]string, 20000)
	for i := range texts {
		texts[i] = fmt.Sprintf("id%d", i)
	}
	for _, rate := range []float64{0.1, 0.01, 0.001} {
		o := oneColumn()
		o.FalsePositiveRate = rate
		data, id, _ := build(t, o, texts)
		s, err := openBytes(t, data, id)
		require.NoError(t, err)
		wrong, asked := 0, 100000
		for i := range asked {
			answer, err := s.Bloom(context.Background(), 7, fmt.Sprintf("no%d", i))
			require.NoError(t, err)
			if answer == MayContain {
				wrong++
			}
		}
		require.Less(t, float64(wrong)/float64(asked), rate*1.3)
	}
}

// TestPuffinReadsIt opens a sidecar with Iceberg's own reader.
func TestPuffinReadsIt(t *testing.T) {
	data, _, summary := build(t, oneColumn(), logTexts(rand.New(rand.NewPCG(4, 4)), 2000))
	r, err := puffin.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, "f.parquet", r.Properties()["firn.data-file"])
	require.Equal(t, "firn", r.Properties()[puffin.CreatedBy])
	var kinds []string
	total := int64(0)
	for i, b := range r.Blobs() {
		kinds = append(kinds, string(b.Type))
		blob, err := r.ReadBlob(i)
		require.NoError(t, err)
		require.Equal(t, blobMagic, blob.Data[:4])
		total += b.Length
	}
	require.Equal(t, []string{"firn-patterns-v2", "firn-dictionary-v2", "firn-ids-v2", "firn-bloom-v2", "firn-head-v2"}, kinds)
	require.Less(t, total, summary.Bytes)
}
