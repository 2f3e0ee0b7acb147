package format

import "io"

// sinkBuffer is how many bytes a sink gathers before it writes them on.
const sinkBuffer = 256 << 10

// sink gathers small writes and knows the position in the file. Its first error is kept and returned by every later call.
type sink struct {
	w   io.Writer
	buf []byte
	pos int64 // bytes written, including those in buf
	err error
}

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	s.pos += int64(len(p))
	if len(s.buf)+len(p) > sinkBuffer {
		if err := s.flush(); err != nil {
			return 0, err
		}
	}
	if len(p) > sinkBuffer {
		_, s.err = s.w.Write(p)
		return len(p), s.err
	}
	s.buf = append(s.buf, p...)
	return len(p), nil
}

// Tell returns the position in the file; arrow-go's builders ask for it.
func (s *sink) Tell() int64 { return s.pos }

func (s *sink) flush() error {
	if s.err == nil && len(s.buf) > 0 {
		_, s.err = s.w.Write(s.buf)
		s.buf = s.buf[:0]
	}
	return s.err
}
