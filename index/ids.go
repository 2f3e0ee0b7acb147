package index

import (
	"context"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/firnlog/firn/index/bitstream"
)

// lookupID finds the rows that may hold a token in the table of ids.
func (s *Sidecar) lookupID(ctx context.Context, column int, token []byte) (Posting, error) {
	h, n := &s.head.columns[column], s.head.identity.Rows
	hash := xxhash.Sum64(token)
	bucket := bucketOf(hash, h.idBuckets)
	part, err := s.idPart(ctx, column, int(bucket/h.bucketsPerPart))
	if err != nil {
		return Posting{}, err
	}
	var found *RowSet
	err = h.eachID(part, bucket, n, func(tag uint32, p *idPostings) {
		if tag != fingerprint(hash) {
			return
		}
		if found == nil {
			found = NoRows(n)
		}
		found = found.Or(p.rows(n, h.blockRows))
	})
	switch {
	case err != nil:
		return Posting{}, err
	case found == nil:
		return absent(n), nil
	}
	return Posting{Kind: PostingMay, Rows: found, Must: NoRows(n)}, nil
}

// idPart returns part i of the table of ids of a column, loading it first if need be.
func (s *Sidecar) idPart(ctx context.Context, column, i int) (verified, error) {
	h := &s.head.columns[column]
	p := h.idParts[i]
	return load(ctx, &s.cache, partKey{kindIDs, column, i}, p.length, func() (verified, error) {
		return s.readPart(ctx, h.idsBlob, p, "a part of the table of ids")
	})
}

// bucketsIn returns how many buckets the part that a bucket lies in has.
func (h *columnHead) bucketsIn(bucket uint64) uint64 {
	first := bucket / h.bucketsPerPart * h.bucketsPerPart
	return min(h.bucketsPerPart, h.idBuckets-first)
}

// eachID tells the fingerprints of a bucket, which is in this part, each with its postings, which must not be kept.
func (h *columnHead) eachID(part verified, bucket uint64, n uint32, tell func(tag uint32, p *idPostings)) error {
	in, err := h.bucketBytes(part, bucket)
	if err != nil {
		return err
	}
	r := &bitstream.Reader{In: in}
	tag := uint64(0)
	for count := r.Gamma() - 1; count > 0 && !r.Failed(); count-- {
		tag += r.Rice(fingerprintRice)
		if tag >= 1<<fingerprintBits {
			r.Fail()
			break
		}
		postings := h.readID(r, n)
		if r.Failed() {
			break
		}
		tell(uint32(tag), &postings)
	}
	if r.Failed() {
		return corruptf("table of ids: a bucket of %d bytes is damaged", len(in))
	}
	return nil
}

// bucketBytes returns the bytes of a bucket, and maybe more.
func (h *columnHead) bucketBytes(part verified, bucket uint64) ([]byte, error) {
	width, buckets, at := uint64(2), h.bucketsIn(bucket), bucket%h.bucketsPerPart
	if h.wideOffsets {
		width = 4
	}
	if buckets*width > uint64(len(part.bytes)) {
		return nil, corruptf("table of ids: a part is too short for %d buckets", buckets)
	}
	offset := func(i uint64) uint64 {
		if i == buckets {
			return uint64(len(part.bytes)) - buckets*width
		}
		if h.wideOffsets {
			return uint64(binary.LittleEndian.Uint32(part.bytes[i*4:]))
		}
		return uint64(binary.LittleEndian.Uint16(part.bytes[i*2:]))
	}
	start, end := offset(at), offset(at+1)
	if start > end || end > offset(buckets) {
		return nil, corruptf("table of ids: a bucket lies outside its part")
	}
	return part.bytes[buckets*width+start : buckets*width+end], nil
}

// idPostings are rows, or blocks, that ascend.
type idPostings struct {
	numbers []uint32
	blocks  bool
	single  [1]uint32
}

// readID takes the postings of an id.
func (h *columnHead) readID(r *bitstream.Reader, n uint32) (p idPostings) {
	blocks := blocksOf(n, h.blockRows)
	switch {
	case r.Bits(1) == 0:
		p.blocks = true
		p.single[0] = readNumber(r, blocks)
	case r.Bits(1) == 0:
		p.single[0] = readNumber(r, n)
	case r.Bits(1) == 0:
		p.numbers = readNumbers(r, n)
	default:
		p.blocks = true
		p.numbers = readNumbers(r, blocks)
	}
	return p
}

func (p *idPostings) rows(n, blockRows uint32) *RowSet {
	numbers := p.numbers
	if numbers == nil {
		numbers = p.single[:]
	}
	each := uint32(1)
	if p.blocks {
		each = blockRows
	}
	c := &rangeCollector{n: n, each: each}
	for _, number := range numbers {
		c.add(number, number+1)
	}
	return c.set()
}

// readNumber takes a number below values.
func readNumber(r *bitstream.Reader, values uint32) uint32 {
	v := uint32(r.Bits(bitstream.Width(uint64(values))))
	if v >= values {
		r.Fail()
	}
	return v
}

// readNumbers takes what writeNumbers wrote: numbers that ascend, below values.
func readNumbers(r *bitstream.Reader, values uint32) []uint32 {
	count := r.Gamma() + 1
	number := readNumber(r, values)
	k := uint(r.Bits(riceParameter))
	if count > mostIDRows || r.Failed() {
		r.Fail()
		return nil
	}
	numbers := make([]uint32, 1, count)
	numbers[0] = number
	for range count - 1 {
		next := uint64(number) + 1 + r.Rice(k)
		if next >= uint64(values) || r.Failed() {
			r.Fail()
			return nil
		}
		number = uint32(next)
		numbers = append(numbers, number)
	}
	return numbers
}
