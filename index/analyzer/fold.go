package analyzer

// appendFolded appends the folded form of the first rune (or invalid byte) of text, and returns how many bytes of text it took.
func appendFolded[T ~string | ~[]byte](dst []byte, text T) ([]byte, int) {
	return append(dst, text[0]), 1
}
