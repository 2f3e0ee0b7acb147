package ingest

import "maps"

// Report counts what a Writer has done. Rows and everything read from lines are counted when they are accepted; CommittedRows, files, commits and bytes
// written when their commit has succeeded.
type Report struct {
	Rows          int64            `json:"rows"`           // rows accepted
	CommittedRows int64            `json:"committed_rows"` // of these, in a committed snapshot
	Rejected      int64            `json:"rejected"`       // lines set aside, see Reasons
	Reasons       map[string]int64 `json:"rejected_by_reason"`
	Blank         int64            `json:"blank"` // empty lines, skipped
	// Misfits counts values that did not fit the type of their column: the column is null, the text is kept in attrs.
	Misfits int64 `json:"misfits"`
	// DuplicateKeys counts values that were replaced by a later one of the same name in the same row.
	DuplicateKeys int64 `json:"duplicate_keys"`
	// RepairedUTF8 counts rows in which invalid UTF-8 (or a lone surrogate escape) was replaced by U+FFFD.
	RepairedUTF8 int64 `json:"repaired_utf8"`
	// RoundedTimestamps counts rows with digits below the microsecond; the table holds the floor.
	RoundedTimestamps int64 `json:"rounded_timestamps"`
	// DroppedFields counts values without a home, because the table has no attrs column.
	DroppedFields int64 `json:"dropped_fields"`
	InputBytes    int64 `json:"input_bytes"` // uncompressed bytes of input, line ends included
	DataBytes     int64 `json:"data_bytes"`  // bytes of data files
	IndexBytes    int64 `json:"index_bytes"` // bytes of sidecars
	Files         int64 `json:"files"`       // data files
	Commits       int64 `json:"commits"`     // snapshots
	// SidecarFailures counts data files whose sidecar could not be stored: they are scanned until maintenance repairs them.
	SidecarFailures int64 `json:"sidecar_failures"`
	// Position is the place in the input up to which all rows are committed; only Load sets it.
	Position Position `json:"position"`
}

// A Position is a place in an input: its name, and the number of the last line, from 1.
type Position struct {
	Name string `json:"name,omitempty"`
	Line int64  `json:"line,omitempty"`
}

func (r Report) clone() Report {
	r.Reasons = maps.Clone(r.Reasons)
	if r.Reasons == nil {
		r.Reasons = map[string]int64{}
	}
	return r
}

func (r *Report) add(c rowCounts) {
	r.Misfits += c.misfits
	r.DuplicateKeys += c.duplicates
	r.RepairedUTF8 += c.repaired
	r.RoundedTimestamps += c.rounded
	r.DroppedFields += c.dropped
}
