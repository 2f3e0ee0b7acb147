package oracle

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

var message = Field{Column: MessageColumn}

// common holds tokens that an index is likely to treat in its own way: stop words, short numbers, single letters.
var common = []string{"the", "a", "is", "to", "info", "error", "warn", "debug", "of", "and", "or", "not", "0", "1", "7", "10", "42", "100",
	"200", "404", "2023", "x", "e", "http", "com", "GET", "null", "true", "_"}

// leaf makes a predicate without kids.
func (g *Generator) leaf(textOnly bool) *Node {
	kinds := []func() *Node{
		g.classToken, g.classToken, g.classToken, g.classToken, g.classToken,
		g.digitToken, g.digitToken, g.foreignToken, g.commonToken, g.absentToken, g.partToken,
		g.phrase, g.phrase, g.phrase, g.brokenPhrase, g.chunk, g.chunk,
		g.columnEqual, g.columnEqual, g.attrEqual, g.attrEqual, g.fieldPhrase, g.prefixedField, g.everything,
	}
	if !textOnly {
		kinds = append(kinds, g.otherToken, g.otherToken, g.isNull, g.in, g.in, g.comparison, g.comparison, g.between, g.prefix, g.prefix,
			g.contains, g.contains, g.jsonLeaf, g.jsonLeaf, g.tokenPrefix, g.tokenPrefix, g.regexp, g.regexp, g.regexp)
	}
	for {
		if n := kinds[g.rng.Intn(len(kinds))](); n != nil {
			return n
		}
	}
}

func (g *Generator) token(list []string) *Node {
	t := pick(g, list)
	if t == "" {
		return nil
	}
	return &Node{Op: HasToken, Field: message, Text: g.recase(t)}
}

func (g *Generator) classToken() *Node   { return g.token(g.classes[g.rng.Intn(3)]) }
func (g *Generator) digitToken() *Node   { return g.token(g.digits) }
func (g *Generator) foreignToken() *Node { return g.token(g.foreign) }
func (g *Generator) commonToken() *Node  { return g.token(common) }

func (g *Generator) absentToken() *Node {
	return &Node{Op: HasToken, Field: message, Text: fmt.Sprintf("absent%xq", g.rng.Int63())}
}

// partToken asks for a part of a token, which is no token as a rule.
func (g *Generator) partToken() *Node {
	runes := []rune(pick(g, g.classes[g.rng.Intn(3)]))
	if len(runes) < 3 {
		return nil
	}
	if g.rng.Intn(2) == 0 {
		return &Node{Op: HasToken, Field: message, Text: string(runes[1:])}
	}
	return &Node{Op: HasToken, Field: message, Text: string(runes[:len(runes)-1])}
}

// cut returns a piece of a text that starts and ends with a token.
func (g *Generator) cut(text string, most int) string {
	spans := appendSpans(nil, text)
	if len(spans) == 0 {
		return ""
	}
	first := g.rng.Intn(len(spans))
	last := min(len(spans)-1, first+g.rng.Intn(most))
	return text[spans[first].start:spans[last].end]
}

func (g *Generator) phrase() *Node {
	text := g.cut(g.cell(MessageColumn), 6)
	if text == "" {
		return nil
	}
	return &Node{Op: Phrase, Field: message, Text: g.recase(text)}
}

// brokenPhrase swaps the ends of a phrase, so that rows have the tokens but seldom next to each other.
func (g *Generator) brokenPhrase() *Node {
	tokens := Tokens(g.cut(g.cell(MessageColumn), 4))
	if len(tokens) < 2 {
		return nil
	}
	tokens[0], tokens[len(tokens)-1] = tokens[len(tokens)-1], tokens[0]
	return &Node{Op: Phrase, Field: message, Text: strings.Join(tokens, " ")}
}

// chunk asks for what stands between two spaces: a path, an address, key=value.
func (g *Generator) chunk() *Node {
	text := pick(g, strings.Fields(g.cell(MessageColumn)))
	if _, ok := Word(text); !ok || len(Tokens(text)) == 0 || len(text) > 200 {
		return nil
	}
	return &Node{Op: HasToken, Field: message, Text: text}
}

func (g *Generator) everything() *Node { return &Node{Op: All} }

// cell returns the text of a column in a random row.
func (g *Generator) cell(column string) string { return g.row().Cells[g.mapper.index[column]].Text }

// attr picks an entry of attrs. Keys that are also columns are left out, because the engine looks for
// them in both places, and so is the empty key, which it cannot ask for.
func (g *Generator) attr(row *Row) Attr {
	a := pick(g, row.Attrs)
	if _, isColumn := g.mapper.index[a.Key]; isColumn || a.Key == "" {
		return Attr{}
	}
	return a
}

// known picks a field that has a value in a random row.
func (g *Generator) known(strings bool) (Field, Value) {
	row := g.row()
	if len(row.Attrs) > 0 && g.rng.Intn(2) == 0 {
		a := g.attr(row)
		return Field{Key: a.Key}, a.Value
	}
	c := g.rng.Intn(len(row.Cells))
	if strings && g.mapper.columns[c].Type != String {
		return Field{}, Value{}
	}
	return Field{Column: g.mapper.columns[c].Name}, row.Cells[c]
}

func (g *Generator) columnEqual() *Node {
	row := g.row()
	c := g.rng.Intn(len(row.Cells))
	name := g.mapper.columns[c].Name
	if !row.Cells[c].Known || name == MessageColumn {
		return nil
	}
	return &Node{Op: Equal, Field: Field{Column: name}, Values: []Value{g.spoil(row.Cells[c])}}
}

func (g *Generator) attrEqual() *Node {
	a := g.attr(g.row())
	if !a.Value.Known || len(a.Value.Text) > 500 {
		return nil
	}
	n := &Node{Op: Equal, Field: Field{Key: a.Key}, Values: []Value{g.spoil(a.Value)}}
	if g.rng.Intn(20) == 0 {
		n.Field.Key = "no.such.key"
	}
	return n
}

// spoil changes a text now and then, so that it is nowhere.
func (g *Generator) spoil(v Value) Value {
	if v.Type == String && g.rng.Intn(12) == 0 {
		v.Text += "q"
	}
	return v
}

// fieldPhrase asks for a phrase in another field than the message.
func (g *Generator) fieldPhrase() *Node {
	field, v := g.known(true)
	text := g.cut(v.Text, 4)
	if text == "" || field.Column == MessageColumn {
		return nil
	}
	return &Node{Op: Phrase, Field: field, Text: g.recase(text)}
}

// prefixedField says attrs.key, which means the key and also the column of that name.
func (g *Generator) prefixedField() *Node {
	field, v := g.known(true)
	text, ok := valueText(v)
	name := field.Column + field.Key
	if !v.Known || !ok || len(text) > 500 || !identifier.MatchString(name) || name == MessageColumn || name == AttrsColumn ||
		strings.HasPrefix(name, AttrsColumn+".") {
		return nil
	}
	written := v
	if v.Type != String {
		written = Text(text)
	}
	n := &Node{Op: Equal, Field: Field{Key: name}, Values: []Value{written}}
	if _, isColumn := g.mapper.index[name]; isColumn {
		column := &Node{Op: Equal, Field: Field{Column: name}, Values: []Value{v}}
		n = &Node{Op: Or, Kids: []*Node{n, column}}
	}
	n.Source = AttrsColumn + "." + name + ":" + text
	return n
}

func (g *Generator) otherToken() *Node {
	field, v := g.known(true)
	tokens := Tokens(v.Text)
	if len(tokens) == 0 {
		return nil
	}
	return &Node{Op: HasToken, Field: field, Text: g.recase(pick(g, tokens))}
}

func (g *Generator) isNull() *Node {
	if key := pick(g, g.attrKeys); g.rng.Intn(2) == 0 && key != "" {
		return &Node{Op: IsNull, Field: Field{Key: key}}
	}
	return &Node{Op: IsNull, Field: Field{Column: pick(g, g.mapper.columns).Name}}
}

// fieldValue returns a field and a known value of it.
func (g *Generator) fieldValue() (Field, Value) {
	for range 20 {
		if f, v := g.known(false); v.Known {
			return f, v
		}
	}
	return Field{Column: TimeColumn}, g.row().Cells[0]
}

// again returns a value of a field in another row, or the one given.
func (g *Generator) again(f Field, v Value) Value {
	row := g.row()
	other := row.attr(f.Key)
	if f.Column != "" {
		other = row.Cells[g.mapper.index[f.Column]]
	}
	if other.Known {
		return other
	}
	return v
}

func (g *Generator) in() *Node {
	f, v := g.fieldValue()
	n := &Node{Op: In, Field: f, Values: []Value{v}}
	for range g.rng.Intn(4) {
		n.Values = append(n.Values, g.again(f, v))
	}
	return n
}

func (g *Generator) comparison() *Node {
	f, v := g.fieldValue()
	if v.Type == Bool {
		return nil
	}
	return &Node{Op: []Op{Less, LessOrEqual, Greater, GreaterOrEqual}[g.rng.Intn(4)], Field: f, Values: []Value{v}}
}

func (g *Generator) between() *Node {
	f, low := g.fieldValue()
	if low.Type == Bool {
		return nil
	}
	return &Node{Op: Between, Field: f, Values: []Value{low, g.again(f, low)}}
}

func (g *Generator) prefix() *Node {
	f, v := g.known(true)
	runes := []rune(v.Text)
	if len(runes) == 0 {
		return nil
	}
	return &Node{Op: Prefix, Field: f, Text: string(runes[:1+g.rng.Intn(min(len(runes), 40))])}
}

// tokenPrefix asks for the beginning of a token.
func (g *Generator) tokenPrefix() *Node {
	f, v := g.known(true)
	runes := []rune(pick(g, Tokens(v.Text)))
	if len(runes) == 0 {
		return nil
	}
	return &Node{Op: TokenPrefix, Field: f, Text: g.recase(string(runes[:1+g.rng.Intn(len(runes))]))}
}

// regexp asks for pieces of a text with something between them, in one case or any.
func (g *Generator) regexp() *Node {
	f, v := g.known(true)
	runes := []rune(v.Text)
	if len(runes) == 0 {
		return nil
	}
	expr := []string{"", "", "(?i)", "^.*", `\b`}[g.rng.Intn(5)]
	for i := 0; i < 3 && len(runes) > 0; i++ {
		start := g.rng.Intn(len(runes))
		end := min(len(runes), start+1+g.rng.Intn(20))
		part := regexp.QuoteMeta(string(runes[start:end]))
		if i > 0 {
			expr += []string{"(?s).*", "(?s:.+)", ".*", `[^"]*`}[g.rng.Intn(4)]
		}
		expr += []string{part, part, "(absent1|" + part + ")", "(" + part + ")+", part + `(\s|$)`}[g.rng.Intn(5)]
		runes = runes[end:]
	}
	if !utf8.ValidString(expr) || expr == "" || len(expr) > 1000 {
		return nil
	}
	return &Node{Op: Regexp, Field: f, Text: expr}
}

func (g *Generator) contains() *Node {
	f, v := g.known(true)
	runes := []rune(v.Text)
	if len(runes) == 0 {
		return nil
	}
	start := g.rng.Intn(len(runes))
	end := min(len(runes), start+1+g.rng.Intn(20))
	text := string(runes[start:end])
	if !utf8.ValidString(text) {
		return nil
	}
	return &Node{Op: Contains, Field: f, Text: text}
}
