package index

import (
	"fmt"
	"math/rand/v2"

	"github.com/firnlog/firn/index/analyzer"
)

// Builder collects the tokens of one data file. It satisfies format.Observer. It is not safe for concurrent use.
type Builder struct {
	options  Options
	analyzer *analyzer.Analyzer
	scanner  analyzer.Scanner
	columns  []columnBuilder
	values   []*valueBuilder
	finisher finisher
	fileSize int64 // of the data file; 0 if it is not known
	err      error // the first thing that went wrong while observing
}

// columnBuilder collects the tokens of one column.
type columnBuilder struct {
	spec     ColumnSpec
	table    *tokenTable
	patterns rowPatterns
	bytes    int64  // of all texts
	last     uint32 // row of the last text
	any      bool   // there was a text
}

// NewBuilder returns an empty builder, or ErrInvalidOptions.
func NewBuilder(o Options) (*Builder, error) {
	o, a, err := o.complete()
	if err != nil {
		return nil, err
	}
	b := &Builder{options: o, analyzer: a}
	// A seed that nobody can know keeps people who choose what is logged from choosing tokens of one hash. It changes nothing that is written.
	seed := rand.Uint64()
	for _, spec := range o.Columns {
		c := columnBuilder{spec: spec, table: newTokenTable(a, spec.Bitmap, seed)}
		c.patterns.clear()
		b.columns = append(b.columns, c)
	}
	if b.values, err = newValueBuilders(o); err != nil {
		return nil, err
	}
	return b, nil
}

// Options returns the builder's options with all defaults filled in.
func (b *Builder) Options() Options { return b.options }

// ObserveText adds the tokens of one text. Rows must ascend for each field; several texts of one row are allowed. Fields without an
// index are ignored. The text is not kept. What goes wrong is told by Finish.
func (b *Builder) ObserveText(fieldID int, row uint32, text []byte) {
	for i := range b.columns {
		if c := &b.columns[i]; c.spec.FieldID == fieldID {
			b.observe(c, row, text)
			return
		}
	}
}

func (b *Builder) observe(c *columnBuilder, row uint32, text []byte) {
	if row < c.last {
		if b.err == nil {
			b.err = fmt.Errorf("%w: row %d of column %q came after row %d", ErrRowOrder, row, c.spec.Column, c.last)
		}
		return
	}
	if row != c.last || !c.any {
		c.table.startRow()
	}
	c.last, c.any = row, true
	c.bytes += int64(len(text))
	b.scanner.Reset(text)
	for {
		folded, bounds, ok := b.scanner.NextBatch()
		if !ok {
			break
		}
		c.table.observe(row, folded, bounds)
	}
	if c.spec.Bitmap {
		c.patterns.set(row, c.table, text)
	}
}

// SetDataFileSize says how many bytes the data file has, once that is known and before Finish. Postings of rows are written for as many tokens as
// Options.BitmapFraction of that allows, postings of blocks of rows for the others. Without it the size is taken to be an eighth of that of the texts.
func (b *Builder) SetDataFileSize(bytes int64) { b.fileSize = bytes }

// MemoryBytes returns about how much memory the builder holds.
func (b *Builder) MemoryBytes() int64 {
	size := b.finisher.memoryBytes() + b.valuesMemory()
	for i := range b.columns {
		size += b.columns[i].table.memoryBytes() + b.columns[i].patterns.memoryBytes()
	}
	return size
}

// Reset empties the builder and keeps its memory for the next data file.
func (b *Builder) Reset() {
	b.err, b.fileSize = nil, 0
	b.resetValues()
	for i := range b.columns {
		c := &b.columns[i]
		c.bytes, c.last, c.any = 0, 0, false
		c.table.clear()
		c.patterns.clear()
	}
}
