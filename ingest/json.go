package ingest

import (
	"errors"
	"fmt"
)

// maxDepth is how deep objects and arrays may be nested.
const maxDepth = 1000

// errInvalidUTF8 says that the line must be repaired and decoded again.
var errInvalidUTF8 = errors.New("invalid UTF-8")

// A decoder reads JSON objects (RFC 8259, nothing more lenient) in one pass and places their fields with a mapper. Values point into the
// line or, where they had escapes, into scratch. It exists because the log lines of one source repeat their shape: a
// field name is compared with the one that followed last time, instead of being decoded and looked up, and no tree is built.
type decoder struct {
	*mapper
	line    []byte
	last    *keyEntry // the name before
	path    []byte    // dotted names of the objects around, each with its dot
	scratch []byte
	used    int    // of scratch
	repair  []byte // the line with invalid UTF-8 replaced
	lone    bool   // the row holds a lone surrogate escape
	err     error
}

// decode maps one line, which must not be blank. Afterwards the mapper holds the row, until the next call or a change of the line.
func (d *decoder) decode(line []byte) *RejectError {
	err := d.once(line)
	if errors.Is(err, errInvalidUTF8) {
		d.repair = appendRepaired(d.repair[:0], line)
		err = d.once(d.repair)
		d.counts.repaired = 1
	}
	if err != nil {
		if reject, ok := errors.AsType[*RejectError](err); ok {
			return reject
		}
		return &RejectError{Reason: ReasonSyntax, Detail: err.Error()}
	}
	return d.finish()
}

// release drops memory that an unusually large line has left.
func (d *decoder) release() {
	const keep = 1 << 20
	if cap(d.scratch) > keep {
		d.scratch = nil
	}
	if cap(d.repair) > keep {
		d.repair = nil
	}
	d.line = nil
}

func (d *decoder) once(line []byte) error {
	d.begin()
	d.line, d.used, d.path, d.lone, d.err = line, 0, d.path[:0], false, nil
	d.last = &d.keys.root
	if cap(d.scratch) < len(line)+8 {
		d.scratch = make([]byte, len(line)+len(line)/2+1024)
	}
	i := d.space(0)
	if i == len(line) || line[i] != '{' {
		if d.value(i) < 0 {
			return d.err
		}
		return &RejectError{Reason: ReasonNotObject}
	}
	if i = d.object(i+1, true, 1); i < 0 {
		return d.err
	}
	if i = d.space(i); i != len(line) {
		return fmt.Errorf("at byte %d: text after the object", i+1)
	}
	if d.lone {
		d.counts.repaired = 1
	}
	return nil
}

// value says where the lone JSON value ends that fills the line from i, which is not an object; -1 if there is none or more than that.
func (d *decoder) value(i int) int {
	if i = d.skip(i, 1); i < 0 {
		return -1
	}
	if i = d.space(i); i != len(d.line) {
		return d.fail(i, "text after the value")
	}
	return i
}

// fail records what is wrong at a byte of the line.
func (d *decoder) fail(at int, what string) int {
	if d.err == nil {
		if at >= len(d.line) {
			d.err = fmt.Errorf("ends too early: %s", what)
		} else {
			d.err = fmt.Errorf("at byte %d: %s", at+1, what)
		}
	}
	return -1
}

func (d *decoder) space(i int) int {
	for i < len(d.line) && d.line[i] <= ' ' && (d.line[i] == ' ' || d.line[i] == '\t' || d.line[i] == '\r' || d.line[i] == '\n') {
		i++
	}
	return i
}

// peek returns the byte at i, 0 at the end of the line.
func (d *decoder) peek(i int) byte {
	if i < len(d.line) {
		return d.line[i]
	}
	return 0
}

// object reads the fields of an object from behind its brace and returns the index behind the closing one, or -1.
func (d *decoder) object(i int, top bool, depth int) int {
	if depth > maxDepth {
		d.err = &RejectError{Reason: ReasonDepth, Detail: fmt.Sprintf("more than %d levels", maxDepth)}
		return -1
	}
	if i = d.space(i); d.peek(i) == '}' {
		return i + 1
	}
	for {
		if i = d.field(i, top, depth); i < 0 {
			return -1
		}
		switch i = d.space(i); d.peek(i) {
		case ',':
			i = d.space(i + 1)
		case '}':
			return i + 1
		default:
			return d.fail(i, "want , or } after a field")
		}
	}
}

// field reads a name and its value and places them.
func (d *decoder) field(i int, top bool, depth int) int {
	key, i := d.name(i)
	if i < 0 {
		return -1
	}
	if d.peek(i) == ':' {
		i++
	} else {
		if i = d.space(i); d.peek(i) != ':' {
			return d.fail(i, "want : after a name")
		}
		i++
	}
	start := d.space(i)
	var v value
	switch c := d.peek(start); c {
	case '"':
		v.kind = kindString
		v.text, i = d.text(start + 1)
	case '{':
		return d.nested(key, start+1, top, depth)
	case '[':
		i = d.skip(start, depth)
		v.kind = kindArray
	case 't', 'f':
		i = d.literal(start)
		v.kind = kindBool
	case 'n':
		i = d.literal(start)
	default:
		i = d.number(start)
		v.kind = kindNumber
	}
	if i < 0 {
		return -1
	}
	if v.kind > kindString {
		v.text = d.line[start:i]
	}
	switch {
	case !top:
		d.inner(key, v)
	case key.attrs && v.kind == kindNull:
	case key.attrs:
		d.entry(key, v)
	default:
		d.topLevel(key, v)
	}
	return i
}

// nested reads the object that is the value of key. Its fields are entries of attrs, under dotted names unless key is attrs itself.
func (d *decoder) nested(key *keyEntry, i int, top bool, depth int) int {
	if top && key.attrs {
		return d.object(i, false, depth+1)
	}
	if end := d.space(i); d.peek(end) == '}' {
		d.empty(key, top)
		return end + 1
	}
	d.noteObject(key, top)
	size := len(d.path)
	d.path = append(append(d.path[:0], key.name...), '.')
	if i = d.object(i, false, depth+1); i < 0 {
		return -1
	}
	d.path = d.path[:size]
	return i
}

// name reads a field's name and returns what is known about the full, dotted name.
func (d *decoder) name(i int) (*keyEntry, int) {
	if d.peek(i) != '"' {
		return nil, d.fail(i, "want a name in quotes")
	}
	i++
	if next := d.last.next; next != nil && next.plain {
		name := next.name
		if n := len(d.path); n == 0 || (len(name) > n && string(name[:n]) == string(d.path)) {
			name = name[n:]
			end := i + len(name)
			if end < len(d.line) && d.line[end] == '"' && string(d.line[i:end]) == string(name) {
				d.last = next
				return next, end + 1
			}
		}
	}
	text, i := d.text(i)
	if i < 0 {
		return nil, -1
	}
	if n := len(d.path); n > 0 {
		d.path = append(d.path, text...)
		text = d.path
		d.path = d.path[:n]
	}
	key := d.keys.get(text)
	d.last.next = key
	d.last = key
	return key, i
}

func (d *decoder) literal(i int) int {
	for _, word := range [...]string{"true", "false", "null"} {
		if end := i + len(word); end <= len(d.line) && string(d.line[i:end]) == word {
			return end
		}
	}
	return d.fail(i, "want a value")
}

func (d *decoder) number(i int) int {
	end := scanNumber(d.line, i)
	if end < 0 {
		return d.fail(i, "want a value")
	}
	return end
}

// skip checks the value that begins at i without placing it and returns its end, or -1.
func (d *decoder) skip(i, depth int) int {
	if depth > maxDepth {
		d.err = &RejectError{Reason: ReasonDepth, Detail: fmt.Sprintf("more than %d levels", maxDepth)}
		return -1
	}
	switch c := d.peek(i); c {
	case '"':
		return d.skipText(i + 1)
	case 't', 'f', 'n':
		return d.literal(i)
	case '{':
		return d.skipList(i+1, '}', depth)
	case '[':
		return d.skipList(i+1, ']', depth)
	}
	return d.number(i)
}

// skipList checks the fields of an object or the elements of an array from behind its opening bracket.
func (d *decoder) skipList(i int, closing byte, depth int) int {
	if i = d.space(i); d.peek(i) == closing {
		return i + 1
	}
	for {
		if closing == '}' {
			if d.peek(i) != '"' {
				return d.fail(i, "want a name in quotes")
			}
			if i = d.skipText(i + 1); i < 0 {
				return -1
			}
			if i = d.space(i); d.peek(i) != ':' {
				return d.fail(i, "want : after a name")
			}
			i = d.space(i + 1)
		}
		if i = d.skip(i, depth+1); i < 0 {
			return -1
		}
		switch i = d.space(i); d.peek(i) {
		case ',':
			i = d.space(i + 1)
		case closing:
			return i + 1
		default:
			return d.fail(i, "want , or the closing bracket")
		}
	}
}

// skipText checks the string whose content begins at i.
func (d *decoder) skipText(i int) int {
	used, lone := d.used, d.lone
	_, i = d.text(i)
	d.used, d.lone = used, lone
	return i
}
