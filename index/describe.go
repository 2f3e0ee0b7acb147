package index

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/storage"
)

// Description is all that there is to say about a sidecar, for people (WriteText) and programs (as JSON). Sizes are bytes.
type Description struct {
	Name            string              `json:"name"`
	FormatVersion   int                 `json:"format_version"`
	DataFile        string              `json:"data_file"`
	Rows            uint32              `json:"rows"`
	Analyzer        string              `json:"analyzer"`
	AnalyzerVersion int                 `json:"analyzer_version"`
	Options         Options             `json:"options"`
	Summary         Summary             `json:"summary"`
	Parts           []PartDescription   `json:"parts"`
	Columns         []ColumnDescription `json:"columns"`
	Values          []ValueDescription  `json:"values,omitempty"`
}

// PartDescription is one blob of a sidecar.
type PartDescription struct {
	Kind    string `json:"kind"` // "dictionary", "ids", "patterns", "bloom" or "head" (with Puffin's footer)
	Column  string `json:"column,omitempty"`
	FieldID int    `json:"field_id,omitempty"`
	Bytes   int64  `json:"bytes"`
	Pieces  int    `json:"pieces"` // that are read one by one
}

// ColumnDescription is what a sidecar holds for one column.
type ColumnDescription struct {
	ColumnSummary
	SingleRowTokens int64           `json:"single_row_tokens"` // tokens of the dictionary whose only row stands there
	ExactTokens     int64           `json:"exact_tokens"`      // other tokens of the dictionary of which all rows are known
	BlockTokens     int64           `json:"block_tokens"`      // tokens of the dictionary of some of whose rows only the blocks are known
	PatternedTokens int64           `json:"patterned_tokens"`  // tokens of the dictionary that are in patterns
	ExactIDs        int64           `json:"exact_ids"`         // ids with rows and not blocks
	Rows            int64           `json:"rows"`              // (token, row) pairs of the tokens of the dictionary
	PatternedRows   int64           `json:"patterned_rows"`    // rows that are in a pattern
	BloomBits       int64           `json:"bloom_bits,omitempty"`
	BloomHashes     int             `json:"bloom_hashes,omitempty"`
	BloomFill       float64         `json:"bloom_fill,omitempty"` // fraction of the bits that are set
	Largest         []TokenDetail   `json:"largest,omitempty"`    // entries of the dictionary that take most bytes
	TopPatterns     []PatternDetail `json:"top_patterns,omitempty"`
}

// TokenDetail is one token of a dictionary.
type TokenDetail struct {
	Token string `json:"token"`
	Rows  uint32 `json:"rows"`
	Class string `json:"class"` // "single", "patterns" (all rows are in patterns), "rows", "blocks"
	Bytes int64  `json:"bytes"` // of its entry

	patterned bool // some of its rows are in patterns
}

// PatternDetail is one pattern.
type PatternDetail struct {
	ID     string `json:"id"` // 16 hexadecimal digits
	Rows   uint32 `json:"rows"`
	Sample string `json:"sample"`
}

// Inspect opens a sidecar, of whatever data file, and describes it; see Sidecar.Describe.
func Inspect(ctx context.Context, store storage.Store, name string, top int) (*Description, error) {
	s, err := open(ctx, store, name, tailBytes)
	if err != nil {
		return nil, fmt.Errorf("open index sidecar %s: %w", name, err)
	}
	return s.Describe(ctx, top)
}

// Dump writes for people what a sidecar holds, with the top largest entries and patterns of each column.
func Dump(ctx context.Context, store storage.Store, name string, w io.Writer, top int) error {
	d, err := Inspect(ctx, store, name, top)
	if err != nil {
		return err
	}
	return d.WriteText(w)
}

// Describe reads the whole sidecar, checks every byte and every posting, and says what it holds, with the top largest tokens and patterns of each
// column. An error is what Lookup would return: ErrCorrupt, or one of the store.
func (s *Sidecar) Describe(ctx context.Context, top int) (*Description, error) {
	d := &Description{
		Name:            s.name,
		FormatVersion:   formatVersion,
		DataFile:        s.head.identity.DataFile,
		Rows:            s.head.identity.Rows,
		Analyzer:        s.head.analyzer.Name(),
		AnalyzerVersion: s.head.analyzer.Version(),
		Options:         s.Options(),
		Summary:         s.Summary(),
	}
	for i := range s.head.columns {
		if err := s.checkBlobs(ctx, i); err != nil {
			return nil, s.problem(err)
		}
		column, err := s.describeColumn(ctx, i, top)
		if err != nil {
			return nil, s.problem(err)
		}
		d.Columns = append(d.Columns, column)
		d.Parts = append(d.Parts, s.parts(i)...)
	}
	if err := s.describeValues(ctx, d); err != nil {
		return nil, s.problem(err)
	}
	d.Parts = append(d.Parts, PartDescription{Kind: kindHead.String(), Bytes: d.Summary.HeadBytes, Pieces: 1})
	return d, nil
}

// parts lists the blobs of a column.
func (s *Sidecar) parts(column int) []PartDescription {
	h, spec := &s.head.columns[column], s.head.options.Columns[column]
	var parts []PartDescription
	add := func(kind blobKind, at place, pieces int) {
		if at.length > 0 {
			parts = append(parts, PartDescription{Kind: kind.String(), Column: spec.Column, FieldID: spec.FieldID, Bytes: at.bytes(), Pieces: pieces})
		}
	}
	add(kindWords, h.wordsBlob, len(h.wordParts))
	add(kindIDs, h.idsBlob, len(h.idParts))
	add(kindPatterns, h.patternsBlob, len(h.patternParts))
	add(kindBloom, h.bloomBlob, 1)
	return parts
}

// checkBlobs checks headers and payloads of the blobs that look-ups only read in parts.
func (s *Sidecar) checkBlobs(ctx context.Context, column int) error {
	h, fieldID := &s.head.columns[column], s.head.options.Columns[column].FieldID
	blobs := map[blobKind]place{kindWords: h.wordsBlob, kindIDs: h.idsBlob, kindPatterns: h.patternsBlob}
	for _, kind := range []blobKind{kindWords, kindIDs, kindPatterns} {
		at := blobs[kind]
		if at.length == 0 {
			continue
		}
		blob, err := s.read(ctx, at.offset, headerBytes+at.length)
		if err != nil {
			return err
		}
		crc, err := checkHeader(blob, kind, fieldID, at.length)
		if err != nil {
			return err
		}
		if _, err := verify(blob[headerBytes:], crc, "the "+kind.String()+" blob"); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sidecar) describeColumn(ctx context.Context, column, top int) (ColumnDescription, error) {
	d := ColumnDescription{ColumnSummary: s.summary.Columns[column]}
	if d.Bloom {
		filter, err := s.bloom(ctx, column)
		if err != nil {
			return d, err
		}
		d.BloomBits, d.BloomHashes = int64(filter.Blocks())*bloomBlockBits, filter.Hashes()
		d.BloomFill = filter.Fill()
	}
	if !d.Bitmap {
		return d, nil
	}
	if err := s.describePatterns(ctx, column, top, &d); err != nil {
		return d, err
	}
	if err := s.describeIDs(ctx, column, &d); err != nil {
		return d, err
	}
	return d, s.describeWords(ctx, column, top, &d)
}

func (s *Sidecar) describeWords(ctx context.Context, column, top int, d *ColumnDescription) error {
	tokens := int64(0)
	var last []byte
	for i := range s.head.columns[column].wordParts {
		err := s.eachToken(ctx, column, i, func(token []byte, p Posting, detail TokenDetail) error {
			if tokens > 0 && string(token) <= string(last) {
				return corruptf("dictionary: token %q comes after %q", token, last)
			}
			last = append(last[:0], token...)
			tokens++
			d.count(p, detail, top)
			return s.checkToken(ctx, column, token)
		})
		if err != nil {
			return err
		}
	}
	if tokens != d.DictionaryTokens {
		return corruptf("dictionary has %d tokens, the head says %d", tokens, d.DictionaryTokens)
	}
	d.keepLargest(top)
	return nil
}

// describePatterns checks the column of patterns against the table.
func (s *Sidecar) describePatterns(ctx context.Context, column, top int, d *ColumnDescription) error {
	if d.Patterns == 0 {
		return nil
	}
	table, err := s.patternTable(ctx, column)
	if err != nil {
		return err
	}
	numbers, err := s.PatternOfRows(ctx, d.FieldID)
	if err != nil {
		return err
	}
	rows := make([]uint32, len(table))
	for _, number := range numbers {
		if number != NoPattern {
			rows[number]++
			d.PatternedRows++
		}
	}
	for i, p := range table {
		if rows[i] != p.Rows {
			return corruptf("pattern %d has %d rows, the table says %d", i, rows[i], p.Rows)
		}
		if i < top {
			d.TopPatterns = append(d.TopPatterns, PatternDetail{fmt.Sprintf("%016x", p.ID), p.Rows, p.Sample})
		}
	}
	return nil
}

// describeIDs checks the table of ids.
func (s *Sidecar) describeIDs(ctx context.Context, column int, d *ColumnDescription) error {
	h, n := &s.head.columns[column], s.head.identity.Rows
	ids := int64(0)
	for bucket := uint64(0); bucket < h.idBuckets; bucket++ {
		part, err := s.idPart(ctx, column, int(bucket/h.bucketsPerPart))
		if err != nil {
			return err
		}
		err = h.eachID(part, bucket, n, func(_ uint32, p *idPostings) {
			ids++
			if !p.blocks {
				d.ExactIDs++
			}
		})
		if err != nil {
			return err
		}
	}
	if ids != d.IDs {
		return corruptf("table of ids has %d, the head says %d", ids, d.IDs)
	}
	return nil
}

// checkToken checks that a token could be looked up and, where there is a bloom filter, that the filter has it.
func (s *Sidecar) checkToken(ctx context.Context, column int, token []byte) error {
	if !s.head.analyzer.Keeps(token) || !analyzer.IsToken(string(token)) {
		return corruptf("dictionary has %q, which the analyzer does not keep", token)
	}
	if !s.head.options.Columns[column].Bloom {
		return nil
	}
	filter, err := s.bloom(ctx, column)
	if err == nil && !filter.Test(token) {
		err = corruptf("token %q is in the dictionary and not in the bloom filter", token)
	}
	return err
}

// eachToken tells every token of a part of a dictionary with its posting.
func (s *Sidecar) eachToken(ctx context.Context, column, i int, tell func([]byte, Posting, TokenDetail) error) error {
	h, n := &s.head.columns[column], s.head.identity.Rows
	d, err := s.dictionary(ctx, column, i)
	if err != nil {
		return err
	}
	first := true
	return d.each(ctx, s.summary.Columns[column].Tokens, func(token []byte, value uint64) error {
		if first && string(token) != string(h.wordParts[i].first) {
			return corruptf("dictionary: a part begins with %q, the head says %q", token, h.wordParts[i].first)
		}
		first = false
		posting, err := s.resolve(ctx, column, token, d, value)
		if err != nil {
			return err
		}
		detail := TokenDetail{Token: string(token), Rows: posting.Count, Class: "single"}
		if value&inlineRow == 0 {
			r := newReader(d.entries, value>>1, "dictionary entry")
			before := len(r.rest)
			e := takeEntry(r, analyzer.WordToken(token), h, n)
			detail.Bytes = int64(before - len(r.rest))
			detail.Class = [...]string{restNone: "patterns", restRows: "rows", restBlocks: "blocks", restBitmap: "blocks"}[e.form]
			detail.patterned = len(e.patterns) > 0
		}
		return tell(token, posting, detail)
	})
}

// count adds one token.
func (d *ColumnDescription) count(p Posting, detail TokenDetail, top int) {
	d.Rows += int64(p.Count)
	switch {
	case detail.Class == "single":
		d.SingleRowTokens++
	case p.Kind == PostingExact:
		d.ExactTokens++
	default:
		d.BlockTokens++
	}
	if detail.patterned {
		d.PatternedTokens++
	}
	if top <= 0 {
		return
	}
	d.Largest = append(d.Largest, detail)
	if len(d.Largest) >= 2*top+1000 {
		d.keepLargest(top)
	}
}

// keepLargest keeps the top largest tokens.
func (d *ColumnDescription) keepLargest(top int) {
	slices.SortFunc(d.Largest, func(a, b TokenDetail) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Token, b.Token))
	})
	d.Largest = d.Largest[:min(max(top, 0), len(d.Largest))]
}

// WriteText writes the description for people.
func (d *Description) WriteText(w io.Writer) error {
	options, err := json.Marshal(d.Options.Analyzer)
	if err != nil {
		return fmt.Errorf("encode analyzer parameters: %w", err)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format+"\n", args...) } // t keeps the error for Flush
	line("sidecar\t%s\t%d bytes, format version %d", d.Name, d.Summary.Bytes, d.FormatVersion)
	line("data file\t%s\t%d rows", d.DataFile, d.Rows)
	line("analyzer\t%s version %d\t%s", d.Analyzer, d.AnalyzerVersion, options)
	line("options\tbitmap fraction %g\tfalse positive rate %g", d.Options.BitmapFraction, d.Options.FalsePositiveRate)
	line("\npart\tcolumn\tbytes\tpieces")
	for _, p := range d.Parts {
		line("%s\t%s\t%d\t%d", p.Kind, p.Column, p.Bytes, p.Pieces)
	}
	for _, c := range d.Columns {
		line("\ncolumn\t%s\tfield id %d", c.Column, c.FieldID)
		line("tokens\t%d", c.Tokens)
		if c.Bitmap {
			line("dictionary\t%d\tin a single row %d, all rows known %d, blocks of rows known %d", c.DictionaryTokens, c.SingleRowTokens, c.ExactTokens, c.BlockTokens)
			line("\t\tin patterns %d; (token, row) pairs %d", c.PatternedTokens, c.Rows)
			line("ids\t%d\trows known %d", c.IDs, c.ExactIDs)
			line("blocks\t%d rows\tsmallest postings, and rows for tokens in up to %d rows", c.BlockRows, c.ExactRows)
			line("patterns\t%d\trows in patterns %d", c.Patterns, c.PatternedRows)
		}
		if c.Bloom {
			line("bloom\t%d bits, %d hash functions, %.1f %% set", c.BloomBits, c.BloomHashes, 100*c.BloomFill)
		}
		if len(c.Largest) > 0 {
			line("\ntoken\trows\tclass\tbytes")
		}
		for _, l := range c.Largest {
			line("%s\t%d\t%s\t%d", l.Token, l.Rows, l.Class, l.Bytes)
		}
		if len(c.TopPatterns) > 0 {
			line("\npattern\trows\tsample")
		}
		for _, p := range c.TopPatterns {
			line("%s\t%d\t%q", p.ID, p.Rows, p.Sample)
		}
	}
	for i := range d.Values {
		d.Values[i].writeText(line)
	}
	return t.Flush()
}
