package format

import "encoding/binary"

// The page types of Parquet, by their numbers in the Parquet specification.
const (
	pageData       = 0
	pageIndex      = 1
	pageDictionary = 2
	pageDataV2     = 3
)

// pageHeader is Parquet's PageHeader, flattened. Statistics in page headers are neither written nor read: the page index has them.
type pageHeader struct {
	kind         int32 // one of the page types
	uncompressed int32
	compressed   int32
	crc          uint32
	hasCRC       bool

	values   int32 // of a data page, nulls included; of a dictionary page, its entries
	encoding int32

	// Data pages of version 1.
	defEncoding, repEncoding int32

	// Data pages of version 2.
	nulls, rows      int32
	defBytes         int32
	repBytes         int32
	valuesCompressed bool
}

// The types of Thrift's compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
	thriftUUID   = 13
)

// thriftFields appends the fields of a Thrift struct in the compact protocol; fields must come in ascending order of their numbers.
type thriftFields struct {
	dst  []byte
	last int
}

func (t *thriftFields) header(id int, kind byte) {
	t.dst = append(t.dst, byte(id-t.last)<<4|kind)
	t.last = id
}

func (t *thriftFields) i32(id int, v int32) {
	t.header(id, thriftI32)
	t.dst = binary.AppendVarint(t.dst, int64(v))
}

func (t *thriftFields) bool(id int, v bool) {
	kind := byte(thriftFalse)
	if v {
		kind = thriftTrue
	}
	t.header(id, kind)
}

func (t *thriftFields) strct(id int, fill func(*thriftFields)) {
	t.header(id, thriftStruct)
	inner := thriftFields{dst: t.dst}
	fill(&inner)
	t.dst = append(inner.dst, 0)
}

// appendPageHeader appends the header in Thrift's compact protocol.
func appendPageHeader(dst []byte, h *pageHeader) []byte {
	t := thriftFields{dst: dst}
	t.i32(1, h.kind)
	t.i32(2, h.uncompressed)
	t.i32(3, h.compressed)
	if h.hasCRC {
		t.i32(4, int32(h.crc))
	}
	switch h.kind {
	case pageData:
		t.strct(5, func(t *thriftFields) {
			t.i32(1, h.values)
			t.i32(2, h.encoding)
			t.i32(3, h.defEncoding)
			t.i32(4, h.repEncoding)
		})
	case pageDictionary:
		t.strct(7, func(t *thriftFields) {
			t.i32(1, h.values)
			t.i32(2, h.encoding)
		})
	case pageDataV2:
		t.strct(8, func(t *thriftFields) {
			t.i32(1, h.values)
			t.i32(2, h.nulls)
			t.i32(3, h.rows)
			t.i32(4, h.encoding)
			t.i32(5, h.defBytes)
			t.i32(6, h.repBytes)
			t.bool(7, h.valuesCompressed)
		})
	}
	return append(t.dst, 0)
}
