package oracle

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// identifier is what a field may be called in search text.
var identifier = regexp.MustCompile(`^[A-Za-z_@][A-Za-z0-9_.@-]*$`)

// Text prints a predicate as firn search text. It returns false if the language cannot say it.
func (m *Mapper) Text(n *Node) (string, bool) { return m.print(n, 0) }

// The strengths of the operators; a node is put in parentheses where something stronger is around it.
const (
	strengthOr = iota + 1
	strengthAnd
	strengthNot
)

func (m *Mapper) print(n *Node, around int) (string, bool) {
	if n.Source != "" {
		return n.Source, true
	}
	switch n.Op {
	case All:
		return "*", true
	case Or:
		return m.printList(n, " OR ", strengthOr, around)
	case And:
		glue := " AND "
		if len(n.Kids)%2 == 1 {
			glue = " "
		}
		return m.printList(n, glue, strengthAnd, around)
	case Not:
		inner, ok := m.print(n.Kids[0], strengthNot)
		return "NOT " + inner, ok
	}
	return m.printLeaf(n)
}

func (m *Mapper) printList(n *Node, glue string, own, around int) (string, bool) {
	parts := make([]string, len(n.Kids))
	for i, kid := range n.Kids {
		part, ok := m.print(kid, own)
		if !ok {
			return "", false
		}
		parts[i] = part
	}
	text := strings.Join(parts, glue)
	if around > own || around == own && len(text)%2 == 0 { // sometimes parentheses that are not needed
		text = "(" + text + ")"
	}
	return text, true
}

func (m *Mapper) printLeaf(n *Node) (string, bool) {
	field, ok := m.printField(n.Field)
	if !ok {
		return "", false
	}
	message := n.Field.Column == MessageColumn
	switch n.Op {
	case HasToken:
		word, ok := Word(n.Text)
		return word, ok && message
	case Phrase:
		if message {
			return Quote(n.Text), true
		}
		c, isColumn := m.index[n.Field.Column]
		return field + ":" + Quote(n.Text), !isColumn || m.columns[c].Type == String
	case Equal:
		if message {
			return "", false // log_msg:x asks for a token
		}
		value, ok := valueText(n.Values[0])
		return field + ":" + value, ok
	}
	return "", false
}

// printField prints a field's name as it stands before the colon.
func (m *Mapper) printField(f Field) (string, bool) {
	if f.Path != "" {
		return "", false // left to predicates
	}
	if f.Column != "" {
		return f.Column, identifier.MatchString(f.Column)
	}
	_, isColumn := m.index[f.Key]
	if isColumn || !identifier.MatchString(f.Key) {
		return "", false
	}
	if f.Key == AttrsColumn || strings.HasPrefix(f.Key, AttrsColumn+".") {
		return "", false
	}
	return f.Key, true
}

// valueText prints a value as it stands after the colon.
func valueText(v Value) (string, bool) {
	switch v.Type {
	case String:
		if v.Text == "" {
			return `""`, true
		}
		if strings.HasPrefix(v.Text, "//") { // field://x would be a word
			return `\` + escape(v.Text), true
		}
		return escape(v.Text), true
	case Bool:
		return strconv.FormatBool(v.Int == 1), true
	case Float, Double:
		return strconv.FormatFloat(v.Float, 'g', -1, 64), true
	}
	if v.Type == Timestamp || v.Type == Date {
		text, ok := plain(v).(string)
		return text, ok
	}
	return strconv.FormatInt(v.Int, 10), true
}

// Word prints a text as a bare word. It returns false if it would be read as something else.
func Word(text string) (string, bool) {
	switch text {
	case "", "AND", "OR", "NOT", "last":
		return "", false
	}
	if strings.ContainsAny(text, "*:\\") && !isPlainColonWord(text) {
		return "", false
	}
	return escape(text), true
}

// isPlainColonWord says whether a text with colons is a word all the same: what stands before the first one is no field name,
// or a // follows it.
func isPlainColonWord(text string) bool {
	before, after, found := strings.Cut(text, ":")
	if !found || before == "" || strings.ContainsAny(text, "*\\") || strings.ContainsAny(before, `"()`) {
		return false // an escaped character before the colon makes it the name of a field
	}
	return !identifier.MatchString(before) || strings.HasPrefix(after, "//")
}

// escape puts a backslash before everything that would end a word, or mean something in it or at its beginning.
func escape(text string) string {
	var b strings.Builder
	for i, r := range text {
		if strings.ContainsRune(`"()\*<>`, r) || unicode.IsSpace(r) || i == 0 && strings.ContainsRune(":/[{-|=!~", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Quote prints a text in quotes.
func Quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
