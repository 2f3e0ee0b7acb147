package maintain

import (
	"context"
	"errors"
	"fmt"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/storage"
)

// fileCheck checks one data file with its manifest entry and sidecar.
type fileCheck struct {
	*verifier
	data    catalog.DataFile
	name    string
	file    *format.File
	columns []*columnCheck
	sidecar sidecarCheck
	rows    rowCheck
}

// problem records a mismatch of this file.
func (c *fileCheck) problem(kind Kind, column, detail string, args ...any) {
	c.rec.problem(Problem{Kind: kind, File: c.data.Path, Column: column, Detail: fmt.Sprintf(detail, args...)})
}

// run does all checks of the file.
func (c *fileCheck) run(ctx context.Context) error {
	if c.data.HasDeletes {
		c.rec.note(FileWithDeletes, c.data.Path, "firn refuses to search it")
	}
	size, ok, err := c.stat(ctx)
	if err != nil || !ok {
		return err
	}
	c.file, err = format.Open(ctx, c.store, c.name, size, c.schema)
	if err != nil {
		return err
	}
	if rows := int64(c.file.Rows()); rows != c.data.Rows {
		c.problem(RowCount, "", "the manifest says %d rows, the file's footer %d", c.data.Rows, rows)
	}
	if err := c.prepare(ctx); err != nil {
		return err
	}
	if err := c.read(ctx); err != nil {
		return err
	}
	c.finishRows()
	for _, col := range c.columns {
		col.finish()
	}
	return c.sidecar.finish(ctx, c)
}

// stat looks for the object; ok is false if there is nothing to go on with.
func (c *fileCheck) stat(ctx context.Context) (size int64, ok bool, err error) {
	if c.name, err = c.layout.name(c.data.Path); err != nil {
		return 0, false, err
	}
	info, err := c.store.Stat(ctx, c.name)
	if errors.Is(err, storage.ErrNotExist) {
		c.problem(FileMissing, "", "the snapshot names the file, and it is not there")
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	if info.Size != c.data.Size {
		c.problem(FileSize, "", "the manifest says %d bytes, the file has %d", c.data.Size, info.Size)
	}
	c.rec.count(func(r *Report) { r.DataBytes += info.Size })
	return info.Size, true, nil
}

// prepare sets up one check for each column, the one of rows, and opens the sidecar.
func (c *fileCheck) prepare(ctx context.Context) error {
	c.rec.count(func(r *Report) { r.RowGroups += int64(len(c.file.RowGroups())) })
	for _, field := range c.file.Schema().Fields {
		if field.Type == format.TypeUnsupported {
			c.rec.note(UnreadColumn, c.data.Path, "column %s", field.Name)
			continue
		}
		col, err := newColumnCheck(ctx, c, field)
		if err != nil {
			return err
		}
		c.columns = append(c.columns, col)
	}
	c.rows = newRowCheck(c)
	return c.sidecar.open(ctx, c)
}

// read passes over the whole file once and feeds every check.
func (c *fileCheck) read(ctx context.Context) error {
	ids := make([]int, len(c.columns))
	for i, col := range c.columns {
		ids[i] = col.field.ID
	}
	if c.file.Rows() == 0 || len(ids) == 0 {
		return nil
	}
	var rows int64
	for batch, err := range c.file.Read(ctx, ids, []format.RowRange{{Start: 0, End: c.file.Rows()}}, format.ReadOptions{}) {
		if err != nil {
			return err
		}
		rows += int64(batch.Rows)
		for i, col := range c.columns {
			if err := col.add(ctx, &batch.Columns[i], batch.Ordinals); err != nil {
				return err
			}
		}
		c.rows.add(batch)
		c.sidecar.add(batch)
	}
	if rows != int64(c.file.Rows()) {
		c.problem(RowCount, "", "the file's footer says %d rows, its pages hold %d", c.file.Rows(), rows)
	}
	c.rec.count(func(r *Report) { r.Rows += rows })
	return nil
}
