package index

import "io"

// Builder collects the tokens of one data file. It satisfies format.Observer. It is not safe for concurrent use.
type Builder struct{}

// Summary says what a sidecar holds. Sizes are bytes.
type Summary struct {
	Rows        uint32          `json:"rows"`
	Bytes       int64           `json:"bytes"`        // the whole sidecar
	HeadBytes   int64           `json:"head_bytes"`   // what one ranged read of the end must cover to open it
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

// NewBuilder returns an empty builder, or ErrInvalidOptions.
func NewBuilder(o Options) (*Builder, error) {
	return &Builder{}, nil
}

// ObserveText adds the tokens of one text. Rows must ascend for each field; several texts of one row are allowed. Fields without an
// index are ignored. The text is not kept. What goes wrong is told by Finish.
func (b *Builder) ObserveText(fieldID int, row uint32, text []byte) {}

// MemoryBytes returns about how much memory the builder holds.
func (b *Builder) MemoryBytes() int64 { return 0 }

// Finish writes the sidecar of the data file whose texts were observed. The same texts, Options and Identity always give the same bytes.
// The builder must be Reset before it is used again. Errors: ErrRowOrder, ErrTooLarge, or what w returned.
func (b *Builder) Finish(w io.Writer, id Identity) (Summary, error) {
	return Summary{}, nil
}

// Reset empties the builder and keeps its memory for the next data file.
func (b *Builder) Reset() {}
