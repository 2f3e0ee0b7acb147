package query

import (
	"fmt"
	"strings"
	"unicode"
)

// maxDepth is how deeply parentheses and NOTs of a text may be nested.
const maxDepth = 250

// Parse reads a predicate from the text language:
//
//	word                  HasToken on log_msg; several tokens (a UUID, a path, an address, key=value) are a phrase
//	conn*                 TokenPrefix on log_msg; field:"conn"* of another column
//	"some words"          Phrase on log_msg
//	~"some text"          Contains on log_msg; field:~"some text" of another column
//	/expr/                Regexp on log_msg; field:/expr/ of another column. \/ is a slash in it
//	last 15m              Compare: _timestamp>=now-15m. Units are s, m, h, d and w, and ms, us and ns
//	field:value           Equal; the value is converted to the column's type. log_msg:word is HasToken
//	field:web*            Prefix; log_msg:conn* is TokenPrefix
//	field:"some words"    Phrase (on columns that are no text: Equal); field:"" is Equal to the empty text
//	field:="text"         Equal, of log_msg too; field:="text"* is Prefix
//	field:in(a, "b c")    In
//	field>5, field:>5     Compare, with <, <=, > or >= and a number, a time, now, now-15m or a text in quotes; with anything else it is a word
//	field:[1 TO 5]        Between; a { or } leaves out the end itself, * is no end
//	field:*               there is a value: not IsNull
//	field:(a OR "b c")    a condition on the values of one field
//	*                     All
//	a b, a AND b, a OR b, NOT a, -a, (a)
//
// A field with a JSON path behind it, log_msg$.user.id:42 or log_msg$['odd name'][0]:x, means what the path finds in the column's texts, see JSONPath.
//
// NOT binds tighter than AND, AND tighter than OR; operators are upper-case. A field that is no column of the table is a key of attrs, and attrs.x
// is the key x of attrs. A field is an identifier ([A-Za-z_@][A-Za-z0-9_.@-]*); other words with a colon, and those like http://x, are plain words, and so are
// a->b, x>y, a-b, key=value and /var/log/x (a regular expression ends with a slash, before a space). A backslash takes any following character literally, but
// stands for itself before a letter, a digit or _. docs/QUERY.md tells more. Errors are of type *SyntaxError.
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
	pipes bool   // are understood
	group *field // whose values are read, within field:( )
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
		x := p.parseUnary()
		if exists, ok := x.(Not); ok {
			if null, ok := exists.X.(IsNull); ok {
				return null
			}
		}
		return Not{x}
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
	p.space()
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
	default:
		if p.negates() {
			p.tok.kind = tokenNot
			p.pos++
			return
		}
		start := p.pos
		term := p.term()
		if p.err == nil && p.tok.kind == tokenEnd {
			p.tok = token{kind: tokenTerm, start: start, term: term}
		}
	}
}

// negates says whether a minus stands here that means NOT: before a word, a field, a quote or a parenthesis.
func (p *parser) negates() bool {
	rest, ok := strings.CutPrefix(p.text[p.pos:], "-")
	if !ok || rest == "" {
		return false
	}
	if _, _, isRegexp := readRegexp(rest); isRegexp {
		return true
	}
	return strings.IndexByte(`"(@`, rest[0]) >= 0 || strings.HasPrefix(rest, `~"`) || isWordRune(firstRune(rest))
}
