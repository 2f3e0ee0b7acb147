package index

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
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

// pieces returns the payloads of a valid sidecar: head, one part each of dictionary and postings, bloom filter.
func pieces(tb testing.TB, rows int) (head, dictionary, postings, filter []byte) {
	tb.Helper()
	a := smallSidecar(tb, rows)
	s, err := openBytes(tb, a.data, a.id)
	require.NoError(tb, err)
	end, err := headEnd(a.data)
	require.NoError(tb, err)
	h := s.head.columns[0]
	return a.data[headStart(a.data, end)+headerBytes : end-headTail],
		a.data[h.dictionaryBlob.offset+headerBytes:][:h.dictionary[0].length],
		a.data[h.postingsBlob.offset+headerBytes:][:h.postings[0].length],
		a.data[h.bloomBlob.offset+headerBytes:][:h.bloomBlob.length]
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
	head, _, _, _ := pieces(f, 60)
	mutations(head, func(b []byte) { f.Add(b) })
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

func FuzzPosting(f *testing.F) {
	_, _, postings, _ := pieces(f, 3000)
	mutations(postings[:min(len(postings), 400)], func(b []byte) { f.Add(b, uint16(0), uint32(3000)) })
	bits := roaring.New()
	bits.AddRange(10, 70000)
	bits.AddMany([]uint32{3, 5, 100000, 200000})
	bits.RunOptimize()
	encoder := postingEncoder{rows: 300000, denseRows: 300000}
	var runs []rowRun
	for start, end := range bits.Ranges() {
		runs = append(runs, rowRun{start, uint32(end) - start})
	}
	encoded, err := encoder.encodeRoaring(nil, runs, uint32(bits.GetCardinality()))
	require.NoError(f, err)
	mutations(encoded, func(b []byte) { f.Add(b, uint16(0), uint32(300000)) })
	f.Fuzz(func(t *testing.T, entry []byte, offset uint16, n uint32) {
		n = min(n, 1<<22)
		p, err := decodePosting(seal(t, entry), uint64(offset), n)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		if p.Kind == PostingDense {
			return
		}
		require.Equal(t, p.Count, p.Rows.Cardinality())
		last, count := uint32(0), uint32(0)
		for start, end := range p.Rows.Ranges() {
			require.True(t, (count == 0 || start > last) && start < end && end <= n)
			last, count = end, count+end-start
		}
		require.Equal(t, p.Count, count)
		require.Equal(t, n-p.Count, p.Rows.Not().And(AllRows(n)).Cardinality())
	})
}

func FuzzDictionary(f *testing.F) {
	_, dictionary, _, _ := pieces(f, 200)
	mutations(dictionary, func(b []byte) { f.Add(b, []byte("error")) })
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
	_, _, _, filter := pieces(f, 60)
	mutations(filter, func(b []byte) { f.Add(b, []byte("error")) })
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
		o.DenseFraction = 1
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
