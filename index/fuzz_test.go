package index

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/index/analyzer"
	"github.com/firnlog/firn/storage/mem"
)

// seal pretends that somebody gave damaged bytes the right checksum, so that the fuzzers get behind it.
func seal(tb testing.TB, b []byte) verified {
	tb.Helper()
	v, err := verify(b, checksum(b), "fuzzed bytes")
	require.NoError(tb, err)
	return v
}

// pieces are the payloads, or first parts, of a valid sidecar.
type pieces struct {
	sidecar                                  *Sidecar
	head, words, ids, table, patterns, bloom []byte
}

func piecesOf(tb testing.TB, rows int) pieces {
	tb.Helper()
	a := smallSidecar(tb, rows)
	s, err := openBytes(tb, a.data, a.id)
	require.NoError(tb, err)
	end, err := headEnd(a.data)
	require.NoError(tb, err)
	h := s.head.columns[0]
	payload := func(at place, p part) []byte { return a.data[at.offset+headerBytes+p.start:][:p.length] }
	return pieces{
		sidecar:  s,
		head:     a.data[headStart(a.data, end)+headerBytes : end-headTail],
		words:    payload(h.wordsBlob, h.wordParts[0].part),
		ids:      payload(h.idsBlob, h.idParts[0]),
		table:    payload(h.patternsBlob, h.patternParts[0]),
		patterns: payload(h.patternsBlob, h.patternParts[1]),
		bloom:    payload(h.bloomBlob, part{length: h.bloomBlob.length}),
	}
}

// mutations adds a valid input and damaged forms of it to a corpus, so that plain go test tries them.
func mutations(valid []byte, add func([]byte)) {
	rng := rand.New(rand.NewPCG(21, 21))
	add(valid)
	for range 200 {
		b := bytes.Clone(valid)
		for range 1 + rng.IntN(4) {
			switch at := rng.IntN(len(b)); rng.IntN(4) {
			case 0:
				b[at] ^= 1 << rng.IntN(8)
			case 1:
				b[at] = byte(rng.Uint32())
			case 2:
				b = b[:at+1]
			case 3:
				b[at] = 0xff
			}
		}
		add(b)
	}
}

func FuzzHead(f *testing.F) {
	mutations(piecesOf(f, 60).head, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, payload []byte) {
		h, err := decodeHead(seal(t, payload), 1<<20)
		if err != nil {
			require.True(t, isOurs(err), "%v", err)
			return
		}
		// Whatever it says can be written again, and read the same way.
		h.summary(1, 1)
		blob, err := h.encode()
		require.NoError(t, err)
		again, err := decodeHead(seal(t, blob[headerBytes:len(blob)-headTail]), 1<<20)
		require.NoError(t, err)
		require.Equal(t, h.identity, again.identity)
		require.Equal(t, h.options, again.options)
		require.Equal(t, h.columns, again.columns)
	})
}

// FuzzEntry decodes entries of a dictionary.
func FuzzEntry(f *testing.F) {
	d, err := decodeDictionary(seal(f, piecesOf(f, 3000).words))
	require.NoError(f, err)
	entries := d.entries.bytes
	mutations(entries[:min(len(entries), 400)], func(b []byte) { f.Add(b, uint16(0), uint32(3000)) })
	f.Fuzz(func(t *testing.T, entries []byte, offset uint16, n uint32) {
		n = min(n, 1<<22)
		h := &columnHead{patterns: 40, blockRows: 64}
		e, err := readEntry(seal(t, entries), uint64(offset), n%2 == 0, h, n)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		require.LessOrEqual(t, e.rows, n)
		for i, p := range e.patterns {
			require.Less(t, uint64(p), h.patterns)
			require.True(t, i == 0 || e.patterns[i-1] < p)
		}
		if e.rest != nil {
			last := uint32(0)
			for start, end := range e.rest.Ranges() {
				require.True(t, start >= last && start < end && end <= n)
				last = end
			}
		}
	})
}

// FuzzIDs decodes all buckets of a part of a table of ids.
func FuzzIDs(f *testing.F) {
	p := piecesOf(f, 300)
	h := p.sidecar.head.columns[0]
	mutations(p.ids, func(b []byte) { f.Add(b, uint16(h.idBuckets), false, uint32(300)) })
	f.Fuzz(func(t *testing.T, part []byte, buckets uint16, wide bool, n uint32) {
		h := columnHead{idBuckets: uint64(buckets), bucketsPerPart: uint64(buckets), wideOffsets: wide, blockRows: 64}
		for bucket := range uint64(buckets) {
			err := h.eachID(seal(t, part), bucket, n, func(print uint32, p *idPostings) {
				require.Less(t, print, uint32(1)<<fingerprintBits)
				for start, end := range p.rows(n, h.blockRows).Ranges() {
					require.True(t, start < end && end <= n)
				}
			})
			if err != nil {
				require.ErrorIs(t, err, ErrCorrupt)
			}
		}
	})
}

// FuzzPatterns decodes tables of patterns and blocks of the column.
func FuzzPatterns(f *testing.F) {
	p := piecesOf(f, 300)
	patterns := uint16(p.sidecar.head.columns[0].patterns)
	mutations(p.table, func(b []byte) { f.Add(b, patterns) })
	mutations(p.patterns, func(b []byte) { f.Add(b, patterns) })
	f.Fuzz(func(t *testing.T, raw []byte, patterns uint16) {
		table, err := decodeTable(seal(t, raw), uint64(patterns), 300)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
		} else {
			require.Len(t, table, int(patterns))
		}
		size := 300
		if isWide(int(patterns)) {
			size *= 2
		}
		block, err := decodeColumn(seal(t, raw), size, uint64(patterns))
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		require.Len(t, block.low, 300)
	})
}

func FuzzDictionary(f *testing.F) {
	mutations(piecesOf(f, 200).words, func(b []byte) { f.Add(b, []byte("error")) })
	f.Fuzz(func(t *testing.T, part, token []byte) {
		d, err := decodeDictionary(seal(t, part))
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		if _, _, err := d.get(token); err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		told := 0
		err = d.each(ctx, 50, func([]byte, uint64) error {
			told++
			return nil
		})
		if err != nil && ctx.Err() == nil {
			require.ErrorIs(t, err, ErrCorrupt)
		}
	})
}

func FuzzBloom(f *testing.F) {
	mutations(piecesOf(f, 60).bloom, func(b []byte) { f.Add(b, []byte("error")) })
	f.Fuzz(func(t *testing.T, payload, token []byte) {
		filter, err := decodeBloom(seal(t, payload))
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		filter.Test(token)
	})
}

// FuzzSidecar damages a whole sidecar and gives its head the right checksums: everything behind them must hold.
func FuzzSidecar(f *testing.F) {
	a := smallSidecar(f, 50)
	mutations(a.data, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, data []byte) {
		if end, err := headEnd(data); err == nil && end >= headTail {
			if start := headStart(data, end); start >= 0 && end-headTail-start >= headerBytes {
				reseal(data)
			}
		}
		store := mem.New()
		putObject(t, store, "s", data)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s, err := open(ctx, store, "s", tailBytes)
		if err != nil {
			require.True(t, isOurs(err), "%v", err)
			return
		}
		for token := range a.want {
			if _, err := s.Lookup(ctx, 7, token); err != nil {
				require.ErrorIs(t, err, ErrCorrupt)
			}
			if _, err := s.Bloom(ctx, 7, token); err != nil {
				require.ErrorIs(t, err, ErrCorrupt)
			}
		}
		if _, err := s.Describe(ctx, 3); err != nil && ctx.Err() == nil {
			require.ErrorIs(t, err, ErrCorrupt)
		}
	})
}

// FuzzBuild builds a sidecar of any texts and asks for all their tokens.
func FuzzBuild(f *testing.F) {
	f.Add([]byte("one two\ntwo three\n\nfour"))
	f.Add([]byte("K \u212a\nk\n\xff\n\u65e5\u672c"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var texts []string
		for _, line := range bytes.Split(raw, []byte("\n")) {
			texts = append(texts, string(line))
		}
		o := oneColumn()
		o.Analyzer = analyzer.Params{StopWords: "none", MinDigits: 1}
		data, id, _ := build(t, o, texts)
		s, err := openBytes(t, data, id)
		require.NoError(t, err)
		for token, rows := range truth(texts) {
			checkToken(t, s, token, rows)
		}
		_, err = s.Describe(context.Background(), 3)
		require.NoError(t, err)
	})
}
