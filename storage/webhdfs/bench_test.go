package webhdfs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// BenchmarkSequential writes and reads objects of 64 MiB on the shared cluster, in a replicated and in an erasure coded directory.
func BenchmarkSequential(b *testing.B) {
	const size = 64 << 20
	c := cluster(b)
	data := content(1, size)
	for _, ec := range []string{"", policy} {
		name := "replicated"
		if ec != "" {
			name = ec
		}
		b.Run(name, func(b *testing.B) {
			s := openAt(b, uriOf(c), optionsOf(c))
			if ec != "" {
				require.NoError(b, s.SetECPolicy(b.Context(), "", ec))
			}
			b.Run("write", func(b *testing.B) {
				b.SetBytes(size)
				for b.Loop() {
					require.NoError(b, storage.WriteObject(b.Context(), s, "object", data))
					b.StopTimer()
					require.NoError(b, s.Delete(b.Context(), "object"))
					b.StartTimer()
				}
			})
			require.NoError(b, storage.WriteObject(b.Context(), s, "object", data))
			p := make([]byte, size)
			b.Run("read", func(b *testing.B) {
				b.SetBytes(size)
				for b.Loop() {
					require.NoError(b, s.ReadAt(b.Context(), "object", p, 0))
				}
			})
			b.Run("read-4KiB", func(b *testing.B) {
				for b.Loop() {
					require.NoError(b, s.ReadAt(b.Context(), "object", p[:4096], 12_345_678))
				}
			})
		})
	}
}
