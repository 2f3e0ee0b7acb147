package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// Sizes of a terminal that does not tell its own.
const (
	usualWidth  = 80
	usualHeight = 24
)

// terminals tells what standard streams are. Tests put another one into app.
type terminals interface {
	isTerminal(stream any) bool
	// size returns the columns and lines of a stream that is a terminal.
	size(stream any) (width, height int)
}

// realTerminals asks the operating system.
type realTerminals struct{}

func (realTerminals) isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (realTerminals) size(stream any) (width, height int) {
	if f, ok := stream.(*os.File); ok {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	return usualWidth, usualHeight
}

// isTerminal tells whether a stream is a terminal.
func (a *app) isTerminal(stream any) bool {
	if a.terminals == nil {
		return realTerminals{}.isTerminal(stream)
	}
	return a.terminals.isTerminal(stream)
}

// terminalSize returns the columns and lines of a stream that is a terminal.
func (a *app) terminalSize(stream any) (width, height int) {
	if a.terminals == nil {
		return realTerminals{}.size(stream)
	}
	return a.terminals.size(stream)
}

// localZone returns the time zone of the person who looks at the output.
func (a *app) localZone() *time.Location {
	if a.zone == nil {
		return time.Local
	}
	return a.zone
}

// Settings of --color.
const (
	colorAuto   = "auto"
	colorAlways = "always"
	colorNever  = "never"
)

// colored decides whether standard output gets colours: see https://no-color.org.
func (a *app) colored(setting string) (bool, error) {
	switch setting {
	case colorAlways:
		return true, nil
	case colorNever:
		return false, nil
	case colorAuto, "":
		return a.isTerminal(a.stdout) && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb", nil
	}
	return false, usagef("--color %q: there are auto, always and never", setting)
}

// style is a sequence of SGR parameters (ECMA-48), such as 1;31.
type style string

// The styles. They are of the sixteen colours that every terminal has and that its owner chose.
const (
	plain         style = ""
	styleBold     style = "1"
	styleDim      style = "2"
	styleFatal    style = "1;37;41"
	styleError    style = "1;31"
	styleWarning  style = "33"
	styleNotice   style = "36"
	styleInfo     style = "32"
	styleDebug    style = "34"
	styleTrace    style = "2"
	styleOrigin   style = "36"
	styleHit      style = "1;30;43"
	styleOverview style = "36"
)

// painter puts styles around texts, or nothing if it is off.
type painter bool

// paint appends a text in a style.
func (p painter) paint(dst []byte, s style, text string) []byte {
	if text == "" {
		return dst
	}
	dst = p.begin(dst, s)
	dst = append(dst, text...)
	return p.end(dst, s)
}

func (p painter) begin(dst []byte, s style) []byte {
	if !p || s == plain {
		return dst
	}
	return append(append(append(dst, "\x1b["...), s...), 'm')
}

func (p painter) end(dst []byte, s style) []byte {
	if !p || s == plain {
		return dst
	}
	return append(dst, "\x1b[0m"...)
}

// hostile tells whether a rune does something to a terminal or to the order of a line instead of showing itself: control characters, and formatting characters
// such as those that turn the writing direction (https://trojansource.codes). Joiners, which emoji and scripts need, are harmless.
func hostile(r rune) bool {
	switch {
	case r < ' ' || r == 0x7f:
		return true
	case r < 0x80, r == '\u200c', r == '\u200d':
		return false
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// appendVisible appends a text with what is hostile, and bytes that are not valid UTF-8, as escapes of Go: \n, \x1b, \u202e, \xff. Characters in keep stay as they are.
func appendVisible(dst []byte, text, keep string) []byte {
	for len(text) > 0 {
		n := 0
		for n < len(text) && text[n] >= ' ' && text[n] < 0x7f {
			n++
		}
		dst, text = append(dst, text[:n]...), text[n:]
		if len(text) == 0 {
			break
		}
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			dst = fmt.Appendf(dst, `\x%02x`, text[0])
		case !hostile(r) || containsRune(keep, r):
			dst = append(dst, text[:size]...)
		default:
			quoted := strconv.AppendQuoteRuneToASCII(nil, r)
			dst = append(dst, quoted[1:len(quoted)-1]...)
		}
		text = text[size:]
	}
	return dst
}

func containsRune(set string, r rune) bool {
	for _, s := range set {
		if s == r {
			return true
		}
	}
	return false
}

// visible is appendVisible for one line.
func visible(text string) string { return string(appendVisible(nil, text, "")) }

// fit cuts a text that is visible to a width in columns of a terminal, with … in the last one if something is missing, and returns how wide it is then. Wide characters
// take two columns and combining ones none. Work is bounded by the width, but for a character with many combining ones.
func fit(text string, width int) (string, int) {
	used, last, lastUsed := 0, 0, 0 // last: where the text ends if … must follow
	rest, state := text, -1
	for len(rest) > 0 {
		var w int
		_, rest, w, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used+w > width {
			if width < 1 {
				return "", 0
			}
			return text[:last] + "…", lastUsed + 1
		}
		used += w
		if used < width {
			last, lastUsed = len(text)-len(rest), used
		}
	}
	return text, used
}
