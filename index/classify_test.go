package index

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func randomColumnOfPatterns(r *rand.Rand, rows int, wide bool) (*columnOfPatterns, []byte) {
	b, patterns := &columnOfPatterns{low: make([]byte, rows)}, 1<<8
	if wide {
		b.high, patterns = make([]byte, rows), 3000
	}
	classes := make([]byte, patterns)
	for i := range classes {
		if r.IntN(5) == 0 {
			classes[i] = isMember
		}
	}
	classes[0] = isRest
	for i := range rows {
		number := r.IntN(patterns)
		b.low[i] = byte(number)
		if wide {
			b.high[i] = byte(number >> 8)
		}
	}
	return b, classes
}

func TestClassify(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 0))
	for _, rows := range []int{0, 1, 31, 32, 33, 63, 64, 65, 1000, 4096} {
		for _, wide := range []bool{false, true} {
			b, classes := randomColumnOfPatterns(r, rows, wide)
			members, rest := b.classify(classes)
			for i := range rows {
				number := int(b.low[i])
				if wide {
					number |= int(b.high[i]) << 8
				}
				require.Equal(t, classes[number] == isMember, members.ContainsInt(i))
				require.Equal(t, classes[number] == isRest, rest.ContainsInt(i))
			}
			require.LessOrEqual(t, members.GetCardinality()+rest.GetCardinality(), uint64(rows))
		}
	}
}

// BenchmarkClassify finds the rows of some patterns in a column of a million rows.
func BenchmarkClassify(b *testing.B) {
	for _, wide := range []bool{false, true} {
		name := map[bool]string{false: "one byte", true: "two bytes"}[wide]
		b.Run(name, func(b *testing.B) {
			column, classes := randomColumnOfPatterns(rand.New(rand.NewPCG(32, 0)), 1<<20, wide)
			b.SetBytes(1 << 20)
			for b.Loop() {
				column.classify(classes)
			}
		})
	}
}
