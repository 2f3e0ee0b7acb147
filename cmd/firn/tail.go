package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
)

// tailFlags are the flags of tail.
type tailFlags struct {
	rows     int
	interval time.Duration
	columns  []string
	noIndex  bool
	format   string
	color    string
}

func (a *app) tailCommand() *cobra.Command {
	f := tailFlags{interval: 2 * time.Second}
	cmd := &cobra.Command{
		Use:   "tail TABLE QUERY",
		Short: "Print the last rows that match a query, and then those that are committed",
		Long: `Print the last rows that match a query, and then rows as they are committed, each exactly once, until it is interrupted.

Rows that are committed between two looks at the table come together, oldest first; rows that come late, with old timestamps, are printed too. Files that are
written anew print nothing. Failures of the storage and the catalog are waited out. Standard error tells of rows that cannot be shown, because snapshots
were expired meanwhile or another engine overwrote data, and of a table that was dropped, made anew or rolled back.

` + queryHelp,
		Example: `  firn tail web 'level:error'
  firn tail web '*' -n 0 --interval 500ms --columns _timestamp,log_msg`,
		Args: exactArgs("TABLE", "QUERY"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.tail(cmd.Context(), args[0], args[1], f) },
	}
	flags := cmd.Flags()
	flags.IntVarP(&f.rows, "rows", "n", 10, "print the newest `N` rows that are there already")
	flags.DurationVar(&f.interval, "interval", f.interval, "look at the table every `TIME`")
	flags.StringSliceVar(&f.columns, "columns", nil, "print these columns only, `a,b`; a key of attrs is attrs.key")
	flags.BoolVar(&f.noIndex, "no-index", false, "use neither text indexes nor bloom filters")
	flags.StringVar(&f.format, "format", "", "print rows as `F`: "+formatNames()+" (default pretty on a terminal, else jsonl)")
	flags.StringVar(&f.color, "color", colorAuto, "`WHEN` to use colours: auto (on a terminal, unless NO_COLOR is set), always or never")
	return cmd
}

// question checks the flags and the query.
func (f *tailFlags) question(text string) (*question, error) {
	parsed, err := firn.ParseQuery(text)
	if err != nil {
		return nil, asUsage(err)
	}
	switch {
	case f.rows < 0:
		return nil, usagef("--rows %d: must not be negative", f.rows)
	case f.interval <= 0:
		return nil, usagef("--interval %s: must be more than nothing", f.interval)
	}
	if err := firn.Followable(parsed); err != nil {
		return nil, asUsage(err)
	}
	as := searchFlags{columns: f.columns, order: "newest", changed: func(string) bool { return false }}
	as.noIndex = f.noIndex
	return as.question(parsed)
}

func (a *app) tail(ctx context.Context, name, text string, f tailFlags) error {
	q, err := f.question(text)
	if err != nil {
		return err
	}
	format, err := a.chooseFormat(f.format, false)
	if err != nil {
		return err
	}
	if _, err := a.colored(f.color); err != nil {
		return err
	}
	q.options.Files = []firn.DataFile{} // of the answer, only the columns are needed
	err = a.withAnswer(ctx, name, q, func(lake *firn.Lake, table *firn.Table, answer *firn.Answer) error {
		if format != formatJSONL && len(q.query.Columns) == 0 { // columns that are added later have no place
			for _, c := range answer.Columns() {
				q.query.Columns = append(q.query.Columns, firn.Col(c.Name))
			}
		}
		printer, err := a.newRowPrinter(printing{
			format: format, color: f.color, fields: answer.Columns(), schema: answer.ArrowSchema(), where: q.query.Where, names: columnNames(table),
		})
		if err != nil {
			return err
		}
		return a.follow(ctx, lake, name, q, f, printer)
	})
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // being interrupted is how it ends
	}
	return err
}

// follow prints rows until the context ends.
func (a *app) follow(ctx context.Context, lake *firn.Lake, name string, q *question, f tailFlags, printer rowPrinter) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var failed error // of flushing
	o := firn.FollowOptions{Last: f.rows, Interval: f.interval, NoIndex: f.noIndex, Notice: func(text string) { a.warnf("%s", text) }}
	o.Waiting = func() {
		if failed = printer.flush(); failed != nil {
			stop()
		}
	}
	for row, err := range lake.Follow(ctx, name, q.query, o) {
		if err != nil {
			return errors.Join(err, printer.flush())
		}
		if err := printer.row(row, rowPlace{}); err != nil {
			return err
		}
	}
	if failed != nil {
		return failed
	}
	return printer.finish()
}
