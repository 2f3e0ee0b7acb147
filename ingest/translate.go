package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// A translator places Go values with a mapper.
type translator struct {
	*mapper
	text []byte // memory for texts of the current row; old memory stays as it is when it grows
	path []byte // dotted names of the groups around, each with its dot
	deep int
}

func (t *translator) begin() {
	t.mapper.begin()
	t.text, t.path, t.deep = t.text[:0], t.path[:0], 0
}

// size returns how many bytes of text the current row was read from.
func (t *translator) size() int64 { return int64(len(t.text)) }

// row places a Row.
func (t *translator) row(r Row) *RejectError {
	if !r.Time.IsZero() {
		if year := r.Time.UTC().Year(); year < 1 || year > 9999 {
			return &RejectError{Reason: ReasonRange, Detail: r.Time.String()}
		}
		t.topLevel(t.keys.get(timestampName), value{kind: kindString, text: t.time(r.Time)})
	}
	for _, f := range r.Fields {
		t.field(f.Name, f.Value)
	}
	return nil
}

// key returns what is known about a name below the current path.
func (t *translator) key(name string) *keyEntry {
	size := len(t.path)
	t.path = append(t.path, name...)
	full := t.path
	if !utf8.Valid(full) {
		full = appendRepaired(nil, full)
		t.counts.repaired = 1
	}
	key := t.keys.get(full)
	t.path = t.path[:size]
	return key
}

// field places a value, or the members of a group. Members of a group without a name belong to the group around, as in slog.
func (t *translator) field(name string, v any) {
	key := t.key(name)
	top := len(t.path) == 0 && t.deep == 0
	switch v := v.(type) {
	case []Field:
		t.group(key, top, len(v), func(i int) (string, any) { return v[i].Name, v[i].Value })
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		t.group(key, top, len(v), func(i int) (string, any) { return names[i], v[names[i]] })
	case map[string]string:
		names := slices.Sorted(maps.Keys(v))
		t.group(key, top, len(v), func(i int) (string, any) { return names[i], v[names[i]] })
	case []slog.Attr:
		t.group(key, top, len(v), func(i int) (string, any) { return v[i].Key, v[i].Value })
	case slog.Value:
		if v = v.Resolve(); v.Kind() == slog.KindGroup {
			t.field(name, v.Group())
			return
		}
		t.place(key, top, t.value(v.Any()))
	case jsonText:
		t.place(key, top, t.json(string(v)))
	default:
		t.place(key, top, t.value(v))
	}
}

func (t *translator) place(key *keyEntry, top bool, v value) {
	switch {
	case !top:
		t.inner(key, v)
	case key.attrs && v.kind == kindNull:
	case key.attrs:
		t.entry(key, v)
	default:
		t.topLevel(key, v)
	}
}

// group places the members of a nested value under dotted names, or, in attrs, under their own.
func (t *translator) group(key *keyEntry, top bool, n int, member func(i int) (string, any)) {
	attrs := top && key.attrs
	inline := attrs || len(key.name) == len(t.path)
	switch {
	case t.deep >= maxDepth:
		t.place(key, top, value{kind: kindString, text: t.string("!too deep")})
		return
	case n == 0 && !inline:
		t.empty(key, top)
		return
	}
	size := len(t.path)
	if !inline {
		t.noteObject(key, top)
		t.path = append(append(t.path[:0], key.name...), '.')
	}
	if inline && !attrs {
		t.deep-- // the members are as far up as the group
		defer func() { t.deep++ }()
	}
	t.deep++
	for i := range n {
		t.field(member(i))
	}
	t.deep--
	t.path = t.path[:size]
}

// string copies a text, which it makes valid UTF-8.
func (t *translator) string(s string) []byte {
	start := len(t.text)
	t.text = append(t.text, s...)
	if utf8.Valid(t.text[start:]) {
		return t.text[start:len(t.text):len(t.text)]
	}
	t.counts.repaired = 1
	return appendRepaired(nil, []byte(s))
}

func (t *translator) time(at time.Time) []byte {
	start := len(t.text)
	t.text = at.UTC().AppendFormat(t.text, time.RFC3339Nano)
	return t.text[start:len(t.text):len(t.text)]
}

// value turns a Go value into what JSON would hold for it.
func (t *translator) value(v any) value {
	start := len(t.text)
	number := func(text []byte) value {
		t.text = text
		return value{kind: kindNumber, text: text[start:len(text):len(text)]}
	}
	switch v := v.(type) {
	case nil:
		return value{}
	case string:
		return value{kind: kindString, text: t.string(v)}
	case []byte:
		return value{kind: kindString, text: t.string(string(v))}
	case bool:
		return value{kind: kindBool, text: t.string(strconv.FormatBool(v))}
	case int:
		return number(strconv.AppendInt(t.text, int64(v), 10))
	case int64:
		return number(strconv.AppendInt(t.text, v, 10))
	case int32:
		return number(strconv.AppendInt(t.text, int64(v), 10))
	case uint64:
		return number(strconv.AppendUint(t.text, v, 10))
	case uint32:
		return number(strconv.AppendUint(t.text, uint64(v), 10))
	case float64:
		return t.float(v, 64)
	case float32:
		return t.float(float64(v), 32)
	case time.Time:
		return value{kind: kindString, text: t.time(v)}
	case time.Duration:
		return value{kind: kindString, text: t.string(v.String())}
	}
	return t.other(v)
}

// float writes a float as JSON does; what JSON cannot hold becomes a string.
func (t *translator) float(f float64, bits int) value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return value{kind: kindString, text: t.string(strconv.FormatFloat(f, 'g', -1, bits))}
	}
	layout := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		layout = 'e'
	}
	start := len(t.text)
	t.text = strconv.AppendFloat(t.text, f, layout, -1, bits)
	return value{kind: kindNumber, text: t.text[start:len(t.text):len(t.text)]}
}

// other handles values by their methods, and those without any by their JSON.
func (t *translator) other(v any) value {
	text, isJSON := describe(v)
	if !isJSON {
		return value{kind: kindString, text: t.string(text)}
	}
	return t.json(text)
}

// jsonText is a value that has been turned into valid JSON already.
type jsonText string

// json turns JSON into a value. Objects are kept as they are.
func (t *translator) json(text string) value {
	raw := t.string(text)
	switch {
	case text == "null":
		return value{}
	case text == "true", text == "false":
		return value{kind: kindBool, text: raw}
	case isNumber(raw):
		return value{kind: kindNumber, text: raw}
	case text[0] == '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return value{kind: kindString, text: t.string(s)}
		}
	}
	return value{kind: kindArray, text: raw}
}

// describe returns a value's text, which is JSON if the value has no text of its own. Methods of the value that panic, mostly because of a nil pointer, do
// no harm: a logger must not bring its program down.
func describe(v any) (text string, isJSON bool) {
	defer func() {
		if r := recover(); r != nil {
			text, isJSON = fmt.Sprintf("!PANIC: %v", r), false
		}
	}()
	switch v := v.(type) {
	case error:
		return v.Error(), false
	case json.Marshaler:
	case fmt.Stringer:
		return v.String(), false
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Sprintf("%+v", v), false
	}
	return string(bytes.TrimSpace(out.Bytes())), true
}
