package webhdfs

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// chunkBytes is the size of the pieces in which an object is kept in memory: growing one buffer would copy it again and again.
const chunkBytes = 1 << 20

// spool keeps what was written until it is uploaded, so that an upload that failed can be made again: in memory, or in a file if it is
// large. It is not safe for concurrent use, but several readers may read it at once when all is written.
type spool struct {
	limit  int64 // of bytes in memory
	dir    string
	chunks [][]byte
	file   *os.File // nil while all is in memory
	size   int64
}

// write appends bytes, of which it keeps a copy.
func (s *spool) write(p []byte) (int, error) {
	if s.file == nil && s.size+int64(len(p)) > s.limit {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	if s.file != nil {
		n, err := s.file.Write(p)
		s.size += int64(n)
		if err != nil {
			return n, fmt.Errorf("spool to %s (Options.SpoolDir): %w", s.file.Name(), err)
		}
		return n, nil
	}
	n := len(p)
	for len(p) > 0 {
		last := len(s.chunks) - 1
		if last < 0 || len(s.chunks[last]) == cap(s.chunks[last]) {
			size := chunkBytes
			if last < 0 {
				size = min(max(len(p), 4<<10), chunkBytes) // many objects are small
			}
			s.chunks = append(s.chunks, make([]byte, 0, size))
			last++
		}
		free := cap(s.chunks[last]) - len(s.chunks[last])
		part := p[:min(len(p), free)]
		s.chunks[last] = append(s.chunks[last], part...)
		p = p[len(part):]
	}
	s.size += int64(n)
	return n, nil
}

// spill moves what is in memory to a file.
func (s *spool) spill() error {
	file, err := os.CreateTemp(s.dir, "firn-webhdfs-*")
	if err != nil {
		return fmt.Errorf("make a file to spool to (Options.SpoolDir): %w", err)
	}
	for _, chunk := range s.chunks {
		if _, err := file.Write(chunk); err != nil {
			err = fmt.Errorf("spool to %s (Options.SpoolDir): %w", file.Name(), err)
			return errors.Join(err, file.Close(), os.Remove(file.Name()))
		}
	}
	s.file, s.chunks = file, nil
	return nil
}

// reader returns a reader of all from the start. It is valid until close.
func (s *spool) reader() io.Reader {
	if s.file != nil {
		return io.NewSectionReader(s.file, 0, s.size)
	}
	return &chunkReader{chunks: s.chunks}
}

// close gives memory or file back.
func (s *spool) close() error {
	file := s.file
	s.file, s.chunks = nil, nil
	if file == nil {
		return nil
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// chunkReader reads chunks in turn.
type chunkReader struct {
	chunks [][]byte
	off    int // in the first chunk
}

// Read implements io.Reader.
func (r *chunkReader) Read(p []byte) (int, error) {
	for len(r.chunks) > 0 {
		n := copy(p, r.chunks[0][r.off:])
		r.off += n
		if r.off == len(r.chunks[0]) {
			r.chunks, r.off = r.chunks[1:], 0
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}
