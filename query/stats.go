package query

// SkipReason says why a data file was not read.
type SkipReason string

// The reasons why a file was not read. Each skipped file is counted once, under the first reason in this order.
const (
	// SkipPartition: the partition of the file excludes every match.
	SkipPartition SkipReason = "partition"
	// SkipFileBounds: the minimum, maximum or null counts that the table's metadata holds for the file exclude every match.
	SkipFileBounds SkipReason = "file_bounds"
	// SkipTokenBloom: the sidecar's bloom filter lacks a token that every match must hold.
	SkipTokenBloom SkipReason = "token_bloom"
	// SkipTokenBitmap: the sidecar's posting lists leave no row.
	SkipTokenBitmap SkipReason = "token_bitmap"
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
	FilesTotal    int                  `json:"files_total"`    // data files of the snapshot
	FilesRead     int                  `json:"files_read"`     // files of which data pages were read
	FilesSkipped  map[SkipReason]int   `json:"files_skipped"`  // the other files, by reason
	IndexProblems map[IndexProblem]int `json:"index_problems"` // files whose sidecar was no help, by reason

	RowsTotal     int64 `json:"rows_total"`     // rows of all files
	RowsCandidate int64 `json:"rows_candidate"` // rows that pruning left; in files not opened yet, before their page bounds were looked at
	RowsCertain   int64 `json:"rows_certain"`   // rows of these that need no check
	RowsDecoded   int64 `json:"rows_decoded"`   // rows of which at least one value was decoded
	RowsMatched   int64 `json:"rows_matched"`   // rows handed out or counted

	BytesRead int64 `json:"bytes_read"` // from storage, sidecars and footers included; what a cache answered costs nothing
	Requests  int64 `json:"requests"`   // to storage, for reading

	SidecarHits   int64 `json:"sidecar_cache_hits"` // sidecars found in the engine's cache
	SidecarMisses int64 `json:"sidecar_cache_misses"`
	FooterHits    int64 `json:"footer_cache_hits"` // Parquet footers found in the engine's cache
	FooterMisses  int64 `json:"footer_cache_misses"`

	PlanMillis  float64 `json:"plan_ms"`  // time that Plan took
	TotalMillis float64 `json:"total_ms"` // Plan plus the latest reading
}
