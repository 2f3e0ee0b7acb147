package index

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"github.com/firnlog/firn/index/analyzer"
)

// PackBuilder collects the bloom filters of data files and writes them as a pack. It holds them all (Bytes), so whoever has more files than memory
// makes several packs. It is not safe for concurrent use.
type PackBuilder struct {
	partition string
	analyzer  *analyzer.Analyzer
	columns   []ColumnSpec
	files     []packEntry
	bytes     int64
}

// packEntry is a file with its filters, one for each column; nil for none.
type packEntry struct {
	file    PackFile
	filters []*Filter
}

// PackFilters are the filters of one data file, by field id.
type PackFilters map[int]*Filter

// NewPackBuilder returns a builder of packs of one partition, of those columns of the options that have bloom filters, with the options' analyzer.
// Errors: ErrInvalidOptions.
func NewPackBuilder(partition string, o Options) (*PackBuilder, error) {
	o, a, err := o.complete()
	if err != nil {
		return nil, err
	}
	b := &PackBuilder{partition: partition, analyzer: a}
	for _, c := range o.Columns {
		if c.Bloom {
			b.columns = append(b.columns, c)
		}
	}
	if len(partition) > largestPackText || len(b.columns) > largestPackColumns {
		return nil, fmt.Errorf("%w: %d columns and a partition of %d bytes do not fit into a bloom pack", ErrInvalidOptions, len(b.columns), len(partition))
	}
	return b, nil
}

// Filters reads the bloom filters that a pack takes from a sidecar. It has none if the sidecar's analyzer is another one. Errors are those of Sidecar.Bloom.
func (b *PackBuilder) Filters(ctx context.Context, s *Sidecar) (PackFilters, error) {
	filters := PackFilters{}
	if s.head.analyzer.Params() != b.analyzer.Params() || s.head.analyzer.Version() != b.analyzer.Version() {
		return filters, nil
	}
	for _, c := range b.columns {
		filter, err := s.Filter(ctx, c.FieldID)
		if err != nil {
			return nil, err
		}
		if filter != nil {
			filters[c.FieldID] = filter
		}
	}
	return filters, nil
}

// Filter returns the bloom filter of a column; nil if the sidecar has none. Errors are those of Bloom.
func (s *Sidecar) Filter(ctx context.Context, fieldID int) (*Filter, error) {
	column := s.column(fieldID)
	if column < 0 || !s.head.options.Columns[column].Bloom {
		return nil, nil
	}
	filter, err := s.bloom(ctx, column)
	if err != nil {
		return nil, s.problem(err)
	}
	return filter, nil
}

// Add adds a file. One without any filter is not added: the pack would have nothing to say about it. No file may be added twice.
func (b *PackBuilder) Add(file PackFile, filters PackFilters) {
	e := packEntry{file, make([]*Filter, len(b.columns))}
	for i, c := range b.columns {
		if f := filters[c.FieldID]; f != nil {
			e.filters[i] = f
			b.bytes += int64(len(f.bits))
		}
	}
	if slices.ContainsFunc(e.filters, func(f *Filter) bool { return f != nil }) {
		b.files = append(b.files, e)
	}
}

// Bytes returns how much memory the filters take; the pack will be about as large.
func (b *PackBuilder) Bytes() int64 { return b.bytes }

// Len returns the number of files that were added.
func (b *PackBuilder) Len() int { return len(b.files) }

// Reset forgets the files.
func (b *PackBuilder) Reset() { b.files, b.bytes = nil, 0 }

// Finish writes the pack and returns its size. The same files always give the same bytes. Errors: ErrTooLarge, ErrInvalidOptions, or what w returned.
func (b *PackBuilder) Finish(w io.Writer) (int64, error) {
	slices.SortFunc(b.files, func(x, y packEntry) int { return x.file.compare(y.file) })
	h := &packHead{partition: b.partition, analyzer: b.analyzer}
	for i, e := range b.files {
		if i > 0 && e.file.Name == b.files[i-1].file.Name || len(e.file.Name) > largestName || e.file.Bytes < 0 {
			return 0, fmt.Errorf("%w: file %q of a bloom pack is there twice or has an impossible name or size", ErrInvalidOptions, e.file.Name)
		}
		h.files = append(h.files, e.file)
	}
	if len(h.files) > largestPackFiles {
		return 0, fmt.Errorf("%w: %d files in one bloom pack; %d fit", ErrTooLarge, len(h.files), largestPackFiles)
	}
	out := &countingWriter{w: w}
	if _, err := out.Write(packMagic); err != nil {
		return 0, fmt.Errorf("write a bloom pack: %w", err)
	}
	for i, spec := range b.columns {
		c := packColumn{name: spec.Column, fieldID: spec.FieldID, classes: b.classes(i)}
		if len(c.classes) > largestPackClasses {
			return 0, fmt.Errorf("%w: bloom filters of %d different sizes in one pack; %d fit", ErrTooLarge, len(c.classes), largestPackClasses)
		}
		if err := c.layOut(out.n); err != nil {
			return 0, err
		}
		for k := range c.bands {
			if err := b.writeBand(out, i, &c.bands[k]); err != nil {
				return 0, fmt.Errorf("write a bloom pack: %w", err)
			}
		}
		h.columns = append(h.columns, c)
	}
	head, err := h.encode()
	if err != nil {
		return 0, err
	}
	if _, err := out.Write(append(head, packTail(head)...)); err != nil {
		return 0, fmt.Errorf("write a bloom pack: %w", err)
	}
	return out.n, nil
}

// classes sorts the filters of a column into classes.
func (b *PackBuilder) classes(column int) []packClass {
	raise := b.raise(column)
	byShape := map[packShape]*packClass{}
	for i, e := range b.files {
		f := e.filters[column]
		if f == nil {
			continue
		}
		shape := packShape{uint64(f.Blocks()) << raise[bits.Len(uint(f.Blocks()))], f.hashes}
		class := byShape[shape]
		if class == nil {
			class = &packClass{blocks: shape.blocks, hashes: shape.hashes}
			byShape[shape] = class
		}
		class.files = append(class.files, uint32(i))
	}
	classes := make([]packClass, 0, len(byShape))
	for _, class := range byShape {
		classes = append(classes, *class)
	}
	slices.SortFunc(classes, compareClasses)
	return classes
}

// packShape is what the filters of a class have in common.
type packShape struct {
	blocks uint64
	hashes int
}

// raise says by how many powers of two filters grow, by the binary digits of their numbers of blocks. A band that is small beside the next one is raised into it,
// so that it takes no read of its own.
func (b *PackBuilder) raise(column int) (by [65]int) {
	const worth = 8 // the next band is so many times as large, at least
	var bytes [65]int64
	for _, e := range b.files {
		if f := e.filters[column]; f != nil {
			bytes[bits.Len(uint(f.Blocks()))] += int64(len(f.bits))
		}
	}
	for digits := range bytes {
		if bytes[digits] == 0 {
			continue
		}
		for next := digits + 1; next < min(digits+20, 32); next++ {
			if bytes[next] == 0 {
				continue
			}
			grown := bytes[digits] << (next - digits)
			if grown <= bytes[next]/worth {
				for lower := range digits + 1 {
					if lower == digits || by[lower]+lower == digits && by[lower] > 0 {
						by[lower] += next - digits
					}
				}
				bytes[digits], bytes[next] = 0, bytes[next]+grown
			}
			break
		}
	}
	return by
}

// writeBand writes the units of a band in the order of their fractions.
func (b *PackBuilder) writeBand(w io.Writer, column int, band *packBand) error {
	next := make([]uint64, len(band.classes))
	var unit []byte
	for {
		least := -1
		for i := range band.classes {
			if next[i] == band.classes[i].blocks {
				continue
			}
			if least < 0 || next[i]*band.classes[least].blocks < next[least]*band.classes[i].blocks {
				least = i
			}
		}
		if least < 0 {
			return nil
		}
		class, j := &band.classes[least], next[least]
		next[least]++
		unit = unit[:0]
		for _, file := range class.files {
			f := b.files[file].filters[column]
			at := j / (class.blocks / uint64(f.Blocks())) * bloomBlockBytes
			unit = append(unit, f.bits[at:at+bloomBlockBytes]...)
		}
		unit = binary.LittleEndian.AppendUint32(unit, checksum(unit))
		if _, err := w.Write(unit); err != nil {
			return err
		}
	}
}
