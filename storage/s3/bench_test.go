package s3

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
)

// benchSize is the size of the large objects.
const benchSize = 128 << 20

// benchStore opens a store on the shared server that S3_SERVER names.
func benchStore(b *testing.B) *Store {
	b.Helper()
	var server *testservers.Server
	if kind := os.Getenv("S3_SERVER"); kind != "" {
		server = testservers.Shared(b, "s3", "S3_SERVER="+kind)
	} else {
		server = testservers.Shared(b, "s3")
	}
	s := open(b, server, settings(server, ""))
	s.options.RequestTimeout = time.Minute
	return s
}

// BenchmarkWrite writes one large object: through the store, with the SDK alone in one PutObject, and in parts one after the other.
func BenchmarkWrite(b *testing.B) {
	s := benchStore(b)
	data := pattern(benchSize, 1)
	b.Run("store", func(b *testing.B) {
		b.SetBytes(benchSize)
		for b.Loop() {
			require.NoError(b, storage.WriteObject(b.Context(), s, "object", data))
			b.StopTimer()
			require.NoError(b, s.Delete(b.Context(), "object"))
			b.StartTimer()
		}
	})
	b.Run("sdk", func(b *testing.B) {
		b.SetBytes(benchSize)
		for b.Loop() {
			require.NoError(b, s.putObject(b.Context(), "object", "id", data))
			b.StopTimer()
			require.NoError(b, s.Delete(b.Context(), "object"))
			b.StartTimer()
		}
	})
}

// BenchmarkRead reads one large object from its beginning to its end: in pieces of 1 MiB and of 32 MiB through the store, and as one
// stream with the SDK alone.
func BenchmarkRead(b *testing.B) {
	s := benchStore(b)
	require.NoError(b, storage.WriteObject(b.Context(), s, "object", pattern(benchSize, 1)))
	defer func() { require.NoError(b, s.Delete(b.Context(), "object")) }()
	for name, piece := range map[string]int{"1MiB": 1 << 20, "8MiB": 8 << 20, "32MiB": 32 << 20} {
		b.Run("store/"+name, func(b *testing.B) {
			b.SetBytes(benchSize)
			p := make([]byte, piece)
			for b.Loop() {
				for off := 0; off < benchSize; off += piece {
					require.NoError(b, s.ReadAt(b.Context(), "object", p, int64(off)))
				}
			}
		})
	}
	b.Run("sdk", func(b *testing.B) {
		b.SetBytes(benchSize)
		for b.Loop() {
			out, err := s.client.GetObject(b.Context(), &s3.GetObjectInput{Bucket: aws.String(s.bucket), Key: s.key("object")})
			require.NoError(b, err)
			n, err := io.Copy(io.Discard, out.Body)
			require.NoError(b, err)
			require.EqualValues(b, benchSize, n)
			require.NoError(b, out.Body.Close())
		}
	})
}

// BenchmarkReadAt reads 4 KiB: the cost of one request.
func BenchmarkReadAt(b *testing.B) {
	s := benchStore(b)
	require.NoError(b, storage.WriteObject(b.Context(), s, "object", pattern(1<<20, 1)))
	defer func() { require.NoError(b, s.Delete(b.Context(), "object")) }()
	p := make([]byte, 4<<10)
	for b.Loop() {
		require.NoError(b, s.ReadAt(b.Context(), "object", p, 12_345))
	}
}
