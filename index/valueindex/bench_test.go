package valueindex

import (
	"testing"

	"github.com/firnlog/firn/index/expression"
)

// BenchmarkCollect builds both structures from texts.
func BenchmarkCollect(b *testing.B) {
	for _, s := range seeded(100_000) {
		b.Run(s.name, func(b *testing.B) {
			size := 0
			for b.Loop() {
				c := collect(s, Options{Points: true, Ranges: true})
				if err := c.End(); err != nil {
					b.Fatal(err)
				}
				size = len(c.AppendPoints(nil, 0.01)) + len(c.AppendRanges(nil))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(s.values)), "ns/row")
			b.ReportMetric(float64(size)/float64(len(s.values)), "B/row")
		})
	}
}

// BenchmarkMark asks both structures.
func BenchmarkMark(b *testing.B) {
	for _, s := range seeded(200_000) {
		c := collect(s, Options{Points: true, Ranges: true})
		if err := c.End(); err != nil {
			b.Fatal(err)
		}
		points, err := DecodePoints(c.AppendPoints(nil, 0.01))
		if err != nil {
			b.Fatal(err)
		}
		ranges, err := DecodeRanges(c.AppendRanges(nil))
		if err != nil {
			b.Fatal(err)
		}
		may := make([]bool, points.Blocks())
		b.Run("points/"+s.name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				_ = points.Mark(HashText(s.values[i%len(s.values)]), may)
			}
		})
		b.Run("ranges/"+s.name, func(b *testing.B) {
			for b.Loop() {
				ranges.Mark(KeyOfFloat(100), KeyOfFloat(200), may)
			}
		})
	}
}

// BenchmarkExtract follows a path in a line of a JSON log.
func BenchmarkExtract(b *testing.B) {
	path, _ := expression.ParsePath("$.severity")
	line := []byte(`{"message":"TraceID: 04c87ec97bae041b1b15b3c7676a43cc SpanID: 582fe457b6db4c21 Start list products","severity":"info","timestamp":"2022-08-22T05:18:42.896548228Z"}`)
	var s expression.Scratch
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if path.Extract(line, &s) == nil {
			b.Fatal("nothing found")
		}
	}
}
