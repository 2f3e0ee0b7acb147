package index

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"text/tabwriter"

	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/storage"
)

// PackDescription is all that there is to say about a pack, for people (WriteText) and programs (as JSON). Sizes are bytes.
type PackDescription struct {
	Name      string                  `json:"name"`
	Version   int                     `json:"version"`
	Partition string                  `json:"partition"`
	Bytes     int64                   `json:"bytes"`
	HeadBytes int64                   `json:"head_bytes"` // its end, which is read to open it
	Analyzer  analyzer.Params         `json:"analyzer"`
	FileCount int                     `json:"file_count"`
	Rows      int64                   `json:"rows"` // of all files
	Columns   []PackColumnDescription `json:"columns"`
	Files     []PackFile              `json:"files"`
}

// PackColumnDescription is what a pack holds for one column.
type PackColumnDescription struct {
	Column  string  `json:"column"` // name at the time of building
	FieldID int     `json:"field_id"`
	Files   int     `json:"files"`   // with a filter
	Classes int     `json:"classes"` // sizes of filters
	Bands   int     `json:"bands"`   // a token takes one ranged read of each, at most
	Bytes   int64   `json:"bytes"`
	Asked   int64   `json:"asked"` // bytes that testing one token reads, on average
	Fill    float64 `json:"fill"`  // fraction of the bits that are set
}

// InspectPack opens a pack, reads all of it, checks every byte, and describes it. Errors are those of OpenPack.
func InspectPack(ctx context.Context, store storage.Store, name string) (*PackDescription, error) {
	p, err := OpenPack(ctx, store, name, 0)
	if err != nil {
		return nil, err
	}
	return p.Describe(ctx)
}

// Describe reads the whole pack, checks every byte, and says what it holds. Errors: ErrCorrupt, or one of the store.
func (p *Pack) Describe(ctx context.Context) (*PackDescription, error) {
	d := &PackDescription{
		Name: p.name, Version: packVersion, Partition: p.head.partition, Bytes: p.size, HeadBytes: p.size - int64(len(packMagic)),
		Analyzer: p.Analyzer(), FileCount: len(p.head.files), Files: p.head.files,
	}
	for _, f := range p.head.files {
		d.Rows += int64(f.Rows)
	}
	magic := make([]byte, len(packMagic))
	if err := p.store.ReadAt(ctx, p.name, magic, 0); err != nil {
		return nil, p.problem(err)
	}
	if !bytes.Equal(magic, packMagic) {
		return nil, p.problem(corruptf("it does not begin as a bloom pack does"))
	}
	for i := range p.head.columns {
		c := &p.head.columns[i]
		packed, err := p.Load(ctx, c.fieldID)
		if err != nil {
			return nil, err
		}
		column := PackColumnDescription{Column: c.name, FieldID: c.fieldID, Classes: len(c.classes), Bands: len(c.bands), Bytes: c.length}
		set, all := 0, 0
		for _, class := range c.classes {
			column.Files += len(class.files)
			column.Asked += class.unitBytes()
		}
		for _, b := range packed.content {
			set, all = set+bits.OnesCount8(b), all+8
		}
		column.Fill = float64(set) / float64(max(all, 1))
		d.HeadBytes -= c.length
		d.Columns = append(d.Columns, column)
	}
	return d, nil
}

// Packed is the filters of one column of a pack, read whole.
type Packed struct {
	column  *packColumn
	content []byte
	start   int64
	of      map[int]packSlot
}

// packSlot is where a file stands.
type packSlot struct {
	band        *packBand
	class, slot int
}

// Load reads and checks all filters of a column; it takes as much memory as they do in the pack. nil if the pack has none. Errors: ErrCorrupt, or one
// of the store.
func (p *Pack) Load(ctx context.Context, fieldID int) (*Packed, error) {
	column := p.head.column(fieldID)
	if column < 0 {
		return nil, nil
	}
	c := &p.head.columns[column]
	if len(c.bands) == 0 {
		return &Packed{column: c}, nil
	}
	packed := &Packed{column: c, start: c.bands[0].start, of: map[int]packSlot{}}
	if c.length > p.size {
		return nil, p.problem(corruptf("its filters lie outside the file"))
	}
	packed.content = make([]byte, c.length)
	if err := p.store.ReadAt(ctx, p.name, packed.content, packed.start); err != nil {
		return nil, p.problem(err)
	}
	for i := range c.bands {
		band := &c.bands[i]
		for k := range band.classes {
			class := &band.classes[k]
			for j := range class.blocks {
				at := band.start - packed.start + band.before(k, j)
				if _, err := class.unit(packed.content[at : at+class.unitBytes()]); err != nil {
					return nil, p.problem(err)
				}
			}
			for slot, file := range class.files {
				packed.of[int(file)] = packSlot{band, k, slot}
			}
		}
	}
	return packed, nil
}

// Same says whether a file, by its number, has this filter in the pack; nil means none. comparable is false if it has one of another shape or only one of the two is
// there, as when the sidecar was built again with other options.
func (p *Packed) Same(file int, f *Filter) (same, comparable bool) {
	at, ok := p.of[file]
	if !ok || f == nil {
		return !ok && f == nil, !ok && f == nil
	}
	class := &at.band.classes[at.class]
	own := uint64(f.Blocks())
	if f.hashes != class.hashes || own == 0 || class.blocks%own != 0 || bits.OnesCount64(class.blocks/own) != 1 {
		return false, false
	}
	for j := range class.blocks {
		unit := at.band.start - p.start + at.band.before(at.class, j)
		packed := p.content[unit+int64(at.slot)*bloomBlockBytes:][:bloomBlockBytes]
		if !bytes.Equal(packed, f.bits[j/(class.blocks/own)*bloomBlockBytes:][:bloomBlockBytes]) {
			return false, true
		}
	}
	return true, true
}

// WriteText writes the description for people.
func (d *PackDescription) WriteText(w io.Writer) error {
	params, err := json.Marshal(d.Analyzer)
	if err != nil {
		return fmt.Errorf("encode analyzer parameters: %w", err)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format+"\n", args...) } // t keeps the error for Flush
	line("bloom pack\t%s\t%d bytes, version %d", d.Name, d.Bytes, d.Version)
	line("partition\t%s\t%d files, %d rows", d.Partition, d.FileCount, d.Rows)
	line("head\t%d bytes\tanalyzer %s", d.HeadBytes, params)
	line("\ncolumn\tfield id\tfiles\tsizes\tbands\tbytes\tread for a token\tset")
	for _, c := range d.Columns {
		line("%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f %%", c.Column, c.FieldID, c.Files, c.Classes, c.Bands, c.Bytes, c.Asked, 100*c.Fill)
	}
	return t.Flush()
}
