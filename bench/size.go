package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/firnlog/firn"
)

// sized compares the data files of one corpus with those that DuckDB writes of the same rows.
type sized struct {
	Corpus  string           `json:"corpus"`
	Rows    int64            `json:"rows"`
	Files   int              `json:"files"`
	Bytes   int64            `json:"bytes"`
	DuckDB  duckdbSize       `json:"duckdb"`
	Ratio   float64          `json:"ratio"`
	Columns map[string]int64 `json:"columns"` // compressed bytes of our columns
}

// duckdbSize is what scripts/duckdb-size.py prints.
type duckdbSize struct {
	Version string           `json:"version"`
	Rows    int64            `json:"rows"`
	Bytes   int64            `json:"bytes"`
	Files   int              `json:"files"`
	Columns map[string]int64 `json:"columns"`
	Ours    map[string]int64 `json:"ours,omitempty"`
}

// sizes loads each corpus and has DuckDB write the same rows again.
func (b *bench) sizes() ([]sized, error) {
	python := pythonPath
	if _, err := os.Stat(python); err != nil {
		return nil, fmt.Errorf("%w; scripts/python-env installs DuckDB there", err)
	}
	b.section("Data files against DuckDB: the same rows read from our files, sorted by time, ZSTD Parquet, a file a day, DuckDB's defaults otherwise")
	b.row("corpus", "rows", "files", "MB", "DuckDB MB", "its files", "ratio")
	var list []sized
	var total, duckdb int64
	for _, c := range b.corpora {
		s, err := b.size(python, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		list = append(list, s)
		b.row(s.Corpus, s.Rows, s.Files, mb(s.Bytes), mb(s.DuckDB.Bytes), s.DuckDB.Files, fmt.Sprintf("%.3f", s.Ratio))
		total, duckdb = total+s.Bytes, duckdb+s.DuckDB.Bytes
	}
	b.row("all", "", "", mb(total), mb(duckdb), "", fmt.Sprintf("%.3f", float64(total)/float64(duckdb)))
	b.section("Columns, compressed MB (without footers, page indexes and bloom filters): firn / DuckDB " + list[0].DuckDB.Version)
	for _, s := range list {
		for _, name := range slices.Sorted(maps.Keys(s.Columns)) {
			b.row(s.Corpus+" "+strings.Replace(name, ", key_value, ", ".", 1), "", "", mb(s.Columns[name]), mb(s.DuckDB.Columns[duckdbName(name, s.DuckDB.Columns)]))
		}
	}
	return list, nil
}

// duckdbName finds the column path that DuckDB uses for ours; the two spell the inside of a map alike or end alike.
func duckdbName(name string, columns map[string]int64) string {
	if _, ok := columns[name]; ok {
		return name
	}
	first, _, _ := strings.Cut(name, ",")
	last := name[strings.LastIndexAny(name, ", ")+1:]
	for other := range columns {
		if strings.HasPrefix(other, first) && strings.HasSuffix(other, last) {
			return other
		}
	}
	return name
}

func (b *bench) size(python string, c corpus) (s sized, err error) {
	l, err := b.load(c.Name, "none", []string{c.Path})
	if err != nil {
		return s, err
	}
	lake, table, err := b.open(l.dir)
	if err != nil {
		return s, err
	}
	files, err := table.Files(b.ctx)
	if err != nil {
		return s, err
	}
	if err := lake.Close(); err != nil {
		return s, err
	}
	s = sized{Corpus: c.Name, Files: len(files)}
	for _, f := range files {
		s.Rows += f.Rows
		s.Bytes += f.Size
	}
	if s.DuckDB, err = b.duckdb(python, files); err != nil {
		return s, err
	}
	s.Columns, s.DuckDB.Ours = s.DuckDB.Ours, nil
	s.Ratio = float64(s.Bytes) / float64(s.DuckDB.Bytes)
	return s, nil
}

// duckdb has DuckDB write the rows of data files on local disk again, a file a day.
func (b *bench) duckdb(python string, files []firn.DataFile) (d duckdbSize, err error) {
	days, rows := map[string][]string{}, int64(0)
	for _, f := range files {
		day := fmt.Sprintf("%08v", f.Partition[firn.PartitionDay])
		days[day] = append(days[day], strings.TrimPrefix(f.Path, "file://"))
		rows += f.Rows
	}
	input, err := json.Marshal(days)
	if err != nil {
		return d, err
	}
	scratch, err := os.MkdirTemp(b.scratch, "duckdb-")
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	cmd := exec.CommandContext(b.ctx, python, filepath.Join("scripts", "duckdb-size.py"), scratch)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return d, fmt.Errorf("duckdb-size.py: %w\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(stdout.Bytes(), &d); err != nil {
		return d, err
	}
	if d.Rows != rows {
		return d, fmt.Errorf("DuckDB wrote %d rows, the table has %d", d.Rows, rows)
	}
	return d, nil
}

// pythonPath is the interpreter that scripts/python-env sets up.
var pythonPath = filepath.Join(".venv", "bin", "python")
