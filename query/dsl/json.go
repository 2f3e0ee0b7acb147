package dsl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/firnlog/firn/query"
)

// Limits of a question. They bound the time and the stack that reading it may take.
const (
	maxBytes = 1 << 20
	maxDepth = 100
)

// kind is what a JSON value is.
type kind uint8

const (
	nullKind kind = iota
	boolKind
	numberKind
	textKind
	listKind
	objectKind
)

var kindNames = []string{"null", "true or false", "a number", "a text", "a list", "an object"}

// node is a JSON value and its place.
type node struct {
	pointer string // RFC 6901
	kind    kind
	text    string // of a text; of a number as it is written; true or false
	list    []node
	fields  []field // in the order in which they are written
}

// field is a key of an object with its value.
type field struct {
	key   string
	value node
}

// Error says what is wrong with a question, and where. It wraps query.ErrSyntax.
type Error struct {
	Pointer string // a JSON pointer (RFC 6901) to the place; empty: the whole
	Message string
}

// Unwrap returns query.ErrSyntax.
func (e *Error) Unwrap() error { return query.ErrSyntax }

// Error returns the place and the message.
func (e *Error) Error() string {
	pointer := e.Pointer
	if pointer == "" {
		pointer = "/"
	}
	return fmt.Sprintf("%v at %s: %s", query.ErrSyntax, pointer, e.Message)
}

func (n node) errorf(format string, args ...any) error {
	return &Error{Pointer: n.pointer, Message: fmt.Sprintf(format, args...)}
}

// expected is the error that a value is of another kind.
func (n node) expected(what string) error {
	return n.errorf("expected %s, found %s", what, kindNames[n.kind])
}

// get returns a key of an object.
func (n node) get(key string) (node, bool) {
	for _, f := range n.fields {
		if f.key == key {
			return f.value, true
		}
	}
	return node{}, false
}

// escapeKey writes a key as a step of a pointer.
var escapeKey = strings.NewReplacer("~", "~0", "/", "~1")

// decode reads one JSON object. Keys that stand twice, invalid UTF-8, and more than the limits allow are errors; numbers stay as they are written.
func decode(text []byte) (node, error) {
	switch {
	case len(text) > maxBytes:
		return node{}, &Error{Message: fmt.Sprintf("the question is longer than %d KiB; shorten its lists of values", maxBytes>>10)}
	case !utf8.Valid(text):
		at := 0
		for at < len(text) {
			r, n := utf8.DecodeRune(text[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		return node{}, &query.SyntaxError{Text: string(text), Offset: at, Message: "this byte is not valid UTF-8"}
	}
	d := decoder{text: text, json: json.NewDecoder(bytes.NewReader(text))}
	d.json.UseNumber()
	n, err := d.value("", 0)
	if err != nil {
		return node{}, d.located(err)
	}
	if _, err := d.json.Token(); !errors.Is(err, io.EOF) {
		return node{}, d.located(errors.New("something follows the object"))
	}
	if n.kind != objectKind {
		return node{}, n.expected(`an object like {"query": {"match_all": {}}}`)
	}
	return n, nil
}

// decoder walks the tokens of a text.
type decoder struct {
	text []byte
	json *json.Decoder
}

// located gives an error of the JSON library its place.
func (d *decoder) located(err error) error {
	var ours *Error
	if errors.As(err, &ours) {
		return err
	}
	// The decoder of tokens counts from where a value begins; checking the whole gives the place.
	var whole json.RawMessage
	var syntax *json.SyntaxError
	offset := 0
	if again := json.Unmarshal(d.text, &whole); errors.As(again, &syntax) {
		offset = int(syntax.Offset) - 1
	}
	message := "this is no JSON: " + strings.TrimPrefix(err.Error(), "json: ")
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		offset, message = len(d.text), "the JSON ends here, too early"
	}
	return &query.SyntaxError{Text: string(d.text), Offset: min(max(offset, 0), len(d.text)), Message: message}
}

// value reads the next value.
func (d *decoder) value(pointer string, depth int) (node, error) {
	n := node{pointer: pointer}
	if depth > maxDepth {
		return n, n.errorf("more than %d values within each other", maxDepth)
	}
	token, err := d.json.Token()
	if err != nil {
		return n, err
	}
	switch token := token.(type) {
	case bool:
		n.kind, n.text = boolKind, strconv.FormatBool(token)
	case json.Number:
		n.kind, n.text = numberKind, token.String()
	case string:
		n.kind, n.text = textKind, token
	case json.Delim:
		if token == '[' {
			return n, d.elements(&n, depth)
		}
		return n, d.members(&n, depth)
	}
	return n, nil
}

func (d *decoder) elements(n *node, depth int) error {
	n.kind = listKind
	for d.json.More() {
		element, err := d.value(n.pointer+"/"+strconv.Itoa(len(n.list)), depth+1)
		if err != nil {
			return err
		}
		n.list = append(n.list, element)
	}
	_, err := d.json.Token()
	return err
}

func (d *decoder) members(n *node, depth int) error {
	n.kind = objectKind
	seen := map[string]bool{}
	for d.json.More() {
		token, err := d.json.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		value, err := d.value(n.pointer+"/"+escapeKey.Replace(key), depth+1)
		if err != nil {
			return err
		}
		if seen[key] {
			return value.errorf("this key stands here for the second time")
		}
		seen[key] = true
		n.fields = append(n.fields, field{key, value})
	}
	_, err := d.json.Token()
	return err
}
