package main

import (
	"slices"
	"strconv"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/format"
)

// Bounds of tables.
const (
	sampleRows    = 50  // that columns are sized by, if there is no terminal whose height tells
	widestPadding = 120 // columns of a terminal that a column is aligned to, at most, if there is no terminal whose width tells
	narrowest     = 4   // columns of a terminal that a column keeps on a narrow one
	columnGap     = 2   // blanks between columns
)

// tablePrinter prints rows as a table, whose columns are as wide as the first screenful needs. On a terminal a row takes one line: what does not fit is cut, with … in its
// place. Elsewhere nothing is cut, and what is longer than the first rows were pushes the rest of its line to the right.
type tablePrinter struct {
	out     *lines
	painter painter
	width   int // of the terminal; 0: no bound
	sample  int // rows to size the columns by
	columns []tableColumn
	places  bool
	held    [][]string // rows, until the columns have their sizes; nil is a separator
	sized   bool
	text    []byte
}

// tableColumn is a column of a table.
type tableColumn struct {
	name  string
	width int
	right bool // numbers
}

func newTablePrinter(out *lines, p printing, paint painter, width, height int) *tablePrinter {
	t := &tablePrinter{out: out, painter: paint, width: width, sample: sampleRows, places: p.places}
	if width > 0 {
		t.sample = max(1, height-2) // the header, and the prompt behind
	}
	for _, f := range p.fields {
		right := false
		switch f.Type {
		case format.TypeInt32, format.TypeInt64, format.TypeFloat32, format.TypeFloat64:
			right = true
		}
		t.columns = append(t.columns, tableColumn{name: visible(f.Name), right: right})
	}
	if p.places {
		t.columns = append(t.columns, tableColumn{name: contextColumn}, tableColumn{name: groupColumn, right: true})
	}
	return t
}

func (t *tablePrinter) row(r firn.Row, place rowPlace) error {
	cells := make([]string, 0, len(t.columns))
	for i := range r.Len() {
		cells = append(cells, t.cell(r, i))
	}
	if t.places {
		cells = append(cells, place.part, strconv.Itoa(place.group))
	}
	return t.add(cells)
}

// cell returns what is printed of a value: on a terminal no more than fits into one of its lines.
func (t *tablePrinter) cell(r firn.Row, i int) string {
	const mostBytes = 64 // a column of a terminal takes, so that a long text is not looked at to its end
	text, ok := r.Value(i).(string)
	if !ok {
		t.text = r.AppendText(t.text[:0], i)
		text = string(t.text)
	}
	if t.width == 0 {
		return visible(text)
	}
	cut, _ := fit(visible(text[:min(len(text), mostBytes*t.width)]), t.width)
	return cut
}

func (t *tablePrinter) separator() error { return t.add(nil) }

// add prints a line, or holds it back as long as the columns have no sizes.
func (t *tablePrinter) add(cells []string) error {
	if t.sized {
		return t.line(cells, plain)
	}
	if t.held = append(t.held, cells); len(t.held) >= t.sample {
		return t.release()
	}
	return nil
}

// release sizes the columns and prints the rows that waited for it.
func (t *tablePrinter) release() error {
	if t.sized {
		return nil
	}
	t.sized = true
	t.size()
	header := make([]string, len(t.columns))
	for i, c := range t.columns {
		header[i] = c.name
	}
	if err := t.line(header, styleBold); err != nil {
		return err
	}
	for _, cells := range t.held {
		if err := t.line(cells, plain); err != nil {
			return err
		}
	}
	t.held = nil
	return nil
}

// size gives each column the width that it needs. If that is more than the terminal has, the widest columns share what the others leave.
func (t *tablePrinter) size() {
	most := widestPadding
	if t.width > 0 {
		most = t.width
	}
	for i := range t.columns {
		c := &t.columns[i]
		_, c.width = fit(c.name, most)
		for _, cells := range t.held {
			if cells != nil {
				_, w := fit(cells[i], most)
				c.width = max(c.width, w)
			}
		}
	}
	if t.width == 0 {
		return
	}
	byWidth := make([]*tableColumn, len(t.columns))
	for i := range t.columns {
		byWidth[i] = &t.columns[i]
	}
	slices.SortStableFunc(byWidth, func(a, b *tableColumn) int { return a.width - b.width })
	left := t.width - columnGap*(len(t.columns)-1)
	for i, c := range byWidth {
		share := max(narrowest, left/(len(byWidth)-i))
		c.width = min(c.width, share)
		left -= c.width
	}
}

// line prints cells, or nil as a separator.
func (t *tablePrinter) line(cells []string, s style) error {
	if cells == nil {
		return t.out.line([]byte("--"))
	}
	text := t.text[:0]
	used := 0 // columns of the terminal
	for i, cell := range cells {
		c, pad := &t.columns[i], 0
		most := c.width
		if t.width == 0 {
			most = max(most, len(cell)) // a text has no more columns than bytes
		}
		if i > 0 {
			pad = columnGap
		}
		if t.width > 0 {
			if most = min(most, t.width-used-pad); most < 1 {
				break // a terminal that is too narrow for so many columns
			}
		}
		cut, w := fit(cell, most)
		fill := max(0, c.width-w)
		if t.width > 0 {
			fill = min(fill, t.width-used-pad-w)
		}
		used += pad + w + fill
		if c.right {
			pad += fill
			fill = 0
		}
		if i == len(cells)-1 {
			fill = 0
		}
		text = appendBlanks(text, pad)
		text = t.painter.paint(text, s, cut)
		text = appendBlanks(text, fill)
	}
	t.text = text
	return t.out.line(text)
}

func appendBlanks(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, ' ')
	}
	return dst
}

func (t *tablePrinter) flush() error {
	if len(t.held) > 0 {
		if err := t.release(); err != nil {
			return err
		}
	}
	return t.out.Flush()
}

func (t *tablePrinter) finish() error {
	if err := t.release(); err != nil {
		return err
	}
	return t.out.Flush()
}
