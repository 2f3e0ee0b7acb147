package index

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/firnlog/firn/index/analyzer"
)

// head is the payload of the head blob: whose index this is, what it was built with, and where each part lies. It repeats what Puffin's
// footer says about the blobs, because that has no checksum.
type head struct {
	identity Identity
	options  Options
	analyzer *analyzer.Analyzer
	columns  []columnHead // one for each of options.Columns, in their order
	values   []valuesHead // one for each of options.Values, in their order
}

// columnHead says where the parts of one column lie and what they hold.
type columnHead struct {
	words, ids, patterns uint64 // tokens of the dictionary, of the table of ids, and patterns
	blockRows            uint32 // rows of a block
	exactRows            uint32 // up to how many rows tokens have postings of rows though blocks take less
	wordsBlob            place
	wordParts            []dictionaryPart
	idsBlob              place
	idBuckets            uint64
	bucketsPerPart       uint64 // but for the last part
	wideOffsets          bool   // the places of buckets in a part take four bytes, not two
	idParts              []part
	patternsBlob         place
	patternParts         []part // the table of patterns, and the blocks of the column
	bloomBlob            place
	bloomTokens          uint64
}

// place is where a blob lies in the file: its header, and length bytes of payload behind it. length 0 says that there is none.
type place struct {
	offset int64
	length int64
}

// part is a piece of a payload that is read and verified by itself.
type part struct {
	start  int64 // offset in the payload
	length int64
	crc    uint32
}

// dictionaryPart is a part of a dictionary: the tokens from first on.
type dictionaryPart struct {
	part
	first []byte
}

// partOf returns the part that begins at start and ends where the payload ends.
func partOf(payload []byte, start int64) part {
	return part{start: start, length: int64(len(payload)) - start, crc: checksum(payload[start:])}
}

func appendPartOf(parts []part, payload []byte, start int64) []part {
	return append(parts, partOf(payload, start))
}

// Bounds of what a head may say.
const (
	largestName    = 4096
	largestOptions = 1 << 20
	largestFile    = math.MaxInt64 / 4
	largestParts   = 1 << 24
)

// headTail ends the head blob, so that it is found from the end of the file: uint32 length of the blob up to here, and magic.
const headTail = 8

// encode returns the whole head blob.
func (h *head) encode() ([]byte, error) {
	options, err := json.Marshal(h.options)
	if err != nil {
		return nil, fmt.Errorf("encode index options: %w", err)
	}
	b := make([]byte, headerBytes, 4096)
	b = appendCounted(b, []byte(h.identity.DataFile))
	b = binary.AppendUvarint(b, uint64(h.identity.Rows))
	b = appendCounted(b, []byte(h.analyzer.Name()))
	b = binary.AppendUvarint(b, uint64(h.analyzer.Version()))
	b = appendCounted(b, options)
	for i := range h.columns {
		b = h.columns[i].append(b, h.options.Columns[i])
	}
	b = h.appendValues(b)
	putHeader(b, kindHead, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(b)))
	return append(b, blobMagic...), nil
}

func (c *columnHead) append(b []byte, spec ColumnSpec) []byte {
	if spec.Bitmap {
		b = binary.AppendUvarint(b, uint64(c.blockRows))
		b = binary.AppendUvarint(b, uint64(c.exactRows))
		b = binary.AppendUvarint(b, c.words)
		b = appendPlace(b, c.wordsBlob)
		b = binary.AppendUvarint(b, uint64(len(c.wordParts)))
		for _, p := range c.wordParts {
			b = appendPart(b, p.part)
			b = appendCounted(b, p.first)
		}
		b = binary.AppendUvarint(b, c.ids)
		b = appendPlace(b, c.idsBlob)
		b = binary.AppendUvarint(b, c.idBuckets)
		b = binary.AppendUvarint(b, c.bucketsPerPart)
		wide := uint64(0)
		if c.wideOffsets {
			wide = 1
		}
		b = binary.AppendUvarint(b, wide)
		b = appendParts(b, c.idParts)
		b = binary.AppendUvarint(b, c.patterns)
		b = appendPlace(b, c.patternsBlob)
		b = appendParts(b, c.patternParts)
	}
	if spec.Bloom {
		b = appendPlace(b, c.bloomBlob)
		b = binary.AppendUvarint(b, c.bloomTokens)
	}
	return b
}

func appendParts(b []byte, parts []part) []byte {
	b = binary.AppendUvarint(b, uint64(len(parts)))
	for _, p := range parts {
		b = appendPart(b, p)
	}
	return b
}

func appendCounted(b, s []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendPlace(b []byte, p place) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(p.offset)), uint64(p.length))
}

func appendPart(b []byte, p part) []byte {
	return binary.LittleEndian.AppendUint32(binary.AppendUvarint(b, uint64(p.length)), p.crc)
}

// decodeHead decodes the payload of a head blob that begins at an offset of the file: every part it names must lie before.
func decodeHead(v verified, offset int64) (*head, error) {
	r := newReader(v, 0, "head")
	h := &head{}
	h.identity.DataFile = string(r.counted(largestName))
	h.identity.Rows = uint32(r.uvarint(math.MaxUint32))
	name := string(r.counted(largestName))
	version := r.uvarint(math.MaxInt32)
	options := r.counted(largestOptions)
	if r.err != nil {
		return nil, r.err
	}
	if err := h.loadOptions(name, int(version), options); err != nil {
		return nil, err
	}
	h.columns = make([]columnHead, len(h.options.Columns))
	for i := range h.columns {
		h.columns[i].read(r, h.options.Columns[i], h.identity.Rows, offset)
	}
	h.readValues(r, offset)
	return h, r.end()
}

// loadOptions reads the stored options. What this firn does not know there is a newer version's, not damage.
func (h *head) loadOptions(name string, version int, stored []byte) error {
	dec := json.NewDecoder(bytes.NewReader(stored))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&h.options); err != nil {
		return fmt.Errorf("%w: stored options %.200q: %w", ErrUnknownVersion, stored, err)
	}
	params, err := json.Marshal(h.options.Analyzer)
	if err != nil {
		return fmt.Errorf("encode analyzer parameters: %w", err)
	}
	h.analyzer, err = analyzer.Load(name, version, params)
	if errors.Is(err, analyzer.ErrUnknownAnalyzer) {
		return fmt.Errorf("%w: %w", ErrUnknownVersion, err)
	}
	if err != nil {
		return err
	}
	if h.options, err = h.options.withDefaults(); err != nil {
		return fmt.Errorf("%w: stored options: %w", ErrUnknownVersion, err)
	}
	return nil
}

func (c *columnHead) read(r *reader, spec ColumnSpec, rows uint32, end int64) {
	if spec.Bitmap {
		c.blockRows, c.exactRows = uint32(r.uvarint(mostBlockRows)), uint32(r.uvarint(math.MaxUint32))
		if c.blockRows == 0 {
			r.fail("blocks have no rows")
			return
		}
		c.readWords(r, end)
		c.readIDs(r, end)
		c.readPatterns(r, rows, end)
	}
	if spec.Bloom {
		c.bloomBlob = readPlace(r, end)
		c.bloomTokens = r.uvarint(math.MaxUint32)
	}
}

func (c *columnHead) readWords(r *reader, end int64) {
	c.words, c.wordsBlob = r.uvarint(math.MaxUint32), readPlace(r, end)
	n, total := r.uvarint(largestParts), int64(0)
	for i := uint64(0); i < n && r.err == nil; i++ {
		p := dictionaryPart{part: readPart(r, &total), first: r.counted(math.MaxUint8)}
		if i > 0 && bytes.Compare(c.wordParts[i-1].first, p.first) >= 0 {
			r.fail("the parts of the dictionary are out of order")
		}
		c.wordParts = append(c.wordParts, p)
	}
	if total != c.wordsBlob.length {
		r.fail("the parts of the dictionary do not add up")
	}
}

func (c *columnHead) readIDs(r *reader, end int64) {
	c.ids, c.idsBlob = r.uvarint(math.MaxUint32), readPlace(r, end)
	c.idBuckets, c.bucketsPerPart, c.wideOffsets = r.uvarint(math.MaxUint32), r.uvarint(math.MaxUint32), r.uvarint(1) == 1
	c.idParts = readParts(r, c.idsBlob)
	if c.idBuckets > 0 && (c.bucketsPerPart == 0 || (c.idBuckets+c.bucketsPerPart-1)/c.bucketsPerPart != uint64(len(c.idParts))) ||
		c.idBuckets == 0 && len(c.idParts) > 0 {
		r.fail("the parts of the table of ids do not hold its buckets")
	}
}

func (c *columnHead) readPatterns(r *reader, rows uint32, end int64) {
	c.patterns, c.patternsBlob = r.uvarint(largestPatterns), readPlace(r, end)
	c.patternParts = readParts(r, c.patternsBlob)
	want := 0
	if c.patterns > 0 {
		want = 1 + int(blocksOf(rows, columnBlockRows))
	}
	if len(c.patternParts) != want {
		r.fail("the column of patterns has not as many blocks as the data file's rows take")
	}
}

// readParts takes the parts of a blob, which must fill it.
func readParts(r *reader, blob place) (parts []part) {
	n, total := r.uvarint(largestParts), int64(0)
	for i := uint64(0); i < n && r.err == nil; i++ {
		parts = append(parts, readPart(r, &total))
	}
	if total != blob.length {
		r.fail("the parts of a blob do not add up")
	}
	return parts
}

func readPlace(r *reader, end int64) place {
	p := place{offset: int64(r.uvarint(largestFile)), length: int64(r.uvarint(largestFile))}
	if p.length > 0 && (p.offset < 4 || p.offset+headerBytes+p.length > end) {
		r.fail("a blob lies outside the file")
	}
	return p
}

func readPart(r *reader, total *int64) part {
	p := part{start: *total, length: int64(r.uvarint(largestFile)), crc: r.fixed32()}
	*total += p.length
	if *total > largestFile {
		r.fail("a part is too long")
	}
	return p
}
