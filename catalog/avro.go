package catalog

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// A reader for the part of Avro that manifests use. It reads the binary encoding directly into what firn keeps, which is several times
// faster than a decoder that fills general structures first; whatever is unusual is left to iceberg-go (see manifest.go).
// Source: https://avro.apache.org/docs/1.12.0/specification/

var (
	// errUnusual says that a file uses a feature that this reader leaves to iceberg-go.
	errUnusual = errors.New("unusual Avro file")
	// errDamaged says that a file is not what its header claims.
	errDamaged = errors.New("damaged Avro file")
)

// maxAvroBlock bounds what a compressed block may grow to, and maxAvroDepth how deep a schema may nest.
const (
	maxAvroBlock = 1 << 30
	maxAvroDepth = 32
)

// avroType is a node of a schema.
type avroType struct {
	kind    string // "null", "int", … "array", "record", "union"
	logical string
	size    int         // of a fixed
	items   *avroType   // of an array or a map
	fields  []avroField // of a record
	options []*avroType // of a union
}

type avroField struct {
	name string
	id   int // Iceberg's field-id; -1 if there is none
	typ  *avroType
}

// parseAvroSchema reads a schema from its JSON form.
func parseAvroSchema(text []byte) (*avroType, error) {
	var node any
	if err := json.Unmarshal(text, &node); err != nil {
		return nil, fmt.Errorf("%w: schema: %w", errDamaged, err)
	}
	return avroNode(node, map[string]*avroType{}, 0)
}

func avroNode(node any, named map[string]*avroType, depth int) (*avroType, error) {
	if depth > maxAvroDepth {
		return nil, fmt.Errorf("%w: deep schema", errUnusual)
	}
	switch n := node.(type) {
	case string:
		switch n {
		case "null", "boolean", "int", "long", "float", "double", "bytes", "string":
			return &avroType{kind: n}, nil
		}
		if t := named[n]; t != nil {
			return t, nil
		}
	case []any:
		union := &avroType{kind: "union"}
		for _, option := range n {
			t, err := avroNode(option, named, depth+1)
			if err != nil {
				return nil, err
			}
			union.options = append(union.options, t)
		}
		return union, nil
	case map[string]any:
		return avroObject(n, named, depth)
	}
	return nil, fmt.Errorf("%w: schema node %v", errUnusual, node)
}

func avroObject(n map[string]any, named map[string]*avroType, depth int) (t *avroType, err error) {
	kind, ok := n["type"].(string)
	if !ok {
		return avroNode(n["type"], named, depth+1)
	}
	logical, _ := n["logicalType"].(string)
	name, _ := n["name"].(string)
	switch kind {
	case "record":
		t = &avroType{kind: kind}
		fields, _ := n["fields"].([]any)
		for _, f := range fields {
			field, ok := f.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("%w: field %v", errUnusual, f)
			}
			typ, err := avroNode(field["type"], named, depth+1)
			if err != nil {
				return nil, err
			}
			id := -1
			if number, ok := field["field-id"].(float64); ok {
				id = int(number)
			}
			fieldName, _ := field["name"].(string)
			t.fields = append(t.fields, avroField{name: fieldName, id: id, typ: typ})
		}
	case "fixed":
		size, ok := n["size"].(float64)
		if !ok || size < 0 || size > math.MaxInt32 {
			return nil, fmt.Errorf("%w: fixed of size %v", errUnusual, n["size"])
		}
		t = &avroType{kind: kind, logical: logical, size: int(size)}
	case "array", "map":
		element := n["items"]
		if kind == "map" {
			element = n["values"]
		}
		t = &avroType{kind: kind, logical: logical}
		if t.items, err = avroNode(element, named, depth+1); err != nil {
			return nil, err
		}
	default:
		if t, err = avroNode(kind, named, depth+1); err != nil {
			return nil, err
		}
		withLogical := *t
		withLogical.logical = logical
		t = &withLogical
	}
	if name != "" {
		named[name] = t
	}
	return t, nil
}

// optional returns the other branch of a union with null, and which branch is null; a type that is no union is returned as it is.
func (t *avroType) optional() (value *avroType, null int64, err error) {
	switch {
	case t.kind != "union":
		return t, -1, nil
	case len(t.options) == 2 && t.options[0].kind == "null":
		return t.options[1], 0, nil
	case len(t.options) == 2 && t.options[1].kind == "null":
		return t.options[0], 1, nil
	}
	return nil, 0, fmt.Errorf("%w: union of %d types", errUnusual, len(t.options))
}

// avroCursor reads values one after the other. After the first error all reads return zero values.
type avroCursor struct {
	data []byte
	err  error
}

func (c *avroCursor) fail() {
	if c.err == nil {
		c.err = errDamaged
	}
	c.data = nil
}

func (c *avroCursor) long() int64 {
	var value uint64
	for i, b := range c.data {
		if i == 10 {
			break
		}
		value |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			c.data = c.data[i+1:]
			return int64(value>>1) ^ -int64(value&1)
		}
	}
	c.fail()
	return 0
}

func (c *avroCursor) take(n int64) []byte {
	if n < 0 || n > int64(len(c.data)) {
		c.fail()
		return nil
	}
	taken := c.data[:n:n]
	c.data = c.data[n:]
	return taken
}

func (c *avroCursor) bytes() []byte { return c.take(c.long()) }

// isNull reads the branch of a union with null.
func (c *avroCursor) isNull(null int64) bool {
	if null < 0 {
		return false
	}
	branch := c.long()
	if branch != 0 && branch != 1 {
		c.fail()
	}
	return branch == null
}

// blocks calls item for each item of an array or entry of a map.
func (c *avroCursor) blocks(item func()) {
	for c.err == nil {
		count := c.long()
		if count == 0 {
			return
		}
		if count < 0 {
			count = -count
			c.long() // size of the block in bytes
		}
		for ; count > 0 && c.err == nil; count-- {
			before := len(c.data)
			item()
			if len(c.data) == before { // items of no bytes could go on for ever
				c.fail()
			}
		}
	}
}

// skip passes over a value.
func (c *avroCursor) skip(t *avroType) {
	switch t.kind {
	case "null":
	case "boolean":
		c.take(1)
	case "int", "long":
		c.long()
	case "float":
		c.take(4)
	case "double":
		c.take(8)
	case "bytes", "string":
		c.bytes()
	case "fixed":
		c.take(int64(t.size))
	case "array":
		c.blocks(func() { c.skip(t.items) })
	case "map":
		c.blocks(func() { c.bytes(); c.skip(t.items) })
	case "record":
		for _, field := range t.fields {
			c.skip(field.typ)
		}
	case "union":
		branch := c.long()
		if branch < 0 || branch >= int64(len(t.options)) {
			c.fail()
			return
		}
		c.skip(t.options[branch])
	default:
		c.fail()
	}
}

// avroFile is an object container file, its blocks still packed.
type avroFile struct {
	metadata map[string]string
	schema   *avroType
	sync     []byte
	rest     []byte
}

func openAvro(content []byte) (*avroFile, error) {
	body, ok := bytes.CutPrefix(content, []byte("Obj\x01"))
	if !ok {
		return nil, fmt.Errorf("%w: no magic bytes", errDamaged)
	}
	f := &avroFile{metadata: map[string]string{}}
	c := &avroCursor{data: body}
	c.blocks(func() {
		key := string(c.bytes())
		f.metadata[key] = string(c.bytes())
	})
	f.sync = c.take(16)
	f.rest = c.data
	if c.err != nil {
		return nil, c.err
	}
	switch f.metadata["avro.codec"] {
	case "", "null", "deflate":
	default:
		return nil, fmt.Errorf("%w: codec %q", errUnusual, f.metadata["avro.codec"])
	}
	var err error
	f.schema, err = parseAvroSchema([]byte(f.metadata["avro.schema"]))
	return f, err
}

// next returns the number of values in the next block and their bytes; io.EOF after the last.
func (f *avroFile) next() (count int64, values []byte, err error) {
	if len(f.rest) == 0 {
		return 0, nil, io.EOF
	}
	c := &avroCursor{data: f.rest}
	count = c.long()
	values = c.bytes()
	sync := c.take(16)
	if c.err != nil || count < 0 || !bytes.Equal(sync, f.sync) {
		return 0, nil, errDamaged
	}
	f.rest = c.data
	if f.metadata["avro.codec"] == "deflate" {
		values, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(values)), maxAvroBlock))
		if err != nil {
			return 0, nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
	}
	return count, values, nil
}
