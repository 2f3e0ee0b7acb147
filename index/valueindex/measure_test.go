package valueindex

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"

	"github.com/firnlog/firn/index/expression"
)

// series are the values of one expression, by row; nil is none.
type series struct {
	name   string
	values [][]byte
}

// seeded returns series like those of logs: codes, ports, sizes, durations, ids.
func seeded(rows int) []series {
	r := rand.New(rand.NewPCG(5, 5))
	make1 := func(name string, value func(row int) string) series {
		s := series{name: name}
		for row := range rows {
			if v := value(row); v != "" {
				s.values = append(s.values, []byte(v))
			} else {
				s.values = append(s.values, nil)
			}
		}
		return s
	}
	return []series{
		make1("status", func(int) string {
			return []string{"200", "200", "200", "200", "304", "404", "301", "500", "206"}[min(8, int(r.ExpFloat64()*1.5))]
		}),
		make1("port", func(int) string { return strconv.Itoa(1024 + r.IntN(64512)) }),
		make1("bytes", func(int) string { return strconv.Itoa(int(math.Exp(r.NormFloat64()*2 + 8))) }),
		make1("took", func(int) string { return strconv.FormatFloat(math.Exp(r.NormFloat64()*1.5), 'f', 3, 64) }),
		make1("pid", func(row int) string { return strconv.Itoa(1000 + row/500 + r.IntN(30)) }),
		make1("id", func(int) string { return fmt.Sprintf("%016x", r.Uint64()) }),
		make1("seldom", func(int) string {
			if r.IntN(50) > 0 {
				return ""
			}
			return strconv.Itoa(r.IntN(1000))
		}),
	}
}

// corpus returns the attrs of a file of JSON lines by key, of at most so many rows.
func corpus(tb testing.TB, path string, rows int) (list []series) {
	f, err := os.Open(path)
	require.NoError(tb, err)
	defer func() { _ = f.Close() }()
	var in io.Reader = f
	if strings.HasSuffix(path, ".zst") {
		z, err := zstd.NewReader(f)
		require.NoError(tb, err)
		defer z.Close()
		in = z
	}
	byKey, lines := map[string][][]byte{}, bufio.NewReaderSize(in, 1<<20)
	var parser fastjson.Parser
	row := 0
	for ; row < rows; row++ {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		v, err := parser.ParseBytes(line)
		require.NoError(tb, err)
		if attrs := v.GetObject("attrs"); attrs != nil {
			attrs.Visit(func(key []byte, v *fastjson.Value) {
				s := byKey[string(key)]
				for len(s) < row {
					s = append(s, nil)
				}
				byKey[string(key)] = append(s, append([]byte{}, v.GetStringBytes()...))
			})
		}
	}
	for key, s := range byKey {
		known := 0
		for _, v := range s {
			if v != nil {
				known++
			}
		}
		if known*10 < row {
			continue
		}
		for len(s) < row {
			s = append(s, nil)
		}
		list = append(list, series{key, s})
	}
	slices.SortFunc(list, func(a, b series) int { return strings.Compare(a.name, b.name) })
	return list
}

func collect(s series, o Options) *Collector {
	o.Class = Text
	c := NewCollector(o)
	for _, v := range s.values {
		if v != nil {
			c.AddText(v)
		}
		c.EndRow()
	}
	return c
}

// blockBlooms is the alternative to Points: a bloom filter for each block.
func blockBlooms(s series, blockRows int, rate float64) (filters []*bloom.BloomFilter, bytes int) {
	for start := 0; start < len(s.values); start += blockRows {
		distinct := map[string]bool{}
		for _, v := range s.values[start:min(start+blockRows, len(s.values))] {
			if v != nil {
				distinct[string(v)] = true
			}
		}
		f := bloom.NewWithEstimates(uint(max(len(distinct), 1)), rate)
		for v := range distinct {
			f.AddString(v)
		}
		filters = append(filters, f)
		bytes += int(f.Cap()+7) / 8
	}
	return filters, bytes
}

// dyadicBlooms is an alternative to Ranges, after BloomRF: for each block a bloom filter of the prefixes of its order keys.
type dyadicBlooms struct {
	filters []*bloom.BloomFilter
	bytes   int
}

// levels are the lengths of the prefixes that are kept, in bits that are cut off.
var levels = []uint{24, 28, 32, 36, 40, 44, 48, 52}

func prefixKey(level uint, key uint64) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, key>>level), byte(level))
}

func newDyadicBlooms(s series, blockRows int, bitsPerKey float64) (d dyadicBlooms) {
	for start := 0; start < len(s.values); start += blockRows {
		distinct := map[string]bool{}
		keys := map[uint64]bool{}
		for _, v := range s.values[start:min(start+blockRows, len(s.values))] {
			if f, ok := expression.Number(v); ok {
				keys[KeyOfFloat(f)] = true
				for _, level := range levels {
					distinct[string(prefixKey(level, KeyOfFloat(f)))] = true
				}
			}
		}
		f := bloom.New(uint(max(64, float64(len(keys))*bitsPerKey)), 2)
		for v := range distinct {
			f.AddString(v)
		}
		d.filters = append(d.filters, f)
		d.bytes += int(f.Cap()+7) / 8
	}
	return d
}

// may tests a range by its dyadic cover.
func (d *dyadicBlooms) may(block int, low, high uint64) bool {
	f := d.filters[block]
	return d.cover(f, len(levels)-1, low>>levels[len(levels)-1], low, high, 64)
}

func (d *dyadicBlooms) cover(f *bloom.BloomFilter, level int, from, low, high uint64, most int) bool {
	shift := levels[level]
	for p, n := from, 0; p <= high>>shift; p, n = p+1, n+1 {
		if n > most {
			return true
		}
		if !f.Test(prefixKey(shift, p<<shift)) {
			continue
		}
		first, last := p<<shift, p<<shift|(1<<shift-1)
		if first >= low && last <= high || level == 0 {
			return true
		}
		if d.cover(f, level-1, max(first, low)>>levels[level-1], low, min(high, last), most) {
			return true
		}
	}
	return false
}

// TestMeasure prints sizes and accuracies of the structures and of their alternatives, over seeded data, or the corpus that FIRN_CORPUS names.
func TestMeasure(t *testing.T) {
	if os.Getenv("FIRN_MEASURE") == "" {
		t.Skip("FIRN_MEASURE is not set")
	}
	list := seeded(50_000)
	if path := os.Getenv("FIRN_CORPUS"); path != "" {
		list = corpus(t, path, 150_000)
	}
	for _, s := range list {
		measurePoints(t, s)
		measureRanges(t, s)
	}
}

func measurePoints(t *testing.T, s series) {
	rows := len(s.values)
	for _, size := range []int{512, 2048} {
		c := collect(s, Options{Points: true, BlockRows: uint32(size)})
		require.NoError(t, c.End())
		b := c.AppendPoints(nil, 0.01)
		p, err := DecodePoints(b)
		require.NoError(t, err)
		blooms, bloomBytes := blockBlooms(s, size, 0.01)
		r := rand.New(rand.NewPCG(1, 1))
		var truth, got, gotBloom, absent, absentBloom int
		const n = 100
		for range n {
			v := s.values[r.IntN(rows)]
			if v == nil {
				continue
			}
			may := make([]bool, p.Blocks())
			require.NoError(t, p.Mark(HashText(v), may))
			none := make([]bool, p.Blocks())
			other := fmt.Sprintf("%s-%d", v, r.Uint64())
			require.NoError(t, p.Mark(HashText([]byte(other)), none))
			for block := range may {
				start, end := p.Span(block)
				if slices.ContainsFunc(s.values[start:end], func(o []byte) bool { return o != nil && string(o) == string(v) }) {
					truth++
					require.True(t, may[block])
				}
				if may[block] {
					got++
				}
				if none[block] {
					absent++
				}
				if blooms[block].Test(v) {
					gotBloom++
				}
				if blooms[block].TestString(other) {
					absentBloom++
				}
			}
		}
		per := float64(n*p.Blocks()) / 100
		t.Logf("%-14s points %5d: %6.3f B/row, blocks left %7.3f %% (true %7.3f %%), absent %.4f %% | bloom a block: %6.3f B/row, left %7.3f %%, absent %.4f %% | distinct %d",
			s.name, size, float64(len(b))/float64(rows), float64(got)/per, float64(truth)/per, float64(absent)/per,
			float64(bloomBytes)/float64(rows), float64(gotBloom)/per, float64(absentBloom)/per, p.Distinct())
	}
}

func measureRanges(t *testing.T, s series) {
	rows := len(s.values)
	var numbers []float64
	byRow := make([]float64, rows)
	for row, v := range s.values {
		byRow[row] = math.NaN()
		if f, ok := expression.Number(v); ok {
			numbers = append(numbers, f)
			byRow[row] = f
		}
	}
	if len(numbers) < rows/20 {
		return
	}
	slices.Sort(numbers)
	for _, size := range []int{256, 512, 2048} {
		type variant struct {
			name  string
			bytes int
			left  func(low, high float64, may []bool)
		}
		var variants []variant
		for _, n := range []int{1, 4, 8, 16} {
			c := collect(s, Options{Ranges: true, BlockRows: uint32(size), Intervals: n})
			require.NoError(t, c.End())
			b := c.AppendRanges(nil)
			r, err := DecodeRanges(b)
			require.NoError(t, err)
			variants = append(variants, variant{fmt.Sprint(n), len(b), func(low, high float64, may []bool) { r.Mark(KeyOfFloat(low), KeyOfFloat(high), may) }})
		}
		for _, bits := range []float64{16} {
			d := newDyadicBlooms(s, size, bits)
			variants = append(variants, variant{fmt.Sprintf("dyadic%g", bits), d.bytes, func(low, high float64, may []bool) {
				for i := range may {
					may[i] = d.may(i, KeyOfFloat(low), KeyOfFloat(high))
				}
			}})
		}
		for _, v := range variants {
			r := rand.New(rand.NewPCG(1, 1))
			var line strings.Builder
			for _, kind := range []string{"tail", "point", "absent", "narrow", "wide"} {
				var truth, got, n int
				for range 20 {
					x := numbers[r.IntN(len(numbers))]
					low, high := x, x
					switch kind {
					case "tail":
						low, high = numbers[len(numbers)*98/100+r.IntN(len(numbers)/50)], math.Inf(1)
					case "absent":
						low = x + 0.5*math.Max(math.Abs(x)/1e4, 1e-4)
						high = low
					case "narrow":
						high = x * 1.01
					case "wide":
						high = x * 1.5
					}
					may := make([]bool, (rows+size-1)/size)
					v.left(low, high, may)
					for block := range may {
						is := slices.ContainsFunc(byRow[block*size:min(rows, block*size+size)], func(f float64) bool { return f >= low && f <= high })
						n++
						if is {
							truth++
							require.True(t, may[block], "%s %g %g", v.name, low, high)
						}
						if may[block] {
							got++
						}
					}
				}
				fmt.Fprintf(&line, " %s %5.1f/%5.1f", kind, 100*float64(got)/float64(n), 100*float64(truth)/float64(n))
			}
			t.Logf("%-14s ranges %5d x %-8s %6.3f B/row: %s", s.name, size, v.name, float64(v.bytes)/float64(rows), line.String())
		}
	}
}
