package format

import (
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
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

// WriterOptions say how a file is laid out. The zero value gives the defaults.
type WriterOptions struct {
	RowGroupRows int               // rows of a row group; default DefaultRowGroupRows
	PageBytes    int               // bytes of a data page before compression, roughly; default DefaultPageBytes
	BloomColumns []string          // columns that get Parquet's own bloom filter (one for each row group with a non-null value)
	Observer     Observer          // told every text written; nil: none
	SortedBy     string            // column recorded as sorting column (ascending, nulls first); default DefaultSortColumn if present
	Metadata     map[string]string // key-value pairs for the footer
}

// Footer describes a finished file.
type Footer struct {
	Rows int64
	Size int64 // bytes of the whole file
	// Metadata is a *metadata.FileMetaData of arrow-go, for the catalog to take the column statistics from.
	Metadata any
}

// Writer writes one Parquet file. It is not safe for concurrent use.
type Writer struct {
	schema *Schema
	opts   WriterOptions
	leaves []leaf
	file   *file.Writer
	rows   int64
	err    error
	chunk  chunkScratch
}

// NewWriter starts a file of this schema on w, which gets the bytes in order and need not be buffered.
func NewWriter(w io.Writer, schema *Schema, opts WriterOptions) (*Writer, error) {
	if opts.RowGroupRows <= 0 {
		opts.RowGroupRows = DefaultRowGroupRows
	}
	if opts.PageBytes <= 0 {
		opts.PageBytes = DefaultPageBytes
	}
	sc, leaves, err := parquetSchema(schema)
	if err != nil {
		return nil, err
	}
	props := []parquet.WriterProperty{
		parquet.WithDataPageSize(int64(opts.PageBytes)),
		parquet.WithDataPageVersion(parquet.DataPageV2),
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithPageIndexEnabled(true),
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(1),
		parquet.WithCreatedBy("firn"),
		parquet.WithBatchSize(256),
	}
	sortColumn := opts.SortedBy
	if sortColumn == "" {
		sortColumn = DefaultSortColumn
	}
	for i, l := range leaves {
		f := schema.Fields[l.field]
		path := l.descr.Path()
		if l.part == partValue && f.Name == sortColumn {
			props = append(props, parquet.WithSortingColumns([]parquet.SortingColumn{{ColumnIdx: int32(i), NullsFirst: true}}))
		}
		switch f.Type {
		case TypeTimestamp, TypeInt32, TypeInt64, TypeDate:
			props = append(props, parquet.WithDictionaryFor(path, false), parquet.WithEncodingFor(path, parquet.Encodings.DeltaBinaryPacked))
		}
		if slices.Contains(opts.BloomColumns, f.Name) {
			props = append(props, parquet.WithBloomFilterEnabledFor(path, true), parquet.WithAdaptiveBloomFilterEnabledFor(path, true))
		}
	}
	fw, err := file.NewParquetWriterWithError(nopCloser{w}, sc.Root(), file.WithWriterProps(parquet.NewWriterProperties(props...)), file.WithWriteMetadata(keyValues(opts.Metadata)))
	if err != nil {
		return nil, fmt.Errorf("start Parquet file: %w", err)
	}
	return &Writer{schema: schema, opts: opts, leaves: leaves, file: fw}, nil
}

// nopCloser hides a Close method, which arrow-go's writer would call.
type nopCloser struct{ io.Writer }

func keyValues(m map[string]string) metadata.KeyValueMetadata {
	kv := metadata.NewKeyValueMetadata()
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		_ = kv.Append(k, m[k])
	}
	return kv
}

// Write writes the rows of b, which must be in the file's sort order and follow all rows written before. The batch has one column
// for each field of the schema, found by field id. Rows are split into row groups of RowGroupRows, and the end of a call ends its last row group: callers pass
// full row groups. An empty batch writes nothing. After an error the file is unusable.
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
	rg, err := w.file.AppendRowGroupChecked()
	if err != nil {
		return fmt.Errorf("write row group: %w", err)
	}
	for _, l := range w.leaves {
		cw, err := rg.NextColumn()
		if err != nil {
			return fmt.Errorf("write row group: %w", err)
		}
		f := w.schema.Fields[l.field]
		if err := w.chunk.write(cw, f, l, columns[l.field], start, end); err != nil {
			return fmt.Errorf("write column %q: %w", f.Name, err)
		}
		if w.opts.Observer != nil && f.Type == TypeString {
			for i, text := range columns[l.field].Texts[start:end] {
				if text != nil {
					w.opts.Observer.ObserveText(f.ID, uint32(w.rows)+uint32(i), text)
				}
			}
		}
	}
	if err := rg.Close(); err != nil {
		return fmt.Errorf("write row group: %w", err)
	}
	w.rows += int64(end - start)
	return nil
}

// Rows returns the number of rows written so far.
func (w *Writer) Rows() int64 { return w.rows }

// BytesWritten returns the number of (compressed) bytes given to the underlying writer so far.
func (w *Writer) BytesWritten() int64 { return w.file.TotalBytesWritten() }

// Close writes the footer. A file without rows is refused: nothing in a table may be empty. The underlying writer is not closed.
func (w *Writer) Close() (*Footer, error) {
	if w.err != nil {
		return nil, w.err
	}
	if w.rows == 0 {
		return nil, fmt.Errorf("%w: a file without rows cannot be written; drop it instead", ErrInvalidBatch)
	}
	if err := w.file.Close(); err != nil {
		return nil, fmt.Errorf("write footer: %w", err)
	}
	w.err = fmt.Errorf("the file is closed already")
	md, err := w.file.FileMetadata()
	if err != nil {
		return nil, fmt.Errorf("write footer: %w", err)
	}
	return &Footer{Rows: w.rows, Size: w.file.TotalBytesWritten(), Metadata: md}, nil
}
