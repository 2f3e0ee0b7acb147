package query

import "time"

// Query is a whole question to one table: which rows, and what to make of them. It is the one syntax tree of all languages: ParseQuery (search text with
// pipes), package query/sql (SELECT), package query/dsl (JSON) and the builder From all return it, normalized (see Normalize), so that the same question
// gives equal trees whatever it was written in.
//
// Without Aggregates and GroupBy it is a question for rows: the Columns of the rows that match Where, ordered by OrderBy (none: newest first), up to Limit.
// With either it is a question for groups: one row for each distinct list of values of GroupBy (one row in all if there is none), with a column for each of
// GroupBy and then one for each of Aggregates, named by their Names, ordered by OrderBy (none: by the columns of GroupBy, ascending), up to Limit. Columns then selects and
// orders these; none: all.
type Query struct {
	Table      string      // what SQL's FROM says; empty in the other languages, where the caller names the table
	Where      Predicate   // nil: All
	Columns    []Column    // of the answer, in this order; none: all
	GroupBy    []Group     // of a question for groups
	Aggregates []Aggregate // of a question for groups
	OrderBy    []Sort      // the first decides, the next ones decide where it does not
	Limit      int         // rows of the answer, at most; 0: no limit
}

// Group is what rows are grouped by: the values of a column, or the intervals that they lie in. A missing value is a value: null.
type Group struct {
	Column Column
	Every  Interval // of a column of time: its value is rounded down to the start of an interval; zero: the value as it is
	As     string   // name in the answer; empty: see Name
}

// Interval is a span of time between the marks of UTC's calendar. Seconds, minutes, hours and days are counted from 1970-01-01T00:00:00Z; Count of the others is 1.
type Interval struct {
	Count int
	Unit  IntervalUnit
}

// IntervalUnit is a unit of time.
type IntervalUnit string

// The units of an Interval. Weeks begin on Monday.
const (
	Second  IntervalUnit = "second"
	Minute  IntervalUnit = "minute"
	Hour    IntervalUnit = "hour"
	Day     IntervalUnit = "day"
	Week    IntervalUnit = "week"
	Month   IntervalUnit = "month"
	Quarter IntervalUnit = "quarter"
	Year    IntervalUnit = "year"
)

// Aggregate is a number (or value) made of all rows of a group.
type Aggregate struct {
	Function Function
	Column   Column  // zero: of FuncCount alone, which then counts rows; else values that are null are left out
	Quantile float64 // of FuncQuantile: 0 <= q <= 1
	As       string  // name in the answer; empty: see Name
}

// Function is how an Aggregate is made.
type Function string

// The functions. Those of numbers understand the texts of attrs and of JSON paths that are numbers, and leave out the others.
const (
	FuncCount         Function = "count"          // long: rows, or values that are not null
	FuncCountDistinct Function = "count_distinct" // long: distinct values that are not null, exactly
	FuncMin           Function = "min"            // of the column's type: the least value; null if there is none
	FuncMax           Function = "max"            // of the column's type: the greatest value; null if there is none
	FuncSum           Function = "sum"            // long or double: of numbers; null if there is none
	FuncAvg           Function = "avg"            // double: of numbers; null if there is none
	FuncQuantile      Function = "quantile"       // double: of numbers, exact, interpolated linearly between the two nearest; null if there is none
)

// Sort is a column by which an answer is ordered. Nulls come last, in either direction.
type Sort struct {
	// Column is one of the table or, in a question for groups, Name is that of a column of the answer.
	Column     Column
	Descending bool
}

// Ago is a moment as seen from when a search is planned: so long before it (or after it, if negative). It may be the Value of Compare, or an end of Between, on a column of time.
type Ago time.Duration
