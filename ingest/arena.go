package ingest

import "sync"

// Sizes of the chunks of an arena.
const (
	maxChunk = 4 << 20
	minChunk = 4 << 10
)

// A chunkPool hands out the chunks of the arenas of one Writer and takes them back, so that they are allocated once.
type chunkPool struct {
	size int
	mu   sync.Mutex
	free [][]byte
}

func newChunkPool(bufferBytes int64) *chunkPool {
	return &chunkPool{size: int(min(max(bufferBytes/32, minChunk), maxChunk))}
}

func (p *chunkPool) get(atLeast int) []byte {
	if atLeast > p.size {
		return make([]byte, atLeast)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		chunk := p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
		return chunk
	}
	return make([]byte, p.size)
}

// put takes chunks back. Those of unusual size are left to the garbage collector.
func (p *chunkPool) put(chunks [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, chunk := range chunks {
		if len(chunk) == p.size {
			p.free = append(p.free, chunk)
		}
	}
}

// A position is a place in an arena: the number of the chunk and the offset in it, 32 bits each.
type position uint64

// An arena is memory that only grows, until all of it is given back.
type arena struct {
	pool   *chunkPool
	chunks [][]byte
	used   int // of the last chunk
	bytes  int64
}

// reserve returns n bytes of contiguous memory and their position. What commit does not claim is handed out again.
func (a *arena) reserve(n int) ([]byte, position) {
	if len(a.chunks) == 0 || len(a.chunks[len(a.chunks)-1])-a.used < n {
		chunk := a.pool.get(n)
		a.chunks = append(a.chunks, chunk)
		a.bytes += int64(len(chunk))
		a.used = 0
	}
	last := len(a.chunks) - 1
	return a.chunks[last][a.used : a.used+n], position(last)<<32 | position(a.used)
}

// commit claims the first n bytes of what reserve returned.
func (a *arena) commit(n int) { a.used += n }

// at returns the memory from a position to the end of its chunk.
func (a *arena) at(p position) []byte { return a.chunks[p>>32][uint32(p):] }

// An arenaMark is a state that an arena can be taken back to.
type arenaMark struct{ chunks, used int }

func (a *arena) mark() arenaMark { return arenaMark{len(a.chunks), a.used} }

func (a *arena) rollback(m arenaMark) {
	for _, chunk := range a.chunks[m.chunks:] {
		a.bytes -= int64(len(chunk))
	}
	a.pool.put(a.chunks[m.chunks:])
	clear(a.chunks[m.chunks:])
	a.chunks, a.used = a.chunks[:m.chunks], m.used
}

func (a *arena) release() { a.rollback(arenaMark{}) }
