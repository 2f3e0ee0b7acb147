package query

import (
	"context"
	"math"
	"sync/atomic"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
)

// stage is one step of pruning. A file goes through the stages in this order.
type stage uint8

const (
	stagePartition stage = iota
	stageFileBounds
	stageBloomPack
	stageTokenBloom
	stageTokenBitmap
	stageValueIndex
	stageValueBloom
	stageRowGroupBounds
	stagePageBounds
	numStages
)

// skipReasons are the reasons for which a stage skips a file.
var skipReasons = [numStages]SkipReason{
	SkipPartition, SkipFileBounds, SkipBloomPack, SkipTokenBloom, SkipTokenBitmap, SkipValueIndex, SkipValueBloom, SkipRowGroupBounds, SkipPageBounds,
}

// notRun marks a stage that a file did not go through.
const notRun = -1

// filePlan is one data file and what pruning knows about it.
type filePlan struct {
	*listedFile
	position int   // in the list of files
	oldest   int64 // no row is older (µs)
	newest   int64 // no row is newer

	known   []bounds // by leaf, from stageBloomPack on
	counted []int64  // by leaf: how many rows have its token, if the index says so; else notRun
	bounds  bounds   // of the whole predicate
	skipped SkipReason
	problem IndexProblem

	listed    bool     // asking is known
	asking    []*leaf  // that the sidecar may help with
	asked     bool     // the sidecar was asked, or can be no help
	counting  bool     // the account of the search knows what the sidecar saves when rows are counted
	choices   []choice // by leaf
	before    []bounds // nil, or what was known before the sidecar was asked, which is all that readings should make use of
	regretted bool     // regrets know that the file is read without its sidecar
	unsaved   float64  // bytes of the file that the sidecar did not save when it was asked
	committed float64  // bytes of the file that the account of the search knows of

	notes     []note
	stageRows [numStages]int64 // candidate rows after each stage, notRun if it was not gone through

	certain, candidates atomic.Int64 // rows in bounds.must and bounds.may
	settled             atomic.Bool  // finished

	mu       planLock // guards what the stages of the data file itself change: finish may be called by several readings
	finished bool
	file     *format.File
	residual node // what is to be checked for the rows in may but not in must
}

// planLock is a mutex that is held while a data file is read, and waited for no longer than the context lasts.
type planLock chan struct{}

func newPlanLock() planLock { return make(planLock, 1) }

func (l planLock) Lock()   { l <- struct{}{} }
func (l planLock) Unlock() { <-l }

func (l planLock) lock(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// note says what an index or bounds did for a leaf in one file.
type note struct {
	leaf  int
	kind  noteKind
	token string
}

// noteKind is what a note says.
type noteKind uint8

const (
	noteNone         noteKind = iota
	noteMetadata              // decided by partition or file bounds
	noteNoIndex               // the request forbids indexes
	noteMapKey                // keys of maps have no index
	noteNoColumn              // the column has no token index
	noteNoEvidence            // the leaf implies no whole token
	noteTooMany               // the leaf has too many values
	noteProblem               // the sidecar is unusable
	noteBloomAbsent           // the bloom filter lacks a token
	noteBitmapExact           // the posting list is the answer
	noteBitmapNarrow          // posting lists narrow the candidates
	noteBitmapAbsent          // a token has no posting list
	noteDense                 // of some rows with a token only the blocks are known
	noteUnindexed             // the analyzer does not keep a token, or the file has no bitmap of the column
	noteValueBloom            // Parquet's bloom filter narrows the candidates
	noteRowGroups             // row-group bounds narrow the candidates
	notePages                 // page bounds narrow the candidates
	notePackAbsent            // a bloom pack lacks a token
	noteValueNarrow           // a value index narrows the candidates
	noteValueAbsent           // a value index leaves no row
	noteValueNothing          // a value index excludes nothing
	noteValueMissing          // the file's sidecar lacks a value index
	noteValueCost             // a value index costs more than it can save
	numNotes
)

func (f *filePlan) note(leaf int, kind noteKind, token string) {
	f.notes = append(f.notes, note{leaf, kind, token})
}

// ofLeaf returns what is known of a leaf.
func (f *filePlan) ofLeaf(l *leaf) bounds { return f.known[l.id] }

// refine adds knowledge about a leaf.
func (f *filePlan) refine(l *leaf, b bounds) { f.known[l.id] = f.known[l.id].refine(b) }

// conclude computes the bounds of the predicate after a stage, and says whether candidates are left.
func (f *filePlan) conclude(s stage, root node) bool {
	f.bounds = boundsOf(root, f.rows, f.ofLeaf)
	return f.endStage(s, f.bounds.may.Cardinality())
}

func (f *filePlan) endStage(s stage, candidates uint32) bool {
	f.stageRows[s] = int64(candidates)
	if candidates == 0 {
		f.skipped = skipReasons[s]
	}
	return candidates > 0
}

// publish lets others know how many rows are left, who do not wait for a stage to end.
func (f *filePlan) publish() {
	f.certain.Store(int64(f.bounds.must.Cardinality()))
	f.candidates.Store(int64(f.bounds.may.Cardinality()))
}

// activeLeaves adds the leaves on which the truth of a node still depends.
func (f *filePlan) activeLeaves(x node, to []*leaf) []*leaf {
	b := boundsOf(x, f.rows, f.ofLeaf)
	if b.may.IsEmpty() || b.must.IsAll() {
		return to
	}
	switch x := x.(type) {
	case *leaf:
		if !b.decided() {
			to = append(to, x)
		}
	case notNode:
		to = f.activeLeaves(x.x, to)
	case andNode:
		for _, kid := range x {
			to = f.activeLeaves(kid, to)
		}
	case orNode:
		for _, kid := range x {
			to = f.activeLeaves(kid, to)
		}
	}
	return to
}

func (f *filePlan) forgetStages() {
	for i := range f.stageRows {
		f.stageRows[i] = notRun
	}
}

// fileFacts returns what the metadata tells about a column of a file: by its partition and by its bounds.
func (s *tableState) fileFacts(f *catalog.DataFile, field format.Field) facts {
	known := s.partitionFacts(f, field)
	if nulls, ok := f.NullCounts[field.ID]; ok && known.nulls < 0 {
		known.nulls = nulls
	}
	if field.Required {
		known.nulls = 0
	}
	if low, ok := f.Lower[field.ID]; ok && known.min == nil {
		known.min = low
	}
	if high, ok := f.Upper[field.ID]; ok && known.max == nil {
		known.max = high
	}
	if field.Type == format.TypeTimestamp { // a day is coarser than the bounds
		known.min, known.max = tighter(known.min, f.Lower[field.ID], true), tighter(known.max, f.Upper[field.ID], false)
	}
	return known
}

// tighter returns the larger (or smaller) of two whole bounds, either of which may be missing.
func tighter(a, b any, larger bool) any {
	x, okX := a.(int64)
	y, okY := b.(int64)
	switch {
	case !okX:
		return b
	case !okY || (x > y) == larger:
		return a
	}
	return b
}

// partitionFacts returns what the file's partition tells about a column. A partition that contradicts the file's bounds is of
// another kind than the table's present partitioning, and tells nothing.
func (s *tableState) partitionFacts(f *catalog.DataFile, field format.Field) facts {
	known := facts{rows: f.Rows, nulls: -1}
	for _, level := range s.partitions {
		value, ok := f.Partition[level.Name]
		if !ok || level.Column != field.Name {
			continue
		}
		switch {
		case level.Transform == "identity" && value == nil, level.Transform == "day" && value == nil:
			if f.Lower[field.ID] == nil && f.Upper[field.ID] == nil {
				known.nulls = known.rows
				return known
			}
		case level.Transform == "identity":
			v := plain(value)
			if fits(field.Type, v) && within(v, f.Lower[field.ID], f.Upper[field.ID]) {
				known.min, known.max, known.nulls = v, v, 0
				return known
			}
		case level.Transform == "day" && field.Type == format.TypeTimestamp:
			const (
				day     = 24 * 60 * 60 * 1_000_000
				maxDays = math.MaxInt64/day - 1
			)
			d, ok := plain(value).(int64)
			if !ok || d < -maxDays || d > maxDays {
				continue
			}
			low, high := d*day, d*day+day-1
			if within(low, nil, f.Upper[field.ID]) && within(high, f.Lower[field.ID], nil) {
				known.min, known.max, known.nulls = low, high, 0
			}
		}
	}
	return known
}

// plain widens a partition value to the types of bounds.
func plain(v any) any {
	switch v := v.(type) {
	case int32:
		return int64(v)
	case float32:
		return float64(v)
	}
	return v
}

// fits says whether a value is of the kind that a column's bounds are.
func fits(t format.Type, v any) bool {
	switch v.(type) {
	case string:
		return t == format.TypeString
	case bool:
		return t == format.TypeBool
	case float64:
		return t == format.TypeFloat32 || t == format.TypeFloat64
	case int64:
		return t == format.TypeInt32 || t == format.TypeInt64 || t == format.TypeDate || t == format.TypeTimestamp
	}
	return false
}

// within says whether a value lies within bounds, either of which may be missing.
func within(v, low, high any) bool {
	switch v := v.(type) {
	case int64:
		l, okLow := low.(int64)
		h, okHigh := high.(int64)
		return !(okLow && v < l) && !(okHigh && v > h)
	case string:
		l, okLow := low.(string)
		h, okHigh := high.(string)
		return !(okLow && v < l) && !(okHigh && v > h)
	case float64:
		l, okLow := low.(float64)
		h, okHigh := high.(float64)
		return !(okLow && v < l) && !(okHigh && v > h)
	case bool:
		l, okLow := low.(bool)
		h, okHigh := high.(bool)
		return !(okLow && l && !v) && !(okHigh && !h && v)
	}
	return false
}
