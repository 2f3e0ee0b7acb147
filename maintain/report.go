package maintain

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Kind names a kind of mismatch between what is claimed and what is true.
type Kind string

// The kinds of mismatch. File kinds are about the data file and the manifest entry that names it; sidecar kinds are about its index.
const (
	FileMissing    Kind = "file_missing"     // the snapshot names a data file that is not there
	FileUnreadable Kind = "file_unreadable"  // the data file is damaged, or lies where firn cannot read
	FileSize       Kind = "file_size"        // the manifest states another size
	RowCount       Kind = "row_count"        // the manifest states another number of rows
	FileBounds     Kind = "file_bounds"      // a value lies outside the bounds in the manifest
	NullCount      Kind = "null_count"       // the manifest states another number of nulls
	ValueCount     Kind = "value_count"      // the manifest states another number of values
	RowGroupBounds Kind = "row_group_bounds" // a value lies outside the statistics of its row group, or its nulls are miscounted
	PageBounds     Kind = "page_bounds"      // a value lies outside the statistics of its page, or its nulls are miscounted
	SortOrder      Kind = "sort_order"       // the file claims to be sorted by _timestamp, and is not
	Partition      Kind = "partition"        // a row does not belong to the file's partition (its UTC day, its partition value)
	RequiredNull   Kind = "required_null"    // a required column holds a null
	ValueBloom     Kind = "value_bloom"      // Parquet's bloom filter denies a value that is there

	SidecarMissing  Kind = "sidecar_missing"    // columns are to be indexed, and the file has no sidecar
	SidecarDamaged  Kind = "sidecar_damaged"    // the sidecar's bytes are damaged
	SidecarVersion  Kind = "sidecar_version"    // the sidecar was written by a version that this firn does not know
	SidecarForeign  Kind = "sidecar_foreign"    // the sidecar belongs to another data file
	SidecarUnread   Kind = "sidecar_unreadable" // the storage failed to read the sidecar
	SidecarContent  Kind = "sidecar_content"    // the sidecar is whole, but differs from what the data gives
	PackDamaged     Kind = "pack_damaged"       // a bloom pack's bytes are damaged
	PackVersion     Kind = "pack_version"       // a bloom pack was written by a version that this firn does not know
	PackContent     Kind = "pack_content"       // a bloom pack is whole, but says something else about a file than the file's sidecar
	SidecarOutdated Kind = "sidecar_outdated"   // the sidecar lacks an index that the table's properties ask for
)

// NoteKind names something worth knowing that is not wrong.
type NoteKind string

// The kinds of note.
const (
	OrphanData       NoteKind = "orphan_data"        // a data object that the current snapshot does not name: a running or crashed writer's, or an older snapshot's
	OrphanSidecar    NoteKind = "orphan_sidecar"     // a sidecar without a data file in the current snapshot
	SupersededPack   NoteKind = "superseded_pack"    // a bloom pack that a later one has replaced, or one that was never finished
	UnsortedFile     NoteKind = "unsorted_file"      // another engine's file that does not claim to be sorted
	FileWithDeletes  NoteKind = "file_with_deletes"  // delete files of another engine remove some of its rows
	NoValueBloom     NoteKind = "no_value_bloom"     // the table asks for a value bloom filter that the file lacks
	OrphansUnchecked NoteKind = "orphans_unchecked"  // the table lies outside the store, so that nothing could be listed
	UnreadColumn     NoteKind = "unreadable_columns" // a column of a type that firn does not read was not checked
)

// Problem is one mismatch. What repeats for many rows of one column of one file is one Problem.
type Problem struct {
	Kind   Kind   `json:"kind"`
	File   string `json:"file"`             // the data file or sidecar, as the metadata spells it
	Column string `json:"column,omitempty"` // where it concerns one column
	Detail string `json:"detail"`           // what is claimed and what is true
	Fix    string `json:"fix,omitempty"`    // what to do about it
}

// Note is an observation.
type Note struct {
	Kind   NoteKind `json:"kind"`
	File   string   `json:"file"`
	Detail string   `json:"detail,omitempty"`
}

// Report is what Verify found.
type Report struct {
	Table      string `json:"table"`
	SnapshotID int64  `json:"snapshot_id"`
	OK         bool   `json:"ok"` // there is no mismatch

	// What was checked.
	Files           int64 `json:"files"`
	Rows            int64 `json:"rows"`
	RowGroups       int64 `json:"row_groups"`
	Pages           int64 `json:"pages"` // pages with bounds, added over the columns
	DataBytes       int64 `json:"data_bytes"`
	Sidecars        int64 `json:"sidecars"` // opened and compared with the data
	IndexBytes      int64 `json:"index_bytes"`
	Packs           int64 `json:"packs"`        // bloom packs compared with the sidecars
	PackFiles       int64 `json:"pack_files"`   // data files that they cover
	BloomValues     int64 `json:"bloom_values"` // values asked of Parquet's bloom filters
	OrphanFiles     int64 `json:"orphan_files"`
	OrphanBytes     int64 `json:"orphan_bytes"`
	Mismatches      int64 `json:"mismatches"`
	ProblemsLeftOut int64 `json:"problems_left_out"` // mismatches that are counted but not listed

	MismatchesByKind map[Kind]int64     `json:"mismatches_by_kind"`
	NotesByKind      map[NoteKind]int64 `json:"notes_by_kind"`
	Problems         []Problem          `json:"problems"` // ordered by file, then kind, then column
	Notes            []Note             `json:"notes"`    // at most as many as Problems may be
}

// recorder collects a Report from several goroutines.
type recorder struct {
	mu     sync.Mutex
	report Report
	most   int
}

func newRecorder(table string, snapshot int64, most int) *recorder {
	return &recorder{most: most, report: Report{
		Table: table, SnapshotID: snapshot,
		MismatchesByKind: map[Kind]int64{}, NotesByKind: map[NoteKind]int64{},
		Problems: []Problem{}, Notes: []Note{},
	}}
}

// problem records a mismatch.
func (r *recorder) problem(p Problem) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Mismatches++
	r.report.MismatchesByKind[p.Kind]++
	if len(r.report.Problems) >= r.most {
		r.report.ProblemsLeftOut++
		return
	}
	if p.Fix == "" {
		p.Fix = fixFor(p.Kind)
	}
	r.report.Problems = append(r.report.Problems, p)
}

// note records an observation.
func (r *recorder) note(kind NoteKind, file, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.NotesByKind[kind]++
	if len(r.report.Notes) < r.most {
		r.report.Notes = append(r.report.Notes, Note{kind, file, fmt.Sprintf(format, args...)})
	}
}

// count changes the report's counters.
func (r *recorder) count(change func(*Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.report)
}

// finish orders what was found and returns it.
func (r *recorder) finish() *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.OK = r.report.Mismatches == 0
	slices.SortFunc(r.report.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Column, b.Column))
	})
	slices.SortFunc(r.report.Notes, func(a, b Note) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.File, b.File)) })
	return &r.report
}

// fixFor says what to do about a mismatch.
func fixFor(kind Kind) string {
	switch kind {
	case SidecarMissing, SidecarDamaged, SidecarForeign, SidecarOutdated:
		return "firn maintain index TABLE builds it again from the data; until then searches read the file without it"
	case SidecarContent:
		return "firn maintain index --rebuild TABLE builds it again from the data; until then, search with --no-index"
	case SidecarUnread:
		return "find out why the storage fails to read it; until then searches read the file without it"
	case SidecarVersion:
		return "use the firn that wrote it, or firn maintain index --rebuild TABLE; until then searches read the file without it"
	case PackDamaged:
		return "delete it; firn maintain index TABLE builds another one; until then searches ask the sidecars one by one"
	case PackVersion:
		return "use the firn that wrote it, or firn maintain index --rebuild TABLE; until then searches ask the sidecars one by one"
	case PackContent:
		return "delete it; firn maintain index TABLE builds another one; until then, search with --no-index"
	case FileMissing, FileUnreadable:
		return "restore the file from a backup, or load its rows again into a new table"
	case FileSize, RowCount, FileBounds, NullCount, ValueCount, Partition, RequiredNull:
		return "find out which engine wrote the file and its manifest; load its rows again, since pruning may skip them"
	case RowGroupBounds, PageBounds, ValueBloom, SortOrder:
		return "find out which engine wrote the file; load its rows again, since pruning may skip them"
	}
	return ""
}
