package maintain

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/ingest"
	"github.com/firnlog/firn/storage"
)

// layout is what a table's files have in common: where they are, how they are read, how they are to be indexed.
type layout struct {
	store  storage.Store
	table  *catalog.Table
	schema *format.Schema
	wanted index.Options // what the table's properties ask for; no columns: no sidecars
}

func newLayout(store storage.Store, t *catalog.Table) (*layout, error) {
	schema, err := format.SchemaFromArrow(t.Schema())
	if err != nil {
		return nil, fmt.Errorf("cannot read table %s: %w", t.Name(), err)
	}
	texts := map[string]int{}
	for _, f := range schema.Fields {
		if f.Type == format.TypeString {
			texts[f.Name] = f.ID
		}
	}
	wanted, err := index.OptionsFromProperties(t.Properties(), texts)
	if err != nil {
		return nil, fmt.Errorf("the index properties of table %s cannot be used: %w", t.Name(), err)
	}
	if wanted.Values, err = index.ValuesFromProperties(t.Properties(), ingest.ValueColumns(schema)); err != nil {
		return nil, fmt.Errorf("the index properties of table %s cannot be used: %w", t.Name(), err)
	}
	return &layout{store: store, table: t, schema: schema, wanted: wanted}, nil
}

// sidecarURI returns where the sidecar of a data file belongs.
func (l *layout) sidecarURI(f catalog.DataFile) (string, error) {
	return index.SidecarName(f.Path, l.table.Location(), l.table.IndexLocation())
}

// name returns the store's name of a URI.
func (l *layout) name(uri string) (string, error) {
	name, ok := storage.NameOf(l.store, uri)
	if !ok {
		return "", fmt.Errorf("%s lies outside the store %s", uri, l.store.URI(""))
	}
	return name, nil
}

// identity returns what ties a sidecar to a data file.
func identity(f catalog.DataFile, rows uint32) index.Identity {
	return index.Identity{DataFile: path.Base(f.Path), Rows: rows}
}

// wantsIndex tells whether options ask for any index at all.
func wantsIndex(o index.Options) bool {
	return len(o.Values) > 0 || slices.ContainsFunc(o.Columns, func(c index.ColumnSpec) bool { return c.Bitmap || c.Bloom })
}

// lacking returns the first column that wanted asks an index for and have does not give; "" if there is none.
func lacking(have, wanted index.Options) string {
	byID := map[int]index.ColumnSpec{}
	for _, c := range have.Columns {
		byID[c.FieldID] = c
	}
	for _, w := range wanted.Columns {
		if h := byID[w.FieldID]; w.Bitmap && !h.Bitmap || w.Bloom && !h.Bloom {
			return w.Column
		}
	}
	return lackingValue(have.Values, wanted.Values)
}

// buildSidecar writes the sidecar of an open data file of so many bytes to w: the texts of the indexed columns go through the builder that ingestion
// uses, row by row.
func buildSidecar(ctx context.Context, f *format.File, b *index.Builder, opts index.Options, id index.Identity, size int64, w io.Writer) (index.Summary, error) {
	ids := indexedFields(f.Schema(), opts)
	if len(ids) > 0 && f.Rows() > 0 {
		for batch, err := range f.Read(ctx, ids, []format.RowRange{{Start: 0, End: f.Rows()}}, format.ReadOptions{}) {
			if err != nil {
				return index.Summary{}, err
			}
			for i := range batch.Columns {
				observe(b, &batch.Columns[i], batch.Ordinals)
			}
		}
	}
	b.SetDataFileSize(size)
	return b.Finish(w, id)
}

// observe tells a builder one column of consecutive rows, as a writer does.
func observe(b *index.Builder, c *format.Column, ordinals []uint32) {
	for i, text := range c.Texts {
		if text != nil {
			b.ObserveText(c.Field.ID, ordinals[i], text)
		}
	}
	if len(ordinals) > 0 {
		ingest.Observer{Builder: b}.ObserveColumn(c, 0, len(ordinals), ordinals[0])
	}
}

// hasValueBloom tells whether table properties ask for Parquet's bloom filter on a column.
func hasValueBloom(properties map[string]string, column string) bool {
	return strings.EqualFold(properties["write.parquet.bloom-filter-enabled.column."+column], "true")
}
