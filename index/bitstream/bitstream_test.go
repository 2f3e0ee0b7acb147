package bitstream

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRoundTrip writes numbers in all codes and reads them back.
func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		var w Writer
		var checks []func(r *Reader)
		total := 0
		for range rng.IntN(50) {
			v, k := rng.Uint64()>>(32+rng.IntN(32)), uint(rng.IntN(20))
			switch rng.IntN(4) {
			case 0:
				n := uint(rng.IntN(33))
				v &= 1<<n - 1
				w.Bits(v, n)
				total += int(n)
				checks = append(checks, func(r *Reader) { require.Equal(t, v, r.Bits(n)) })
			case 1:
				v %= 300
				w.Unary(v)
				total += int(v) + 1
				checks = append(checks, func(r *Reader) { require.Equal(t, v, r.Unary()) })
			case 2:
				w.Gamma(v + 1)
				total += GammaBits(v + 1)
				checks = append(checks, func(r *Reader) { require.Equal(t, v+1, r.Gamma()) })
			case 3:
				v %= 1 << (k + 8)
				w.Rice(v, k)
				total += RiceBits(v, k)
				checks = append(checks, func(r *Reader) { require.Equal(t, v, r.Rice(k)) })
			}
		}
		w.Align()
		require.Len(t, w.Out, (total+7)/8)
		r := Reader{In: w.Out}
		for _, check := range checks {
			check(&r)
		}
		require.False(t, r.Failed())
		r.Bits(8)
		require.True(t, r.Failed(), "there is nothing behind the end")
	}
}

func TestWidth(t *testing.T) {
	for values, want := range map[uint64]uint{0: 0, 1: 0, 2: 1, 3: 2, 4: 2, 5: 3, 1 << 16: 16, 1<<16 + 1: 17} {
		require.Equal(t, want, Width(values), "%d", values)
	}
}

// FuzzReader reads any bytes in all codes.
func FuzzReader(f *testing.F) {
	f.Add([]byte{}, uint8(3))
	f.Add([]byte{0, 0, 0, 0, 0, 1, 255}, uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, k uint8) {
		r := Reader{In: in}
		for i := 0; !r.Failed(); i++ {
			switch (i + int(k)) % 4 {
			case 0:
				require.Less(t, r.Bits(uint(k%32)), uint64(1)<<32)
			case 1:
				require.LessOrEqual(t, r.Unary(), uint64(8*len(in)))
			case 2:
				require.Positive(t, r.Gamma())
			case 3:
				r.Rice(uint(k % 20))
				r.Bits(1) // so that it ends
			}
		}
	})
}
