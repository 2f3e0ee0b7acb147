package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"runtime/pprof"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/storage"
)

// Targets of building indexes alone: MB of message text per CPU-second, on each corpus, and on two of them.
const (
	buildTarget    = 100
	buildTargetTwo = 150
	buildRounds    = 3
)

// buildCost is what building the indexes of a corpus costs apart from everything else: CPU seconds, the median of the rounds.
type buildCost struct {
	Corpus    string  `json:"corpus"`
	TextBytes int64   `json:"text_bytes"`
	Files     int     `json:"files"`
	Tokenise  float64 `json:"tokenise_cpu_seconds"` // cutting the text into tokens, and nothing else
	Table     float64 `json:"observe_cpu_seconds"`  // index.Builder.ObserveText: tokenising and the table, bitmap and bloom
	Finish    float64 `json:"finish_cpu_seconds"`   // index.Builder.Finish, bitmap and bloom
	Bloom     float64 `json:"bloom_cpu_seconds"`    // all of it for a bloom filter only
}

// rate is MB of message text per CPU-second.
func (c buildCost) rate(cpu float64) float64 { return float64(c.TextBytes) / 1e6 / cpu }

// builds measures building the indexes alone.
func (x *indexBench) builds() (err error) {
	x.section(fmt.Sprintf("Building bitmap and bloom of log_msg alone: MB of message text per CPU-second (garbage collection included), in files as "+
		"large as those of the lake, median of %d rounds", buildRounds))
	x.row("corpus", "text MB", "files", "tokenise", "table", "finish s", "finish part", "bloom only", "both", "target")
	if x.pprof != "" {
		f, err := os.Create(x.pprof)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return errors.Join(err, f.Close())
		}
		defer func() { pprof.StopCPUProfile(); err = errors.Join(err, f.Close()) }()
	}
	fast := 0
	for _, name := range x.corpusNames() {
		c, ok := x.corpusNamed(name)
		if !ok || c.Bytes < smallCorpus && x.rows == 0 {
			continue
		}
		l, err := x.lake(name)
		if err != nil {
			return err
		}
		cost, err := x.buildCost(l)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		x.result.Builds = append(x.result.Builds, cost)
		both := cost.Table + cost.Finish
		if cost.rate(both) >= buildTargetTwo {
			fast++
		}
		verdict := x.result.atLeast("building both indexes alone, "+name, cost.rate(both), buildTarget, "MB of text per CPU-s").text()
		rate := func(cpu float64) string { return fmt.Sprintf("%.0f", cost.rate(cpu)) }
		x.row(name, mb(cost.TextBytes), cost.Files, rate(cost.Tokenise), rate(cost.Table), fmt.Sprintf("%.2f", cost.Finish),
			fmt.Sprintf("%.0f %%", 100*cost.Finish/both), rate(cost.Bloom), rate(both), verdict)
	}
	x.result.atLeast(fmt.Sprintf("corpora whose indexes are built at %d MB of text per CPU-s", buildTargetTwo), float64(fast), 2, "corpora")
	return nil
}

// buildCost measures the files of a lake one after the other, so that only one file's texts are in memory.
func (x *indexBench) buildCost(l loaded) (buildCost, error) {
	cost := buildCost{Corpus: l.Corpus}
	var rounds [buildRounds]buildCost
	err := x.withLake(l, func(lake *firn.Lake, table *firn.Table) error {
		m, err := newBuildMeter()
		if err != nil {
			return err
		}
		files, err := table.Files(x.ctx)
		if err != nil {
			return err
		}
		for _, f := range files {
			texts, bytes, err := x.messagesOf(lake.Store(), table, f)
			if err != nil {
				return err
			}
			cost.TextBytes, cost.Files = cost.TextBytes+bytes, cost.Files+1
			for i := range rounds {
				if err := m.measure(&rounds[i], texts, index.Identity{DataFile: path.Base(f.Path), Rows: uint32(len(texts))}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	pick := func(part func(buildCost) float64) float64 {
		var list []float64
		for _, r := range rounds {
			list = append(list, part(r))
		}
		return median(list)
	}
	cost.Tokenise = pick(func(r buildCost) float64 { return r.Tokenise })
	cost.Table = pick(func(r buildCost) float64 { return r.Table })
	cost.Finish = pick(func(r buildCost) float64 { return r.Finish })
	cost.Bloom = pick(func(r buildCost) float64 { return r.Bloom })
	return cost, err
}

// messagesOf reads the messages of a data file; nil is null.
func (x *indexBench) messagesOf(store storage.Store, table *firn.Table, f firn.DataFile) (texts [][]byte, bytes int64, err error) {
	schema, err := format.SchemaFromArrow(table.Schema())
	if err != nil {
		return nil, 0, err
	}
	name, ok := storage.NameOf(store, f.Path)
	field, found := schema.Lookup("log_msg")
	if !ok || !found {
		return nil, 0, fmt.Errorf("%s lies outside the lake or has no messages", f.Path)
	}
	file, err := format.Open(x.ctx, store, name, f.Size, schema)
	if err != nil {
		return nil, 0, err
	}
	for batch, err := range file.Read(x.ctx, []int{field.ID}, []format.RowRange{{End: file.Rows()}}, format.ReadOptions{}) {
		if err != nil {
			return nil, 0, err
		}
		size := 0
		for _, text := range batch.Columns[0].Texts {
			size += len(text)
		}
		arena := make([]byte, 0, size) // one allocation a batch keeps the garbage collector's work small
		for _, text := range batch.Columns[0].Texts {
			if text == nil {
				texts = append(texts, nil)
				continue
			}
			at := len(arena)
			arena = append(arena, text...)
			texts = append(texts, arena[at:len(arena):len(arena)])
		}
		bytes += int64(size)
	}
	return texts, bytes, nil
}

// buildMeter measures one file after the other, with builders that are used again, as ingestion does.
type buildMeter struct {
	both, bloom *index.Builder
}

const messageID = 6 // any field id

func newBuildMeter() (m buildMeter, err error) {
	spec := index.ColumnSpec{Column: "log_msg", FieldID: messageID, Bloom: true}
	if m.bloom, err = index.NewBuilder(index.Options{Columns: []index.ColumnSpec{spec}}); err != nil {
		return m, err
	}
	spec.Bitmap = true
	m.both, err = index.NewBuilder(index.Options{Columns: []index.ColumnSpec{spec}})
	return m, err
}

// measure adds the CPU seconds for one file to a cost.
func (m buildMeter) measure(cost *buildCost, texts [][]byte, id index.Identity) error {
	runtime.GC()
	start := cpuSeconds()
	tokeniseAll(texts)
	tokenised := cpuSeconds()
	m.both.Reset()
	observeAll(m.both, texts)
	observed := cpuSeconds()
	if _, err := m.both.Finish(io.Discard, id); err != nil {
		return err
	}
	finished := cpuSeconds()
	m.bloom.Reset()
	observeAll(m.bloom, texts)
	if _, err := m.bloom.Finish(io.Discard, id); err != nil {
		return err
	}
	cost.Tokenise += tokenised - start
	cost.Table += observed - tokenised
	cost.Finish += finished - observed
	cost.Bloom += cpuSeconds() - finished
	return nil
}

func observeAll(b *index.Builder, texts [][]byte) {
	for row, text := range texts {
		if text != nil {
			b.ObserveText(messageID, uint32(row), text)
		}
	}
}

// tokeniseAll cuts all texts into tokens and forgets them.
func tokeniseAll(texts [][]byte) {
	var s analyzer.Scanner
	for _, text := range texts {
		s.Reset(text)
		for {
			if _, _, ok := s.NextBatch(); !ok {
				break
			}
		}
	}
}
