package catalog

import (
	"context"
	"fmt"
	"maps"
	"math"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// NewFile is a stored Parquet file that is to become part of a table. Its rows are in the table's sort order: its manifest entry will
// say so.
type NewFile struct {
	Path string // URI
	Size int64  // bytes
	// ParquetMetadata is the *metadata.FileMetaData of arrow-go that the file's writer ended with.
	ParquetMetadata any
	// Partition maps names of partition fields to values, as in DataFile; nil if all rows are null. All rows of the file have these
	// values. A field that is missing is derived from the statistics, which works for day(_timestamp) and for columns other than texts.
	Partition map[string]any
	// TextBounds lists the field ids of the string columns whose smallest and largest values the footer holds for every row group
	// that has any. Only for these are bounds recorded. It has to be said, because the footer does not show it: arrow-go leaves out
	// a minimum or maximum longer than 4096 bytes, and iceberg-go then derives bounds from the rest, which are too narrow.
	TextBounds []int
}

// AppendOptions refines Append.
type AppendOptions struct {
	// Summary is added to the snapshot's summary.
	Summary map[string]string
}

// Append commits the files as one new snapshot on top of whatever the table is by then, and returns the table with them.
// It reads and writes metadata only. It retries when other writers are faster, and never commits twice: an attempt whose
// outcome is unknown is looked up in the table's history first. No files: the table is returned unchanged.
//
// The files are understood with the schema and partitioning of t, the view they were written for, even if the table has other ones
// by now.
//
// Errors: ErrConflict (retries used up), ErrCommitUnknown, ErrTableNotFound (dropped meanwhile), ErrInvalid, ErrUnsupported.
func (t *Table) Append(ctx context.Context, files []NewFile, opts AppendOptions) (*Table, error) {
	if len(files) == 0 {
		return t, nil
	}
	if t.FormatVersion() > 2 {
		return nil, fmt.Errorf("appending to %s: %w: Iceberg format version %d: firn writes versions 1 and 2",
			t.Name(), ErrUnsupported, t.FormatVersion())
	}
	dataFiles := make([]iceberg.DataFile, len(files))
	for i, file := range files {
		dataFile, err := t.dataFile(file)
		if err != nil {
			return nil, fmt.Errorf("appending %s to %s: %w", file.Path, t.Name(), err)
		}
		dataFiles[i] = dataFile
	}
	id := uuid.NewString()
	summary := iceberg.Properties{}
	maps.Copy(summary, opts.Summary)
	summary[PropertyCommitID] = id
	return t.catalog.commit(ctx, t, change{
		stage: func(ctx context.Context, _ *table.Table, tx *table.Transaction) error {
			return tx.AddDataFiles(ctx, dataFiles, summary, table.WithoutDuplicateCheck(), table.WithoutAutoNameMapping())
		},
		done: func(now table.Metadata) bool { return hasCommit(now, id) },
	})
}

// hasCommit looks for an Append in a table's history, newest snapshot first.
func hasCommit(metadata table.Metadata, id string) bool {
	snapshots := metadata.Snapshots()
	for i := len(snapshots) - 1; i >= 0; i-- {
		if summary := snapshots[i].Summary; summary != nil && summary.Properties[PropertyCommitID] == id {
			return true
		}
	}
	return false
}

// dataFile turns a stored file and its footer into a manifest entry.
func (t *Table) dataFile(file NewFile) (iceberg.DataFile, error) {
	spec, schema := t.inner.Spec(), t.inner.Schema()
	partition, err := partitionValues(spec, schema, file.Partition)
	if err != nil {
		return nil, err
	}
	dataFile, err := table.DataFileFromMetadata(table.DataFileArgs{
		Schema: schema, Spec: spec, Format: iceberg.ParquetFile, Metadata: file.ParquetMetadata,
		FilePath: file.Path, FileSize: file.Size, Content: iceberg.EntryContentData,
		PartitionValues: partition, SortOrderID: t.SortOrderID(),
		Properties:    metricsModes(schema, t.inner.Properties(), file.TextBounds),
		FormatVersion: t.FormatVersion(),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if dataFile.Count() == 0 {
		return nil, fmt.Errorf("%w: the file has no rows", ErrInvalid)
	}
	return dataFile, checkPartition(spec, schema, dataFile)
}

// metricsModes returns the table's properties with the metrics modes that are sound: no bounds for texts whose bounds may be
// incomplete, and no metrics at all for what lies within maps and lists, as the Iceberg libraries of other languages do.
func metricsModes(schema *iceberg.Schema, properties iceberg.Properties, bounded []int) iceberg.Properties {
	const prefix = table.MetricsModeColumnConfPrefix + "."
	modes := maps.Clone(properties)
	if modes == nil {
		modes = iceberg.Properties{}
	}
	complete := map[int]bool{}
	for _, id := range bounded {
		complete[id] = true
	}
	for _, field := range schema.Fields() {
		switch field.Type.(type) {
		case iceberg.StringType, iceberg.BinaryType:
			if !complete[field.ID] && modes.Get(prefix+field.Name, "") != "none" {
				modes[prefix+field.Name] = "counts"
			}
		case iceberg.PrimitiveType:
		default:
			nested, err := iceberg.IndexNameByID(iceberg.NewSchema(0, field))
			if err != nil {
				continue // iceberg-go will say what is wrong with the schema
			}
			for id, name := range nested {
				if id != field.ID {
					modes[prefix+name] = "none"
				}
			}
		}
	}
	return modes
}

// partitionValues maps names to the field ids of a partition spec, and values to iceberg-go's types.
func partitionValues(spec iceberg.PartitionSpec, schema *iceberg.Schema, named map[string]any) (map[int]any, error) {
	values := map[int]any{}
	used := 0
	for _, field := range spec.Fields() {
		value, given := named[field.Name]
		if given {
			used++
		}
		if value == nil {
			continue
		}
		source, ok := schema.FindFieldByID(field.SourceID())
		if !ok {
			return nil, fmt.Errorf("%w: partition field %q has no source column", ErrUnsupported, field.Name)
		}
		typ := field.Transform.ResultType(source.Type)
		converted, ok := partitionValue(typ, value)
		if !ok {
			return nil, fmt.Errorf("%w: partition field %q wants a %s, got %T %v", ErrInvalid, field.Name, typ, value, value)
		}
		values[field.FieldID] = converted
	}
	if used != len(named) {
		return nil, fmt.Errorf("%w: partition values %v: the table is partitioned by %s", ErrInvalid, named, spec.String())
	}
	return values, nil
}

func partitionValue(typ iceberg.Type, value any) (any, bool) {
	var whole int64
	isWhole := true
	switch v := value.(type) {
	case int:
		whole = int64(v)
	case int32:
		whole = int64(v)
	case int64:
		whole = v
	default:
		isWhole = false
	}
	fits32 := isWhole && whole >= math.MinInt32 && whole <= math.MaxInt32
	switch typ.(type) {
	case iceberg.DateType:
		return iceberg.Date(int32(whole)), fits32
	case iceberg.Int32Type:
		return int32(whole), fits32
	case iceberg.Int64Type:
		return whole, isWhole
	case iceberg.TimestampType, iceberg.TimestampTzType:
		return iceberg.Timestamp(whole), isWhole
	case iceberg.StringType:
		text, ok := value.(string)
		return text, ok
	case iceberg.BooleanType:
		truth, ok := value.(bool)
		return truth, ok
	}
	return nil, false
}

// checkPartition refuses a file whose partition values do not fit its statistics: every engine would prune it wrongly from then on.
func checkPartition(spec iceberg.PartitionSpec, schema *iceberg.Schema, file iceberg.DataFile) error {
	partition, nulls := file.Partition(), file.NullValueCounts()
	lower, upper := file.LowerBoundValues(), file.UpperBoundValues()
	for _, field := range spec.Fields() {
		source, ok := schema.FindFieldByID(field.SourceID())
		if !ok {
			continue
		}
		value := partition[field.FieldID]
		count, counted := nulls[source.ID]
		switch {
		case value == nil && (!counted || count != file.Count()):
			return fmt.Errorf("%w: partition field %q is null or could not be derived, but the file has values of %q",
				ErrInvalid, field.Name, source.Name)
		case value != nil && count > 0:
			return fmt.Errorf("%w: partition field %q is %v, but the file also has nulls of %q", ErrInvalid, field.Name, value, source.Name)
		}
		day, isDay := value.(iceberg.Date)
		if _, transformed := field.Transform.(iceberg.DayTransform); !transformed || !isDay {
			continue
		}
		for _, bound := range [][]byte{lower[source.ID], upper[source.ID]} {
			micros, ok := decodeBound(source.Type, bound).(int64)
			if ok && iceberg.Timestamp(micros).ToDate() != day {
				return fmt.Errorf("%w: partition %s=%s, but %s holds %s", ErrInvalid, field.Name, field.Transform.ToHumanStrType(source.Type, day),
					source.Name, iceberg.Timestamp(micros).ToTime().Format("2006-01-02T15:04:05.999999Z"))
			}
		}
	}
	return nil
}
