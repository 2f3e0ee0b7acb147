package main

import (
	"bytes"
	"strconv"

	"github.com/firnlog/firn"
)

// csvPrinter prints comma-separated values with a header (RFC 4180). Lines end with CR LF. Maps are JSON, null is nothing, and an empty text is "".
// Package encoding/csv does not serve: it writes CR LF for each line feed within a value, and cannot tell null from an empty text.
type csvPrinter struct {
	out    *lines
	places bool
	single bool // one column: a null must not look like an empty line
	record []byte
	value  []byte
	begun  bool
	header []string
}

func newCSVPrinter(out *lines, p printing) *csvPrinter {
	c := &csvPrinter{out: out, places: p.places}
	for _, f := range p.fields {
		c.header = append(c.header, f.Name)
	}
	if p.places {
		c.header = append(c.header, contextColumn, groupColumn)
	}
	c.single = len(c.header) == 1
	return c
}

func (c *csvPrinter) row(r firn.Row, place rowPlace) error {
	if err := c.begin(); err != nil {
		return err
	}
	c.record = c.record[:0]
	for i := range r.Len() {
		c.value = r.AppendText(c.value[:0], i)
		c.add(i, c.value, r.Null(i))
	}
	if c.places {
		c.add(r.Len(), []byte(place.part), false)
		c.add(r.Len()+1, strconv.AppendInt(nil, int64(place.group), 10), false)
	}
	return c.end()
}

// begin prints the header before the first row.
func (c *csvPrinter) begin() error {
	if c.begun {
		return nil
	}
	c.begun = true
	for i, name := range c.header {
		c.add(i, []byte(name), false)
	}
	return c.end()
}

// add appends a value to the record.
func (c *csvPrinter) add(column int, value []byte, null bool) {
	if column > 0 {
		c.record = append(c.record, ',')
	}
	switch {
	case null && !c.single:
	case len(value) == 0 || bytes.ContainsAny(value, "\",\r\n") || value[0] == ' ' || value[len(value)-1] == ' ':
		c.record = append(c.record, '"')
		for {
			before, after, found := bytes.Cut(value, []byte{'"'})
			c.record = append(c.record, before...)
			if !found {
				break
			}
			c.record, value = append(c.record, '"', '"'), after
		}
		c.record = append(c.record, '"')
	default:
		c.record = append(c.record, value...)
	}
}

// end prints the record. On a terminal what is hostile is escaped.
func (c *csvPrinter) end() error {
	record := append(c.record, '\r', '\n')
	if c.out.each {
		record = appendVisible(nil, string(bytes.ReplaceAll(record, []byte("\r\n"), []byte("\n"))), "\n\t")
	}
	if _, err := c.out.Write(record); err != nil {
		return err
	}
	c.record = record[:0]
	return c.out.shown()
}

func (c *csvPrinter) separator() error { return nil }
func (c *csvPrinter) flush() error     { return c.finish() }

func (c *csvPrinter) finish() error {
	if err := c.begin(); err != nil {
		return err
	}
	return c.out.Flush()
}
