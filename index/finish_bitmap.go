package index

import (
	"cmp"
	"slices"

	"github.com/apache/iceberg-go/puffin"
	"github.com/cespare/xxhash/v2"
)

const (
	// mostIDRows is the number of rows up to which a token with a digit (or a very long one) is an id: it stands in the table of fingerprints. In more rows
	// it stands in the dictionary, like words.
	mostIDRows = 32
	// leastPatternRows is the number of rows from which a set of words is a pattern.
	leastPatternRows = 8
	// largestPatterns is the number of patterns whose numbers fit the column of patterns.
	largestPatterns = 1<<16 - 1
	// A block of rows is what is read for a token that has no postings of rows: about as many rows as a page of the data file has, so that
	// smaller ones would spare no reading.
	blockTextBytes                = 96 << 10
	leastBlockRows, mostBlockRows = 64, 1024
)

// bitmapFinisher writes the bitmap of one column. Its buffers are reused from column to column and from file to file.
type bitmapFinisher struct {
	column *columnBuilder
	rows   uint32 // of the data file
	head   *columnHead

	ranked       []uint32 // the sets that are patterns, by number
	masks        []uint64 // by pattern: the blocks of the column that it is in
	words        []wordItem
	ids          []idItem
	idRows       []uint32
	runs, blocks []rowRun
	chain        []byte
	arena        []byte // encoded forms of the postings of words
	numbers      []uint32
	starts       []uint32
	of           []uint32
	precision    precision
	packer       packer
	dictionary   dictionaryBuilder
	out          []byte
}

// wordItem is a token of the dictionary and what its entry will hold.
type wordItem struct {
	entry    uint32 // in the table
	word     bool   // it is a word token
	rows     uint32 // that hold it
	rest     uint32 // of these, rows that are in no pattern
	only     uint32 // the row, if rows is 1 and rest is
	blocks   uint32 // that rest is in
	patterns span32 // in numbers
	exact    span32 // in arena: rest as rows
	coarse   span32 // in arena: rest as blocks, as a list or, if longer than that, as one bit for each block
	mask     uint64 // blocks of the column of patterns that its rows are in
}

// span32 is [start, end).
type span32 struct{ start, end uint32 }

func (s span32) size() int { return int(s.end - s.start) }

func (f *bitmapFinisher) memoryBytes() int64 {
	return int64(cap(f.words))*64 + int64(cap(f.ids))*24 + int64(cap(f.idRows)+cap(f.numbers)+cap(f.starts)+cap(f.of))*4 +
		int64(cap(f.runs)+cap(f.blocks)+cap(f.masks))*8 + int64(cap(f.arena)+cap(f.out)) + f.dictionary.memoryBytes() + f.packer.memoryBytes()
}

// finish writes the blobs of a column's bitmap. budget is how many bytes they should have.
func (f *bitmapFinisher) finish(file *puffin.Writer, c *columnBuilder, h *columnHead, rows uint32, budget int64) error {
	f.column, f.rows, f.head = c, rows, h
	f.words, f.ids, f.idRows, f.arena = f.words[:0], f.ids[:0], f.idRows[:0], f.arena[:0]
	h.blockRows = blockRowsOf(c.bytes, int64(len(c.patterns.rows)))
	f.precision.clear()
	f.rankPatterns()
	if err := f.writePatterns(file); err != nil {
		return err
	}
	f.gatherWords()
	f.gatherIDs()
	h.words, h.ids = uint64(len(f.words)), uint64(len(f.ids))
	h.exactRows = f.precision.choose((budget - h.patternsBlob.bytes() - f.dictionaryGuess()) * 8)
	if err := f.writeWords(file); err != nil {
		return err
	}
	return f.writeIDs(file)
}

// blockRowsOf returns the number of rows of a block: a power of two, with blockTextBytes of text at most, and more than half of that.
func blockRowsOf(textBytes, rows int64) uint32 {
	block := uint32(mostBlockRows)
	for block > leastBlockRows && int64(block)*textBytes > blockTextBytes*rows {
		block /= 2
	}
	return block
}

// dictionaryGuess is about how many bytes the dictionary takes beside the postings.
func (f *bitmapFinisher) dictionaryGuess() int64 {
	const bytesPerWord = 12
	return int64(len(f.words)) * bytesPerWord
}

// rankPatterns numbers the patterns, those with most rows first.
func (f *bitmapFinisher) rankPatterns() {
	p := &f.column.patterns
	f.ranked = f.ranked[:0]
	for i := range p.sets {
		p.sets[i].pattern = 0
		if p.sets[i].rows >= leastPatternRows {
			f.ranked = append(f.ranked, uint32(i))
		}
	}
	slices.SortFunc(f.ranked, func(i, j uint32) int {
		a, b := &p.sets[i], &p.sets[j]
		return cmp.Or(cmp.Compare(b.rows, a.rows), cmp.Compare(a.id, b.id), cmp.Compare(a.first, b.first))
	})
	f.ranked = f.ranked[:min(len(f.ranked), largestPatterns)]
	for number, set := range f.ranked {
		p.sets[set].pattern = uint32(number) + 1
	}
}

// gatherWords finds the patterns and the other rows of each word, and encodes the latter.
func (f *bitmapFinisher) gatherWords() {
	t, p := f.column.table, &f.column.patterns
	// By entry, where its patterns begin in numbers: counted, added up, filled in.
	f.group(func(tell func(entry, number uint32)) {
		for number, set := range f.ranked {
			for _, entry := range p.wordsOf(&p.sets[set]) {
				tell(entry, uint32(number))
			}
		}
	})
	patternsOf := slices.Clone(f.starts)
	f.numbers, f.of = f.of, f.numbers
	f.group(func(tell func(entry, number uint32)) {
		for row, set := range p.rows {
			if set == 0 || p.sets[set-1].pattern != 0 {
				continue
			}
			for _, entry := range p.wordsOf(&p.sets[set-1]) {
				tell(entry, uint32(row))
			}
		}
	})
	for i := range t.entries {
		if e := &t.entries[i]; !e.kept() || !e.word() {
			continue
		}
		item := wordItem{entry: uint32(i), word: true, patterns: span32{patternsOf[i], patternsOf[i+1]}}
		for _, number := range f.numbers[item.patterns.start:item.patterns.end] {
			item.rows += p.sets[f.ranked[number]].rows
			item.mask |= f.masks[number]
		}
		f.runs = f.runs[:0]
		for _, row := range f.of[f.starts[i]:f.starts[i+1]] {
			f.runs = appendRun(f.runs, row, 1)
		}
		f.addWord(item, f.runs)
	}
}

// group turns pairs of a word's entry and a number, told twice in the same order, into the list of numbers of each entry: of[starts[entry]:starts[entry+1]].
func (f *bitmapFinisher) group(pairs func(tell func(entry, number uint32))) {
	n := len(f.column.table.entries)
	f.starts = append(f.starts[:0], make([]uint32, n+2)...)
	starts := f.starts
	pairs(func(entry, _ uint32) { starts[entry+2]++ })
	for i := 2; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	f.of = slices.Grow(f.of[:0], int(starts[n+1]))[:starts[n+1]]
	of := f.of
	pairs(func(entry, number uint32) {
		of[starts[entry+1]] = number
		starts[entry+1]++
	})
	f.starts = starts[:n+1]
}

// addWord adds a token to the dictionary, with the rows that are in no pattern.
func (f *bitmapFinisher) addWord(item wordItem, rest []rowRun) {
	item.rest = countRuns(rest)
	item.rows += item.rest
	if item.rest > 0 {
		item.only = rest[0].start
		for _, r := range rest {
			item.mask |= columnBlocks(r.start, r.start+r.rows)
		}
		item.exact.start = uint32(len(f.arena))
		f.arena = appendRuns(f.arena, rest)
		item.exact.end = uint32(len(f.arena))
		f.blocks = runsOfBlocks(f.blocks[:0], rest, f.head.blockRows)
		item.blocks = countRuns(f.blocks)
		item.coarse.start = item.exact.end
		f.arena = appendRuns(f.arena, f.blocks)
		if all := (int(blocksOf(f.rows, f.head.blockRows)) + 7) / 8; len(f.arena)-int(item.coarse.start) > all {
			f.arena = appendBitmap(f.arena[:item.coarse.start], f.blocks, all)
			item.blocks = 0
		}
		item.coarse.end = uint32(len(f.arena))
		if item.rows > 1 {
			f.precision.add(item.rest, item.exact.size()*8, item.coarse.size()*8)
		}
	}
	f.words = append(f.words, item)
}

// gatherIDs sorts the other tokens into ids and those that belong into the dictionary.
func (f *bitmapFinisher) gatherIDs() {
	t := f.column.table
	for i := range t.entries {
		e := &t.entries[i]
		if !e.kept() || e.word() {
			continue
		}
		var count uint32
		f.runs, count = t.chains.runs(f.runs[:0], e, &f.chain)
		if count > mostIDRows {
			f.addWord(wordItem{entry: uint32(i)}, f.runs)
			continue
		}
		item := idItem{hash: xxhash.Sum64(t.key(e)), rows: uint32(len(f.idRows)), count: uint8(count)}
		for _, r := range f.runs {
			for row := r.start; row < r.start+r.rows; row++ {
				f.idRows = append(f.idRows, row)
			}
		}
		exact, coarse := f.idBits(f.idRows[item.rows:])
		f.precision.add(count, exact, coarse)
		f.ids = append(f.ids, item)
	}
}

// blocksOf returns in how many blocks of so many rows each rows lie.
func blocksOf(rows, each uint32) uint32 {
	return uint32((uint64(rows) + uint64(each) - 1) / uint64(each))
}

// appendBitmap appends bytes with a bit for each number, the lowest first, set for those in runs.
func appendBitmap(dst []byte, runs []rowRun, bytes int) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, bytes)...)
	for _, r := range runs {
		for i := r.start; i < r.start+r.rows; i++ {
			dst[start+int(i/8)] |= 1 << (i % 8)
		}
	}
	return dst
}
