package catalog

import (
	"fmt"
	"maps"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// defaultProperties returns what a new table's properties begin with: the layout that firn itself writes, said in the words that
// other writers understand, and settings that keep the metadata small.
func defaultProperties() iceberg.Properties {
	return iceberg.Properties{
		table.PropertyFormatVersion: "2",

		// Data files of other writers come out like ours. Manifests need no property: every writer deflates them.
		table.WriteFormatDefaultKey:                                          "parquet",
		table.ParquetCompressionKey:                                          "zstd",
		table.ParquetPageSizeBytesKey:                                        "65536",
		table.ParquetRowGroupLimitKey:                                        "131072",
		table.WriteTargetFileSizeBytesKey:                                    "134217728",
		table.ParquetBloomFilterColumnEnabledKeyPrefix + "." + ColumnTraceID: "true",

		// Bounds of whole log lines and of map entries prune nothing and make manifests large.
		table.MetricsModeColumnConfPrefix + "." + ColumnMessage:          "counts",
		table.MetricsModeColumnConfPrefix + "." + ColumnAttrs + ".key":   "none",
		table.MetricsModeColumnConfPrefix + "." + ColumnAttrs + ".value": "none",

		// Old metadata files go away by themselves, and every so many appends become one manifest.
		table.MetadataDeleteAfterCommitEnabledKey: "true",
		table.MetadataPreviousVersionsMaxKey:      "50",
		table.ManifestMergeEnabledKey:             "true",
		table.ManifestMinMergeCountKey:            "20",

		"firn.index.column." + ColumnMessage: "bitmap,bloom",
	}
}

// newMetadata makes the metadata of an empty table.
func newMetadata(spec TableSpec, location string) (table.Metadata, error) {
	columns := append(DefaultColumns(), spec.Columns...)
	schema, err := newSchema(columns)
	if err != nil {
		return nil, err
	}
	partitions, err := newPartitionSpec(schema, spec.PartitionBy)
	if err != nil {
		return nil, err
	}
	timestamp, _ := schema.FindFieldByName(ColumnTimestamp)
	order, err := table.NewSortOrder(table.InitialSortOrderID, []table.SortField{{
		SourceIDs: []int{timestamp.ID},
		Transform: iceberg.IdentityTransform{},
		Direction: table.SortASC,
		NullOrder: table.NullsFirst,
	}})
	if err != nil {
		return nil, fmt.Errorf("sort order: %w", err)
	}
	properties := defaultProperties()
	maps.Copy(properties, spec.Properties)
	if _, set := properties[PropertyIndexLocation]; !set {
		properties[PropertyIndexLocation] = location + ".index"
	}
	metadata, err := table.NewMetadata(schema, &partitions, order, location, properties)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return metadata, nil
}

// newSchema numbers the columns; iceberg-go numbers the nested fields of maps after them.
func newSchema(columns []Column) (*iceberg.Schema, error) {
	fields := make([]iceberg.NestedField, 0, len(columns))
	seen := map[string]bool{}
	nestedID := len(columns)
	for i, column := range columns {
		if err := checkColumnName(column.Name); err != nil {
			return nil, err
		}
		folded := strings.ToLower(column.Name)
		if seen[folded] {
			return nil, fmt.Errorf("%w: column %q is there twice (names differ in more than upper and lower case)", ErrInvalid, column.Name)
		}
		seen[folded] = true
		typ, err := icebergType(column, nestedID+1)
		if err != nil {
			return nil, err
		}
		if column.Type == TypeStringMap {
			nestedID += 2
		}
		fields = append(fields, iceberg.NestedField{
			ID: i + 1, Name: column.Name, Type: typ, Required: column.Required, Doc: column.Doc,
		})
	}
	return iceberg.NewSchema(0, fields...), nil
}

// newPartitionSpec makes day(_timestamp) the first level and an optional column the second.
func newPartitionSpec(schema *iceberg.Schema, second string) (iceberg.PartitionSpec, error) {
	options := []iceberg.PartitionOption{
		iceberg.AddPartitionFieldByName(ColumnTimestamp, PartitionDay, iceberg.DayTransform{}, schema, nil),
	}
	if second != "" {
		field, ok := schema.FindFieldByName(second)
		if !ok {
			return iceberg.PartitionSpec{}, fmt.Errorf("%w: partition column %q is not a column of the table", ErrInvalid, second)
		}
		switch field.Type.(type) {
		case iceberg.StringType, iceberg.BooleanType, iceberg.Int32Type, iceberg.Int64Type, iceberg.DateType:
		default:
			return iceberg.PartitionSpec{}, fmt.Errorf("%w: cannot partition by %q of type %s: use a string, bool, int, long or date column",
				ErrInvalid, second, typeName(field.Type))
		}
		options = append(options, iceberg.AddPartitionFieldByName(second, second, iceberg.IdentityTransform{}, schema, nil))
	}
	spec, err := iceberg.NewPartitionSpecOpts(options...)
	if err != nil {
		return iceberg.PartitionSpec{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return spec, nil
}

// icebergType returns the type of a column. A map takes two field ids from nestedID on.
func icebergType(column Column, nestedID int) (iceberg.Type, error) {
	switch column.Type {
	case TypeString:
		return iceberg.PrimitiveTypes.String, nil
	case TypeBool:
		return iceberg.PrimitiveTypes.Bool, nil
	case TypeInt:
		return iceberg.PrimitiveTypes.Int32, nil
	case TypeLong:
		return iceberg.PrimitiveTypes.Int64, nil
	case TypeFloat:
		return iceberg.PrimitiveTypes.Float32, nil
	case TypeDouble:
		return iceberg.PrimitiveTypes.Float64, nil
	case TypeTimestamp:
		return iceberg.PrimitiveTypes.TimestampTz, nil
	case TypeDate:
		return iceberg.PrimitiveTypes.Date, nil
	case TypeStringMap:
		return &iceberg.MapType{
			KeyID: nestedID, KeyType: iceberg.PrimitiveTypes.String,
			ValueID: nestedID + 1, ValueType: iceberg.PrimitiveTypes.String, ValueRequired: false,
		}, nil
	}
	return nil, fmt.Errorf("%w: column %q has the type %q: use %s", ErrInvalid, column.Name, column.Type,
		strings.Join([]string{TypeString, TypeBool, TypeInt, TypeLong, TypeFloat, TypeDouble, TypeTimestamp, TypeDate, TypeStringMap}, ", "))
}

// typeName is the inverse of icebergType; types that firn does not have keep Iceberg's spelling.
func typeName(typ iceberg.Type) string {
	switch t := typ.(type) {
	case iceberg.StringType:
		return TypeString
	case iceberg.BooleanType:
		return TypeBool
	case iceberg.Int32Type:
		return TypeInt
	case iceberg.Int64Type:
		return TypeLong
	case iceberg.Float32Type:
		return TypeFloat
	case iceberg.Float64Type:
		return TypeDouble
	case iceberg.TimestampTzType, iceberg.TimestampType: // without a zone: taken as UTC
		return TypeTimestamp
	case iceberg.DateType:
		return TypeDate
	case *iceberg.MapType:
		if typeName(t.KeyType) == TypeString && typeName(t.ValueType) == TypeString {
			return TypeStringMap
		}
	}
	return typ.String()
}

// columnsOf returns the top-level columns of a schema.
func columnsOf(schema *iceberg.Schema) []Column {
	fields := schema.Fields()
	columns := make([]Column, len(fields))
	for i, field := range fields {
		columns[i] = Column{
			Name: field.Name, Type: typeName(field.Type), Required: field.Required, Doc: field.Doc, ID: field.ID,
		}
	}
	return columns
}
