package ingest

import (
	"context"
	"errors"
	"io"
)

// LoadOptions refine Load.
type LoadOptions struct {
	Name         string            // of the input, for errors and rejects
	Rejects      func(Reject)      // told about every line set aside; nil: they are only counted
	Progress     func(bytes int64) // told now and then how many bytes of this input have been read (uncompressed, in all)
	MaxLineBytes int               // longer lines are set aside; default DefaultMaxLineBytes
}

// Load appends the JSON lines of r. It does not flush at the end: rows of several inputs share files. An error of r leaves the lines before it appended
// and the Writer whole; errors say up to which line rows are committed.
func Load(ctx context.Context, w *Writer, r io.Reader, opts LoadOptions) error {
	return errors.ErrUnsupported
}
