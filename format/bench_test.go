package format

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// countingWriter counts what is written to it, and writes it to a file if there is one.
type countingWriter struct {
	n int64
	f *os.File
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	if w.f != nil {
		return w.f.Write(p)
	}
	return len(p), nil
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkWriter writes each corpus as one file. It reports JSON-equivalent MB per CPU-second and the file's size. FIRN_KEEP names a
// folder for the files.
func BenchmarkWriter(b *testing.B) {
	for _, c := range corpora(b, 300_000) {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(c.bytes)
			var size int64
			start := cpuTime()
			for range b.N {
				out := &countingWriter{}
				if dir := os.Getenv("FIRN_KEEP"); dir != "" {
					f, err := os.Create(filepath.Join(dir, c.name+".parquet"))
					require.NoError(b, err)
					defer f.Close()
					out.f = f
				}
				w, err := NewWriter(out, logSchema(), WriterOptions{BloomColumns: []string{"trace_id"}})
				require.NoError(b, err)
				require.NoError(b, w.Write(c.batch))
				footer, err := w.Close()
				require.NoError(b, err)
				size = footer.Size
			}
			b.ReportMetric(float64(c.bytes)*float64(b.N)/1e6/(cpuTime()-start).Seconds(), "MB/cpu-s")
			b.ReportMetric(float64(size), "file-bytes")
		})
	}
}

// BenchmarkScan reads whole columns, one row after the other.
func BenchmarkScan(b *testing.B) {
	for _, c := range corpora(b, 300_000) {
		data, _ := writeFile(b, logSchema(), WriterOptions{}, c.batch)
		f := openBytes(b, data, logSchema())
		for _, field := range logSchema().Fields {
			b.Run(c.name+"/"+field.Name, func(b *testing.B) {
				column := &c.batch.Columns[field.ID-1]
				bytes := int64(8 * len(column.Ints))
				for _, v := range [][][]byte{column.Texts, column.Keys, column.Values} {
					for _, t := range v {
						bytes += int64(len(t))
					}
				}
				b.SetBytes(bytes)
				start := cpuTime()
				defer func() {
					b.ReportMetric(float64(bytes)*float64(b.N)/1e6/(cpuTime()-start).Seconds(), "MB/cpu-s")
				}()
				for range b.N {
					rows := 0
					for batch, err := range f.Read(b.Context(), []int{field.ID}, []RowRange{{0, f.Rows()}}, ReadOptions{}) {
						require.NoError(b, err)
						rows += batch.Rows
					}
					require.Equal(b, c.batch.Rows, rows)
				}
			})
		}
	}
}

// BenchmarkNeedles reads 100 scattered rows: the log message, and all columns.
func BenchmarkNeedles(b *testing.B) {
	for _, c := range corpora(b, 300_000) {
		data, _ := writeFile(b, logSchema(), WriterOptions{}, c.batch)
		store := storeBytes(b, data)
		var rows []RowRange
		for i := range uint32(100) {
			at := i*uint32(c.batch.Rows/100) + (i*7919)%1000
			rows = append(rows, RowRange{at, at + 1})
		}
		for name, ids := range map[string][]int{"log_msg": {6}, "attrs": {7}, "all": fieldIDs(logSchema())} {
			for _, n := range []int{25, 100} {
				b.Run(fmt.Sprintf("%s/%s/%d", c.name, name, n), func(b *testing.B) {
					start := cpuTime()
					for range b.N {
						f, err := Open(b.Context(), store, "f.parquet", int64(len(data)), logSchema())
						require.NoError(b, err)
						got := 0
						for batch, err := range f.Read(b.Context(), ids, rows[:n*len(rows)/100], ReadOptions{}) {
							require.NoError(b, err)
							got += batch.Rows
						}
						require.Equal(b, n, got)
					}
					b.ReportMetric(float64((cpuTime()-start).Microseconds())/float64(b.N)/1000, "cpu-ms/op")
				})
			}
		}
	}
}
