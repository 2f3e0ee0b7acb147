package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// LoadOptions refine Load.
type LoadOptions struct {
	// Name of the input, for errors and rejects.
	Name string
	// Rejects is told about every line set aside; it must not use the Writer. nil: they are only counted.
	Rejects func(Reject)
	// Progress is told now and then how many bytes of this input have been read so far (uncompressed).
	Progress func(bytes int64)
	// MaxLineBytes is the length from which lines are set aside. Default DefaultMaxLineBytes.
	MaxLineBytes int
}

// Load appends the JSON lines of r, as AppendJSON does each. Lines end with \n or \r\n; a byte order mark is skipped. Load does not flush at the end: rows of several
// inputs share files. When r fails, the lines before are appended and the Writer is whole. The error says up to which line rows are appended or, when
// the Writer has failed, committed. The input is read ahead, so when Load fails it may have been read further than that.
func Load(ctx context.Context, w *Writer, r io.Reader, opts LoadOptions) error {
	if opts.MaxLineBytes <= 0 {
		opts.MaxLineBytes = DefaultMaxLineBytes
	}
	l := &loader{w: w, opts: opts, at: Position{Name: opts.Name}}
	blocks := newBlockReader(ctx, r, opts.MaxLineBytes)
	defer blocks.close()
	for {
		next, err := blocks.next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("load %s: stopped after line %d: %w", opts.Name, l.at.Line, err)
		}
		if next.err != nil {
			return fmt.Errorf("load %s: reading failed after line %d; the lines before were taken: %w", opts.Name, l.at.Line, next.err)
		}
		if err := l.block(ctx, next); err != nil {
			return fmt.Errorf("load %s: stopped after line %d: %w", opts.Name, l.at.Line, err)
		}
		blocks.done(next.data)
		l.bytes += next.size
		if opts.Progress != nil {
			opts.Progress(l.bytes)
		}
	}
}

// A loader is the state of one Load.
type loader struct {
	w     *Writer
	opts  LoadOptions
	at    Position // of the last line that was dealt with
	bytes int64
}

// block appends the lines of a block.
func (l *loader) block(ctx context.Context, b block) error {
	if err := l.w.lock(ctx); err != nil {
		return err
	}
	defer l.w.unlock()
	var c lineCounts
	defer func() { l.w.count(c.addTo) }()
	defer l.w.decoder.release()
	if b.tooLong {
		c.bytes += b.size
		l.tooLong(b.data, &c)
		return nil
	}
	data := b.data
	if l.at.Line == 0 {
		trimmed := bytes.TrimPrefix(data, []byte("\uFEFF"))
		c.bytes += int64(len(data) - len(trimmed))
		data = trimmed
	}
	for len(data) > 0 {
		line := data
		if end := bytes.IndexByte(data, '\n'); end >= 0 {
			line, data = data[:end], data[end+1:]
			c.bytes++
		} else {
			data = nil
		}
		if len(line) > l.opts.MaxLineBytes {
			c.bytes += int64(len(line))
			l.tooLong(line, &c)
			continue
		}
		if err := l.line(ctx, line, &c); err != nil {
			return err
		}
	}
	return l.w.eager(ctx)
}

// line appends one line, or sets it aside.
func (l *loader) line(ctx context.Context, line []byte, c *lineCounts) error {
	at := l.at
	at.Line++
	err := l.w.appendLine(ctx, line, at, c)
	if err != nil {
		reject, ok := errors.AsType[*RejectError](err)
		if !ok {
			return err
		}
		if l.opts.Rejects != nil {
			l.opts.Rejects(Reject{Name: at.Name, Line: at.Line, Reason: reject.Reason, Detail: reject.Detail, Text: bytes.TrimSuffix(line, []byte("\r"))})
		}
	}
	l.at = at
	return nil
}

func (l *loader) tooLong(line []byte, c *lineCounts) {
	l.at.Line++
	c.reject(ReasonTooLong)
	if l.opts.Rejects != nil {
		l.opts.Rejects(Reject{
			Name: l.at.Name, Line: l.at.Line, Reason: ReasonTooLong,
			Detail: fmt.Sprintf("more than %d bytes", l.opts.MaxLineBytes), Text: line[:min(len(line), tooLongShown)],
		})
	}
}
