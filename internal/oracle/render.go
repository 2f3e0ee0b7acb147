package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
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
		return json.Number(strconv.FormatFloat(v.Float, 'g', -1, 32))
	case Double:
		return json.Number(strconv.FormatFloat(v.Float, 'g', -1, 64))
	case Timestamp:
		return Time(v.Int).Format(timeText)
	case Date:
		return time.Unix(v.Int*86400, 0).UTC().Format("2006-01-02")
	}
	return json.Number(strconv.FormatInt(v.Int, 10))
}

// CanonicalJSON brings a JSON object into the form of Canonical: sorted keys, each number in its shortest text.
func CanonicalJSON(text []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return "", fmt.Errorf("decode row %.200q: %w", text, err)
	}
	for key, v := range object {
		if n, ok := v.(json.Number); ok {
			object[key] = shortest(n)
		}
	}
	if object[AttrsColumn] == nil {
		object[AttrsColumn] = map[string]any{}
	}
	return marshal(object), nil
}

func shortest(n json.Number) json.Number {
	if _, err := n.Int64(); err == nil {
		return n
	}
	if f, err := n.Float64(); err == nil {
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return n
}

func marshal(object map[string]any) string {
	text, err := json.Marshal(object)
	if err != nil {
		return "unprintable row: " + err.Error()
	}
	return string(text)
}
