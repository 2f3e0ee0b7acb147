package index

import (
	"math"
	"math/bits"
)

// precision finds out up to how many rows tokens may have postings of rows, so that the bitmap keeps to a size. Level 0 is none at all, level l is up
// to 2^(l-1) rows.
type precision struct {
	least int64     // bits of all postings in their smaller form
	extra [34]int64 // by the first level at which a token has postings of rows: how many bits these take more than blocks
}

func (p *precision) clear() { *p = precision{} }

// add adds a token whose postings of so many rows take exact bits, or coarse bits as blocks.
func (p *precision) add(rows uint32, exact, coarse int) {
	p.least += int64(min(exact, coarse))
	if exact > coarse {
		p.extra[bits.Len32(rows-1)+1] += int64(exact - coarse)
	}
}

// choose returns the number of rows up to which tokens get postings of rows though blocks take less, if the postings should take so many bits.
func (p *precision) choose(budget int64) uint32 {
	size, level := p.least, 0
	for l := 1; l < len(p.extra); l++ {
		if size += p.extra[l]; size > budget {
			break
		}
		level = l
	}
	return uint32(min(uint64(1)<<level>>1, math.MaxUint32))
}
