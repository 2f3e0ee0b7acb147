package cache

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenHeader is the block of testdata/block-v1.hex.
func goldenHeader() (*header, []byte) {
	payload := bytes.Repeat([]byte("0123456789abcdef"), 300)
	return &header{
		store: "s3://bucket/lake", name: "default/web/data/log_date=2026-11-22/0b6d5a3e-0b1c-4c66-9d5c-0d9b8a8d5f10.parquet",
		number: 3, blockBytes: 16 << 10, start: 1000, length: len(payload), flags: flagSizeKnown | flagLast, size: 3*16<<10 + 1000 + 4800,
		generation: 1_800_000_000_000_000_001, validated: 1_800_000_000_000_000_002, modified: 1_800_000_000_000_000_003, sums: checksums(payload),
	}, payload
}

// golden compares bytes with a golden file.
func golden(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(hex.Dump(got)), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), hex.Dump(got), "the on-disk form has changed: it needs another version, see FORMAT.md")
	return got
}

func TestGolden(t *testing.T) {
	h, payload := goldenHeader()
	b := golden(t, "block-v1.hex", h.append(bytes.Clone(payload)))
	n, err := headerLength(b, int64(len(b)))
	require.NoError(t, err)
	require.Equal(t, len(b)-len(payload), n)
	back, err := decodeHeader(b[len(payload):])
	require.NoError(t, err)
	require.Equal(t, h, back)
	require.NoError(t, verify(payload, back.sums))

	st := state{bytes: 10 << 30, files: 12_345, counted: 1_800_000_000_000_000_000, boundBytes: 11 << 30, boundFiles: 100_000}
	require.Equal(t, st, decodeState(golden(t, "state-v1.hex", st.append(nil))))
	require.Equal(t, state{}, decodeState(nil))

	id := objectID(h.store, h.name, h.blockBytes)
	require.Equal(t, goldenID, id)
	require.Equal(t, filepath.FromSlash("/dir/firn-cache-1/fe/4be5d9fbc97c90d99a7b4c505fda77.3"), newDisk("/dir").path(id, "3"))
	require.True(t, isBlockName(filepath.Base(newDisk("/dir").path(id, suffix(3, false)))))
	require.True(t, isBlockName(filepath.Base(newDisk("/dir").path(id, suffix(3, true)))))
}

// TestContradictions are headers with right checksums whose numbers cannot be.
func TestContradictions(t *testing.T) {
	for _, change := range []func(h *header){
		func(h *header) { h.number = -1 }, func(h *header) { h.number = 1 << 60 }, func(h *header) { h.blockBytes = 100 },
		func(h *header) { h.blockBytes = 1 << 30 },
		func(h *header) { h.start = 16 << 10 }, func(h *header) { h.size = 0 }, func(h *header) { h.size++ }, func(h *header) { h.flags = flagLast },
	} {
		h, _ := goldenHeader()
		change(h)
		_, err := decodeHeader(h.append(nil))
		require.ErrorIs(t, err, errDamaged)
	}
}

// FuzzHeader reads arbitrary bytes as a block file: they are a valid block or damaged.
func FuzzHeader(f *testing.F) {
	h, payload := goldenHeader()
	f.Add(h.append(bytes.Clone(payload)))
	h.length, h.size, h.sums = 0, h.number*int64(h.blockBytes)+int64(h.start), nil
	f.Add(h.append(nil))
	f.Add([]byte{})
	f.Add(append(make([]byte, fixedBytes), blockMagic...))
	d := newDisk("unused")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, mended := range [][]byte{b, mend(b)} {
			got, err := d.readHeader(bytes.NewReader(mended), int64(len(mended)))
			if err != nil {
				require.ErrorIs(t, err, errDamaged)
				continue
			}
			require.Len(t, got.sums, chunks(got.length))
			require.Equal(t, got.length, len(mended)-len(got.append(nil)))
			if err := verify(mended[:got.length], got.sums); err != nil {
				require.ErrorIs(t, err, errDamaged)
			}
		}
	})
}

// mend gives bytes the right version, magic and checksum of a header, so that what is behind those checks is reached.
func mend(b []byte) []byte {
	b = bytes.Clone(b)
	if len(b) < fixedBytes {
		return b
	}
	fixed := b[len(b)-fixedBytes:]
	binary.LittleEndian.PutUint32(fixed[68:], headerVersion)
	copy(fixed[76:], blockMagic)
	n, err := headerLength(fixed, int64(len(b)))
	if err != nil {
		return b
	}
	binary.LittleEndian.PutUint32(fixed[72:], crc32.Checksum(b[len(b)-n:len(b)-12], castagnoli))
	return b
}

// TestReadRanges reads ranges of a block file at every kind of edge.
func TestReadRanges(t *testing.T) {
	d := newDisk(t.TempDir())
	path := d.path(goldenID, "3")
	for _, start := range []int{0, 1000} {
		for _, length := range []int{1, 4095, 4096, 4097, 10_000, 12_288, 20_000} {
			payload := content(length, uint64(length))
			h := &header{store: "s", name: "n", number: 3, blockBytes: 32 << 10, start: start, length: length, size: 1 << 20, sums: checksums(payload)}
			_, err := d.write(path, payload, h.append(nil), time.Now())
			require.NoError(t, err)
			file, _, err := d.open(path)
			require.NoError(t, err)
			edges := []int{0, 1, 2, 4000, 4095, 4096, 4097, 5000, 8191, 8192, 8193, 12_287, 12_288, 12_289, 16_000, length - 1, length}
			for _, lo := range edges {
				for _, hi := range edges {
					if lo > hi || hi > length {
						continue
					}
					p := make([]byte, hi-lo)
					require.NoError(t, d.read(file, p, start+lo))
					require.True(t, bytes.Equal(payload[lo:hi], p), "[%d, %d) of %d", lo, hi, length)
				}
			}
			require.NoError(t, file.file.Close())
		}
	}
}

// goldenID is the name of the files of the golden block's object.
const goldenID = "fe4be5d9fbc97c90d99a7b4c505fda77"
