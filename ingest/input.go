package ingest

import "errors"

// Input is an opened file of lines, decompressed while it is read.
type Input struct{}

// OpenInput opens a file, or standard input for "-". gzip and zstd are told from the content, not the name.
func OpenInput(path string) (*Input, error) { return nil, errors.ErrUnsupported }

func (in *Input) Read(p []byte) (int, error) { return 0, errors.ErrUnsupported }

// Close closes the file.
func (in *Input) Close() error { return nil }

// Name returns the path, or "-".
func (in *Input) Name() string { return "" }

// Size returns the size of the file as stored (compressed), 0 if it is not known.
func (in *Input) Size() int64 { return 0 }

// Consumed returns how many stored bytes have been read so far. It may be called at any time from any goroutine.
func (in *Input) Consumed() int64 { return 0 }
