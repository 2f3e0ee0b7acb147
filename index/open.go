package index

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/firnlog/firn/storage"
)

const (
	// tailBytes is how much of the end of a sidecar is read to open it; of one in a remote store, up to so many times what its traits say.
	tailBytes     = 64 << 10
	mostTailTimes = 2
	// On logs the bloom filters of a column take up to three bytes a row, the whole sidecar 4 to 11; small ones that come whole save a round trip.
	bloomBytesPerRow   = 7 // per two rows
	sidecarBytesPerRow = 40
	remoteHeadGuess    = 16 << 10
	headGuess          = 6 << 10 // of Puffin's footer, the options and the summary; each part of dictionary or postings adds to it
	rowsPerHeadByte    = 64
	leastTail          = 4 << 10
	// puffinTrailer ends a Puffin file: uint32 length of the footer's JSON, uint32 flags, magic.
	puffinTrailer = 12
	// largestHead bounds what is read if the head does not lie within tailBytes.
	largestHead = 256 << 20
)

var puffinMagic = []byte("PFA1")

// Open opens the sidecar called name (a name of the store, not a URI) with one ranged read of its end, two if its head is unusually
// large. From a remote store (storage.Traits) it reads enough to have a small sidecar whole, and of others probably the bloom filters. want is the data file that the caller is about to prune. Errors: storage.ErrNotExist, ErrCorrupt, ErrUnknownVersion,
// ErrForeign, other errors of the store.
func Open(ctx context.Context, store storage.Store, name string, want Identity) (*Sidecar, error) {
	s, err := open(ctx, store, name, tailGuess(storage.TraitsOf(store), int64(want.Rows)))
	if err != nil {
		return nil, fmt.Errorf("open index sidecar %s: %w", name, err)
	}
	if got := s.head.identity; got != want {
		return nil, fmt.Errorf("open index sidecar %s: %w: it was built for %q with %d rows, not for %q with %d",
			name, ErrForeign, got.DataFile, got.Rows, want.DataFile, want.Rows)
	}
	return s, nil
}

// tailGuess returns how much of the end of a sidecar is read first, if its data file has so many rows: of a local store the head, and the bloom
// filters if they are small; a second read is cheap there.
func tailGuess(traits storage.Traits, rows int64) int {
	head := headGuess + rows/rowsPerHeadByte
	switch {
	case !traits.Remote || traits.TailBytes <= 0:
		if small := head + bloomGuess(rows); small <= tailBytes {
			return int(small)
		}
		return int(min(head, tailBytes))
	case rows*sidecarBytesPerRow <= int64(traits.TailBytes):
		return max(traits.TailBytes, leastTail)
	}
	least, most := min(traits.TailBytes, tailBytes), max(mostTailTimes*traits.TailBytes, leastTail)
	guess := max(rows*bloomBytesPerRow/2+remoteHeadGuess, int64(least))
	if guess > int64(most) {
		return max(least, leastTail) // the bloom filters would not fit, and parts of the dictionary do as well
	}
	return int(guess)
}

// bloomGuess returns about how many bytes the bloom filters of a local data file with so many rows take: more a row if it has few, see bloomRate.
func bloomGuess(rows int64) int64 {
	const percentOfRate = 15 // that a filter grows if its rate is halved
	n := uint32(min(rows, fullRateRows))
	halvings := -math.Log2(bloomRate(1, n))
	return rows * bloomBytesPerRow / 2 * (100 + percentOfRate*int64(halvings)) / 100
}

// open opens the sidecar of any data file, reading guess bytes of its end first.
func open(ctx context.Context, store storage.Store, name string, guess int) (*Sidecar, error) {
	tail := make([]byte, guess)
	n, size, err := store.ReadTail(ctx, name, tail)
	if err != nil {
		return nil, err
	}
	tail = tail[:n]
	for {
		end, err := headEnd(tail)
		if err != nil {
			return nil, err
		}
		need := int64(len(tail) - end + tailBytes) // if the footer is larger than what was read
		if end >= headTail {
			need = int64(len(tail) - headStart(tail, end))
		}
		if end >= headTail && need <= int64(len(tail)) {
			return newSidecar(store, name, size, tail, end)
		}
		if need = min(need, size); need <= int64(len(tail)) || need > largestHead {
			return nil, corruptf("its head lies outside the file")
		}
		tail = make([]byte, need)
		if err := store.ReadAt(ctx, name, tail, size-need); err != nil {
			return nil, shorter(err)
		}
	}
}

// headEnd finds in the tail of a file where the head blob ends, which is where Puffin's footer begins. A negative number is before the
// tail's first byte.
func headEnd(tail []byte) (int, error) {
	if len(tail) < puffinTrailer || !bytes.Equal(tail[len(tail)-4:], puffinMagic) {
		return 0, corruptf("it does not end as a Puffin file does")
	}
	footer := int64(binary.LittleEndian.Uint32(tail[len(tail)-puffinTrailer:]))
	if footer > largestHead {
		return 0, corruptf("its footer says that it has %d bytes", footer)
	}
	return int(int64(len(tail)) - puffinTrailer - footer - int64(len(puffinMagic))), nil
}

// headStart finds where the head blob begins, from its last bytes.
func headStart(tail []byte, end int) int {
	length := int64(binary.LittleEndian.Uint32(tail[end-headTail:]))
	return int(int64(end) - headTail - length)
}

// newSidecar decodes the head in the tail of a file.
func newSidecar(store storage.Store, name string, size int64, tail []byte, end int) (*Sidecar, error) {
	if end < headTail+headerBytes || !bytes.Equal(tail[end-4:end], blobMagic) {
		return nil, corruptf("there is no head before its footer")
	}
	start := headStart(tail, end)
	if start < 0 || end-headTail-start < headerBytes {
		return nil, corruptf("its head has a wrong length")
	}
	blob := tail[start : end-headTail]
	crc, err := checkHeader(blob, kindHead, 0, int64(len(blob)-headerBytes))
	if err != nil {
		return nil, err
	}
	payload, err := verify(bytes.Clone(blob[headerBytes:]), crc, "the head")
	if err != nil {
		return nil, err
	}
	offset := size - int64(len(tail)) + int64(start)
	h, err := decodeHead(payload, offset)
	if err != nil {
		return nil, err
	}
	s := &Sidecar{store: store, name: name, size: size, head: h, summary: h.summary(size, size-offset)}
	s.cache.init(int64(len(payload.bytes))*2 + fixedBytes)
	s.remote = storage.TraitsOf(store).Remote
	if s.remote && size == int64(len(tail)) {
		s.whole = bytes.Clone(tail)
		s.cache.fixed += size
	} else {
		s.keepBlooms(tail)
	}
	return s, nil
}

// keepBlooms decodes the bloom filters that were read along with the head. A damaged one is found when it is asked.
func (s *Sidecar) keepBlooms(tail []byte) {
	first := s.size - int64(len(tail))
	for i := range s.head.columns {
		at := s.head.columns[i].bloomBlob
		if at.length == 0 || at.offset < first {
			continue
		}
		from := at.offset - first
		filter, err := s.decodeBloomBlob(i, tail[from:from+headerBytes+at.length])
		if err == nil {
			s.cache.put(bloomKey(i), filter, at.length)
		}
	}
}

// shorter turns a read behind the end of the file into ErrCorrupt: the file is shorter than it was or than its head says.
func shorter(err error) error {
	if errors.Is(err, storage.ErrRange) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}
