package format

// Larger pages compress better, by how much depends on how far apart the text repeats itself; smaller ones cost less to read
// single rows from. The writer tries it on a sample: see FORMAT.md for the measurements behind the numbers.
const (
	pageSample    = 1 << 20 // bytes of text that are compressed as one page, and in part as pages of the least size
	minTrialBytes = 4 << 20 // column chunks with less text are not worth the trial
)

// pageSteps says how many times the least page size a page should be, by what the sample as one page takes of what it takes in
// pages of the least size.
var pageSteps = [...]struct {
	ratio float64
	times int
}{{0.6, 16}, {0.7, 8}, {0.85, 4}, {0.93, 2}}

// maxPackedPages bounds a page after compression, in units of the least page size before compression.
const maxPackedPages = 0.75

// untriedPageTimes is used where there is too little text for a trial.
const untriedPageTimes = 4

// choosePageBytes returns how large the pages of a plain-encoded text column should be, before compression. It decides once for a
// file.
func (w *chunkWriter) choosePageBytes(texts [][]byte) int {
	column := w.field.ID*4 + int(w.leaf.part)
	if size, ok := w.pageSizes[column]; ok {
		return size
	}
	total := 0
	for _, t := range texts {
		if total += len(t) + 4; total >= minTrialBytes {
			size := w.pageBytes * w.tryPageSizes(texts)
			w.pageSizes[column] = size
			return size
		}
	}
	return w.pageBytes * untriedPageTimes
}

// tryPageSizes compresses a sample of the texts and returns how many times the least page size a page should be.
func (w *chunkWriter) tryPageSizes(texts [][]byte) int {
	w.body = w.body[:0]
	for _, t := range texts[len(texts)/2:] {
		w.body = appendPlainText(w.body, t)
		if len(w.body) >= pageSample {
			break
		}
	}
	whole := len(w.compress(w.body))
	pieces, tried := 0, 0
	for at := 0; at+w.pageBytes <= len(w.body); at += 4 * w.pageBytes {
		pieces += len(w.compress(w.body[at : at+w.pageBytes]))
		tried += w.pageBytes
	}
	all := len(w.body)
	w.body = w.body[:0]
	if pieces == 0 {
		return 1
	}
	saved := float64(whole) / float64(all) * float64(tried) / float64(pieces)
	times := 1
	for _, step := range pageSteps {
		if saved < step.ratio {
			times = step.times
			break
		}
	}
	// What compresses well is also quick to decompress, so it may have larger pages.
	for times > 1 && float64(times) > maxPackedPages*float64(all)/float64(whole) {
		times /= 2
	}
	return times
}
