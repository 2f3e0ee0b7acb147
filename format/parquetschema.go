package format

import (
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// part says which vector of a column a Parquet leaf column holds.
type part uint8

const (
	partValue    part = iota // the values of a plain column
	partMapKey               // the keys of a map column
	partMapValue             // the values of a map column
)

// leaf is one Parquet leaf column of a file: a column chunk in each row group.
type leaf struct {
	field  int // index into Schema.Fields
	part   part
	maxDef int16
	maxRep int16
	descr  *schema.Column
}

// parquetSchema returns the Parquet schema of a firn schema, with Iceberg's field ids on every node, and its leaves in file order.
func parquetSchema(s *Schema) (*schema.Schema, []leaf, error) {
	nodes := make(schema.FieldList, 0, len(s.Fields))
	var leaves []leaf
	for i, f := range s.Fields {
		node, err := parquetNode(f)
		if err != nil {
			return nil, nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		nodes = append(nodes, node)
		if f.Type == TypeStringMap {
			leaves = append(leaves, leaf{field: i, part: partMapKey}, leaf{field: i, part: partMapValue})
			continue
		}
		leaves = append(leaves, leaf{field: i, part: partValue})
	}
	root, err := schema.NewGroupNode("table", parquet.Repetitions.Required, nodes, -1)
	if err != nil {
		return nil, nil, err
	}
	sc := schema.NewSchema(root)
	for i := range leaves {
		leaves[i].descr = sc.Column(i)
		leaves[i].maxDef = leaves[i].descr.MaxDefinitionLevel()
		leaves[i].maxRep = leaves[i].descr.MaxRepetitionLevel()
	}
	return sc, leaves, nil
}

func parquetNode(f Field) (schema.Node, error) {
	rep := parquet.Repetitions.Optional
	if f.Required {
		rep = parquet.Repetitions.Required
	}
	if f.ID <= 0 {
		return nil, fmt.Errorf("field id %d is not positive", f.ID)
	}
	id := int32(f.ID)
	switch f.Type {
	case TypeString:
		return schema.NewPrimitiveNodeLogical(f.Name, rep, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, id)
	case TypeBool:
		return schema.NewPrimitiveNode(f.Name, rep, parquet.Types.Boolean, id, -1)
	case TypeInt32:
		return schema.NewPrimitiveNode(f.Name, rep, parquet.Types.Int32, id, -1)
	case TypeInt64:
		return schema.NewPrimitiveNode(f.Name, rep, parquet.Types.Int64, id, -1)
	case TypeFloat32:
		return schema.NewPrimitiveNode(f.Name, rep, parquet.Types.Float, id, -1)
	case TypeFloat64:
		return schema.NewPrimitiveNode(f.Name, rep, parquet.Types.Double, id, -1)
	case TypeTimestamp:
		return schema.NewPrimitiveNodeLogical(f.Name, rep, schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), parquet.Types.Int64, -1, id)
	case TypeDate:
		return schema.NewPrimitiveNodeLogical(f.Name, rep, schema.DateLogicalType{}, parquet.Types.Int32, -1, id)
	case TypeStringMap:
		return mapNode(f, rep, id)
	}
	return nil, fmt.Errorf("%w: it has a type that firn cannot write", ErrUnsupported)
}

// mapNode returns the three-level node of a map<string, string>, named as the Parquet and Iceberg specifications say.
func mapNode(f Field, rep parquet.Repetition, id int32) (schema.Node, error) {
	if f.KeyID <= 0 || f.ValueID <= 0 {
		return nil, fmt.Errorf("a map needs field ids for its key and value, has %d and %d", f.KeyID, f.ValueID)
	}
	key, err := schema.NewPrimitiveNodeLogical("key", parquet.Repetitions.Required, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, int32(f.KeyID))
	if err != nil {
		return nil, err
	}
	value, err := schema.NewPrimitiveNodeLogical("value", parquet.Repetitions.Optional, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, int32(f.ValueID))
	if err != nil {
		return nil, err
	}
	entry, err := schema.NewGroupNode("key_value", parquet.Repetitions.Repeated, schema.FieldList{key, value}, -1)
	if err != nil {
		return nil, err
	}
	return schema.NewGroupNodeLogical(f.Name, rep, schema.FieldList{entry}, schema.MapLogicalType{}, id)
}
