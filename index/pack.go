package index

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/storage"
)

// A bloom pack holds the token bloom filters of many data files of one partition, transposed: the blocks that one token picks in all of the filters lie side by
// side and are read together. So a token is tested against thousands of files with one or two ranged reads. A pack says which files it covers and is
// never changed; it knows nothing about other files. What it says about a file is what the file's own filter says. PACK.md describes it byte by byte.

// Pack is an opened bloom pack. It is safe for concurrent use. It keeps the answers that it gave last.
type Pack struct {
	store    storage.Store
	name     string
	size     int64
	head     *packHead
	traits   storage.Traits
	mu       sync.Mutex
	answers  map[Token]*RowSet
	answered int64 // bytes of the answers
}

// PackFile is a data file as a pack knows it. A pack counts for a file only if all of it is the same.
type PackFile struct {
	Name  string `json:"name"` // where the file's sidecar lies below the index location, without its extension
	Rows  uint32 `json:"rows"`
	Bytes int64  `json:"bytes"` // size of the data file
}

// compare orders files by name.
func (f PackFile) compare(o PackFile) int { return cmp.Compare(f.Name, o.Name) }

const (
	packTailBytes = 28
	packVersion   = 1
	// packFileBytes is about what a file takes in the head of a pack.
	packFileBytes = 64
	packHeadGuess = 4 << 10
	// keptAnswers bounds what a pack keeps of its answers.
	keptAnswers = 4 << 20
)

// packMagic begins a pack and its tail.
var packMagic = []byte("FIRNPACK")

// packTail returns the end of a pack with this head:
//
//	0  magic "FIRNPACK"
//	8  uint16 version, 1
//	10 uint16 0
//	12 uint32 CRC32C of the head
//	16 uint64 length of the head
//	24 uint32 CRC32C of bytes 0 to 23
func packTail(head []byte) []byte {
	b := make([]byte, packTailBytes)
	copy(b, packMagic)
	binary.LittleEndian.PutUint16(b[8:], packVersion)
	binary.LittleEndian.PutUint32(b[12:], checksum(head))
	binary.LittleEndian.PutUint64(b[16:], uint64(len(head)))
	binary.LittleEndian.PutUint32(b[24:], checksum(b[:24]))
	return b
}

// checkPackTail returns length and checksum of the head before a tail.
func checkPackTail(b []byte) (length int64, crc uint32, err error) {
	if len(b) != packTailBytes || string(b[:8]) != string(packMagic) || binary.LittleEndian.Uint32(b[24:]) != checksum(b[:24]) {
		return 0, 0, corruptf("it does not end as a bloom pack does")
	}
	if v := binary.LittleEndian.Uint16(b[8:]); v != packVersion {
		return 0, 0, fmt.Errorf("%w: bloom pack of version %d, this firn knows %d: use a newer firn, or build the pack again", ErrUnknownVersion, v, packVersion)
	}
	n := binary.LittleEndian.Uint64(b[16:])
	if n > largestHead {
		return 0, 0, corruptf("its head has %d bytes", n)
	}
	return int64(n), binary.LittleEndian.Uint32(b[12:]), nil
}

// OpenPack opens the pack called name (a name of the store, not a URI) that is expected to cover about so many files: with one ranged
// read of its end, two if its head is larger than that. Errors: storage.ErrNotExist, ErrCorrupt, ErrUnknownVersion, other errors of the store.
func OpenPack(ctx context.Context, store storage.Store, name string, files int) (*Pack, error) {
	p, err := openPack(ctx, store, name, int64(files)*packFileBytes+packHeadGuess)
	if err != nil {
		return nil, fmt.Errorf("open bloom pack %s: %w", name, err)
	}
	return p, nil
}

func openPack(ctx context.Context, store storage.Store, name string, guess int64) (*Pack, error) {
	tail := make([]byte, min(guess, largestHead))
	n, size, err := store.ReadTail(ctx, name, tail)
	if err != nil {
		return nil, err
	}
	tail = tail[:n]
	if len(tail) < packTailBytes {
		return nil, corruptf("it has %d bytes", size)
	}
	length, crc, err := checkPackTail(tail[len(tail)-packTailBytes:])
	if err != nil {
		return nil, err
	}
	end := size - packTailBytes
	if length > end-int64(len(packMagic)) {
		return nil, corruptf("its head lies outside the file")
	}
	content := tail[:len(tail)-packTailBytes]
	if missing := length - int64(len(content)); missing > 0 {
		more := make([]byte, missing)
		if err := store.ReadAt(ctx, name, more, end-length); err != nil {
			return nil, shorter(err)
		}
		content = append(more, content...)
	}
	v, err := verify(slices.Clone(content[int64(len(content))-length:]), crc, "the head of the pack")
	if err != nil {
		return nil, err
	}
	head, err := decodePackHead(v, end-length)
	if err != nil {
		return nil, err
	}
	return &Pack{store: store, name: name, size: size, head: head, traits: storage.TraitsOf(store), answers: map[Token]*RowSet{}}, nil
}

// Files returns the files that the pack covers, ordered by name; their numbers are their places. The slice must not be changed.
func (p *Pack) Files() []PackFile { return p.head.files }

// Find returns the number of a file, or -1 if the pack does not cover it.
func (p *Pack) Find(f PackFile) int {
	i, ok := slices.BinarySearchFunc(p.head.files, f, PackFile.compare)
	if !ok || p.head.files[i] != f {
		return -1
	}
	return i
}

// Partition returns the partition whose files the pack covers, as PackName spells it.
func (p *Pack) Partition() string { return p.head.partition }

// Analyzer returns the parameters of the analyzer that all filters were built with.
func (p *Pack) Analyzer() analyzer.Params { return p.head.analyzer.Params() }

// Has says whether the pack has filters of a column.
func (p *Pack) Has(fieldID int) bool { return p.head.column(fieldID) >= 0 }

// SizeInMemory returns how many bytes the pack holds now.
func (p *Pack) SizeInMemory() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fixedBytes + p.head.memory + p.answered
}

// problem says of which pack an error is.
func (p *Pack) problem(err error) error {
	return fmt.Errorf("bloom pack %s: %w", p.name, shorter(err))
}

// PackUnusable says whether an error of a pack is one of the pack itself, not of the storage.
func PackUnusable(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnknownVersion)
}
