package oracle

import (
	"encoding/json"
	"sort"
	"strconv"
	"strings"
)

// steps are the way from a JSON text down to a value: names of members, and numbers of elements in brackets.
func steps(path string) (list []string) {
	for rest := strings.TrimPrefix(path, "$"); rest != ""; {
		end := strings.Index(rest, "]") + 1
		if name, ok := strings.CutPrefix(rest, "['"); ok {
			end = strings.Index(name, "']") + len("['']")
			list = append(list, rest[2:end-2])
		} else {
			list = append(list, rest[:end])
		}
		rest = rest[end:]
	}
	return list
}

// jsonAt returns the scalar at a path of a text as text, or a null: of invalid JSON, of null, objects and arrays, and of what is missing. Of members of
// one name the first counts.
func jsonAt(text, path string) Value {
	if !json.Valid([]byte(text)) {
		return Value{}
	}
	raw := json.RawMessage(text)
	for _, step := range steps(path) {
		if raw = stepInto(raw, step); raw == nil {
			return Value{}
		}
	}
	scalar := strings.TrimSpace(string(raw))
	switch scalar[0] {
	case '{', '[', 'n':
		return Value{}
	case '"':
		if json.Unmarshal(raw, &scalar) != nil {
			return Value{}
		}
	}
	return Text(scalar)
}

// stepInto returns the member or element of a valid text, or nil.
func stepInto(raw json.RawMessage, step string) json.RawMessage {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	open, err := d.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return nil
	}
	isElement := strings.HasPrefix(step, "[")
	for i := 0; d.More(); i++ {
		found := isElement && open == json.Delim('[') && step == "["+strconv.Itoa(i)+"]"
		if open == json.Delim('{') {
			name, err := d.Token()
			if err != nil {
				return nil
			}
			found = !isElement && name == step
		}
		var v json.RawMessage
		if d.Decode(&v) != nil {
			return nil
		}
		if found {
			return v
		}
	}
	return nil
}

// jsonLeaf asks for something at a random path of the JSON in a random row's message, if there is any.
func (g *Generator) jsonLeaf() *Node {
	text := g.cell(MessageColumn)
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		if g.rng.Intn(20) > 0 {
			return nil
		}
		return &Node{Op: IsNull, Field: Field{Column: MessageColumn, Path: "$['level']"}}
	}
	path := "$"
	for {
		step, inner := g.stepOf(v)
		if step == "" {
			break
		}
		path, v = path+step, inner
	}
	field := Field{Column: MessageColumn, Path: path}
	at := jsonAt(text, path)
	if !at.Known || g.rng.Intn(8) == 0 {
		return &Node{Op: IsNull, Field: field}
	}
	switch g.rng.Intn(4) {
	case 0:
		return &Node{Op: In, Field: field, Values: []Value{at, g.spoil(at)}}
	case 1:
		return &Node{Op: []Op{Less, GreaterOrEqual}[g.rng.Intn(2)], Field: field, Values: []Value{at}}
	}
	return &Node{Op: Equal, Field: field, Values: []Value{g.spoil(at)}}
}

// stepOf picks a member or an element of a decoded value; none of a scalar, and seldom none of others.
func (g *Generator) stepOf(v any) (step string, inner any) {
	switch v := v.(type) {
	case map[string]any:
		var names []string
		for name := range v {
			if !strings.ContainsAny(name, `'\]`) {
				names = append(names, name)
			}
		}
		if len(names) == 0 || g.rng.Intn(20) == 0 {
			return "", nil
		}
		sort.Strings(names)
		name := pick(g, names)
		return "['" + name + "']", v[name]
	case []any:
		if len(v) == 0 || g.rng.Intn(20) == 0 {
			return "", nil
		}
		i := g.rng.Intn(len(v))
		return "[" + strconv.Itoa(i) + "]", v[i]
	}
	return "", nil
}
