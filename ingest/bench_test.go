package ingest

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/internal/loggen"
)

func defaultSchema() *format.Schema {
	s := &format.Schema{}
	types := map[string]format.Type{
		catalog.TypeString: format.TypeString, catalog.TypeBool: format.TypeBool, catalog.TypeInt: format.TypeInt32, catalog.TypeLong: format.TypeInt64,
		catalog.TypeFloat: format.TypeFloat32, catalog.TypeDouble: format.TypeFloat64, catalog.TypeTimestamp: format.TypeTimestamp,
		catalog.TypeDate: format.TypeDate, catalog.TypeStringMap: format.TypeStringMap,
	}
	for i, c := range catalog.DefaultColumns() {
		s.Fields = append(s.Fields, format.Field{Name: c.Name, ID: i + 1, Type: types[c.Type], Required: c.Required})
	}
	return s
}

// corpusLines returns the lines of FIRN_CORPUS, or generated ones.
func corpusLines(tb testing.TB) [][]byte {
	data := loggen.Bytes(loggen.Options{Seed: 1, Rows: 50_000})
	if path := os.Getenv("FIRN_CORPUS"); path != "" {
		in, err := OpenInput(path)
		require.NoError(tb, err)
		defer in.Close()
		data, err = io.ReadAll(io.LimitReader(in, 64<<20))
		require.NoError(tb, err)
	}
	return bytes.Split(data[:bytes.LastIndexByte(data, 10)], []byte("\n"))
}

func BenchmarkDecode(b *testing.B) {
	lines := corpusLines(b)
	p, err := newPlan(defaultSchema(), "")
	require.NoError(b, err)
	d := decoder{mapper: newMapper(p)}
	var size int64
	for _, line := range lines {
		size += int64(len(line)) + 1
	}
	b.Run("decode", func(b *testing.B) {
		defer reportCPU(b, size)()
		for b.Loop() {
			for _, line := range lines {
				if err := d.decode(line); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("decode+add", func(b *testing.B) {
		defer reportCPU(b, size)()
		pool := newChunkPool(DefaultBufferBytes)
		buf := newBuffer(p, pool)
		for b.Loop() {
			for _, line := range lines {
				if err := d.decode(line); err != nil {
					b.Fatal(err)
				}
				buf.add(d.mapper)
			}
			b.ReportMetric(float64(buf.arena.bytes)/float64(size), "arena/json")
			buf.reset()
		}
	})
	b.Run("gather", func(b *testing.B) {
		defer reportCPU(b, size)()
		pool := newChunkPool(DefaultBufferBytes)
		buf := newBuffer(p, pool)
		for _, line := range lines {
			if err := d.decode(line); err != nil {
				b.Fatal(err)
			}
			buf.add(d.mapper)
		}
		buf.names = buf.keys.names
		g := newGatherer(p)
		orig := append([]ref(nil), buf.refs...)
		var scratch []ref
		for b.Loop() {
			copy(buf.refs, orig)
			buf.refs, scratch = sortRefs(buf.refs, scratch)
			for _, r := range splitRuns(buf) {
				for rows := r.rows; len(rows) > 0; {
					_, n := g.next(buf, r.partition, rows)
					rows = rows[n:]
				}
			}
		}
	})
}

// reportCPU reports how many MB of JSON a CPU-second takes.
func reportCPU(b *testing.B, size int64) func() {
	start := cpuTime()
	return func() {
		b.ReportMetric(float64(size)*float64(b.N)/1e6/(cpuTime()-start).Seconds(), "MB/cpu-s")
	}
}
