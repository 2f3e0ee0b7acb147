package index

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/apache/iceberg-go/puffin"
)

// finisher turns the tables of a builder into a sidecar. Its buffers are reused from file to file.
type finisher struct {
	dictionary dictionaryBuilder
	encoder    postingEncoder
	postings   []byte // header, and the entries
	parts      []part
	runs       []rowRun
	chain      []byte
}

// postingPartBytes is about the size at which a part of the postings ends. An entry is never cut.
const postingPartBytes = 64 << 10

func (f *finisher) memoryBytes() int64 {
	return int64(f.dictionary.out.Cap()) + int64(cap(f.postings)) + int64(cap(f.encoder.dense))*8 + int64(cap(f.runs))*8 + int64(cap(f.chain))
}

// Finish writes the sidecar of the data file whose texts were observed. The same texts, Options and Identity always give the same
// bytes. The builder must be Reset before it is used again. Errors: ErrRowOrder, ErrTooLarge, or what w returned.
func (b *Builder) Finish(w io.Writer, id Identity) (Summary, error) {
	if err := b.check(id); err != nil {
		return Summary{}, err
	}
	out := &countingWriter{w: w}
	file, err := puffin.NewWriter(out)
	if err != nil {
		return Summary{}, fmt.Errorf("begin a sidecar: %w", err)
	}
	h := &head{identity: id, options: b.options, analyzer: b.analyzer, columns: make([]columnHead, len(b.columns))}
	for i := range b.columns {
		if !b.columns[i].spec.Bitmap {
			continue
		}
		if err := b.finishBitmap(file, &b.columns[i], &h.columns[i], id.Rows); err != nil {
			return Summary{}, fmt.Errorf("index column %q: %w", b.columns[i].spec.Column, err)
		}
	}
	for i := range b.columns {
		c := &b.columns[i]
		if !c.spec.Bloom {
			continue
		}
		tokens := c.table.kept()
		h.columns[i].bloomTokens = uint64(tokens)
		blob := encodeBloom(c.table, tokens, bloomRate(b.options.FalsePositiveRate, id.Rows))
		if h.columns[i].bloomBlob, err = addBlob(file, kindBloom, c.spec.FieldID, blob); err != nil {
			return Summary{}, fmt.Errorf("index column %q: %w", c.spec.Column, err)
		}
	}
	headBlob, err := finishHead(file, h)
	if err != nil {
		return Summary{}, err
	}
	return h.summary(out.n, out.n-headBlob.offset), nil
}

// check says whether what was observed can be the texts of the data file.
func (b *Builder) check(id Identity) error {
	if b.err != nil {
		return b.err
	}
	if len(id.DataFile) > largestName {
		return fmt.Errorf("%w: the data file's name has %d bytes; at most %d fit", ErrTooLarge, len(id.DataFile), largestName)
	}
	for i := range b.columns {
		c := &b.columns[i]
		if c.any && c.last >= id.Rows {
			return fmt.Errorf("%w: column %q has row %d, data file %q has %d rows", ErrRowOrder, c.spec.Column, c.last, id.DataFile, id.Rows)
		}
		if c.table.full || c.table.chains.full {
			return fmt.Errorf("%w: column %q of data file %q", ErrTooLarge, c.spec.Column, id.DataFile)
		}
	}
	return nil
}

// finishBitmap writes the postings and the dictionary of one column.
func (b *Builder) finishBitmap(file *puffin.Writer, c *columnBuilder, h *columnHead, rows uint32) error {
	f := &b.finisher
	f.encoder.rows = rows
	f.encoder.rareRows = uint32(b.options.RareRows)
	f.encoder.denseRows = uint32(math.Floor(b.options.DenseFraction * float64(rows)))
	f.dictionary.start()
	f.parts = nil
	f.postings = append(f.postings[:0], make([]byte, headerBytes)...)
	for _, number := range c.table.sorted() {
		if err := f.addToken(c.table, &c.table.entries[number], h); err != nil {
			return err
		}
	}
	f.endPart(true)
	if err := f.dictionary.end(); err != nil {
		return err
	}
	h.postings, h.dictionary = f.parts, f.dictionary.parts
	var err error
	if h.postingsBlob, err = addBlob(file, kindPostings, c.spec.FieldID, f.postings); err != nil {
		return err
	}
	h.dictionaryBlob, err = addBlob(file, kindDictionary, c.spec.FieldID, f.dictionary.out.Bytes())
	return err
}

// addToken writes the posting entry of a token, if it needs one, and adds the token to the dictionary.
func (f *finisher) addToken(t *tokenTable, e *tokenEntry, h *columnHead) error {
	offset := uint64(len(f.postings) - headerBytes)
	if e.head == 0 && e.run == 1 && f.encoder.denseRows > 0 {
		h.rare++
		return f.dictionary.add(t.key(e), offset, true, e.last)
	}
	var count uint32
	f.runs, count = t.chains.runs(f.runs[:0], e, &f.chain)
	var class postingClass
	var err error
	if f.postings, class, err = f.encoder.encode(f.postings, f.runs, count); err != nil {
		return err
	}
	switch {
	case class == classDense:
		h.dense++
	case count <= f.encoder.rareRows:
		h.rare++
	default:
		h.middle++
	}
	f.endPart(false)
	return f.dictionary.add(t.key(e), offset, false, 0)
}

// endPart ends the present part of the postings if it is large enough, or if it is the last one.
func (f *finisher) endPart(last bool) {
	start := int64(0)
	if n := len(f.parts); n > 0 {
		start = f.parts[n-1].start + f.parts[n-1].length
	}
	length := int64(len(f.postings)-headerBytes) - start
	if length >= postingPartBytes || last && length > 0 {
		f.parts = append(f.parts, part{start: start, length: length, crc: checksum(f.postings[headerBytes+start:])})
	}
}

// addBlob completes a blob and adds it to the file. A blob without payload is left out.
func addBlob(file *puffin.Writer, kind blobKind, fieldID int, blob []byte) (place, error) {
	if len(blob) <= headerBytes {
		return place{}, nil
	}
	putHeader(blob, kind, fieldID)
	return writeBlob(file, kind, fieldID, blob, int64(len(blob)-headerBytes))
}

func writeBlob(file *puffin.Writer, kind blobKind, fieldID int, blob []byte, payload int64) (place, error) {
	input := puffin.BlobMetadataInput{Type: blobType(kind), SnapshotID: -1, SequenceNumber: -1, Fields: []int32{}}
	if fieldID != 0 {
		input.Fields = []int32{int32(fieldID)}
	}
	meta, err := file.AddBlob(input, blob)
	if err != nil {
		return place{}, fmt.Errorf("write the %s blob: %w", kind, err)
	}
	return place{offset: meta.Offset, length: payload}, nil
}

// blobType is the name of a kind of blob in Puffin's footer.
func blobType(kind blobKind) puffin.BlobType {
	return puffin.BlobType("firn-" + kind.String() + "-v" + strconv.Itoa(formatVersion))
}

// finishHead writes the head and Puffin's footer, whose properties are for people and other programs; firn reads its own head.
func finishHead(file *puffin.Writer, h *head) (place, error) {
	blob, err := h.encode()
	if err != nil {
		return place{}, err
	}
	at, err := writeBlob(file, kindHead, 0, blob, int64(len(blob)-headerBytes-headTail))
	if err != nil {
		return place{}, err
	}
	err = file.AddProperties(map[string]string{
		"firn.data-file": h.identity.DataFile,
		"firn.rows":      strconv.FormatUint(uint64(h.identity.Rows), 10),
	})
	if err == nil {
		err = file.SetCreatedBy("firn")
	}
	if err == nil {
		err = file.Finish()
	}
	if err != nil {
		return place{}, fmt.Errorf("end a sidecar: %w", err)
	}
	return at, nil
}

// countingWriter counts what was written.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
