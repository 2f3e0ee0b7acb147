package index

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/firnlog/firn/index/analyzer"
)

// packHead says what a pack covers, and where the blocks lie.
type packHead struct {
	partition string
	analyzer  *analyzer.Analyzer
	columns   []packColumn
	files     []PackFile
	memory    int64 // about what it takes
}

// packColumn is the filters of one column. They lie in bands: those whose numbers of blocks have the same binary digits.
type packColumn struct {
	name    string
	fieldID int
	classes []packClass
	bands   []packBand
	length  int64 // bytes
}

// packClass is the files whose filters have a number of blocks, and of hash functions. Unit j of the class is block j of all of them, in the
// order of the files, and a CRC32C. A filter of fewer blocks stands in a class of 2^i times as many, with each of its blocks 2^i times: it answers the same.
type packClass struct {
	blocks uint64
	hashes int
	files  []uint32 // ascending
}

// packBand is classes whose units lie mixed, in the order of their fractions: unit j of a class of b blocks has the fraction j/b. So those that
// one token picks are neighbours, up to as much again in between.
type packBand struct {
	classes []packClass
	start   int64 // in the pack
	length  int64
}

const (
	largestPackFiles   = 1 << 21
	largestPackColumns = 1 << 12
	largestPackClasses = 1 << 12
	largestPackText    = 1 << 16
)

// unitBytes is the size of a unit.
func (c *packClass) unitBytes() int64 { return int64(len(c.files))*bloomBlockBytes + 4 }

// before returns how many bytes of the band lie before unit j of class c.
func (b *packBand) before(c int, j uint64) (at int64) {
	for i := range b.classes {
		other := &b.classes[i]
		scaled, blocks := j*other.blocks, b.classes[c].blocks // j is below 2^32, blocks are at most that
		units := scaled / blocks
		if i < c || i != c && scaled%blocks > 0 {
			units++
		}
		at += int64(units) * other.unitBytes()
	}
	return at
}

// layOut puts the classes, which are in order, into bands from a place of the pack on.
func (c *packColumn) layOut(start int64) error {
	c.bands, c.length = nil, 0
	for from := 0; from < len(c.classes); {
		end := from + 1
		for end < len(c.classes) && bits.Len64(c.classes[end].blocks) == bits.Len64(c.classes[from].blocks) {
			end++
		}
		band := packBand{classes: c.classes[from:end], start: start + c.length}
		for i := range band.classes {
			bytes := float64(band.classes[i].unitBytes()) * float64(band.classes[i].blocks)
			if bytes+float64(start+c.length+band.length) > largestFile {
				return corruptf("filters of field %d are too large", c.fieldID)
			}
			band.length += int64(bytes)
		}
		c.length += band.length
		c.bands = append(c.bands, band)
		from = end
	}
	return nil
}

// compareClasses orders classes, those of a band beside each other.
func compareClasses(a, b packClass) int {
	return cmp.Or(cmp.Compare(a.blocks, b.blocks), cmp.Compare(a.hashes, b.hashes))
}

// loadAnalyzer makes an analyzer that was stored. One that this firn does not know is a newer version's.
func loadAnalyzer(name string, version int, params []byte) (*analyzer.Analyzer, error) {
	a, err := analyzer.Load(name, version, params)
	if errors.Is(err, analyzer.ErrUnknownAnalyzer) {
		return nil, fmt.Errorf("%w: %w", ErrUnknownVersion, err)
	}
	if err != nil {
		return nil, corruptf("analyzer %q: %v", name, err)
	}
	return a, nil
}

// column returns the number of a column, or -1.
func (h *packHead) column(fieldID int) int {
	return slices.IndexFunc(h.columns, func(c packColumn) bool { return c.fieldID == fieldID })
}

func (h *packHead) encode() ([]byte, error) {
	params, err := json.Marshal(h.analyzer.Params())
	if err != nil {
		return nil, fmt.Errorf("encode analyzer parameters: %w", err)
	}
	b := appendCounted(nil, []byte(h.partition))
	b = appendCounted(b, []byte(h.analyzer.Name()))
	b = binary.AppendUvarint(b, uint64(h.analyzer.Version()))
	b = appendCounted(b, params)
	b = binary.AppendUvarint(b, uint64(len(h.files)))
	last := ""
	for _, f := range h.files {
		shared := sharedPrefix(last, f.Name)
		b = binary.AppendUvarint(b, uint64(shared))
		b = appendCounted(b, []byte(f.Name[shared:]))
		b = binary.AppendUvarint(b, uint64(f.Rows))
		b = binary.AppendUvarint(b, uint64(f.Bytes))
		last = f.Name
	}
	b = binary.AppendUvarint(b, uint64(len(h.columns)))
	for i := range h.columns {
		c := &h.columns[i]
		b = binary.AppendUvarint(b, uint64(c.fieldID))
		b = appendCounted(b, []byte(c.name))
		b = binary.AppendUvarint(b, uint64(len(c.classes)))
		for _, class := range c.classes {
			b = class.append(b)
		}
	}
	return b, nil
}

func (c packClass) append(b []byte) []byte {
	b = binary.AppendUvarint(b, c.blocks)
	b = binary.AppendUvarint(b, uint64(c.hashes))
	b = binary.AppendUvarint(b, uint64(len(c.files)))
	next := uint32(0)
	for _, file := range c.files {
		b = binary.AppendUvarint(b, uint64(file-next))
		next = file + 1
	}
	return b
}

func sharedPrefix(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// decodePackHead decodes a head that begins at an offset of the pack: the blocks must fill what lies before.
func decodePackHead(v verified, offset int64) (*packHead, error) {
	r := newReader(v, 0, "head of the pack")
	h := &packHead{partition: string(r.counted(largestPackText)), memory: int64(len(v.bytes))}
	name, version, params := string(r.counted(largestName)), r.uvarint(math.MaxInt32), r.counted(largestOptions)
	if r.err != nil {
		return nil, r.err
	}
	var err error
	if h.analyzer, err = loadAnalyzer(name, int(version), params); err != nil {
		return nil, err
	}
	h.readFiles(r)
	n := r.uvarint(largestPackColumns)
	at := int64(len(packMagic))
	for i := uint64(0); i < n && r.err == nil; i++ {
		c := packColumn{fieldID: int(r.uvarint(math.MaxInt32)), name: string(r.counted(largestPackText))}
		if c.fieldID == 0 || h.column(c.fieldID) >= 0 {
			r.fail("a field is there twice")
		}
		c.readClasses(r, len(h.files))
		if r.err != nil {
			break
		}
		if err := c.layOut(at); err != nil {
			return nil, err
		}
		at += c.length
		h.columns = append(h.columns, c)
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	if at != offset {
		return nil, corruptf("the filters of the pack take %d bytes, not %d", offset, at)
	}
	return h, nil
}

func (h *packHead) readFiles(r *reader) {
	n := r.uvarint(min(largestPackFiles, uint64(len(r.rest))))
	last := ""
	for i := uint64(0); i < n && r.err == nil; i++ {
		shared := r.uvarint(uint64(len(last)))
		suffix := r.counted(largestName)
		f := PackFile{Name: last[:min(shared, uint64(len(last)))] + string(suffix), Rows: uint32(r.uvarint(math.MaxUint32)), Bytes: int64(r.uvarint(math.MaxInt64))}
		if r.err == nil && (len(f.Name) > largestName || i > 0 && f.Name <= last) {
			r.fail("its files are out of order")
		}
		h.files = append(h.files, f)
		if h.memory += int64(len(f.Name)) + 40; h.memory > largestHead {
			r.fail("the names of its files are too long")
		}
		last = f.Name
	}
}

// readClasses reads the classes of a column of a pack of n files.
func (c *packColumn) readClasses(r *reader, n int) {
	count := r.uvarint(min(uint64(n), largestPackClasses))
	seen := make([]uint64, (n+63)/64)
	for i := uint64(0); i < count && r.err == nil; i++ {
		class := packClass{blocks: r.uvarint(largestBlocks), hashes: int(r.uvarint(largestHashes))}
		files := r.uvarint(uint64(n))
		if class.blocks == 0 || class.hashes == 0 || files == 0 {
			r.fail("a class of filters is empty")
		}
		if i > 0 && compareClasses(c.classes[i-1], class) >= 0 {
			r.fail("its classes are out of order")
		}
		next := uint64(0)
		for k := uint64(0); k < files && r.err == nil; k++ {
			file := next + r.uvarint(uint64(n))
			if file >= uint64(n) || seen[file/64]>>(file%64)&1 != 0 {
				r.fail("a class has a file that is not there, or twice")
				break
			}
			seen[file/64] |= 1 << (file % 64)
			class.files = append(class.files, uint32(file))
			next = file + 1
		}
		c.classes = append(c.classes, class)
	}
}
