package expression

import (
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deeply arrays and objects of a text may be nested. Deeper ones count as invalid.
const maxDepth = 512

// Scratch is memory that Extract and Eval use again and again. The zero value works. It is not safe for concurrent use.
type Scratch struct {
	value []byte
	name  []byte
}

// Extract returns the scalar at a path of a JSON text:
//
//   - a string without its quotes and escapes (half of a surrogate pair is U+FFFD), a number as it is written, true or false;
//   - nil if there is null, an object or an array, or nothing: a member or element that is missing, a step into a value of another kind;
//   - nil if the whole text is not one valid JSON value (RFC 8259, at most 512 levels deep), also where the damage lies behind the place asked for.
//
// Of members of one name the first counts. Apart from the check of the whole text this is what Trino's json_extract_scalar does. The
// result points into text or s, and is valid until either is changed.
func (p Path) Extract(text []byte, s *Scratch) []byte {
	x := extractor{text: text, scratch: s}
	if !x.value(p.steps, 0) {
		return nil
	}
	if x.space(); x.pos < len(text) {
		return nil
	}
	return x.found
}

// extractor validates a JSON text from left to right and picks up one scalar on the way.
type extractor struct {
	text    []byte
	pos     int
	scratch *Scratch
	found   []byte
}

func (x *extractor) space() {
	for x.pos < len(x.text) {
		switch x.text[x.pos] {
		case ' ', '\t', '\n', '\r':
			x.pos++
		default:
			return
		}
	}
}

// next skips spaces and returns the next byte, 0 at the end.
func (x *extractor) next() byte {
	x.space()
	if x.pos == len(x.text) {
		return 0
	}
	return x.text[x.pos]
}

// value reads one value. steps lead from it to the scalar that is wanted; nil steps (not just empty ones) say that it is not in here. It reports
// whether the value is valid.
func (x *extractor) value(steps []step, depth int) bool {
	c := x.next()
	start := x.pos
	wanted := steps != nil && len(steps) == 0 || depth == 0 && len(steps) == 0
	switch {
	case c == '{':
		return x.object(steps, depth+1)
	case c == '[':
		return x.array(steps, depth+1)
	case c == '"':
		end, escaped, ok := x.str()
		if ok && wanted {
			x.found = x.text[start+1 : end]
			if escaped {
				x.scratch.value = unescape(x.scratch.value[:0], x.found)
				x.found = x.scratch.value
			}
			if x.found == nil {
				x.found = []byte{}
			}
		}
		return ok
	case c == 't':
		return x.word("true", wanted)
	case c == 'f':
		return x.word("false", wanted)
	case c == 'n':
		return x.word("null", false)
	}
	ok := x.number()
	if ok && wanted {
		x.found = x.text[start:x.pos:x.pos]
	}
	return ok
}

func (x *extractor) word(word string, wanted bool) bool {
	end := x.pos + len(word)
	if end > len(x.text) || string(x.text[x.pos:end]) != word {
		return false
	}
	if wanted {
		x.found = x.text[x.pos:end:end]
	}
	x.pos = end
	return true
}

func (x *extractor) object(steps []step, depth int) bool {
	if depth > maxDepth {
		return false
	}
	x.pos++
	seek := len(steps) > 0 && !steps[0].isIndex
	if x.next() == '}' {
		x.pos++
		return true
	}
	for {
		if x.next() != '"' {
			return false
		}
		start := x.pos + 1
		end, escaped, ok := x.str()
		if !ok || x.next() != ':' {
			return false
		}
		x.pos++
		var inner []step
		if seek && x.isName(x.text[start:end], escaped, steps[0].name) {
			seek, inner = false, rest(steps)
		}
		if !x.value(inner, depth) {
			return false
		}
		switch x.next() {
		case ',':
			x.pos++
		case '}':
			x.pos++
			return true
		default:
			return false
		}
	}
}

// rest returns the steps behind the first: never nil.
func rest(steps []step) []step { return steps[1:len(steps):len(steps)] }

func (x *extractor) isName(raw []byte, escaped bool, name string) bool {
	if !escaped {
		return string(raw) == name
	}
	x.scratch.name = unescape(x.scratch.name[:0], raw)
	return string(x.scratch.name) == name
}

func (x *extractor) array(steps []step, depth int) bool {
	if depth > maxDepth {
		return false
	}
	x.pos++
	if x.next() == ']' {
		x.pos++
		return true
	}
	for i := 0; ; i++ {
		var inner []step
		if len(steps) > 0 && steps[0].isIndex && steps[0].index == i {
			inner = rest(steps)
		}
		if !x.value(inner, depth) {
			return false
		}
		switch x.next() {
		case ',':
			x.pos++
		case ']':
			x.pos++
			return true
		default:
			return false
		}
	}
}

// str reads a string from its first quote on, and returns where its last quote is.
func (x *extractor) str() (end int, escaped, ok bool) {
	for i := x.pos + 1; i < len(x.text); i++ {
		switch c := x.text[i]; {
		case c == '"':
			x.pos = i + 1
			return i, escaped, true
		case c < ' ':
			return 0, false, false
		case c == '\\':
			escaped = true
			i++
			if i == len(x.text) {
				return 0, false, false
			}
			switch x.text[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex4(x.text[i+1:]); !ok {
					return 0, false, false
				}
				i += 4
			default:
				return 0, false, false
			}
		}
	}
	return 0, false, false
}

// number reads a number.
func (x *extractor) number() bool {
	if x.pos < len(x.text) && x.text[x.pos] == '-' {
		x.pos++
	}
	switch {
	case x.pos < len(x.text) && x.text[x.pos] == '0':
		x.pos++
	case !x.digits():
		return false
	}
	if x.pos < len(x.text) && x.text[x.pos] == '.' {
		if x.pos++; !x.digits() {
			return false
		}
	}
	if x.pos < len(x.text) && (x.text[x.pos] == 'e' || x.text[x.pos] == 'E') {
		x.pos++
		if x.pos < len(x.text) && (x.text[x.pos] == '+' || x.text[x.pos] == '-') {
			x.pos++
		}
		return x.digits()
	}
	return true
}

func (x *extractor) digits() bool {
	start := x.pos
	for x.pos < len(x.text) && x.text[x.pos] >= '0' && x.text[x.pos] <= '9' {
		x.pos++
	}
	return x.pos > start
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// escapes are the characters that stand behind a backslash for another one.
var escapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape appends the content of a valid string.
func unescape(to, raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			to = append(to, raw[i])
			continue
		}
		i++
		if raw[i] != 'u' {
			if c, ok := escapes[raw[i]]; ok {
				to = append(to, c)
			} else {
				to = append(to, raw[i])
			}
			continue
		}
		r, _ := hex4(raw[i+1:])
		i += 4
		if utf16.IsSurrogate(r) {
			pair := rune(utf8.RuneError)
			if i+6 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
				low, _ := hex4(raw[i+3:])
				pair = utf16.DecodeRune(r, low)
			}
			if r = pair; r != utf8.RuneError {
				i += 6
			}
		}
		to = utf8.AppendRune(to, r)
	}
	return to
}
