package format

import (
	"encoding/binary"
	"errors"
)

var errPageHeader = errors.New("impossible page header")

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

// parsePageHeader reads the header that buf starts with and returns its length.
func parsePageHeader(buf []byte) (h pageHeader, n int, err error) {
	r := thriftReader{buf: buf}
	h.kind, h.uncompressed, h.compressed = -1, -1, -1
	h.valuesCompressed = true
	body := -1
	r.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftI32:
			h.kind = r.int32()
		case id == 2 && kind == thriftI32:
			h.uncompressed = r.int32()
		case id == 3 && kind == thriftI32:
			h.compressed = r.int32()
		case id == 4 && kind == thriftI32:
			h.crc, h.hasCRC = uint32(r.int32()), true
		case (id == 5 || id == 7 || id == 8) && kind == thriftStruct:
			body = id
			h.parseBody(&r, id)
		default:
			return false
		}
		return true
	})
	if r.err != nil {
		return h, 0, r.err
	}
	if h.uncompressed < 0 || h.compressed < 0 || !h.complete(body) {
		return h, 0, errPageHeader
	}
	return h, r.pos, nil
}

// complete tells whether the header that came matches the page type, and whether its counts make sense.
func (h *pageHeader) complete(body int) bool {
	switch h.kind {
	case pageData:
		if body != 5 {
			return false
		}
	case pageDictionary:
		if body != 7 {
			return false
		}
	case pageDataV2:
		if body != 8 {
			return false
		}
	}
	if h.kind == pageDataV2 {
		levels := int64(h.defBytes) + int64(h.repBytes)
		if h.defBytes < 0 || h.repBytes < 0 || levels > int64(h.compressed) || levels > int64(h.uncompressed) || h.rows < 0 || h.nulls < 0 {
			return false
		}
	}
	return h.kind >= 0 && h.values >= 0
}

// parseBody reads the header of one page type, by its field number.
func (h *pageHeader) parseBody(r *thriftReader, body int) {
	targets := []*int32{&h.values, &h.nulls, &h.rows, &h.encoding, &h.defBytes, &h.repBytes}
	switch body {
	case 5:
		targets = []*int32{&h.values, &h.encoding, &h.defEncoding, &h.repEncoding}
	case 7:
		targets = []*int32{&h.values, &h.encoding}
	}
	r.fields(func(id int, kind byte) bool {
		if kind == thriftI32 && id >= 1 && id <= len(targets) {
			*targets[id-1] = r.int32()
			return true
		}
		if body == 8 && id == 7 {
			h.valuesCompressed = kind == thriftTrue
		}
		return false
	})
}
