package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// tableName is the table of every lake here.
const tableName = "logs"

// indexSettings are the ways to index the message, in the order of the tables that are printed.
var indexSettings = []string{"none", "bloom", "bitmap", "both"}

// loaded is one load, by the firn program in a process of its own.
type loaded struct {
	Corpus     string  `json:"corpus"` // "all" is the corpora together
	Index      string  `json:"index"`
	Rows       int64   `json:"rows"`
	InputBytes int64   `json:"input_bytes"`
	DataBytes  int64   `json:"data_bytes"`
	IndexBytes int64   `json:"index_bytes"`
	Files      int64   `json:"files"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"` // user and system time of the process, by the kernel
	PeakRSS    int64   `json:"peak_rss_bytes"`
	Rate       float64 `json:"mb_per_cpu_second"` // MB of JSON
	dir        string
}

// load makes a lake and loads files into it. Index is one of indexSettings, or "default": what a table gets that nobody designed.
func (b *bench) load(name, index string, files []string) (loaded, error) {
	l := loaded{Corpus: name, Index: index, dir: filepath.Join(b.scratch, name+"-"+index)}
	property := map[string]string{"both": "bitmap,bloom"}[index]
	if property == "" {
		property = index
	}
	create := []string{"--lake", l.dir, "create", tableName}
	if index != "default" {
		create = append(create, "--index", "log_msg="+property)
	}
	if _, _, err := b.firn(create...); err != nil {
		return l, err
	}
	out, usage, err := b.firn(append([]string{"--lake", l.dir, "--json", "load", tableName}, files...)...)
	if err != nil {
		return l, err
	}
	return l, l.read(out, usage)
}

// read takes over what firn load reported and what the kernel counted.
func (l *loaded) read(report []byte, usage *syscall.Rusage) error {
	if err := json.Unmarshal(report, l); err != nil {
		return fmt.Errorf("read the report of firn load: %w", err)
	}
	l.CPUSeconds = seconds(usage.Utime) + seconds(usage.Stime)
	l.PeakRSS = int64(usage.Maxrss) << 10 // Linux counts KiB
	l.Rate = float64(l.InputBytes) / 1e6 / l.CPUSeconds
	return nil
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

// firn runs the program and returns its output and what it used.
func (b *bench) firn(args ...string) ([]byte, *syscall.Rusage, error) {
	cmd := exec.CommandContext(b.ctx, b.program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, nil, fmt.Errorf("firn %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return nil, nil, fmt.Errorf("this system does not tell what a process used")
	}
	return stdout.Bytes(), usage, nil
}

// loads loads the corpora together in every way, and each of them with both indexes.
func (b *bench) loads() ([]loaded, error) {
	b.section("Loads: `firn load` in a process of its own; MB of uncompressed JSON; decompression of the input included")
	b.row("corpus", "index", "rows", "JSON MB", "MB/CPU-s", "CPU s", "wall s", "peak RSS MB", "data MB", "index MB", "index/data", "files")
	var list []loaded
	add := func(name, index string, files []string) error {
		l, err := b.load(name, index, files)
		if err != nil {
			return err
		}
		list = append(list, l)
		b.row(l.Corpus, l.Index, l.Rows, mb(l.InputBytes), fmt.Sprintf("%.1f", l.Rate), fmt.Sprintf("%.1f", l.CPUSeconds),
			fmt.Sprintf("%.1f", l.Seconds), mb(l.PeakRSS), mb(l.DataBytes), mb(l.IndexBytes),
			fmt.Sprintf("%.1f %%", 100*float64(l.IndexBytes)/float64(l.DataBytes)), l.Files)
		return nil
	}
	var all []string
	for _, c := range b.corpora {
		all = append(all, c.Path)
	}
	for _, index := range indexSettings {
		if err := add("all", index, all); err != nil {
			return nil, err
		}
	}
	if len(b.corpora) > 1 {
		for _, c := range b.corpora {
			if err := add(c.Name, "both", []string{c.Path}); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}
