package index

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/firnlog/firn/index/analyzer"
)

// packRead is a run of bytes that holds what some bands have for a token.
type packRead struct {
	start, end int64 // in the pack
	bands      []*packBand
}

// reads returns what has to be read of a column for a hash. Bands whose parts lie close together are read at once.
func (c *packColumn) reads(hash uint64, gap int64) (list []packRead) {
	for i := range c.bands {
		b := &c.bands[i]
		start, end := b.span(hash)
		if n := len(list); n > 0 && start-list[n-1].end <= gap {
			list[n-1].end = end
			list[n-1].bands = append(list[n-1].bands, b)
			continue
		}
		list = append(list, packRead{start, end, []*packBand{b}})
	}
	return list
}

// span returns where in the pack the units lie that a hash picks: one of each class.
func (b *packBand) span(hash uint64) (start, end int64) {
	start = b.length
	for i := range b.classes {
		at := b.before(i, blockOf(hash, b.classes[i].blocks))
		start, end = min(start, at), max(end, at+b.classes[i].unitBytes())
	}
	return b.start + start, b.start + end
}

// test adds to absent the files of the band that do not hold a token. content begins at an offset of the pack.
func (b *packBand) test(content []byte, offset int64, hash uint64, absent []uint32) ([]uint32, error) {
	for i := range b.classes {
		class := &b.classes[i]
		at := b.start + b.before(i, blockOf(hash, class.blocks)) - offset
		blocks, err := class.unit(content[at : at+class.unitBytes()])
		if err != nil {
			return nil, err
		}
		asked := probesOf(hash, class.hashes)
		for k, file := range class.files {
			if !asked.in(blocks[k*bloomBlockBytes : (k+1)*bloomBlockBytes]) {
				absent = append(absent, file)
			}
		}
	}
	return absent, nil
}

// unit checks a unit and returns its blocks.
func (c *packClass) unit(b []byte) ([]byte, error) {
	v, err := verify(b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:]), "blocks of a bloom pack")
	return v.bytes, err
}

// Absent says for each folded token (as analyzer.Split hands out) which files certainly do not hold it: a set of numbers of Files. Of files without a filter of
// the column, and of tokens that the analyzer does not keep, nothing is certain. A token takes one ranged read for each band of sizes that the filters fall
// into, side by side; none if it was asked for a short while ago.
func (p *Pack) Absent(ctx context.Context, tokens []Token) ([]*RowSet, error) {
	answers, errs := make([]*RowSet, len(tokens)), make([]error, len(tokens))
	sideBySide(p.traits.Remote, len(tokens), func(i int) { answers[i], errs[i] = p.absent(ctx, tokens[i]) })
	for _, err := range errs {
		if err != nil {
			return nil, p.problem(err)
		}
	}
	return answers, nil
}

// Cost returns how many ranged reads Absent makes for these tokens, and of how many bytes.
func (p *Pack) Cost(tokens []Token) (requests int, bytes int64) {
	for _, token := range tokens {
		if !p.Knows(token) || p.answer(token) != nil {
			continue
		}
		c := &p.head.columns[p.head.column(token.FieldID)]
		for _, r := range c.reads(xxhash.Sum64String(token.Text), p.traits.ReadGap) {
			requests++
			bytes += r.end - r.start
		}
	}
	return requests, bytes
}

// Knows says whether the pack can tell anything about a token.
func (p *Pack) Knows(token Token) bool {
	return p.head.column(token.FieldID) >= 0 && p.head.analyzer.Keeps([]byte(token.Text)) && analyzer.IsToken(token.Text)
}

func (p *Pack) answer(token Token) *RowSet {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answers[token]
}

func (p *Pack) absent(ctx context.Context, token Token) (*RowSet, error) {
	n := uint32(len(p.head.files))
	if !p.Knows(token) {
		return NoRows(n), nil
	}
	if known := p.answer(token); known != nil {
		return known, nil
	}
	c, hash := &p.head.columns[p.head.column(token.FieldID)], xxhash.Sum64String(token.Text)
	absent, err := p.readAbsent(ctx, c.reads(hash, p.traits.ReadGap), hash)
	if err != nil {
		return nil, err
	}
	slices.Sort(absent)
	set := RowsFromSorted(n, absent)
	p.mu.Lock()
	defer p.mu.Unlock()
	size := set.SizeInMemory() + int64(len(token.Text)) + 64
	if p.answered+size > keptAnswers {
		clear(p.answers)
		p.answered = 0
	}
	p.answers[token] = set
	p.answered += size
	return set, nil
}

// readAbsent reads side by side, if the store is remote, and returns the files that do not hold a token.
func (p *Pack) readAbsent(ctx context.Context, reads []packRead, hash uint64) ([]uint32, error) {
	contents, errs := make([][]byte, len(reads)), make([]error, len(reads))
	sideBySide(p.traits.Remote, len(reads), func(i int) {
		contents[i] = make([]byte, reads[i].end-reads[i].start)
		errs[i] = p.store.ReadAt(ctx, p.name, contents[i], reads[i].start)
	})
	var absent []uint32
	for i, r := range reads {
		if errs[i] != nil {
			return nil, errs[i]
		}
		for _, band := range r.bands {
			var err error
			if absent, err = band.test(contents[i], r.start, hash, absent); err != nil {
				return nil, err
			}
		}
	}
	return absent, nil
}

// sideBySide calls do for 0 up to n, all at once if that is worth it.
func sideBySide(worth bool, n int, do func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		if !worth || n == 1 {
			do(i)
			continue
		}
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}
