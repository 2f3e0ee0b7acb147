package index

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
)

// answers are the right answers of a sidecar for some tokens.
type answers struct {
	texts []string
	want  map[string][]uint32
	id    Identity
	data  []byte
}

func smallSidecar(tb testing.TB, rows int) answers {
	tb.Helper()
	texts := logTexts(rand.New(rand.NewPCG(11, 11)), rows)
	data, id, _ := build(tb, oneColumn(), texts)
	want := truth(texts)
	want["absent1"], want["zzzzzz"], want["0000"] = nil, nil, nil
	return answers{texts: texts, want: want, id: id, data: data}
}

// check asks a sidecar made of damaged bytes: each answer must be right or an error of ours.
func (a *answers) check(tb testing.TB, damaged []byte, tokens int) (opened bool) {
	tb.Helper()
	s, err := openBytes(tb, damaged, a.id)
	if err != nil {
		require.ErrorIs(tb, err, ErrCorrupt)
		return false
	}
	ctx := context.Background()
	for token, rows := range a.want {
		if tokens--; tokens < 0 {
			break
		}
		posting, err := s.Lookup(ctx, 7, token)
		switch {
		case err != nil:
			require.ErrorIs(tb, err, ErrCorrupt)
		case posting.Kind == PostingUnindexed:
			require.False(tb, s.Keeps(token), token)
		default:
			require.Empty(tb, postingProblem(posting, RowsFromSorted(a.id.Rows, rows)), token)
		}
		answer, err := s.Bloom(ctx, 7, token)
		if err != nil {
			require.ErrorIs(tb, err, ErrCorrupt)
		} else if answer == Absent {
			require.Empty(tb, rows, token)
		}
	}
	return true
}

func TestTruncatedAtEveryLength(t *testing.T) {
	a := smallSidecar(t, 60)
	for n := range a.data {
		require.False(t, a.check(t, a.data[:n], 5), "cut to %d of %d bytes", n, len(a.data))
	}
	require.True(t, a.check(t, a.data, len(a.want)))
}

// TestEveryBitFlipped damages each bit of a small sidecar, one after another.
func TestEveryBitFlipped(t *testing.T) {
	a := smallSidecar(t, 16)
	damaged := bytes.Clone(a.data)
	for bit := 0; bit < 8*len(damaged); bit++ {
		if testing.Short() && bit%13 != 0 {
			continue
		}
		damaged[bit/8] ^= 1 << (bit % 8)
		a.check(t, damaged, 6)
		damaged[bit/8] ^= 1 << (bit % 8)
	}
}

// TestRandomDamage damages a sidecar that has several parts, which are read one by one.
func TestRandomDamage(t *testing.T) {
	a := smallSidecar(t, 30000)
	require.Greater(t, len(a.data), tailBytes)
	rng := rand.New(rand.NewPCG(12, 12))
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	for range rounds {
		damaged := bytes.Clone(a.data)
		switch rng.IntN(5) {
		case 0: // some bits
			for range 1 + rng.IntN(20) {
				damaged[rng.IntN(len(damaged))] ^= 1 << rng.IntN(8)
			}
		case 1: // a block of zeros
			at := rng.IntN(len(damaged))
			clear(damaged[at:min(len(damaged), at+rng.IntN(8192))])
		case 2: // two blocks swapped
			size := 1 + rng.IntN(4096)
			x, y := rng.IntN(len(damaged)-size), rng.IntN(len(damaged)-size)
			block := bytes.Clone(damaged[x : x+size])
			copy(damaged[x:], damaged[y:y+size])
			copy(damaged[y:], block)
		case 3: // bytes missing in the middle
			at := rng.IntN(len(damaged))
			damaged = append(damaged[:at], damaged[min(len(damaged), at+1+rng.IntN(100)):]...)
		case 4: // near the end, where the head is
			for range 1 + rng.IntN(4) {
				damaged[len(damaged)-1-rng.IntN(2000)] ^= 1 << rng.IntN(8)
			}
		}
		a.check(t, damaged, 200)
	}
}

func TestNoSidecar(t *testing.T) {
	a := smallSidecar(t, 20)
	_, err := Open(context.Background(), mem.New(), "none.puffin", a.id)
	require.ErrorIs(t, err, storage.ErrNotExist)
	for _, data := range []string{"", "PFA1", strings.Repeat("PFA1", 100), strings.Repeat("\xff", 70000) + "PFA1", strings.Repeat("FIRN", 40) + "\x00\x00\x00\x00\x00\x00\x00\x00PFA1"} {
		_, err := openBytes(t, []byte(data), a.id)
		require.ErrorIs(t, err, ErrCorrupt)
	}
}

func TestForeignSidecar(t *testing.T) {
	a := smallSidecar(t, 20)
	for _, id := range []Identity{{DataFile: "g.parquet", Rows: 20}, {DataFile: "f.parquet", Rows: 21}, {}} {
		_, err := openBytes(t, a.data, id)
		require.ErrorIs(t, err, ErrForeign)
		require.NotErrorIs(t, err, ErrCorrupt)
	}
}

// reseal sets the checksums of a head blob whose bytes were changed.
func reseal(data []byte) {
	end, _ := headEnd(data)
	start := headStart(data, end)
	blob := data[start : end-headTail]
	binary.LittleEndian.PutUint32(blob[12:], checksum(blob[headerBytes:]))
	binary.LittleEndian.PutUint32(blob[28:], checksum(blob[:28]))
}

func TestUnknownVersions(t *testing.T) {
	a := smallSidecar(t, 20)
	end, err := headEnd(a.data)
	require.NoError(t, err)
	start := headStart(a.data, end)
	for name, change := range map[string]func(data []byte){
		"format version":       func(data []byte) { data[start+4] = 1 },
		"far version":          func(data []byte) { data[start+5] = 9 },
		"analyzer":             func(data []byte) { replace(t, data, "\x04text", "\x04taxt") },
		"analyzer version":     func(data []byte) { replace(t, data, "text\x01", "text\x02") },
		"parameter":            func(data []byte) { replace(t, data, "min_digits", "mon_digits") },
		"stop words":           func(data []byte) { replace(t, data, `"none"`, `"nine"`) },
		"option":               func(data []byte) { replace(t, data, "bitmap_fraction", "bitmap_friction") },
		"option out of bounds": func(data []byte) { replace(t, data, `"bitmap_fraction":0.1`, `"bitmap_fraction":-.1`) },
	} {
		t.Run(name, func(t *testing.T) {
			data := bytes.Clone(a.data)
			change(data)
			reseal(data)
			_, err := openBytes(t, data, a.id)
			require.ErrorIs(t, err, ErrUnknownVersion)
			require.NotErrorIs(t, err, ErrCorrupt)
		})
	}
}

func replace(tb testing.TB, data []byte, before, after string) {
	tb.Helper()
	at := bytes.LastIndex(data, []byte(before))
	require.Positive(tb, at)
	copy(data[at:], after)
}

// TestOnlyOneFileMakesVerified is the rule that no byte reaches a decoder without its checksum having been looked at.
func TestOnlyOneFileMakesVerified(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		if name == "verified.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text := strings.ReplaceAll(string(source), "verified{}, ", "") // the zero value, returned with an error
		require.NotContains(t, text, "verified{", name)
	}
}

// isOurs says whether an error of Open is one of those that it promises.
func isOurs(err error) bool {
	for _, known := range []error{ErrCorrupt, ErrUnknownVersion, ErrForeign} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
