// Package bitstream writes and reads numbers of any number of bits, and the codes that the tables of an index are made of: unary, Elias's gamma code (Elias,
// "Universal codeword sets and representations of the integers", 1975) and Golomb-Rice codes (Rice and Plaunt, 1971). The lowest bit of a byte comes first.
package bitstream

import "math/bits"

// Writer appends to Out. The zero value is ready. It is not safe for concurrent use.
type Writer struct {
	Out  []byte
	word uint64 // bits that fill no byte yet
	n    uint
}

// Bits appends the count lowest bits of v; count is at most 32.
func (w *Writer) Bits(v uint64, count uint) {
	w.word |= (v & (1<<count - 1)) << w.n
	w.n += count
	for w.n >= 8 {
		w.Out = append(w.Out, byte(w.word))
		w.word >>= 8
		w.n -= 8
	}
}

// Unary appends n zeros and a one.
func (w *Writer) Unary(n uint64) {
	for ; n >= 31; n -= 31 {
		w.Bits(0, 31)
	}
	w.Bits(1<<n, uint(n)+1)
}

// Gamma appends v, at least 1, in Elias's gamma code: the number of its bits less 1 in unary, then the bits below the highest.
func (w *Writer) Gamma(v uint64) {
	n := uint(bits.Len64(v)) - 1
	w.Unary(uint64(n))
	w.Bits(v, n)
}

// Rice appends v in the Golomb-Rice code with parameter k: v >> k in unary, then the k lowest bits.
func (w *Writer) Rice(v uint64, k uint) {
	w.Unary(v >> k)
	w.Bits(v, k)
}

// Align fills the last byte with zeros.
func (w *Writer) Align() {
	if w.n > 0 {
		w.Bits(0, 8-w.n)
	}
}

// GammaBits returns how many bits Writer.Gamma writes.
func GammaBits(v uint64) int { return 2*bits.Len64(v) - 1 }

// RiceBits returns how many bits Writer.Rice writes.
func RiceBits(v uint64, k uint) int { return int(v>>k) + 1 + int(k) }

// Width returns how many bits a number below values has.
func Width(values uint64) uint { return uint(bits.Len64(values - min(values, 1))) }

// Reader reads what a Writer wrote, of bytes that may be damaged. Behind the end it fails: then every call returns the least number that its code has. It is
// not safe for concurrent use.
type Reader struct {
	In     []byte
	at     uint64 // bit
	failed bool
}

// Failed says whether something was read behind the end, or Fail was called.
func (r *Reader) Failed() bool { return r.failed }

// Fail makes the reader fail, because what it read makes no sense.
func (r *Reader) Fail() { r.failed = true }

// Left returns how many bits were not read.
func (r *Reader) Left() uint64 { return uint64(len(r.In))*8 - r.at }

// Bits returns the next count bits; count is at most 32.
func (r *Reader) Bits(count uint) (v uint64) {
	if r.at+uint64(count) > uint64(len(r.In))*8 {
		r.failed = true
	}
	if r.failed {
		return 0
	}
	for got := uint(0); got < count; {
		shift := uint(r.at & 7)
		take := min(8-shift, count-got)
		v |= uint64(r.In[r.at>>3]>>shift&(1<<take-1)) << got
		got += take
		r.at += uint64(take)
	}
	return v
}

// Unary returns the number of zeros before the next one.
func (r *Reader) Unary() (n uint64) {
	for at := r.at >> 3; at < uint64(len(r.In)) && !r.failed; at++ {
		shift := uint(r.at & 7)
		if b := r.In[at] >> shift; b != 0 {
			zeros := uint64(bits.TrailingZeros8(b))
			r.at += zeros + 1
			return n + zeros
		}
		n += uint64(8 - shift)
		r.at += uint64(8 - shift)
	}
	r.failed = true
	return 0
}

// Gamma returns what Writer.Gamma wrote, of at most 33 bits.
func (r *Reader) Gamma() uint64 {
	n := r.Unary()
	if n > 32 || r.failed {
		r.failed = true
		return 1
	}
	return 1<<n | r.Bits(uint(n))
}

// Rice returns what Writer.Rice wrote with the same parameter.
func (r *Reader) Rice(k uint) uint64 { return r.Unary()<<k | r.Bits(k) }
