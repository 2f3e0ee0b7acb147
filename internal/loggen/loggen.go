// Package loggen makes log lines that look like those of real services, as JSON, for tests and benchmarks. The same Options give
// the same bytes. The lines hold what makes logs hard: ids and numbers, addresses and paths, stack traces of many lines, text
// outside ASCII, nulls and missing fields, nested fields, several names for one field, timestamps in several forms and out of
// order, days that are mixed.
package loggen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"time"
)

// Options says what to generate. The zero value works.
type Options struct {
	Seed     int64
	Rows     int           // default 1000
	Start    time.Time     // of the oldest day; default 2026-01-01
	Days     int           // default 3
	Disorder time.Duration // how far a line may be late; default 30 s
	Sequence bool          // each row carries "seq", its number from 0, as text in attrs and as word seq<n> in the message
	Plain    bool          // no aliases, nested fields or other timestamps than RFC 3339: the lines have one shape
}

func (o Options) withDefaults() Options {
	if o.Rows <= 0 {
		o.Rows = 1000
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.Days <= 0 {
		o.Days = 3
	}
	if o.Disorder <= 0 {
		o.Disorder = 30 * time.Second
	}
	return o
}

// Generator makes lines one after the other. It is not safe for concurrent use.
type Generator struct {
	opts Options
	rng  *rand.Rand
	next int
	buf  bytes.Buffer
	json *json.Encoder
}

// New makes a generator.
func New(opts Options) *Generator {
	opts = opts.withDefaults()
	g := &Generator{opts: opts, rng: rand.New(rand.NewSource(opts.Seed))}
	g.json = json.NewEncoder(&g.buf)
	g.json.SetEscapeHTML(false)
	return g
}

// Line returns the next line with its newline, or nil after the last one. It is valid until the next call.
func (g *Generator) Line() []byte {
	if g.next >= g.opts.Rows {
		return nil
	}
	g.buf.Reset()
	g.writeRecord(g.record())
	g.next++
	return g.buf.Bytes()
}

// WriteTo writes all lines that are left.
func (g *Generator) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for line := g.Line(); line != nil; line = g.Line() {
		n, err := w.Write(line)
		total += int64(n)
		if err != nil {
			return total, fmt.Errorf("write generated line %d: %w", g.next, err)
		}
	}
	return total, nil
}

// Bytes returns all lines of these options.
func Bytes(opts Options) []byte {
	var b bytes.Buffer
	_, _ = New(opts).WriteTo(&b) // a bytes.Buffer does not fail
	return b.Bytes()
}

// pair is one field of a line; a list keeps the order, which a map would not.
type pair struct {
	key   string
	value any
}

// writeRecord writes fields as one JSON object and a newline.
func (g *Generator) writeRecord(fields []pair) {
	g.buf.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			g.buf.WriteByte(',')
		}
		g.writeValue(f.key)
		g.buf.WriteByte(':')
		if inner, ok := f.value.([]pair); ok {
			g.writeRecord(inner)
			g.buf.Truncate(g.buf.Len() - 1) // its newline
			continue
		}
		g.writeValue(f.value)
	}
	g.buf.WriteString("}\n")
}

func (g *Generator) writeValue(v any) {
	if err := g.json.Encode(v); err != nil {
		g.buf.WriteString("null\n")
	}
	g.buf.Truncate(g.buf.Len() - 1) // Encode adds a newline
}

// moment picks the time of the next line: days and hours advance with the lines, but a share of lines is late or from any day.
func (g *Generator) moment() time.Time {
	span := time.Duration(g.opts.Days) * 24 * time.Hour
	at := time.Duration(float64(span) * float64(g.next) / float64(g.opts.Rows))
	at -= time.Duration(g.rng.Int63n(int64(g.opts.Disorder)))
	if g.rng.Intn(50) == 0 {
		at = time.Duration(g.rng.Int63n(int64(span)))
	}
	if g.rng.Intn(10) == 0 {
		at = at.Truncate(time.Second) // ties
	}
	return g.opts.Start.Add(max(at, 0))
}
