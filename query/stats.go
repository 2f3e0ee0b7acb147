package query

import "time"

// SkipReason says why a data file was not read.
type SkipReason string

// The reasons why a file was not read. Each skipped file is counted once, under the first reason in this order.
const (
	// SkipPartition: the partition of the file excludes every match.
	SkipPartition SkipReason = "partition"
	// SkipFileBounds: the minimum, maximum or null counts that the table's metadata holds for the file exclude every match.
	SkipFileBounds SkipReason = "file_bounds"
	// SkipBloomPack: the bloom pack of the partition says that the file's bloom filter lacks a token that every match must hold.
	SkipBloomPack SkipReason = "bloom_pack"
	// SkipTokenBloom: the sidecar's bloom filter lacks a token that every match must hold.
	SkipTokenBloom SkipReason = "token_bloom"
	// SkipTokenBitmap: the sidecar's posting lists leave no row.
	SkipTokenBitmap SkipReason = "token_bitmap"
	// SkipValueIndex: the sidecar's value indexes leave no row.
	SkipValueIndex SkipReason = "value_index"
	// SkipValueBloom: Parquet's bloom filters lack the value in every row group.
	SkipValueBloom SkipReason = "value_bloom"
	// SkipRowGroupBounds: the row groups' minimum, maximum or null counts leave no row.
	SkipRowGroupBounds SkipReason = "row_group_bounds"
	// SkipPageBounds: the pages' minimum, maximum or null counts leave no row.
	SkipPageBounds SkipReason = "page_bounds"
	// SkipAnswered: a count needed no reading, because bounds and indexes tell exactly how many rows match. The rows do count.
	SkipAnswered SkipReason = "answered_by_index"
	// SkipNotReached: the limit was reached with rows of other files that come before every row of this one.
	SkipNotReached SkipReason = "not_reached"
)

// IndexProblem says why a file's sidecar could not be used although the table is configured to have one.
type IndexProblem string

// The problems with a sidecar. The file is searched without it.
const (
	// ProblemMissing: there is no sidecar.
	ProblemMissing IndexProblem = "missing"
	// ProblemCorrupt: the sidecar is damaged.
	ProblemCorrupt IndexProblem = "corrupt"
	// ProblemForeign: the sidecar was built for another data file.
	ProblemForeign IndexProblem = "foreign"
	// ProblemUnknownVersion: the sidecar was written by another version of firn.
	ProblemUnknownVersion IndexProblem = "unknown_version"
	// ProblemUnreadable: the storage failed to read the sidecar, or the table's index properties are broken.
	ProblemUnreadable IndexProblem = "unreadable"
)

// Stats tells what a scan cost and why. Planning and the latest reading (Rows, Batches or Count) are added together; a reading
// that runs or was given up shows what it did so far.
type Stats struct {
	FilesTotal    int                  `json:"files_total"`           // data files of the snapshot
	FilesRead     int                  `json:"files_read"`            // files of which data pages were read
	FilesSkipped  map[SkipReason]int   `json:"files_skipped"`         // the other files, by reason
	IndexProblems map[IndexProblem]int `json:"index_problems"`        // files whose sidecar was no help, by reason
	Packs         *PackReport          `json:"bloom_packs,omitempty"` // nil: none were asked

	RowsTotal     int64 `json:"rows_total"`     // rows of all files
	RowsCandidate int64 `json:"rows_candidate"` // rows that pruning left; in files not opened yet, before their page bounds were looked at
	RowsCertain   int64 `json:"rows_certain"`   // rows of these that need no check
	RowsDecoded   int64 `json:"rows_decoded"`   // rows of which at least one value was decoded
	RowsMatched   int64 `json:"rows_matched"`   // rows handed out or counted

	Groups       int64 `json:"groups,omitempty"`         // of an answer of groups, before its limit
	RowsByFacts  int64 `json:"rows_by_facts,omitempty"`  // rows in an answer of groups of which no value was decoded: bounds, counts and indexes tell all of them
	FilesByFacts int   `json:"files_by_facts,omitempty"` // files whose rows in that answer are all among these, by indexes and the table's metadata alone

	// Bytes and requests are of the storage; what the engine's cache answered costs nothing. Metadata of the table (metadata.json, manifests) is not among them.
	BytesRead    int64 `json:"bytes_read"`    // the sum of the next three
	BytesData    int64 `json:"bytes_data"`    // pages of data files
	BytesFooters int64 `json:"bytes_footers"` // footers, page indexes and bloom filters of data files
	BytesIndex   int64 `json:"bytes_index"`   // sidecars and bloom packs
	Requests     int64 `json:"requests"`      // for reading
	PagesDecoded int64 `json:"pages_decoded"` // of data files, dictionary pages included

	SidecarHits   int64 `json:"sidecar_cache_hits"` // sidecars found in the engine's cache
	SidecarMisses int64 `json:"sidecar_cache_misses"`
	PlanHits      int64 `json:"plan_cache_hits"` // states of tables, lists of files included, found in the engine's cache
	PlanMisses    int64 `json:"plan_cache_misses"`
	FooterHits    int64 `json:"footer_cache_hits"` // Parquet footers found in the engine's cache
	FooterMisses  int64 `json:"footer_cache_misses"`

	Partial string `json:"partial,omitempty"` // which limit ended the reading (or the planning), so that the answer is not whole; see Limits

	MetadataMillis float64 `json:"metadata_ms"` // part of PlanMillis: the table's metadata was read, if need be, and files were pruned by it
	IndexMillis    float64 `json:"index_ms"`    // part of PlanMillis: bloom packs, sidecars and footers were asked
	PlanMillis     float64 `json:"plan_ms"`     // time that Plan took
	ReadMillis     float64 `json:"read_ms"`     // time that the latest reading took so far
	TotalMillis    float64 `json:"total_ms"`    // Plan plus the latest reading
}

// Stats returns what planning and the latest reading cost so far.
func (s *Scan) Stats() Stats {
	st := Stats{FilesTotal: s.metadata.files, RowsTotal: s.metadata.rows, FilesSkipped: map[SkipReason]int{}, IndexProblems: map[IndexProblem]int{}}
	for _, stage := range []stage{stagePartition, stageFileBounds} {
		if n := s.metadata.stages[stage].Skipped; n > 0 {
			st.FilesSkipped[skipReasons[stage]] = n
		}
	}
	if s.metadata.empty > 0 {
		st.FilesSkipped[SkipFileBounds] += s.metadata.empty
	}
	s.mu.Lock()
	r := s.latest
	s.mu.Unlock()
	for _, f := range s.listed {
		f.mu.Lock()
		if f.skipped != "" {
			st.FilesSkipped[f.skipped]++
		} else {
			st.RowsCandidate += int64(f.bounds.may.Cardinality())
			st.RowsCertain += int64(f.bounds.must.Cardinality())
		}
		if f.problem != "" {
			st.IndexProblems[f.problem]++
		}
		f.mu.Unlock()
	}
	st.Packs, st.Partial = s.planner.packs.get(), s.Partial()
	s.planCounts.addTo(&st)
	st.PlanMillis, st.MetadataMillis, st.IndexMillis = millis(s.planTime), millis(s.metadataTime), millis(s.indexTime)
	st.TotalMillis = st.PlanMillis
	if r != nil {
		r.addTo(&st)
	}
	return st
}

func (c *counters) addTo(st *Stats) {
	st.BytesRead += c.bytes.Load()
	st.BytesData += c.byKind[bytesOfData].Load()
	st.BytesFooters += c.byKind[bytesOfFooters].Load()
	st.BytesIndex += c.byKind[bytesOfIndex].Load()
	st.Requests += c.requests.Load()
	st.PagesDecoded += c.pages.Load()
	st.SidecarHits += c.sidecars.hits.Load()
	st.SidecarMisses += c.sidecars.misses.Load()
	st.PlanHits += c.plans.hits.Load()
	st.PlanMisses += c.plans.misses.Load()
	st.FooterHits += c.files.hits.Load()
	st.FooterMisses += c.files.misses.Load()
}

func (r *reading) addTo(st *Stats) {
	r.counts.addTo(st)
	st.RowsDecoded, st.RowsMatched = r.decoded.Load(), r.matched.Load()
	r.mu.Lock()
	over, took := r.over, r.took
	r.mu.Unlock()
	if !over {
		took = r.scan.planner.engine.now().Sub(r.start)
	}
	st.ReadMillis = millis(took)
	st.TotalMillis += st.ReadMillis
	rest := SkipNotReached
	if r.counting {
		rest = SkipAnswered
	}
	for i, f := range r.scan.files {
		f.mu.Lock()
		skipped := f.skipped != ""
		f.mu.Unlock()
		switch {
		case r.touched[i].Load():
			st.FilesRead++
		case over && !skipped:
			st.FilesSkipped[rest]++
		}
	}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// answerTally counts how an answer of groups was made.
type answerTally struct {
	groups, rowsByFacts int64
	filesByFacts        int
}

func (t *answerTally) addTo(st *Stats) {
	st.Groups, st.RowsByFacts, st.FilesByFacts = t.groups, t.rowsByFacts, t.filesByFacts
}
