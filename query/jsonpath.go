package query

import (
	"fmt"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index/expression"
)

// JSONPath names what a JSON path finds in the texts of a column: JSONPath("log_msg", "$.user.id"). The path is $, then .name, ['odd name'] or [0], as often
// as needed. A row has a value there if its text is valid JSON and the path leads to a string (its content), a number (as it is written), true or
// false; everything else is null, see expression.Path.Extract. Such a value is a text, as those of attrs are: Compare and Between with a Go
// number compare it as a number. In the text language it is written log_msg$.user.id:42.
func JSONPath(column, path string) Column {
	if p, err := expression.ParsePath(path); err == nil {
		path = p.String()
	}
	return Column{Name: column, Path: path}
}

// resolvePath returns the leaf that names a JSON path.
func (b *bound) resolvePath(c Column) ([]leaf, error) {
	path, err := expression.ParsePath(c.Path)
	if err != nil {
		return nil, fmt.Errorf("%w: column %q: %w", ErrInvalidRequest, c.Name, err)
	}
	f, found := b.schema.Lookup(c.Name)
	switch {
	case !found:
		return nil, fmt.Errorf("%w: the table has no column %q; it has %s", ErrInvalidRequest, c.Name, b.columnNames())
	case f.Type != format.TypeString || c.Key != "":
		return nil, fmt.Errorf("%w: the JSON path %s needs a text column, and %q is none", ErrInvalidRequest, path, Column{Name: c.Name, Key: c.Key})
	}
	return []leaf{{field: f, inMap: true, path: path}}, nil
}

// pathLeaf evaluates a leaf over what its JSON path finds in texts.
func (e *evaluator) pathLeaf(l *leaf, texts [][]byte, in, out []int32) []int32 {
	for _, row := range in {
		var value []byte
		if texts[row] != nil {
			value = l.path.Extract(texts[row], &e.json)
		}
		if l.kind == leafNull && value == nil || l.kind != leafNull && value != nil && l.textTrue(value, &e.scanner) {
			out = append(out, row)
		}
	}
	return out
}
