package format

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// leafReader reads the values of one leaf column of one row group, forward only.
type leafReader struct {
	pages    pageReader
	column   *fileColumn
	part     part
	physical int32
	page     page
	hasPage  bool

	// Within the page.
	allValid bool // no value is null, so that there are no levels to read
	allNull  bool // every value is null
	def      hybridReader
	texts    textValues
	numbers  numberValues
	bools    boolValues
	dictText [][]byte
	dictNum  []int64
	hasDict  bool

	// Of a plain column.
	row     int // the next row
	pageEnd int // the row behind the page
	scratch []uint8

	// Of a map's leaf: see mapreader.go.
	levels mapLevels
}

var (
	errPageRows = errors.New("its number of values does not match its number of rows")
	errLevels   = errors.New("level encoding that firn does not know")
)

// maxDef is the definition level of a value that is not null.
func (l *leafReader) maxDef() uint8 {
	if l.part == partMapValue {
		return l.column.maxDef[1]
	}
	return l.column.maxDef[0]
}

// nextPage reads the next page and prepares its decoders.
func (l *leafReader) nextPage(ctx context.Context) error {
	before := l.pageEnd
	if err := l.pages.read(ctx, &l.page); err != nil {
		return err
	}
	if l.pages.index == nil {
		l.page.firstRow = before
	}
	l.hasPage = true
	body, err := l.splitLevels()
	if err != nil {
		return err
	}
	return l.startValues(ctx, body)
}

// splitLevels finds the page's levels and returns the bytes of its values.
func (l *leafReader) splitLevels() ([]byte, error) {
	p := &l.page
	count := int(p.values)
	rep, def, body := []byte(nil), []byte(nil), p.body
	if p.partial != nil {
		body = body[:0]
	}
	if p.kind == pageDataV2 {
		rep, def = p.levels[:p.repLen], p.levels[p.repLen:]
	} else {
		if (l.column.maxRep > 0 && p.repEncoding != encodingRLE) || (l.maxDef() > 0 && p.defEncoding != encodingRLE) {
			return nil, fmt.Errorf("%w: %w", ErrUnsupported, errLevels)
		}
		var err error
		if l.column.maxRep > 0 {
			if rep, body, err = l.prefixed(body); err != nil {
				return nil, err
			}
		}
		if l.maxDef() > 0 {
			if def, body, err = l.prefixed(body); err != nil {
				return nil, err
			}
		}
	}
	if l.column.maxRep > 0 {
		return body, l.levels.reset(l, rep, def, count)
	}
	if p.rows >= 0 && p.rows != count {
		return nil, errPageRows
	}
	p.rows = count
	l.row, l.pageEnd = p.firstRow, p.firstRow+count
	if l.pageEnd > l.pages.rows {
		return nil, errPageRows
	}
	l.allValid, l.allNull = l.maxDef() == 0, false
	if l.allValid || count == 0 {
		return body, nil
	}
	if err := l.def.reset(def, levelWidth(l.maxDef())); err != nil {
		return nil, err
	}
	l.allValid = l.def.constant(count, uint32(l.maxDef()))
	l.allNull = l.def.constant(count, 0)
	return body, nil
}

// prefixed splits off bytes that their length precedes. It decompresses more of the page, if need be.
func (l *leafReader) prefixed(p []byte) (head, rest []byte, err error) {
	for {
		end := 4
		if len(p) >= 4 {
			end += int(binary.LittleEndian.Uint32(p))
		}
		if end <= len(p) {
			return p[4:end], p[end:], nil
		}
		if l.page.partial == nil || l.page.partial.done() {
			return nil, nil, errShortPage
		}
		if p, err = l.page.partial.extend(p); err != nil {
			return nil, nil, err
		}
	}
}

// startValues starts the decoder of the page's values.
func (l *leafReader) startValues(ctx context.Context, body []byte) error {
	encoding, count := l.page.encoding, int(l.page.values)
	if encoding == encodingRLEDictionary || encoding == encodingPlainDictionary {
		if err := l.readDict(ctx); err != nil {
			return err
		}
	}
	switch l.physical {
	case physicalBytes:
		err := l.texts.reset(encoding, body, count, l.dictText)
		l.texts.rest = l.page.partial
		return err
	case physicalBool:
		return l.bools.reset(encoding, body, count)
	}
	return l.numbers.reset(l.physical, encoding, l.column.convert == convertUint32, body, count, l.dictNum)
}

// readDict decodes the chunk's dictionary, once.
func (l *leafReader) readDict(ctx context.Context) error {
	if l.hasDict {
		return nil
	}
	p, err := l.pages.dictionary(ctx)
	if err != nil || p == nil {
		return err
	}
	at := l.pages.dictRange().offset
	kept, keep := l.pages.cached.get(at)
	if kept != nil && kept.texts != nil {
		l.dictText, l.hasDict = kept.texts, true
		return nil
	}
	count := int(p.values)
	switch l.physical {
	case physicalBytes:
		if count > len(p.body)/4 {
			return errShortPage
		}
		var v textValues
		if err := v.reset(encodingPlain, p.body, count, nil); err != nil {
			return err
		}
		l.dictText = make([][]byte, count)
		err = v.read(l.dictText)
	case physicalBool:
		err = errBadEncoding
	default:
		var v numberValues
		l.dictNum, err = v.readDict(l.physical, l.column.convert == convertUint32, p.body, count)
	}
	l.hasDict = err == nil
	if keep && l.hasDict {
		l.pages.cached.keep(at, p, l.dictText)
	}
	return err
}

// seek goes to a row of a plain column, which is not before the current one.
func (l *leafReader) seek(ctx context.Context, row int) error {
	if !l.hasPage || row >= l.pageEnd {
		l.pages.seek(row)
	}
	for !l.hasPage || row >= l.pageEnd {
		if err := l.nextPage(ctx); err != nil {
			return err
		}
	}
	return l.skip(row - l.row)
}

// skip goes over rows within the page.
func (l *leafReader) skip(rows int) error {
	if rows <= 0 {
		return nil
	}
	l.row += rows
	values := rows
	if l.allNull {
		return nil
	}
	if !l.allValid {
		l.scratch = grow(l.scratch, rows)
		if err := readHybrid(&l.def, l.scratch); err != nil {
			return err
		}
		values = countLevels(l.scratch, l.maxDef())
	}
	switch l.physical {
	case physicalBytes:
		return l.texts.skip(values)
	case physicalBool:
		return l.bools.skip(values)
	}
	return l.numbers.skip(values)
}

func countLevels(levels []uint8, level uint8) int {
	return bytes.Count(levels, []byte{level})
}

// validity reads the definition levels of the next rows of the page. nulls is whether there is a null; if so, l.scratch has the
// levels.
func (l *leafReader) validity(rows int) (values int, nulls bool, err error) {
	if l.allValid {
		return rows, false, nil
	}
	l.scratch = grow(l.scratch, rows)
	if l.allNull {
		clear(l.scratch)
		return 0, true, nil
	}
	if err := readHybrid(&l.def, l.scratch); err != nil {
		return 0, false, err
	}
	values = countLevels(l.scratch, l.maxDef())
	return values, values < rows, nil
}

// readRows fills the vectors of c from position at on with rows [lo, hi) of a plain column. c.Valid is made if a value is null.
func (l *leafReader) readRows(ctx context.Context, c *Column, at, lo, hi int) error {
	for lo < hi {
		if err := l.seek(ctx, lo); err != nil {
			return err
		}
		n := min(hi, l.pageEnd) - lo
		values, nulls, err := l.validity(n)
		if err != nil {
			return err
		}
		if err := l.fill(c, at, values); err != nil {
			return err
		}
		if nulls {
			spread(c, at, values, l.scratch, l.maxDef())
		}
		l.row += n
		at += n
		lo += n
	}
	return nil
}

// fill reads so many values into c from position at on.
func (l *leafReader) fill(c *Column, at, values int) error {
	switch c.Field.Type {
	case TypeString:
		return l.readTexts(c.Texts[at:at+values], l.page.rows)
	case TypeBool:
		return l.bools.read(c.Bools[at : at+values])
	case TypeFloat32, TypeFloat64:
		return l.fillFloats(c.Floats[at : at+values])
	}
	dst := c.Ints[at : at+values]
	if err := l.numbers.read(dst); err != nil {
		return err
	}
	convertTimes(dst, l.column.convert)
	return nil
}

// readTexts reads the next texts of a page that has so many values. Few of many are copied, so that the page need not stay in
// memory for them.
func (l *leafReader) readTexts(dst [][]byte, of int) error {
	if err := l.texts.read(dst); err != nil || l.page.shared || !l.texts.aliasesPage() {
		return err
	}
	if 2*len(dst) < of {
		l.pages.buffers.copyAll(dst)
	} else if len(dst) > 0 {
		l.page.held = true
	}
	return nil
}

func (l *leafReader) fillFloats(dst []float64) error {
	l.numbers.skipped = grow(l.numbers.skipped, len(dst))
	raw := l.numbers.skipped
	if err := l.numbers.read(raw); err != nil {
		return err
	}
	if l.column.convert == convertFloat32 {
		for i, v := range raw {
			dst[i] = float64(math.Float32frombits(uint32(v)))
		}
		return nil
	}
	for i, v := range raw {
		dst[i] = math.Float64frombits(uint64(v))
	}
	return nil
}

// convertTimes turns timestamps of other units into microseconds.
func convertTimes(values []int64, c conversion) {
	var unit int64
	switch c {
	case convertMillis:
		unit = 1_000_000
	case convertNanos:
		unit = 1
	default:
		return
	}
	toMicros, _ := microsPer(unit)
	for i, v := range values {
		values[i] = toMicros(v)
	}
}

// spread moves the values of rows that are not null, which are packed from position at on, to their rows, and sets the others null.
func spread(c *Column, at, values int, levels []uint8, full uint8) {
	from := at + values - 1
	for i := len(levels) - 1; i >= 0; i-- {
		to, valid := at+i, levels[i] == full
		switch c.Field.Type {
		case TypeString:
			spreadOne(c.Texts, to, from, valid)
		case TypeBool:
			spreadOne(c.Bools, to, from, valid)
		case TypeFloat32, TypeFloat64:
			spreadOne(c.Floats, to, from, valid)
		default:
			spreadOne(c.Ints, to, from, valid)
		}
		if c.Field.Type != TypeString {
			c.setNull(to, !valid)
		}
		if valid {
			from--
		}
	}
}

func spreadOne[T any](v []T, to, from int, valid bool) {
	if valid {
		v[to] = v[from]
		return
	}
	var zero T
	v[to] = zero
}

// setNull notes whether the number at i is null. There is a validity vector only from the first null on.
func (c *Column) setNull(i int, null bool) {
	if c.Valid == nil {
		if !null {
			return
		}
		c.Valid = make([]bool, max(len(c.Ints), len(c.Floats), len(c.Bools)))
		for j := range c.Valid {
			c.Valid[j] = true
		}
	}
	c.Valid[i] = !null
}
