package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/firnlog/firn"
)

// The mixed lake: the rows of each corpus are spread evenly over three days, so that no day and no file belongs to one service.
var mixedStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

const mixedSpan = 3 * 24 * time.Hour

// mixedInput is one corpus that is mixed.
type mixedInput struct {
	corpus
	in    *firn.Input
	lines *bufio.Reader
	row   int64
}

// next is the time, from the start, of the next row: row i of n has the middle of the i-th of n equal parts of the span.
func (m *mixedInput) next(span time.Duration) time.Duration {
	return time.Duration((float64(m.row) + 0.5) / float64(m.Rows) * float64(span))
}

// mixCorpora writes a zstd file with the lines of all corpora in the order of their new times.
func mixCorpora(path string, list []corpus, start time.Time, span time.Duration) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	var inputs []*mixedInput
	for _, c := range list {
		in, err := firn.OpenInput(c.Path)
		if err != nil {
			return err
		}
		defer func() { _ = in.Close() }() // only read
		inputs = append(inputs, &mixedInput{corpus: c, in: in, lines: bufio.NewReaderSize(in, 1<<20)})
	}
	var line []byte
	for {
		var first *mixedInput
		for _, m := range inputs {
			if m.row < m.Rows && (first == nil || m.next(span) < first.next(span)) {
				first = m
			}
		}
		if first == nil {
			return nil
		}
		text, err := first.lines.ReadBytes('\n')
		if err != nil && !(errors.Is(err, io.EOF) && len(text) > 0) {
			return fmt.Errorf("read line %d of %s: %w", first.row+1, first.Path, err)
		}
		if line, err = setTimestamp(line[:0], text, start.Add(first.next(span))); err != nil {
			return fmt.Errorf("line %d of %s: %w", first.row+1, first.Path, err)
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
		first.row++
	}
}

// setTimestamp appends a JSON line to dst with another _timestamp, and a line end.
func setTimestamp(dst, line []byte, at time.Time) ([]byte, error) {
	key := []byte(`"_timestamp":"`)
	i := bytes.Index(line, key)
	if i < 0 {
		return dst, errors.New(`there is no "_timestamp":"…" to change`)
	}
	i += len(key)
	j := bytes.IndexByte(line[i:], '"')
	if j < 0 {
		return dst, errors.New("its _timestamp does not end")
	}
	dst = append(dst, line[:i]...)
	dst = at.AppendFormat(dst, "2006-01-02T15:04:05.000000000Z")
	dst = append(dst, bytes.TrimRight(line[i+j:], "\r\n")...)
	return append(dst, '\n'), nil
}
