package hdfs

import (
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	firstChunk = 64 << 10
	lastChunk  = 4 << 20
)

// spoolError is an error of the local disk that keeps an object until Commit.
type spoolError struct{ err error }

func (e *spoolError) Error() string {
	return fmt.Sprintf("keep the object on the local disk until it is committed (free space there, or set SpoolDir or SpoolBytes): %v", e.err)
}

func (e *spoolError) Unwrap() error { return e.err }

// spool keeps bytes: the first ones in memory, the rest in a file without a name.
type spool struct {
	dir    string
	memory int64 // bytes to keep in memory

	chunks [][]byte
	held   int64 // in chunks
	file   *os.File
	size   int64
}

// write appends bytes.
func (s *spool) write(p []byte) error {
	s.size += int64(len(p))
	for len(p) > 0 {
		if s.held >= s.memory {
			return s.spill(p)
		}
		last := len(s.chunks) - 1
		if last < 0 || len(s.chunks[last]) == cap(s.chunks[last]) {
			size := firstChunk
			if last >= 0 {
				size = min(2*cap(s.chunks[last]), lastChunk)
			}
			s.chunks = append(s.chunks, make([]byte, 0, size))
			last++
		}
		chunk := s.chunks[last]
		n := min(len(p), cap(chunk)-len(chunk))
		s.chunks[last] = append(chunk, p[:n]...)
		s.held += int64(n)
		p = p[n:]
	}
	return nil
}

// spill appends to the file.
func (s *spool) spill(p []byte) error {
	if s.file == nil {
		file, err := os.CreateTemp(s.dir, "firn-spool-")
		if err != nil {
			return &spoolError{err}
		}
		s.file = file
	}
	if _, err := s.file.Write(p); err != nil {
		return &spoolError{err}
	}
	return nil
}

// each calls f with all bytes in order, in pieces.
func (s *spool) each(f func([]byte) error) error {
	for _, chunk := range s.chunks {
		for len(chunk) > 0 {
			n := min(len(chunk), writePiece)
			if err := f(chunk[:n]); err != nil {
				return err
			}
			chunk = chunk[n:]
		}
	}
	if s.file == nil {
		return nil
	}
	piece := make([]byte, writePiece)
	for at, end := int64(0), s.size-s.held; at < end; {
		n, err := s.file.ReadAt(piece[:min(int64(len(piece)), end-at)], at)
		if n == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return &spoolError{err}
		}
		if err := f(piece[:n]); err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}

// close drops the bytes.
func (s *spool) close() error {
	s.chunks = nil
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Close(), os.Remove(s.file.Name()))
	s.file = nil
	return err
}
