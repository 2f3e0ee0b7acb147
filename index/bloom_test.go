package index

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
)

func filterOf(tokens []string, rate float64) *Filter {
	blocks, hashes := bloomShape(len(tokens), rate)
	f := &Filter{hashes: hashes, bits: make([]byte, blocks*bloomBlockBytes)}
	for _, token := range tokens {
		f.add(xxhash.Sum64String(token))
	}
	return f
}

// TestBloomRate measures what the filters cost and how often they are wrong, beside those of bits-and-blooms with the same number of bits.
func TestBloomRate(t *testing.T) {
	rng := rand.New(rand.NewPCG(81, 0))
	for _, c := range []struct {
		tokens int
		rate   float64
	}{
		{1 << 20, 0.01}, {200_000, 0.01}, {1 << 16, 0.01}, {2000, 0.01}, {200_000, 0.001}, {200_000, 0.3},
		{30_000, bloomRate(0.01, 30_000)}, {10_000, bloomRate(0.01, 10_000)}, {3000, bloomRate(0.01, 1000)}, {1, bloomRate(0.01, 1)},
	} {
		var tokens []string
		for i := range c.tokens {
			tokens = append(tokens, fmt.Sprintf("%x-%d", rng.Uint64(), i))
		}
		f := filterOf(tokens, c.rate)
		m := uint(f.Blocks() * bloomBlockBits)
		plain := bloom.New(m, uint(math.Round(float64(m)/float64(c.tokens)*math.Ln2)))
		for _, token := range tokens {
			require.True(t, f.TestString(token))
			require.True(t, f.Test([]byte(token)))
			if c.rate == 0.01 {
				plain.AddString(token)
			}
		}
		const asked = 400_000
		wrong, plainWrong := 0, 0
		for i := range asked {
			token := fmt.Sprintf("absent %d", i)
			if f.TestString(token) {
				wrong++
			}
			if c.rate == 0.01 && plain.TestString(token) {
				plainWrong++
			}
		}
		perToken := float64(m) / float64(c.tokens)
		got := float64(wrong) / asked
		t.Logf("%7d tokens, rate %.6f: %.2f bits a token, %d hashes, measured %.6f (bits-and-blooms with as many bits %.6f); the limit for it %.2f bits",
			c.tokens, c.rate, perToken, f.Hashes(), got, float64(plainWrong)/asked, math.Log2(1/max(got, 1e-7))/math.Ln2)
		require.LessOrEqual(t, got, 1.1*c.rate+4*math.Sqrt(c.rate/asked), "%d tokens", c.tokens)
		if c.tokens > 10_000 && c.rate == 0.01 {
			require.Less(t, perToken, 10.3)
		}
	}
}

// TestBloomShape: sizes come in few steps, and no size is much larger than it needs to be.
func TestBloomShape(t *testing.T) {
	last := 0
	sizes := map[int]bool{}
	for n := 1 << 16; n < 1<<18; n += 97 {
		blocks, hashes := bloomShape(n, 0.01)
		require.Equal(t, 6, hashes)
		require.GreaterOrEqual(t, blocks, last)
		last, sizes[blocks] = blocks, true
		require.LessOrEqual(t, float64(blocks)*bloomBlockBits/float64(n), 10.3)
	}
	require.LessOrEqual(t, len(sizes), 2*32+2)
	require.Equal(t, 0.01, bloomRate(0.01, fullRateRows))
	require.Equal(t, 0.01/8, bloomRate(0.01, fullRateRows/8))
	require.Equal(t, 0.01/1024, bloomRate(0.01, 0))
	for _, rate := range []float64{0.5, 0.1, 1e-6} {
		blocks, hashes := bloomShape(0, rate)
		require.Equal(t, 1, blocks)
		require.GreaterOrEqual(t, hashes, 1)
		require.LessOrEqual(t, hashes, largestHashes)
	}
}
