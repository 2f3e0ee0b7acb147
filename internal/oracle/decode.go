package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// kind tells the JSON values apart.
type kind uint8

const (
	kindNull kind = iota
	kindString
	kindNumber
	kindBool
	kindArray
	kindObject
)

// field is one key of an object with its value.
type field struct {
	key   string
	value value
}

// value is a JSON value: its text (of a number and an array as it stands in the source), or its fields.
type value struct {
	kind   kind
	text   string
	fields []field // kindObject, in order; of equal keys the last one only
}

// decodeObject decodes a line that holds one JSON object, token by token.
func decodeObject(line []byte) ([]field, error) {
	if !json.Valid(line) {
		return nil, errors.New("not valid JSON")
	}
	d := decoder{line: line, json: json.NewDecoder(bytes.NewReader(line))}
	d.json.UseNumber()
	v, err := d.value()
	if err != nil {
		return nil, err
	}
	if v.kind != kindObject {
		return nil, errors.New("not a JSON object")
	}
	if _, err := d.json.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return v.fields, nil
}

// decoder walks the tokens of one line.
type decoder struct {
	line []byte
	json *json.Decoder
}

func (d *decoder) value() (value, error) {
	token, err := d.json.Token()
	if err != nil {
		return value{}, err
	}
	switch t := token.(type) {
	case nil:
		return value{kind: kindNull, text: "null"}, nil
	case string:
		return value{kind: kindString, text: t}, nil
	case json.Number:
		return value{kind: kindNumber, text: t.String()}, nil
	case bool:
		return value{kind: kindBool, text: fmt.Sprint(t)}, nil
	case json.Delim:
		if t == '[' {
			return d.array()
		}
		return d.object()
	}
	return value{}, fmt.Errorf("unknown token %v", token)
}

// array returns the source text of an array whose bracket has been read.
func (d *decoder) array() (value, error) {
	start := d.json.InputOffset() - 1
	for d.json.More() {
		if _, err := d.value(); err != nil {
			return value{}, err
		}
	}
	if _, err := d.json.Token(); err != nil {
		return value{}, err
	}
	text := strings.ToValidUTF8(string(d.line[start:d.json.InputOffset()]), "\uFFFD")
	return value{kind: kindArray, text: text}, nil
}

// object returns the fields of an object whose brace has been read.
func (d *decoder) object() (value, error) {
	v := value{kind: kindObject}
	var seen map[string]int // only for large objects
	for d.json.More() {
		key, err := d.json.Token()
		if err != nil {
			return value{}, err
		}
		inner, err := d.value()
		if err != nil {
			return value{}, err
		}
		f := field{key.(string), inner}
		if seen == nil && len(v.fields) >= 32 {
			seen = map[string]int{}
			for i := range v.fields {
				seen[v.fields[i].key] = i
			}
		}
		if i := indexOf(v.fields, seen, f.key); i >= 0 {
			v.fields[i] = f
			continue
		}
		if seen != nil {
			seen[f.key] = len(v.fields)
		}
		v.fields = append(v.fields, f)
	}
	_, err := d.json.Token()
	return v, err
}

// indexOf returns where a key stands, or -1; seen is nil for short lists.
func indexOf(fields []field, seen map[string]int, key string) int {
	if seen != nil {
		if i, ok := seen[key]; ok {
			return i
		}
		return -1
	}
	for i := range fields {
		if fields[i].key == key {
			return i
		}
	}
	return -1
}
