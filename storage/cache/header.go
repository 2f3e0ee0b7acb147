package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	// chunkBytes is what one checksum covers.
	chunkBytes = 4 << 10
	// headerVersion is the version of the block files.
	headerVersion = 1
	// fixedBytes is the part of the header whose length does not vary, which ends the file.
	fixedBytes = 84
	// headerGuess is how much of the end of a block file is read in the hope that it holds the whole header.
	headerGuess = 2 << 10
	// longestName bounds the URI of a store and the name of an object.
	longestName = 32 << 10
)

// Bits of header.flags.
const (
	flagSizeKnown = 1 << iota // size is the object's size; else it is a lower bound
	flagLast                  // this is the object's last block
)

var (
	blockMagic = []byte("firnblk\x00")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	// errDamaged says that a file is no intact block of the object that was asked for.
	errDamaged = errors.New("damaged block")
)

// header describes the payload of a block file. It follows the payload, so that the payload lies on page boundaries.
type header struct {
	store      string // URI of the store's root
	name       string // of the object in it
	number     int64  // of the block: its first byte is byte number*blockBytes of the object
	blockBytes int
	start      int // where the payload begins in the block
	length     int // of the payload
	flags      uint16
	size       int64 // of the object
	generation int64 // see object.generation
	validated  int64 // when the object was last compared with the store; nanoseconds since 1970
	modified   int64 // the object's own time, if it is known, else 0; nanoseconds since 1970
	sums       []uint32
}

// chunks returns how many checksums n bytes have.
func chunks(n int) int { return (n + chunkBytes - 1) / chunkBytes }

// checksums returns the checksum of every chunk.
func checksums(payload []byte) []uint32 {
	sums := make([]uint32, 0, chunks(len(payload)))
	for len(payload) > 0 {
		n := min(chunkBytes, len(payload))
		sums = append(sums, crc32.Checksum(payload[:n], castagnoli))
		payload = payload[n:]
	}
	return sums
}

// append appends the encoded header.
func (h *header) append(b []byte) []byte {
	begin := len(b)
	for _, sum := range h.sums {
		b = binary.LittleEndian.AppendUint32(b, sum)
	}
	b = append(b, h.store...)
	b = append(b, h.name...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.number))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.size))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.generation))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.validated))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.modified))
	b = binary.LittleEndian.AppendUint32(b, uint32(h.blockBytes))
	b = binary.LittleEndian.AppendUint32(b, uint32(h.start))
	b = binary.LittleEndian.AppendUint32(b, uint32(h.length))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(h.store)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(h.name)))
	b = binary.LittleEndian.AppendUint16(b, h.flags)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = append(b, make([]byte, 4)...)
	b = binary.LittleEndian.AppendUint32(b, headerVersion)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[begin:], castagnoli))
	return append(b, blockMagic...)
}

// headerLength finds out how long the header is at the end of a file of the given size, from the file's last bytes.
func headerLength(tail []byte, size int64) (int, error) {
	if len(tail) < fixedBytes || !bytes.Equal(tail[len(tail)-len(blockMagic):], blockMagic) {
		return 0, fmt.Errorf("%w: it does not end as a block does", errDamaged)
	}
	fixed := tail[len(tail)-fixedBytes:]
	if v := binary.LittleEndian.Uint32(fixed[68:]); v != headerVersion {
		return 0, fmt.Errorf("%w: version %d", errDamaged, v)
	}
	payload, store, name := binary.LittleEndian.Uint32(fixed[48:]), binary.LittleEndian.Uint32(fixed[52:]), binary.LittleEndian.Uint32(fixed[56:])
	if payload > largestBlock || store > longestName || name > longestName {
		return 0, fmt.Errorf("%w: its header has lengths of %d, %d and %d", errDamaged, payload, store, name)
	}
	n := 4*chunks(int(payload)) + int(store) + int(name) + fixedBytes
	if int64(payload)+int64(n) != size {
		return 0, fmt.Errorf("%w: it has %d bytes instead of %d", errDamaged, size, int64(payload)+int64(n))
	}
	return n, nil
}

// decodeHeader decodes a header of the length that headerLength found.
func decodeHeader(b []byte) (*header, error) {
	sumAt := len(b) - len(blockMagic) - 4
	if sumAt < 0 || crc32.Checksum(b[:sumAt], castagnoli) != binary.LittleEndian.Uint32(b[sumAt:]) {
		return nil, fmt.Errorf("%w: the checksum of its header is wrong", errDamaged)
	}
	f := b[len(b)-fixedBytes:]
	h := &header{
		number:     int64(binary.LittleEndian.Uint64(f)),
		size:       int64(binary.LittleEndian.Uint64(f[8:])),
		generation: int64(binary.LittleEndian.Uint64(f[16:])),
		validated:  int64(binary.LittleEndian.Uint64(f[24:])),
		modified:   int64(binary.LittleEndian.Uint64(f[32:])),
		blockBytes: int(binary.LittleEndian.Uint32(f[40:])),
		start:      int(binary.LittleEndian.Uint32(f[44:])),
		length:     int(binary.LittleEndian.Uint32(f[48:])),
		flags:      binary.LittleEndian.Uint16(f[60:]),
	}
	store, name := int(binary.LittleEndian.Uint32(f[52:])), int(binary.LittleEndian.Uint32(f[56:]))
	n := chunks(h.length)
	if len(b) != 4*n+store+name+fixedBytes {
		return nil, fmt.Errorf("%w: its header has a wrong length", errDamaged)
	}
	h.sums = make([]uint32, n)
	for i := range h.sums {
		h.sums[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	h.store = string(b[4*n : 4*n+store])
	h.name = string(b[4*n+store : 4*n+store+name])
	return h, h.check()
}

// check tells whether the numbers of a header fit each other.
func (h *header) check() error {
	valid := h.blockBytes >= chunkBytes && h.blockBytes <= largestBlock && h.number >= 0 && h.number < 1<<50 &&
		h.start+h.length <= h.blockBytes && h.size >= h.end() &&
		(h.flags&flagLast == 0 || h.flags&flagSizeKnown != 0 && h.size == h.end())
	if !valid {
		return fmt.Errorf("%w: its header contradicts itself", errDamaged)
	}
	return nil
}

// end returns the offset in the object behind the payload.
func (h *header) end() int64 { return h.number*int64(h.blockBytes) + int64(h.start+h.length) }

// whole tells whether the payload is all of the block.
func (h *header) whole() bool {
	return h.start == 0 && (h.length == h.blockBytes || h.flags&flagSizeKnown != 0 && h.end() == h.size)
}

// of tells whether the block belongs to that object of that store.
func (h *header) of(store, name string, blockBytes int) bool {
	return h.store == store && h.name == name && h.blockBytes == blockBytes
}
