package index

import (
	"encoding/binary"

	"github.com/RoaringBitmap/roaring/v2"
)

// postingClass is how a posting entry holds its rows.
type postingClass uint8

// The classes, as stored in the lowest two bits of an entry. Class 3 is free for other forms.
const (
	classList    postingClass = 0 // runs of rows as varints
	classRoaring postingClass = 1 // a roaring bitmap in the portable format
	classDense   postingClass = 2 // the count alone
	classBits                 = 2
)

// postingEncoder writes posting entries one after another. It is reused, so that it allocates little.
type postingEncoder struct {
	rows      uint32 // of the data file
	rareRows  uint32 // tokens of so many rows are always lists
	denseRows uint32 // tokens of more rows are dense
	dense     []uint64
}

// encode appends the entry of a token with these runs of rows, which are count rows.
//
//	uvarint count << 2 | class
//	list:    for each run of rows: uvarint (rows since the end of the run before, less one but for the first) << 1 | (1 if it has
//	         more than one row); if so, uvarint rows - 2. The list ends with the count-th row.
//	roaring: uvarint length, and the bitmap
//	dense:   nothing
func (p *postingEncoder) encode(dst []byte, runs []rowRun, count uint32) ([]byte, postingClass, error) {
	if count > p.denseRows {
		return binary.AppendUvarint(dst, uint64(count)<<classBits|uint64(classDense)), classDense, nil
	}
	list := encodeList(dst, runs, count)
	// Where runs are short a list takes less than a bitmap unless many of the rows are in it: look only then.
	size := len(list) - len(dst)
	if count <= p.rareRows || size < int(p.rows/16) || roaringBytes(runs) > size {
		return list, classList, nil
	}
	dst, err := p.encodeRoaring(dst, runs, count)
	return dst, classRoaring, err
}

// encodeList appends an entry of class list.
func encodeList(dst []byte, runs []rowRun, count uint32) []byte {
	dst = binary.AppendUvarint(dst, uint64(count)<<classBits|uint64(classList))
	end := ^uint32(0) // so that the first gap is not lessened
	for _, r := range runs {
		gap := uint64(r.start-end-1) << 1
		end = r.start + r.rows
		if r.rows == 1 && gap < 0x80 {
			dst = append(dst, byte(gap))
			continue
		}
		if r.rows > 1 {
			gap |= 1
		}
		dst = binary.AppendUvarint(dst, gap)
		if r.rows > 1 {
			dst = binary.AppendUvarint(dst, uint64(r.rows-2))
		}
	}
	return dst
}

// encodeRoaring appends an entry of class roaring.
func (p *postingEncoder) encodeRoaring(dst []byte, runs []rowRun, count uint32) ([]byte, error) {
	words := int((uint64(p.rows) + 63) / 64)
	if cap(p.dense) < words {
		p.dense = make([]uint64, words)
	}
	p.dense = p.dense[:words]
	clear(p.dense)
	for _, r := range runs {
		setBits(p.dense, r.start, r.start+r.rows)
	}
	b := roaring.FromDense(p.dense, true)
	b.RunOptimize()
	encoded, err := b.ToBytes()
	if err != nil {
		return dst, err
	}
	dst = binary.AppendUvarint(dst, uint64(count)<<classBits|uint64(classRoaring))
	dst = binary.AppendUvarint(dst, uint64(len(encoded)))
	return append(dst, encoded...), nil
}

// setBits sets the bits from start up to, not including, end.
func setBits(words []uint64, start, end uint32) {
	for start < end {
		word, bit := start/64, start%64
		n := min(end-start, 64-bit)
		words[word] |= (1<<n - 1) << bit // n is 64 only if bit is 0; then 1<<n is 0 and the mask all ones
		start += n
	}
}

// roaringBytes is about the size of a roaring bitmap of these rows: for each block of 65,536 rows the smallest of array, bitmap and runs.
func roaringBytes(runs []rowRun) int {
	const blockRows = 1 << 16
	size, block := 8, uint32(0)
	rows, count := 0, 0
	flush := func() {
		if rows > 0 {
			size += 8 + min(2*rows, blockRows/8, 2+4*count)
		}
		rows, count = 0, 0
	}
	for _, r := range runs {
		for r.rows > 0 {
			if b := r.start / blockRows; b != block {
				flush()
				block = b
			}
			n := min(r.rows, blockRows-r.start%blockRows)
			rows += int(n)
			count++
			r.start += n
			r.rows -= n
		}
	}
	flush()
	return size
}
