package ingest

import (
	"bytes"
	"context"
	"errors"
	"io"
)

const (
	lineBuffer   = 1 << 20 // size of a block, unless a line is longer
	keepBuffer   = 4 << 20 // larger buffers are dropped after use
	tooLongShown = 1 << 10 // bytes kept of a line that is too long
	blocksAhead  = 2       // blocks that are read while one is being processed
	maxEmptyRead = 100
)

// A block is a run of whole lines.
type block struct {
	data    []byte // ends with a newline, unless the input ends without one
	tooLong bool   // data is the beginning of one line that is too long
	size    int64  // bytes of input that the block stands for
	err     error  // the input has failed behind the data
}

// A blockReader cuts an input into blocks of whole lines. It reads ahead in a goroutine of its own, so that decompression overlaps with
// everything else and a caller whose context ends need not wait for a slow input.
type blockReader struct {
	blocks chan block
	free   chan []byte
	cancel context.CancelFunc
}

func newBlockReader(ctx context.Context, r io.Reader, maxLine int) *blockReader {
	ctx, cancel := context.WithCancel(ctx)
	b := &blockReader{blocks: make(chan block, blocksAhead), free: make(chan []byte, blocksAhead+2), cancel: cancel}
	go func() {
		defer close(b.blocks)
		(&cutter{r: r, maxLine: maxLine}).run(ctx, b)
	}()
	return b
}

// next returns the next block, io.EOF after the last one. The data is valid until the next call of done.
func (b *blockReader) next(ctx context.Context) (block, error) {
	select {
	case next, ok := <-b.blocks:
		if !ok {
			return block{}, io.EOF
		}
		return next, nil
	case <-ctx.Done():
		return block{}, context.Cause(ctx)
	}
}

// done gives the memory of a block back.
func (b *blockReader) done(data []byte) {
	if cap(data) > keepBuffer {
		return
	}
	select {
	case b.free <- data[:0]:
	default:
	}
}

func (b *blockReader) close() { b.cancel() }

// A cutter is the reading side of a blockReader.
type cutter struct {
	r       io.Reader
	maxLine int
	buf     []byte // what was read and not handed on
	head    []byte // the beginning of a line that is too long and whose end has not come yet; else nil
	skipped int64  // bytes of that line
}

func (c *cutter) run(ctx context.Context, b *blockReader) {
	send := func(next block) bool {
		select {
		case b.blocks <- next:
			return true
		case <-ctx.Done():
			return false
		}
	}
	c.buf = make([]byte, 0, lineBuffer)
	for {
		n, err := c.fill()
		last := errors.Is(err, io.EOF)
		fresh := len(c.buf) - n
		if c.head != nil {
			if !c.skip(last, send) {
				return
			}
			fresh = 0
		}
		end := len(c.buf)
		if !last {
			end = fresh + bytes.LastIndexByte(c.buf[fresh:], '\n') + 1
			if end == fresh {
				end = 0
			}
		}
		if end > 0 && !send(c.take(end, b)) {
			return
		}
		if err != nil {
			if !last {
				send(block{err: err})
			}
			return
		}
		if len(c.buf) > c.maxLine {
			c.head = bytes.Clone(c.buf[:min(len(c.buf), tooLongShown)])
			c.skipped = int64(len(c.buf))
			c.buf = c.buf[:0]
		}
	}
}

// fill reads once more. io.EOF is the regular end.
func (c *cutter) fill() (n int, err error) {
	if len(c.buf) == cap(c.buf) {
		grown := make([]byte, len(c.buf), 2*cap(c.buf))
		copy(grown, c.buf)
		c.buf = grown
	}
	for range maxEmptyRead {
		n, err = c.r.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// skip drops buf up to the end of the line that is too long, and hands on what is known of that line when it is complete.
func (c *cutter) skip(last bool, send func(block) bool) bool {
	end := bytes.IndexByte(c.buf, '\n') + 1
	if end == 0 {
		c.skipped += int64(len(c.buf))
		c.buf = c.buf[:0]
		if !last {
			return true
		}
	}
	next := block{data: c.head, tooLong: true, size: c.skipped + int64(end)}
	c.buf = c.buf[:copy(c.buf, c.buf[end:])]
	c.head, c.skipped = nil, 0
	return send(next)
}

// take cuts the first end bytes off buf, as a block.
func (c *cutter) take(end int, b *blockReader) block {
	data, rest := c.buf[:end], c.buf[end:]
	var next []byte
	select {
	case next = <-b.free:
	default:
	}
	if cap(next) < lineBuffer+len(rest) {
		next = make([]byte, 0, lineBuffer+len(rest))
	}
	c.buf = append(next[:0], rest...)
	return block{data: data, size: int64(end)}
}
