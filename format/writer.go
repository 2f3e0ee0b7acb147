package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/metadata"
)

// Defaults of WriterOptions.
const (
	DefaultRowGroupRows = 128 << 10
	DefaultPageBytes    = 64 << 10
	// DefaultSortColumn is recorded as the sorting column if the schema has a column of that name.
	DefaultSortColumn = "_timestamp"
	// NoSortColumn as WriterOptions.SortedBy says that the rows are not sorted.
	NoSortColumn = "-"
)

// Effort says how hard a Writer compresses.
type Effort uint8

const (
	// EffortDefault gives files about an eighth smaller than EffortFast, for up to twice the CPU time.
	EffortDefault Effort = iota
	// EffortFast spends the least CPU time.
	EffortFast
)

// WriterOptions say how a file is laid out. The zero value gives the defaults.
type WriterOptions struct {
	RowGroupRows int      // rows of a row group; default DefaultRowGroupRows
	PageBytes    int      // bytes of a data page before compression, roughly, see FORMAT.md; default DefaultPageBytes
	BloomColumns []string // columns that get Parquet's own bloom filter (one for each row group with a non-null value)
	Observer     Observer // told every text written; nil: none
	Effort       Effort   // how hard to compress
	// SortedBy is the column recorded as sorting column (ascending, nulls first); default DefaultSortColumn if present, NoSortColumn for none.
	SortedBy string
	Metadata map[string]string // key-value pairs for the footer
}

// Footer describes a finished file.
type Footer struct {
	Rows int64
	Size int64 // bytes of the whole file
	// Metadata is a *metadata.FileMetaData of arrow-go, for the catalog to take the column statistics from.
	Metadata any
	// TextBounds lists the field ids of the string columns whose least and greatest value the footer bounds for every row group
	// that has any.
	TextBounds []int
}

// Writer writes one Parquet file. It is not safe for concurrent use.
type Writer struct {
	schema  *Schema
	opts    WriterOptions
	leaves  []leaf
	out     *sink
	chunk   *chunkWriter
	meta    *metadata.FileMetaDataBuilder
	indexes metadata.PageIndexBuilder
	// unbounded are the ids of string columns of which some row group has values without an upper bound.
	unbounded []int
	blooms    metadata.FileBloomFilterBuilder
	rows      int64
	groups    int
	err       error
}

// NewWriter starts a file of this schema on w, which gets the bytes in order and need not be buffered.
func NewWriter(w io.Writer, schema *Schema, opts WriterOptions) (*Writer, error) {
	if opts.RowGroupRows <= 0 {
		opts.RowGroupRows = DefaultRowGroupRows
	}
	if opts.PageBytes <= 0 {
		opts.PageBytes = DefaultPageBytes
	}
	if opts.SortedBy == "" {
		opts.SortedBy = DefaultSortColumn
	}
	sc, leaves, err := parquetSchema(schema)
	if err != nil {
		return nil, err
	}
	out := &sink{w: w}
	chunk, err := newChunkWriter(out, opts.PageBytes, opts.Effort)
	if err != nil {
		return nil, err
	}
	kv, err := keyValues(opts.Metadata)
	if err != nil {
		return nil, err
	}
	fw := &Writer{schema: schema, opts: opts, leaves: leaves, out: out, chunk: chunk,
		meta:    metadata.NewFileMetadataBuilder(sc, writerProperties(schema, leaves, opts), kv),
		indexes: metadata.PageIndexBuilder{Schema: sc}, blooms: metadata.FileBloomFilterBuilder{Schema: sc}}
	_, err = out.Write([]byte(magic))
	return fw, err
}

// magic starts and ends every Parquet file.
const magic = "PAR1"

// writerProperties returns what arrow-go's metadata builders need to know of how the chunks are written.
func writerProperties(s *Schema, leaves []leaf, opts WriterOptions) *parquet.WriterProperties {
	props := []parquet.WriterProperty{
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCreatedBy("firn"),
	}
	for i, l := range leaves {
		f := s.Fields[l.field]
		if l.part == partValue && f.Name == opts.SortedBy {
			props = append(props, parquet.WithSortingColumns([]parquet.SortingColumn{{ColumnIdx: int32(i), NullsFirst: true}}))
		}
		switch f.Type {
		case TypeTimestamp, TypeInt32, TypeInt64, TypeDate:
			props = append(props, parquet.WithEncodingFor(l.descr.Path(), parquet.Encodings.DeltaBinaryPacked))
		}
	}
	return parquet.NewWriterProperties(props...)
}

func keyValues(m map[string]string) (metadata.KeyValueMetadata, error) {
	kv := metadata.NewKeyValueMetadata()
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if err := kv.Append(k, m[k]); err != nil {
			return nil, fmt.Errorf("file metadata: %w", err)
		}
	}
	return kv, nil
}

// Write writes the rows of b, which must be in the file's sort order and follow all rows written before. The batch has one column
// for each field of the schema, found by field id. Rows are split into row groups of RowGroupRows, and the end of a call ends its
// last row group: callers pass full row groups. An empty batch writes nothing. After an error the file is unusable.
func (w *Writer) Write(b *Batch) error {
	if w.err != nil {
		return w.err
	}
	columns, err := w.columns(b)
	if err != nil {
		w.err = err
		return err
	}
	for start := 0; start < b.Rows; start += w.opts.RowGroupRows {
		if err := w.writeRowGroup(columns, start, min(start+w.opts.RowGroupRows, b.Rows)); err != nil {
			w.err = err
			return err
		}
	}
	return nil
}

// columns returns the batch's columns in the order of the schema, after checking them.
func (w *Writer) columns(b *Batch) ([]*Column, error) {
	columns := make([]*Column, len(w.schema.Fields))
	for i, f := range w.schema.Fields {
		at := slices.IndexFunc(b.Columns, func(c Column) bool { return c.Field.ID == f.ID })
		if at < 0 {
			return nil, fmt.Errorf("%w: it has no column %q (field id %d)", ErrInvalidBatch, f.Name, f.ID)
		}
		c := &b.Columns[at]
		if err := checkColumn(f, c, b.Rows); err != nil {
			return nil, fmt.Errorf("%w: column %q: %w", ErrInvalidBatch, f.Name, err)
		}
		columns[i] = c
	}
	return columns, nil
}

func (w *Writer) writeRowGroup(columns []*Column, start, end int) error {
	if w.groups > math.MaxInt16 || w.rows+int64(end-start) > maxRows {
		return fmt.Errorf("%w: %d row groups of %d rows are written, a file holds no more; start another", ErrInvalidBatch, w.groups, w.rows)
	}
	group := w.meta.AppendRowGroup()
	if err := w.indexes.AppendRowGroup(); err != nil {
		return fmt.Errorf("write row group: %w", err)
	}
	filters := map[string]metadata.BloomFilterBuilder{}
	for i, l := range w.leaves {
		f := w.schema.Fields[l.field]
		if err := w.writeChunk(group, i, columns[l.field], start, end); err != nil {
			return fmt.Errorf("write column %q: %w", f.Name, err)
		}
		if l.part == partValue && slices.Contains(w.opts.BloomColumns, f.Name) {
			if filter := bloomFilter(f, columns[l.field], start, end); filter != nil {
				filters[l.descr.Path()] = filter
			}
		}
		if w.opts.Observer != nil && f.Type == TypeString {
			w.observe(f, columns[l.field].Texts[start:end])
		}
		if all, ok := w.opts.Observer.(ColumnObserver); ok && l.part != partMapValue {
			all.ObserveColumn(columns[l.field], start, end, uint32(w.rows))
		}
	}
	group.SetNumRows(end - start)
	if err := group.Finish(0, int16(w.groups)); err != nil {
		return fmt.Errorf("write row group: %w", err)
	}
	w.blooms.AppendRowGroup(group, filters)
	w.groups++
	w.rows += int64(end - start)
	return nil
}

func (w *Writer) writeChunk(group *metadata.RowGroupMetaDataBuilder, at int, c *Column, start, end int) error {
	l := w.leaves[at]
	f := w.schema.Fields[l.field]
	offsets, err := w.indexes.GetOffsetIndexBuilder(at)
	if err != nil {
		return err
	}
	var bounds metadata.ColumnIndexBuilder
	if l.part == partValue {
		if bounds, err = w.indexes.GetColumnIndexBuilder(at); err != nil {
			return err
		}
	}
	w.chunk.begin(f, l, group.NextColumnChunk(), bounds, offsets)
	switch {
	case l.part == partMapKey:
		err = w.chunk.writeTexts(c.Keys[c.Offsets[start]:c.Offsets[end]], c.Offsets[start:end+1])
	case l.part == partMapValue:
		err = w.chunk.writeTexts(c.Values[c.Offsets[start]:c.Offsets[end]], c.Offsets[start:end+1])
	case f.Type == TypeString:
		err = w.chunk.writeTexts(c.Texts[start:end], nil)
	default:
		err = w.chunk.writeNumbers(c, start, end)
	}
	if err != nil {
		return err
	}
	if f.Type == TypeString && w.chunk.stats.any {
		if _, _, bounded := cutMax(w.chunk.stats.maxText); !bounded {
			w.unbounded = append(w.unbounded, f.ID)
		}
	}
	return w.chunk.end()
}

// textBounds returns the ids of the string columns that have bounds in every row group with a value.
func (w *Writer) textBounds() (ids []int) {
	for _, f := range w.schema.Fields {
		if f.Type == TypeString && !slices.Contains(w.unbounded, f.ID) {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

func (w *Writer) observe(f Field, texts [][]byte) {
	for i, text := range texts {
		if text != nil {
			w.opts.Observer.ObserveText(f.ID, uint32(w.rows)+uint32(i), text)
		}
	}
}

// Rows returns the number of rows written so far.
func (w *Writer) Rows() int64 { return w.rows }

// BytesWritten returns the number of (compressed) bytes written so far; some of them may still be buffered.
func (w *Writer) BytesWritten() int64 { return w.out.pos }

// Close writes the footer. A file without rows is refused: nothing in a table may be empty. The underlying writer is not closed.
func (w *Writer) Close() (*Footer, error) {
	if w.err != nil {
		return nil, w.err
	}
	if w.rows == 0 {
		return nil, fmt.Errorf("%w: a file without rows cannot be written; drop it instead", ErrInvalidBatch)
	}
	md, err := w.finish()
	if err != nil {
		w.err = fmt.Errorf("write footer: %w", err)
		return nil, w.err
	}
	w.err = errClosed
	w.chunk.release()
	w.chunk = nil
	return &Footer{Rows: w.rows, Size: w.out.pos, Metadata: md, TextBounds: w.textBounds()}, nil
}

// errClosed is what a Writer says after Close.
var errClosed = errors.New("the file is closed already")

// finish writes what follows the row groups: bloom filters, page index, footer.
func (w *Writer) finish() (*metadata.FileMetaData, error) {
	if err := w.blooms.WriteTo(w.out); err != nil {
		return nil, err
	}
	var at metadata.PageIndexLocation
	w.indexes.Finish()
	if err := w.indexes.WriteTo(w.out, &at); err != nil {
		return nil, err
	}
	if err := w.meta.SetPageIndexLocation(at); err != nil {
		return nil, err
	}
	md, err := w.meta.Finish()
	if err != nil {
		return nil, err
	}
	n, err := md.WriteTo(w.out, nil)
	if err != nil {
		return nil, err
	}
	tail := append(binary.LittleEndian.AppendUint32(nil, uint32(n)), magic...)
	if _, err := w.out.Write(tail); err != nil {
		return nil, err
	}
	return md, w.out.flush()
}
