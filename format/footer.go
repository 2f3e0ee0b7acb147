package format

import (
	"errors"
	"fmt"
)

// schemaElement is one node of a file's schema, as the footer lists them (depth first).
type schemaElement struct {
	name       string
	physical   int32 // -1 for a group
	repetition int32
	children   int32
	converted  int32 // -1: none
	fieldID    int32 // 0: none
	logical    int   // field number in the LogicalType union; 0: none
	utc        bool  // of a timestamp: adjusted to UTC
	unit       int   // of a timestamp: 1 ms, 2 µs, 3 ns
	bits       int8  // of an integer
	signed     bool
}

// The numbers of the Parquet specification that the reader knows by name.
const (
	physicalBool   = 0
	physicalInt32  = 1
	physicalInt64  = 2
	physicalInt96  = 3
	physicalFloat  = 4
	physicalDouble = 5
	physicalBytes  = 6

	repetitionRequired = 0
	repetitionOptional = 1
	repetitionRepeated = 2

	convertedUTF8            = 0
	convertedMap             = 1
	convertedMapKeyValue     = 2
	convertedEnum            = 4
	convertedDate            = 6
	convertedTimestampMillis = 9
	convertedTimestampMicros = 10
	convertedUint8           = 11
	convertedUint16          = 12
	convertedUint32          = 13
	convertedInt8            = 15
	convertedInt16           = 16
	convertedInt32           = 17
	convertedInt64           = 18
	convertedJSON            = 19

	logicalString    = 1
	logicalMap       = 2
	logicalEnum      = 4
	logicalDate      = 6
	logicalTimestamp = 8
	logicalInteger   = 10
	logicalJSON      = 12
)

// rawStats are a column chunk's statistics as they are in the footer; nil bounds are absent.
type rawStats struct {
	oldMin, oldMax     []byte // the deprecated fields, sound for signed integers only
	min, max           []byte
	nulls              int64 // -1: unknown
	minExact, maxExact bool
}

// location is a run of bytes of the file; length 0 is none.
type location struct {
	offset, length int64
}

// chunkMeta is what the footer says of a column chunk.
type chunkMeta struct {
	physical     int32
	codec        int32
	values       int64
	compressed   int64
	uncompressed int64
	dataAt       int64
	dictAt       int64 // 0: none
	stats        *rawStats
	bloom        location // the length may be 0 though there is one
	offsetIndex  location
	columnIndex  location
	external     bool // encrypted, or in another file
}

// start returns where the chunk's first page lies.
func (c *chunkMeta) start() int64 {
	if c.dictAt > 0 && c.dictAt < c.dataAt {
		return c.dictAt
	}
	return c.dataAt
}

type groupMeta struct {
	rows       int64
	chunks     []chunkMeta
	sortLeaf   int32 // -1: not sorted
	descending bool
}

// fileMeta is the part of a footer that the reader uses.
type fileMeta struct {
	elements  []schemaElement
	rows      int64
	groups    []groupMeta
	ordered   []bool // by leaf: whether bounds follow the order that the specification defines
	createdBy string
	metadata  map[string]string
	encrypted bool
}

// parseFooter reads a file's metadata.
func parseFooter(buf []byte) (*fileMeta, error) {
	r := &thriftReader{buf: buf}
	m := &fileMeta{rows: -1, metadata: map[string]string{}}
	r.fields(func(id int, kind byte) bool {
		switch {
		case id == 2 && kind == thriftList:
			r.list(func(byte) { m.elements = append(m.elements, parseSchemaElement(r)) })
		case id == 3 && kind == thriftI64:
			m.rows = r.int()
		case id == 4 && kind == thriftList:
			r.list(func(byte) { m.groups = append(m.groups, parseGroup(r)) })
		case id == 5 && kind == thriftList:
			r.list(func(byte) { m.parseKeyValue(r) })
		case id == 6 && kind == thriftBinary:
			m.createdBy = string(r.bytes())
		case id == 7 && kind == thriftList:
			r.list(func(byte) { m.ordered = append(m.ordered, parseColumnOrder(r)) })
		case id == 8:
			m.encrypted = true
			return false
		default:
			return false
		}
		return true
	})
	if r.err != nil {
		return nil, r.err
	}
	if len(m.elements) == 0 || m.rows < 0 {
		return nil, errors.New("the footer has no schema or no row count")
	}
	return m, nil
}

func (m *fileMeta) parseKeyValue(r *thriftReader) {
	var key, value string
	r.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftBinary:
			key = string(r.bytes())
		case id == 2 && kind == thriftBinary:
			value = string(r.bytes())
		default:
			return false
		}
		return true
	})
	m.metadata[key] = value
}

func parseColumnOrder(r *thriftReader) (typeDefined bool) {
	r.fields(func(id int, _ byte) bool {
		typeDefined = typeDefined || id == 1
		return false
	})
	return typeDefined
}

func parseSchemaElement(r *thriftReader) schemaElement {
	e := schemaElement{physical: -1, converted: -1}
	targets := map[int]*int32{1: &e.physical, 3: &e.repetition, 5: &e.children, 6: &e.converted, 9: &e.fieldID}
	r.fields(func(id int, kind byte) bool {
		switch {
		case id == 4 && kind == thriftBinary:
			e.name = string(r.bytes())
		case id == 10 && kind == thriftStruct:
			e.parseLogical(r)
		case targets[id] != nil && kind == thriftI32:
			*targets[id] = r.int32()
		default:
			return false
		}
		return true
	})
	return e
}

// parseLogical reads the LogicalType union and, of timestamps and integers, their parameters.
func (e *schemaElement) parseLogical(r *thriftReader) {
	r.fields(func(id int, kind byte) bool {
		e.logical = id
		switch {
		case id == logicalTimestamp && kind == thriftStruct:
			r.fields(func(id int, kind byte) bool {
				if id == 1 {
					e.utc = kind == thriftTrue
				}
				if id == 2 && kind == thriftStruct {
					r.fields(func(id int, _ byte) bool { e.unit = id; return false })
					return true
				}
				return false
			})
			return true
		case id == logicalInteger && kind == thriftStruct:
			r.fields(func(id int, kind byte) bool {
				if id == 1 && kind == thriftByte {
					e.bits = int8(r.byte())
					return true
				}
				if id == 2 {
					e.signed = kind == thriftTrue
				}
				return false
			})
			return true
		}
		return false
	})
}

func parseGroup(r *thriftReader) groupMeta {
	g := groupMeta{sortLeaf: -1}
	first := true
	r.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftList:
			r.list(func(byte) { g.chunks = append(g.chunks, parseChunk(r)) })
		case id == 3 && kind == thriftI64:
			g.rows = r.int()
		case id == 4 && kind == thriftList:
			r.list(func(byte) {
				leaf, descending := parseSortingColumn(r)
				if first {
					g.sortLeaf, g.descending, first = leaf, descending, false
				}
			})
		default:
			return false
		}
		return true
	})
	return g
}

func parseSortingColumn(r *thriftReader) (leaf int32, descending bool) {
	leaf = -1
	r.fields(func(id int, kind byte) bool {
		if id == 1 && kind == thriftI32 {
			leaf = r.int32()
			return true
		}
		if id == 2 {
			descending = kind == thriftTrue
		}
		return false
	})
	return leaf, descending
}

func parseChunk(r *thriftReader) chunkMeta {
	c := chunkMeta{physical: -1, codec: -1, dataAt: -1}
	r.fields(func(id int, kind byte) bool {
		switch {
		case id == 3 && kind == thriftStruct:
			c.parseMeta(r)
		case id == 4 && kind == thriftI64:
			c.offsetIndex.offset = r.int()
		case id == 5 && kind == thriftI32:
			c.offsetIndex.length = int64(r.int32())
		case id == 6 && kind == thriftI64:
			c.columnIndex.offset = r.int()
		case id == 7 && kind == thriftI32:
			c.columnIndex.length = int64(r.int32())
		case id == 1 || id == 8 || id == 9:
			c.external = true
			return false
		default:
			return false
		}
		return true
	})
	return c
}

func (c *chunkMeta) parseMeta(r *thriftReader) {
	r.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftI32:
			c.physical = r.int32()
		case id == 4 && kind == thriftI32:
			c.codec = r.int32()
		case id == 5 && kind == thriftI64:
			c.values = r.int()
		case id == 6 && kind == thriftI64:
			c.uncompressed = r.int()
		case id == 7 && kind == thriftI64:
			c.compressed = r.int()
		case id == 9 && kind == thriftI64:
			c.dataAt = r.int()
		case id == 11 && kind == thriftI64:
			c.dictAt = r.int()
		case id == 12 && kind == thriftStruct:
			c.stats = parseStats(r)
		case id == 14 && kind == thriftI64:
			c.bloom.offset = r.int()
		case id == 15 && kind == thriftI32:
			c.bloom.length = int64(r.int32())
		default:
			return false
		}
		return true
	})
}

func parseStats(r *thriftReader) *rawStats {
	s := &rawStats{nulls: -1}
	targets := map[int]*[]byte{1: &s.oldMax, 2: &s.oldMin, 5: &s.max, 6: &s.min}
	r.fields(func(id int, kind byte) bool {
		switch {
		case targets[id] != nil && kind == thriftBinary:
			*targets[id] = append([]byte{}, r.bytes()...)
			return true
		case id == 3 && kind == thriftI64:
			s.nulls = r.int()
			return true
		case id == 7:
			s.maxExact = kind == thriftTrue
		case id == 8:
			s.minExact = kind == thriftTrue
		}
		return false
	})
	return s
}

// check tells what is impossible about the metadata of a file of this size with so many leaf columns.
func (m *fileMeta) check(leaves int, size int64) error {
	total := int64(0)
	for i := range m.groups {
		g := &m.groups[i]
		if len(g.chunks) != leaves {
			return fmt.Errorf("row group %d has %d column chunks for %d columns", i, len(g.chunks), leaves)
		}
		if g.rows < 0 || g.rows > m.rows {
			return fmt.Errorf("row group %d has %d of %d rows", i, g.rows, m.rows)
		}
		total += g.rows
		for j := range g.chunks {
			if err := g.chunks[j].check(size); err != nil {
				return fmt.Errorf("row group %d, leaf column %d: %w", i, j, err)
			}
		}
	}
	if total != m.rows {
		return fmt.Errorf("the row groups have %d rows, the file says %d", total, m.rows)
	}
	return nil
}

func (c *chunkMeta) check(size int64) error {
	if c.external {
		return nil
	}
	start := c.start()
	if c.dictAt < 0 || start < 0 || c.compressed < 0 || c.uncompressed < 0 || c.values < 0 || start > size || c.compressed > size-start {
		return fmt.Errorf("its %d bytes from byte %d on lie outside the file of %d bytes", c.compressed, start, size)
	}
	for _, l := range []location{c.offsetIndex, c.columnIndex, c.bloom} {
		if l.offset < 0 || l.length < 0 || l.offset > size || l.length > size-l.offset {
			return fmt.Errorf("its page index or bloom filter (%d bytes from byte %d on) lies outside the file of %d bytes", l.length, l.offset, size)
		}
	}
	return nil
}
