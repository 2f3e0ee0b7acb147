package index

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// castagnoli is the polynomial of every checksum in a sidecar: CRC32C, which processors compute.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// verified is bytes of a sidecar whose checksum was right. The decoders of heads, dictionaries, postings and bloom filters take
// nothing else, because the libraries below them loop, panic or answer wrongly on damaged bytes. This file is the only one that may make
// a value of it; a test looks after that. The checksum does not keep out bytes that somebody damaged on purpose: decoders still validate.
type verified struct {
	bytes []byte
}

// verify returns the bytes if their checksum is want, and ErrCorrupt otherwise. what names them.
func verify(b []byte, want uint32, what string) (verified, error) {
	if got := checksum(b); got != want {
		return verified{}, fmt.Errorf("%w: checksum of %s is %08x, not %08x", ErrCorrupt, what, got, want)
	}
	return verified{b}, nil
}

// corruptf returns an ErrCorrupt that says what is wrong.
func corruptf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
}

// guard runs a decoder of another library and turns a panic into ErrCorrupt: bytes that have the right checksum and the wrong structure make
// those libraries index out of range.
func guard(what string, decode func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = corruptf("%s: decoder failed: %v", what, r)
		}
	}()
	return decode()
}

// unpackers decompress. They are expensive to make.
var unpackers = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	return d
}}

// unpack decompresses a zstd frame of exactly size bytes.
func unpack(frame verified, size int) (verified, error) {
	pooled := unpackers.Get()
	d, ok := pooled.(*zstd.Decoder)
	if !ok {
		return verified{}, pooled.(error)
	}
	defer unpackers.Put(d)
	plain, err := d.DecodeAll(frame.bytes, make([]byte, 0, size))
	if err != nil || len(plain) != size {
		return verified{}, corruptf("%d compressed bytes do not give %d: %v", len(frame.bytes), size, err)
	}
	return verified{plain}, nil
}

// reader takes numbers and byte strings from the front of verified bytes. After the first failure every call returns zero, and err
// says what was wrong.
type reader struct {
	rest []byte
	what string
	err  error
}

// newReader reads from an offset of the bytes on.
func newReader(v verified, offset uint64, what string) *reader {
	r := &reader{rest: v.bytes, what: what}
	r.take(offset)
	return r
}

func (r *reader) fail(problem string) {
	if r.err == nil {
		r.err = corruptf("%s: %s", r.what, problem)
		r.rest = nil
	}
}

// uvarint takes a number of at most limit.
func (r *reader) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail("a number is cut off or too long")
		return 0
	}
	if v > limit {
		r.fail(fmt.Sprintf("number %d is above %d", v, limit))
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// fixed32 takes a little-endian number of four bytes.
func (r *reader) fixed32() uint32 {
	b := r.take(4)
	if len(b) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

// take takes n bytes, which are not copied.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail("bytes are missing")
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// counted takes a byte string with its length before it.
func (r *reader) counted(limit uint64) []byte { return r.take(r.uvarint(limit)) }

// remaining is what was not taken, for another decoder.
func (r *reader) remaining() verified { return verified{r.rest} }

// end fails if anything is left.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.fail(fmt.Sprintf("%d bytes too many", len(r.rest)))
	}
	return r.err
}
