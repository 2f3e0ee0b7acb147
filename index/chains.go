package index

import "encoding/binary"

// chainPool holds the postings of all tokens of a column while the data file is written: for each token a chain of slices that get longer, cut from
// large blocks. A chain is the number of the token's first row and then, for each gap between two runs of rows, what ends the run
// before it and begins the one after it:
//
//	uvarint first row
//	uvarint (rows between the runs - 1) << 1 | (1 if the run before has more than one row)
//	uvarint rows of the run before - 2, only if it has more than one
//	...
//
// The last run is not in the chain but in the token's entry. The last four bytes of each slice are the address of the next one.
type chainPool struct {
	blocks []*[blockBytes]byte
	next   uint32 // address of the first byte that is in no slice
	full   bool   // there was no room for more: the chains are incomplete
}

const (
	blockBits  = 18
	blockBytes = 1 << blockBits
	linkBytes  = 4
	// Slices have 16 bytes, then twice as many as the one before, up to 1024.
	smallestSliceBits = 4
	levels            = 7
	// eventBytes is the most that one event of a chain takes: two varints of at most five bytes.
	eventBytes = 2 * 5
	// largestPool leaves addresses for one more block.
	largestPool = 1<<32 - 2*blockBytes
)

// sliceBytes is the number of bytes of a slice of a level, link included.
func sliceBytes(level uint8) uint32 {
	return 1 << (smallestSliceBits + uint32(level))
}

func (p *chainPool) clear() {
	p.next = linkBytes // address 0 means none
	p.full = false
}

func (p *chainPool) memoryBytes() int64 { return int64(len(p.blocks)) * blockBytes }

// at returns the bytes from an address to the end of its block.
func (p *chainPool) at(address uint32) []byte {
	return p.blocks[address>>blockBits][address&(blockBytes-1):]
}

// allocate cuts a slice from the present block, or from a new one if it has no room.
func (p *chainPool) allocate(level uint8) uint32 {
	size := sliceBytes(level)
	if p.next&(blockBytes-1)+size > blockBytes {
		p.next = (p.next + blockBytes - 1) &^ (blockBytes - 1)
	}
	for int(p.next>>blockBits) >= len(p.blocks) {
		p.blocks = append(p.blocks, new([blockBytes]byte))
	}
	address := p.next
	p.next += size
	return address
}

// endRun writes that the entry's run of rows has ended, distance rows before its last row, which begins the next run; distance is 2 or more.
func (p *chainPool) endRun(e *tokenEntry, distance uint32) {
	if e.head == 0 && !p.begin(e, e.last-distance) {
		return
	}
	gap := uint64(distance-2) << 1
	if e.run > 1 {
		gap |= 1
	}
	if e.room < eventBytes {
		p.appendSplit(e, gap)
		return
	}
	free := p.at(e.tail)
	n := binary.PutUvarint(free, gap)
	if e.run > 1 {
		n += binary.PutUvarint(free[n:], uint64(e.run-2))
	}
	e.tail += uint32(n)
	e.room -= uint16(n)
}

// begin gives the entry its first slice, with the first row of the run that ends with row last in it. It returns false if the pool is full.
func (p *chainPool) begin(e *tokenEntry, last uint32) bool {
	if p.next > largestPool {
		p.full = true
		return false
	}
	e.head = p.allocate(0)
	n := binary.PutUvarint(p.at(e.head), uint64(last-e.run+1))
	e.tail = e.head + uint32(n)
	e.room = uint16(sliceBytes(0) - linkBytes - uint32(n))
	return true
}

// appendSplit writes an event where it may not fit into the present slice.
func (p *chainPool) appendSplit(e *tokenEntry, gap uint64) {
	var event [2 * binary.MaxVarintLen64]byte
	n := binary.PutUvarint(event[:], gap)
	if e.run > 1 {
		n += binary.PutUvarint(event[n:], uint64(e.run-2))
	}
	fits := copy(p.at(e.tail)[:e.room], event[:n])
	e.tail += uint32(fits)
	e.room -= uint16(fits)
	if e.room > 0 {
		return
	}
	if p.next > largestPool {
		p.full = true
		return
	}
	if e.level() < levels-1 {
		e.state++
	}
	slice := p.allocate(e.level())
	binary.LittleEndian.PutUint32(p.at(e.tail), slice)
	copy(p.at(slice), event[fits:n])
	e.tail = slice + uint32(n-fits)
	e.room = uint16(sliceBytes(e.level()) - linkBytes - uint32(n-fits))
}

// rowRun is a run of rows: [start, start+rows).
type rowRun struct {
	start, rows uint32
}

// runs appends to dst the runs of rows of an entry, and counts the rows. scratch is room that is reused.
func (p *chainPool) runs(dst []rowRun, e *tokenEntry, scratch *[]byte) (_ []rowRun, count uint32) {
	if e.head == 0 {
		return append(dst, rowRun{e.last - e.run + 1, e.run}), e.run
	}
	chain := p.gather((*scratch)[:0], e)
	*scratch = chain
	value, n := binary.Uvarint(chain)
	chain = chain[n:]
	start := uint32(value)
	for len(chain) > 0 {
		var rows uint32 = 1
		gap := uint64(chain[0])
		if gap < 0x80 {
			chain = chain[1:]
		} else {
			gap, n = binary.Uvarint(chain)
			chain = chain[n:]
		}
		if gap&1 != 0 {
			value, n = binary.Uvarint(chain)
			chain = chain[n:]
			rows = uint32(value) + 2
		}
		dst = append(dst, rowRun{start, rows})
		count += rows
		start += rows + uint32(gap>>1) + 1
	}
	return append(dst, rowRun{start, e.run}), count + e.run
}

// gather appends to dst the bytes of an entry's chain.
func (p *chainPool) gather(dst []byte, e *tokenEntry) []byte {
	address, level := e.head, uint8(0)
	for {
		slice := p.at(address)[:sliceBytes(level)]
		data := len(slice) - linkBytes
		if end := address + uint32(data); e.tail >= address && e.tail <= end {
			return append(dst, slice[:e.tail-address]...)
		}
		dst = append(dst, slice[:data]...)
		address = binary.LittleEndian.Uint32(slice[data:])
		if level < levels-1 {
			level++
		}
	}
}
