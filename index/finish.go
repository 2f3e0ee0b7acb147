package index

import (
	"fmt"
	"io"
	"strconv"

	"github.com/apache/iceberg-go/puffin"
)

// finisher turns what a builder has seen into a sidecar. Its buffers are reused from file to file.
type finisher struct {
	bitmap bitmapFinisher
}

func (f *finisher) memoryBytes() int64 { return f.bitmap.memoryBytes() }

// compression is how many times smaller than its texts a data file is taken to be if its size is not known.
const compression = 8

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
		c := &b.columns[i]
		if err := b.finisher.bitmap.finish(file, c, &h.columns[i], id.Rows, b.budget(c)); err != nil {
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
	if err := b.finishValues(file, h); err != nil {
		return Summary{}, err
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
		if c.table.full || c.table.chains.full || c.patterns.full {
			return fmt.Errorf("%w: column %q of data file %q", ErrTooLarge, c.spec.Column, id.DataFile)
		}
	}
	return nil
}

// budget returns how many bytes the bitmap of a column should have: its share by the bytes of its texts.
func (b *Builder) budget(c *columnBuilder) int64 {
	total := int64(0)
	for i := range b.columns {
		if b.columns[i].spec.Bitmap {
			total += b.columns[i].bytes
		}
	}
	size := b.fileSize
	if size <= 0 {
		size = total / compression
	}
	if total == 0 {
		return 0
	}
	return int64(b.options.BitmapFraction * float64(size) * (float64(c.bytes) / float64(total)))
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
