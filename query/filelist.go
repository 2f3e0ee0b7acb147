package query

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
)

// fileList is the data files of one state of a table, with what prunes them in arrays: thousands of files are gone through in the time of one request to a
// store. It is shared by all plans, and safe for concurrent use.
type fileList struct {
	state   *tableState
	files   []listedFile
	rows    int64     // of all files
	bytes   int64     // of memory, without columns
	columns []*column // by position of the field in the schema; nil: not asked for yet
	mu      sync.Mutex
	grown   atomic.Int64 // bytes of memory that columns take

	packOnce sync.Once
	packed   []int32  // for each file, the position of its partition in partitions
	parts    []string // partitions, as packs call them
	partSize []int    // files of each
}

// listedFile is what is known of a data file before any request.
type listedFile struct {
	data        *catalog.DataFile
	name        string // in the store
	sidecarName string // in the store; empty if the table has no place for sidecars there
	rank        int    // of the path among all paths of the snapshot
	rows        uint32
	outside     bool // of the store
}

func newFileList(store storage.Store, s *tableState, data []catalog.DataFile) (*fileList, error) {
	l := &fileList{state: s, files: make([]listedFile, len(data)), columns: make([]*column, len(s.schema.Fields))}
	byPath := make([]*listedFile, len(data))
	for i := range data {
		f := &l.files[i]
		byPath[i] = f
		f.data = &data[i]
		if f.data.Rows < 0 || f.data.Rows > math.MaxUint32 {
			return nil, fmt.Errorf("%w: data file %s has %d rows; firn reads files of up to %d", format.ErrUnsupported, f.data.Path, f.data.Rows, uint32(math.MaxUint32))
		}
		f.rows = uint32(f.data.Rows)
		l.rows += f.data.Rows
		name, inside := storage.NameOf(store, f.data.Path)
		f.name, f.outside = name, !inside
		if len(s.indexed)+len(s.values) > 0 {
			if uri, err := index.SidecarName(f.data.Path, s.location, s.indexLocation); err == nil {
				f.sidecarName, _ = storage.NameOf(store, uri)
			}
		}
	}
	slices.SortFunc(byPath, func(a, b *listedFile) int { return cmp.Compare(a.data.Path, b.data.Path) })
	for i, f := range byPath {
		f.rank = i
	}
	l.bytes = l.measure()
	return l, nil
}

// column returns the bounds of a field of the schema in all files.
func (l *fileList) column(field format.Field) *column {
	i := slices.IndexFunc(l.state.schema.Fields, func(f format.Field) bool { return f.ID == field.ID })
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.columns[i] == nil {
		c := l.newColumn(field)
		l.columns[i] = c
		l.grown.Add(c.bytes)
		l.state.size.Add(c.bytes)
	}
	return l.columns[i]
}

// column is what the metadata tells about one field in all files.
type column struct {
	byPartition *factColumn // what the partitions of the files tell alone; nil: nothing
	byAll       *factColumn // with their bounds
	bytes       int64       // of memory
}

// factColumn is facts about one field, in arrays by file. Of the arrays of bounds only those of the field's kind are there.
type factColumn struct {
	state               []factState
	wholeLow, wholeHigh []int64 // also of bools: 0 and 1
	floatLow, floatHigh []float64
	textLow, textHigh   []string
}

// factState says which facts are known.
type factState uint8

const (
	factLow   factState = 1 << iota // there is a lower bound
	factHigh                        // there is an upper bound
	noNulls                         // no row is null
	onlyNulls                       // all rows are null
)

func (l *fileList) newColumn(field format.Field) *column {
	n := len(l.files)
	c := &column{byAll: newFactColumn(field.Type, n)}
	if slices.ContainsFunc(l.state.partitions, func(p catalog.PartitionField) bool { return p.Column == field.Name }) {
		c.byPartition = newFactColumn(field.Type, n)
	}
	for i := range l.files {
		f := &l.files[i]
		if c.byPartition != nil {
			c.byPartition.set(i, l.state.partitionFacts(f.data, field))
		}
		c.byAll.set(i, l.state.fileFacts(f.data, field))
	}
	c.bytes = c.byAll.sizeInMemory() + c.byPartition.sizeInMemory()
	return c
}

func newFactColumn(t format.Type, n int) *factColumn {
	c := &factColumn{state: make([]factState, n)}
	switch t {
	case format.TypeString:
		c.textLow, c.textHigh = make([]string, n), make([]string, n)
	case format.TypeFloat32, format.TypeFloat64:
		c.floatLow, c.floatHigh = make([]float64, n), make([]float64, n)
	case format.TypeBool, format.TypeInt32, format.TypeInt64, format.TypeDate, format.TypeTimestamp:
		c.wholeLow, c.wholeHigh = make([]int64, n), make([]int64, n)
	}
	return c
}

func (c *factColumn) sizeInMemory() int64 {
	if c == nil {
		return 0
	}
	const fixed, eachText = 250, 2 * 16 // the texts themselves belong to the metadata
	return fixed + int64(len(c.state)) + 16*int64(len(c.wholeLow)+len(c.floatLow)) + eachText*int64(len(c.textLow))
}

// set takes facts over. Bounds of another kind than the field's are no bounds.
func (c *factColumn) set(i int, f facts) {
	var okLow, okHigh bool
	switch {
	case c.textLow != nil:
		c.textLow[i], okLow = f.min.(string)
		c.textHigh[i], okHigh = f.max.(string)
	case c.floatLow != nil:
		c.floatLow[i], okLow = f.min.(float64)
		c.floatHigh[i], okHigh = f.max.(float64)
	case c.wholeLow != nil:
		c.wholeLow[i], okLow = wholeBound(f.min)
		c.wholeHigh[i], okHigh = wholeBound(f.max)
	}
	if okLow {
		c.state[i] |= factLow
	}
	if okHigh {
		c.state[i] |= factHigh
	}
	if f.nulls == 0 {
		c.state[i] |= noNulls
	}
	if f.nulls >= f.rows {
		c.state[i] |= onlyNulls
	}
}

// judge says what the facts about a file mean for a leaf on the field.
func (c *factColumn) judge(l *leaf, i int) verdict {
	s := c.state[i]
	switch {
	case l.kind == leafNull:
		return verdict{all: s&onlyNulls != 0, some: s&noNulls == 0}
	case s&onlyNulls != 0:
		return verdict{}
	}
	v, okLow, okHigh := verdict{some: true}, s&factLow != 0, s&factHigh != 0
	switch {
	case l.class == classWhole && c.wholeLow != nil:
		v = l.judgeWhole(c.wholeLow[i], c.wholeHigh[i], okLow, okHigh)
	case l.class == classFloat && c.floatLow != nil:
		v.some = l.judgeFloat(c.floatLow[i], c.floatHigh[i], okLow, okHigh)
	case l.class == classText && c.textLow != nil:
		v = l.judgeText(c.textLow[i], c.textHigh[i], okLow, okHigh)
	}
	v.all = v.all && s&noNulls != 0
	return v
}

// partitionOf returns the partition of a file as packs call it, and how many files it has.
func (l *fileList) partitionOf(i int) (name string, files int) {
	l.packOnce.Do(func() {
		known := map[string]int32{}
		l.packed = make([]int32, len(l.files))
		for k := range l.files {
			name := index.PackPartition(l.files[k].data.Partition)
			at, ok := known[name]
			if !ok {
				at = int32(len(l.parts))
				known[name] = at
				l.parts, l.partSize = append(l.parts, name), append(l.partSize, 0)
			}
			l.packed[k] = at
			l.partSize[at]++
		}
	})
	return l.parts[l.packed[i]], l.partSize[l.packed[i]]
}

func (l *fileList) sizeInMemory() int64 { return l.bytes + l.grown.Load() }

// measure returns about how many bytes the list holds, with the metadata of the files, which it may be the last one to hold.
func (l *fileList) measure() int64 {
	const (
		each    = int64(unsafe.Sizeof(listedFile{}) + unsafe.Sizeof(catalog.DataFile{}) + unsafe.Sizeof(int32(0)))
		anySlot = 8 + 16 // key and value
		boxed   = 16     // what a value of an interface points to, at least
	)
	sum := each * int64(len(l.files))
	partitions := map[uintptr]bool{} // files of one partition mostly share its values
	for i := range l.files {
		f := &l.files[i]
		d := f.data
		sum += int64(len(d.Path) + len(f.sidecarName)) // the name in the store is mostly a part of the path
		if p := reflect.ValueOf(d.Partition).Pointer(); !partitions[p] {
			partitions[p] = true
			sum += mapBytes(len(d.Partition), 16+anySlot) + boxed*int64(len(d.Partition))
		}
		for _, bounds := range []map[int]any{d.Lower, d.Upper} {
			sum += mapBytes(len(bounds), anySlot)
			for _, v := range bounds {
				sum += boxed
				if text, ok := v.(string); ok {
					sum += int64(len(text))
				}
			}
		}
		for _, counts := range []map[int]int64{d.NullCounts, d.ValueCounts, d.NaNCounts, d.ColumnSizes} {
			sum += mapBytes(len(counts), 16)
		}
	}
	return sum
}

// mapBytes is about what a map of n entries takes, of so many bytes each: groups of eight, at most seven eighths full, doubled when it grows.
func mapBytes(n int, each int64) int64 {
	const header, group = 48, 8
	if n == 0 {
		return 0
	}
	slots := int64(group)
	for n > group && int64(n) > slots/8*7 {
		slots *= 2
	}
	return header + slots*each + slots
}
