package format

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// readEverything opens damaged bytes and reads whatever is left of them. It returns the first error.
func readEverything(tb testing.TB, data []byte, s *Schema) error {
	ctx := context.Background()
	f, err := Open(ctx, storeBytes(tb, data), "f.parquet", 0, s)
	if err != nil {
		return err
	}
	var first error
	note := func(err error) {
		if err != nil && first == nil {
			first = err
		}
	}
	f.Sorted()
	for _, field := range f.Schema().Fields {
		if field.Type == TypeUnsupported {
			continue
		}
		for _, err := range f.Read(ctx, []int{field.ID}, []RowRange{{0, f.Rows()}}, ReadOptions{}) {
			note(err)
		}
		if rows := f.Rows(); rows > 3 {
			for _, err := range f.Read(ctx, []int{field.ID}, []RowRange{{rows / 3, rows/3 + 1}, {rows - 1, rows}}, ReadOptions{BatchRows: 1}) {
				note(err)
			}
		}
		_, err := f.Pages(ctx, field.ID)
		note(err)
		for i := range min(len(f.RowGroups()), 3) {
			f.RowGroups()[i].Bounds(field.ID)
			_, _, err := f.BloomMayContain(ctx, i, field.ID, "x")
			note(err)
		}
	}
	f.SizeInMemory()
	return first
}

// requireDamage fails unless err says that the file is damaged, or of a kind that is not supported, and names it.
func requireDamage(tb testing.TB, err error) {
	tb.Helper()
	if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupported) {
		require.ErrorIs(tb, err, ErrCorrupt)
	}
	if err != nil {
		require.ErrorContains(tb, err, "f.parquet")
		require.NotContains(tb, err.Error(), "decoding failed", "a panic; the guard is for libraries only")
	}
}

// samples are files of different writers and layouts.
func samples(tb testing.TB) [][]byte {
	c := generatedCorpus(300)
	ours, _ := writeFile(tb, logSchema(), WriterOptions{RowGroupRows: 130, PageBytes: 800, BloomColumns: []string{"trace_id"}}, c.batch)
	r := rand.New(rand.NewPCG(5, 5))
	wide, _ := writeFile(tb, wideSchema(), WriterOptions{PageBytes: 400}, randomBatch(r, wideSchema(), 100))
	out := [][]byte{ours, wide}
	files, err := filepath.Glob("testdata/foreign/*.parquet")
	require.NoError(tb, err)
	for _, path := range files {
		data, err := os.ReadFile(path)
		require.NoError(tb, err)
		out = append(out, data)
	}
	return out
}

// TestTruncated cuts files at many places.
func TestTruncated(t *testing.T) {
	for _, data := range samples(t) {
		step := max(len(data)/60, 1)
		for n := 0; n < len(data); n += step {
			err := readEverything(t, data[:n], nil)
			require.Error(t, err)
			requireDamage(t, err)
		}
		// The catalog knows the whole file's size.
		_, err := Open(t.Context(), storeBytes(t, data[:len(data)-1]), "f.parquet", int64(len(data)), nil)
		require.ErrorIs(t, err, ErrCorrupt)
		_, err = Open(t.Context(), storeBytes(t, data), "f.parquet", int64(len(data)-1), nil)
		require.ErrorIs(t, err, ErrCorrupt)
	}
	_, err := Open(t.Context(), storeBytes(t, nil), "absent", 0, nil)
	require.ErrorIs(t, err, storage.ErrNotExist)
	require.NotErrorIs(t, err, ErrCorrupt)
	require.ErrorContains(t, err, "absent")
}

// TestBitFlips flips bits anywhere in files: what is read is the truth or an error, and never takes much memory. In our own files
// every flip in a page is found, by the page's checksum.
func TestBitFlips(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	for i, data := range samples(t) {
		for range 150 {
			spoiled := append([]byte(nil), data...)
			for range 1 + r.IntN(3) {
				spoiled[r.IntN(len(spoiled))] ^= 1 << r.IntN(8)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			requireDamage(t, readEverything(t, spoiled, nil))
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(512<<20), "file %d", i)
		}
	}
}

// TestPageChecksums flips one bit in each page of a file of ours.
func TestPageChecksums(t *testing.T) {
	c := generatedCorpus(500)
	data, _ := writeFile(t, logSchema(), WriterOptions{PageBytes: 2000}, c.batch)
	f := openBytes(t, data, nil)
	r := rand.New(rand.NewPCG(3, 3))
	for leaf := range f.groups[0].chunks {
		chunk := &f.groups[0].chunks[leaf]
		for range 20 {
			at := chunk.start() + r.Int64N(chunk.compressed)
			spoiled := append([]byte(nil), data...)
			spoiled[at] ^= 1 << r.IntN(8)
			id := f.columns[min(leaf, 6)].field.ID
			got := &Batch{}
			var failed error
			for b, err := range openBytes(t, spoiled, nil).Read(t.Context(), []int{id}, []RowRange{{0, 500}}, ReadOptions{}) {
				if failed = err; err == nil {
					appendBatch(got, b)
				}
			}
			if failed != nil {
				require.ErrorIs(t, failed, ErrCorrupt)
				continue
			}
			// A flip in a page header may do no harm (in a count that is known from elsewhere), but it may not change values.
			requireSameColumn(t, c.batch.Columns[min(leaf, 6)], got.Columns[0])
		}
	}
}

// TestStorageErrors checks that errors of the storage are told from damage.
func TestStorageErrors(t *testing.T) {
	c := generatedCorpus(2000)
	data, _ := writeFile(t, logSchema(), WriterOptions{RowGroupRows: 500}, c.batch)
	store := &failingStore{Store: storeBytes(t, data)}
	f, err := Open(t.Context(), store, "f.parquet", 0, nil)
	require.NoError(t, err)
	store.err = errors.New("the disk is on fire")
	for _, err := range f.Read(t.Context(), []int{6}, []RowRange{{0, 2000}}, ReadOptions{}) {
		require.ErrorIs(t, err, store.err)
		require.NotErrorIs(t, err, ErrCorrupt)
		require.ErrorContains(t, err, "f.parquet")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range f.Read(ctx, []int{6}, []RowRange{{0, 2000}}, ReadOptions{}) {
		require.ErrorIs(t, err, context.Canceled)
	}
	for _, ranges := range [][]RowRange{{{5, 4}}, {{0, 2001}}, {{3, 6}, {5, 7}}, {{7, 8}, {1, 2}}} {
		for _, err := range f.Read(t.Context(), []int{6}, ranges, ReadOptions{}) {
			require.ErrorIs(t, err, ErrInvalidRows)
		}
	}
	for _, err := range f.Read(t.Context(), []int{77}, []RowRange{{0, 1}}, ReadOptions{}) {
		require.ErrorIs(t, err, ErrUnknownField)
	}
}

// failingStore fails every read with err, if it is set.
type failingStore struct {
	storage.Store
	err error
}

func (s *failingStore) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	if s.err != nil {
		return s.err
	}
	return s.Store.ReadAt(ctx, name, p, off)
}

// FuzzOpen opens and reads damaged files.
func FuzzOpen(f *testing.F) {
	for _, data := range samples(f) {
		if len(data) < 40<<10 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		requireDamage(t, readEverything(t, data, nil))
	})
}

// FuzzFooter replaces the footer of a file, which the mutations of a whole file rarely leave parsable.
func FuzzFooter(f *testing.F) {
	files := samples(f)
	for i, data := range files {
		n := int(data[len(data)-8]) | int(data[len(data)-7])<<8 | int(data[len(data)-6])<<16
		f.Add(byte(i), data[len(data)-8-n:len(data)-8])
	}
	f.Fuzz(func(t *testing.T, i byte, footer []byte) {
		data := files[int(i)%len(files)]
		n := int(data[len(data)-8]) | int(data[len(data)-7])<<8 | int(data[len(data)-6])<<16
		spoiled := append([]byte(nil), data[:len(data)-8-n]...)
		spoiled = append(spoiled, footer...)
		spoiled = append(spoiled, byte(len(footer)), byte(len(footer)>>8), byte(len(footer)>>16), 0)
		spoiled = append(spoiled, magic...)
		requireDamage(t, readEverything(t, spoiled, nil))
	})
}

// FuzzPage decodes arbitrary bytes as a page of every type and encoding.
func FuzzPage(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8}, uint16(5), byte(0))
	f.Add([]byte{128, 1, 4, 8, 0, 0, 0, 0, 0}, uint16(3), byte(5))
	f.Fuzz(func(t *testing.T, data []byte, count uint16, encoding byte) {
		n := int(count)
		dict := [][]byte{[]byte("a"), []byte("b")}
		var texts textValues
		if texts.reset(int32(encoding%12), data, n, dict) == nil {
			_ = texts.skip(n / 2)
			_ = texts.read(make([][]byte, n/2))
		}
		for _, physical := range []int32{physicalInt32, physicalInt64, physicalInt96, physicalFloat, physicalDouble} {
			var numbers numberValues
			if numbers.reset(physical, int32(encoding%12), encoding > 99, data, n, []int64{1, 2, 3}) == nil {
				_ = numbers.skip(n / 2)
				_ = numbers.read(make([]int64, n/2))
			}
		}
		var bools boolValues
		if bools.reset(int32(encoding%12), data, n) == nil {
			_ = bools.skip(n / 2)
			_ = bools.read(make([]bool, n/2))
		}
		_, _, _ = parsePageHeader(data)
		_, _ = parseColumnIndex(data)
		_, _ = parseOffsetIndex(data, int64(n), 1000)
		_, _, _ = bloomHeader(data)
	})
}
