package query

import (
	"fmt"
	"strconv"
	"strings"
)

// stageNames are printed in explanations.
var stageNames = [numStages]string{
	"partition", "file bounds", "bloom pack", "token bloom", "token bitmap", "value index", "value bloom", "row-group bounds", "page bounds",
}

// asked says whether a choice means that the sidecar was asked.
func (k choiceKind) asked() bool {
	return k == choiceAsked || k == choiceFree || k == choiceForced || k == choiceFrequent || k == choiceOften
}

// text says in words why a file's sidecar was asked or not, with what was expected to be read of the file and of the sidecar.
func (k choiceKind) text(without, with int64) string {
	file, sidecar := kilobytes(without), kilobytes(with)
	switch k {
	case choiceAsked:
		return "index asked: about " + sidecar + " of the sidecar may save reading " + file + " of the file"
	case choiceFree:
		return "index asked: what is needed of the sidecar is in memory, and may save reading " + file + " of the file"
	case choiceForced:
		return "index asked: the request wants it, for " + sidecar + " of the sidecar against " + file + " of the file"
	case choiceOften:
		return "index asked: reading " + file + " of the file costs less than " + sidecar + " of its sidecar, but earlier searches have paid for it, and it stays in memory"
	case choiceFrequent:
		return "index asked, and not used: the rows are in all pages, so that a reading that ends early is faster without (" + file + " of the file)"
	case choiceCostly:
		return "index not asked: reading " + file + " of the file costs less than the risk of " + sidecar + " of its sidecar"
	case choiceUnproven:
		return "index not asked: " + sidecar + " of the sidecar are too much to risk for " + file + " of the file as long as nothing tells that they help"
	case choicePointless:
		return "index not asked: whatever it says, the same rows must be read because of the rest of the search"
	case choiceFew:
		return "index not asked for all tokens: reading " + file + " of the candidates that are left costs less than " + sidecar + " of the sidecar"
	case choiceLater:
		return "index not asked yet: a reading decides once it has seen a first piece of the file"
	}
	return ""
}

// kilobytes prints a number of bytes.
func kilobytes(n int64) string {
	if n < 100_000_000 {
		return strconv.FormatInt((n+999)/1000, 10) + " kB"
	}
	return strconv.FormatInt(n/1_000_000, 10) + " MB"
}

// text says in words what a note means.
func (n note) text() string {
	switch n.kind {
	case noteMetadata:
		return "settled for the whole file by its partition or bounds"
	case noteNoIndex:
		return "index not used: the request forbids it"
	case noteMapKey:
		return "index not used: keys of a map column have none"
	case noteNoColumn:
		return "index not used: the table keeps none for the column"
	case noteNoEvidence:
		return "index not used: the condition implies no whole token"
	case noteTooMany:
		return "index not used: so many values are faster to check than to look up"
	case noteProblem:
		return "index not used: sidecar " + strings.ReplaceAll(n.token, "_", " ")
	case noteBloomAbsent:
		return fmt.Sprintf("bloom filter: no row has %q", n.token)
	case notePackAbsent:
		return fmt.Sprintf("bloom pack: no row has %q", n.token)
	case noteBitmapExact:
		return "bitmap: the exact rows"
	case noteBitmapNarrow:
		return "bitmap: fewer candidates"
	case noteBitmapAbsent:
		return fmt.Sprintf("bitmap: no row has %q", n.token)
	case noteDense:
		return fmt.Sprintf("bitmap: of some rows with %q only the blocks are known", n.token)
	case noteUnindexed:
		return fmt.Sprintf("index not used for %q: a stop word, a short number or too long, or the file has no bitmap of the column", n.token)
	case noteValueBloom:
		return "Parquet bloom filter: fewer row groups"
	case noteRowGroups:
		return "row-group bounds: fewer candidates"
	case notePages:
		return "page bounds: fewer candidates"
	case noteValueNarrow:
		return "value index on " + n.token + ": fewer candidates"
	case noteValueAbsent:
		return "value index on " + n.token + ": no row"
	case noteValueNothing:
		return "value index on " + n.token + ": every block of rows may match"
	case noteValueMissing:
		return "value index on " + n.token + " not used: the file has none"
	case noteValueCost:
		return "value index on " + n.token + " not used: it is larger than what it can save"
	}
	return ""
}

// skipWords say why files were not read.
var skipWords = map[SkipReason]string{
	SkipPartition: "the partition of the file excludes every match", SkipFileBounds: "its bounds in the table's metadata exclude every match",
	SkipBloomPack: "the bloom pack says that a token is not in it", SkipTokenBloom: "its bloom filter says that a token is not in it",
	SkipTokenBitmap: "its bitmap leaves no row", SkipValueIndex: "its value index leaves no row", SkipValueBloom: "Parquet's bloom filters say that the value is not in it",
	SkipRowGroupBounds: "the bounds of its row groups exclude every match", SkipPageBounds: "the bounds of its pages exclude every match",
	SkipAnswered: "bounds and indexes tell how many of its rows match", SkipNotReached: "the limit was reached with rows that come before all of its own",
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return grouped(n) + " " + what + "s"
}

// grouped prints a number with a comma before every three digits.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
