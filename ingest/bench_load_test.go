package ingest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/ingest"
	"github.com/firnlog/firn/internal/loggen"
	"github.com/firnlog/firn/storage/local"
)

// BenchmarkLoad loads FIRN_CORPUS (JSON lines, may be compressed), or generated lines, into a table of a local lake.
func BenchmarkLoad(b *testing.B) {
	corpus := os.Getenv("FIRN_CORPUS")
	if corpus == "" {
		corpus = filepath.Join(b.TempDir(), "generated.jsonl")
		require.NoError(b, os.WriteFile(corpus, loggen.Bytes(loggen.Options{Seed: 1, Rows: 50_000}), 0o600))
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(850 << 20)
	}
	ctx := context.Background()
	for _, setting := range []string{"none", "bitmap,bloom"} {
		b.Run("index="+setting, func(b *testing.B) {
			for b.Loop() {
				start := ingest.CPUTime()
				report := loadOnce(ctx, b, corpus, map[string]string{"firn.index.column.log_msg": setting})
				cpu := (ingest.CPUTime() - start).Seconds()
				b.ReportMetric(float64(report.InputBytes)/1e6/cpu, "MB/cpu-s")
				b.ReportMetric(float64(report.DataBytes)/1e6, "data-MB")
				b.ReportMetric(float64(report.IndexBytes)/1e6, "index-MB")
				b.ReportMetric(float64(report.Files), "files")
				b.ReportMetric(float64(report.Rows), "rows")
			}
			b.Log(peakRSS())
		})
	}
}

func peakRSS() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return ""
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		var kb int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return fmt.Sprintf("peak RSS %d MiB", kb/1024)
		}
	}
	return ""
}

func loadOnce(ctx context.Context, tb testing.TB, corpus string, properties map[string]string) ingest.Report {
	dir := tb.TempDir()
	store, err := local.New(dir)
	require.NoError(tb, err)
	cat, err := catalog.Open(ctx, catalog.Options{Store: store, URI: "sqlite://" + filepath.Join(dir, "catalog.db")})
	require.NoError(tb, err)
	defer cat.Close()
	table, err := cat.Create(ctx, catalog.TableSpec{Name: "t", Properties: properties})
	require.NoError(tb, err)
	buffer, _ := strconv.ParseInt(os.Getenv("FIRN_BUFFER_BYTES"), 10, 64)
	w, err := ingest.NewWriter(ctx, table, store, ingest.Options{BufferBytes: buffer})
	require.NoError(tb, err)
	in, err := ingest.OpenInput(corpus)
	require.NoError(tb, err)
	defer in.Close()
	require.NoError(tb, ingest.Load(ctx, w, in, ingest.LoadOptions{Name: corpus}))
	require.NoError(tb, w.Close(ctx))
	report := w.Report()
	require.Equal(tb, report.Rows, report.CommittedRows)
	return report
}
