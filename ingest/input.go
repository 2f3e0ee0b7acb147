package ingest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxZstdWindow bounds the memory that a zstd stream can ask for, as the zstd command does.
const maxZstdWindow = 128 << 20

// Input is an opened file of lines, decompressed while it is read. Read is for one goroutine, the other methods may be called from any.
type Input struct {
	name  string
	size  int64
	raw   countingReader
	file  *os.File // nil for standard input
	mu    sync.Mutex
	z     func() // ends the decompressor
	plain io.Reader
}

// A countingReader counts the bytes that pass.
type countingReader struct {
	r io.Reader
	n atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// OpenInput opens a file, or standard input for "-". gzip and zstd are told from the content, not the name.
func OpenInput(path string) (*Input, error) {
	in := &Input{name: path}
	if path == "-" {
		in.raw.r = os.Stdin
	} else {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("open input: %w", err)
		}
		in.raw.r, in.file = file, file
		info, err := file.Stat()
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a directory; name the files in it", path)
		}
		if err != nil {
			_ = in.Close()
			return nil, fmt.Errorf("open input: %w", err)
		}
		if info.Mode().IsRegular() {
			in.size = info.Size()
		}
	}
	if err := in.decompress(); err != nil {
		_ = in.Close()
		return nil, fmt.Errorf("open input %s: %w", path, err)
	}
	return in, nil
}

// decompress looks at the first bytes and puts a decompressor before the content if need be.
func (in *Input) decompress() error {
	buffered := bufio.NewReaderSize(&in.raw, 128<<10)
	in.plain = buffered
	magic, err := buffered.Peek(4)
	if err != nil && len(magic) == 0 && err != io.EOF {
		return err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return err
		}
		in.plain = z
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return err
		}
		in.plain = z
		in.z = z.Close
	}
	return nil
}

// Read returns the decompressed content.
func (in *Input) Read(p []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.plain.Read(p)
}

// Close closes the file; standard input stays open. A Read that is under way ends with an error.
func (in *Input) Close() error {
	var err error
	if in.file != nil {
		err = in.file.Close()
	}
	if in.mu.TryLock() { // otherwise the decompressor is left to the garbage collector
		defer in.mu.Unlock()
		in.plain = strings.NewReader("")
		if in.z != nil {
			in.z()
			in.z = nil
		}
	}
	return err
}

// Name returns the path, or "-".
func (in *Input) Name() string { return in.name }

// Size returns the size of the file as stored, which may be compressed; 0 if it is not known.
func (in *Input) Size() int64 { return in.size }

// Consumed returns how many stored bytes have been read so far.
func (in *Input) Consumed() int64 { return in.raw.n.Load() }
