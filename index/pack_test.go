package index

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/metered"
)

// packOptions are those of packs with two columns.
func packOptions() Options {
	return Options{Columns: []ColumnSpec{{Column: "log_msg", FieldID: 7, Bitmap: true, Bloom: true}, {Column: "host", FieldID: 9, Bloom: true}, {Column: "level", FieldID: 11, Bitmap: true}}}
}

// packedFile is a file of a test pack: its filters, and the tokens that they were made of.
type packedFile struct {
	file    PackFile
	filters PackFilters
	tokens  []string
}

// randomFiles returns files whose filters have up to so many tokens, of many sizes, some without a filter of one column.
func randomFiles(rng *rand.Rand, n, most int) []packedFile {
	files := make([]packedFile, n)
	for i := range files {
		f := packedFile{file: PackFile{fmt.Sprintf("log_date=2026-11-22/%08x-%04d", rng.Uint32(), i), rng.Uint32(), rng.Int64()}, filters: PackFilters{}}
		tokens := 1 + rng.IntN(most)
		if rng.IntN(4) == 0 {
			tokens = 1 + rng.IntN(1+most/100)
		}
		for k := range tokens {
			f.tokens = append(f.tokens, fmt.Sprintf("t%d", rng.IntN(20*most)))
			if k == 0 {
				f.tokens = append(f.tokens, "everywhere")
			}
		}
		rate := []float64{0.01, 0.001, 0.00002}[rng.IntN(3)]
		if rng.IntN(20) > 0 {
			f.filters[7] = filterOf(f.tokens, rate)
		}
		if rng.IntN(3) == 0 {
			f.filters[9] = filterOf(f.tokens[:1+len(f.tokens)/10], rate)
		}
		files[i] = f
	}
	return files
}

func packOf(tb testing.TB, files []packedFile) []byte {
	tb.Helper()
	b, err := NewPackBuilder("log_date=20779", packOptions())
	require.NoError(tb, err)
	for _, f := range files {
		b.Add(f.file, f.filters)
	}
	var out bytes.Buffer
	n, err := b.Finish(&out)
	require.NoError(tb, err)
	require.EqualValues(tb, out.Len(), n)
	return out.Bytes()
}

func openPackBytes(tb testing.TB, data []byte) (*Pack, *metered.Store) {
	tb.Helper()
	store := mem.New()
	putObject(tb, store, "p.pack", data)
	counted := metered.New(store)
	p, err := OpenPack(context.Background(), counted, "p.pack", 100)
	require.NoError(tb, err)
	return p, counted
}

// TestPackAnswers: a pack says of every file what the file's own filter says.
func TestPackAnswers(t *testing.T) {
	rng := rand.New(rand.NewPCG(82, 0))
	for _, c := range []struct{ files, most int }{{1, 5}, {2, 100}, {7, 1000}, {60, 3000}, {300, 400}, {40, 30_000}} {
		files := randomFiles(rng, c.files, c.most)
		data := packOf(t, files)
		require.Equal(t, data, packOf(t, append(files[len(files)/2:len(files):len(files)], files[:len(files)/2]...)), "the order of adding must not matter")
		p, counted := openPackBytes(t, data)
		filterBytes := 0
		covered := 0
		for _, f := range files {
			require.Equal(t, len(f.filters) > 0, p.Find(f.file) >= 0)
			for _, filter := range f.filters {
				filterBytes += len(filter.bits)
			}
			if len(f.filters) > 0 {
				covered++
			}
		}
		require.Len(t, p.Files(), covered)
		t.Logf("%d files: filters %d bytes, pack %d bytes, head %d", c.files, filterBytes, len(data), p.head.memory)
		var tokens []Token
		for range 100 {
			f := files[rng.IntN(len(files))]
			tokens = append(tokens, Token{7, f.tokens[rng.IntN(len(f.tokens))]}, Token{9, fmt.Sprintf("t%d", rng.IntN(c.most*40))})
		}
		tokens = append(tokens, Token{7, "everywhere"}, Token{7, "nowhere"}, Token{9, ""}, Token{9, "a b"}, Token{9, "the"}, Token{11, "error"}, Token{8, "error"})
		for _, token := range tokens {
			before := counted.Counts()
			requests, read := p.Cost([]Token{token})
			absent, err := p.Absent(t.Context(), []Token{token})
			require.NoError(t, err)
			cost := counted.Counts().Sub(before)
			require.EqualValues(t, requests, cost.Requests)
			require.Equal(t, read, cost.BytesRead)
			require.LessOrEqual(t, requests, 12)
			for _, f := range files {
				i := p.Find(f.file)
				if i < 0 {
					continue
				}
				filter := f.filters[token.FieldID]
				want := filter != nil && p.Knows(token) && !filter.TestString(token.Text)
				require.Equal(t, want, absent[0].Contains(uint32(i)), "file %s token %v", f.file.Name, token)
			}
			_, err = p.Absent(t.Context(), []Token{token})
			require.NoError(t, err)
			require.Equal(t, cost, counted.Counts().Sub(before), "what was asked before is read again")
		}
		comparePacked(t, p, files)
	}
}

func comparePacked(t *testing.T, p *Pack, files []packedFile) {
	t.Helper()
	for _, field := range []int{7, 9} {
		packed, err := p.Load(t.Context(), field)
		require.NoError(t, err)
		for _, f := range files {
			i := p.Find(f.file)
			if i < 0 {
				continue
			}
			filter := f.filters[field]
			same, comparable := packed.Same(i, filter)
			require.True(t, same && comparable)
			if filter != nil {
				other := &Filter{filter.hashes, bytes.Clone(filter.bits)}
				other.bits[len(other.bits)-1] ^= 0x80
				same, comparable = packed.Same(i, other)
				require.True(t, !same && comparable)
				same, comparable = packed.Same(i, nil)
				require.False(t, same || comparable)
			}
		}
	}
	packed, err := p.Load(t.Context(), 11)
	require.NoError(t, err)
	require.Nil(t, packed)
	d, err := p.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, len(p.Files()), d.FileCount)
	require.NoError(t, d.WriteText(&bytes.Buffer{}))
}

// TestPackKnowsFiles: a file that differs in anything is not covered.
func TestPackKnowsFiles(t *testing.T) {
	files := randomFiles(rand.New(rand.NewPCG(83, 0)), 30, 20)
	p, _ := openPackBytes(t, packOf(t, files))
	for _, f := range p.Files() {
		require.GreaterOrEqual(t, p.Find(f), 0)
		require.Equal(t, -1, p.Find(PackFile{f.Name, f.Rows + 1, f.Bytes}))
		require.Equal(t, -1, p.Find(PackFile{f.Name, f.Rows, f.Bytes + 1}))
		require.Equal(t, -1, p.Find(PackFile{f.Name + "x", f.Rows, f.Bytes}))
	}
	require.Equal(t, "log_date=20779", p.Partition())
	require.True(t, p.Has(7))
	require.False(t, p.Has(11))
	require.Positive(t, p.SizeInMemory())
}

// TestPackOfSidecars takes the filters from sidecars, and none of one that was built with another analyzer.
func TestPackOfSidecars(t *testing.T) {
	b, err := NewPackBuilder("all", oneColumn())
	require.NoError(t, err)
	other := oneColumn()
	other.Analyzer.MinDigits = 1
	for i, o := range []Options{oneColumn(), other} {
		data, id, _ := build(t, o, []string{"one two", "error 70512345"})
		s, err := openBytes(t, data, id)
		require.NoError(t, err)
		filters, err := b.Filters(t.Context(), s)
		require.NoError(t, err)
		require.Len(t, filters, 1-i)
		b.Add(PackFile{fmt.Sprint(i), id.Rows, int64(len(data))}, filters)
	}
	require.Equal(t, 1, b.Len())
	require.EqualValues(t, bloomBlockBytes, b.Bytes())
	var out bytes.Buffer
	_, err = b.Finish(&out)
	require.NoError(t, err)
	p, _ := openPackBytes(t, out.Bytes())
	absent, err := p.Absent(t.Context(), []Token{{7, "error"}, {7, "three"}})
	require.NoError(t, err)
	require.True(t, absent[0].IsEmpty())
	require.True(t, absent[1].IsAll())
	b.Add(p.Files()[0], PackFilters{7: filterOf([]string{"x"}, 0.01)})
	_, err = b.Finish(&out)
	require.ErrorIs(t, err, ErrInvalidOptions)
	b.Reset()
	require.Zero(t, b.Bytes()+int64(b.Len()))
}

// TestPackDamage flips every byte: the answer is the same, or an error.
func TestPackDamage(t *testing.T) {
	files := randomFiles(rand.New(rand.NewPCG(84, 0)), 9, 60)
	data := packOf(t, files)
	tokens := []Token{{7, "everywhere"}, {7, "nowhere"}, {9, files[0].tokens[0]}}
	p, _ := openPackBytes(t, data)
	want, err := p.Absent(t.Context(), tokens)
	require.NoError(t, err)
	store := mem.New()
	failed := 0
	check := func(damaged []byte) {
		putObject(t, store, "p", damaged)
		p, err := OpenPack(t.Context(), store, "p", 0)
		if err == nil {
			var got []*RowSet
			if got, err = p.Absent(t.Context(), tokens); err == nil {
				for i := range want {
					require.True(t, want[i].Equal(got[i]))
				}
			}
		}
		_, whole := InspectPack(t.Context(), store, "p")
		require.Error(t, whole)
		require.True(t, PackUnusable(whole), "%v", whole)
		if err != nil {
			require.True(t, PackUnusable(err), "%v", err)
			failed++
		}
	}
	for i := range data {
		damaged := bytes.Clone(data)
		damaged[i] ^= 1 << (i % 8)
		check(damaged)
	}
	require.Greater(t, failed, len(data)/10)
	for n := range 60 {
		check(data[:n*len(data)/60])
	}
	_, err = OpenPack(t.Context(), store, "none", 0)
	require.ErrorIs(t, err, storage.ErrNotExist)
	later := bytes.Clone(data)
	tail := later[len(later)-packTailBytes:]
	tail[8]++
	copy(tail[24:], u32(checksum(tail[:24])))
	putObject(t, store, "p", later)
	_, err = OpenPack(t.Context(), store, "p", 0)
	require.ErrorIs(t, err, ErrUnknownVersion)
}

func u32(v uint32) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)} }

// resealPack gives a pack the right checksums of head and tail, as far as it has them.
func resealPack(data []byte) {
	if len(data) < packTailBytes {
		return
	}
	tail := data[len(data)-packTailBytes:]
	copy(tail, packMagic)
	copy(tail[8:], []byte{packVersion, 0})
	length := min(int64(u64(tail[16:])), int64(len(data)-packTailBytes))
	if length >= 0 {
		copy(tail[12:], u32(checksum(data[len(data)-packTailBytes-int(length):len(data)-packTailBytes])))
	}
	copy(tail[24:], u32(checksum(tail[:24])))
}

func u64(b []byte) (v uint64) {
	for i := range 8 {
		v |= uint64(b[i]) << (8 * i)
	}
	return v
}

// FuzzPack damages a pack and gives its head and tail the right checksums.
func FuzzPack(f *testing.F) {
	data := packOf(f, randomFiles(rand.New(rand.NewPCG(85, 0)), 6, 30))
	mutations(data, func(b []byte) { f.Add(b) })
	head := data[len(data)-packTailBytes-int(u64(data[len(data)-packTailBytes+16:])):]
	mutations(head[:len(head)-packTailBytes], func(b []byte) {
		whole := append(bytes.Clone(data[:len(data)-len(head)]), b...)
		f.Add(append(whole, packTail(b)...))
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.Clone(data)
		resealPack(data)
		store := mem.New()
		putObject(t, store, "p", data)
		p, err := OpenPack(context.Background(), store, "p", 1)
		if err != nil {
			require.True(t, PackUnusable(err), "%v", err)
			return
		}
		if _, err := p.Absent(context.Background(), []Token{{7, "everywhere"}, {9, "x"}}); err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
		}
		if _, err := p.Describe(context.Background()); err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
		}
		head, err := p.head.encode()
		require.NoError(t, err)
		v, err := verify(head, checksum(head), "")
		require.NoError(t, err)
		again, err := decodePackHead(v, p.size-packTailBytes-int64(u64(data[len(data)-packTailBytes+16:])))
		require.NoError(t, err)
		require.Equal(t, p.head.files, again.files)
		require.Equal(t, p.head.columns, again.columns)
	})
}

// TestGoldenPack reads a pack of every version that was released. Building the present version must give the same bytes.
func TestGoldenPack(t *testing.T) {
	files := randomFiles(rand.New(rand.NewPCG(86, 0)), 12, 200)
	file := filepath.Join("testdata", "v1.pack")
	built := packOf(t, files)
	if *update {
		require.NoError(t, os.WriteFile(file, built, 0o644))
	}
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, built), "the same filters no longer give the same bytes: that takes a new version of packs")
	p, _ := openPackBytes(t, data)
	comparePacked(t, p, files)
	// The hashes are part of the format.
	require.Equal(t, uint64(0xef46db3751d8e999), xxhash.Sum64(nil))
	picked := probesOf(xxhash.Sum64String("everywhere"), 8)
	require.Equal(t, []uint16{456, 323, 272, 329, 205, 159, 49, 141}, picked.bits[:8])
}

// TestPackNames: what a name says is read from it, and the latest whole generation counts.
func TestPackNames(t *testing.T) {
	const index = "default/web.index"
	now := time.UnixMilli(1_795_000_000_123)
	old, fresh := PackGeneration(now, 1), PackGeneration(now.Add(time.Second), 0xffffffff)
	require.Less(t, old, fresh)
	var names []PackName
	for _, name := range []string{
		PackObject(index, "log_date=1", old, 1, false), PackObject(index, "log_date=1", old, 2, true), PackObject(index, "log_date=1", fresh, 1, false),
		PackObject(index, "log_date=2", old, 1, true), PackObject(index, "log_date=2", fresh, 1, true), PackObject(index, "log_date=3", fresh, 2, true),
	} {
		require.NoError(t, storage.CheckName(name))
		p, ok := ParsePackName(index, name)
		require.True(t, ok)
		require.Equal(t, name, PackObject(index, p.Partition, p.Generation, p.Part, p.Last))
		names = append(names, p)
	}
	names[0].Parts, names[1].Parts, names[4].Parts = 2, 2, 1
	require.Equal(t, map[string][]PackName{"log_date=1": {names[0], names[1]}, "log_date=2": {names[4]}}, LatestPacks(names))
	require.Equal(t, now.UTC(), names[0].Time)
	for _, name := range []string{"", "default/web.index/packs/x.pack", "default/web.index/packs/a/1-2-3.puffin", "other/packs/a/" + old + "-1-last.pack",
		"default/web.index/packs/a/" + old + "-0.pack", "default/web.index/packs/a/" + old + "-1-of-1.pack"} {
		_, ok := ParsePackName(index, name)
		require.False(t, ok, name)
	}
	require.Equal(t, "all", PackPartition(nil))
	require.Equal(t, "app=a%2Fb%20%E2%82%AC,log_date=20779", PackPartition(map[string]any{"log_date": int32(20779), "app": "a/b €"}))
	require.Equal(t, "app=null", PackPartition(map[string]any{"app": nil}))
	long := PackPartition(map[string]any{"app": strings.Repeat("x/", 400)})
	require.Less(t, len(long), 150)
	require.NotEqual(t, long, PackPartition(map[string]any{"app": strings.Repeat("x/", 401)}))
	f, err := PackFileOf("file:///l/web/data/log_date=1/a.parquet", "file:///l/web", "file:///i/", 3, 4)
	require.NoError(t, err)
	require.Equal(t, PackFile{"log_date=1/a", 3, 4}, f)
	f, err = PackFileOf("file:///l/web/data/log_date=1/a.parquet", "file:///l/web", "", 3, 4)
	require.NoError(t, err)
	require.Equal(t, PackFile{"log_date=1/a", 3, 4}, f)
}
