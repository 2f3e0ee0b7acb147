package maintain

import (
	"bytes"
	"context"
	"fmt"

	"github.com/firnlog/firn/format"
)

// columnCheck checks the statistics of one column: the manifest's, those of the row groups and of the pages, and the value blooms.
// Rows arrive in order; a page or row group is judged when its last row has arrived.
type columnCheck struct {
	*fileCheck
	field format.Field
	kind  valueKind

	pages    []format.PageBounds
	page     int // number of the page that rows are being added to
	group    int // number of the row group
	pageSpan span
	groupSum span
	fileSum  span
	wrong    map[Kind]*tally
	bloom    bloomCheck
}

// tally counts mismatches of one kind and keeps the first.
type tally struct {
	count int64
	first string
}

func newColumnCheck(ctx context.Context, f *fileCheck, field format.Field) (*columnCheck, error) {
	kind := kindOf(field.Type)
	c := &columnCheck{fileCheck: f, field: field, kind: kind, wrong: map[Kind]*tally{}}
	c.pageSpan.kind, c.groupSum.kind, c.fileSum.kind = kind, kind, kind
	if kind == noValues {
		return c, nil
	}
	var err error
	if c.pages, err = f.file.Pages(ctx, field.ID); err != nil {
		return nil, err
	}
	f.rec.count(func(r *Report) { r.Pages += int64(len(c.pages)) })
	c.bloom.wanted = hasValueBloom(f.table.Properties(), field.Name)
	return c, nil
}

// add takes the next rows.
func (c *columnCheck) add(ctx context.Context, col *format.Column, ordinals []uint32) error {
	if c.kind == noValues {
		return nil
	}
	for i, row := range ordinals {
		for c.page < len(c.pages) && row >= c.pages[c.page].Rows.End {
			c.endPage()
		}
		for c.group < len(c.file.RowGroups()) && row >= c.groupEnd() {
			c.endGroup()
		}
		c.pageSpan.add(col, i)
		if err := c.bloom.add(ctx, c, col, i, row); err != nil {
			return err
		}
	}
	return nil
}

func (c *columnCheck) groupEnd() uint32 {
	g := c.file.RowGroups()[c.group]
	return g.FirstRow + g.Rows
}

// endPage judges the page whose rows are all there. Pages never cross row groups.
func (c *columnCheck) endPage() {
	p := c.pages[c.page]
	if text := c.pageSpan.contradicts(p.Bounds); text != "" {
		c.tell(PageBounds, fmt.Sprintf("rows %d to %d: %s", p.Rows.Start, p.Rows.End, text))
	}
	c.groupSum.merge(&c.pageSpan)
	c.pageSpan.reset()
	c.page++
}

// endGroup judges the row group whose rows are all there.
func (c *columnCheck) endGroup() {
	c.groupSum.merge(&c.pageSpan) // rows of pages without bounds
	c.pageSpan.reset()
	groups := c.file.RowGroups()
	if b, ok := groups[c.group].Bounds(c.field.ID); ok {
		if text := c.groupSum.contradicts(b); text != "" {
			c.tell(RowGroupBounds, fmt.Sprintf("row group %d: %s", c.group, text))
		}
	}
	c.fileSum.merge(&c.groupSum)
	c.groupSum.reset()
	c.group++
	c.bloom.nextGroup()
}

// finish judges what is still open and then the manifest's claims, and records what was found.
func (c *columnCheck) finish() {
	if c.kind == noValues {
		return
	}
	for c.page < len(c.pages) {
		c.endPage()
	}
	for c.group < len(c.file.RowGroups()) {
		c.endGroup()
	}
	c.manifest()
	for kind, t := range c.wrong {
		detail := t.first
		if t.count > 1 {
			detail += fmt.Sprintf(" (and %d more of this kind)", t.count-1)
		}
		c.problem(kind, c.field.Name, "%s", detail)
	}
	c.bloom.finish(c)
}

// manifest compares the whole column with the manifest entry.
func (c *columnCheck) manifest() {
	id := c.field.ID
	if text := c.fileSum.outside(c.data.Lower[id], c.data.Upper[id]); text != "" {
		c.tell(FileBounds, text)
	}
	if nulls, ok := c.data.NullCounts[id]; ok && nulls != c.fileSum.nulls {
		c.tell(NullCount, fmt.Sprintf("the manifest says %d nulls, there are %d", nulls, c.fileSum.nulls))
	}
	if values, ok := c.data.ValueCounts[id]; ok && values != c.fileSum.rows {
		c.tell(ValueCount, fmt.Sprintf("the manifest says %d values (nulls included), there are %d", values, c.fileSum.rows))
	}
	if c.field.Required && c.fileSum.nulls > 0 {
		c.tell(RequiredNull, fmt.Sprintf("%d rows hold null", c.fileSum.nulls))
	}
}

func (c *columnCheck) tell(kind Kind, detail string) {
	t := c.wrong[kind]
	if t == nil {
		t = &tally{first: detail}
		c.wrong[kind] = t
	}
	t.count++
}

// bloomCheck asks Parquet's bloom filter of a row group for the values that are in the row group.
type bloomCheck struct {
	wanted  bool // the table asks for a filter on the column
	asked   bool // it is known whether the current row group has a filter
	present bool
	last    []byte // the previous text, to skip repeats
	lacking int64  // row groups without a filter that have values
	values  int64
}

func (b *bloomCheck) nextGroup() {
	b.asked, b.present, b.last = false, false, b.last[:0]
}

func (b *bloomCheck) add(ctx context.Context, c *columnCheck, col *format.Column, i int, row uint32) error {
	if b.asked && !b.present || c.kind == floatValues || isNull(col, c.kind, i) { // filters on floating-point numbers are not used
		return nil
	}
	if c.kind == textValues && b.asked && bytes.Equal(col.Texts[i], b.last) && len(b.last) > 0 {
		return nil
	}
	value := plainValue(col, c.kind, i)
	may, present, err := c.file.BloomMayContain(ctx, c.group, c.field.ID, value)
	if err != nil {
		return err
	}
	if !b.asked && !present {
		b.lacking++
	}
	b.asked, b.present = true, present
	if !present {
		return nil
	}
	b.values++
	if c.kind == textValues {
		b.last = append(b.last[:0], col.Texts[i]...)
	}
	if !may {
		c.tell(ValueBloom, fmt.Sprintf("row group %d: the filter denies %s of row %d", c.group, boundText(value), row))
	}
	return nil
}

func (b *bloomCheck) finish(c *columnCheck) {
	c.rec.count(func(r *Report) { r.BloomValues += b.values })
	if b.wanted && b.lacking > 0 {
		c.rec.note(NoValueBloom, c.data.Path, "column %s, %d row groups", c.field.Name, b.lacking)
	}
}

// plainValue returns a value as bloom filters and bounds take it.
func plainValue(c *format.Column, kind valueKind, i int) any {
	switch kind {
	case intValues:
		return c.Ints[i]
	case floatValues:
		return c.Floats[i]
	case boolValues:
		return c.Bools[i]
	}
	return string(c.Texts[i])
}
