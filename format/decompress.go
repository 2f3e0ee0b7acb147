package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// maxPageBytes is the most that a page may take decompressed.
const maxPageBytes = 1 << 30

// The compression codecs of Parquet, by their numbers in the specification.
const (
	codecNone   = 0
	codecSnappy = 1
	codecGzip   = 2
	codecBrotli = 4
	codecZstd   = 6
	codecLZ4Raw = 7
)

// maxRatio is how many bytes a byte of each codec's output can stand for; what claims more is damaged. Brotli has no such bound.
var maxRatio = map[int32]int64{codecSnappy: 64, codecGzip: 1100, codecZstd: 48 << 10, codecLZ4Raw: 256}

var errPageSize = errors.New("the page does not decompress to the size that its header gives")

// decompressor decompresses pages. It is for one goroutine.
type decompressor struct {
	zstd    *zstd.Decoder
	gzip    *gzip.Reader
	streams []*zstd.Decoder // not in use
}

// decompressors holds decompressors that no read needs at the moment; their memory would cost more than a small read.
var decompressors sync.Pool

func newDecompressor() *decompressor {
	if d, ok := decompressors.Get().(*decompressor); ok {
		return d
	}
	return &decompressor{}
}

// release makes the decompressor available for another read. It must not be used afterwards.
func (d *decompressor) release() { decompressors.Put(d) }

// decompress fills dst, which is as long as the page is said to be, from src.
func (d *decompressor) decompress(codec int32, dst, src []byte) error {
	if len(dst) == 0 {
		return nil
	}
	switch codec {
	case codecNone:
		if len(src) != len(dst) {
			return errPageSize
		}
		copy(dst, src)
		return nil
	case codecZstd:
		return d.decompressZstd(dst, src)
	case codecSnappy:
		n, err := snappy.DecodedLen(src)
		if err != nil || n != len(dst) {
			return errors.Join(errPageSize, err)
		}
		_, err = snappy.Decode(dst, src)
		return err
	case codecGzip:
		return d.decompressGzip(dst, src)
	case codecBrotli, codecLZ4Raw:
		c, err := compress.GetCodec(compress.Compression(codec))
		if err != nil {
			return err
		}
		out, err := compress.Decode(c, dst, src)
		if err == nil && (len(out) != len(dst) || &out[0] != &dst[0]) {
			err = errPageSize
		}
		return err
	}
	return fmt.Errorf("%w: compression codec %d", ErrUnsupported, codec)
}

func (d *decompressor) decompressZstd(dst, src []byte) error {
	if d.zstd == nil {
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true))
		if err != nil {
			return err
		}
		d.zstd = dec
	}
	out, err := d.zstd.DecodeAll(src, dst[:0:len(dst)])
	if err == nil && len(out) != len(dst) {
		err = errPageSize
	}
	return err
}

func (d *decompressor) decompressGzip(dst, src []byte) error {
	var err error
	if d.gzip == nil {
		d.gzip, err = gzip.NewReader(bytes.NewReader(src))
	} else {
		err = d.gzip.Reset(bytes.NewReader(src))
	}
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(d.gzip, dst); err != nil {
		return err
	}
	if n, _ := d.gzip.Read(make([]byte, 1)); n > 0 {
		return errPageSize
	}
	return nil
}

// inflateStep is how much of a page is decompressed at a time: a block of Zstandard.
const inflateStep = 128 << 10

// inflater decompresses a page bit by bit, as far as it is needed.
type inflater struct {
	dec    *zstd.Decoder
	body   []byte
	filled int
}

// startInflate starts decompressing src into body.
func (d *decompressor) startInflate(body, src []byte) (*inflater, error) {
	i := &inflater{body: body}
	if last := len(d.streams) - 1; last >= 0 {
		i.dec, d.streams = d.streams[last], d.streams[:last]
	} else {
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxPageBytes))
		if err != nil {
			return nil, err
		}
		i.dec = dec
	}
	return i, i.dec.Reset(bytes.NewReader(src))
}

// stopInflate ends decompressing.
func (d *decompressor) stopInflate(i *inflater) {
	if i.dec != nil && i.dec.Reset(nil) == nil {
		d.streams = append(d.streams, i.dec)
	}
	i.dec = nil
}

func (i *inflater) done() bool { return i.filled == len(i.body) }

// extend decompresses the next part and returns data, which ends where the page was filled to, with that part.
func (i *inflater) extend(data []byte) ([]byte, error) {
	start := i.filled - len(data)
	next := min(i.filled+inflateStep, len(i.body))
	if _, err := io.ReadFull(i.dec, i.body[i.filled:next]); err != nil {
		return nil, err
	}
	i.filled = next
	return i.body[start:next], nil
}

// plausible tells whether so many bytes of a codec's output can stand for so many decompressed.
func plausible(codec int32, compressed, uncompressed int64) bool {
	if uncompressed > maxPageBytes {
		return false
	}
	ratio, bounded := maxRatio[codec]
	return !bounded || uncompressed <= compressed*ratio+1024
}
