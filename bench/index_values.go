package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/index/expression"
	"github.com/firnlog/firn/internal/randomqueries"
	"github.com/firnlog/firn/query"
)

// valueCase is a value index that is measured.
type valueCase struct {
	corpus     string
	expression string
	kinds      string
	column     query.Column // what is asked about
}

// valueCases are the kinds of expressions: a key of attrs, the values of all keys, a path in JSON; ids, numbers.
func valueCases() []valueCase {
	return []valueCase{
		{"web_access", "element_at(attrs,'remote_addr')", "bloom", firn.Attr("remote_addr")},
		{"web_access", "element_at(attrs,'bytes')", "bloom,range", firn.Attr("bytes")},
		{"k8s_nezha", "map_values(attrs)", "bloom", firn.Attr("span_id")},
		{"postgres", "element_at(attrs,'pid')", "bloom,range", firn.Attr("pid")},
		{"zeek_wrccdc", "json_extract(log_msg,'$.uid')", "bloom", query.JSONPath("log_msg", "$.uid")},
		{"zeek_wrccdc", "json_extract(log_msg,'$[''id.orig_p'']')", "bloom,range", query.JSONPath("log_msg", "$['id.orig_p']")},
	}
}

// sampleRows is about how many rows values are taken from.
const sampleRows = 2000

// valueQueries is how many queries of each kind are asked.
const valueQueries = 12

// valueCost is what a value index takes, and what it saves a number of queries together. Bytes, milliseconds.
type valueCost struct {
	Corpus     string  `json:"corpus"`
	Expression string  `json:"expression"`
	Kind       string  `json:"kind"` // of the queries: present or absent value, range
	IndexBytes int64   `json:"index_bytes"`
	DataBytes  int64   `json:"data_bytes"`
	Queries    int     `json:"queries"`
	Matched    int64   `json:"rows_matched"`
	Decoded    int64   `json:"rows_decoded"`
	DecodedOff int64   `json:"rows_decoded_without"`
	Bytes      int64   `json:"bytes"`
	BytesOff   int64   `json:"bytes_without"`
	CPU        float64 `json:"cpu_ms"`
	CPUOff     float64 `json:"cpu_ms_without"`
}

// values measures value indexes on expressions.
func (x *indexBench) values() error {
	x.section(fmt.Sprintf("Value indexes on expressions: what they take, and counts by a fresh engine with and without any index, %d queries "+
		"each, added: values that rows have, values like them that none has, narrow ranges and high values", valueQueries))
	x.row("corpus", "index KB", "of data", "queries", "matched", "rows dec.", "without", "KB", "KB without", "CPU ms", "without", "  expression")
	for _, c := range x.corpora {
		cases := slices.DeleteFunc(valueCases(), func(v valueCase) bool { return v.corpus != c.Name })
		if len(cases) == 0 {
			continue
		}
		if err := x.valuesOf(c, cases); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return nil
}

// valuesOf loads a corpus with some value indexes and measures them.
func (x *indexBench) valuesOf(c corpus, cases []valueCase) error {
	l := loaded{Corpus: c.Name, dir: filepath.Join(x.scratch, c.Name+"-values")}
	lake, err := firn.Open(x.ctx, l.dir)
	if err != nil {
		return err
	}
	properties := map[string]string{}
	for _, v := range cases {
		properties[index.PropertyValuePrefix+v.expression] = v.kinds
	}
	_, err = lake.Create(x.ctx, firn.TableSpec{Name: tableName, Properties: properties})
	if err := errors.Join(err, lake.Close()); err != nil {
		return err
	}
	if _, _, err := x.firn("--lake", l.dir, "load", tableName, c.Path); err != nil {
		return err
	}
	err = x.withLake(l, func(lake *firn.Lake, table *firn.Table) error {
		for _, v := range cases {
			if err := x.valueCase(lake, table, v); err != nil {
				return fmt.Errorf("%s: %w", v.expression, err)
			}
		}
		return nil
	})
	return errors.Join(err, os.RemoveAll(l.dir))
}

// valueCase measures one of the value indexes.
func (x *indexBench) valueCase(lake *firn.Lake, table *firn.Table, v valueCase) error {
	size := valueCost{Corpus: v.corpus, Expression: v.expression}
	files, err := table.Files(x.ctx)
	if err != nil {
		return err
	}
	e, err := expression.Parse(v.expression)
	if err != nil {
		return err
	}
	for _, f := range files {
		size.DataBytes += f.Size
		sidecar, _, err := x.openSidecar(lake.Store(), table, f)
		if err != nil {
			return err
		}
		d, err := sidecar.Describe(x.ctx, 0)
		if err != nil {
			return err
		}
		for _, held := range d.Values {
			if held.Expression == e.String() {
				size.IndexBytes += held.PointBytes + held.RangeBytes
			}
		}
	}
	asked, err := x.valueQueries(lake, table, v)
	if err != nil {
		return err
	}
	for _, kind := range []string{"present", "absent", "range"} {
		if len(asked[kind]) == 0 {
			continue
		}
		cost := size
		cost.Kind, cost.Queries = kind, len(asked[kind])
		for _, p := range asked[kind] {
			if err := x.valueQuery(&cost, lake, table, p); err != nil {
				return fmt.Errorf("%v: %w", p, err)
			}
		}
		x.result.Values = append(x.result.Values, cost)
		x.row(cost.Corpus, cost.IndexBytes/1000, percent(cost.IndexBytes, cost.DataBytes), kind, cost.Matched, cost.Decoded, cost.DecodedOff,
			cost.Bytes/1000, cost.BytesOff/1000, ms(cost.CPU), ms(cost.CPUOff), "  "+v.expression+" "+v.kinds)
	}
	return nil
}

// valueQuery adds the costs of one query.
func (x *indexBench) valueQuery(cost *valueCost, lake *firn.Lake, table *firn.Table, p firn.Predicate) error {
	q := randomqueries.Query{Count: true, Request: firn.Request{Predicate: p}}
	var on, off firn.Stats
	for _, side := range []struct {
		noIndex bool
		stats   *firn.Stats
		cpu     *float64
	}{{false, &on, &cost.CPU}, {true, &off, &cost.CPUOff}} {
		cpu, err := cpuOf(func() (err error) {
			_, *side.stats, err = runQuery(x.ctx, lake.Store(), table, q, side.noIndex)
			return err
		})
		if err != nil {
			return err
		}
		*side.cpu += 1000 * cpu
	}
	if on.RowsMatched != off.RowsMatched {
		return fmt.Errorf("%d rows with indexes, %d without", on.RowsMatched, off.RowsMatched)
	}
	cost.Matched += on.RowsMatched
	cost.Decoded, cost.DecodedOff = cost.Decoded+on.RowsDecoded, cost.DecodedOff+off.RowsDecoded
	cost.Bytes, cost.BytesOff = cost.Bytes+on.BytesRead, cost.BytesOff+off.BytesRead
	return nil
}

// valueQueries makes queries from values that rows have.
func (x *indexBench) valueQueries(lake *firn.Lake, table *firn.Table, v valueCase) (map[string][]firn.Predicate, error) {
	values, err := x.valuesIn(lake, table, v.column)
	if err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return nil, nil
	}
	r := rand.New(rand.NewPCG(9, 9))
	asked := map[string][]firn.Predicate{}
	var numbers []float64
	for _, value := range values {
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for range valueQueries {
		value := values[r.IntN(len(values))]
		asked["present"] = append(asked["present"], firn.Equal{Column: v.column, Value: value})
		other := []byte(value)
		other[r.IntN(len(other))] = '0' + byte(r.IntN(10))
		if i := slices.Index(values, string(other)); i >= 0 {
			other = append(other, "77"...)
		}
		asked["absent"] = append(asked["absent"], firn.Equal{Column: v.column, Value: string(other)})
		if strings.Contains(v.kinds, index.KindRange) && len(numbers) > 0 {
			n := numbers[r.IntN(len(numbers))]
			asked["range"] = append(asked["range"], firn.Between{Column: v.column, Low: n + 0.5, High: n + 0.5 + n/1000})
		}
	}
	if len(asked["range"]) > 0 {
		asked["range"][0] = firn.Compare{Column: v.column, Op: query.Greater, Value: numbers[len(numbers)*999/1000]}
	}
	return asked, nil
}

// valuesIn reads the distinct values of a sample of rows.
func (x *indexBench) valuesIn(lake *firn.Lake, table *firn.Table, column query.Column) ([]string, error) {
	scan, err := lake.Plan(x.ctx, table, firn.Request{Columns: []string{"log_msg", "attrs"}})
	if err != nil {
		return nil, err
	}
	every, i := max(scan.Stats().RowsTotal/sampleRows, 1), int64(0)
	path, _ := expression.ParsePath(column.Path) // the zero path finds nothing
	var scratch expression.Scratch
	seen := map[string]bool{}
	for row, err := range scan.Rows(x.ctx) {
		if err != nil {
			return nil, err
		}
		if i++; i%every != 0 {
			continue
		}
		if !path.IsZero() {
			seen[string(path.Extract([]byte(row.Text("log_msg")), &scratch))] = true
		} else if entries, ok := row.Get("attrs").(query.Entries); ok {
			value, _ := entries.Get(column.Key)
			seen[value] = true
		}
	}
	delete(seen, "")
	var list []string
	for value := range seen {
		list = append(list, value)
	}
	slices.Sort(list)
	return list, nil
}
