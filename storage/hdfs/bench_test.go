//go:build unix

package hdfs

import (
	"io"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// perCPU reports MB for each second of CPU time of the process. It returns what to call at the end.
func perCPU(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	return func() { b.ReportMetric(float64(b.N)*benchBytes/1e6/(used()-start).Seconds(), "MB/CPU-s") }
}

// benchBytes is the size of the objects of the benchmarks.
const benchBytes = 64 << 20

// The benchmarks compare the store with the client library alone. They need servers: FIRN_TEST_SERVERS=1.

func BenchmarkWrite(b *testing.B) {
	s := open(b, shared(b), nil)
	data := random(benchBytes, 1)
	b.Run("store", func(b *testing.B) {
		b.SetBytes(benchBytes)
		defer perCPU(b)()
		for i := 0; b.Loop(); i++ {
			require.NoError(b, storage.WriteObject(b.Context(), s, "store/"+strconv.Itoa(b.N)+"-"+strconv.Itoa(i), data))
		}
	})
	b.Run("library", func(b *testing.B) {
		b.SetBytes(benchBytes)
		sess, err := s.sessions.writer(b.Context())
		require.NoError(b, err)
		defer s.sessions.giveBack(sess)
		require.NoError(b, sess.client.MkdirAll(s.path("library"), dirMode))
		defer perCPU(b)()
		for i := 0; b.Loop(); i++ {
			file, err := sess.client.CreateFile(s.path("library/"+strconv.Itoa(b.N)+"-"+strconv.Itoa(i)), 3, 128<<20, fileMode)
			require.NoError(b, err)
			_, err = file.Write(data)
			require.NoError(b, err)
			require.NoError(b, file.Close())
		}
	})
}

func BenchmarkRead(b *testing.B) {
	s := open(b, shared(b), nil)
	require.NoError(b, storage.WriteObject(b.Context(), s, "object", random(benchBytes, 1)))
	p := make([]byte, 1<<20)
	b.Run("store", func(b *testing.B) {
		b.SetBytes(benchBytes)
		defer perCPU(b)()
		for b.Loop() {
			for off := int64(0); off < benchBytes; off += int64(len(p)) {
				require.NoError(b, s.ReadAt(b.Context(), "object", p, off))
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.SetBytes(benchBytes)
		sess, done, err := s.sessions.shared(b.Context())
		require.NoError(b, err)
		defer done()
		defer perCPU(b)()
		for b.Loop() {
			file, err := sess.client.Open(s.path("object"))
			require.NoError(b, err)
			for range benchBytes / len(p) {
				_, err := io.ReadFull(file, p)
				require.NoError(b, err)
			}
			require.NoError(b, file.Close())
		}
	})
	b.Run("store-4k", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			require.NoError(b, s.ReadAt(b.Context(), "object", p[:4096], int64(i*7919%(benchBytes/4096))*4096))
		}
	})
}
