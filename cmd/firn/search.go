package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
)

// searchFlags are the flags of search and explain.
type searchFlags struct {
	from, to   string
	limit      int
	order      string
	count      bool
	columns    []string
	noIndex    bool
	forceIndex bool
	stats      bool
}

const queryHelp = `QUERY is one argument:

  timeout                  the word, in log_msg, in any case
  "connection reset"       a phrase: these words next to each other
  level:error              a column (or a key of attrs) has exactly this value
  log_msg:timeout          a word in log_msg; field:"a phrase" works for any text
  a b, a AND b             both; OR, NOT and ( ) as usual; operators are upper-case
  _pattern:a8b53aba8a8d1040   rows of a pattern, by the id that firn patterns prints
  *                        everything

--from and --to cut out [from, to): the first instant belongs to it, the last does not.`

func (f *searchFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "only rows at or after `T`: "+timeHelp)
	flags.StringVar(&f.to, "to", "", "only rows before `T`")
	flags.IntVar(&f.limit, "limit", 0, "at most `N` rows; 0 is all")
	flags.StringVar(&f.order, "order", "newest", "`newest` or oldest first")
	flags.BoolVar(&f.count, "count", false, "print the number of matching rows only (--limit does not matter)")
	flags.StringSliceVar(&f.columns, "columns", nil, "print these columns only, `a,b`")
	flags.BoolVar(&f.noIndex, "no-index", false, "use neither text indexes nor bloom filters")
	flags.BoolVar(&f.forceIndex, "force-index", false, "ask the text indexes of all files, also where reading without them is expected to cost less")
	flags.BoolVar(&f.stats, "stats", false, "print what it cost on standard error, as one JSON object")
}

// request checks the flags and the query.
func (f *searchFlags) request(text string) (firn.Request, error) {
	r := firn.Request{Limit: f.limit, NoIndex: f.noIndex, ForceIndex: f.forceIndex}
	if f.limit < 0 {
		return r, usagef("--limit %d: must not be negative", f.limit)
	}
	switch f.order {
	case "newest":
		r.Order = firn.NewestFirst
	case "oldest":
		r.Order = firn.OldestFirst
	default:
		return r, usagef("--order %q: there are newest and oldest", f.order)
	}
	for _, c := range f.columns {
		if c = strings.TrimSpace(c); c == "" {
			return r, usagef("--columns: an empty name in %q", strings.Join(f.columns, ","))
		}
		r.Columns = append(r.Columns, c)
	}
	var err error
	if r.From, r.To, err = parseWindow(f.from, f.to); err != nil {
		return r, err
	}
	if r.Predicate, err = firn.Parse(text); err != nil {
		return r, asUsage(err)
	}
	return r, nil
}

func (a *app) searchCommand() *cobra.Command {
	var f searchFlags
	cmd := &cobra.Command{
		Use:   "search TABLE QUERY",
		Short: "Print the rows that match a query, one JSON object each",
		Long:  "Print the rows that match a query, one JSON object each.\n\n" + queryHelp,
		Example: `  firn search web 'timeout NOT level:debug' --from 2026-11-22 --limit 20
  firn search web 'trace_id:4bf92f3577b34da6' --columns _timestamp,log_msg
  firn search web '"connection reset" OR refused' --count`,
		Args: exactArgs("TABLE", "QUERY"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.search(cmd.Context(), args[0], args[1], f) },
	}
	f.register(cmd)
	return cmd
}

func (a *app) search(ctx context.Context, name, text string, f searchFlags) error {
	return a.withScan(ctx, name, text, f, func(scan *firn.Scan) error {
		var err error
		if f.count {
			err = a.printCount(ctx, scan)
		} else {
			err = a.printRows(ctx, scan)
		}
		if f.stats && (err == nil || brokenPipe(err)) {
			err = errors.Join(err, writeJSONLine(a.stderr, scan.Stats()))
		}
		return err
	})
}

// withScan plans a search and hands it over.
func (a *app) withScan(ctx context.Context, name, text string, f searchFlags, use func(*firn.Scan) error) (err error) {
	r, err := f.request(text)
	if err != nil {
		return err
	}
	a.quiet = f.stats // standard error then holds one JSON object, which counts what the log would tell
	lake, table, err := a.openTable(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	if err := checkColumns("--columns", table, r.Columns); err != nil {
		return err
	}
	scan, err := lake.Plan(ctx, table, r)
	if err != nil {
		return err
	}
	return use(scan)
}

// checkColumns refuses columns of a flag that the table lacks.
func checkColumns(flag string, table *firn.Table, wanted []string) error {
	var names []string
	for _, c := range table.Columns() {
		names = append(names, c.Name)
	}
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

func (a *app) printRows(ctx context.Context, scan *firn.Scan) error {
	out := a.newLines()
	for row, err := range scan.Rows(ctx) {
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		text, err := row.MarshalJSON()
		if err != nil {
			return fmt.Errorf("cannot print a row: %w", err)
		}
		if err := out.line(text); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (a *app) explainCommand() *cobra.Command {
	var f searchFlags
	cmd := &cobra.Command{
		Use:   "explain TABLE QUERY",
		Short: "Tell how a search is pruned, without reading data",
		Long:  "Tell how a search is pruned: what each stage kept and skipped, and why an index was not used. No data page is read.\n\n" + queryHelp,
		Args:  exactArgs("TABLE", "QUERY"),
		RunE:  func(cmd *cobra.Command, args []string) error { return a.explain(cmd.Context(), args[0], args[1], f) },
	}
	f.register(cmd)
	return cmd
}

func (a *app) explain(ctx context.Context, name, text string, f searchFlags) error {
	return a.withScan(ctx, name, text, f, func(scan *firn.Scan) error {
		if f.stats {
			if err := writeJSONLine(a.stderr, scan.Stats()); err != nil {
				return err
			}
		}
		if !a.json {
			return a.printf("%s\n", strings.TrimRight(scan.Explain(), "\n"))
		}
		content, err := json.Marshal(scan.Explanation())
		if err != nil {
			return err
		}
		return a.printf("%s\n", content)
	})
}
