package valueindex

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/firnlog/firn/index/bitstream"
)

// Points say which blocks may hold a value. They are a sorted table of fingerprints, one for each distinct value, each with the list of its blocks;
// differences are Golomb-coded, as in the compressed sets of F. Putze, P. Sanders and J. Singler (Cache-, Hash- and Space-Efficient Bloom Filters, 2007). With
// n values and 2^r·n fingerprints, a value that is nowhere is taken for another with a probability of at most 2^-r. Compared with a bloom filter for each
// block this takes less space for values that come back in many blocks, and where it errs it costs the blocks of one value, instead of one block of every hundred.
//
// Points are immutable and safe for concurrent use.
type Points struct {
	Presence
	class    Class
	distinct uint64 // values, as told by their hashes
	rest     uint   // r: bits of a difference that are not unary
	offsets  []byte // uint32 for each bucket: where it begins in data
	data     []byte
}

// bucketSize is how many fingerprints a bucket has on average; a look-up decodes one bucket.
const (
	bucketSize = 1 << bucketBits
	bucketBits = 5
)

const largestRest = 20

// restBits returns the r that gives a false positive rate.
func restBits(rate float64) uint {
	return uint(min(max(math.Ceil(-math.Log2(rate)), 1), largestRest))
}

// pointsHeader follows the preamble: uint32 distinct, uint8 rest, 3 bytes 0.
const pointsHeader = 8

// bucketsOf returns the number of buckets for so many distinct values.
func bucketsOf(distinct uint64) int { return int((distinct + bucketSize - 1) >> bucketBits) }

// fingerprint maps the highest hashBits of a hash to a number below space, in the same order.
func fingerprint(hash, space uint64) uint64 {
	high, _ := bits.Mul64(hash>>blockBits<<blockBits, space)
	return high
}

// AppendPoints appends the encoded Points for a false positive rate above 0. End must have been called.
func (c *Collector) AppendPoints(b []byte, rate float64) []byte {
	slices.Sort(c.pairs)
	distinct := uint64(0)
	for i, pair := range c.pairs {
		if i == 0 || pair>>blockBits != c.pairs[i-1]>>blockBits {
			distinct++
		}
	}
	rest := restBits(rate)
	b = c.presence.append(b, c.o.Class)
	b = binary.LittleEndian.AppendUint32(b, uint32(distinct))
	b = append(b, byte(rest), 0, 0, 0)
	buckets := bucketsOf(distinct)
	table := len(b)
	b = append(b, make([]byte, 4*buckets)...)
	w := pointsWriter{bits: bitstream.Writer{Out: b}, rest: rest, space: distinct << rest, blocks: uint64(len(c.presence.some))}
	data := len(b)
	pairs := c.pairs
	for bucket := range buckets {
		binary.LittleEndian.PutUint32(w.bits.Out[table+4*bucket:], uint32(len(w.bits.Out)-data))
		n, _ := slices.BinarySearchFunc(pairs, uint64(bucket+1)<<(rest+bucketBits), func(pair, end uint64) int {
			if fingerprint(pair, w.space) < end {
				return -1
			}
			return 1
		})
		w.bucket(uint64(bucket)<<(rest+bucketBits), pairs[:n])
		pairs = pairs[n:]
	}
	return w.bits.Out
}

// pointsWriter writes buckets.
type pointsWriter struct {
	bits   bitstream.Writer
	rest   uint
	space  uint64
	blocks uint64
	list   []uint64
}

// bucket writes the fingerprints of pairs, all of which lie in the bucket that begins with the fingerprint base.
func (w *pointsWriter) bucket(base uint64, pairs []uint64) {
	count := uint64(0)
	for i := range pairs {
		if i == 0 || fingerprint(pairs[i], w.space) != fingerprint(pairs[i-1], w.space) {
			count++
		}
	}
	w.bits.Gamma(count + 1)
	for start := 0; start < len(pairs); {
		mark, end := fingerprint(pairs[start], w.space), start+1
		for end < len(pairs) && fingerprint(pairs[end], w.space) == mark {
			end++
		}
		w.bits.Rice(mark-base, w.rest)
		base = mark + 1
		w.list = w.list[:0]
		for _, pair := range pairs[start:end] {
			w.list = append(w.list, pair&(1<<blockBits-1))
		}
		slices.Sort(w.list) // several values may have this fingerprint
		w.writeBlocks(slices.Compact(w.list))
		start = end
	}
	w.bits.Align()
}

// writeBlocks writes which blocks have a value: 0 and the number of the only one; 10 and the list of several; 11 and a bit for each block.
func (w *pointsWriter) writeBlocks(list []uint64) {
	if len(list) == 1 {
		w.bits.Bits(0, 1)
		w.bits.Bits(list[0], bitstream.Width(w.blocks))
		return
	}
	size, next := bitstream.GammaBits(uint64(len(list)-1)), uint64(0)
	for _, block := range list {
		size += bitstream.GammaBits(block - next + 1)
		next = block + 1
	}
	w.bits.Bits(1, 1)
	if next = 0; uint64(size) > w.blocks {
		w.bits.Bits(1, 1)
		for _, block := range list {
			for ; next < block; next++ {
				w.bits.Bits(0, 1)
			}
			w.bits.Bits(1, 1)
			next++
		}
		for ; next < w.blocks; next++ {
			w.bits.Bits(0, 1)
		}
		return
	}
	w.bits.Bits(0, 1)
	w.bits.Gamma(uint64(len(list) - 1))
	for _, block := range list {
		w.bits.Gamma(block - next + 1)
		next = block + 1
	}
}

// DecodePoints decodes what AppendPoints appended. b must not change afterwards. Of the fingerprints it checks only the places; whether they make sense is
// found out by Mark and Check. Errors: ErrCorrupt.
func DecodePoints(b []byte) (*Points, error) {
	p := &Points{}
	var err error
	if p.Presence, p.class, b, err = decodePresence(b); err != nil {
		return nil, err
	}
	if len(b) < pointsHeader || b[5] != 0 || b[6] != 0 || b[7] != 0 || b[4] < 1 || b[4] > largestRest {
		return nil, corruptf("the header of points makes no sense")
	}
	p.distinct, p.rest = uint64(binary.LittleEndian.Uint32(b)), uint(b[4])
	b = b[pointsHeader:]
	table := 4 * bucketsOf(p.distinct)
	if table > len(b) {
		return nil, corruptf("there is no room for %d buckets", table/4)
	}
	p.offsets, p.data = b[:table], b[table:]
	last := uint32(0)
	for i := 0; i < table; i += 4 {
		at := binary.LittleEndian.Uint32(p.offsets[i:])
		if i == 0 && at != 0 || at < last || uint64(at) > uint64(len(p.data)) {
			return nil, corruptf("bucket %d of points begins at %d of %d, behind or before another one", i/4, at, len(p.data))
		}
		last = at
	}
	if table == 0 && len(p.data) > 0 {
		return nil, corruptf("%d bytes follow the points", len(p.data))
	}
	return p, nil
}

// Class returns the class of the values.
func (p *Points) Class() Class { return p.class }

// Distinct returns the number of distinct values.
func (p *Points) Distinct() int64 { return int64(p.distinct) }

// SizeInMemory returns about how many bytes the points hold.
func (p *Points) SizeInMemory() int64 {
	return int64(len(p.data)+len(p.offsets)+2*len(p.some)) + 128
}

// Mark sets may[b] for each block b that may hold a value with this hash. may has an element for each block. Errors: ErrCorrupt.
func (p *Points) Mark(h Hash, may []bool) error {
	if p.distinct == 0 {
		return nil
	}
	want := fingerprint(uint64(h), p.distinct<<p.rest)
	_, err := p.bucket(int(want>>(p.rest+bucketBits)), func(mark uint64) []bool {
		if mark == want {
			return may
		}
		return nil
	})
	return err
}

// Check decodes all fingerprints and blocks, and returns how many fingerprints there are. Errors: ErrCorrupt.
func (p *Points) Check() (fingerprints int64, err error) {
	may := make([]bool, len(p.some))
	for i := range bucketsOf(p.distinct) {
		n, err := p.bucket(i, func(uint64) []bool { return may })
		if err != nil {
			return 0, err
		}
		fingerprints += int64(n)
	}
	for i, is := range may {
		if is && !p.some[i] {
			return 0, corruptf("block %d has points and no values", i)
		}
	}
	return fingerprints, nil
}

// bucket decodes bucket i. choose returns, for each fingerprint, where its blocks are to be marked; nil: nowhere.
func (p *Points) bucket(i int, choose func(mark uint64) []bool) (count uint64, err error) {
	start, end := binary.LittleEndian.Uint32(p.offsets[4*i:]), uint32(len(p.data))
	if 4*i+4 < len(p.offsets) {
		end = binary.LittleEndian.Uint32(p.offsets[4*i+4:])
	}
	r := bitstream.Reader{In: p.data[start:end]}
	base := uint64(i) << (p.rest + bucketBits)
	limit := base + 1<<(p.rest+bucketBits)
	count = r.Gamma() - 1
	for range count {
		mark := base + r.Rice(p.rest)
		if r.Failed() || mark >= limit {
			return 0, corruptf("bucket %d of points is damaged", i)
		}
		base = mark + 1
		if !p.readBlocks(&r, choose(mark)) {
			return 0, corruptf("bucket %d of points is damaged", i)
		}
	}
	if r.Failed() || r.Left() >= 8 {
		return 0, corruptf("bucket %d of points has a wrong length", i)
	}
	return count, nil
}

// readBlocks reads what writeBlocks wrote, and marks the blocks unless may is nil.
func (p *Points) readBlocks(r *bitstream.Reader, may []bool) bool {
	blocks := uint64(len(p.some))
	if r.Bits(1) == 0 {
		block := r.Bits(bitstream.Width(blocks))
		if r.Failed() || block >= blocks {
			return false
		}
		if may != nil {
			may[block] = true
		}
		return true
	}
	if r.Bits(1) == 1 {
		for block := range blocks {
			if r.Bits(1) == 1 && may != nil {
				may[block] = true
			}
			if r.Failed() {
				return false
			}
		}
		return true
	}
	n, next := r.Gamma()+1, uint64(0)
	for range n {
		block := next + r.Gamma() - 1
		if r.Failed() || block >= blocks {
			return false
		}
		if may != nil {
			may[block] = true
		}
		next = block + 1
	}
	return true
}
