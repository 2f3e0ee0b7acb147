package format

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/firnlog/firn/storage"
)

// File is an open Parquet file: its footer, and those parts of its page index and bloom filters that were asked for. It is
// immutable, safe for concurrent use, holds no resources but memory, and is small enough to be cached.
type File struct {
	store     storage.Store
	traits    storage.Traits
	name      string
	size      int64
	rows      uint32
	schema    *Schema
	columns   []boundColumn
	groups    []groupMeta
	rowGroups []RowGroup
	ordered   []bool
	footer    int64 // bytes of the footer, for SizeInMemory
	createdBy string
	metadata  map[string]string

	indexes pageIndexes
	blooms  bloomCache
}

// RowGroup describes one row group of a file.
type RowGroup struct {
	FirstRow uint32 // number in the file of its first row
	Rows     uint32
	Bytes    int64 // compressed size of its column chunks

	file   *File
	number int
}

// What Open reads from the end of a file at first, and at most.
const (
	tailBytes      = 64 << 10
	mostTailTimes  = 4   // of a remote store: of what its traits say
	tailFraction   = 128 // of a file, by which footer and page index are very likely in its tail
	leastTail      = 4 << 10
	maxFooterBytes = 128 << 20
	footerTail     = 8 // length of the footer, magic
)

// Open reads the footer of a file with one ranged read (two if the footer is unusually large). From a remote store it reads as much of the end
// as is likely to hold the page index too; a local one has it read when it is needed. size is the file's size, 0 if it is
// not known. schema is the table's schema: its columns are found by field id, or by name in a file without field ids, and columns
// that the file lacks read as null. A nil schema stands for the file's own. Damage is reported as ErrCorrupt, errors of the
// storage as they are.
func Open(ctx context.Context, store storage.Store, name string, size int64, schema *Schema) (f *File, err error) {
	f = &File{store: store, traits: storage.TraitsOf(store), name: name, size: size}
	defer f.guard(&err)
	tail, err := f.readTail(ctx)
	if err != nil {
		return nil, f.wrap(err)
	}
	footer, err := f.readFooter(ctx, tail)
	if err != nil {
		return nil, f.wrap(err)
	}
	if err := f.load(footer, schema); err != nil {
		return nil, f.damaged(err)
	}
	f.keepTail(tail)
	return f, nil
}

// tailGuess returns how much of the end of the file is read first.
func (f *File) tailGuess() int {
	switch {
	case !f.traits.Remote || f.traits.TailBytes <= 0:
		return tailBytes
	case f.size <= 0:
		return max(f.traits.TailBytes, leastTail)
	case f.size <= int64(f.traits.TailBytes):
		return int(f.size) // a small file comes whole
	}
	least, most := min(f.traits.TailBytes, tailBytes), max(mostTailTimes*f.traits.TailBytes, leastTail)
	return int(min(max(f.size/tailFraction, int64(least)), int64(most)))
}

// readTail reads the end of the file, and finds the file's size if it is not known.
func (f *File) readTail(ctx context.Context) ([]byte, error) {
	if f.size > 0 {
		tail := make([]byte, min(f.size, int64(f.tailGuess())))
		r := f.fetcher()
		return tail, r.readAt(ctx, tail, f.size-int64(len(tail)))
	}
	tail := make([]byte, f.tailGuess())
	n, size, err := f.store.ReadTail(ctx, f.name, tail)
	f.size = size
	return tail[:n:n], err
}

// readFooter returns the footer, which is mostly part of the tail.
func (f *File) readFooter(ctx context.Context, tail []byte) ([]byte, error) {
	if len(tail) < footerTail+len(magic) {
		return nil, fmt.Errorf("%w: it has only %d bytes", ErrCorrupt, len(tail))
	}
	end := len(tail) - footerTail
	if got := string(tail[end+4:]); got != magic {
		if got == "PARE" {
			return nil, fmt.Errorf("%w: its footer is encrypted", ErrUnsupported)
		}
		return nil, fmt.Errorf("%w: it does not end as a Parquet file does", ErrCorrupt)
	}
	n := int64(binary.LittleEndian.Uint32(tail[end:]))
	if n > maxFooterBytes || n > f.size-footerTail-int64(len(magic)) {
		return nil, fmt.Errorf("%w: a footer of %d bytes does not fit a file of %d", ErrCorrupt, n, f.size)
	}
	f.footer = n
	if n <= int64(end) {
		return tail[int64(end)-n : end], nil
	}
	footer := make([]byte, n)
	r := f.fetcher()
	return footer, r.readAt(ctx, footer, f.size-footerTail-n)
}

// load makes sense of the footer.
func (f *File) load(footer []byte, schema *Schema) error {
	m, err := parseFooter(footer)
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	if m.encrypted {
		return fmt.Errorf("%w: its columns are encrypted", ErrUnsupported)
	}
	columns, leaves, err := fileColumns(m.elements)
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	if err := m.check(leaves, f.size); err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	if m.rows > maxRows {
		return fmt.Errorf("%w: %d rows in one file", ErrUnsupported, m.rows)
	}
	f.rows, f.groups, f.ordered, f.createdBy, f.metadata = uint32(m.rows), m.groups, m.ordered, m.createdBy, m.metadata
	f.schema, f.columns = bindColumns(schema, columns)
	f.checkColumns()
	f.indexes = pageIndexes{loading: newLoadLock(), leaves: map[int]bool{}, pages: map[indexKey][]pageAt{}, bounds: map[int][]PageBounds{}, segments: f.fetcher()}
	f.blooms = bloomCache{loading: newLoadLock(), filters: map[indexKey][]byte{}}
	first := uint32(0)
	for i := range f.groups {
		g := RowGroup{FirstRow: first, Rows: uint32(f.groups[i].rows), file: f, number: i}
		for j := range f.groups[i].chunks {
			g.Bytes += f.groups[i].chunks[j].compressed
		}
		first += g.Rows
		f.rowGroups = append(f.rowGroups, g)
	}
	return nil
}

// checkColumns marks columns as unreadable whose chunks are encrypted, elsewhere, or of another type than the schema says.
func (f *File) checkColumns() {
	for i := range f.columns {
		b := &f.columns[i]
		if b.file == nil || b.reason != "" {
			continue
		}
		for g := range f.groups {
			for _, c := range f.groups[g].chunks[b.file.leaf : b.file.leaf+b.file.leaves] {
				switch {
				case c.external:
					b.reason = "it is encrypted or in another file"
				case c.physical != b.file.physical:
					b.reason = "its column chunks are of another type than its schema says"
				}
			}
		}
	}
}

// keepTail keeps of the end of the file what is worth having in memory: the page index, if it is there, and small bloom filters of a
// file in a remote store.
func (f *File) keepTail(tail []byte) {
	start := f.size - int64(len(tail))
	if f.traits.Remote {
		f.keepBlooms(tail, start)
	}
	lo, hi := f.size, int64(0)
	for _, r := range f.indexRanges(nil) {
		if r.offset < start {
			return
		}
		lo, hi = min(lo, r.offset), max(hi, r.offset+r.length)
	}
	if hi <= lo {
		return
	}
	data := append([]byte(nil), tail[lo-start:hi-start]...)
	f.indexes.segments.segments = []segment{{offset: lo, data: data}}
	f.indexes.whole, f.indexes.memory = true, int64(len(data))
}

// Name returns the name that the file was opened by.
func (f *File) Name() string { return f.name }

// Size returns the size of the file in bytes.
func (f *File) Size() int64 { return f.size }

// Rows returns the number of rows in the file.
func (f *File) Rows() uint32 { return f.rows }

// Schema returns the schema that the file is read as.
func (f *File) Schema() *Schema { return f.schema }

// CreatedBy returns the name of the program that wrote the file, as the file has it.
func (f *File) CreatedBy() string { return f.createdBy }

// Metadata returns the key-value pairs of the footer. The map must not be changed.
func (f *File) Metadata() map[string]string { return f.metadata }

// RowGroups returns the row groups in file order. The slice must not be changed.
func (f *File) RowGroups() []RowGroup { return f.rowGroups }

// Sorted tells whether every row group records the schema's _timestamp column (ascending) as its first sorting column.
func (f *File) Sorted() bool {
	field, ok := f.schema.Lookup(DefaultSortColumn)
	if !ok || len(f.groups) == 0 {
		return false
	}
	column, err := f.bound(field.ID)
	if err != nil || column.file == nil {
		return false
	}
	for i := range f.groups {
		if int(f.groups[i].sortLeaf) != column.file.leaf || f.groups[i].descending {
			return false
		}
	}
	return true
}

// SizeInMemory returns about how many bytes the File holds now; it grows when parts of the page index or bloom filters are loaded.
func (f *File) SizeInMemory() int64 {
	f.indexes.mu.Lock()
	n := f.indexes.memory
	f.indexes.mu.Unlock()
	return n + f.blooms.size() + 4*f.footer + 1024
}

// bound returns the column with this field id.
func (f *File) bound(fieldID int) (*boundColumn, error) {
	for i := range f.columns {
		if f.columns[i].field.ID == fieldID {
			return &f.columns[i], nil
		}
	}
	return nil, fmt.Errorf("file %s: %w: %d", f.name, ErrUnknownField, fieldID)
}

// wrap adds the file's name to an error that says already what kind it is.
func (f *File) wrap(err error) error {
	return fmt.Errorf("file %s: %w", f.name, err)
}

// damaged makes an error in the file's contents an ErrCorrupt with the file's name; errors that say already what kind they are
// stay so.
func (f *File) damaged(err error) error {
	for _, kind := range []error{ErrCorrupt, ErrUnsupported, ErrUnknownField, ErrInvalidRows, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, kind) {
			return f.wrap(err)
		}
	}
	if failed := (*storageError)(nil); errors.As(err, &failed) {
		return f.wrap(err)
	}
	return fmt.Errorf("file %s: %w: %w", f.name, ErrCorrupt, err)
}

// guard turns a panic of a decoder into an error: no damaged file may bring the process down.
func (f *File) guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("file %s: %w: decoding failed: %v", f.name, ErrCorrupt, p)
	}
}
