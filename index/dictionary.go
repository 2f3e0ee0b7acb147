package index

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/blevesearch/vellum"
)

// A dictionary maps each token of a column to what is known of its rows, in parts: each part has a finite state transducer (FST) over a range of the
// tokens in byte order, and their entries, and is small enough to be read for one look-up:
//
//	uint32 length of the FST, the FST, the entries
//
// The number that the FST gives for a token is
//
//	row << 1 | 1   the token is in this row alone, and that in no pattern
//	offset << 1    the token's entry is at this offset of the entries
const inlineRow = 1

const (
	// dictionaryPartBytes is about the size at which a part ends.
	dictionaryPartBytes = 64 << 10
	// vellum looks for states to share in a table. Its default of 20,000 places leaves the processor's cache: it takes more than twice as
	// long and makes dictionaries of logs 2 to 10 % smaller.
	registryRows, registryWays = 4000, 2
	// vellum writes through a buffer, so the size of a part is seen late; it is looked at every few tokens.
	tokensBetweenLooks = 32
	lengthBytes        = 4
)

// dictionaryBuilder writes the parts of one dictionary after another.
type dictionaryBuilder struct {
	out     bytes.Buffer // header, and the parts
	fstOut  bytes.Buffer // the FST of the open part
	entries []byte       // those of the open part
	fst     *vellum.Builder
	parts   []dictionaryPart
	open    bool
	pending int // tokens since the last look at the size
}

func (d *dictionaryBuilder) memoryBytes() int64 {
	return int64(d.out.Cap() + d.fstOut.Cap() + cap(d.entries))
}

// start begins a dictionary.
func (d *dictionaryBuilder) start() {
	d.out.Reset()
	d.out.Write(make([]byte, headerBytes))
	d.parts, d.open, d.pending = nil, false, 0
}

// add adds a token with its entry. Tokens ascend.
func (d *dictionaryBuilder) add(token, entry []byte) error {
	if err := d.insert(token, func() uint64 { return uint64(len(d.entries)) << 1 }); err != nil {
		return err
	}
	d.entries = append(d.entries, entry...)
	return d.look()
}

// addRow adds a token that is in one row alone.
func (d *dictionaryBuilder) addRow(token []byte, row uint32) error {
	if err := d.insert(token, func() uint64 { return uint64(row)<<1 | inlineRow }); err != nil {
		return err
	}
	return d.look()
}

func (d *dictionaryBuilder) insert(token []byte, value func() uint64) error {
	if !d.open {
		if err := d.begin(token); err != nil {
			return err
		}
	}
	if err := d.fst.Insert(token, value()); err != nil {
		return fmt.Errorf("add a token to the dictionary: %w", err)
	}
	return nil
}

// look ends the part if it is large enough.
func (d *dictionaryBuilder) look() error {
	d.pending++
	if d.pending < tokensBetweenLooks {
		return nil
	}
	d.pending = 0
	if d.fstOut.Len()+len(d.entries) >= dictionaryPartBytes {
		return d.end()
	}
	return nil
}

func (d *dictionaryBuilder) begin(first []byte) error {
	d.parts = append(d.parts, dictionaryPart{first: slices.Clone(first)})
	d.open, d.pending, d.entries = true, 0, d.entries[:0]
	d.fstOut.Reset()
	if d.fst != nil {
		return d.fst.Reset(&d.fstOut)
	}
	var err error
	d.fst, err = vellum.New(&d.fstOut, &vellum.BuilderOpts{Encoder: 1, RegistryTableSize: registryRows, RegistryMRUSize: registryWays})
	return err
}

// end closes the open part.
func (d *dictionaryBuilder) end() error {
	if !d.open {
		return nil
	}
	d.open = false
	if err := d.fst.Close(); err != nil {
		return fmt.Errorf("close a dictionary: %w", err)
	}
	start := int64(d.out.Len() - headerBytes)
	var length [lengthBytes]byte
	binary.LittleEndian.PutUint32(length[:], uint32(d.fstOut.Len()))
	for _, piece := range [][]byte{length[:], d.fstOut.Bytes(), d.entries} {
		_, _ = d.out.Write(piece) // a bytes.Buffer does not fail
	}
	d.parts[len(d.parts)-1].part = partOf(d.out.Bytes()[headerBytes:], start)
	return nil
}

// dictionary is a loaded part of a dictionary.
type dictionary struct {
	fst     *vellum.FST
	entries verified
}

// decodeDictionary takes the bytes of a part. They are kept.
func decodeDictionary(v verified) (*dictionary, error) {
	var d dictionary
	err := guard("dictionary", func() (err error) {
		r := newReader(v, 0, "dictionary")
		fst := r.take(uint64(r.fixed32()))
		if r.err != nil {
			return r.err
		}
		if d.fst, err = vellum.Load(fst); err != nil {
			return corruptf("dictionary: %v", err)
		}
		d.entries = r.remaining()
		return nil
	})
	return &d, err
}

// get returns the number of a token.
func (d *dictionary) get(token []byte) (value uint64, found bool, err error) {
	err = guard("dictionary", func() (err error) {
		if value, found, err = d.fst.Get(token); err != nil {
			return corruptf("dictionary: %v", err)
		}
		return nil
	})
	return value, found, err
}

// each tells every token with its number, in byte order, until tell fails. There should be at most tokens of them.
func (d *dictionary) each(ctx context.Context, tokens int64, tell func(token []byte, value uint64) error) error {
	return guard("dictionary", func() error {
		// A damaged FST may have cycles; then the number of steps, or the caller's patience, ends the walk.
		walk := &boundedWalk{ctx: ctx, steps: 256 * (tokens + 1)}
		it, err := d.fst.Search(walk, nil, nil)
		for err == nil {
			if err := tell(it.Current()); err != nil {
				return err
			}
			err = it.Next()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, vellum.ErrIteratorDone) {
			return corruptf("dictionary: %v", err)
		}
		if walk.steps < 0 {
			return corruptf("dictionary: it has more tokens than the head says")
		}
		return nil
	})
}

// boundedWalk is an automaton that accepts every token of at most 255 bytes, and nothing more once it has been asked too often. Its
// states are lengths.
type boundedWalk struct {
	ctx   context.Context //nolint:containedctx // it lives as long as the call that made it
	steps int64
}

func (w *boundedWalk) Start() int               { return 0 }
func (w *boundedWalk) IsMatch(int) bool         { return true }
func (w *boundedWalk) CanMatch(length int) bool { return length <= 255 && w.steps >= 0 }
func (w *boundedWalk) WillAlwaysMatch(int) bool { return false }
func (w *boundedWalk) Accept(length int, _ byte) int {
	w.steps--
	if w.steps%4096 == 0 && w.ctx.Err() != nil {
		w.steps = -1
	}
	return length + 1
}
