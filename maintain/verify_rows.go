package maintain

import (
	"math"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
)

// microsADay is the number of microseconds of a UTC day.
const microsADay = 24 * 60 * 60 * 1_000_000

// rowCheck checks what concerns whole rows: the order of the timestamps and the partition.
type rowCheck struct {
	checkOrder   bool
	last         int64
	anyTime      bool
	unordered    int64 // rows that are older than the row before
	firstUnorder uint32

	checkDay    bool
	day         int64
	otherDay    int64 // rows of another day
	exampleDay  int64
	exampleRow  uint32
	column      string // of the second partition level; "" is none
	value       any    // what the partition says
	otherValue  int64
	valueSample string
}

// newRowCheck finds out what the file claims about its rows.
func newRowCheck(c *fileCheck) rowCheck {
	var r rowCheck
	r.checkOrder = c.file.Sorted() || c.data.SortOrderID != 0 && c.data.SortOrderID == c.table.SortOrderID()
	if !r.checkOrder {
		c.rec.note(UnsortedFile, c.data.Path, "")
	}
	if day, ok := asInt(c.data.Partition[catalog.PartitionDay]); ok {
		r.checkDay, r.day = true, day
	}
	if name := c.table.PartitionColumn(); name != "" {
		if value, ok := c.data.Partition[name]; ok {
			r.column, r.value = name, value
		}
	}
	return r
}

// add looks at the rows of a batch.
func (r *rowCheck) add(b *format.Batch) {
	for i := range b.Columns {
		c := &b.Columns[i]
		if c.Field.Name == catalog.ColumnTimestamp && c.Field.Type == format.TypeTimestamp {
			r.addTimes(c, b.Ordinals)
		}
		if r.column != "" && c.Field.Name == r.column {
			r.addValues(c)
		}
	}
}

func (r *rowCheck) addTimes(c *format.Column, ordinals []uint32) {
	for i, t := range c.Ints {
		if c.Valid != nil && !c.Valid[i] {
			continue // nulls come first; RequiredNull tells about them
		}
		if r.anyTime && t < r.last {
			if r.unordered == 0 {
				r.firstUnorder = ordinals[i]
			}
			r.unordered++
		}
		r.last, r.anyTime = t, true
		if day := floorDiv(t, microsADay); day != r.day && r.checkDay {
			if r.otherDay == 0 {
				r.exampleDay, r.exampleRow = day, ordinals[i]
			}
			r.otherDay++
		}
	}
}

func (r *rowCheck) addValues(c *format.Column) {
	kind := kindOf(c.Field.Type)
	for i := range rowsOf(c, kind) {
		if !samePartition(c, kind, i, r.value) {
			if r.otherValue == 0 {
				r.valueSample = valueString(c, kind, i)
			}
			r.otherValue++
		}
	}
}

// finishRows records what rowCheck found.
func (c *fileCheck) finishRows() {
	r := &c.rows
	if r.checkOrder && r.unordered > 0 {
		c.problem(SortOrder, catalog.ColumnTimestamp, "%d rows are older than the row before them; the first is row %d", r.unordered, r.firstUnorder)
	}
	if r.otherDay > 0 {
		c.problem(Partition, catalog.ColumnTimestamp, "the partition is day %d since 1970-01-01, %d rows are of another day; row %d is of day %d",
			r.day, r.otherDay, r.exampleRow, r.exampleDay)
	}
	if r.otherValue > 0 {
		c.problem(Partition, r.column, "the partition value is %v, %d rows hold another one, such as %s", r.value, r.otherValue, r.valueSample)
	}
}

// samePartition tells whether row i holds the partition's value.
func samePartition(c *format.Column, kind valueKind, i int, want any) bool {
	if isNull(c, kind, i) {
		return want == nil
	}
	switch kind {
	case textValues:
		text, ok := want.(string)
		return ok && string(c.Texts[i]) == text
	case boolValues:
		return want == c.Bools[i]
	case intValues:
		n, ok := asInt(want)
		return ok && n == c.Ints[i]
	case floatValues:
		f, ok := asFloat(want)
		return ok && (f == c.Floats[i] || math.IsNaN(f) && math.IsNaN(c.Floats[i]))
	}
	return true
}

// valueString prints the value of row i.
func valueString(c *format.Column, kind valueKind, i int) string {
	if isNull(c, kind, i) {
		return "null"
	}
	s := span{kind: kind}
	s.add(c, i)
	if !s.filled {
		return "NaN"
	}
	return s.minString()
}

// rowsOf returns the number of rows of a column.
func rowsOf(c *format.Column, kind valueKind) int {
	switch kind {
	case textValues:
		return len(c.Texts)
	case intValues:
		return len(c.Ints)
	case floatValues:
		return len(c.Floats)
	case boolValues:
		return len(c.Bools)
	}
	return max(0, len(c.Offsets)-1)
}

// floorDiv divides, rounding down, so that times before 1970 fall on the right day.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func asInt(v any) (int64, bool) {
	switch n := v.(type) {
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case int:
		return int64(n), true
	}
	return 0, false
}

func asFloat(v any) (float64, bool) {
	switch f := v.(type) {
	case float32:
		return float64(f), true
	case float64:
		return f, true
	}
	return 0, false
}
