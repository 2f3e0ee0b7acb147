package index

import (
	"encoding/binary"
	"fmt"

	"github.com/apache/iceberg-go/puffin"
	"github.com/klauspost/compress/zstd"
)

// The column of patterns says for each row the number of its pattern + 1, or 0 if it is in none. It is cut into blocks of columnBlockRows rows, each compressed by
// itself: the lowest bytes of the numbers one after another and, if there are more than 255 patterns, the highest bytes. The rows of one statement follow
// those of another again and again in logs; a general compressor finds that, where runs and bitmaps take several times as much.
const (
	columnBlockBits = 16
	columnBlockRows = 1 << columnBlockBits
)

// hasMask says whether the column of patterns of a data file has more blocks than one, and so few that each has a bit.
func hasMask(rows uint32) bool {
	return rows > columnBlockRows && blocksOf(rows, columnBlockRows) <= 64
}

// columnBlocks returns the bits of the blocks of the column of patterns that rows [start, end) are in. They mean nothing if there is no mask.
func columnBlocks(start, end uint32) uint64 {
	first, last := start>>columnBlockBits, (end-1)>>columnBlockBits
	if last > 63 {
		return ^uint64(0)
	}
	return (^uint64(0) >> (63 - (last - first))) << first
}

// packer compresses.
type packer struct {
	encoder *zstd.Encoder
	plain   []byte
}

func (p *packer) memoryBytes() int64 { return int64(cap(p.plain)) }

// pack appends a frame with the plain bytes.
func (p *packer) pack(dst []byte) ([]byte, error) {
	if p.encoder == nil {
		var err error
		p.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true), zstd.WithWindowSize(2*columnBlockRows))
		if err != nil {
			return nil, fmt.Errorf("make a compressor: %w", err)
		}
	}
	return p.encoder.EncodeAll(p.plain, dst), nil
}

// writePatterns writes the blob of patterns: the table of them as its first part, and the blocks of the column as the others.
func (f *bitmapFinisher) writePatterns(file *puffin.Writer) error {
	h := f.head
	h.patterns, h.patternParts = uint64(len(f.ranked)), h.patternParts[:0]
	f.masks = append(f.masks[:0], make([]uint64, len(f.ranked))...)
	if len(f.ranked) == 0 {
		return nil
	}
	blob := append(f.out[:0], make([]byte, headerBytes)...)
	blob, err := f.appendTable(blob)
	if err != nil {
		return err
	}
	h.patternParts = appendPartOf(h.patternParts, blob[headerBytes:], 0)
	for first := uint64(0); first < uint64(f.rows); first += columnBlockRows {
		start := len(blob) - headerBytes
		f.plainColumn(uint32(first), uint32(min(first+columnBlockRows, uint64(f.rows))))
		if blob, err = f.packer.pack(blob); err != nil {
			return err
		}
		h.patternParts = appendPartOf(h.patternParts, blob[headerBytes:], int64(start))
	}
	f.out = blob
	h.patternsBlob, err = addBlob(file, kindPatterns, f.column.spec.FieldID, blob)
	return err
}

// plainColumn makes a block of the column of patterns the packer's plain bytes, and notes which patterns are in it.
func (f *bitmapFinisher) plainColumn(first, end uint32) {
	p, n := &f.column.patterns, int(end-first)
	wide := isWide(len(f.ranked))
	size := n
	if wide {
		size *= 2
	}
	f.packer.plain = append(f.packer.plain[:0], make([]byte, size)...)
	bit := columnBlocks(first, end)
	told := p.rows[min(int(first), len(p.rows)):min(int(end), len(p.rows))]
	for i, set := range told {
		if set == 0 {
			continue
		}
		number := p.sets[set-1].pattern
		if number == 0 {
			continue
		}
		f.masks[number-1] |= bit
		f.packer.plain[i] = byte(number)
		if wide {
			f.packer.plain[n+i] = byte(number >> 8)
		}
	}
}

func isWide(patterns int) bool { return patterns > 1<<8-1 }

// appendTable appends the table of patterns: for each its id and its rows; then, compressed, for each the length of its sample, and the samples.
func (f *bitmapFinisher) appendTable(dst []byte) ([]byte, error) {
	p := &f.column.patterns
	plain := f.packer.plain[:0]
	for _, set := range f.ranked {
		s := &p.sets[set]
		dst = binary.LittleEndian.AppendUint64(dst, s.id)
		dst = binary.AppendUvarint(dst, uint64(s.rows))
		plain = binary.AppendUvarint(plain, uint64(s.sampleLength))
	}
	for _, set := range f.ranked {
		s := &p.sets[set]
		plain = append(plain, p.texts[s.sample:s.sample+s.sampleLength]...)
	}
	f.packer.plain = plain
	dst = binary.AppendUvarint(dst, uint64(len(plain)))
	return f.packer.pack(dst)
}
