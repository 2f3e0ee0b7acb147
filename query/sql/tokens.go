package sql

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/firnlog/firn/query"
)

// kind is what a token is.
type kind uint8

const (
	wordToken   kind = iota // a keyword or a name without quotes
	quotedToken             // a name in "double quotes" or `backticks`
	stringToken             // a text in 'single quotes'
	numberToken             // without a sign
	symbolToken             // an operator or a punctuation mark
)

// token is one element of the text.
type token struct {
	kind       kind
	start, end int    // in bytes of the text, quotes included
	text       string // without quotes, doubled quotes inside taken for one
	upper      string // of a word and a symbol: in upper case
}

// is says whether the token is this keyword or symbol.
func (t token) is(upper string) bool {
	return t.upper == upper
}

// operators are the symbols of two characters.
var operators = []string{"<>", "!=", "<=", ">=", "==", "||", "::", "->", "=>", "<<", ">>"}

// symbols are the ones that mean something in the statements that firn runs; the operators of two characters that are not here are refused as well.
const symbols = "( ) [ ] , . ; * + - = == <> != < <= > >="

// lex cuts a text into tokens. Comments are left out. A backslash is a character like any other, as the SQL standard has it.
func lex(text string) ([]token, error) {
	if at := invalidAt(text); at >= 0 {
		return nil, fail(text, at, "this byte is not valid UTF-8")
	}
	var tokens []token
	for at := 0; at < len(text); {
		next, err := skip(text, at)
		if err != nil {
			return nil, err
		}
		if next > at {
			at = next
			continue
		}
		t, err := lexOne(text, at)
		if err != nil {
			return nil, err
		}
		tokens, at = append(tokens, t), t.end
	}
	return tokens, nil
}

func invalidAt(text string) int {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(text[i:]); n == 1 {
				return i
			}
		}
	}
	return -1
}

// skip returns the place behind a space or comment, or at if there is none.
func skip(text string, at int) (int, error) {
	rest := text[at:]
	switch r, n := utf8.DecodeRuneInString(rest); {
	case unicode.IsSpace(r):
		return at + n, nil
	case strings.HasPrefix(rest, "--"):
		if i := strings.IndexAny(rest, "\r\n"); i >= 0 {
			return at + i, nil
		}
		return len(text), nil
	case strings.HasPrefix(rest, "/*"):
		if i := strings.Index(rest[2:], "*/"); i >= 0 {
			return at + i + 4, nil
		}
		return 0, fail(text, at, "this comment is never closed; write */ behind it")
	}
	return at, nil
}

func lexOne(text string, at int) (token, error) {
	r, _ := utf8.DecodeRuneInString(text[at:])
	switch {
	case r == '\'':
		return lexQuoted(text, at, stringToken, `this text is never closed; write ' behind it, and '' for a quote within`)
	case r == '"' || r == '`':
		t, err := lexQuoted(text, at, quotedToken, fmt.Sprintf("this name is never closed; write %c behind it", r))
		if err == nil && t.text == "" {
			err = fail(text, at, "expected a name between these quotes")
		}
		return t, err
	case r >= '0' && r <= '9':
		return lexNumber(text, at)
	case isWordStart(r):
		end := at
		for end < len(text) {
			r, n := utf8.DecodeRuneInString(text[end:])
			if !isWordStart(r) && !unicode.IsDigit(r) && r != '$' {
				break
			}
			end += n
		}
		return token{wordToken, at, end, text[at:end], strings.ToUpper(text[at:end])}, nil
	}
	return lexSymbol(text, at)
}

func isWordStart(r rune) bool { return r == '_' || unicode.IsLetter(r) }

func lexQuoted(text string, at int, k kind, unclosed string) (token, error) {
	quote := text[at : at+1]
	var b strings.Builder
	for from := at + 1; ; {
		i := strings.Index(text[from:], quote)
		if i < 0 {
			return token{}, fail(text, at, unclosed)
		}
		b.WriteString(text[from : from+i])
		from += i + 1
		if !strings.HasPrefix(text[from:], quote) {
			return token{kind: k, start: at, end: from, text: b.String()}, nil
		}
		b.WriteString(quote)
		from++
	}
}

func lexNumber(text string, at int) (token, error) {
	end := at
	digits := func() {
		for end < len(text) && text[end] >= '0' && text[end] <= '9' {
			end++
		}
	}
	digits()
	if end < len(text) && text[end] == '.' {
		end++
		digits()
	}
	if end < len(text) && (text[end] == 'e' || text[end] == 'E') {
		end++
		if end < len(text) && (text[end] == '+' || text[end] == '-') {
			end++
		}
		start := end
		if digits(); end == start {
			return token{}, fail(text, at, "expected digits behind the E of this number")
		}
	}
	if r, _ := utf8.DecodeRuneInString(text[end:]); end < len(text) && (isWordStart(r) || r == '$' || r == '.') {
		return token{}, fail(text, at, "expected a number like 12, 1.5 or 2e9; a name that begins with a digit needs quotes: \"5xx\"")
	}
	return token{kind: numberToken, start: at, end: end, text: text[at:end]}, nil
}

func lexSymbol(text string, at int) (token, error) {
	_, n := utf8.DecodeRuneInString(text[at:])
	symbol := text[at : at+n]
	for _, o := range operators {
		if strings.HasPrefix(text[at:], o) {
			symbol = o
		}
	}
	for k := range strings.FieldsSeq(symbols) {
		if symbol == k {
			return token{kind: symbolToken, start: at, end: at + len(symbol), text: symbol, upper: symbol}, nil
		}
	}
	return token{}, fail(text, at, unknownSymbol(symbol))
}

// unknownSymbol says what to do about a symbol that no statement of firn holds.
func unknownSymbol(symbol string) string {
	switch symbol {
	case "@":
		return `a name with @ needs quotes: "@timestamp"`
	case "::":
		return "firn converts values to the type of their column by itself: write the value without ::type"
	case "/", "%", "^", "<<", ">>", "&", "|":
		return "firn does not compute with columns; " + elsewhere
	case "||":
		return "firn does not join texts; " + elsewhere
	case "->", "=>":
		return "there are no lambda functions and JSON operators here; a JSON path is written json_extract(log_msg, '$.user.id')"
	case "?", ":", "{", "$":
		return "there are no parameters here; write the value itself"
	}
	return fmt.Sprintf("%q means nothing here; write texts in 'single quotes' and unusual names in \"double quotes\"", symbol)
}

func fail(text string, offset int, message string) error {
	return &query.SyntaxError{Text: text, Offset: min(offset, len(text)), Message: message}
}
