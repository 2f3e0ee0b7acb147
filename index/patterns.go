package index

import "context"

// Pattern is a pattern of the texts of one column in one data file: all rows whose texts have the same set of word tokens
// (analyzer.WordToken).
type Pattern struct {
	ID     uint64 // analyzer.Signer.Signature of the texts: the same in every file
	Rows   uint32 // number of rows
	Sample string // text of the first row, cut to 256 bytes at a rune
}

// Patterns returns the patterns of a column, and the rows that are in none of them: rows with too rare a pattern, or without a text. The rows of all
// patterns and rest together are all rows of the data file. Without a bitmap of the column all rows are rest.
func (s *Sidecar) Patterns(_ context.Context, _ int) (patterns []Pattern, rest *RowSet, err error) {
	return nil, AllRows(s.head.identity.Rows), nil
}

// PatternRows returns the rows of a pattern, which is given by its place in what Patterns returned.
func (s *Sidecar) PatternRows(_ context.Context, _, pattern int) (*RowSet, error) {
	return nil, s.problem(corruptf("no pattern has number %d", pattern))
}

// PatternOfRows returns for each row of the data file the place of its pattern in what Patterns returned, or ^uint32(0) if it is in none.
func (s *Sidecar) PatternOfRows(_ context.Context, _ int) ([]uint32, error) {
	numbers := make([]uint32, s.head.identity.Rows)
	for i := range numbers {
		numbers[i] = ^uint32(0)
	}
	return numbers, nil
}
