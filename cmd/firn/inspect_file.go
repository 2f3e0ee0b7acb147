package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

// fileReport is what inspect file prints.
type fileReport struct {
	Path      string           `json:"path"`
	Size      int64            `json:"size"`
	Rows      uint32           `json:"rows"`
	Sorted    bool             `json:"sorted"` // says that it is sorted by _timestamp
	RowGroups []rowGroupReport `json:"row_groups"`
	Columns   []fileColumn     `json:"columns"`
}

type rowGroupReport struct {
	FirstRow uint32 `json:"first_row"`
	Rows     uint32 `json:"rows"`
	Bytes    int64  `json:"bytes"`
}

type fileColumn struct {
	Name       string `json:"name"`
	FieldID    int    `json:"field_id"`
	Type       string `json:"type"`
	Pages      int    `json:"pages"`
	Min        any    `json:"min"` // over the row groups; null where one of them does not tell
	Max        any    `json:"max"`
	Nulls      *int64 `json:"nulls"`
	ValueBloom bool   `json:"value_bloom"` // in every row group
}

func (a *app) inspectFile(ctx context.Context, path string) (err error) {
	store, name, err := a.openObject(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	f, err := format.Open(ctx, store, name, 0, nil)
	if err != nil {
		return err
	}
	r := fileReport{Path: path, Size: f.Size(), Rows: f.Rows(), Sorted: f.Sorted(), RowGroups: []rowGroupReport{}, Columns: []fileColumn{}}
	for _, g := range f.RowGroups() {
		r.RowGroups = append(r.RowGroups, rowGroupReport{g.FirstRow, g.Rows, g.Bytes})
	}
	for _, field := range f.Schema().Fields {
		c, err := inspectColumn(ctx, f, field)
		if err != nil {
			return err
		}
		r.Columns = append(r.Columns, c)
	}
	if a.json {
		return a.printJSON(r)
	}
	return a.printFile(r)
}

// inspectColumn adds up what the row groups tell about a column.
func inspectColumn(ctx context.Context, f *format.File, field format.Field) (fileColumn, error) {
	c := fileColumn{Name: field.Name, FieldID: field.ID, Type: typeName(field.Type)}
	if field.Type == format.TypeStringMap || field.Type == format.TypeUnsupported {
		return c, nil
	}
	pages, err := f.Pages(ctx, field.ID)
	if err != nil {
		return c, err
	}
	c.Pages = len(pages)
	var nulls int64
	knowBounds, knowNulls := true, true
	groups := f.RowGroups()
	c.ValueBloom = len(groups) > 0
	for i := range groups {
		b, ok := groups[i].Bounds(field.ID)
		knowNulls = knowNulls && ok && b.NullCount >= 0
		nulls += b.NullCount
		switch {
		case ok && b.AllNull:
		case !ok || b.Min == nil || b.Max == nil:
			knowBounds = false
		default:
			c.Min, c.Max = lesser(c.Min, b.Min, -1), lesser(c.Max, b.Max, +1)
		}
		_, present, err := f.BloomMayContain(ctx, i, field.ID, probe(field.Type))
		if err != nil {
			return c, err
		}
		c.ValueBloom = c.ValueBloom && present
	}
	if !knowBounds {
		c.Min, c.Max = nil, nil
	}
	if knowNulls {
		c.Nulls = &nulls
	}
	c.Min, c.Max = readable(field.Type, c.Min), readable(field.Type, c.Max)
	return c, nil
}

// lesser returns the lesser of two bounds (the greater, if sign is positive); a nil gives way.
func lesser(a, b any, sign int) any {
	less := false
	switch x := a.(type) {
	case nil:
		return b
	case int64:
		y, ok := b.(int64)
		less = ok && x < y
	case float64:
		y, ok := b.(float64)
		less = ok && x < y
	case string:
		y, ok := b.(string)
		less = ok && x < y
	case bool:
		y, ok := b.(bool)
		less = ok && !x && y
	}
	if less == (sign < 0) {
		return a
	}
	return b
}

// probe is some value of a type, to ask whether there is a bloom filter.
func probe(t format.Type) any {
	switch t {
	case format.TypeString:
		return ""
	case format.TypeBool:
		return false
	case format.TypeFloat32, format.TypeFloat64:
		return 0.0
	}
	return int64(0)
}

// readable turns a bound into what people read.
func readable(t format.Type, v any) any {
	n, ok := v.(int64)
	switch {
	case ok && t == format.TypeTimestamp:
		return time.UnixMicro(n).UTC().Format("2006-01-02T15:04:05.000000Z")
	case ok && t == format.TypeDate:
		return time.Unix(n*86400, 0).UTC().Format(time.DateOnly)
	}
	return v
}

func typeName(t format.Type) string {
	names := map[format.Type]string{
		format.TypeString: "string", format.TypeBool: "bool", format.TypeInt32: "int", format.TypeInt64: "long", format.TypeFloat32: "float",
		format.TypeFloat64: "double", format.TypeTimestamp: "timestamp", format.TypeDate: "date", format.TypeStringMap: "map<string,string>",
	}
	if name, ok := names[t]; ok {
		return name
	}
	return "unsupported"
}

func (a *app) printFile(r fileReport) error {
	order := "not said to be sorted"
	if r.Sorted {
		order = "sorted by _timestamp"
	}
	err := a.printf("%s: %s, %s, %s, %s\n\n", r.Path, plural(int64(r.Rows), "row"), bytesText(r.Size), plural(int64(len(r.RowGroups)), "row group"), order)
	var rows [][]string
	for _, c := range r.Columns {
		nulls, bloom := "-", "-"
		if c.Nulls != nil {
			nulls = countText(*c.Nulls)
		}
		if c.ValueBloom {
			bloom = "yes"
		}
		rows = append(rows, []string{c.Name, fmt.Sprint(c.FieldID), c.Type, fmt.Sprint(c.Pages), nulls, bloom, boundText(c.Min), boundText(c.Max)})
	}
	return errors.Join(err, a.table("COLUMN\tID\tTYPE\tPAGES\tNULLS\tVALUE BLOOM\tLEAST\tGREATEST", rows))
}

// boundText prints a bound on one short line.
func boundText(v any) string {
	if v == nil {
		return "-"
	}
	text := strings.Map(func(r rune) rune { // bounds may be any bytes
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, fmt.Sprint(v))
	const most = 32
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return text
}

func (a *app) inspectIndex(ctx context.Context, path string, top int) (err error) {
	if top < 0 {
		return usagef("--top %d: must not be negative", top)
	}
	store, name, err := a.openObject(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var d interface{ WriteText(w io.Writer) error }
	if index.IsPack(name) {
		d, err = index.InspectPack(ctx, store, name)
	} else {
		d, err = index.Inspect(ctx, store, name, top)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(d)
	}
	return d.WriteText(a.stdout)
}
