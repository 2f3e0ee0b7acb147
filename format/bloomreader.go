package format

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// maxBloomCache is up to where the bloom filters of a column, over all row groups, are read together and stay in memory with the File.
const (
	maxBloomCache       = 1 << 20
	maxRemoteBloomCache = 8 << 20 // of a remote store, where a request for each row group costs more than these bytes
	maxTailBlooms       = 256 << 10
)

// bloomGuess is what is read of a bloom filter whose length the footer does not tell.
const bloomGuess = 64 << 10

// bloomCache holds the bloom filters that were read, by row group and leaf.
type bloomCache struct {
	loading loadLock // before mu

	mu      sync.Mutex
	filters map[indexKey][]byte
	memory  int64
}

func (c *bloomCache) size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.memory
}

// BloomMayContain asks Parquet's bloom filter of a row group whether a column may hold the value (int64, float64, string or bool,
// as in Bounds). present tells whether there is a filter; without one, may is true. The filters of a column over all row groups
// are read in one request, if they are small, and kept.
func (f *File) BloomMayContain(ctx context.Context, rowGroup, fieldID int, value any) (may, present bool, err error) {
	defer f.guard(&err)
	column, err := f.bound(fieldID)
	if err != nil {
		return true, false, err
	}
	if rowGroup < 0 || rowGroup >= len(f.groups) {
		return true, false, f.wrap(fmt.Errorf("%w: row group %d of %d", ErrInvalidRows, rowGroup, len(f.groups)))
	}
	if column.file == nil {
		return false, false, nil
	}
	plain, ok := column.plainValue(value)
	if !ok || column.reason != "" || f.groups[rowGroup].chunks[column.file.leaf].bloom.offset == 0 {
		return true, false, nil
	}
	bits, err := f.bloomFilter(ctx, rowGroup, column.file.leaf)
	if err != nil {
		return true, false, f.damaged(fmt.Errorf("bloom filter: %w", err))
	}
	if bits == nil {
		return true, false, nil
	}
	return bloomHas(bits, xxhash.Sum64(plain)), true, nil
}

// plainValue returns a value in the PLAIN encoding of the column in the file; false if the file may hold it in a form that cannot
// be told.
func (c *boundColumn) plainValue(value any) ([]byte, bool) {
	if c.file.maxRep > 0 {
		return nil, false
	}
	switch v := value.(type) {
	case string:
		return []byte(v), c.file.physical == physicalBytes
	case int64:
		switch {
		case c.file.convert != convertNone && c.file.convert != convertMicros:
			return nil, false
		case c.file.physical == physicalInt32 && v == int64(int32(v)):
			return binary.LittleEndian.AppendUint32(nil, uint32(v)), true
		case c.file.physical == physicalInt64:
			return binary.LittleEndian.AppendUint64(nil, uint64(v)), true
		}
	}
	// Floating-point numbers have several forms of zero and NaN; filters on them are not asked.
	return nil, false
}

// get returns a filter that is in memory.
func (c *bloomCache) get(group, leaf int) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	bits, ok := c.filters[indexKey{group, leaf}]
	return bits, ok
}

// bloomFilter returns the bits of the filter of a column chunk; nil if it is of a kind that firn does not know.
func (f *File) bloomFilter(ctx context.Context, group, leaf int) ([]byte, error) {
	c := &f.blooms
	if bits, ok := c.get(group, leaf); ok {
		return bits, nil
	}
	if err := c.loading.lock(ctx); err != nil {
		return nil, err
	}
	defer c.loading.unlock()
	if bits, ok := c.get(group, leaf); ok {
		return bits, nil
	}
	at := f.groups[group].chunks[leaf].bloom
	r := f.fetcher()
	if at.length == 0 {
		return readBloom(ctx, &r, at.offset)
	}
	all, total := f.bloomRanges(leaf)
	most := int64(maxBloomCache)
	if f.traits.Remote {
		most = maxRemoteBloomCache
	}
	if total > most {
		data := make([]byte, at.length)
		if err := r.readAt(ctx, data, at.offset); err != nil {
			return nil, err
		}
		return bloomBits(data)
	}
	if err := r.plan(ctx, all); err != nil {
		return nil, err
	}
	if err := f.takeBlooms(&r, leaf); err != nil {
		return nil, err
	}
	bits, _ := c.get(group, leaf)
	return bits, nil
}

// takeBlooms keeps the filters of a column that the fetcher has read.
func (f *File) takeBlooms(r *fetcher, leaf int) error {
	c := &f.blooms
	c.mu.Lock()
	defer c.mu.Unlock()
	for g := range f.groups {
		at := f.groups[g].chunks[leaf].bloom
		data, ok := r.bytes(at.offset, at.length)
		if !ok || at.length == 0 {
			continue
		}
		bits, err := bloomBits(data)
		if err != nil {
			return fmt.Errorf("row group %d: %w", g, err)
		}
		if _, known := c.filters[indexKey{g, leaf}]; !known {
			c.filters[indexKey{g, leaf}] = bits
			c.memory += at.length
		}
	}
	return nil
}

// keepBlooms keeps the filters that lie in the end of the file, which begins at start, if they are small. A damaged one is found when it is asked.
func (f *File) keepBlooms(tail []byte, start int64) {
	if len(f.groups) == 0 {
		return
	}
	for leaf := range f.groups[0].chunks {
		f.keepColumnBlooms(leaf, tail, start)
	}
}

func (f *File) keepColumnBlooms(leaf int, tail []byte, start int64) {
	r := f.fetcher()
	total := int64(0)
	for g := range f.groups {
		at := f.groups[g].chunks[leaf].bloom
		total += at.length
		if at.length > 0 && (at.offset < start || at.offset+at.length > f.size) {
			return
		}
		if at.length > 0 {
			from := at.offset - start
			r.keep(transfer{segments: []segment{{offset: at.offset, data: slices.Clone(tail[from : from+at.length])}}})
		}
	}
	if total > 0 && total <= maxTailBlooms {
		_ = f.takeBlooms(&r, leaf) // read and told about again when it is asked
	}
}

// bloomRanges returns where the filters of a column lie in all row groups.
func (f *File) bloomRanges(leaf int) (all []location, total int64) {
	for g := range f.groups {
		if at := f.groups[g].chunks[leaf].bloom; at.length > 0 {
			all = append(all, at)
		}
	}
	for _, r := range coalesce(all, f.traits.ReadGap) {
		total += r.length
	}
	return all, total
}

// readBloom reads a filter of unknown length.
func readBloom(ctx context.Context, r *fetcher, offset int64) ([]byte, error) {
	data := make([]byte, min(bloomGuess, r.size-offset))
	if err := r.readAt(ctx, data, offset); err != nil {
		return nil, err
	}
	n, used, err := bloomHeader(data)
	if err != nil || n == 0 {
		return nil, err
	}
	if used+n > len(data) {
		if int64(used+n) > r.size-offset {
			return nil, errBloom
		}
		data = make([]byte, used+n)
		if err := r.readAt(ctx, data, offset); err != nil {
			return nil, err
		}
	}
	return data[used : used+n], nil
}

var errBloom = errors.New("impossible bloom filter header")

// bloomBits returns the bits of a filter that data holds whole.
func bloomBits(data []byte) ([]byte, error) {
	n, used, err := bloomHeader(data)
	if err != nil || n == 0 {
		return nil, err
	}
	if n > len(data)-used {
		return nil, errBloom
	}
	return data[used : used+n], nil
}

// bloomHeader parses Parquet's BloomFilterHeader: the number of bytes of the filter, and how many the header takes. The number is
// 0 if the filter is not of the kind (split block, xxHash, uncompressed) that the specification defines.
func bloomHeader(data []byte) (n, used int, err error) {
	r := &thriftReader{buf: data}
	known := 0
	r.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftI32:
			n = int(r.int32())
			return true
		case id >= 2 && id <= 4 && kind == thriftStruct:
			r.fields(func(id int, _ byte) bool {
				if id == 1 {
					known++
				}
				return false
			})
			return true
		}
		return false
	})
	if r.err != nil {
		return 0, 0, r.err
	}
	if known != 3 {
		return 0, r.pos, nil
	}
	if n < minBloomBytes || n%32 != 0 {
		return 0, 0, errBloom
	}
	return n, r.pos, nil
}

// bloomSalt are the odd numbers by which the split-block bloom filter of the Parquet specification picks a bit of each word.
var bloomSalt = [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

// bloomHas tells whether the filter may hold a value with this hash.
func bloomHas(filter []byte, hash uint64) bool {
	blocks := uint64(len(filter) / 32)
	block := filter[(hash>>32)*blocks>>32*32:]
	key := uint32(hash)
	for i, salt := range bloomSalt {
		bit := key * salt >> 27
		if binary.LittleEndian.Uint32(block[4*i:])>>bit&1 == 0 {
			return false
		}
	}
	return true
}
