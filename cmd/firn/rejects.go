package main

import (
	"bufio"
	"encoding/base64"
	"errors"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/firnlog/firn"
)

// rejectLine is one line of the file that --rejects names.
type rejectLine struct {
	File   string `json:"file"`
	Line   int64  `json:"line"`
	Reason string `json:"reason"`
	Input  string `json:"input"` // the line; invalid UTF-8 is replaced here
	// InputBase64 holds the exact bytes of a line that is not valid UTF-8.
	InputBase64 string `json:"input_base64,omitempty"`
}

// rejectFile writes rejected lines; with no path it only counts.
type rejectFile struct {
	count int64
	file  *os.File
	out   *bufio.Writer
	err   error // the first that occurred
}

// newRejectFile creates (or empties) the file.
func newRejectFile(path string) (*rejectFile, error) {
	f := &rejectFile{}
	if path == "" {
		return f, nil
	}
	var err error
	if f.file, err = os.Create(path); err != nil {
		return nil, err
	}
	f.out = bufio.NewWriterSize(f.file, 64<<10)
	return f, nil
}

func (f *rejectFile) add(r firn.Reject) {
	f.count++
	if f.out == nil || f.err != nil {
		return
	}
	line := rejectLine{File: r.Name, Line: r.Line, Reason: reasonText(r), Input: string(r.Text)}
	if !utf8.Valid(r.Text) {
		line.Input = strings.ToValidUTF8(line.Input, "\uFFFD")
		line.InputBase64 = base64.StdEncoding.EncodeToString(r.Text)
	}
	f.err = writeJSONLine(f.out, line)
}

// close writes what is buffered and returns the first error.
func (f *rejectFile) close() error {
	if f.file == nil {
		return nil
	}
	err := f.err
	if err == nil {
		err = f.out.Flush()
	}
	return errors.Join(err, f.file.Close())
}

// reasonText says why a line was set aside.
func reasonText(r firn.Reject) string {
	if r.Detail == "" {
		return r.Reason
	}
	return r.Reason + ": " + r.Detail
}

func sorted(texts []string) []string {
	slices.Sort(texts)
	return texts
}
