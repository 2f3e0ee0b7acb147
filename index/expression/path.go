package expression

import (
	"fmt"
	"strconv"
	"strings"
)

// Path is a JSON path: the way from a JSON value down to one within it. The zero Path is no path.
type Path struct {
	text  string // canonical; "" for no path
	steps []step
}

// step goes to the member of an object (name) or the element of an array (index).
type step struct {
	name    string
	index   int
	isIndex bool
}

// maxSteps bounds a path.
const maxSteps = 64

// ParsePath reads a path: $ (the text itself), then .name, ['any name'] or [0], as often as there are steps, 64 at most. A bare name consists of
// letters, digits, _, - and @ (ASCII); within brackets a backslash takes the next character literally. Errors wrap ErrSyntax.
func ParsePath(text string) (Path, error) {
	if !strings.HasPrefix(text, "$") {
		return Path{}, fmt.Errorf("%w: JSON path %q: it must begin with $, like $.user.id, $.tags[0] or $['odd name']", ErrSyntax, text)
	}
	path, n := ReadPath(text)
	if n != len(text) {
		return Path{}, fmt.Errorf("%w: JSON path %q: expected .name, ['name'] or [0] at character %d, and %d of them at most",
			ErrSyntax, text, len([]rune(text[:n]))+1, maxSteps)
	}
	return path, nil
}

// ReadPath reads a path from the front of a text and returns how many bytes it takes; 0 if there is none.
func ReadPath(text string) (Path, int) {
	if !strings.HasPrefix(text, "$") {
		return Path{}, 0
	}
	p, pos := Path{}, 1
	for len(p.steps) < maxSteps {
		s, n := readStep(text[pos:])
		if n == 0 {
			break
		}
		p.steps = append(p.steps, s)
		pos += n
	}
	p.text = printPath(p.steps)
	return p, pos
}

// readStep reads one step from the front of a text; 0 bytes if there is none.
func readStep(text string) (step, int) {
	switch {
	case strings.HasPrefix(text, "."):
		end := 1
		for end < len(text) && isBare(text[end]) {
			end++
		}
		if end == 1 {
			return step{}, 0
		}
		return step{name: text[1:end]}, end
	case strings.HasPrefix(text, "['"), strings.HasPrefix(text, `["`):
		return readQuotedStep(text)
	case strings.HasPrefix(text, "["):
		end := strings.IndexByte(text, ']')
		if end < 2 || end > 11 || text[1] == '+' || text[1] == '-' {
			return step{}, 0
		}
		i, err := strconv.Atoi(text[1:end])
		if err != nil || i > 1<<31-1 {
			return step{}, 0
		}
		return step{index: i, isIndex: true}, end + 1
	}
	return step{}, 0
}

func readQuotedStep(text string) (step, int) {
	mark := text[1]
	var name strings.Builder
	for i := 2; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			name.WriteByte(text[i])
		case c != mark:
			name.WriteByte(c)
		case strings.HasPrefix(text[i+1:], "]"):
			return step{name: name.String()}, i + 2
		default:
			return step{}, 0
		}
	}
	return step{}, 0
}

func isBare(b byte) bool { return b != '.' && isNameByte(b, false) }

// printPath returns the canonical spelling of a path.
func printPath(steps []step) string {
	var b strings.Builder
	b.WriteByte('$')
	for _, s := range steps {
		if s.isIndex {
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
			continue
		}
		bare := s.name != ""
		for i := range len(s.name) {
			bare = bare && isBare(s.name[i])
		}
		if bare {
			b.WriteString("." + s.name)
			continue
		}
		b.WriteString("['")
		for i := range len(s.name) {
			if c := s.name[i]; c == '\'' || c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(s.name[i])
		}
		b.WriteString("']")
	}
	return b.String()
}

// String returns the canonical spelling, "" for no path.
func (p Path) String() string { return p.text }

// IsZero says whether this is no path.
func (p Path) IsZero() bool { return p.text == "" }
