package ingest

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// An arrowReader hands out the rows of a record batch.
type arrowReader struct {
	names   []string
	columns []arrow.Array
}

func newArrowReader(batch arrow.RecordBatch) *arrowReader {
	r := &arrowReader{columns: batch.Columns()}
	for _, f := range batch.Schema().Fields() {
		r.names = append(r.names, f.Name)
	}
	return r
}

// row places one row.
func (r *arrowReader) row(t *translator, i int) *RejectError {
	for c, column := range r.columns {
		t.field(r.names[c], arrowValue(column, i))
	}
	return nil
}

// arrowValue returns one value as a Go value that translator.field knows.
func arrowValue(column arrow.Array, i int) any {
	if column.IsNull(i) {
		return nil
	}
	switch a := column.(type) {
	case array.StringLike:
		return a.Value(i)
	case *array.Binary:
		return a.Value(i)
	case *array.LargeBinary:
		return a.Value(i)
	case *array.Boolean:
		return a.Value(i)
	case *array.Int64:
		return a.Value(i)
	case *array.Int32:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.Float32:
		return a.Value(i)
	case *array.Timestamp:
		return arrowTime(a.Value(i), a.DataType().(*arrow.TimestampType).Unit)
	case *array.Date32:
		return a.Value(i).ToTime().Format(time.DateOnly)
	case *array.Date64:
		return a.Value(i).ToTime().Format(time.DateOnly)
	case *array.Dictionary:
		return arrowValue(a.Dictionary(), a.GetValueIndex(i))
	case array.ExtensionArray:
		return arrowValue(a.Storage(), i)
	case *array.Map:
		return arrowEntries(a, i)
	case *array.Struct:
		fields := make([]Field, a.NumField())
		for f := range fields {
			fields[f] = Field{Name: a.DataType().(*arrow.StructType).Field(f).Name, Value: arrowValue(a.Field(f), i)}
		}
		return fields
	}
	return column.GetOneForMarshal(i)
}

func arrowEntries(a *array.Map, i int) []Field {
	start, end := a.ValueOffsets(i)
	entries := make([]Field, 0, end-start)
	for e := int(start); e < int(end); e++ {
		entries = append(entries, Field{Name: a.Keys().ValueStr(e), Value: arrowValue(a.Items(), e)})
	}
	return entries
}

// arrowTime converts without the overflow that nanoseconds of 64 bits have outside the years 1677 to 2262.
func arrowTime(v arrow.Timestamp, unit arrow.TimeUnit) time.Time {
	switch unit {
	case arrow.Second:
		return time.Unix(int64(v), 0)
	case arrow.Millisecond:
		return time.UnixMilli(int64(v))
	case arrow.Microsecond:
		return time.UnixMicro(int64(v))
	}
	return time.Unix(0, int64(v))
}
