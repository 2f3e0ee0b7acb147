package ingest

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

const (
	everyByte = 0x0101010101010101
	highBits  = 0x8080808080808080
)

// special marks in the high bit of each byte whether it ends a run of plain text in a JSON string: a quote, a backslash, a control character
// or a byte outside ASCII. Only the lowest mark is certain ("Bit Twiddling Hacks", determine if a word has a byte less than n).
func special(x uint64) uint64 {
	quote := x ^ everyByte*'"'
	slash := x ^ everyByte*'\\'
	return ((quote-everyByte)&^quote | (slash-everyByte)&^slash | (x-everyByte*' ')&^x | x) & highBits
}

// text reads the string whose content begins at i. It returns the decoded text, which is valid UTF-8, and the index behind the closing quote, or -1.
func (d *decoder) text(i int) ([]byte, int) {
	b := d.line
	start := i
	for {
		i = plainEnd(b, i)
		if i >= len(b) {
			return nil, d.fail(i, "the string has no end")
		}
		switch c := b[i]; {
		case c == '"':
			return b[start:i:i], i + 1
		case c == '\\':
			return d.unescape(start, i)
		case c < ' ':
			return nil, d.fail(i, "control character in a string")
		}
		n := validRun(b[i:])
		if n == 0 {
			d.err = errInvalidUTF8
			return nil, -1
		}
		i += n
	}
}

// plainEnd returns the index of the first byte from i that is special, or the end of b.
func plainEnd(b []byte, i int) int {
	for i+8 <= len(b) {
		if m := special(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// validRun returns the length of the run of valid characters outside ASCII at the beginning of b.
func validRun(b []byte) int {
	n := 0
	for n < len(b) && b[n] >= utf8.RuneSelf {
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}

// unescape reads on at the first backslash of a string. The text goes to scratch, which is always large enough: no escape stands for more bytes
// than it has itself, and 8 bytes are kept free behind for whole words.
func (d *decoder) unescape(start, i int) ([]byte, int) {
	b := d.line
	dst := d.scratch[d.used:cap(d.scratch)]
	n := copy(dst, b[start:i])
	for {
		if i >= len(b) {
			return nil, d.fail(i, "the string has no end")
		}
		switch c := b[i]; {
		case c == '"':
			d.used += n
			return dst[:n:n], i + 1
		case c == '\\':
			e := d.peek(i + 1)
			if plain := escapes[e]; plain != 0 {
				dst[n] = plain
				n++
				i += 2
				break
			}
			if e != 'u' {
				return nil, d.fail(i, "invalid escape in a string")
			}
			r, end := d.unicodeEscape(i)
			if end < 0 {
				return nil, -1
			}
			n += utf8.EncodeRune(dst[n:], r)
			i = end
		case c < ' ':
			return nil, d.fail(i, "control character in a string")
		default:
			run := validRun(b[i:])
			if run == 0 {
				d.err = errInvalidUTF8
				return nil, -1
			}
			n += copy(dst[n:], b[i:i+run])
			i += run
		}
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			binary.LittleEndian.PutUint64(dst[n:], x)
			if m := special(x); m != 0 {
				run := bits.TrailingZeros64(m) >> 3
				i += run
				n += run
				break
			}
			i += 8
			n += 8
		}
		if i+8 > len(b) {
			end := plainEnd(b, i)
			n += copy(dst[n:], b[i:end])
			i = end
		}
	}
}

// escapes maps the letter of a two-byte escape to what it stands for.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unicodeEscape reads the escape \uXXXX at i, or two that form a surrogate pair. Half of a pair stands for U+FFFD.
func (d *decoder) unicodeEscape(i int) (r rune, end int) {
	high, ok := d.hex4(i + 2)
	if !ok {
		return 0, d.fail(i, "invalid \\u escape in a string")
	}
	i += 6
	if high < 0xD800 || high > 0xDFFF {
		return high, i
	}
	if high < 0xDC00 && d.peek(i) == '\\' && d.peek(i+1) == 'u' {
		if low, ok := d.hex4(i + 2); ok && low >= 0xDC00 && low <= 0xDFFF {
			return 0x10000 + (high-0xD800)<<10 + (low - 0xDC00), i + 6
		}
	}
	d.lone = true
	return utf8.RuneError, i
}

func (d *decoder) hex4(i int) (r rune, ok bool) {
	if i+4 > len(d.line) {
		return 0, false
	}
	for _, c := range d.line[i : i+4] {
		switch {
		case c-'0' <= 9:
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
