package index

// Summary says what a sidecar holds. Sizes are bytes.
type Summary struct {
	Rows        uint32          `json:"rows"`
	Bytes       int64           `json:"bytes"`                 // the whole sidecar
	HeadBytes   int64           `json:"head_bytes"`            // its end, which is read to open it
	BloomBytes  int64           `json:"bloom_bytes"`           // all bloom filters
	BitmapBytes int64           `json:"bitmap_bytes"`          // all dictionaries, tables of ids and patterns
	ValueBytes  int64           `json:"value_bytes,omitempty"` // all value indexes
	Tokens      int64           `json:"tokens"`                // distinct kept tokens, added over the columns
	Columns     []ColumnSummary `json:"columns"`
}

// ColumnSummary says what a sidecar holds for one column.
type ColumnSummary struct {
	ColumnSpec
	Tokens           int64  `json:"tokens"`            // distinct kept tokens
	DictionaryTokens int64  `json:"dictionary_tokens"` // words, and other tokens in more than 16 rows
	IDs              int64  `json:"ids"`               // the other tokens
	Patterns         int64  `json:"patterns"`
	BlockRows        uint32 `json:"block_rows"` // rows of a block, where tokens have postings of blocks
	ExactRows        uint32 `json:"exact_rows"` // up to how many rows tokens have postings of rows though blocks take less
	DictionaryBytes  int64  `json:"dictionary_bytes"`
	IDBytes          int64  `json:"id_bytes"`
	PatternBytes     int64  `json:"pattern_bytes"`
	BloomBytes       int64  `json:"bloom_bytes"`
}

// summary adds up what a head says about a sidecar of so many bytes.
func (h *head) summary(size, headBytes int64) Summary {
	s := Summary{Rows: h.identity.Rows, Bytes: size, HeadBytes: headBytes}
	for i, spec := range h.options.Columns {
		c := &h.columns[i]
		column := ColumnSummary{
			ColumnSpec:       spec,
			Tokens:           int64(c.words + c.ids),
			DictionaryTokens: int64(c.words),
			IDs:              int64(c.ids),
			Patterns:         int64(c.patterns),
			BlockRows:        c.blockRows,
			ExactRows:        c.exactRows,
			DictionaryBytes:  c.wordsBlob.bytes(),
			IDBytes:          c.idsBlob.bytes(),
			PatternBytes:     c.patternsBlob.bytes(),
			BloomBytes:       c.bloomBlob.bytes(),
		}
		if !spec.Bitmap {
			column.Tokens = int64(c.bloomTokens)
		}
		s.Columns = append(s.Columns, column)
		s.Tokens += column.Tokens
		s.BloomBytes += column.BloomBytes
		s.BitmapBytes += column.DictionaryBytes + column.IDBytes + column.PatternBytes
	}
	for i := range h.values {
		s.ValueBytes += h.values[i].points.bytes() + h.values[i].ranges.bytes()
	}
	return s
}

// bytes is the size of the blob, header included.
func (p place) bytes() int64 {
	if p.length == 0 {
		return 0
	}
	return p.length + headerBytes
}
