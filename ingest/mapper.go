package ingest

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/firnlog/firn/format"
)

// A valueKind is the JSON type of a value.
type valueKind uint8

const (
	kindNull valueKind = iota
	kindString
	kindNumber
	kindBool
	kindArray // also any other JSON text that is stored as it is
)

// A value is a field's value before it is fitted to a column. The text lives until the row is stored.
type value struct {
	text []byte // the decoded string, or the source text; nil for null
	kind valueKind
}

// A slot collects the claims on one column of the current row.
type slot struct {
	value value
	key   *keyEntry
	row   uint64 // the slot is empty unless this is the current row
	rank  uint8
	null  bool
	fixed uint64 // the value of a column that is not a string, set by finish
	fits  bool   // fixed holds the value
}

// An attr is an entry of attrs in the current row.
type attr struct {
	key   *keyEntry
	value value
}

// rowCounts are the counters of Report that belong to single rows.
type rowCounts struct {
	misfits, duplicates, repaired, rounded, dropped int64
}

func (c *rowCounts) add(d rowCounts) {
	c.misfits += d.misfits
	c.duplicates += d.duplicates
	c.repaired += d.repaired
	c.rounded += d.rounded
	c.dropped += d.dropped
}

// A mapper gives the fields of one row at a time their place: a column or an entry of attrs. Use: begin, topLevel and inner for each
// field, finish; then columns and attrs hold the row.
type mapper struct {
	plan    *plan
	keys    *keyTable
	row     uint64 // number of the current row, never 0
	columns []slot // by index in the schema
	attrs   []attr
	time    instant
	counts  rowCounts // of the current row
}

func newMapper(p *plan) *mapper {
	return &mapper{plan: p, keys: newKeyTable(p), columns: make([]slot, len(p.schema.Fields))}
}

// begin starts a row.
func (m *mapper) begin() {
	m.row++
	m.attrs = m.attrs[:0]
	m.counts = rowCounts{}
}

// topLevel places a field of the row itself.
func (m *mapper) topLevel(key *keyEntry, v value) {
	if key.top < 0 {
		m.entry(key, v)
		return
	}
	m.claim(int(key.top), key.rank, key, v)
}

// inner places an entry of the row's attrs, or a field of a nested object by its dotted name.
func (m *mapper) inner(key *keyEntry, v value) {
	if key.inner < 0 {
		m.entry(key, v)
		return
	}
	m.claim(int(key.inner), rankAttrs, key, v)
}

// claim gives a column to the best of the fields that want it. The others go to attrs under their own names, unless they are null.
func (m *mapper) claim(column int, rank uint8, key *keyEntry, v value) {
	s := &m.columns[column]
	null := v.kind == kindNull
	if null {
		rank += rankNull
	}
	switch {
	case s.row != m.row:
	case s.key == key && (s.rank%rankNull == rankAttrs) == (rank%rankNull == rankAttrs):
		m.counts.duplicates++
	case rank < s.rank:
		if !s.null {
			m.entry(s.key, s.value)
		}
	default:
		if !null {
			m.entry(key, v)
		}
		return
	}
	s.value, s.key, s.row, s.rank, s.null = v, key, m.row, rank, null
}

// entry puts a value into attrs; a later value of the same name replaces an earlier one.
func (m *mapper) entry(key *keyEntry, v value) {
	if m.plan.attrs < 0 {
		m.counts.dropped++
		return
	}
	if key.row == m.row {
		m.counts.duplicates++
		m.attrs[key.attrAt].value = v
		return
	}
	key.row, key.attrAt = m.row, int32(len(m.attrs))
	m.attrs = append(m.attrs, attr{key, v})
}

// empty places an object without fields, whose name would be lost otherwise.
func (m *mapper) empty(key *keyEntry, top bool) {
	v := value{kind: kindArray, text: emptyObject}
	if top {
		m.noteObject(key, top)
		m.entry(key, v)
		return
	}
	m.inner(key, v)
}

var emptyObject = []byte("{}")

// noteObject counts an object that has the name of a column: no column can hold it, its fields go to attrs.
func (m *mapper) noteObject(key *keyEntry, top bool) {
	if (top && key.exact()) || (!top && key.inner >= 0) {
		m.counts.misfits++
	}
}

// finish fits the values to the types of their columns. It fails if the row has no usable timestamp or lacks a required column.
func (m *mapper) finish() *RejectError {
	for i := range m.columns {
		s := &m.columns[i]
		if s.row != m.row {
			s.value, s.null, s.fits, s.row = value{}, true, false, m.row
			continue
		}
		if s.null || i == m.plan.timestamp {
			s.fits = false
			continue
		}
		t := m.plan.schema.Fields[i].Type
		if t == format.TypeString {
			continue
		}
		var finer bool
		s.fixed, finer, s.fits = convert(t, s.value)
		if finer {
			m.counts.rounded = 1
		}
		if !s.fits {
			m.counts.misfits++
			m.entry(s.key, s.value)
			s.null = true
		}
	}
	if err := m.finishTime(); err != nil {
		return err
	}
	for _, i := range m.plan.required {
		if m.columns[i].null {
			return &RejectError{Reason: ReasonRequired, Detail: m.plan.schema.Fields[i].Name}
		}
	}
	return nil
}

func (m *mapper) finishTime() *RejectError {
	s := &m.columns[m.plan.timestamp]
	if s.null {
		return &RejectError{Reason: ReasonNoTimestamp}
	}
	if s.value.kind != kindString && s.value.kind != kindNumber {
		return &RejectError{Reason: ReasonBadTimestamp, Detail: excerpt(s.value.text)}
	}
	t, finer, err := parseTimestamp(s.value.text)
	switch {
	case errors.Is(err, errTimestampRange):
		return &RejectError{Reason: ReasonRange, Detail: excerpt(s.value.text)}
	case err != nil:
		return &RejectError{Reason: ReasonBadTimestamp, Detail: excerpt(s.value.text) + " is " + err.Error()}
	}
	m.time = t
	if finer {
		m.counts.rounded = 1
	}
	return nil
}

// replacement is U+FFFD, which stands for every byte that is not UTF-8.
var replacement = []byte("\uFFFD")

// appendRepaired appends text with every byte that is not part of valid UTF-8 replaced.
func appendRepaired(dst, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, replacement...)
		} else {
			dst = append(dst, text[:n]...)
		}
		text = text[n:]
	}
	return dst
}

// excerpt quotes the beginning of a text for an error message.
func excerpt(text []byte) string {
	const most = 60
	text = bytes.ToValidUTF8(text, replacement)
	if len(text) > most {
		n := most
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		return `"` + string(text[:n]) + `…"`
	}
	return `"` + string(text) + `"`
}
