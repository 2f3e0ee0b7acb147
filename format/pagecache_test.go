package format

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/stretchr/testify/require"
)

// forgetfulPages keeps pages, wants only some of them, and forgets some.
type forgetfulPages struct {
	r     *rand.Rand
	pages map[string]*CachedPage
	sums  map[*CachedPage]uint32
	hits  int
}

func newForgetfulPages(seed uint64) *forgetfulPages {
	return &forgetfulPages{r: rand.New(rand.NewPCG(seed, 12)), pages: map[string]*CachedPage{}, sums: map[*CachedPage]uint32{}}
}

func (c *forgetfulPages) Page(file string, offset int64) (*CachedPage, bool) {
	key := fmt.Sprint(file, offset)
	if c.r.IntN(8) == 0 {
		delete(c.pages, key)
	}
	p := c.pages[key]
	if p != nil {
		c.hits++
	}
	return p, p == nil && c.r.IntN(4) > 0
}

func (c *forgetfulPages) Keep(file string, offset int64, p *CachedPage) {
	c.pages[fmt.Sprint(file, offset)] = p
	c.sums[p] = sumOf(p)
}

func sumOf(p *CachedPage) uint32 {
	sum := crc32.ChecksumIEEE(p.page.body) ^ crc32.ChecksumIEEE(p.page.levels)
	for _, text := range p.texts {
		sum = crc32.Update(sum, crc32.IEEETable, text)
	}
	return sum
}

// TestKeptPages reads rows again and again through a cache of pages: the answers are those without, and what is kept is never changed.
func TestKeptPages(t *testing.T) {
	hits := 0
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 11))
		s := wideSchema()
		b := randomBatch(r, s, 1+r.IntN(1500))
		var data []byte
		if r.IntN(2) == 0 {
			data, _ = writeFile(t, s, WriterOptions{RowGroupRows: 1 + r.IntN(1500), PageBytes: 1 + r.IntN(9000)}, b)
		} else {
			data = foreignPages(t, r, s, b)
		}
		f := openBytes(t, data, s)
		cache := newForgetfulPages(seed)
		for range 10 {
			ranges := randomRanges(r, f.Rows())
			got := readOptions(t, f, fieldIDs(s), ReadOptions{BatchRows: 1 + r.IntN(300), Kept: cache}, ranges...)
			checkRows(t, seed, b, got, fieldIDs(s), ranges)
		}
		for p, sum := range cache.sums {
			require.Equal(t, sum, sumOf(p), "seed %d: a kept page was changed", seed)
		}
		hits += cache.hits
	}
	require.Positive(t, hits)
}

// foreignPages writes a file by arrow-go, with a page index.
func foreignPages(t *testing.T, r *rand.Rand, s *Schema, b *Batch) []byte {
	t.Helper()
	rec, err := b.ToArrow(s.Arrow(), nil)
	require.NoError(t, err)
	defer rec.Release()
	version := []parquet.DataPageVersion{parquet.DataPageV1, parquet.DataPageV2}[r.IntN(2)]
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithDataPageVersion(version), parquet.WithDictionaryDefault(r.IntN(2) == 0),
		parquet.WithDataPageSize(1+r.Int64N(9000)), parquet.WithPageIndexEnabled(true), parquet.WithBatchSize(1+r.Int64N(200)), parquet.WithMaxRowGroupLength(1+r.Int64N(900)))
	var buf bytes.Buffer
	w, err := pqarrow.NewFileWriter(s.Arrow(), &buf, props, pqarrow.DefaultWriterProps())
	require.NoError(t, err)
	require.NoError(t, w.Write(rec))
	require.NoError(t, w.Close())
	return buf.Bytes()
}

func TestFew(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 0))
	for range 500 {
		rows := randomRanges(r, 200)
		first := r.Uint32N(150)
		end := first + 1 + r.Uint32N(50)
		wanted := uint32(0)
		for _, rg := range rows {
			for row := rg.Start; row < rg.End; row++ {
				if row >= first && row < end {
					wanted++
				}
			}
		}
		require.Equal(t, wanted <= uint32(fewRows*float64(end-first)), few(rows, first, end))
	}
}
