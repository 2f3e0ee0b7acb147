package format

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"
)

// logSchema is the schema of a table with the default columns.
func logSchema() *Schema {
	return &Schema{Fields: []Field{
		{Name: "_timestamp", ID: 1, Type: TypeTimestamp, Required: true},
		{Name: "app_id", ID: 2, Type: TypeString},
		{Name: "level", ID: 3, Type: TypeString},
		{Name: "host", ID: 4, Type: TypeString},
		{Name: "trace_id", ID: 5, Type: TypeString},
		{Name: "log_msg", ID: 6, Type: TypeString},
		{Name: "attrs", ID: 7, Type: TypeStringMap, KeyID: 8, ValueID: 9},
	}}
}

// corpus is a batch of log rows in time order, with the size of the JSON that they come from.
type corpus struct {
	name  string
	bytes int64
	batch *Batch
}

// corpora returns the JSON-lines files that FIRN_CORPUS names (a file, or a folder of .jsonl files), or generated rows.
func corpora(tb testing.TB, rows int) []corpus {
	path := os.Getenv("FIRN_CORPUS")
	if path == "" {
		return []corpus{generatedCorpus(rows)}
	}
	files := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		files, _ = filepath.Glob(filepath.Join(path, "*.jsonl"))
	}
	var out []corpus
	for _, f := range files {
		out = append(out, readCorpus(tb, f))
	}
	return out
}

func newLogBatch() *Batch {
	s := logSchema()
	b := &Batch{}
	for _, f := range s.Fields {
		b.Columns = append(b.Columns, Column{Field: f})
	}
	b.Columns[6].Offsets = []int32{0}
	return b
}

// firstRows returns the batch's first n rows.
func firstRows(b *Batch, n int) *Batch {
	out := &Batch{Rows: n}
	for _, c := range b.Columns {
		out.Columns = append(out.Columns, sliceColumn(c, 0, n))
	}
	return out
}

func sliceColumn(c Column, lo, hi int) Column {
	out := Column{Field: c.Field}
	if c.Texts != nil {
		out.Texts = c.Texts[lo:hi]
	}
	if c.Ints != nil {
		out.Ints = c.Ints[lo:hi]
	}
	if c.Floats != nil {
		out.Floats = c.Floats[lo:hi]
	}
	if c.Bools != nil {
		out.Bools = c.Bools[lo:hi]
	}
	if c.Valid != nil {
		out.Valid = c.Valid[lo:hi]
	}
	if c.Offsets != nil {
		base := c.Offsets[lo]
		for _, o := range c.Offsets[lo : hi+1] {
			out.Offsets = append(out.Offsets, o-base)
		}
		out.Keys, out.Values = c.Keys[base:c.Offsets[hi]], c.Values[base:c.Offsets[hi]]
	}
	return out
}

func readCorpus(tb testing.TB, path string) corpus {
	f, err := os.Open(path)
	require.NoError(tb, err)
	defer f.Close()
	out := corpus{name: strings.TrimSuffix(filepath.Base(path), ".jsonl")}
	type row struct {
		at   time.Time
		line []byte
	}
	var rows []row
	scanner := bufio.NewScanner(f)
	scanner.Buffer(make([]byte, 1<<20), 64<<20)
	var parser fastjson.Parser
	for scanner.Scan() {
		out.bytes += int64(len(scanner.Bytes())) + 1
		v, err := parser.ParseBytes(scanner.Bytes())
		require.NoError(tb, err)
		at, err := time.Parse(time.RFC3339Nano, string(v.GetStringBytes("_timestamp")))
		require.NoError(tb, err)
		rows = append(rows, row{at, bytes.Clone(scanner.Bytes())})
	}
	require.NoError(tb, scanner.Err())
	slices.SortStableFunc(rows, func(a, b row) int { return a.at.Compare(b.at) })
	out.batch = newLogBatch()
	for _, r := range rows {
		v, err := parser.ParseBytes(r.line)
		require.NoError(tb, err)
		appendLogRow(out.batch, r.at, v)
	}
	return out
}

func appendLogRow(b *Batch, at time.Time, v *fastjson.Value) {
	c := b.Columns
	c[0].Ints = append(c[0].Ints, at.UnixMicro())
	for i, key := range []string{"app_id", "level", "host", "", "_msg"} {
		c[i+1].Texts = append(c[i+1].Texts, bytes.Clone(v.GetStringBytes(key)))
	}
	if attrs := v.GetObject("attrs"); attrs != nil {
		attrs.Visit(func(key []byte, v *fastjson.Value) {
			text, _ := v.StringBytes()
			text = append([]byte{}, text...)
			if string(key) == "trace_id" {
				c[4].Texts[b.Rows] = text
				return
			}
			c[6].Keys = append(c[6].Keys, bytes.Clone(key))
			c[6].Values = append(c[6].Values, text)
		})
	}
	c[6].Offsets = append(c[6].Offsets, int32(len(c[6].Keys)))
	b.Rows++
}

// generatedCorpus returns rows that resemble logs: few patterns with numbers and ids, low-cardinality columns, attributes.
func generatedCorpus(rows int) corpus {
	r := rand.New(rand.NewPCG(1, 2))
	patterns := []string{"GET /api/v1/items/%d took %d ms for user %x", "connection %d from 10.0.%d.7 closed, session %x", "flush of region %d done, %d bytes, checksum %x"}
	b := newLogBatch()
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC).UnixMicro()
	c := b.Columns
	out := corpus{name: "generated", batch: b}
	for i := range rows {
		at += int64(r.IntN(2000))
		msg := fmt.Sprintf(patterns[r.IntN(len(patterns))], r.IntN(100000), r.IntN(256), r.Uint64())
		c[0].Ints = append(c[0].Ints, at)
		c[1].Texts = append(c[1].Texts, fmt.Appendf(nil, "app-%d", r.IntN(5)))
		c[2].Texts = append(c[2].Texts, []byte([]string{"info", "warn", "error"}[r.IntN(3)]))
		c[3].Texts = append(c[3].Texts, fmt.Appendf(nil, "host-%d", r.IntN(20)))
		c[4].Texts = append(c[4].Texts, nil)
		if i%3 == 0 {
			c[4].Texts[i] = fmt.Appendf(nil, "%016x%016x", r.Uint64(), r.Uint64())
		}
		c[5].Texts = append(c[5].Texts, []byte(msg))
		for j := range r.IntN(5) {
			c[6].Keys = append(c[6].Keys, fmt.Appendf(nil, "key%d", j))
			c[6].Values = append(c[6].Values, fmt.Appendf(nil, "value-%d", r.IntN(200)))
		}
		c[6].Offsets = append(c[6].Offsets, int32(len(c[6].Keys)))
		b.Rows++
		out.bytes += int64(len(msg)) + 150
	}
	return out
}
