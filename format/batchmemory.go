package format

// batchMemory is the memory that the values of the current batch point into: decompressed pages, and copies of values of which a page
// has many that the batch does not want. It is used again for the next batch.
type batchMemory struct {
	free  [][]byte // pages
	held  [][]byte // pages that the current batch needs though they are read
	spare [][]byte // blocks for copies
	used  [][]byte // blocks with copies for the current batch
	bytes int64    // of the pages and copies that the current batch needs
}

const (
	maxFreePages = 16       // pages kept for use again
	copyBlock    = 64 << 10 // least size of a block for copies
)

// get returns memory for a page of n bytes.
func (m *batchMemory) get(n int) []byte {
	best := -1
	for i, p := range m.free {
		if cap(p) >= n && (best < 0 || cap(p) < cap(m.free[best])) {
			best = i
		}
	}
	if best < 0 {
		return make([]byte, n, n+n/8)
	}
	p := m.free[best]
	last := len(m.free) - 1
	m.free[best] = m.free[last]
	m.free = m.free[:last]
	return p[:n]
}

// release gives back the memory of a page; if the batch needs it, it is kept until the batch is done with.
func (m *batchMemory) release(p []byte, held bool) {
	switch {
	case cap(p) == 0:
	case held:
		m.held = append(m.held, p)
		m.bytes += int64(len(p))
	case len(m.free) < maxFreePages:
		m.free = append(m.free, p)
	}
}

// recycle starts the next batch: nothing points into the memory of the last one any more.
func (m *batchMemory) recycle() {
	for _, p := range m.held {
		m.release(p, false)
	}
	clear(m.held)
	m.held = m.held[:0]
	for _, b := range m.used {
		if cap(b) == copyBlock {
			m.spare = append(m.spare, b[:0])
		}
	}
	clear(m.used)
	m.used, m.bytes = m.used[:0], 0
}

// copyAll replaces texts by copies, so that the page they are in need not be kept. Nulls stay.
func (m *batchMemory) copyAll(texts [][]byte) {
	for i, t := range texts {
		if len(t) > 0 {
			texts[i] = m.copy(t)
		} else if t != nil {
			texts[i] = []byte{}
		}
	}
}

func (m *batchMemory) copy(t []byte) []byte {
	last := len(m.used) - 1
	if last < 0 || len(m.used[last])+len(t) > cap(m.used[last]) {
		m.used = append(m.used, m.block(len(t)))
		last++
	}
	b := m.used[last]
	at := len(b)
	b = append(b, t...)
	m.used[last] = b
	m.bytes += int64(len(t))
	return b[at:len(b):len(b)]
}

func (m *batchMemory) block(n int) []byte {
	if n > copyBlock {
		return make([]byte, 0, n)
	}
	if last := len(m.spare) - 1; last >= 0 {
		b := m.spare[last]
		m.spare = m.spare[:last]
		return b
	}
	return make([]byte, 0, copyBlock)
}
