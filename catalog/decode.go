package catalog

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/iceberg-go"
	"github.com/google/uuid"
)

// liveFile is a data file together with what decides which deletes apply to it.
type liveFile struct {
	DataFile
	specID   int32
	tuple    string // the partition values, comparable
	sequence int64  // data sequence number
	added    bool   // by the snapshot that the manifest was written for
}

// fileDecoder turns manifest entries into DataFiles with the schema of one table.
type fileDecoder struct {
	table  *Table
	types  map[int]iceberg.Type     // of the top-level columns that have bounds
	names  map[int32]map[int]string // partition field names by spec and field id
	sorted map[int]bool             // sort orders that begin with _timestamp ascending
}

func newFileDecoder(t *Table) *fileDecoder {
	d := &fileDecoder{table: t, types: map[int]iceberg.Type{}, names: map[int32]map[int]string{}, sorted: map[int]bool{}}
	for _, field := range t.inner.Schema().Fields() {
		if _, primitive := field.Type.(iceberg.PrimitiveType); primitive {
			d.types[field.ID] = field.Type
		}
	}
	for _, spec := range t.inner.Metadata().PartitionSpecs() {
		names := map[int]string{}
		for _, field := range spec.Fields() {
			names[field.FieldID] = field.Name
		}
		d.names[int32(spec.ID())] = names
	}
	for _, order := range t.inner.Metadata().SortOrders() {
		d.sorted[order.OrderID()] = t.sortsByTime(order)
	}
	return d
}

func (d *fileDecoder) decode(entries []iceberg.ManifestEntry) ([]liveFile, error) {
	files := make([]liveFile, len(entries))
	for i, entry := range entries {
		file := entry.DataFile()
		names, ok := d.names[file.SpecID()]
		if !ok {
			return nil, fmt.Errorf("data file %s: the table has no partition spec %d", file.FilePath(), file.SpecID())
		}
		partition := file.Partition()
		files[i] = liveFile{
			DataFile: DataFile{
				Path: file.FilePath(), Format: string(file.FileFormat()), Size: file.FileSizeBytes(), Rows: file.Count(),
				Partition:  make(map[string]any, len(partition)),
				Lower:      d.bounds(file.LowerBoundValues()),
				Upper:      d.bounds(file.UpperBoundValues()),
				NullCounts: d.topLevel(file.NullValueCounts()), ValueCounts: d.topLevel(file.ValueCounts()),
				NaNCounts: d.topLevel(file.NaNValueCounts()),
			},
			specID: file.SpecID(), tuple: partitionTuple(partition), sequence: entry.SequenceNum(),
			added: entry.Status() == iceberg.EntryStatusADDED,
		}
		for id, value := range partition {
			if name, ok := names[id]; ok {
				files[i].Partition[name] = plainValue(value)
			}
		}
		if order := file.SortOrderID(); order != nil {
			files[i].SortOrderID, files[i].TimeSorted = *order, d.sorted[*order]
		}
	}
	return files, nil
}

func (d *fileDecoder) bounds(encoded map[int][]byte) map[int]any {
	var decoded map[int]any
	for id, bound := range encoded {
		if typ, ok := d.types[id]; ok {
			if value := decodeBound(typ, bound); value != nil {
				if decoded == nil {
					decoded = make(map[int]any, len(encoded))
				}
				decoded[id] = value
			}
		}
	}
	return decoded
}

// topLevel keeps the counts of top-level columns.
func (d *fileDecoder) topLevel(counts map[int]int64) map[int]int64 {
	var kept map[int]int64
	for id, count := range counts {
		if _, ok := d.types[id]; ok {
			if kept == nil {
				kept = make(map[int]int64, len(counts))
			}
			kept[id] = count
		}
	}
	return kept
}

// decodeBound decodes a bound in Iceberg's single-value serialization. A bound that was written before its column was widened is
// shorter than the column's type. What is not understood, and NaN, is no bound: nil.
func decodeBound(typ iceberg.Type, encoded []byte) any {
	switch typ.(type) {
	case iceberg.StringType:
		if encoded != nil {
			return string(encoded)
		}
	case iceberg.BooleanType:
		if len(encoded) == 1 {
			return encoded[0] != 0
		}
	case iceberg.Int32Type, iceberg.Int64Type, iceberg.DateType, iceberg.TimestampType, iceberg.TimestampTzType:
		switch len(encoded) {
		case 4:
			return int64(int32(binary.LittleEndian.Uint32(encoded)))
		case 8:
			return int64(binary.LittleEndian.Uint64(encoded))
		}
	case iceberg.Float32Type, iceberg.Float64Type:
		value := math.NaN()
		switch len(encoded) {
		case 4:
			value = float64(math.Float32frombits(binary.LittleEndian.Uint32(encoded)))
		case 8:
			value = math.Float64frombits(binary.LittleEndian.Uint64(encoded))
		}
		if !math.IsNaN(value) {
			return value
		}
	}
	return nil
}

// plainValue turns iceberg-go's types of partition values into Go's own.
func plainValue(value any) any {
	switch v := value.(type) {
	case iceberg.Date:
		return int32(v)
	case iceberg.Time:
		return int64(v)
	case iceberg.Timestamp:
		return int64(v)
	case iceberg.TimestampNano:
		return int64(v)
	case uuid.UUID:
		return v.String()
	case iceberg.DecimalLiteral:
		return v.String()
	}
	return value
}
