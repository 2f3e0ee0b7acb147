package index

import "math/bits"

// bitWriter appends numbers of any number of bits to bytes, the lowest bit first.
type bitWriter struct {
	out  []byte
	word uint64 // bits that are no whole byte yet
	used uint   // number of them, below 8
}

// bits appends the lowest n bits of v, n at most 32; v has no others.
func (w *bitWriter) bits(v uint64, n uint) {
	w.word |= v << w.used
	w.used += n
	for w.used >= 8 {
		w.out = append(w.out, byte(w.word))
		w.word >>= 8
		w.used -= 8
	}
}

// unary appends n ones and a zero.
func (w *bitWriter) unary(n uint32) {
	for ; n >= 32; n -= 32 {
		w.bits(1<<32-1, 32)
	}
	w.bits(1<<n-1, uint(n)+1)
}

// gamma appends a number from 1 on in Elias's gamma code: the number of its bits, less one, in unary, and those bits but the highest.
func (w *bitWriter) gamma(v uint32) {
	n := uint(bits.Len32(v)) - 1
	w.unary(uint32(n))
	w.bits(uint64(v)&(1<<n-1), n)
}

// rice appends a number in the Golomb-Rice code with parameter k: the number without its lowest k bits in unary, and those bits.
func (w *bitWriter) rice(v uint32, k uint) {
	w.unary(v >> k)
	w.bits(uint64(v)&(1<<k-1), k)
}

// align fills up the last byte with zeros.
func (w *bitWriter) align() {
	if w.used > 0 {
		w.out = append(w.out, byte(w.word))
		w.word, w.used = 0, 0
	}
}

func gammaBits(v uint32) int         { return 2*bits.Len32(v) - 1 }
func riceBits(v uint32, k uint) int  { return int(v>>k) + 1 + int(k) }
func widthOf(values uint32) (n uint) { return uint(bits.Len32(values - min(values, 1))) } // bits of a number below values
func blocksOf(rows, each uint32) uint32 {
	return uint32((uint64(rows) + uint64(each) - 1) / uint64(each))
}

// bitReader takes numbers from the front of bytes. After the first failure, which is an end too early, every call returns zero.
type bitReader struct {
	in     []byte
	at     uint64 // bit
	failed bool
}

func (r *bitReader) bits(n uint) uint64 {
	if r.at+uint64(n) > uint64(len(r.in))*8 {
		r.failed = true
	}
	if r.failed {
		return 0
	}
	v := uint64(0)
	for got := uint(0); got < n; {
		b := uint64(r.in[r.at/8]) >> (r.at % 8)
		take := min(8-uint(r.at%8), n-got)
		v |= b & (1<<take - 1) << got
		got += take
		r.at += uint64(take)
	}
	return v
}

// unary takes a number of at most limit.
func (r *bitReader) unary(limit uint32) uint32 {
	for n := uint32(0); ; n++ {
		if r.bits(1) == 0 {
			return n
		}
		if n >= limit {
			r.failed = true
			return 0
		}
	}
}

func (r *bitReader) gamma() uint32 {
	n := uint(r.unary(31))
	return uint32(1<<n | r.bits(n))
}

// rice takes a number of at most limit.
func (r *bitReader) rice(k uint, limit uint32) uint32 {
	v := uint64(r.unary(limit>>k))<<k | r.bits(k)
	if v > uint64(limit) {
		r.failed = true
		return 0
	}
	return uint32(v)
}
