package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/blevesearch/vellum"
)

// A dictionary maps each token of a column to a number, in parts: each part is a finite state transducer (FST) over a range of the tokens
// in byte order, small enough to be read for one look-up. The number says where the token's rows are:
//
//	row << 1 | 1            the token is in this row alone
//	(offset - base) << 1    its posting entry is at this offset of the postings; base is the part's
const inlineRow = 1

const (
	// dictionaryPartBytes is about the size at which a part ends.
	dictionaryPartBytes = 64 << 10
	// vellum looks for states to share in a table. Its default of 20,000 places leaves the processor's cache: it takes more than twice as
	// long and makes dictionaries of logs 2 to 10 % smaller.
	registryRows, registryWays = 250, 1
	// vellum writes through a buffer, so the size of a part is seen late; it is looked at every few tokens.
	tokensBetweenLooks = 32
)

// dictionaryBuilder writes the parts of one dictionary after another.
type dictionaryBuilder struct {
	out     bytes.Buffer // header, and the parts
	fst     *vellum.Builder
	parts   []dictionaryPart
	open    bool
	pending int // tokens since the last look at the size
}

// start begins a dictionary.
func (d *dictionaryBuilder) start() {
	d.out.Reset()
	d.out.Write(make([]byte, headerBytes))
	d.parts, d.open, d.pending = nil, false, 0
}

// add adds a token that is greater than the ones before. offset is where its posting entry is, or where the next one will be if it has
// none and is in this row alone.
func (d *dictionaryBuilder) add(token []byte, offset uint64, alone bool, row uint32) error {
	if !d.open {
		if err := d.begin(token, offset); err != nil {
			return err
		}
	}
	value := (offset - d.parts[len(d.parts)-1].base) << 1
	if alone {
		value = uint64(row)<<1 | inlineRow
	}
	if err := d.fst.Insert(token, value); err != nil {
		return fmt.Errorf("add a token to the dictionary: %w", err)
	}
	d.pending++
	if d.pending < tokensBetweenLooks {
		return nil
	}
	d.pending = 0
	if d.size() >= dictionaryPartBytes {
		return d.end()
	}
	return nil
}

func (d *dictionaryBuilder) begin(first []byte, base uint64) error {
	start := int64(d.out.Len() - headerBytes)
	d.parts = append(d.parts, dictionaryPart{part: part{start: start}, first: slices.Clone(first), base: base})
	d.open = true
	if d.fst != nil {
		return d.fst.Reset(&d.out)
	}
	var err error
	d.fst, err = vellum.New(&d.out, &vellum.BuilderOpts{Encoder: 1, RegistryTableSize: registryRows, RegistryMRUSize: registryWays})
	return err
}

// size is the number of bytes of the open part that have left vellum's buffer.
func (d *dictionaryBuilder) size() int64 {
	return int64(d.out.Len()-headerBytes) - d.parts[len(d.parts)-1].start
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
	p := &d.parts[len(d.parts)-1]
	p.length = d.size()
	p.crc = checksum(d.out.Bytes()[headerBytes+p.start:])
	return nil
}

// dictionary is a loaded part of a dictionary.
type dictionary struct {
	fst *vellum.FST
}

// decodeDictionary takes the bytes of a part. They are kept.
func decodeDictionary(v verified) (*dictionary, error) {
	var d dictionary
	err := guard("dictionary", func() (err error) {
		if d.fst, err = vellum.Load(v.bytes); err != nil {
			return corruptf("dictionary: %v", err)
		}
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
