package query

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/storage"
)

// Sentinel errors, to be tested with errors.Is.
var (
	// ErrSyntax says that a text is no predicate. The error is a *SyntaxError.
	ErrSyntax = errors.New("syntax error in query")
	// ErrInvalidRequest says that a request does not fit the table: an unknown column, a value of the wrong type.
	ErrInvalidRequest = errors.New("invalid search")
	// ErrDeletes says that another engine deleted rows of a data file by delete files, which firn does not apply.
	ErrDeletes = errors.New("data file has row-level deletes")
)

// Order is the order in which rows are handed out.
type Order uint8

// The orders. Rows of the same timestamp are ordered by the path of their file and their place in it.
const (
	NewestFirst Order = iota
	OldestFirst
)

// Request is a search over one table. The zero value asks for all rows and columns, newest first.
type Request struct {
	Predicate Predicate // nil: All
	// From and To restrict _timestamp to [From, To); zero is open.
	From, To time.Time
	Order    Order
	Limit    int      // number of rows handed out by Rows and Batches, at most; 0: no limit. Count ignores it.
	Columns  []string // columns to hand out, in the table's order; nil: all that firn can read
	NoIndex  bool     // use neither sidecars nor Parquet's bloom filters, only what the table's metadata and the data files say
}

// EngineOptions tunes an Engine. The zero value gives the defaults.
type EngineOptions struct {
	CacheBytes  int64            // memory for opened sidecars and Parquet footers; default 256 MiB
	Parallelism int              // files or chunks of files worked on at once, by one scan; default twice the number of CPUs
	Logger      *slog.Logger     // told about unusable sidecars; nil discards
	Now         func() time.Time // the clock, for durations; nil is time.Now
}

// Engine plans and runs searches over the tables of one store. It is safe for concurrent use and meant to live long: it keeps
// opened sidecars and Parquet footers in bounded caches.
type Engine struct{}

// NewEngine returns an engine that reads from store.
func NewEngine(store storage.Store, opts EngineOptions) *Engine { return &Engine{} }

// Plan prunes the table's files for a request. It reads metadata, sidecars and footers, no data pages. Errors: ErrInvalidRequest, ErrDeletes,
// errors of damaged data files (format.ErrCorrupt) and of the storage. Trouble with sidecars is no error.
func (e *Engine) Plan(ctx context.Context, t *catalog.Table, r Request) (*Scan, error) {
	return nil, errors.ErrUnsupported
}

// Scan is a planned search. It is safe for concurrent use, but Stats and Explain tell about the latest reading only.
type Scan struct{}

// Task is one data file that pruning left, for readers of any kind.
type Task struct {
	File       catalog.DataFile
	RowGroups  []int             // ordinals of the row groups that hold candidates; nil if the file's footer was not needed yet (only with a Limit)
	Rows       []format.RowRange // candidate rows, ascending
	Candidates int64             // number of candidate rows
	Residual   Predicate         // what is left to be checked for each candidate row, From and To included; nil: nothing
}

// Tasks returns what pruning left, in the order of the request. It reads nothing. With a Limit, files are listed before their page bounds were looked at.
func (s *Scan) Tasks() []Task { return nil }

// Rows reads and yields the matching rows in the request's order, up to its limit. A Row stays valid. After an error the iteration ends.
func (s *Scan) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) { yield(Row{}, errors.ErrUnsupported) }
}

// Batches is Rows as Arrow record batches of ArrowSchema. The consumer releases each batch.
func (s *Scan) Batches(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) { yield(nil, errors.ErrUnsupported) }
}

// ArrowSchema returns the schema of Batches: the table's, projected to the requested columns.
func (s *Scan) ArrowSchema() *arrow.Schema { return nil }

// Count returns how many rows match, regardless of the limit. Rows that are certain are counted without being read.
func (s *Scan) Count(ctx context.Context) (int64, error) { return 0, errors.ErrUnsupported }

// Stats returns the costs so far.
func (s *Scan) Stats() Stats { return Stats{} }

// Explain returns for people what was pruned at each stage and why an index was not used.
func (s *Scan) Explain() string { return "" }

// Explanation returns what Explain prints.
func (s *Scan) Explanation() Explanation { return Explanation{} }

// Explanation tells how a search was pruned.
type Explanation struct{}

// Row is one row of a result.
type Row struct{}

// MarshalJSON prints the row as an object with one entry for each column, in the table's order.
func (r Row) MarshalJSON() ([]byte, error) { return nil, errors.ErrUnsupported }
