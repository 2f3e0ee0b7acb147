package query

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/firnlog/firn/format"
)

// PatternID is the stable id of a pattern: analyzer.Signer.Signature of its texts. It is the same in every file, table and version.
type PatternID uint64

// String returns the id as 16 hexadecimal digits.
func (id PatternID) String() string { return fmt.Sprintf("%016x", uint64(id)) }

// MarshalText is String.
func (id PatternID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParsePatternID.
func (id *PatternID) UnmarshalText(text []byte) (err error) {
	*id, err = ParsePatternID(string(text))
	return err
}

// ParsePatternID reads an id as String prints it.
func ParsePatternID(text string) (PatternID, error) {
	const digits = 16
	n, err := strconv.ParseUint(text, 16, 64)
	if err != nil || len(text) != digits {
		return 0, fmt.Errorf("%w: %q is no id of a pattern, which has %d hexadecimal digits", ErrInvalidRequest, text, digits)
	}
	return PatternID(n), nil
}

// Pattern is a set of rows whose texts have the same set of word tokens (analyzer.WordToken): what a program logs in one place, whatever
// numbers, ids and addresses it fills in.
type Pattern struct {
	ID    PatternID `json:"id"`
	Count int64     `json:"count"` // rows, exactly
	// First and Last are the times of the oldest and the newest row; zero without a _timestamp.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Sample is the text of the oldest row, cut to 256 bytes at a rune. Of rows of the same time it is the first one in the order of a search,
	// oldest first.
	Sample string `json:"sample"`
	// Template is the sample with placeholders: see Template.
	Template string `json:"template"`
}

// PatternSummary says what became of all rows: Rows = those of the patterns handed out + Hidden + Other + NoText.
type PatternSummary struct {
	Rows     int64 `json:"rows"`              // rows that match
	NoText   int64 `json:"rows_without_text"` // of these, rows where the column is null: they are in no pattern
	Patterns int64 `json:"patterns"`          // patterns that were counted
	Hidden   int64 `json:"rows_not_shown"`    // rows of patterns that were counted but are not handed out, for the limit or for having too few rows
	// Other is the number of rows in patterns that were not counted each for itself, because there are more than MaxPatterns. Each of these
	// patterns has fewer than OtherBelow rows.
	Other      int64 `json:"rows_in_other_patterns"`
	OtherBelow int64 `json:"other_patterns_below,omitempty"`
	Indexed    int64 `json:"rows_from_index"` // rows whose pattern the indexes told, so that their text was not read
}

// PatternResult is the answer of Scan.Patterns.
type PatternResult struct {
	Patterns []Pattern // most rows first, and of equally many rows the lower id first
	Summary  PatternSummary
}

// DefaultMaxPatterns is how many patterns are told apart unless PatternOptions say otherwise.
const DefaultMaxPatterns = 1 << 18

// PatternOptions refine Scan.Patterns and ComparePatterns. The zero value gives the defaults.
type PatternOptions struct {
	Column      string // of text; default log_msg
	Limit       int    // patterns handed out, at most (of ComparePatterns: of each kind of change); 0: all
	MinCount    int64  // patterns of fewer rows are not handed out
	CountsOnly  bool   // leave First, Last, Sample and Template empty: nothing is read for them
	MaxPatterns int    // patterns told apart, at most; they take about 200 bytes of memory each; default DefaultMaxPatterns

	buckets int // of the second reading; tests make them few
}

// withDefaults checks the options and fills in what is zero.
func (o PatternOptions) withDefaults() (PatternOptions, error) {
	const buckets = 1 << 21
	o.Column = cmp.Or(o.Column, messageColumn)
	o.MaxPatterns, o.buckets = cmp.Or(o.MaxPatterns, DefaultMaxPatterns), cmp.Or(o.buckets, buckets)
	if o.Limit < 0 || o.MinCount < 0 || o.MaxPatterns < 0 {
		return o, fmt.Errorf("%w: limits of patterns must not be negative", ErrInvalidRequest)
	}
	return o, nil
}

// Patterns counts the matching rows by pattern, regardless of the request's limit. The answer is complete and the same from run to run,
// whatever indexes there are and however many files the rows lie in.
//
// Rows of which an index tells that they match and what their pattern is are counted without being read. Of the others that match, the text is read.
// First, Last and Sample take reading of a few rows of the patterns that are handed out.
//
// More patterns than MaxPatterns are found out exactly all the same, if they are frequent: everything is read a second time, and patterns of few
// rows are summed up in PatternSummary.Other. Besides that, memory is needed for the place of a pattern's oldest and newest row in each file that
// may, by the bounds of its times, hold the oldest or newest of all: 12 bytes.
//
// Errors: ErrInvalidRequest, those of Rows.
func (s *Scan) Patterns(ctx context.Context, o PatternOptions) (*PatternResult, error) {
	run, err := newPatternRun(o, s)
	if err != nil {
		return nil, err
	}
	defer run.finish()
	if err := run.count(ctx); err != nil {
		return nil, err
	}
	picks := run.top()
	result := &PatternResult{Patterns: make([]Pattern, len(picks)), Summary: run.summary(0)}
	result.Summary.Hidden = result.Summary.Rows - result.Summary.NoText - result.Summary.Other
	for i := range picks {
		result.Summary.Hidden -= picks[i].count
		picks[i].out = &result.Patterns[i]
		*picks[i].out = Pattern{ID: PatternID(picks[i].id), Count: picks[i].count}
	}
	return result, run.describe(ctx, picks)
}

// top picks the patterns of the first side that are handed out.
func (run *patternRun) top() []patternPick {
	var picks []patternPick
	for id, g := range run.groups {
		if g.counts[0] >= max(1, run.options.MinCount) {
			picks = append(picks, patternPick{id: id, group: g, count: g.counts[0]})
		}
	}
	slices.SortFunc(picks, func(a, b patternPick) int { return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.id, b.id)) })
	if n := run.options.Limit; n > 0 && len(picks) > n {
		picks = picks[:n]
	}
	return picks
}

// summary returns what became of the rows of a side, but for Hidden.
func (run *patternRun) summary(side int) PatternSummary {
	s := run.sides[side]
	sum := PatternSummary{Rows: s.rows.Load(), NoText: s.noText.Load(), Indexed: s.indexed.Load()}
	sum.Other = sum.Rows - sum.NoText
	for _, g := range run.groups {
		sum.Other -= g.counts[side]
		if g.counts[side] > 0 {
			sum.Patterns++
		}
	}
	if run.buckets != nil {
		sum.OtherBelow = run.least
	}
	return sum
}

// patternSide is one of the scans whose rows are counted.
type patternSide struct {
	scan    *Scan
	reading *reading
	field   format.Field // the column of the texts

	rows, noText, indexed countsOfPass
}

// newPatternRun prepares to count the rows of one or two scans.
func newPatternRun(o PatternOptions, scans ...*Scan) (*patternRun, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	run := &patternRun{options: o, least: 1, groups: map[uint64]*patternGroup{}}
	for _, s := range scans {
		field, ok := s.planner.schema.Lookup(o.Column)
		if !ok || field.Type != format.TypeString {
			return nil, fmt.Errorf("%w: table %s has no column %q of text; patterns are of texts", ErrInvalidRequest, s.planner.table.Name(), o.Column)
		}
		run.sides = append(run.sides, &patternSide{scan: s, field: field})
	}
	for i, side := range run.sides {
		side.reading = side.scan.newReading(true)
		for position, f := range side.scan.files {
			run.files = append(run.files, patternFile{run: run, number: uint32(len(run.files)), plan: f, position: position, side: i})
		}
	}
	run.slots = make(chan struct{}, scans[0].planner.engine.width)
	return run, nil
}

// finish ends the readings.
func (run *patternRun) finish() {
	for _, side := range run.sides {
		side.reading.matched.Store(side.rows.Load())
		side.reading.finish()
	}
}

// patternTime returns a time of the data, which math.MinInt64 stands for none of.
func patternTime(micros int64) time.Time {
	if micros == math.MinInt64 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
