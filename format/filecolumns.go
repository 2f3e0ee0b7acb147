package format

import (
	"errors"
	"fmt"
)

// fileColumn is one top-level column of a file.
type fileColumn struct {
	field    Field // as the file describes it; ID 0 if the file has no field ids
	leaf     int   // its first leaf; a map's keys, followed by its values
	leaves   int
	physical int32
	maxDef   [2]uint8 // of the leaf, or of a map's key and value
	maxRep   uint8
	entryDef uint8 // of a map: the level from which on there is an entry
	convert  conversion
	reason   string // why it cannot be read
}

// conversion says how stored numbers become those of a Column.
type conversion uint8

const (
	convertNone    conversion = iota
	convertUint32             // unsigned 32 bits
	convertMillis             // timestamps in ms
	convertNanos              // timestamps in ns
	convertInt96              // timestamps in Impala's 96 bits: ns of the day, Julian day
	convertMicros             // timestamps in µs, as they are
	convertFloat32            // 32-bit floating-point numbers
)

// fileColumns returns the top-level columns that the schema elements describe, and the number of leaves.
func fileColumns(elements []schemaElement) ([]fileColumn, int, error) {
	w := schemaWalk{elements: elements, at: 1}
	var columns []fileColumn
	for range elements[0].children {
		c, err := w.column()
		if err != nil {
			return nil, 0, err
		}
		columns = append(columns, c)
	}
	if w.at != len(elements) {
		return nil, 0, errors.New("the schema has nodes that belong to no column")
	}
	return columns, w.leaves, nil
}

// schemaWalk goes through the schema elements depth first.
type schemaWalk struct {
	elements []schemaElement
	at       int
	leaves   int
}

func (w *schemaWalk) next() (schemaElement, error) {
	if w.at >= len(w.elements) {
		return schemaElement{}, errors.New("the schema ends in the middle of a column")
	}
	e := w.elements[w.at]
	w.at++
	if e.physical < 0 && e.children < 0 || e.repetition < 0 || e.repetition > repetitionRepeated {
		return e, fmt.Errorf("schema node %q is neither a group nor a column", e.name)
	}
	return e, nil
}

// column reads one top-level column.
func (w *schemaWalk) column() (fileColumn, error) {
	first := w.at
	e, err := w.next()
	if err != nil {
		return fileColumn{}, err
	}
	c := fileColumn{leaf: w.leaves, field: Field{Name: e.name, ID: int(e.fieldID), Required: e.repetition == repetitionRequired}, physical: e.physical}
	if e.physical >= 0 {
		w.leaves++
		c.leaves = 1
		if e.repetition == repetitionRepeated {
			c.unsupported("it is a repeated column")
			return c, nil
		}
		c.maxDef[0] = uint8(e.repetition)
		c.setType(e)
		return c, nil
	}
	if err := w.skip(int(e.children), 1); err != nil {
		return c, err
	}
	c.leaves = w.leaves - c.leaf
	c.setMap(w.elements[first:w.at])
	return c, nil
}

// skip goes over so many nodes with all that is below them.
func (w *schemaWalk) skip(nodes, depth int) error {
	if depth > maxThriftDepth {
		return errors.New("the schema is nested too deeply")
	}
	for range nodes {
		e, err := w.next()
		if err != nil {
			return err
		}
		if e.physical >= 0 {
			w.leaves++
			continue
		}
		if err := w.skip(int(e.children), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *fileColumn) unsupported(reason string) {
	c.field.Type, c.reason = TypeUnsupported, reason
}

// setMap finds out whether the nodes of a group are a map of strings.
func (c *fileColumn) setMap(nodes []schemaElement) {
	outer := nodes[0]
	annotated := outer.logical == logicalMap || outer.converted == convertedMap || outer.converted == convertedMapKeyValue
	if !annotated || outer.repetition == repetitionRepeated || len(nodes) != 4 || !nodes[1].isEntry() {
		c.unsupported("it is a nested column, and no map of strings")
		return
	}
	key, value := nodes[2], nodes[3]
	if !isText(key) || !isText(value) || key.repetition == repetitionRepeated || value.repetition == repetitionRepeated {
		c.unsupported("it is a map, but not of strings")
		return
	}
	c.field.Type, c.field.KeyID, c.field.ValueID = TypeStringMap, int(key.fieldID), int(value.fieldID)
	c.physical = physicalBytes
	c.maxRep = 1
	entry := uint8(outer.repetition) + 1
	c.entryDef = entry
	c.maxDef = [2]uint8{entry + uint8(key.repetition), entry + uint8(value.repetition)}
}

// isEntry tells whether the node can be the repeated group of keys and values of a map.
func (e schemaElement) isEntry() bool {
	return e.physical < 0 && e.repetition == repetitionRepeated && e.children == 2
}

func isText(e schemaElement) bool {
	if e.physical != physicalBytes {
		return false
	}
	switch e.logical {
	case logicalString, logicalEnum, logicalJSON:
		return true
	}
	switch e.converted {
	case convertedUTF8, convertedEnum, convertedJSON:
		return true
	}
	return false
}

// setType finds the column type of a primitive node.
func (c *fileColumn) setType(e schemaElement) {
	switch e.physical {
	case physicalBool:
		c.field.Type = TypeBool
	case physicalFloat:
		c.field.Type, c.convert = TypeFloat32, convertFloat32
	case physicalDouble:
		c.field.Type = TypeFloat64
	case physicalInt96:
		c.field.Type, c.convert = TypeTimestamp, convertInt96
	case physicalInt32:
		c.setInt32(e)
	case physicalInt64:
		c.setInt64(e)
	case physicalBytes:
		c.field.Type = TypeString
		if !isText(e) && (e.logical != 0 || e.converted >= 0) {
			c.unsupported("it holds bytes that are no text")
		} else if !isText(e) {
			c.reason = "binary" // readable as text if the table says that it is text
		}
	default:
		c.unsupported("it holds values of fixed length, which firn does not read")
	}
}

func (c *fileColumn) setInt32(e schemaElement) {
	switch {
	case e.logical == logicalDate || e.converted == convertedDate:
		c.field.Type = TypeDate
	case e.logical == logicalInteger && !e.signed && e.bits == 32 || e.logical == 0 && e.converted == convertedUint32:
		c.field.Type, c.convert = TypeInt64, convertUint32
	case e.logical == logicalInteger, e.logical == 0 && (e.converted < 0 || e.converted == convertedInt8 || e.converted == convertedInt16 ||
		e.converted == convertedInt32 || e.converted == convertedUint8 || e.converted == convertedUint16):
		c.field.Type = TypeInt32
	default:
		c.unsupported("it is a decimal or a time of the day, which firn does not read")
	}
}

func (c *fileColumn) setInt64(e schemaElement) {
	switch {
	case e.logical == logicalTimestamp && e.unit == 1, e.logical == 0 && e.converted == convertedTimestampMillis:
		c.field.Type, c.convert = TypeTimestamp, convertMillis
	case e.logical == logicalTimestamp && e.unit == 2, e.logical == 0 && e.converted == convertedTimestampMicros:
		c.field.Type, c.convert = TypeTimestamp, convertMicros
	case e.logical == logicalTimestamp && e.unit == 3:
		c.field.Type, c.convert = TypeTimestamp, convertNanos
	case e.logical == logicalInteger && e.signed, e.logical == 0 && (e.converted < 0 || e.converted == convertedInt64):
		c.field.Type = TypeInt64
	default:
		c.unsupported("it is a decimal, a time of the day or an unsigned 64-bit number, which firn does not read")
	}
}

// fits tells whether values of the column can be read as a field of type want, and if not, why.
func (c *fileColumn) fits(want Type) (reason string, ok bool) {
	have := c.field.Type
	switch {
	case have == TypeUnsupported:
		return c.reason, false
	case have == want:
		return "", true
	case have == TypeInt32 && want == TypeInt64,
		have == TypeFloat32 && want == TypeFloat64,
		have == TypeInt64 && want == TypeTimestamp && c.convert == convertNone:
		return "", true
	}
	return fmt.Sprintf("the file holds %s where the table has %s", have, want), false
}

// boundColumn is one field of the schema that a file is read as.
type boundColumn struct {
	field  Field
	file   *fileColumn // nil: the file lacks the column, which reads as null
	reason string      // why it cannot be read; empty if it can
}

// bindColumns finds the columns of the schema in the file: by field id, or by name if no column of the file has one. A nil schema
// stands for the file's own, in which columns without a field id are numbered from 1 on in their order.
func bindColumns(s *Schema, columns []fileColumn) (*Schema, []boundColumn) {
	hasIDs := false
	for i := range columns {
		hasIDs = hasIDs || columns[i].field.ID > 0
	}
	if s == nil {
		return ownSchema(columns, hasIDs)
	}
	bound := make([]boundColumn, len(s.Fields))
	for i, f := range s.Fields {
		bound[i].field = f
		for j := range columns {
			c := &columns[j]
			if hasIDs && c.field.ID == f.ID || !hasIDs && c.field.Name == f.Name {
				bound[i].file = c
				bound[i].reason, _ = c.fits(f.Type)
				break
			}
		}
	}
	return s, bound
}

func ownSchema(columns []fileColumn, hasIDs bool) (*Schema, []boundColumn) {
	s := &Schema{}
	bound := make([]boundColumn, 0, len(columns))
	for i := range columns {
		c := &columns[i]
		f := c.field
		if !hasIDs {
			f.ID = i + 1
		}
		if f.Type == TypeString && c.reason != "" {
			f.Type = TypeUnsupported
		}
		s.Fields = append(s.Fields, f)
		b := boundColumn{field: f, file: c}
		if f.Type == TypeUnsupported {
			b.reason = c.reason
		}
		bound = append(bound, b)
	}
	return s, bound
}
