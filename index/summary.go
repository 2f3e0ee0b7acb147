package index

// Summary says what a sidecar holds. Sizes are bytes.
type Summary struct {
	Rows        uint32          `json:"rows"`
	Bytes       int64           `json:"bytes"`        // the whole sidecar
	HeadBytes   int64           `json:"head_bytes"`   // its end, which is read to open it
	BloomBytes  int64           `json:"bloom_bytes"`  // all bloom filters
	BitmapBytes int64           `json:"bitmap_bytes"` // all dictionaries and postings
	Tokens      int64           `json:"tokens"`       // distinct kept tokens, added over the columns
	Columns     []ColumnSummary `json:"columns"`
}

// ColumnSummary says what a sidecar holds for one column.
type ColumnSummary struct {
	ColumnSpec
	Tokens          int64 `json:"tokens"`        // distinct kept tokens
	RareTokens      int64 `json:"rare_tokens"`   // in at most RareRows rows
	MiddleTokens    int64 `json:"middle_tokens"` // in more, with postings
	DenseTokens     int64 `json:"dense_tokens"`  // in more than DenseFraction of the rows, without postings
	DictionaryBytes int64 `json:"dictionary_bytes"`
	PostingBytes    int64 `json:"posting_bytes"`
	BloomBytes      int64 `json:"bloom_bytes"`
}

// summary adds up what a head says about a sidecar of so many bytes.
func (h *head) summary(size, headBytes int64) Summary {
	s := Summary{Rows: h.identity.Rows, Bytes: size, HeadBytes: headBytes}
	for i, spec := range h.options.Columns {
		c := &h.columns[i]
		column := ColumnSummary{
			ColumnSpec:      spec,
			Tokens:          int64(c.rare + c.middle + c.dense),
			RareTokens:      int64(c.rare),
			MiddleTokens:    int64(c.middle),
			DenseTokens:     int64(c.dense),
			DictionaryBytes: c.dictionaryBlob.bytes(),
			PostingBytes:    c.postingsBlob.bytes(),
			BloomBytes:      c.bloomBlob.bytes(),
		}
		if !spec.Bitmap {
			column.Tokens = int64(c.bloomTokens)
		}
		s.Columns = append(s.Columns, column)
		s.Tokens += column.Tokens
		s.BloomBytes += column.BloomBytes
		s.BitmapBytes += column.DictionaryBytes + column.PostingBytes
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
