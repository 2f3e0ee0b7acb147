package format

import (
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
