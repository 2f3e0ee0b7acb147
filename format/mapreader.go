package format

import "context"

// maxMapValues bounds the entries of a page of a map column.
const maxMapValues = 1 << 26

// mapLevels are the levels of one page of a map's leaf, and where the reader is in them.
type mapLevels struct {
	rep, def []uint8
	full     bool // every level is an entry with a value; def is not decoded
	at       int  // the next level
	started  int  // rows of the row group that start before it
}

// reset decodes the levels of a page.
func (m *mapLevels) reset(l *leafReader, rep, def []byte, count int) error {
	if count > maxMapValues {
		return errPageRows
	}
	if l.page.firstRow > 0 && l.pages.index != nil {
		m.started = l.page.firstRow
	}
	m.rep, m.def, m.at = grow(m.rep, count), grow(m.def, count), 0
	var h hybridReader
	if err := h.reset(rep, levelWidth(l.column.maxRep)); err != nil {
		return err
	}
	if err := readHybrid(&h, m.rep); err != nil {
		return err
	}
	if err := h.reset(def, levelWidth(l.maxDef())); err != nil {
		return err
	}
	if m.full = count > 0 && h.constant(count, uint32(l.maxDef())); !m.full {
		if err := readHybrid(&h, m.def); err != nil {
			return err
		}
	}
	rows := countLevels(m.rep, 0)
	if l.page.rows >= 0 && (rows != l.page.rows || count > 0 && m.rep[0] != 0) || m.started+rows > l.pages.rows {
		return errPageRows
	}
	return nil
}

// values returns how many values that are not null lie before level end.
func (m *mapLevels) values(end int, full uint8) int {
	if m.full {
		return end - m.at
	}
	return countLevels(m.def[m.at:end], full)
}

// seekMap goes to the start of a row.
func (l *leafReader) seekMap(ctx context.Context, row int) error {
	m := &l.levels
	for {
		if !l.hasPage || m.at == len(m.rep) || l.pages.index != nil && row >= l.page.firstRow+l.page.rows {
			l.pages.seek(row)
			if err := l.nextPage(ctx); err != nil {
				return err
			}
		}
		// The row starts at the level that starts row number m.started.
		at := m.at
		for at < len(m.rep) && (m.rep[at] != 0 || m.started < row) {
			if m.rep[at] == 0 {
				m.started++
			}
			at++
		}
		if err := l.texts.skip(m.values(at, l.maxDef())); err != nil {
			return err
		}
		if m.at = at; at < len(m.rep) {
			return nil
		}
	}
}

// readMapRows appends the entries of rows [lo, hi) to dst, and if offsets is not nil, where each row starts.
func (l *leafReader) readMapRows(ctx context.Context, dst [][]byte, offsets *[]int32, lo, hi int) ([][]byte, error) {
	if err := l.seekMap(ctx, lo); err != nil {
		return dst, err
	}
	m := &l.levels
	for {
		at := m.at
		for at < len(m.rep) && (m.rep[at] != 0 || m.started < hi) {
			if m.rep[at] == 0 {
				m.started++
			}
			at++
		}
		var err error
		if dst, err = l.takeEntries(dst, offsets, at); err != nil {
			return dst, err
		}
		if at < len(m.rep) || m.started == hi && l.rowsEndWithPages() || m.started >= l.pages.rows && l.lastPage() {
			return dst, nil
		}
		if err := l.nextPage(ctx); err != nil {
			return dst, err
		}
	}
}

// rowsEndWithPages tells whether no row goes on in the next page: so it is where there is an offset index, and in pages of version 2.
func (l *leafReader) rowsEndWithPages() bool {
	return l.pages.index != nil || l.page.kind == pageDataV2
}

// lastPage tells whether the current page is the chunk's last, where there is no index.
func (l *leafReader) lastPage() bool {
	return l.pages.values >= l.pages.chunk.values
}

// takeEntries appends the entries up to level end of the page.
func (l *leafReader) takeEntries(dst [][]byte, offsets *[]int32, end int) ([][]byte, error) {
	m := &l.levels
	full := l.maxDef()
	entry := l.column.entryDef
	values := m.values(end, full)
	n := len(dst)
	dst = append(dst, make([][]byte, values)...)
	if err := l.readTexts(dst[n:], len(m.rep)); err != nil {
		return dst, err
	}
	simple := values == end-m.at // every level is an entry with a value
	if !simple {
		packed := append([][]byte(nil), dst[n:]...)
		dst = dst[:n]
		for i := m.at; i < end; i++ {
			if offsets != nil && m.rep[i] == 0 {
				*offsets = append(*offsets, int32(len(dst)))
			}
			switch {
			case m.def[i] == full:
				dst, packed = append(dst, packed[0]), packed[1:]
			case m.def[i] >= entry && l.part == partMapKey:
				dst = append(dst, []byte{}) // some writers declare keys optional, but a key is never null
			case m.def[i] >= entry:
				dst = append(dst, nil)
			}
		}
	} else if offsets != nil {
		for i := m.at; i < end; i++ {
			if m.rep[i] == 0 {
				*offsets = append(*offsets, int32(n+i-m.at))
			}
		}
	}
	m.at = end
	return dst, nil
}
