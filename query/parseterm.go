package query

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/firnlog/firn/index/expression"
)

// field is what stands before a colon or an operator.
type field struct {
	name string // as it is written, without escapes and path
	path string
}

// column returns the column that a field means.
func (f field) column() Column {
	if f.path != "" {
		return JSONPath(f.name, f.path)
	}
	return normalColumn(Col(f.name))
}

// isMessage says whether the field is the text that words are looked for in.
func (f field) isMessage() bool { return f.column() == Col(messageColumn) }

// term reads one condition. An operator becomes the current token instead.
func (p *parser) term() Predicate {
	start := p.pos
	if p.group != nil {
		if p.operator() {
			return nil
		}
		return p.value(start, *p.group)
	}
	message := field{name: messageColumn}
	switch {
	case p.text[start] == '"':
		text := p.quoted()
		if condition, ok := p.quotedField(start, text); ok {
			return condition
		}
		if p.err == nil && text == "" && !strings.HasPrefix(p.text[p.pos:], "*") {
			p.fail(start, "the phrase is empty")
		}
		return p.quotedTokens(message, text)
	case strings.HasPrefix(p.text[start:], `~"`):
		p.pos++
		return Contains{message.column(), p.quoted()}
	case p.text[start] == ':':
		p.fail(start, "expected a field name before the colon; write \\: to search for the character")
		return nil
	}
	if expr, ok := p.regexp(message.column()); ok {
		return expr
	}
	if condition, ok := p.fieldCondition(start, p.field(p.columnName())); ok {
		return condition
	}
	p.pos = start
	if p.operator() {
		return nil
	}
	return p.word(start)
}

// operator reads AND, OR or NOT into the current token, and says whether one stood there.
func (p *parser) operator() bool {
	start := p.pos
	for p.pos < len(p.text) && p.text[p.pos] >= 'A' && p.text[p.pos] <= 'Z' {
		p.pos++
	}
	kinds := map[string]tokenKind{"AND": tokenAnd, "OR": tokenOr, "NOT": tokenNot}
	if kind, ok := kinds[p.text[start:p.pos]]; ok && endsLiteral(p.text[p.pos:]) {
		p.tok = token{kind: kind, start: start}
		return true
	}
	p.pos = start
	return false
}

// word reads what is looked for in log_msg.
func (p *parser) word(start int) Predicate {
	text, star := p.literal()
	switch raw := p.text[start:p.pos]; {
	case p.err != nil:
		return nil
	case raw == "*":
		return All{}
	case raw == "last":
		if span, ok := p.lastSpan(); ok {
			return Compare{Col(timestampColumn), GreaterOrEqual, span}
		}
	case isLoneOperator(raw):
		p.fail(start, fmt.Sprintf("expected a condition, not %s; write comparisons without spaces, status>=500, and status:500 for equality", raw))
		return nil
	}
	return p.tokens(start, text, star)
}

// isLoneOperator says whether a word is an operator that a field and a value should stand around.
func isLoneOperator(word string) bool {
	switch word {
	case "<", "<=", ">", ">=", "=", "==", "!=":
		return true
	}
	return false
}

// tokens returns the condition on log_msg for a word, or for a prefix if a star ends it.
func (p *parser) tokens(start int, text string, star bool) Predicate {
	prefix := strings.TrimSuffix(text, "*")
	if last, _ := utf8.DecodeLastRuneInString(prefix); !star || !isWordRune(last) {
		return HasToken{Col(messageColumn), text}
	}
	if strings.ContainsFunc(prefix, func(r rune) bool { return !isWordRune(r) }) {
		p.fail(start, fmt.Sprintf("expected one word of letters, digits and _ before *; write ~%s for a part of the text, or \\* for the character", quoteText(prefix)))
		return nil
	}
	return TokenPrefix{Col(messageColumn), prefix}
}

// lastSpan reads the span of time behind the word last.
func (p *parser) lastSpan() (Ago, bool) {
	start := p.pos
	p.space()
	span, ok := parseSpan(p.name())
	if !ok || p.pos == start || span == 0 || span > 1<<63-1 || !endsLiteral(p.text[p.pos:]) {
		p.pos = start
		return 0, false
	}
	return Ago(span), true
}

// field returns the field of a name that was read, and reads the JSON path behind it, if there is one.
func (p *parser) field(name string) field {
	f := field{name: name}
	if path, n := expression.ReadPath(p.text[p.pos:]); n > 1 && f.name != "" {
		if rest := p.text[p.pos+n:]; rest != "" && strings.IndexByte(":<>", rest[0]) >= 0 {
			f.path = path.String()
			p.pos += n
		}
	}
	return f
}

// fieldCondition reads a colon or an operator and a value behind a field, if that is what stands there.
func (p *parser) fieldCondition(start int, f field) (Predicate, bool) {
	if f.name == "" {
		return nil, false
	}
	if rest := p.text[p.pos:]; strings.HasPrefix(rest, ":") && !strings.HasPrefix(rest, "://") {
		p.pos++
		return p.value(start, f), true
	}
	return p.comparison(start, f)
}

// quotedField reads what stands behind a field's name in quotes, if the quotes were of such.
func (p *parser) quotedField(start int, name string) (Predicate, bool) {
	if p.err != nil {
		return nil, true
	}
	if name == "" && strings.HasPrefix(p.text[p.pos:], ":") {
		p.fail(start, "expected a field name before the colon")
		return nil, true
	}
	behind := p.pos
	condition, ok := p.fieldCondition(start, p.field(name))
	if !ok {
		p.pos = behind
	}
	return condition, ok
}

// comparison reads an operator and a value behind a field, if that is what stands there.
func (p *parser) comparison(start int, f field) (Predicate, bool) {
	at := p.pos
	if f.path == "" && at-start > 0 && p.text[at-1] == '-' && (at-start < 2 || p.text[at-2] != '\\') {
		return nil, false // an arrow
	}
	op := p.compareOperator()
	if op == "" {
		return nil, false
	}
	v, ok := p.operand()
	if !ok {
		p.pos = at
		return nil, false
	}
	return Compare{f.column(), op, v}, true
}

// compareOperator reads an operator of Compare; empty if there is none.
func (p *parser) compareOperator() Op {
	for _, op := range []Op{LessOrEqual, GreaterOrEqual, Less, Greater} {
		if strings.HasPrefix(p.text[p.pos:], string(op)) {
			p.pos += len(op)
			return op
		}
	}
	return ""
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

// literal reads up to a space, quote or parenthesis and takes escapes away. It says whether a star that is not escaped ends it.
func (p *parser) literal() (text string, star bool) {
	var b strings.Builder
	for p.pos < len(p.text) && !endsLiteral(p.text[p.pos:]) {
		r, n := utf8.DecodeRuneInString(p.text[p.pos:])
		p.literalRune(&b, r, n)
		star = r == '*'
	}
	return b.String(), star
}

// endsLiteral says whether a word or value ends before this text.
func endsLiteral(rest string) bool {
	if rest == "" {
		return true
	}
	r := firstRune(rest)
	return unicode.IsSpace(r) || r == '"' || r == '(' || r == ')'
}

func firstRune(text string) rune {
	r, _ := utf8.DecodeRuneInString(text)
	return r
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
func (p *parser) escapes(pos int) bool { return !isWordRune(firstRune(p.text[pos:])) }

// isWordRune says whether tokens may hold the rune.
func isWordRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}
