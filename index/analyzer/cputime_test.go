//go:build unix

package analyzer

import (
	"syscall"
	"testing"
	"time"
)

// reportCPU reports MB per CPU-second of the whole process, which other load on the machine disturbs less than wall time.
func reportCPU(b *testing.B, bytes int, run func()) {
	b.SetBytes(int64(bytes))
	start, n := cpuTime(), 0
	for b.Loop() {
		run()
		n++
	}
	b.ReportMetric(float64(bytes)*float64(n)/1e6/(cpuTime()-start).Seconds(), "MB/cpu-s")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
