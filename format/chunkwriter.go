package format

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/klauspost/compress/zstd"
)

// Limits of a data page, beside its size in bytes: values that take next to no bytes would otherwise make pages that take long to
// decode.
const (
	maxPageValues = 16 << 10
	maxPageBody   = maxPageBytes - 1<<24 // a page of one enormous row must still be one that the reader accepts
)

// chunkWriter writes column chunks, one at a time, and holds the memory for that.
type chunkWriter struct {
	out       *sink
	zstd      *zstd.Encoder
	effort    Effort
	pageBytes int
	pageSizes map[int]int // by leaf: the page size that was found to pay for a column of text, see choosePageBytes

	// The chunk being written.
	leaf     leaf
	field    Field
	meta     *metadata.ColumnChunkMetaDataBuilder
	columns  metadata.ColumnIndexBuilder // nil: no bounds
	offsets  *metadata.OffsetIndexBuilder
	info     metadata.ChunkMetaInfo
	encoding int32
	pages    metadata.EncodingStats
	stats    columnStats // of the pages written

	// The page being built.
	firstRow int
	page     columnStats
	def, rep []uint8
	levels   []byte
	body     []byte
	packed   []byte
	header   []byte

	dict    *textDictionary
	numbers numberDictionary
	ids     []uint32 // what is left of the dictionary's ids for the pages to come
	epoch   []uint32 // for each dictionary entry, the last page that held it
	ints    []int64
	bools   []bool
}

// chunkWriters holds, by effort, chunk writers that no file needs at the moment: each has megabytes of compressor tables, which
// would cost more than the writing of a small file.
var chunkWriters [EffortFast + 1]sync.Pool

func newChunkWriter(out *sink, pageBytes int, effort Effort) (*chunkWriter, error) {
	if effort > EffortFast {
		return nil, fmt.Errorf("unknown effort %d", effort)
	}
	if w, ok := chunkWriters[effort].Get().(*chunkWriter); ok {
		w.out, w.pageBytes = out, pageBytes
		return w, nil
	}
	level := zstd.SpeedBetterCompression
	if effort == EffortFast {
		level = zstd.SpeedFastest
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true))
	if err != nil {
		return nil, err
	}
	return &chunkWriter{out: out, zstd: enc, effort: effort, pageBytes: pageBytes, pageSizes: map[int]int{}, dict: newTextDictionary()}, nil
}

// release makes the writer available for another file. It must not be used afterwards.
func (w *chunkWriter) release() {
	w.out, w.meta, w.columns, w.offsets = nil, nil, nil, nil
	w.stats, w.page = columnStats{}, columnStats{}
	w.dict.release()
	clear(w.pageSizes)
	chunkWriters[w.effort].Put(w)
}

// begin starts the chunk of a leaf.
func (w *chunkWriter) begin(f Field, l leaf, meta *metadata.ColumnChunkMetaDataBuilder, columns metadata.ColumnIndexBuilder, offsets *metadata.OffsetIndexBuilder) {
	w.field, w.leaf, w.meta, w.columns, w.offsets = f, l, meta, columns, offsets
	w.info = metadata.ChunkMetaInfo{IndexPageOffset: -1}
	w.pages = metadata.EncodingStats{DictEncodingStats: map[parquet.Encoding]int32{}, DataEncodingStats: map[parquet.Encoding]int32{}}
	w.stats, w.page, w.firstRow = columnStats{}, columnStats{}, 0
}

// end finishes the chunk's metadata.
func (w *chunkWriter) end() error {
	w.info.NumValues = w.stats.values
	hasDict := w.info.DictPageOffset > 0
	if err := w.meta.Finish(w.info, hasDict, false, w.pages); err != nil {
		return err
	}
	t := w.field.Type
	stats, minExact, maxExact := w.stats.encode(t)
	w.meta.SetStats(stats)
	if t == TypeString && stats.HasMin && stats.HasMax {
		s := w.meta.Contents().MetaData.Statistics
		s.IsMinValueExact, s.IsMaxValueExact = &minExact, &maxExact
	}
	if w.columns != nil {
		if err := w.columns.Finish(); err != nil {
			return err
		}
	}
	return w.offsets.Finish(0)
}

// compress returns the compressed form of p, valid until the next call.
func (w *chunkWriter) compress(p []byte) []byte {
	w.packed = w.zstd.EncodeAll(p, w.packed[:0])
	return w.packed
}

// flushPage writes the page that was built: rows up to row end of the chunk, whose encoded values are in w.body and whose counts
// and bounds are in w.page. With dictionary or repeated columns the levels are in w.def and w.rep.
func (w *chunkWriter) flushPage(end int) error {
	rows := end - w.firstRow
	if rows == 0 {
		return nil
	}
	if len(w.body) > maxPageBody {
		return fmt.Errorf("rows %d to %d hold %d bytes, more than a Parquet page can", w.firstRow, end, len(w.body))
	}
	h := pageHeader{kind: pageDataV2, values: int32(w.page.values), encoding: w.encoding, hasCRC: true,
		nulls: int32(w.page.nulls), rows: int32(rows), defEncoding: encodingRLE, repEncoding: encodingRLE}
	var parts [2][]byte
	if w.leaf.maxRep > 0 {
		// Version 1 compresses the levels too, which for repeated columns take as much as the values.
		h.kind = pageData
		w.levels = w.appendLevels(w.levels[:0], w.rep, 1, true)
		w.levels = w.appendLevels(w.levels, w.def, bitWidth(uint32(w.leaf.maxDef)), true)
		w.levels = append(w.levels, w.body...)
		h.uncompressed = int32(len(w.levels))
		parts[0] = w.compress(w.levels)
	} else {
		w.levels = w.levels[:0]
		if w.leaf.maxDef > 0 {
			w.levels = w.appendLevels(w.levels, w.def, 1, false)
		}
		h.defBytes = int32(len(w.levels))
		h.uncompressed = int32(len(w.levels) + len(w.body))
		parts[0], parts[1] = w.levels, w.body
		if packed := w.compress(w.body); len(packed) < len(w.body) {
			parts[1], h.valuesCompressed = packed, true
		}
	}
	if err := w.emit(&h, parts[0], parts[1], rows); err != nil {
		return err
	}
	w.pages.DataEncodingStats[parquet.Encoding(w.encoding)]++
	w.stats.merge(&w.page, w.field.Type)
	w.page, w.firstRow = columnStats{}, end
	w.body, w.def, w.rep = w.body[:0], w.def[:0], w.rep[:0]
	return nil
}

// appendLevels appends levels in the hybrid encoding; the levels of a page of version 1 are preceded by their length. An empty
// slice with a page that has values stands for levels that are all one, the level of a value that is not null.
func (w *chunkWriter) appendLevels(dst []byte, levels []uint8, width int, prefixed bool) []byte {
	at := len(dst)
	if prefixed {
		dst = append(dst, 0, 0, 0, 0)
	}
	if w.page.nulls == 0 && !prefixed {
		dst = appendRun(dst, int(w.page.values), 1, width)
	} else {
		dst = appendHybrid(dst, levels, width)
	}
	if prefixed {
		binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	return dst
}

// emit writes a page and enters it into the offset and column index.
func (w *chunkWriter) emit(h *pageHeader, a, b []byte, rows int) error {
	h.compressed = int32(len(a) + len(b))
	h.crc = crc32.Update(crc32.ChecksumIEEE(a), crc32.IEEETable, b)
	w.header = appendPageHeader(w.header[:0], h)
	at := w.out.Tell()
	for _, p := range [][]byte{w.header, a, b} {
		if _, err := w.out.Write(p); err != nil {
			return err
		}
	}
	size := int32(len(w.header)) + h.compressed
	w.info.CompressedSize += int64(size)
	w.info.UncompressedSize += int64(len(w.header)) + int64(h.uncompressed)
	if h.kind == pageDictionary {
		w.info.DictPageOffset = at
		w.pages.DictEncodingStats[encodingPlain]++
		return nil
	}
	if w.info.DataPageOffset == 0 {
		w.info.DataPageOffset = at
	}
	if w.columns != nil {
		stats, _, _ := w.page.encode(w.field.Type)
		if err := w.columns.AddPage(&stats); err != nil {
			return err
		}
	}
	return w.offsets.AddPage(at, int64(w.firstRow), size)
}
