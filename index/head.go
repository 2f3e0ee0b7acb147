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
}

// columnHead says where the parts of one column lie and what they hold.
type columnHead struct {
	rare, middle, dense uint64 // tokens of each class; rare ones include those whose only row stands in the dictionary
	dictionary          []dictionaryPart
	postings            []part
	dictionaryBlob      place
	postingsBlob        place
	bloomBlob           place
	bloomTokens         uint64
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

// dictionaryPart is a part of a dictionary: an FST of the tokens from first on.
type dictionaryPart struct {
	part
	first []byte
	base  uint64 // smallest posting offset of its tokens
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
	putHeader(b, kindHead, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(b)))
	return append(b, blobMagic...), nil
}

func (c *columnHead) append(b []byte, spec ColumnSpec) []byte {
	b = binary.AppendUvarint(b, c.rare)
	b = binary.AppendUvarint(b, c.middle)
	b = binary.AppendUvarint(b, c.dense)
	if spec.Bitmap {
		b = appendPlace(b, c.postingsBlob)
		b = binary.AppendUvarint(b, uint64(len(c.postings)))
		for _, p := range c.postings {
			b = appendPart(b, p)
		}
		b = appendPlace(b, c.dictionaryBlob)
		b = binary.AppendUvarint(b, uint64(len(c.dictionary)))
		for _, p := range c.dictionary {
			b = appendPart(b, p.part)
			b = appendCounted(b, p.first)
			b = binary.AppendUvarint(b, p.base)
		}
	}
	if spec.Bloom {
		b = appendPlace(b, c.bloomBlob)
		b = binary.AppendUvarint(b, c.bloomTokens)
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
		h.columns[i].read(r, h.options.Columns[i], offset)
	}
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

func (c *columnHead) read(r *reader, spec ColumnSpec, end int64) {
	c.rare, c.middle, c.dense = r.uvarint(math.MaxUint32), r.uvarint(math.MaxUint32), r.uvarint(math.MaxUint32)
	if spec.Bitmap {
		c.postingsBlob = readPlace(r, end)
		n := r.uvarint(largestParts)
		total := int64(0)
		for i := uint64(0); i < n && r.err == nil; i++ {
			c.postings = append(c.postings, readPart(r, &total))
		}
		if total != c.postingsBlob.length {
			r.fail("the parts of the postings do not add up")
		}
		c.dictionaryBlob = readPlace(r, end)
		n, total = r.uvarint(largestParts), 0
		for i := uint64(0); i < n && r.err == nil; i++ {
			p := dictionaryPart{part: readPart(r, &total), first: r.counted(math.MaxUint8), base: r.uvarint(largestFile)}
			if i > 0 && bytes.Compare(c.dictionary[i-1].first, p.first) >= 0 {
				r.fail("the parts of the dictionary are out of order")
			}
			c.dictionary = append(c.dictionary, p)
		}
		if total != c.dictionaryBlob.length {
			r.fail("the parts of the dictionary do not add up")
		}
	}
	if spec.Bloom {
		c.bloomBlob = readPlace(r, end)
		c.bloomTokens = r.uvarint(math.MaxUint32)
	}
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
