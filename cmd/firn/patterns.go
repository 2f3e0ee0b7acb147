package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
)

// patternFlags are the flags of patterns.
type patternFlags struct {
	from, to     string
	compare      string
	compareQuery string
	column       string
	limit        int
	minCount     int64
	maxPatterns  int
	noIndex      bool
	stats        bool
}

const patternsHelp = `Count the rows that match a query by pattern: rows whose texts have the same words, whatever numbers, ids and addresses stand
between them. Every row is counted. The id of a pattern depends on its words only: it is the same in every table and on every day.

--compare and --compare-query take other rows to compare with: those of another time, those of another query (of another release, say), or both.
Printed are the patterns that are new in the rows asked for, have grown, are gone, or have shrunk, as parts of all rows.

With --json each line is a pattern, and the last one is {"summary":{...}}.

`

func (a *app) patternsCommand() *cobra.Command {
	var f patternFlags
	cmd := &cobra.Command{
		Use:   "patterns TABLE [QUERY]",
		Short: "Count matching rows by pattern, and compare with another time or query",
		Long:  patternsHelp + conditionHelp,
		Example: `  firn patterns web
  firn patterns web 'level:error' --from 2026-11-22T10:00 --compare 2026-11-21..2026-11-22
  firn patterns web 'version:2.1' --compare-query 'version:2.0'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return exactArgs("TABLE", "QUERY")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.patterns(cmd.Context(), args[0], strings.Join(append(args[1:], "*")[:1], ""), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "only rows at or after `T`: "+timeHelp)
	flags.StringVar(&f.to, "to", "", "only rows before `T`")
	flags.StringVar(&f.compare, "compare", "", "compare with the rows of this time, `FROM..TO`; either may be left out")
	flags.StringVar(&f.compareQuery, "compare-query", "", "compare with the rows of this `QUERY`")
	flags.StringVar(&f.column, "column", firn.ColumnMessage, "the column of the texts")
	flags.IntVar(&f.limit, "limit", 50, "print `N` patterns (of each kind of change), at most; 0 is all")
	flags.Int64Var(&f.minCount, "min-count", 0, "print patterns of at least `N` rows only")
	flags.IntVar(&f.maxPatterns, "max-patterns", firn.DefaultMaxPatterns,
		"keep `N` patterns in memory, at most; rows of rarer ones are counted together")
	flags.BoolVar(&f.noIndex, "no-index", false, "use neither text indexes nor bloom filters")
	flags.BoolVar(&f.stats, "stats", false, "print what it cost on standard error, as JSON objects")
	return cmd
}

// options checks the flags that are not about which rows.
func (f *patternFlags) options() (firn.PatternOptions, error) {
	o := firn.PatternOptions{Column: f.column, Limit: f.limit, MinCount: f.minCount, MaxPatterns: f.maxPatterns}
	switch {
	case f.limit < 0:
		return o, usagef("--limit %d: must not be negative", f.limit)
	case f.minCount < 0:
		return o, usagef("--min-count %d: must not be negative", f.minCount)
	case f.maxPatterns < 1:
		return o, usagef("--max-patterns %d: must be positive", f.maxPatterns)
	}
	return o, nil
}

// requests returns what rows are asked for, and if they are to be compared, with which.
func (f *patternFlags) requests(text string) (list []firn.Request, err error) {
	r := firn.Request{NoIndex: f.noIndex}
	if r.From, r.To, err = parseWindow(f.from, f.to); err != nil {
		return nil, err
	}
	if r.Predicate, err = firn.Parse(text); err != nil {
		return nil, asUsage(err)
	}
	if f.compare == "" && f.compareQuery == "" {
		return []firn.Request{r}, nil
	}
	before := r
	if f.compare != "" {
		from, to, ok := strings.Cut(f.compare, "..")
		if !ok {
			return nil, usagef("--compare %q: write FROM..TO", f.compare)
		}
		if before.From, before.To, err = parseWindow(strings.TrimSpace(from), strings.TrimSpace(to)); err != nil {
			return nil, usagef("--compare %s: %w", f.compare, err)
		}
	}
	if f.compareQuery != "" {
		if before.Predicate, err = firn.Parse(f.compareQuery); err != nil {
			return nil, usagef("--compare-query: %w", err)
		}
	}
	return []firn.Request{before, r}, nil
}

func (a *app) patterns(ctx context.Context, name, text string, f patternFlags) (err error) {
	o, err := f.options()
	if err != nil {
		return err
	}
	requests, err := f.requests(text)
	if err != nil {
		return err
	}
	a.quiet = f.stats // standard error then holds JSON only
	lake, table, err := a.openTable(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	if err := checkColumns("--column", table, []string{f.column}); err != nil {
		return err
	}
	var scans []*firn.Scan
	for _, r := range requests {
		scan, err := lake.Plan(ctx, table, r)
		if err != nil {
			return err
		}
		scans = append(scans, scan)
	}
	if len(scans) == 1 {
		err = a.printPatterns(ctx, scans[0], o)
	} else {
		err = a.printComparison(ctx, scans[0], scans[1], o)
	}
	if f.stats && (err == nil || brokenPipe(err)) {
		for _, scan := range scans {
			err = errors.Join(err, writeJSONLine(a.stderr, scan.Stats()))
		}
	}
	return err
}

func (a *app) printPatterns(ctx context.Context, scan *firn.Scan, o firn.PatternOptions) error {
	result, err := scan.Patterns(ctx, o)
	if err != nil {
		return err
	}
	if a.json {
		return printJSONLines(a, result.Patterns, map[string]any{"summary": result.Summary})
	}
	var rows [][]string
	for i := range result.Patterns {
		p := &result.Patterns[i]
		rows = append(rows, []string{countText(p.Count), shareText(p.Count, result.Summary.Rows), secondText(p.First), secondText(p.Last),
			p.ID.String(), shortTemplate(p.Template)})
	}
	if err := a.table("ROWS\tPART\tFIRST\tLAST\tID\tTEMPLATE", rows); err != nil {
		return err
	}
	s := result.Summary
	hidden := s.Patterns - int64(len(result.Patterns))
	if err := a.printSummary("", s, o); err != nil || hidden == 0 {
		return err
	}
	return a.printf("Not shown: %s in %s (--limit, --min-count).\n", plural(s.Hidden, "row"), plural(hidden, "pattern"))
}

// printSummary says in words what became of all rows.
func (a *app) printSummary(which string, s firn.PatternSummary, o firn.PatternOptions) error {
	text := fmt.Sprintf("%s%s in %s; indexes told the pattern of %s.", which, plural(s.Rows, "row"), plural(s.Patterns, "pattern"), countText(s.Indexed))
	if s.NoText > 0 {
		text += fmt.Sprintf(" %s without %s.", plural(s.NoText, "row"), o.Column)
	}
	if s.Other > 0 {
		text += fmt.Sprintf(" %s in other patterns, each of less than %s (--max-patterns).", plural(s.Other, "row"), plural(s.OtherBelow, "row"))
	}
	return a.printf("%s\n", text)
}

func (a *app) printComparison(ctx context.Context, before, after *firn.Scan, o firn.PatternOptions) error {
	c, err := firn.ComparePatterns(ctx, before, after, o)
	if err != nil {
		return err
	}
	if a.json {
		return printJSONLines(a, c.Deltas, map[string]any{"summary": map[string]any{
			"before": c.Before, "after": c.After, "changed": c.Changed, "unchanged": c.Unchanged}})
	}
	var rows [][]string
	for i := range c.Deltas {
		d := &c.Deltas[i]
		ratio := "-"
		if d.Ratio > 0 {
			ratio = fmt.Sprintf("%.3g", d.Ratio)
		}
		rows = append(rows, []string{string(d.Change), countText(d.Before), countText(d.After), ratio,
			fmt.Sprintf("%.1f", d.Score), d.ID.String(), shortTemplate(d.Template)})
	}
	if err := a.table("CHANGE\tBEFORE\tAFTER\tRATIO\tSCORE\tID\tTEMPLATE", rows); err != nil {
		return err
	}
	if err := errors.Join(a.printSummary("Before: ", c.Before, o), a.printSummary("After: ", c.After, o)); err != nil {
		return err
	}
	var changes []string
	for _, kind := range []firn.PatternChange{firn.PatternNew, firn.PatternGrown, firn.PatternGone, firn.PatternShrunk} {
		changes = append(changes, fmt.Sprintf("%s %s", countText(int64(c.Changed[kind])), kind))
	}
	return a.printf("Patterns: %s, %s unchanged.\n", strings.Join(changes, ", "), countText(int64(c.Unchanged)))
}

// printJSONLines prints a list, and something at its end.
func printJSONLines[T any](a *app, list []T, end any) error {
	out := a.newLines()
	encode := json.NewEncoder(out)
	encode.SetEscapeHTML(false)
	for i := range list {
		if err := encode.Encode(&list[i]); err != nil {
			return err
		}
	}
	return errors.Join(encode.Encode(end), out.Flush())
}

// shareText writes a part of a whole for people: 12.3 %.
func shareText(part, whole int64) string {
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(max(1, whole)))
}

// secondText writes a time for people, in UTC.
func secondText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format("2006-01-02T15:04:05Z")
}

// shortTemplate cuts a template to a line that can still be read. It was made of log lines, so what a terminal would obey is escaped.
func shortTemplate(text string) string {
	const most = 160
	runes := []rune(text)
	if len(runes) <= most {
		return visible(text)
	}
	return visible(string(runes[:most])) + "…"
}
