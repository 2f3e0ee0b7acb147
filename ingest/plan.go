package ingest

import (
	"fmt"
	"strings"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
)

// aliases are the other names of a column at the top level of an input object, best first. The column's own name beats them all.
var aliases = map[string][]string{
	catalog.ColumnTimestamp: {"timestamp", "ts", "time", "@timestamp"},
	catalog.ColumnMessage:   {"_msg", "message", "msg", "log", "body"},
	catalog.ColumnLevel:     {"severity", "lvl"},
}

// timestampName is the name of the timestamp column.
var timestampName = []byte(catalog.ColumnTimestamp)

// Ranks order the claims on one column: the lowest wins. The exact name has rank 0, aliases follow in their order.
const (
	rankAttrs = 50  // an entry of the input's attrs object
	rankNull  = 100 // added for a null, which yields to every value
)

// A plan says where fields go: it is the schema of the table, seen from the input.
type plan struct {
	schema    *format.Schema
	timestamp int // index of _timestamp in schema.Fields
	attrs     int // index of attrs, or -1
	partition int // index of the column of the second partition level, or -1
	required  []int
	byName    map[string]int    // columns that take values, attrs excluded
	top       map[string]target // names at the top level: exact names and aliases
}

// A target is a column and the rank of the name that leads to it.
type target struct {
	column int
	rank   uint8
}

func newPlan(schema *format.Schema, partitionColumn string) (*plan, error) {
	p := &plan{schema: schema, timestamp: -1, attrs: -1, partition: -1, byName: map[string]int{}, top: map[string]target{}}
	for i, f := range schema.Fields {
		switch {
		case f.Name == catalog.ColumnTimestamp && f.Type == format.TypeTimestamp:
			p.timestamp = i
		case f.Name == catalog.ColumnAttrs && f.Type == format.TypeStringMap:
			p.attrs = i
			continue
		case f.Type == format.TypeStringMap || f.Type == format.TypeUnsupported || f.Type == format.TypeInvalid:
			if f.Required {
				return nil, fmt.Errorf("column %q is required, but firn cannot write its type", f.Name)
			}
			continue
		case f.Required:
			p.required = append(p.required, i)
		}
		p.byName[f.Name] = i
		p.top[f.Name] = target{column: i}
		if f.Name == partitionColumn {
			p.partition = i
		}
	}
	if p.timestamp < 0 {
		return nil, fmt.Errorf("the table has no column %s of type timestamp", catalog.ColumnTimestamp)
	}
	if partitionColumn != "" && p.partition < 0 {
		return nil, fmt.Errorf("the table is partitioned by %q, which is not a column that firn can write", partitionColumn)
	}
	for column, names := range aliases {
		i, ok := p.byName[column]
		if !ok {
			continue
		}
		for rank, name := range names {
			if _, taken := p.top[name]; !taken {
				p.top[name] = target{column: i, rank: uint8(rank + 1)}
			}
		}
	}
	return p, nil
}

// inAttrs returns the column that an entry of attrs (or a flattened name) fills, or -1. Timestamp and message are never filled from there.
func (p *plan) inAttrs(name string) int {
	if name == catalog.ColumnTimestamp || name == catalog.ColumnMessage {
		return -1
	}
	if i, ok := p.byName[name]; ok {
		return i
	}
	return -1
}

// isPlain says whether a name stands in JSON text as it is, so that its bytes can be compared without decoding.
func isPlain(name string) bool {
	return strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' }) < 0
}
