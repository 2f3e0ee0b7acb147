package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

// stageBytes is how much of each corpus the stages are measured on: it is kept in memory.
const stageBytes = 256 << 20

// stage is what one stage costs.
type stage struct {
	Corpus     string  `json:"corpus"`
	Name       string  `json:"stage"`
	JSONBytes  int64   `json:"json_bytes"` // of the lines that went through, whatever the stage itself reads
	CPUSeconds float64 `json:"cpu_seconds"`
	Rate       float64 `json:"mb_per_cpu_second"`
}

// stages measures the stages of a load apart from each other, in this process.
func (b *bench) stages() ([]stage, error) {
	b.section("Stages of a load, each alone: MB of the JSON that goes through per CPU-second (all threads, garbage collection included)")
	b.row("corpus", "JSON MB", "CPU s", "MB/CPU-s", "  stage")
	var list []stage
	for _, c := range b.corpora {
		s := &stageRun{bench: b, corpus: c}
		if err := s.run(); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		list = append(list, s.stages...)
	}
	return list, nil
}

// stageRun is the stages of one corpus.
type stageRun struct {
	*bench
	corpus   corpus
	lines    [][]byte
	size     int64
	records  []arrow.RecordBatch // full row groups, sorted
	messages [][]byte
	stages   []stage
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return seconds(u.Utime) + seconds(u.Stime)
}

// time measures one stage.
func (s *stageRun) time(name string, work func() error) error {
	runtime.GC()
	start := cpuSeconds()
	if err := work(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	used := cpuSeconds() - start
	st := stage{s.corpus.Name, name, s.size, used, float64(s.size) / 1e6 / used}
	s.stages = append(s.stages, st)
	s.row(st.Corpus, mb(st.JSONBytes), fmt.Sprintf("%.2f", used), fmt.Sprintf("%.0f", st.Rate), "  "+name)
	return nil
}

func (s *stageRun) run() error {
	if err := s.readLines(); err != nil {
		return err
	}
	if err := s.time("read and decompress", s.readOnly); err != nil {
		return err
	}
	for _, index := range []string{"none", "both"} {
		if err := s.write(index); err != nil {
			return err
		}
	}
	s.lines = nil
	if err := s.loadRecords(); err != nil {
		return err
	}
	if err := s.time("tokenise only", s.tokenise); err != nil {
		return err
	}
	for _, kind := range []string{"bloom", "bitmap", "both"} {
		if err := s.time("tokenise and index, "+kind, func() error { return s.buildIndex(kind) }); err != nil {
			return err
		}
	}
	return s.time("Parquet only", s.writeParquet)
}

// readLines keeps the beginning of the corpus.
func (s *stageRun) readLines() (err error) {
	in, err := firn.OpenInput(s.corpus.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	lines := bufio.NewReaderSize(in, 1<<20)
	for s.size < stageBytes {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			s.lines = append(s.lines, line)
			s.size += int64(len(line))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readOnly reads as much of the corpus again, and drops it.
func (s *stageRun) readOnly() (err error) {
	in, err := firn.OpenInput(s.corpus.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	_, err = io.CopyN(io.Discard, in, s.size)
	return err
}

func (s *stageRun) dir(index string) string {
	return filepath.Join(s.scratch, s.corpus.Name+"-stages-"+index)
}

// write appends the lines to a writer that has room for all of them, and flushes it: two stages.
func (s *stageRun) write(index string) (err error) {
	lake, err := firn.Open(s.ctx, s.dir(index))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	kinds := []firn.IndexKind{}
	if index == "both" {
		kinds = append(kinds, firn.IndexBitmap, firn.IndexBloom)
	}
	key, value := firn.IndexProperty("log_msg", kinds...)
	table, err := lake.Create(s.ctx, firn.TableSpec{Name: tableName, Properties: map[string]string{key: value}})
	if err != nil {
		return err
	}
	w, err := lake.Writer(s.ctx, table, firn.WriterOptions{BufferBytes: 64 << 30})
	if err != nil {
		return err
	}
	appendAll := func() error {
		for _, line := range s.lines {
			if err := w.AppendJSON(s.ctx, bytes.TrimRight(line, "\r\n")); err != nil {
				var reject *firn.RejectError
				if !errors.As(err, &reject) {
					return err
				}
			}
		}
		return nil
	}
	if index == "none" {
		err = s.time("decode JSON, map, buffer", appendAll)
	} else {
		err = appendAll()
	}
	if err != nil {
		return err
	}
	return s.time("flush (sort, Parquet, index, commit), index "+index, func() error { return w.Close(s.ctx) })
}

// loadRecords reads the table back as full row groups.
func (s *stageRun) loadRecords() (err error) {
	lake, table, err := s.open(s.dir("none"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	scan, err := lake.Plan(s.ctx, table, firn.Request{Order: firn.OldestFirst})
	if err != nil {
		return err
	}
	var group []arrow.RecordBatch
	var rows int64
	for batch, err := range scan.Batches(s.ctx) {
		if err != nil {
			return err
		}
		group = append(group, batch)
		rows += batch.NumRows()
		if rows >= format.DefaultRowGroupRows {
			if err := s.addGroup(group); err != nil {
				return err
			}
			group, rows = nil, 0
		}
	}
	if len(group) > 0 {
		err = s.addGroup(group)
	}
	return err
}

// addGroup joins batches to one.
func (s *stageRun) addGroup(batches []arrow.RecordBatch) error {
	schema := batches[0].Schema()
	columns := make([]arrow.Array, schema.NumFields())
	var rows int64
	for i := range columns {
		parts := make([]arrow.Array, len(batches))
		for j, batch := range batches {
			parts[j] = batch.Column(i)
		}
		joined, err := array.Concatenate(parts, memory.DefaultAllocator)
		if err != nil {
			return err
		}
		columns[i] = joined
	}
	for _, batch := range batches {
		rows += batch.NumRows()
		batch.Release()
	}
	s.records = append(s.records, array.NewRecordBatch(schema, columns, rows))
	at := schema.FieldIndices("log_msg")
	texts, ok := columns[at[0]].(*array.String)
	if !ok {
		return fmt.Errorf("log_msg is read as %v", columns[at[0]].DataType())
	}
	for i := range int(rows) {
		if texts.IsNull(i) {
			s.messages = append(s.messages, nil)
			continue
		}
		s.messages = append(s.messages, []byte(texts.Value(i)))
	}
	return nil
}

func (s *stageRun) tokenise() error {
	tokeniseAll(s.messages)
	return nil
}

// indexFileRows is how many rows share a sidecar here.
const indexFileRows = 1 << 20

func (s *stageRun) buildIndex(kind string) error {
	options, err := index.OptionsFromProperties(map[string]string{
		index.PropertyColumnPrefix + "log_msg": map[string]string{"bloom": "bloom", "bitmap": "bitmap", "both": "bitmap,bloom"}[kind],
	}, map[string]int{"log_msg": 6})
	if err != nil {
		return err
	}
	b, err := index.NewBuilder(options)
	if err != nil {
		return err
	}
	for start := 0; start < len(s.messages); start += indexFileRows {
		part := s.messages[start:min(start+indexFileRows, len(s.messages))]
		for row, message := range part {
			if message != nil {
				b.ObserveText(6, uint32(row), message)
			}
		}
		if _, err := b.Finish(io.Discard, index.Identity{DataFile: "x.parquet", Rows: uint32(len(part))}); err != nil {
			return err
		}
		b.Reset()
	}
	return nil
}

func (s *stageRun) writeParquet() error {
	schema, err := format.SchemaFromArrow(s.records[0].Schema())
	if err != nil {
		return err
	}
	w, err := format.NewWriter(io.Discard, schema, format.WriterOptions{BloomColumns: []string{"trace_id"}})
	if err != nil {
		return err
	}
	for _, record := range s.records {
		batch, err := format.BatchFromArrow(schema, record)
		if err != nil {
			return err
		}
		if err := w.Write(batch); err != nil {
			return err
		}
	}
	_, err = w.Close()
	return err
}
