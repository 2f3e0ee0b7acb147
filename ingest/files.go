package ingest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
)

// bloomProperty is the prefix of Iceberg's table properties that ask for Parquet's own bloom filter on a column.
const bloomProperty = "write.parquet.bloom-filter-enabled.column."

// A destination says where and how the files of a table are written.
type destination struct {
	plan         *plan
	store        storage.Store
	location     string // URIs of the table and its indexes
	indexes      string
	index        index.Options // without columns if the table has no text index
	bloomColumns []string
	targetBytes  int64
	effort       format.Effort
	log          *slog.Logger
}

func newDestination(table *catalog.Table, store storage.Store, opts Options) (*destination, error) {
	schema, err := format.SchemaFromArrow(table.Schema())
	if err != nil {
		return nil, err
	}
	d := &destination{
		store: store, location: table.Location(), indexes: table.IndexLocation(),
		targetBytes: opts.TargetFileBytes, effort: opts.Effort, log: opts.Logger,
	}
	if d.plan, err = newPlan(schema, table.PartitionColumn()); err != nil {
		return nil, err
	}
	if _, ok := storage.NameOf(store, d.location); !ok {
		return nil, fmt.Errorf("the table lies at %s, which is not in the store at %s", d.location, store.URI(""))
	}
	properties := table.Properties()
	texts := map[string]int{}
	for _, f := range schema.Fields {
		if f.Type == format.TypeString {
			texts[f.Name] = f.ID
		}
		if strings.EqualFold(properties[bloomProperty+f.Name], "true") {
			d.bloomColumns = append(d.bloomColumns, f.Name)
		}
	}
	if d.index, err = index.OptionsFromProperties(properties, texts); err != nil {
		return nil, err
	}
	if d.index.Values, err = index.ValuesFromProperties(properties, ValueColumns(schema)); err != nil {
		return nil, err
	}
	return d, nil
}

// newBuilder returns a builder for the table's text indexes; nil if it has none.
func (d *destination) newBuilder() (*index.Builder, error) {
	for _, c := range d.index.Columns {
		if c.Bitmap || c.Bloom {
			return index.NewBuilder(d.index)
		}
	}
	if len(d.index.Values) > 0 {
		return index.NewBuilder(d.index)
	}
	return nil, nil
}

// An output collects what the writers of one buffer have made.
type output struct {
	mu              sync.Mutex
	files           [][]catalog.NewFile // for each partition, in the order of the buffer
	objects         []string            // names of everything stored, for cleaning up
	dataBytes       int64
	indexBytes      int64
	sidecarFailures int64
}

func (o *output) created(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.objects = append(o.objects, name)
}

// A fileWriter writes the files of one partition after the other. It is used by one goroutine at a time.
type fileWriter struct {
	*destination
	gather  *gatherer
	builder *index.Builder // nil: the table has no text index
}

func (d *destination) newFileWriter() (*fileWriter, error) {
	builder, err := d.newBuilder()
	if err != nil {
		return nil, err
	}
	return &fileWriter{destination: d, gather: newGatherer(d.plan), builder: builder}, nil
}

// writePartition writes the rows of one partition, which are in order, as one or more files.
func (w *fileWriter) writePartition(ctx context.Context, b *buffer, r run, out *output) error {
	rows := r.rows
	for len(rows) > 0 {
		id, err := uuid.NewRandom()
		if err != nil {
			return fmt.Errorf("name a data file: %w", err)
		}
		uri := w.location + "/data/" + r.partition.folder(w.plan) + "/" + id.String() + ".parquet"
		file, n, err := w.writeFile(ctx, uri, b, r.partition, rows, out)
		if err != nil {
			return fmt.Errorf("write data file %s: %w", uri, err)
		}
		rows = rows[n:]
		out.files[r.number] = append(out.files[r.number], file)
	}
	return nil
}

// writeFile writes rows until the file has its size, and returns how many. The sidecar is stored first, the data file second.
func (w *fileWriter) writeFile(ctx context.Context, uri string, b *buffer, part partition, rows []ref, out *output) (catalog.NewFile, int, error) {
	none := catalog.NewFile{}
	name, ok := storage.NameOf(w.store, uri)
	if !ok {
		return none, 0, fmt.Errorf("not in the store at %s", w.store.URI(""))
	}
	object, err := w.store.Create(ctx, name)
	if err != nil {
		return none, 0, err
	}
	defer func() { _ = object.Abort() }()
	out.created(name)
	footer, err := w.writeRows(ctx, object, b, part, rows)
	if err != nil {
		return none, 0, err
	}
	indexBytes, sidecarErr := w.writeSidecar(ctx, uri, footer, out)
	if err := ctx.Err(); err != nil {
		return none, 0, err
	}
	if err := object.Commit(ctx); err != nil {
		return none, 0, err
	}
	if sidecarErr != nil {
		w.log.WarnContext(ctx, "the index of a data file could not be stored; searches will scan the file until maintenance builds it",
			"file", uri, "error", sidecarErr)
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	out.dataBytes += footer.Size
	out.indexBytes += indexBytes
	if sidecarErr != nil {
		out.sidecarFailures++
	}
	file := catalog.NewFile{Path: uri, Size: footer.Size, ParquetMetadata: footer.Metadata, Partition: part.values(w.plan), TextBounds: footer.TextBounds}
	return file, int(footer.Rows), nil
}

// writeRows writes a data file with as many of the rows as it takes. The builder then knows their texts.
func (w *fileWriter) writeRows(ctx context.Context, dst io.Writer, b *buffer, part partition, rows []ref) (*format.Footer, error) {
	opts := format.WriterOptions{BloomColumns: w.bloomColumns, Effort: w.effort}
	if w.builder != nil {
		w.builder.Reset()
		opts.Observer = Observer{w.builder}
	}
	file, err := format.NewWriter(dst, w.plan.schema, opts)
	if err != nil {
		return nil, err
	}
	for ok := true; ok; ok = len(rows) > 0 && file.BytesWritten() < w.targetBytes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		batch, n := w.gather.next(b, part, rows)
		if err := file.Write(batch); err != nil {
			return nil, err
		}
		rows = rows[n:]
	}
	return file.Close()
}

// writeSidecar stores the index of a data file and returns its size, 0 without an index.
func (w *fileWriter) writeSidecar(ctx context.Context, uri string, footer *format.Footer, out *output) (int64, error) {
	if w.builder == nil {
		return 0, nil
	}
	sidecar, err := index.SidecarName(uri, w.location, w.indexes)
	if err != nil {
		return 0, err
	}
	name, ok := storage.NameOf(w.store, sidecar)
	if !ok {
		return 0, fmt.Errorf("%s is not in the store at %s", sidecar, w.store.URI(""))
	}
	object, err := w.store.Create(ctx, name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = object.Abort() }()
	out.created(name)
	w.builder.SetDataFileSize(footer.Size)
	summary, err := w.builder.Finish(object, index.Identity{DataFile: path.Base(uri), Rows: uint32(footer.Rows)})
	if err != nil {
		return 0, err
	}
	if err := object.Commit(ctx); err != nil {
		return 0, err
	}
	return summary.Bytes, nil
}
