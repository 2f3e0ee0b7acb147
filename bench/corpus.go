package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/loggen"
)

// corpus is one input file.
type corpus struct {
	Name  string `json:"name"`
	Path  string `json:"-"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"json_bytes"` // uncompressed
}

// defaultCorpora are what the project's numbers are stated for.
var defaultCorpora = []string{"iotdb", "k8s_nezha", "web_access"}

// generatedRows is the size of the corpus that stands in where there are no real ones.
const generatedRows = 500_000

// openCorpora finds the corpora, cuts them to --rows, and counts them.
func (b *bench) openCorpora() error {
	paths := b.settings.corpora
	if len(paths) == 0 {
		dir := b.data
		if dir == "" {
			dir = filepath.Join("..", "shared", "data")
		}
		for _, name := range b.defaults {
			path := filepath.Join(dir, name+".jsonl.zst")
			if _, err := os.Stat(path); err == nil {
				paths = append(paths, path)
			}
		}
	}
	if len(paths) == 0 {
		path, err := b.generate()
		if err != nil {
			return err
		}
		paths = []string{path}
	}
	for _, path := range paths {
		c, err := b.openCorpus(path)
		if err != nil {
			return err
		}
		b.corpora = append(b.corpora, c)
	}
	return nil
}

// generate writes the stand-in corpus.
func (b *bench) generate() (string, error) {
	path := filepath.Join(b.scratch, "generated.jsonl")
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	rows := generatedRows
	if b.rows > 0 {
		rows = int(b.rows)
	}
	_, err = loggen.New(loggen.Options{Seed: 1, Rows: rows, Plain: true}).WriteTo(w)
	return path, errors.Join(err, w.Flush(), f.Close())
}

// openCorpus reads a file once to count its rows, and, with --rows, to copy the first ones.
func (b *bench) openCorpus(path string) (c corpus, err error) {
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	c = corpus{Name: name, Path: path}
	in, err := firn.OpenInput(path)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out := io.Discard
	if b.rows > 0 {
		c.Path = filepath.Join(b.scratch, name+".head.jsonl")
		f, err := os.Create(c.Path)
		if err != nil {
			return c, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		out = f
	}
	lines := bufio.NewReaderSize(in, 1<<20)
	for b.rows == 0 || c.Rows < b.rows {
		more, err := copyLine(out, lines, &c.Bytes)
		if err != nil {
			return c, fmt.Errorf("read %s: %w", path, err)
		}
		if !more {
			break
		}
		c.Rows++
	}
	return c, nil
}

// copyLine copies one line, however long, and says whether there was one.
func copyLine(out io.Writer, in *bufio.Reader, bytes *int64) (bool, error) {
	got := false
	for {
		part, err := in.ReadSlice('\n')
		*bytes += int64(len(part))
		got = got || len(part) > 0
		if _, err := out.Write(part); err != nil {
			return got, err
		}
		switch {
		case err == nil, errors.Is(err, io.EOF):
			return got, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return got, err
		}
	}
}
