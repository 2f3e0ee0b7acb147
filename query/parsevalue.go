package query

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// value reads what stands behind a field's colon, or in its parentheses. start is where the field began.
func (p *parser) value(start int, f field) Predicate {
	at := p.pos
	rest := p.text[at:]
	c := f.column()
	switch {
	case strings.HasPrefix(rest, `"`):
		return p.quotedTokens(f, p.quoted())
	case strings.HasPrefix(rest, `~"`):
		p.pos++
		return Contains{c, p.quoted()}
	case strings.HasPrefix(rest, `="`):
		p.pos++
		text := p.quoted()
		if p.star() {
			return Prefix{c, text}
		}
		return Equal{c, text}
	case strings.HasPrefix(rest, "(") && p.group == nil:
		return p.fieldGroup(f)
	case strings.HasPrefix(rest, "in(") && p.group == nil:
		return p.list(c)
	case strings.HasPrefix(rest, "["), strings.HasPrefix(rest, "{"):
		if span, ok := p.valueRange(c); ok {
			return span
		}
	}
	if expr, ok := p.regexp(c); ok {
		return expr
	}
	if op := p.compareOperator(); op != "" {
		if v, ok := p.operand(); ok {
			return Compare{c, op, v}
		}
		p.pos = at
	}
	return p.plainValue(start, f, c)
}

// plainValue reads a value as it stands, or the beginning of one with a star.
func (p *parser) plainValue(start int, f field, c Column) Predicate {
	at := p.pos
	text, star := p.literal()
	raw := p.text[at:p.pos]
	switch {
	case p.err != nil:
		return nil
	case raw == "*":
		return Not{IsNull{c}}
	case p.pos == at:
		p.fail(at, fmt.Sprintf("expected a value after %q; write \\: to search for the text itself", p.text[start:at]))
		return nil
	case f.isMessage():
		return p.tokens(at, text, star)
	case star && raw[0] == '*':
		p.fail(at, fmt.Sprintf("expected a value with * only at its end; write ~%s for a part of the text, or \\* for the character", quoteText(strings.Trim(text, "*"))))
		return nil
	case star:
		return Prefix{c, strings.TrimSuffix(text, "*")}
	}
	if of := patternColumnOf(f.name); of != "" {
		id, err := ParsePatternID(text)
		if err != nil {
			p.fail(at, "expected the id of a pattern: 16 hexadecimal digits, as firn patterns prints them")
		}
		return HasPattern{Col(of), id}
	}
	return Equal{c, text}
}

// patternColumnOf returns the column whose patterns a field means; empty if it means none.
func patternColumnOf(name string) string {
	if name == patternField {
		return messageColumn
	}
	of, ok := strings.CutPrefix(name, patternField+".")
	if !ok {
		return ""
	}
	return of
}

// quotedTokens returns the condition for a text in quotes that was read.
func (p *parser) quotedTokens(f field, text string) Predicate {
	switch {
	case p.err != nil:
		return nil
	case p.star():
		return TokenPrefix{f.column(), text}
	case text == "":
		return Equal{f.column(), ""}
	}
	return Phrase{f.column(), text}
}

// star reads a star, and says whether one stood there.
func (p *parser) star() bool {
	if p.err != nil || !strings.HasPrefix(p.text[p.pos:], "*") {
		return false
	}
	p.pos++
	return true
}

// fieldGroup reads a condition on the values of one field, in parentheses.
func (p *parser) fieldGroup(f field) Predicate {
	start := p.pos
	p.group = &f
	defer func() { p.group = nil }()
	p.pos++
	p.next()
	if p.err == nil && p.tok.kind == tokenClose {
		p.fail(p.tok.start, "expected a value between the parentheses; write \\( and \\) to search for the characters")
		return nil
	}
	inner := p.parseOr()
	if p.tok.kind != tokenClose {
		p.fail(start, "this ( is never closed; write \\( to search for the character")
		return nil
	}
	p.tok = token{}
	return inner
}

// list reads the values of In.
func (p *parser) list(c Column) Predicate {
	start := p.pos + len("in")
	p.pos = start + 1
	in := In{Column: c}
	if p.accept(')') {
		return in
	}
	for p.err == nil {
		p.space()
		at := p.pos
		if strings.HasPrefix(p.text[at:], `"`) {
			in.Values = append(in.Values, p.quoted())
		} else {
			text := p.until(",")
			if p.pos == at && p.pos < len(p.text) {
				p.fail(at, "expected a value; write values with odd characters in quotes")
			}
			in.Values = append(in.Values, text)
		}
		switch {
		case p.accept(')'):
			return in
		case p.accept(','):
		case p.pos == len(p.text):
			p.fail(start, "this ( is never closed; write \\( to search for the character")
		default:
			p.fail(p.pos, "expected , or ) after the value")
		}
	}
	return nil
}

// until reads up to a space, quote, parenthesis or one of the characters, and takes escapes away.
func (p *parser) until(characters string) string {
	var b strings.Builder
	for p.pos < len(p.text) && !endsLiteral(p.text[p.pos:]) && strings.IndexByte(characters, p.text[p.pos]) < 0 {
		r, n := utf8.DecodeRuneInString(p.text[p.pos:])
		p.literalRune(&b, r, n)
	}
	return b.String()
}

// valueRange reads [a TO b], if that is what stands there. Once TO was read, everything else is an error.
func (p *parser) valueRange(c Column) (Predicate, bool) {
	start := p.pos
	open := p.text[start]
	p.pos++
	low, ok := p.rangeEnd()
	if p.err != nil {
		return nil, true
	}
	if before := p.pos; !ok || !p.keyword("TO") || p.text[p.pos-2:p.pos] != "TO" || !unicode.IsSpace(firstRune(p.text[before:])) {
		p.pos = start
		return nil, false
	}
	p.space()
	at := p.pos
	high, ok := p.rangeEnd()
	if !ok {
		p.fail(at, "expected the upper end of the range: a value, or * for none")
		return nil, true
	}
	p.space()
	if p.pos == len(p.text) || p.text[p.pos] != ']' && p.text[p.pos] != '}' {
		p.fail(p.pos, "expected ] to include the upper end of the range, or } to exclude it")
		return nil, true
	}
	p.pos++
	return rangeOf(c, low, high, open == '{', p.text[p.pos-1] == '}'), true
}

// rangeOf returns the condition that a value lies between two ends, either of which may be missing (nil).
func rangeOf(c Column, low, high any, openLow, openHigh bool) Predicate {
	from, to := GreaterOrEqual, LessOrEqual
	if openLow {
		from = Greater
	}
	if openHigh {
		to = Less
	}
	switch {
	case low == nil && high == nil:
		return Not{IsNull{c}}
	case low == nil:
		return Compare{c, to, high}
	case high == nil:
		return Compare{c, from, low}
	case openLow || openHigh:
		return And{Compare{c, from, low}, Compare{c, to, high}}
	}
	return Between{c, low, high}
}

// rangeEnd reads one end of a range: nil for a star.
func (p *parser) rangeEnd() (v any, ok bool) {
	p.space()
	if p.pos < len(p.text) && p.text[p.pos] == '"' {
		return p.quoted(), true
	}
	start := p.pos
	text := p.until("]}")
	switch v, ok := bareOperand(text); {
	case p.pos == start || p.err != nil:
		return nil, false
	case p.text[start:p.pos] == "*":
		return nil, true
	case ok:
		return v, true
	}
	return text, true
}

// operand reads what a field is compared with: a text in quotes, a number, a time, or a moment relative to now.
func (p *parser) operand() (any, bool) {
	if p.pos < len(p.text) && p.text[p.pos] == '"' {
		return p.quoted(), true
	}
	text, _ := p.literal()
	return bareOperand(text)
}

// bareOperand returns what a text without quotes is compared as, unless it is just a word.
func bareOperand(text string) (any, bool) {
	if n, ok := parseLiteralNumber(text); ok {
		return n, true
	}
	if rest, ok := strings.CutPrefix(text, "now"); ok {
		if ago, ok := parseAgo(rest); ok {
			return ago, true
		}
	}
	if _, err := parseTime(text); err == nil {
		return text, true
	}
	return nil, false
}

// parseAgo reads what stands behind now: nothing, -15m, +1h.
func parseAgo(text string) (Ago, bool) {
	if text == "" {
		return 0, true
	}
	span, ok := parseSpan(text[1:])
	switch {
	case !ok:
		return 0, false
	case text[0] == '-' && span <= math.MaxInt64:
		return Ago(span), true
	case text[0] == '+' && span <= -math.MinInt64:
		return Ago(-span), true
	}
	return 0, false
}

// parseSpan reads a span of time: 15m, 1h30m.
func parseSpan(text string) (span uint64, ok bool) {
	for text != "" {
		digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
		count, err := strconv.ParseUint(text[:digits], 10, 64)
		if err != nil {
			return 0, false
		}
		text = text[digits:]
		letters := len(text) - len(strings.TrimLeft(text, "abcdefghijklmnopqrstuvwxyz"))
		unit := uint64(0)
		for _, u := range agoUnits {
			if u.name == text[:letters] {
				unit = uint64(u.span)
			}
		}
		high, low := bits.Mul64(count, unit)
		sum, carry := bits.Add64(span, low, 0)
		if unit == 0 || high != 0 || carry != 0 {
			return 0, false
		}
		text, span, ok = text[letters:], sum, true
	}
	return span, ok
}

// regexp reads a regular expression between slashes, if one stands here.
func (p *parser) regexp(c Column) (Predicate, bool) {
	expr, n, ok := readRegexp(p.text[p.pos:])
	if !ok {
		return nil, false
	}
	start := p.pos
	p.pos += n
	if _, err := compileRegexp(expr); err != nil {
		at := start
		var bad *syntax.Error
		if errors.As(err, &bad) {
			at += max(0, strings.Index(p.text[start:start+n], bad.Expr))
		}
		p.fail(at, fmt.Sprintf("expected a regular expression between the slashes: %v; write quotes around the word to search for it as it stands", err))
	}
	return Regexp{c, expr}, true
}

// readRegexp reads a regular expression between slashes: from a slash before something that is no space to the next one, if that ends the word. So paths are none. It
// returns the length of the text with its slashes.
func readRegexp(text string) (expr string, n int, ok bool) {
	if len(text) < 3 || text[0] != '/' || unicode.IsSpace(firstRune(text[1:])) {
		return "", 0, false
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			if text[i+1] != '/' {
				b.WriteByte('\\')
			}
			b.WriteByte(text[i+1])
			i++
			continue
		case text[i] == '/':
			last, _ := utf8.DecodeLastRuneInString(b.String())
			after := text[i+1:]
			ends := after == "" || after[0] == ')' || unicode.IsSpace(firstRune(after))
			return b.String(), i + 1, i > 1 && ends && !unicode.IsSpace(last)
		}
		b.WriteByte(text[i])
	}
	return "", 0, false
}
