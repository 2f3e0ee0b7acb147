package main

import (
	"slices"
	"strings"
	"time"

	"github.com/rivo/uniseg"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/query"
)

// prettyTime is how pretty output writes times: that of the person's zone, milliseconds.
const prettyTime = "2006-01-02 15:04:05.000"

// levelWidth is how many columns of a terminal the level of a line takes at least, so that messages begin below each other.
const levelWidth = 5

// Names of columns that pretty output has a place for.
const (
	columnLevel = "level"
	columnApp   = "app_id"
	columnHost  = "host"
	columnAttrs = "attrs"
)

// prettyPrinter prints rows for people: time, level, where it comes from, message, and what else is known. Nothing is cut.
type prettyPrinter struct {
	out        *lines
	painter    painter
	zone       *time.Location
	fields     []format.Field
	places     bool
	highlights *highlights
	text       []byte
	scratch    []byte
}

func newPrettyPrinter(out *lines, p printing, paint painter, zone *time.Location) *prettyPrinter {
	return &prettyPrinter{
		out: out, painter: paint, zone: zone, fields: p.fields, places: p.places, highlights: newHighlights(p.where, p.names),
	}
}

func (p *prettyPrinter) row(r firn.Row, place rowPlace) error {
	p.text = p.text[:0]
	hit := !p.places || place.part == partHit
	if p.places { // as a person sees it without colours too
		if hit {
			p.text = p.painter.paint(p.text, styleBold, ">")
			p.text = append(p.text, ' ')
		} else {
			p.text = append(p.text, ' ', ' ')
		}
	}
	p.head(r)
	multiline := p.message(r, hit)
	p.rest(r, multiline)
	for len(p.text) > 0 && p.text[len(p.text)-1] == ' ' {
		p.text = p.text[:len(p.text)-1]
	}
	return p.out.line(p.text)
}

// head prints time, level and origin.
func (p *prettyPrinter) head(r firn.Row) {
	if at := p.place(firn.ColumnTimestamp, format.TypeTimestamp); at >= 0 {
		if t, ok := r.Value(at).(time.Time); ok {
			p.scratch = t.In(p.zone).AppendFormat(p.scratch[:0], prettyTime)
			p.text = p.painter.paint(p.text, styleDim, string(p.scratch))
		} else {
			p.text = append(p.text, strings.Repeat("-", len(prettyTime))...)
		}
		p.text = append(p.text, ' ')
	}
	if at := p.place(columnLevel, format.TypeString); at >= 0 {
		level, _ := r.Value(at).(string)
		shown := visible(level)
		p.text = p.painter.paint(p.text, severityStyles[severityOf(level)], shown)
		p.text = appendBlanks(p.text, levelWidth-uniseg.StringWidth(shown)+1)
		if uniseg.StringWidth(shown) > levelWidth {
			p.text = append(p.text, ' ')
		}
	}
	app, host := r.Text(columnApp), r.Text(columnHost)
	if app == "" && host == "" {
		return
	}
	if app != "" {
		p.marked(app, p.highlights.column(columnApp, app), styleOrigin, "")
	}
	if app != "" && host != "" {
		p.text = append(p.text, '/')
	}
	if host != "" {
		p.marked(host, p.highlights.column(columnHost, host), styleOrigin, "")
	}
	p.text = append(p.text, ' ')
}

// place returns where a column stands, if it has this type; else -1.
func (p *prettyPrinter) place(name string, t format.Type) int {
	return slices.IndexFunc(p.fields, func(f format.Field) bool { return f.Name == name && f.Type == t })
}

// message prints the text of the line, with what the query matched highlighted if the row is a hit. Further lines are indented. It says whether there are any.
func (p *prettyPrinter) message(r firn.Row, hit bool) (multiline bool) {
	at := p.place(firn.ColumnMessage, format.TypeString)
	if at < 0 {
		return false
	}
	text, _ := r.Value(at).(string)
	text = strings.TrimRight(text, "\r\n")
	s := plain
	var spans []span
	if hit {
		spans = p.highlights.column(firn.ColumnMessage, text)
	} else {
		s = styleDim
	}
	p.marked(text, spans, s, "\n\t")
	if strings.Contains(text, "\n") {
		return true
	}
	p.text = append(p.text, ' ')
	return false
}

// marked prints a text in a style, with spans of it highlighted and what is hostile escaped. Lines behind the first are indented if keep holds line feeds.
func (p *prettyPrinter) marked(text string, spans []span, s style, keep string) {
	from := 0
	for _, hit := range spans {
		p.lines(text[from:hit.from], s, keep)
		p.lines(text[hit.from:hit.to], styleHit, keep)
		from = hit.to
	}
	p.lines(text[from:], s, keep)
}

// lines prints a part of a text in a style, which is ended at the end of each line.
func (p *prettyPrinter) lines(text string, s style, keep string) {
	for first := true; ; first = false {
		line, rest, more := text, "", false
		if strings.Contains(keep, "\n") {
			line, rest, more = strings.Cut(text, "\n")
		}
		if !first {
			p.text = append(p.text, "\n    "...)
		}
		if more {
			line = strings.TrimSuffix(line, "\r")
		}
		if line != "" {
			p.text = p.painter.begin(p.text, s)
			p.text = appendVisible(p.text, line, keep)
			p.text = p.painter.end(p.text, s)
		}
		if !more {
			return
		}
		text = rest
	}
}

// rest prints the other columns that have a value, and the entries of attrs, as key=value.
func (p *prettyPrinter) rest(r firn.Row, multiline bool) {
	first := true
	add := func(key, value string, null bool, spans []span) {
		if first && multiline {
			p.text = append(p.text, "\n    "...)
		} else {
			p.text = append(p.text, ' ')
		}
		first = false
		p.pair(key, value, null, spans)
	}
	for i, f := range p.fields {
		switch f.Name {
		case firn.ColumnTimestamp, columnLevel, columnApp, columnHost, firn.ColumnMessage:
			if f.Type == format.TypeString || f.Type == format.TypeTimestamp && f.Name == firn.ColumnTimestamp {
				continue // printed before
			}
		}
		if r.Null(i) {
			continue
		}
		switch v := r.Value(i).(type) {
		case query.Entries:
			for _, e := range v {
				key := e.Key
				if f.Name != columnAttrs {
					key = f.Name + "." + key
				}
				add(key, e.Value, e.Null, p.highlights.key(e.Key, e.Value))
			}
		case string:
			add(f.Name, v, false, p.highlights.column(f.Name, v))
		default:
			p.scratch = r.AppendText(p.scratch[:0], i)
			value := string(p.scratch)
			add(f.Name, value, false, p.highlights.column(f.Name, value))
		}
	}
}

// pair prints key=value. A value that would not read as one is put in quotes.
func (p *prettyPrinter) pair(key, value string, null bool, spans []span) {
	p.text = p.painter.begin(p.text, styleDim)
	p.text = appendVisible(p.text, key, "")
	p.text = append(p.text, '=')
	p.text = p.painter.end(p.text, styleDim)
	if null {
		p.text = p.painter.paint(p.text, styleDim, "null")
		return
	}
	quote := ""
	if value == "" || value == "null" || strings.ContainsAny(value, " \"=") {
		quote = `"`
	}
	p.text = p.painter.paint(p.text, styleDim, quote)
	p.marked(value, spans, styleDim, "")
	p.text = p.painter.paint(p.text, styleDim, quote)
}

func (p *prettyPrinter) separator() error { return p.out.line(p.painter.paint(nil, styleDim, "--")) }
func (p *prettyPrinter) flush() error     { return p.out.Flush() }
func (p *prettyPrinter) finish() error    { return p.out.Flush() }
