package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/firnlog/firn"
)

// totalTarget is data and indexes, relative to what DuckDB writes.
const totalTarget = 1.2

// totalSize compares a lake of several corpora, indexes included, with the data files that DuckDB writes of the same rows.
type totalSize struct {
	Rows       int64       `json:"rows"`
	Files      int         `json:"files"`
	DataBytes  int64       `json:"data_bytes"`
	IndexBytes int64       `json:"index_bytes"` // everything at the index location
	Bitmaps    int64       `json:"bitmap_bytes"`
	Blooms     int64       `json:"bloom_bytes"`
	Packs      int64       `json:"pack_bytes"` // and what else is no sidecar of a data file
	DuckDB     *duckdbSize `json:"duckdb"`     // nil: not measured
	Ratio      float64     `json:"ratio"`
}

// total measures data and all indexes of one lake with several corpora.
func (x *indexBench) total() error {
	x.section("Total: " + strings.Join(totalCorpora, " + ") + " in one lake, with the default indexes, against ZSTD Parquet by DuckDB (same " +
		"columns, sorted by time, a file a day, its defaults)")
	l, err := x.lake("total")
	if err != nil {
		return err
	}
	if l.dir == "" {
		fmt.Fprintln(x.out, "not measured: not all of these corpora are there")
		return nil
	}
	if _, _, err := x.firn("--lake", l.dir, "maintain", "index", tableName); err != nil { // builds bloom packs, which count too
		return err
	}
	t := &totalSize{}
	var files []firn.DataFile
	err = x.withLake(l, func(lake *firn.Lake, table *firn.Table) error {
		if _, t.IndexBytes, err = lake.IndexSize(x.ctx, table); err != nil {
			return err
		}
		if files, err = table.Files(x.ctx); err != nil {
			return err
		}
		s, err := x.sidecarSizes(l.Corpus, lake, table, nil)
		t.Bitmaps, t.Blooms = s.BitmapBytes, s.BloomBytes
		t.Packs = t.IndexBytes - t.Bitmaps - t.Blooms
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range files {
		t.Rows, t.DataBytes, t.Files = t.Rows+f.Rows, t.DataBytes+f.Size, t.Files+1
	}
	x.result.Total = t
	x.row("what", "rows", "files", "MB", "to DuckDB", "target")
	if _, err := os.Stat(pythonPath); err != nil {
		x.row("data", t.Rows, t.Files, mb(t.DataBytes))
		x.row("data and indexes", "", "", mb(t.DataBytes+t.IndexBytes))
		fmt.Fprintln(x.out, "DuckDB: not measured; scripts/python-env installs it into ./.venv")
		return nil
	}
	d, err := x.duckdb(pythonPath, files)
	if err != nil {
		return err
	}
	d.Ours = nil
	t.DuckDB, t.Ratio = &d, float64(t.DataBytes+t.IndexBytes)/float64(d.Bytes)
	verdict := x.result.atMost("data and all indexes of five corpora / DuckDB's Parquet", t.Ratio, totalTarget, "").text()
	ratio := func(bytes int64) string { return fmt.Sprintf("%.3f", float64(bytes)/float64(d.Bytes)) }
	x.row("DuckDB "+d.Version, d.Rows, d.Files, mb(d.Bytes), ratio(d.Bytes))
	x.row("data", t.Rows, t.Files, mb(t.DataBytes), ratio(t.DataBytes))
	for _, part := range []struct {
		what  string
		bytes int64
	}{{"bitmaps", t.Bitmaps}, {"bloom filters", t.Blooms}, {"bloom packs", t.Packs}} {
		x.row(part.what, "", "", fmt.Sprintf("%.2f", float64(part.bytes)/1e6), ratio(part.bytes))
	}
	x.row("data and indexes", "", "", mb(t.DataBytes+t.IndexBytes), ratio(t.DataBytes+t.IndexBytes), verdict)
	return nil
}
