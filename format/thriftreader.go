package format

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errThrift = errors.New("malformed Thrift structure")

// maxThriftDepth bounds the nesting of structures that are skipped.
const maxThriftDepth = 32

// thriftReader reads Thrift's compact protocol from untrusted bytes. It never allocates more than the bytes can stand for. After
// the first error every read returns zero and the error stays.
type thriftReader struct {
	buf []byte
	pos int
	err error
}

func (r *thriftReader) fail() {
	if r.err == nil {
		r.err = fmt.Errorf("%w at byte %d of %d", errThrift, r.pos, len(r.buf))
	}
	r.pos = len(r.buf)
}

func (r *thriftReader) byte() byte {
	if r.pos >= len(r.buf) {
		r.fail()
		return 0
	}
	r.pos++
	return r.buf[r.pos-1]
}

func (r *thriftReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.buf[r.pos:])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.pos += n
	return v
}

// int reads a zigzag-coded integer of any width.
func (r *thriftReader) int() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// int32 reads an integer that must fit 32 bits.
func (r *thriftReader) int32() int32 {
	v := r.int()
	if v != int64(int32(v)) {
		r.fail()
		return 0
	}
	return int32(v)
}

// bytes reads a byte string; it aliases the buffer.
func (r *thriftReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.buf)-r.pos) {
		r.fail()
		return nil
	}
	r.pos += int(n)
	return r.buf[r.pos-int(n) : r.pos : r.pos]
}

// fields reads a struct: it calls visit for each field, which must read the field and return true, or return false to have it
// skipped. The value of a boolean field is its kind, thriftTrue or thriftFalse.
func (r *thriftReader) fields(visit func(id int, kind byte) bool) { r.fieldsAt(0, visit) }

func (r *thriftReader) fieldsAt(depth int, visit func(id int, kind byte) bool) {
	id := 0
	for r.err == nil {
		head := r.byte()
		kind := head & 15
		if kind == 0 {
			return
		}
		if delta := int(head >> 4); delta != 0 {
			id += delta
		} else {
			id = int(int16(r.int()))
		}
		if r.err == nil && !visit(id, kind) {
			r.skip(kind, depth)
		}
	}
}

// list reads the head of a list or set and calls visit for each element, which must read it.
func (r *thriftReader) list(visit func(kind byte)) {
	n, kind := r.listHead()
	for i := 0; i < n && r.err == nil; i++ {
		visit(kind)
	}
}

// listHead reads the head of a list: how many elements follow, and of which kind. The number is never greater than the bytes that
// are left.
func (r *thriftReader) listHead() (n int, kind byte) {
	head := r.byte()
	size := uint64(head >> 4)
	if size == 15 {
		size = r.uvarint()
	}
	if size > uint64(len(r.buf)-r.pos) {
		r.fail()
		return 0, 0
	}
	return int(size), head & 15
}

// skip reads over a value that is a field of a struct.
func (r *thriftReader) skip(kind byte, depth int) {
	if kind == thriftTrue || kind == thriftFalse {
		return
	}
	r.skipElement(kind, depth)
}

// skipElement reads over a value that is an element of a list, where booleans take a byte.
func (r *thriftReader) skipElement(kind byte, depth int) {
	if depth > maxThriftDepth {
		r.fail()
		return
	}
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		r.byte()
	case thriftI16, thriftI32, thriftI64:
		r.uvarint()
	case thriftDouble:
		r.skipBytes(8)
	case thriftUUID:
		r.skipBytes(16)
	case thriftBinary:
		r.bytes()
	case thriftList, thriftSet:
		r.list(func(kind byte) { r.skipElement(kind, depth+1) })
	case thriftMap:
		r.skipMap(depth + 1)
	case thriftStruct:
		r.fieldsAt(depth+1, func(int, byte) bool { return false })
	default:
		r.fail()
	}
}

func (r *thriftReader) skipBytes(n int) {
	if n > len(r.buf)-r.pos {
		r.fail()
		return
	}
	r.pos += n
}

func (r *thriftReader) skipMap(depth int) {
	n := r.uvarint()
	if n == 0 {
		return
	}
	if n > uint64(len(r.buf)-r.pos) {
		r.fail()
		return
	}
	kinds := r.byte()
	for i := uint64(0); i < n && r.err == nil; i++ {
		r.skipElement(kinds>>4, depth)
		r.skipElement(kinds&15, depth)
	}
}
