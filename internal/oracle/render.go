package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"time"
)

// timeText is how timestamps are printed: RFC 3339 in UTC with microseconds.
const timeText = "2006-01-02T15:04:05.000000Z"

// Canonical returns a row as JSON with sorted keys, comparable with what CanonicalJSON makes of a row printed by the engine.
func (m *Mapper) Canonical(r *Row) string {
	object := make(map[string]any, len(m.columns)+1)
	for i, c := range m.columns {
		object[c.Name] = plain(r.Cells[i])
	}
	attrs := make(map[string]any, len(r.Attrs))
	for _, a := range r.Attrs {
		attrs[a.Key] = plain(a.Value)
	}
	object[AttrsColumn] = attrs
	return marshal(object)
}

// plain returns what a value looks like in JSON.
func plain(v Value) any {
	if !v.Known {
		return nil
	}
	switch v.Type {
	case String:
		return v.Text
	case Bool:
		return v.Int == 1
	case Float:
		return exactNumber(strconv.FormatFloat(v.Float, 'g', -1, 32))
	case Double:
		return exactNumber(strconv.FormatFloat(v.Float, 'g', -1, 64))
	case Timestamp:
		return Time(v.Int).Format(timeText)
	case Date:
		return time.Unix(v.Int*86400, 0).UTC().Format("2006-01-02")
	}
	return exactNumber(strconv.FormatInt(v.Int, 10))
}

// exactNumber brings a number into one form, whatever its notation: 3000000000 and 3e+09 are the same.
func exactNumber(text string) string {
	if r, ok := new(big.Rat).SetString(text); ok {
		return "number " + r.RatString()
	}
	return text
}

// CanonicalJSON brings a JSON object into the form of Canonical: sorted keys, numbers in one notation.
func CanonicalJSON(text []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return "", fmt.Errorf("decode row %.200q: %w", text, err)
	}
	for key, v := range object {
		if n, ok := v.(json.Number); ok {
			object[key] = exactNumber(n.String())
		}
	}
	if object[AttrsColumn] == nil {
		object[AttrsColumn] = map[string]any{}
	}
	return marshal(object), nil
}

func marshal(object map[string]any) string {
	text, err := json.Marshal(object)
	if err != nil {
		return "unprintable row: " + err.Error()
	}
	return string(text)
}
