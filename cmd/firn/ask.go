package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/pflag"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/query"
)

// terminalRows is how many rows a search prints on a terminal if nobody says how many.
const terminalRows = 200

// askFlags are the flags of the verbs that ask a question and print its answer.
type askFlags struct {
	from, to   string
	noIndex    bool
	forceIndex bool
	stats      bool

	maxTime  time.Duration
	maxBytes string
	maxRows  int64

	format      string
	color       string
	noHistogram bool
}

func (f *askFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.from, "from", "", "only rows at or after `T`: "+timeHelp)
	flags.StringVar(&f.to, "to", "", "only rows before `T`")
	flags.BoolVar(&f.noIndex, "no-index", false, "use neither text indexes nor bloom filters")
	flags.BoolVar(&f.forceIndex, "force-index", false, "ask the text indexes of all files, also where reading without them is expected to cost less")
	flags.BoolVar(&f.stats, "stats", false, "print what it cost on standard error, as one JSON object")
	flags.DurationVar(&f.maxTime, "max-time", 0, "stop after this `TIME`, such as 5s, with what was found so far (exit code 4); 0 is no limit")
	flags.StringVar(&f.maxBytes, "max-bytes", "", "stop when so many `BYTES` were read, such as 1GB, with what was found so far (exit code 4)")
	flags.Int64Var(&f.maxRows, "max-rows", 0, "stop when `N` rows were decoded, with what was found so far (exit code 4); 0 is no limit")
}

// registerOutput adds the flags that say how rows are printed.
func (f *askFlags) registerOutput(flags *pflag.FlagSet) {
	flags.StringVar(&f.format, "format", "", "print rows as `F`: "+formatNames()+" (default pretty on a terminal, else jsonl)")
	flags.StringVar(&f.color, "color", colorAuto, "`WHEN` to use colours: auto (on a terminal, unless NO_COLOR is set), always or never")
	flags.BoolVar(&f.noHistogram, "no-histogram", false, "print no histogram above the rows on a terminal")
}

// options checks the flags.
func (f *askFlags) options() (o firn.AskOptions, err error) {
	o.NoIndex, o.ForceIndex = f.noIndex, f.forceIndex
	if o.From, o.To, err = parseWindow(f.from, f.to); err != nil {
		return o, err
	}
	switch {
	case f.maxTime < 0:
		return o, usagef("--max-time %s: must not be negative", f.maxTime)
	case f.maxRows < 0:
		return o, usagef("--max-rows %d: must not be negative", f.maxRows)
	}
	o.Limits = firn.Limits{Time: f.maxTime, Rows: f.maxRows}
	if f.maxBytes != "" {
		n, err := humanize.ParseBytes(f.maxBytes)
		if err != nil || n > 1<<62 {
			return o, usagef("--max-bytes %q: write a number of bytes, such as 500MB or 1GiB", f.maxBytes)
		}
		o.Limits.Bytes = int64(n)
	}
	return o, nil
}

// question is what is asked, and how its answer is printed.
type question struct {
	query     firn.Query
	options   firn.AskOptions
	flags     *askFlags
	context   *firn.ContextOptions // print rows around the hits too; nil: the hits alone
	count     bool                 // print the number of rows that match, alone
	cut       int                  // print so many rows and tell if there are more; 0: all
	histogram bool                 // above the rows, on a terminal
	columns   []string             // of --columns, that the table must have
}

// groups tells whether the answer is one of groups, not of rows.
func (q *question) groups() bool { return len(q.query.GroupBy)+len(q.query.Aggregates) > 0 }

// limitForPeople makes the answer one that a person can look at, if standard output is a terminal and nobody said how many rows there should be.
func (a *app) limitForPeople(q *question, said bool) {
	if !said && q.query.Limit == 0 && !q.count && !q.groups() && a.isTerminal(a.stdout) {
		q.cut = terminalRows
		q.query.Limit = terminalRows + 1 // one more, to tell whether there are more
		if q.context != nil {
			q.query.Limit = terminalRows // it would bring rows around it
		}
	}
}

// withAnswer plans a question and hands its answer over.
func (a *app) withAnswer(ctx context.Context, name string, q *question, use func(*firn.Lake, *firn.Table, *firn.Answer) error) (err error) {
	a.quiet = q.flags.stats // standard error then holds one JSON object, which counts what the log would tell
	lake, table, err := a.openTable(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	if err := checkColumns("--columns", table, q.columns); err != nil {
		return err
	}
	answer, err := lake.Query(ctx, table, q.query, q.options)
	if err != nil {
		return err
	}
	return use(lake, table, answer)
}

// ask answers a question on standard output.
func (a *app) ask(ctx context.Context, name string, q *question) error {
	if q.count && q.flags.format != "" { // as a table of one number
		q.query = firn.Query{Where: q.query.Where, Aggregates: []query.Aggregate{{Function: query.FuncCount, As: "count"}}}
		q.count = false
	}
	format, err := a.chooseFormat(q.flags.format, q.groups())
	if err != nil {
		return err
	}
	if _, err := a.colored(q.flags.color); err != nil {
		return err
	}
	return a.withAnswer(ctx, name, q, func(lake *firn.Lake, table *firn.Table, answer *firn.Answer) error {
		more, partial := false, answer.Partial
		if q.count {
			partial = answer.Scan().Partial
			err = a.printCount(ctx, answer.Scan())
		} else {
			more, err = a.printRows(ctx, q, format, lake, table, answer)
		}
		if err != nil && !brokenPipe(err) {
			return err
		}
		if q.flags.stats {
			err = errors.Join(err, a.printStats(lake, answer.Stats()))
		}
		return errors.Join(err, a.tellMissing(q, more, partial()))
	})
}

// printRows prints the rows of an answer, and tells whether there are more than were to be printed.
func (a *app) printRows(ctx context.Context, q *question, format outputFormat, lake *firn.Lake, table *firn.Table, answer *firn.Answer) (more bool, err error) {
	printer, err := a.newRowPrinter(printing{
		format: format, color: q.flags.color, fields: answer.Columns(), schema: answer.ArrowSchema(), where: q.query.Where, names: columnNames(table),
		places: q.context != nil,
	})
	if err != nil {
		return false, err
	}
	if q.context != nil {
		return a.printContext(ctx, q, printer, answer)
	}
	var overview *histogram
	if q.histogram && !q.flags.noHistogram && !q.groups() && (format == formatPretty || format == formatTable) && a.isTerminal(a.stdout) {
		overview = a.startHistogram(ctx, lake, table, q)
		defer func() { err = errors.Join(err, overview.finish(a, q)) }()
	}
	printed := 0
	for row, err := range answer.Rows(ctx) {
		if err != nil {
			return false, errors.Join(err, printer.flush())
		}
		if q.cut > 0 && printed == q.cut {
			more = true
			break
		}
		if err := overview.beforeRows(a, q); err != nil {
			return false, err
		}
		if err := printer.row(row, rowPlace{}); err != nil {
			return false, err
		}
		printed++
	}
	return more, printer.finish()
}

// tellMissing tells on standard error, and by the exit code, that there is more than was printed.
func (a *app) tellMissing(q *question, more bool, partial string) error {
	if more && !q.flags.stats {
		which := "newest"
		if by := q.query.OrderBy; len(by) > 0 {
			which = "first"
		} else if q.options.Order == firn.OldestFirst {
			which = "oldest"
		}
		a.warnf("these are the %s %d rows; --limit N prints more, --limit 0 all", which, q.cut)
	}
	if partial == "" {
		return nil
	}
	partialErr := &exitError{code: exitPartial}
	if !q.flags.stats { // whose object says so
		partialErr.err = errors.New("PARTIAL ANSWER: " + partial + "; there may be more")
	}
	return partialErr
}

// columnNames returns the names of a table's columns.
func columnNames(table *firn.Table) (names []string) {
	for _, c := range table.Columns() {
		names = append(names, c.Name)
	}
	return names
}

// checkColumns refuses columns of a flag that the table lacks.
func checkColumns(flag string, table *firn.Table, wanted []string) error {
	names := columnNames(table)
	for _, w := range wanted {
		if !slices.Contains(names, w) {
			return usagef("%s: table %s has no column %q; it has %s", flag, table.Name(), w, strings.Join(names, ", "))
		}
	}
	return nil
}

func (a *app) printCount(ctx context.Context, scan *firn.Scan) error {
	n, err := scan.Count(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(map[string]int64{"count": n})
	}
	return a.printf("%d\n", n)
}
