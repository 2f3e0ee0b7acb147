package query

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/firnlog/firn/index/expression"
)

// maxDepth is how deeply parentheses and NOTs of a text may be nested.
const maxDepth = 250

// Parse reads a predicate from the text language:
//
//	word                  HasToken on log_msg; several tokens (a UUID, a path, an address, key=value) are a phrase
//	"some words"          Phrase on log_msg
//	field:value           Equal; the value is converted to the column's type. log_msg:word is HasToken
//	field:"some words"    Phrase (on columns that are no text: Equal); field:"" is Equal to the empty text
//	*                     All
//	a b, a AND b, a OR b, NOT a, (a)
//
// A field with a JSON path behind it, log_msg$.user.id:42 or log_msg$['odd name'][0]:x, means what the path finds in the column's texts, see JSONPath.
//
// NOT binds tighter than AND, AND tighter than OR; operators are upper-case. A field that is no column of the table is a key of attrs, and attrs.x
// is the key x of attrs. A field is an identifier ([A-Za-z_@][A-Za-z0-9_.@-]*); other words with a colon, and those like
// http://x, are plain words. A backslash takes any following character literally, but stands for itself before a letter, a digit or _.
// Errors are of type *SyntaxError.
func Parse(text string) (Predicate, error) {
	p := &parser{text: text}
	p.next()
	pred := p.condition()
	if p.err != nil {
		return nil, p.err
	}
	return pred, nil
}

// condition reads up to the end of the text, or the first pipe.
func (p *parser) condition() Predicate {
	if p.err == nil && p.tok.kind == tokenEnd {
		p.fail(0, "the query is empty; write * to ask for everything")
		return nil
	}
	pred := p.parseOr()
	if p.tok.kind == tokenClose {
		p.fail(p.tok.start, "there is no ( that this ) closes; write \\) to search for the character")
	}
	return pred
}

// SyntaxError says where and why a text is no predicate. It wraps ErrSyntax.
type SyntaxError struct {
	Text    string // the whole text
	Offset  int    // in bytes
	Message string
}

// Unwrap returns ErrSyntax.
func (e *SyntaxError) Unwrap() error { return ErrSyntax }

// Error returns the message, the place as a count of characters from 1, and the text with a mark below that place.
func (e *SyntaxError) Error() string {
	const window = 60 // characters shown on either side
	before, after := []rune(e.Text[:e.Offset]), []rune(e.Text[e.Offset:])
	at := len(before) + 1
	if len(before) > window {
		before = before[len(before)-window:]
	}
	if len(after) > window {
		after = after[:window]
	}
	oneLine := func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}
	line := strings.Map(oneLine, string(before)+string(after))
	return fmt.Sprintf("%v at character %d: %s\n    %s\n    %s^", ErrSyntax, at, e.Message, line, strings.Repeat(" ", len(before)))
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenOpen
	tokenClose
	tokenAnd
	tokenOr
	tokenNot
	tokenTerm
	tokenPipe
)

// token is one element of the text; a term carries its predicate.
type token struct {
	kind  tokenKind
	start int
	term  Predicate
}

// parser is a recursive descent over tokens with one token of look-ahead. The first error sticks and ends the text.
type parser struct {
	text  string
	pos   int // behind tok
	tok   token
	depth int
	path  string // of the field that was read last
	pipes bool   // are understood
	err   error
}

// fail ends the text with an error, unless there is one already.
func (p *parser) fail(offset int, message string) {
	if p.err == nil {
		p.err = &SyntaxError{Text: p.text, Offset: offset, Message: message}
	}
	p.tok = token{kind: tokenEnd, start: len(p.text)}
	p.pos = len(p.text)
}

func (p *parser) parseOr() Predicate {
	list := []Predicate{p.parseAnd()}
	for p.tok.kind == tokenOr {
		p.next()
		list = append(list, p.parseAnd())
	}
	if len(list) == 1 {
		return list[0]
	}
	return Or(list)
}

func (p *parser) parseAnd() Predicate {
	list := []Predicate{p.parseUnary()}
	for {
		switch p.tok.kind {
		case tokenAnd:
			p.next()
		case tokenTerm, tokenNot, tokenOpen:
		default:
			if len(list) == 1 {
				return list[0]
			}
			return And(list)
		}
		list = append(list, p.parseUnary())
	}
}

func (p *parser) parseUnary() Predicate {
	start := p.tok.start
	if p.depth++; p.depth > maxDepth {
		p.fail(start, fmt.Sprintf("more than %d nested parentheses and NOTs", maxDepth))
	}
	defer func() { p.depth-- }()
	switch p.tok.kind {
	case tokenTerm:
		term := p.tok.term
		p.next()
		return term
	case tokenNot:
		p.next()
		return Not{p.parseUnary()}
	case tokenOpen:
		p.next()
		if p.tok.kind == tokenClose {
			p.fail(p.tok.start, "expected a condition between the parentheses; write \\( and \\) to search for the characters")
			return nil
		}
		inner := p.parseOr()
		if p.tok.kind != tokenClose {
			p.fail(start, "this ( is never closed; write \\( to search for the character")
			return nil
		}
		p.next()
		return inner
	case tokenEnd:
		p.fail(p.tok.start, "expected a condition, but the query ends here")
	case tokenClose:
		p.fail(p.tok.start, "expected a condition before )")
	case tokenPipe:
		p.fail(p.tok.start, "expected a condition before |")
	default:
		p.fail(p.tok.start, "expected a condition, not an operator; write \"AND\", \"OR\" or \"NOT\" in quotes to search for the word")
	}
	return nil
}

// next reads the next token.
func (p *parser) next() {
	if p.err != nil {
		return
	}
	for p.pos < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.pos:])
		if !unicode.IsSpace(r) {
			break
		}
		p.pos += n
	}
	p.tok = token{start: p.pos}
	if p.pos == len(p.text) {
		return
	}
	switch p.text[p.pos] {
	case '(':
		p.tok.kind = tokenOpen
		p.pos++
	case ')':
		p.tok.kind = tokenClose
		p.pos++
	case '|':
		if !p.pipes {
			p.fail(p.pos, "expected a condition without pipes here; write \\| to search for the character")
			return
		}
		p.tok.kind = tokenPipe
		p.pos++
	case '"':
		start := p.pos
		text := p.quoted()
		if text == "" {
			p.fail(start, "the phrase is empty")
			return
		}
		p.tok.kind, p.tok.term = tokenTerm, Phrase{Col(messageColumn), text}
	default:
		p.word()
	}
}

// word reads an operator, *, a word, or a field with its value.
func (p *parser) word() {
	start := p.pos
	field, ok := p.field()
	if p.err != nil {
		return
	}
	if ok {
		p.fieldValue(start, field)
		return
	}
	p.pos = start
	text := p.literal()
	if p.err != nil {
		return
	}
	p.tok.kind = tokenTerm
	switch p.text[start:p.pos] {
	case "AND":
		p.tok.kind = tokenAnd
	case "OR":
		p.tok.kind = tokenOr
	case "NOT":
		p.tok.kind = tokenNot
	case "*":
		p.tok.term = All{}
	default:
		p.tok.term = HasToken{Col(messageColumn), text}
	}
}

// field reads a field name and its colon, or says that there is none at this place.
func (p *parser) field() (name string, ok bool) {
	start := p.pos
	p.path = ""
	var b strings.Builder
	for p.pos < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.pos:])
		if r == ':' {
			if p.pos == start {
				p.fail(start, "expected a field name before the colon; write \\: to search for the character")
				return "", false
			}
			p.pos++
			return b.String(), !strings.HasPrefix(p.text[p.pos:], "//")
		}
		if path, n := expression.ReadPath(p.text[p.pos:]); n > 1 && p.pos > start && strings.HasPrefix(p.text[p.pos+n:], ":") {
			p.path = path.String()
			p.pos += n + 1
			return b.String(), !strings.HasPrefix(p.text[p.pos:], "//")
		}
		if r == '\\' {
			_, m := utf8.DecodeRuneInString(p.text[p.pos+n:])
			if m == 0 || !p.escapes(p.pos+n) {
				return "", false
			}
			b.WriteString(p.text[p.pos+n : p.pos+n+m])
			p.pos += n + m
			continue
		}
		if !isFieldRune(r, b.Len() == 0, strings.HasPrefix(b.String(), attrsColumn+".")) {
			return "", false
		}
		b.WriteRune(r)
		p.pos += n
	}
	return "", false
}

// isFieldRune says whether a field name may hold r unescaped. Keys of attrs may hold any letter and digit.
func isFieldRune(r rune, first, inAttrs bool) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_', r == '@':
		return true
	case r >= '0' && r <= '9', r == '.', r == '-':
		return !first
	default:
		return inAttrs && (unicode.IsLetter(r) || unicode.IsDigit(r))
	}
}

// fieldValue reads what follows a field's colon.
func (p *parser) fieldValue(start int, field string) {
	column := Col(field)
	if key, ok := strings.CutPrefix(field, attrsColumn+"."); ok && key != "" {
		column = Attr(key)
	}
	if p.path != "" {
		column = JSONPath(field, p.path)
	}
	p.tok = token{kind: tokenTerm, start: start}
	if p.pos < len(p.text) && p.text[p.pos] == '"' {
		text := p.quoted()
		if p.err != nil {
			return
		}
		if text == "" {
			p.tok.term = Equal{column, ""}
		} else {
			p.tok.term = Phrase{column, text}
		}
		return
	}
	at := p.pos
	text := p.literal()
	of, isPattern := strings.CutPrefix(field, patternField+".")
	if field == patternField {
		of, isPattern = messageColumn, true
	}
	switch {
	case p.err != nil:
	case isPattern && of != "":
		id, err := ParsePatternID(text)
		if err != nil {
			p.fail(at, "expected the id of a pattern: 16 hexadecimal digits, as firn patterns prints them")
			return
		}
		p.tok.term = HasPattern{Col(of), id}
	case p.pos == at:
		p.fail(at, fmt.Sprintf("expected a value after %q; write \\: to search for the text itself", p.text[start:at]))
	case column == Col(messageColumn):
		p.tok.term = HasToken{column, text}
	default:
		p.tok.term = Equal{column, text}
	}
}

// literal reads up to a space, quote or parenthesis and takes escapes away.
func (p *parser) literal() string {
	var b strings.Builder
	for p.pos < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.pos:])
		if unicode.IsSpace(r) || r == '"' || r == '(' || r == ')' {
			break
		}
		p.literalRune(&b, r, n)
	}
	return b.String()
}

// quoted reads a text in quotes and takes escapes away.
func (p *parser) quoted() string {
	start := p.pos
	p.pos++
	var b strings.Builder
	for p.pos < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.pos:])
		if r == '"' {
			p.pos++
			return b.String()
		}
		p.literalRune(&b, r, n)
	}
	p.fail(start, "this quote is never closed; write \\\" to search for the character")
	return ""
}

// literalRune reads one rune of n bytes, or what it escapes.
func (p *parser) literalRune(b *strings.Builder, r rune, n int) {
	if r == '\\' {
		if p.pos+n == len(p.text) {
			p.fail(p.pos, "expected a character after the backslash; write \\\\ for a backslash")
			return
		}
		if p.escapes(p.pos + n) {
			p.pos += n
			_, n = utf8.DecodeRuneInString(p.text[p.pos:])
		}
	}
	b.WriteString(p.text[p.pos : p.pos+n])
	p.pos += n
}

// escapes says whether a backslash before this place takes the following character literally, instead of standing for itself.
func (p *parser) escapes(pos int) bool {
	r, _ := utf8.DecodeRuneInString(p.text[pos:])
	return !isWordRune(r)
}

// isWordRune says whether tokens may hold the rune.
func isWordRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}
