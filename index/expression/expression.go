// Package expression holds what a value index is declared on: a small expression over one column that gives each row its values. It parses and
// prints expressions, and evaluates them over plain Go slices, the same way while an index is built and while a query checks rows. An
// Expression is immutable; the package has no state, and all of it is safe for concurrent use but Scratch.
package expression

import (
	"errors"
	"fmt"
	"strings"
)

// ErrSyntax says that a text is no expression, or a path no JSON path.
var ErrSyntax = errors.New("invalid index expression")

// Function says what an expression does with its column.
type Function uint8

// The functions. The comment gives the spelling and the values of one row.
const (
	Column      Function = iota // name: the column's value, none if null
	MapKeys                     // map_keys(name): every key of the map, also those of null values
	MapValues                   // map_values(name): every value of the map that is not null
	ElementAt                   // element_at(name,'key'), also name['key']: the value of that key (of the first entry of that key, if a file has it twice), none if null
	JSONExtract                 // json_extract(name,'$.a.b'): what Path.Extract says of the text
)

// functionNames are the spellings of functions.
var functionNames = map[Function]string{MapKeys: "map_keys", MapValues: "map_values", ElementAt: "element_at", JSONExtract: "json_extract"}

// Expression gives each row its values: none, one, or, for MapKeys and MapValues, many.
type Expression struct {
	Function Function
	Column   string // name of the column
	Key      string // of ElementAt
	Path     Path   // of JSONExtract
}

// String returns the canonical spelling, which Parse reads back: element_at(attrs,'status'). Names that are no identifiers stand in double
// quotes, keys and paths in single quotes, where a quote is written twice.
func (e Expression) String() string {
	name := e.Column
	if !isName(name) {
		name = quote(name, '"')
	}
	switch e.Function {
	case Column:
		return name
	case ElementAt:
		return functionNames[e.Function] + "(" + name + "," + quote(e.Key, '\'') + ")"
	case JSONExtract:
		return functionNames[e.Function] + "(" + name + "," + quote(e.Path.String(), '\'') + ")"
	}
	return functionNames[e.Function] + "(" + name + ")"
}

// Same says whether two expressions do the same with their columns, whatever these are called.
func (e Expression) Same(o Expression) bool {
	return e.Function == o.Function && e.Key == o.Key && e.Path.String() == o.Path.String()
}

func quote(text string, mark byte) string {
	m := string(mark)
	return m + strings.ReplaceAll(text, m, m+m) + m
}

// isName says whether a column's name can stand without quotes.
func isName(name string) bool {
	for i := range len(name) {
		if !isNameByte(name[i], i == 0) {
			return false
		}
	}
	return name != ""
}

func isNameByte(b byte, first bool) bool {
	switch {
	case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '_', b == '@':
		return true
	case b >= '0' && b <= '9', b == '.', b == '-':
		return !first
	}
	return false
}

// Parse reads an expression. Spaces between its parts do not count; function names may be of any case. Errors wrap ErrSyntax.
func Parse(text string) (Expression, error) {
	p := &parser{text: text}
	e, err := p.expression()
	if err != nil {
		return Expression{}, fmt.Errorf("%w %q at character %d: %w", ErrSyntax, text, len([]rune(text[:p.pos]))+1, err)
	}
	return e, nil
}

// parser reads an expression from left to right.
type parser struct {
	text string
	pos  int
}

func (p *parser) spaces() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\n\r", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// take takes one byte if it is next, behind spaces.
func (p *parser) take(b byte) bool {
	p.spaces()
	if p.pos < len(p.text) && p.text[p.pos] == b {
		p.pos++
		return true
	}
	return false
}

// name reads a column's or function's name, in double quotes or without.
func (p *parser) name() (name string, quoted bool, err error) {
	p.spaces()
	if p.pos < len(p.text) && p.text[p.pos] == '"' {
		name, err = p.quoted('"')
		if err == nil && name == "" {
			err = errors.New("the name is empty")
		}
		return name, true, err
	}
	start := p.pos
	for p.pos < len(p.text) && isNameByte(p.text[p.pos], p.pos == start) {
		p.pos++
	}
	if p.pos == start {
		return "", false, errors.New(`expected a column or one of map_keys, map_values, element_at, json_extract; an odd name stands in "double quotes"`)
	}
	return p.text[start:p.pos], false, nil
}

// quoted reads a text in quotes, in which a quote is written twice.
func (p *parser) quoted(mark byte) (string, error) {
	if !p.take(mark) {
		return "", fmt.Errorf("expected %c", mark)
	}
	var b strings.Builder
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		p.pos++
		if c != mark {
			b.WriteByte(c)
			continue
		}
		if p.pos == len(p.text) || p.text[p.pos] != mark {
			return b.String(), nil
		}
		b.WriteByte(mark)
		p.pos++
	}
	return "", fmt.Errorf("a quote %c is never closed", mark)
}

func (p *parser) expression() (Expression, error) {
	name, quoted, err := p.name()
	if err != nil {
		return Expression{}, err
	}
	e := Expression{Column: name}
	switch {
	case p.take('['):
		e.Function = ElementAt
		if e.Key, err = p.quoted('\''); err == nil && !p.take(']') {
			err = errors.New("expected ]")
		}
	case !quoted && p.take('('):
		e, err = p.call(name)
	}
	if err != nil {
		return Expression{}, err
	}
	if p.spaces(); p.pos < len(p.text) {
		return Expression{}, errors.New("expected the end of the expression")
	}
	return e, nil
}

// call reads the arguments of a function.
func (p *parser) call(name string) (Expression, error) {
	e := Expression{}
	for f, known := range functionNames {
		if strings.EqualFold(name, known) {
			e.Function = f
		}
	}
	if e.Function == Column {
		return e, fmt.Errorf("there is no function %s; there are map_keys, map_values, element_at and json_extract", name)
	}
	var err error
	if e.Column, _, err = p.name(); err != nil {
		return e, err
	}
	if e.Function == ElementAt || e.Function == JSONExtract {
		if !p.take(',') {
			return e, errors.New("expected a comma and a text in 'single quotes'")
		}
		text, err := p.quoted('\'')
		if err != nil {
			return e, err
		}
		if e.Function == ElementAt {
			e.Key = text
		} else if e.Path, err = ParsePath(text); err != nil {
			return e, err
		}
	}
	if !p.take(')') {
		return e, errors.New("expected )")
	}
	return e, nil
}
