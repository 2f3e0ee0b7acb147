package valueindex

import "math/bits"

// bitWriter appends bits, the lowest bit of a byte first.
type bitWriter struct {
	out  []byte
	word uint64 // bits that fill no byte yet
	n    uint
}

// write appends the count lowest bits of v; count is at most 32.
func (w *bitWriter) write(v uint64, count uint) {
	w.word |= (v & (1<<count - 1)) << w.n
	w.n += count
	for w.n >= 8 {
		w.out = append(w.out, byte(w.word))
		w.word >>= 8
		w.n -= 8
	}
}

// unary appends n zeros and a one.
func (w *bitWriter) unary(n uint64) {
	for ; n >= 32; n -= 32 {
		w.write(0, 32)
	}
	w.write(1<<n, uint(n)+1)
}

// gamma appends v, at least 1, in Elias' gamma code: the number of its bits less 1 in unary, then the bits below the highest.
func (w *bitWriter) gamma(v uint64) {
	n := uint(bits.Len64(v)) - 1
	w.unary(uint64(n))
	w.write(v, n)
}

// align fills the last byte.
func (w *bitWriter) align() {
	if w.n > 0 {
		w.write(0, 8-w.n)
	}
}

// bitReader reads what a bitWriter wrote. Behind the end it fails and reads zeros.
type bitReader struct {
	in     []byte
	pos    uint64 // in bits
	failed bool
}

// read returns the next count bits; count is at most 32.
func (r *bitReader) read(count uint) (v uint64) {
	if r.pos+uint64(count) > uint64(len(r.in))*8 {
		r.failed = true
		return 0
	}
	for got := uint(0); got < count; {
		shift := uint(r.pos & 7)
		take := min(8-shift, count-got)
		v |= uint64(r.in[r.pos>>3]>>shift&(1<<take-1)) << got
		got += take
		r.pos += uint64(take)
	}
	return v
}

// unary returns the number of zeros before the next one.
func (r *bitReader) unary() (n uint64) {
	for at := r.pos >> 3; at < uint64(len(r.in)); at++ {
		shift := uint(r.pos & 7)
		if b := r.in[at] >> shift; b != 0 {
			zeros := uint64(bits.TrailingZeros8(b))
			r.pos += zeros + 1
			return n + zeros
		}
		n += uint64(8 - shift)
		r.pos += uint64(8 - shift)
	}
	r.failed = true
	return 0
}

// gamma reads what bitWriter.gamma wrote, of at most 32 bits.
func (r *bitReader) gamma() uint64 {
	n := r.unary()
	if n >= 32 {
		r.failed = true
		return 1
	}
	return 1<<n | r.read(uint(n))
}
