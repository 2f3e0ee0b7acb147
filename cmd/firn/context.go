package main

import (
	"context"
	"errors"

	"github.com/spf13/pflag"

	"github.com/firnlog/firn"
)

// contextFlags are the flags that ask for rows around the hits of a search, named as those of grep.
type contextFlags struct {
	around, before, after int
	stream                []string

	changed func(flag string) bool // on the command line
}

func (f *contextFlags) register(flags *pflag.FlagSet) {
	f.changed = flags.Changed
	flags.IntVarP(&f.around, "context", "C", 0, "also print `N` rows before and after each hit, of the same stream, as grep does; --limit counts hits")
	flags.IntVarP(&f.before, "before", "B", 0, "also print `N` rows before each hit")
	flags.IntVarP(&f.after, "after", "A", 0, "also print `N` rows after each hit")
	flags.StringSliceVar(&f.stream, "stream", nil, "with --context, --before or --after: rows with the same values of these `COLUMNS` are one stream; '' makes one of the whole table (default app_id,host)")
}

// add checks the flags and adds them to a question.
func (f *contextFlags) add(q *question) error {
	asked := f.changed("context") || f.changed("before") || f.changed("after")
	switch {
	case !asked && f.changed("stream"):
		return usagef("--stream: it tells which rows belong to a hit: give --context N, --before N or --after N too")
	case !asked:
		return nil
	case q.groups() || q.count:
		return usagef("--context: groups and counts have no rows around them")
	}
	q.context = &firn.ContextOptions{Before: f.around, After: f.around}
	if f.changed("before") {
		q.context.Before = f.before
	}
	if f.changed("after") {
		q.context.After = f.after
	}
	if f.changed("stream") {
		q.context.Stream = append([]string{}, f.stream...)
	}
	return nil
}

// printContext prints the rows of an answer with those around them, and tells whether there are more than were to be printed.
func (a *app) printContext(ctx context.Context, q *question, printer rowPrinter, answer *firn.Answer) (more bool, err error) {
	hits, group := 0, 0
	for row, err := range answer.RowsWithContext(ctx, *q.context) {
		if err != nil {
			return false, errors.Join(err, printer.flush())
		}
		if group != 0 && group != row.Group {
			if err := printer.separator(); err != nil {
				return false, err
			}
		}
		group = row.Group
		if row.Part == firn.PartHit {
			hits++
		}
		if err := printer.row(row.Row, rowPlace{part: string(row.Part), group: row.Group}); err != nil {
			return false, err
		}
	}
	return q.cut > 0 && hits >= q.cut, printer.finish()
}
