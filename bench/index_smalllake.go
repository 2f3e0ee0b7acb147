package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/internal/loggen"
	"github.com/firnlog/firn/maintain"
	"github.com/firnlog/firn/storage"
)

// Shape of the small files.
const (
	smallRows    = 10  // rows of each
	smallCommits = 2   // so that there are few manifests, as compaction of metadata leaves them
	smallStep    = 100 // milliseconds between rows
	smallNeedles = 20  // words that are in one row each, in different files
)

// smallLake is a table of many small files in one partition.
type smallLake struct {
	store   storage.Store
	uri     string // of the catalog
	files   int
	needles []string
	packed  bool
}

// smallWriter writes the files, as ingest does: sidecar first, data file second.
type smallWriter struct {
	store   storage.Store
	table   *catalog.Table
	schema  *format.Schema
	builder *index.Builder
	lines   *loggen.Generator
	row     int
}

// makeSmallFiles makes the table. The files are written one by one and committed together, because a commit for each of them would take
// minutes and change nothing about what is measured.
func makeSmallFiles(ctx context.Context, store storage.Store, uri string, files int) (l *smallLake, err error) {
	l = &smallLake{store: store, uri: uri, files: files}
	c, err := catalog.Open(ctx, catalog.Options{Store: store, URI: uri})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	table, err := c.Create(ctx, catalog.TableSpec{Name: tableName})
	if err != nil {
		return nil, err
	}
	w, err := newSmallWriter(store, table, files)
	if err != nil {
		return nil, err
	}
	var waiting []catalog.NewFile
	for i := range files {
		word := ""
		if every := files / smallNeedles; i%every == every/2 && len(l.needles) < smallNeedles {
			word = fmt.Sprintf("needle%dx%x", i, 2654435761*uint32(i+1))
			l.needles = append(l.needles, word)
		}
		file, err := w.write(ctx, fmt.Sprintf("f%05d.parquet", i), word)
		if err != nil {
			return nil, err
		}
		waiting = append(waiting, file)
		if len(waiting) == (files+smallCommits-1)/smallCommits || i == files-1 {
			if table, err = table.Append(ctx, waiting, catalog.AppendOptions{}); err != nil {
				return nil, err
			}
			waiting = nil
		}
	}
	return l, nil
}

func newSmallWriter(store storage.Store, table *catalog.Table, files int) (*smallWriter, error) {
	schema, err := format.SchemaFromArrow(table.Schema())
	if err != nil {
		return nil, err
	}
	texts := map[string]int{}
	for _, f := range schema.Fields {
		if f.Type == format.TypeString {
			texts[f.Name] = f.ID
		}
	}
	options, err := index.OptionsFromProperties(table.Properties(), texts)
	if err != nil {
		return nil, err
	}
	builder, err := index.NewBuilder(options)
	return &smallWriter{
		store: store, table: table, schema: schema, builder: builder,
		lines: loggen.New(loggen.Options{Seed: 6, Rows: files * smallRows, Plain: true}),
	}, err
}

// write stores a data file and its sidecar; word is added to one of the messages.
func (w *smallWriter) write(ctx context.Context, base, word string) (f catalog.NewFile, err error) {
	batch, err := w.batch(word)
	if err != nil {
		return f, err
	}
	w.builder.Reset()
	var data, sidecar bytes.Buffer
	file, err := format.NewWriter(&data, w.schema, format.WriterOptions{Observer: w.builder})
	if err != nil {
		return f, err
	}
	if err := file.Write(batch); err != nil {
		return f, err
	}
	footer, err := file.Close()
	if err != nil {
		return f, err
	}
	uri := w.table.Location() + "/data/log_date=2026-03-01/" + base
	w.builder.SetDataFileSize(footer.Size)
	if _, err := w.builder.Finish(&sidecar, index.Identity{DataFile: path.Base(uri), Rows: uint32(footer.Rows)}); err != nil {
		return f, err
	}
	sidecarURI, err := index.SidecarName(uri, w.table.Location(), w.table.IndexLocation())
	if err != nil {
		return f, err
	}
	f = catalog.NewFile{Path: uri, Size: footer.Size, ParquetMetadata: footer.Metadata, TextBounds: footer.TextBounds}
	return f, errors.Join(w.put(ctx, sidecarURI, sidecar.Bytes()), w.put(ctx, uri, data.Bytes()))
}

func (w *smallWriter) put(ctx context.Context, uri string, content []byte) error {
	name, ok := storage.NameOf(w.store, uri)
	if !ok {
		return fmt.Errorf("%s lies outside the store", uri)
	}
	object, err := w.store.Create(ctx, name)
	if err != nil {
		return err
	}
	defer func() { _ = object.Abort() }()
	if _, err := object.Write(content); err != nil {
		return err
	}
	return object.Commit(ctx)
}

// batch makes the rows of the next file: time, service, level and message of generated lines.
func (w *smallWriter) batch(word string) (*format.Batch, error) {
	b := &format.Batch{Rows: smallRows}
	texts := map[string][][]byte{}
	times := make([]int64, smallRows)
	for i := range smallRows {
		var line map[string]any
		if err := json.Unmarshal(w.lines.Line(), &line); err != nil {
			return nil, fmt.Errorf("read a generated line: %w", err)
		}
		for _, name := range []string{catalog.ColumnAppID, catalog.ColumnLevel, catalog.ColumnMessage} {
			text, ok := line[name].(string)
			if name == catalog.ColumnMessage && i == smallRows/2 && word != "" {
				text, ok = text+" "+word, true
			}
			var value []byte
			if ok {
				value = []byte(text)
			}
			texts[name] = append(texts[name], value)
		}
		times[i] = mixedStart.Add(time.Duration(w.row) * smallStep * time.Millisecond).UnixMicro()
		w.row++
	}
	for _, field := range w.schema.Fields {
		c := format.Column{Field: field}
		switch {
		case field.Name == catalog.ColumnTimestamp:
			c.Ints = times
		case field.Type == format.TypeStringMap:
			c.Offsets = make([]int32, smallRows+1)
		case texts[field.Name] != nil:
			c.Texts = texts[field.Name]
		default:
			c.Texts = make([][]byte, smallRows)
		}
		b.Columns = append(b.Columns, c)
	}
	return b, nil
}

// buildPacks builds the bloom packs of the table, as `firn maintain index` does; false: this firn has none.
func (l *smallLake) buildPacks(ctx context.Context) (packed bool, err error) {
	c, err := catalog.Open(ctx, catalog.Options{Store: l.store, URI: l.uri})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	table, err := c.Load(ctx, tableName)
	if err != nil {
		return false, err
	}
	plan, err := maintain.PlanIndex(ctx, l.store, table, maintain.IndexOptions{})
	if err != nil {
		return false, err
	}
	if _, err := plan.Apply(ctx); err != nil {
		return false, err
	}
	for info, err := range l.store.List(ctx, "") {
		if err != nil {
			return false, err
		}
		l.packed = l.packed || readKind(info.Name) == "pack"
	}
	return l.packed, nil
}
