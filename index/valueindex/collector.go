package valueindex

import (
	"errors"
	"math"
	"slices"

	"github.com/firnlog/firn/index/expression"
)

// Errors of Collector.
var (
	// ErrClass says that a value was of another class than the collector's.
	ErrClass = errors.New("a value is of another class")
	// ErrTooLarge says that there are more blocks than fit.
	ErrTooLarge = errors.New("too many rows for a value index")
)

// Options of a Collector. Zero numbers mean the defaults.
type Options struct {
	Points, Ranges bool
	Class          Class
	BlockRows      uint32
	Intervals      int
}

// Points are collected as pairs of a hash, cut to hashBits, and a block, in one word, so that sorting the words sorts the pairs.
const (
	blockBits = 22
	hashBits  = 64 - blockBits
)

// Collector collects the values of an expression row by row, and encodes what they make. It implements expression.Sink. It is not safe for
// concurrent use. Memory: 8 bytes for each distinct value of each block.
type Collector struct {
	o        Options
	presence Presence
	inBlock  uint32 // rows of the present block
	present  uint32 // of these, with a value
	has      bool   // the present row has a value
	pairs    []uint64
	from     int // where the pairs of the present block begin
	keys     []uint64
	ranges   [][]interval // by block
	err      error
}

var _ expression.Sink = (*Collector)(nil)

// NewCollector returns an empty collector.
func NewCollector(o Options) *Collector {
	if o.BlockRows == 0 {
		o.BlockRows = BlockRows
	}
	if o.Intervals == 0 {
		o.Intervals = Intervals
	}
	return &Collector{o: o, presence: Presence{blockRows: o.BlockRows}}
}

// AddText adds a text to the present row.
func (c *Collector) AddText(text []byte) {
	if !c.add(Text) {
		return
	}
	c.addPoint(HashText(text))
	if c.o.Ranges {
		if f, ok := expression.Number(text); ok {
			c.keys = append(c.keys, KeyOfFloat(f))
		}
	}
}

// AddInt adds a whole number to the present row.
func (c *Collector) AddInt(n int64) {
	if !c.add(Whole) {
		return
	}
	c.addPoint(HashInt(n))
	if c.o.Ranges {
		c.keys = append(c.keys, KeyOfInt(n))
	}
}

// AddFloat adds a float to the present row.
func (c *Collector) AddFloat(f float64) {
	if !c.add(Float) || math.IsNaN(f) {
		return
	}
	c.addPoint(HashFloat(f))
	if c.o.Ranges {
		c.keys = append(c.keys, KeyOfFloat(f))
	}
}

func (c *Collector) add(class Class) bool {
	if class != c.o.Class {
		c.err = ErrClass
		return false
	}
	c.has = true
	return true
}

func (c *Collector) addPoint(h Hash) {
	if !c.o.Points {
		return
	}
	pair := uint64(h)>>blockBits<<blockBits | uint64(len(c.presence.some))
	if n := len(c.pairs); n > c.from && c.pairs[n-1] == pair {
		return // as values of neighbouring rows often are
	}
	c.pairs = append(c.pairs, pair)
}

// EndRow ends the present row.
func (c *Collector) EndRow() {
	c.presence.rows++
	if c.has {
		c.present++
		c.has = false
	}
	if c.inBlock++; c.inBlock == c.o.BlockRows {
		c.endBlock()
	}
}

func (c *Collector) endBlock() {
	if c.inBlock == 0 {
		return
	}
	if len(c.presence.some) == largestBlocks {
		c.err = ErrTooLarge
		return
	}
	c.presence.some = append(c.presence.some, c.present > 0)
	c.presence.every = append(c.presence.every, c.present == c.inBlock)
	if c.o.Points {
		slices.Sort(c.pairs[c.from:])
		c.pairs = c.pairs[:c.from+len(slices.Compact(c.pairs[c.from:]))]
		c.from = len(c.pairs)
	}
	if c.o.Ranges {
		slices.Sort(c.keys)
		c.ranges = append(c.ranges, intervalsOf(slices.Compact(c.keys), c.o.Intervals))
		c.keys = c.keys[:0]
	}
	c.inBlock, c.present = 0, 0
}

// Rows returns the number of rows told so far.
func (c *Collector) Rows() uint32 { return c.presence.rows }

// MemoryBytes returns about how much memory the collector holds.
func (c *Collector) MemoryBytes() int64 {
	return int64(cap(c.pairs)+cap(c.keys))*8 + int64(len(c.ranges))*int64(c.o.Intervals)*16 + int64(cap(c.presence.some))*2
}

// Reset empties the collector and keeps its memory. class is that of the values to come.
func (c *Collector) Reset(class Class) {
	c.o.Class, c.err = class, nil
	c.presence = Presence{blockRows: c.o.BlockRows, some: c.presence.some[:0], every: c.presence.every[:0]}
	c.inBlock, c.present, c.has = 0, 0, false
	c.pairs, c.from, c.keys, c.ranges = c.pairs[:0], 0, c.keys[:0], c.ranges[:0]
}

// End ends the last block. Nothing may be added afterwards. Errors: ErrClass, ErrTooLarge.
func (c *Collector) End() error {
	c.endBlock()
	return c.err
}
