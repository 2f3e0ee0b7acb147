package firn

import (
	"context"
	"io"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/ingest"
	"github.com/firnlog/firn/maintain"
	"github.com/firnlog/firn/query"
	"github.com/firnlog/firn/query/dsl"
	"github.com/firnlog/firn/query/sql"
)

// The types of tables; package catalog tells more.

type (
	// Table is an immutable view of a table at one snapshot.
	Table = catalog.Table
	// TableSpec describes a table to be made.
	TableSpec = catalog.TableSpec
	// Column is one column of a table.
	Column = catalog.Column
	// DataFile is a data file of a snapshot.
	DataFile = catalog.DataFile
	// AddColumn is a change for Table.UpdateSchema: one more column at the end.
	AddColumn = catalog.AddColumn
	// RenameColumn is a change for Table.UpdateSchema: another name for a column.
	RenameColumn = catalog.RenameColumn
	// WidenColumn is a change for Table.UpdateSchema: int to long, float to double.
	WidenColumn = catalog.WidenColumn
)

// Names of column types, and of the day partition.
const (
	TypeString    = catalog.TypeString
	TypeBool      = catalog.TypeBool
	TypeInt       = catalog.TypeInt
	TypeLong      = catalog.TypeLong
	TypeFloat     = catalog.TypeFloat
	TypeDouble    = catalog.TypeDouble
	TypeTimestamp = catalog.TypeTimestamp
	TypeDate      = catalog.TypeDate
	TypeStringMap = catalog.TypeStringMap
	PartitionDay  = catalog.PartitionDay
	// ColumnTimestamp is the column of the time, by which tables are partitioned and sorted.
	ColumnTimestamp = catalog.ColumnTimestamp
	// ColumnMessage is the column of the text that is searched.
	ColumnMessage = catalog.ColumnMessage
)

// Errors, to be tested with errors.Is.
var (
	// ErrTableExists says that a table of that name exists already.
	ErrTableExists = catalog.ErrTableExists
	// ErrTableNotFound says that there is no table of that name.
	ErrTableNotFound = catalog.ErrTableNotFound
	// ErrInvalid says that a name, column or property is not acceptable; nothing was changed.
	ErrInvalid = catalog.ErrInvalid
	// ErrFilesKept says that a table was dropped but that some of its files were left where they are.
	ErrFilesKept = catalog.ErrFilesKept
	// ErrSyntax says that a query text cannot be parsed.
	ErrSyntax = query.ErrSyntax
	// ErrInvalidRequest says that a request does not fit the table, for example an unknown column.
	ErrInvalidRequest = query.ErrInvalidRequest
	// ErrOverflow says that a sum of whole numbers does not fit into 64 bits.
	ErrOverflow = query.ErrOverflow
	// ErrMemory says that an answer needs more memory than Limits.Memory.
	ErrMemory = query.ErrMemory
)

// DefaultColumns returns the columns that every table begins with.
func DefaultColumns() []Column { return catalog.DefaultColumns() }

// The types of writing; package ingest tells more.

type (
	// Writer appends rows to a table.
	Writer = ingest.Writer
	// WriterOptions tune a Writer.
	WriterOptions = ingest.Options
	// WriteReport counts what a Writer did.
	WriteReport = ingest.Report
	// Record is a row to be written.
	Record = ingest.Row
	// Field is a named value of a Record.
	Field = ingest.Field
	// Input is an opened file of lines.
	Input = ingest.Input
	// LoadOptions refine Load.
	LoadOptions = ingest.LoadOptions
	// Reject is an input line that Load set aside.
	Reject = ingest.Reject
	// RejectError says why a row was not taken.
	RejectError = ingest.RejectError
	// SlogHandler writes the records of log/slog into a table.
	SlogHandler = ingest.SlogHandler
	// SlogOptions refine NewSlogHandler.
	SlogOptions = ingest.SlogOptions
)

// F returns a Field.
func F(name string, value any) Field { return ingest.F(name, value) }

// Load appends the JSON lines of r to a Writer. See ingest.Load.
func Load(ctx context.Context, w *Writer, r io.Reader, opts LoadOptions) error {
	return ingest.Load(ctx, w, r, opts)
}

// OpenInput opens a file of lines, plain, gzip or zstd; "-" is standard input.
func OpenInput(path string) (*Input, error) { return ingest.OpenInput(path) }

// NewSlogHandler returns a handler for log/slog that writes into w, which it owns from now on.
func NewSlogHandler(ctx context.Context, w *Writer, opts SlogOptions) *SlogHandler {
	return ingest.NewSlogHandler(ctx, w, opts)
}

// The types of searches; package query tells more.

type (
	// Predicate is a condition on one row.
	Predicate = query.Predicate
	// Request is a search over one table.
	Request = query.Request
	// Scan is a planned search.
	Scan = query.Scan
	// Task is one data file that pruning left.
	Task = query.Task
	// Row is one row of a result.
	Row = query.Row
	// Query is a question for rows, numbers or groups; see Lake.Query.
	Query = query.Query
	// AskOptions say how a Query is run.
	AskOptions = query.AskOptions
	// Limits bound what an answer may cost.
	Limits = query.Limits
	// Answer is a planned Query; it may be run, explained and asked what it cost.
	Answer = query.Answer
	// ContextOptions say which rows around hits Scan.RowsWithContext yields.
	ContextOptions = query.ContextOptions
	// ContextRow is a hit, or a row near one.
	ContextRow = query.ContextRow
	// Stats tells what a search cost and why.
	Stats = query.Stats
	// CacheStats tells what a lake keeps in memory between searches.
	CacheStats = query.CacheStats
	// CacheCounts tells about one kind of thing that is kept.
	CacheCounts = query.CacheCounts
	// Explanation tells how a search was pruned.
	Explanation = query.Explanation

	// All is true for every row.
	All = query.All
	// HasToken is true if the column's text has this token.
	HasToken = query.HasToken
	// Phrase is true if the column's text has these tokens next to each other.
	Phrase = query.Phrase
	// Equal is true if the column holds exactly this value.
	Equal = query.Equal
	// In is true if the column holds one of these values.
	In = query.In
	// Compare is true if the column's value is less, greater, … than a value.
	Compare = query.Compare
	// Between is true if the column's value lies between two values or is one of them.
	Between = query.Between
	// IsNull is true if the column has no value.
	IsNull = query.IsNull
	// Prefix is true if the column's text starts with these bytes.
	Prefix = query.Prefix
	// Contains is true if the column's text contains these bytes.
	Contains = query.Contains
	// TokenPrefix is true if one of the column's tokens begins with this text.
	TokenPrefix = query.TokenPrefix
	// Regexp is true if a regular expression matches somewhere in the column's text.
	Regexp = query.Regexp
	// Ago is a moment so long before a search is planned, for Compare and Between.
	Ago = query.Ago
	// QueryBuilder puts a Query together.
	QueryBuilder = query.Builder
	// And is true if all of its predicates are.
	And = query.And
	// Or is true if one of its predicates is.
	Or = query.Or
	// Not is true if its predicate is false.
	Not = query.Not
)

// The orders of a search.
const (
	NewestFirst = query.NewestFirst
	OldestFirst = query.OldestFirst
)

// What a ContextRow is there for.
const (
	PartHit    = query.PartHit
	PartBefore = query.PartBefore
	PartAfter  = query.PartAfter
)

// From begins a Query to a table: From("web").Last(time.Hour).GroupBy("level").Count().Query().
func From(table string) *QueryBuilder { return query.From(table) }

// Parse reads a Predicate from a query text: words, "a phrase", conn*, ~"a substring", /a regexp/, field:value, status>=500, took:[1 TO 5], last 15m, AND OR NOT ( ), and *
// for everything. docs/QUERY.md has the whole language.
func Parse(text string) (Predicate, error) { return query.Parse(text) }

// ParseSQL reads a Query from a SELECT statement; package query/sql tells what it understands.
func ParseSQL(text string) (Query, error) { return sql.Parse(text) }

// ParseQuery reads a Query from search text: a condition as Parse reads it, and behind it pipes such as | stats count() by level.
func ParseQuery(text string) (Query, error) { return query.ParseQuery(text) }

// ParseDSL reads a Query from JSON in the shape of Elasticsearch's query DSL; package query/dsl tells what it understands.
func ParseDSL(json []byte) (query.Query, error) { return dsl.Parse(json) }

// Col names a column, or, if the table has no such column, a key of attrs.
func Col(name string) query.Column { return query.Col(name) }

// Attr names a key of attrs.
func Attr(key string) query.Column { return query.Attr(key) }

// JSONPath names what a JSON path like $.user.id finds in the texts of a column.
func JSONPath(column, path string) query.Column { return query.JSONPath(column, path) }

// The types of maintenance; package maintain tells more.

type (
	// VerifyOptions refine Verify.
	VerifyOptions = maintain.VerifyOptions
	// VerifyReport is what Verify found.
	VerifyReport = maintain.Report
	// IndexOptions refine PlanIndex.
	IndexOptions = maintain.IndexOptions
	// IndexPlan says which sidecars are to be built.
	IndexPlan = maintain.IndexPlan
	// IndexResult says what applying an IndexPlan did.
	IndexResult = maintain.IndexResult
)
