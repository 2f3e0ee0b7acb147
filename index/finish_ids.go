package index

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/apache/iceberg-go/puffin"

	"github.com/firnlog/firn/index/bitstream"
)

// The table of ids. A token's 64-bit hash (xxhash64, seed 0) gives its bucket, by multiplication with the number of buckets, and, with its lowest
// bits, its fingerprint in the bucket. Buckets are of about idsPerBucket tokens, in bits (see FORMAT.md); some thousand of them are a part, which is
// read and verified by itself. So a token takes about nine bits and its postings, where a dictionary takes the token's bytes; another token of the
// same bucket and fingerprint has its rows added to those that may hold it. (Fingerprint tables: Fan et al., "Cuckoo Filter", 2014; here static, in the
// order of hashes, with coded differences.)
const (
	idsPerBucket    = 16
	fingerprintBits = 10
	fingerprintRice = fingerprintBits - 4 // 2^10 / 16 tokens
	idPartBytes     = 48 << 10
	riceParameter   = 5 // bits of a parameter
)

// idItem is an id.
type idItem struct {
	hash  uint64
	rows  uint32 // offset of its rows
	count uint8
}

func fingerprint(hash uint64) uint32 { return uint32(hash) & (1<<fingerprintBits - 1) }

func bucketOf(hash, buckets uint64) uint64 {
	bucket, _ := bits.Mul64(hash, buckets)
	return bucket
}

// Forms of the postings of an id.
const (
	idBlock  = 0 // one block; the bit 0
	idRow    = 1 // one row; the bits 1 0
	idRows   = 3 // several rows; the bits 1 1 0
	idBlocks = 7 // several blocks; the bits 1 1 1
)

// idBits returns how many bits the postings of an id take as rows and as blocks.
func (f *bitmapFinisher) idBits(rows []uint32) (exact, coarse int) {
	if len(rows) == 1 {
		exact = 2 + int(bitstream.Width(uint64(f.rows)))
	} else {
		exact = 3 + numbersBits(rows, bitstream.Width(uint64(f.rows)))
	}
	var buffer [mostIDRows]uint32
	blocks := distinctBlocks(buffer[:0], rows, f.head.blockRows)
	width := bitstream.Width(uint64(blocksOf(f.rows, f.head.blockRows)))
	if len(blocks) == 1 {
		return exact, 1 + int(width)
	}
	return exact, 3 + numbersBits(blocks, width)
}

// distinctBlocks appends the blocks that rows are in.
func distinctBlocks(dst, rows []uint32, blockRows uint32) []uint32 {
	for _, row := range rows {
		if b := row / blockRows; len(dst) == 0 || dst[len(dst)-1] != b {
			dst = append(dst, b)
		}
	}
	return dst
}

// numbersBits returns how many bits writeNumbers writes.
func numbersBits(numbers []uint32, width uint) int {
	_, n := riceOf(numbers)
	return bitstream.GammaBits(uint64(len(numbers)-1)) + int(width) + riceParameter + n
}

// riceOf returns the better of two parameters for the differences of numbers, and how many bits they take with it.
func riceOf(numbers []uint32) (k uint, n int) {
	last := len(numbers) - 1
	mean := (numbers[last] - numbers[0] - uint32(last)) / uint32(last)
	low := uint(max(bits.Len32(mean)-1, 0))
	bitsLow, bitsHigh := 0, 0
	for i := 1; i <= last; i++ {
		d := uint64(numbers[i] - numbers[i-1] - 1)
		bitsLow += bitstream.RiceBits(d, low)
		bitsHigh += bitstream.RiceBits(d, low+1)
	}
	if bitsHigh < bitsLow {
		return low + 1, bitsHigh
	}
	return low, bitsLow
}

// writeNumbers writes two numbers or more, which ascend.
func writeNumbers(w *bitstream.Writer, numbers []uint32, width uint) {
	k, _ := riceOf(numbers)
	w.Gamma(uint64(len(numbers) - 1))
	w.Bits(uint64(numbers[0]), width)
	w.Bits(uint64(k), riceParameter)
	for i := 1; i < len(numbers); i++ {
		w.Rice(uint64(numbers[i]-numbers[i-1]-1), k)
	}
}

// writeIDs writes the blob of ids.
func (f *bitmapFinisher) writeIDs(file *puffin.Writer) error {
	h := f.head
	if len(f.ids) == 0 {
		return nil
	}
	slices.SortFunc(f.ids, func(a, b idItem) int { return cmp.Compare(a.hash, b.hash) })
	h.idBuckets = (uint64(len(f.ids)) + idsPerBucket - 1) / idsPerBucket
	w, ends := bitstream.Writer{Out: f.out[:0]}, f.starts[:0]
	for next, bucket := 0, uint64(0); bucket < h.idBuckets; bucket++ {
		end := next
		for end < len(f.ids) && bucketOf(f.ids[end].hash, h.idBuckets) == bucket {
			end++
		}
		f.writeBucket(&w, f.ids[next:end])
		ends = append(ends, uint32(len(w.Out)))
		next = end
	}
	f.out, f.starts = w.Out, ends
	h.bucketsPerPart = max(1, h.idBuckets*idPartBytes/uint64(len(w.Out)+2*len(ends)))
	for h.bucketsPerPart > 1 && longestPart(ends, h.bucketsPerPart) > 1<<16-1 {
		h.bucketsPerPart /= 2
	}
	h.wideOffsets = longestPart(ends, h.bucketsPerPart) > 1<<16-1
	blob := bytes.NewBuffer(make([]byte, headerBytes, headerBytes+len(w.Out)+4*len(ends)))
	h.idParts = h.idParts[:0]
	for first := uint64(0); first < h.idBuckets; first += h.bucketsPerPart {
		start := blob.Len()
		f.writeIDPart(blob, w.Out, ends, int(first), int(min(first+h.bucketsPerPart, h.idBuckets)))
		h.idParts = appendPartOf(h.idParts, blob.Bytes()[headerBytes:], int64(start-headerBytes))
	}
	var err error
	h.idsBlob, err = addBlob(file, kindIDs, f.column.spec.FieldID, blob.Bytes())
	return err
}

// longestPart returns how many bytes the buckets of a part have at most.
func longestPart(ends []uint32, perPart uint64) (longest uint32) {
	for first := uint64(0); first < uint64(len(ends)); first += perPart {
		start := uint32(0)
		if first > 0 {
			start = ends[first-1]
		}
		longest = max(longest, ends[min(first+perPart, uint64(len(ends)))-1]-start)
	}
	return longest
}

// writeIDPart writes buckets [first, end): where each begins, behind the offsets, and then all of them.
func (f *bitmapFinisher) writeIDPart(blob *bytes.Buffer, buckets []byte, ends []uint32, first, end int) {
	base := uint32(0)
	if first > 0 {
		base = ends[first-1]
	}
	var offset [4]byte
	for b := first; b < end; b++ {
		start := base
		if b > 0 {
			start = ends[b-1]
		}
		if f.head.wideOffsets {
			binary.LittleEndian.PutUint32(offset[:], start-base)
			_, _ = blob.Write(offset[:4]) // a bytes.Buffer does not fail
			continue
		}
		binary.LittleEndian.PutUint16(offset[:], uint16(start-base))
		_, _ = blob.Write(offset[:2])
	}
	_, _ = blob.Write(buckets[base:ends[end-1]])
}

// writeBucket writes ids, which are in the order of their hashes.
func (f *bitmapFinisher) writeBucket(w *bitstream.Writer, ids []idItem) {
	slices.SortStableFunc(ids, func(a, b idItem) int { return cmp.Compare(fingerprint(a.hash), fingerprint(b.hash)) })
	w.Gamma(uint64(len(ids)) + 1)
	last := uint32(0)
	for i := range ids {
		now := fingerprint(ids[i].hash)
		w.Rice(uint64(now-last), fingerprintRice)
		last = now
		f.writeID(w, f.idRows[ids[i].rows:ids[i].rows+uint32(ids[i].count)])
	}
	w.Align()
}

// writeID writes the postings of an id.
func (f *bitmapFinisher) writeID(w *bitstream.Writer, rows []uint32) {
	exact, coarse := f.idBits(rows)
	if exact <= coarse || uint32(len(rows)) <= f.head.exactRows {
		if len(rows) == 1 {
			w.Bits(idRow, 2)
			w.Bits(uint64(rows[0]), bitstream.Width(uint64(f.rows)))
			return
		}
		w.Bits(idRows, 3)
		writeNumbers(w, rows, bitstream.Width(uint64(f.rows)))
		return
	}
	var buffer [mostIDRows]uint32
	blocks := distinctBlocks(buffer[:0], rows, f.head.blockRows)
	width := bitstream.Width(uint64(blocksOf(f.rows, f.head.blockRows)))
	if len(blocks) == 1 {
		w.Bits(idBlock, 1)
		w.Bits(uint64(blocks[0]), width)
		return
	}
	w.Bits(idBlocks, 3)
	writeNumbers(w, blocks, width)
}
