package firn

import (
	"context"

	"github.com/firnlog/firn/query"
)

// The types of log patterns; package query and docs/PATTERNS.md tell more.

type (
	// Pattern is a set of rows whose texts have the same words.
	Pattern = query.Pattern
	// HasPattern is true if the column's text has this pattern.
	HasPattern = query.HasPattern
	// PatternID is the stable id of a pattern.
	PatternID = query.PatternID
	// PatternOptions refine Patterns and ComparePatterns.
	PatternOptions = query.PatternOptions
	// PatternResult is the answer of Patterns.
	PatternResult = query.PatternResult
	// PatternSummary says what became of all rows.
	PatternSummary = query.PatternSummary
	// PatternComparison is the answer of ComparePatterns.
	PatternComparison = query.PatternComparison
	// PatternDelta is a pattern that changed.
	PatternDelta = query.PatternDelta
	// PatternChange says what became of a pattern.
	PatternChange = query.PatternChange
)

// The kinds of change, and the default of PatternOptions.MaxPatterns.
const (
	PatternNew         = query.PatternNew
	PatternGrown       = query.PatternGrown
	PatternGone        = query.PatternGone
	PatternShrunk      = query.PatternShrunk
	DefaultMaxPatterns = query.DefaultMaxPatterns
)

// Patterns counts the rows of a table, as it is now, that match a query text (see Parse) and a request by pattern, the most frequent one first. The
// request's Predicate is added to the text, and its Limit does not matter.
func (l *Lake) Patterns(ctx context.Context, table, text string, r Request, o PatternOptions) (*PatternResult, error) {
	scan, err := l.scan(ctx, table, text, r)
	if err != nil {
		return nil, err
	}
	return scan.Patterns(ctx, o)
}

// ComparePatterns tells which patterns are new, gone, grown or shrunk in the rows of one scan, compared with those of another one: of another
// time, or of another release. See query.ComparePatterns.
func ComparePatterns(ctx context.Context, before, after *Scan, o PatternOptions) (*PatternComparison, error) {
	return query.ComparePatterns(ctx, before, after, o)
}

// ParsePatternID reads the id of a pattern, 16 hexadecimal digits.
func ParsePatternID(text string) (PatternID, error) { return query.ParsePatternID(text) }

// PatternTemplate returns a text with placeholders for what varies: numbers, ids, addresses, times. See query.Template.
func PatternTemplate(text string) string { return query.Template(text) }
