package main

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
)

// searchFlags are the flags of search and explain.
type searchFlags struct {
	askFlags

	limit   int
	order   string
	count   bool
	columns []string
	context contextFlags // of search alone

	changed func(flag string) bool // on the command line
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
	f.changed = flags.Changed
	f.askFlags.register(flags)
	flags.IntVar(&f.limit, "limit", 0, "at most `N` rows; 0 is all (default 200 on a terminal, else all)")
	flags.StringVar(&f.order, "order", "newest", "`newest` or oldest first")
	flags.BoolVar(&f.count, "count", false, "print the number of matching rows only (--limit does not matter)")
	flags.StringSliceVar(&f.columns, "columns", nil, "print these columns only, `a,b`; a key of attrs is attrs.key")
}

// question checks the flags and adds them to a query.
func (f *searchFlags) question(q firn.Query) (*question, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	asked := &question{query: q, options: o, flags: &f.askFlags, count: f.count}
	switch {
	case f.limit < 0:
		return nil, usagef("--limit %d: must not be negative", f.limit)
	case f.changed("limit") && q.Limit > 0:
		return nil, usagef("--limit %d: the query has a limit already, of %d", f.limit, q.Limit)
	case f.changed("order") && len(q.OrderBy) > 0:
		return nil, usagef("--order: the query is sorted already")
	case len(f.columns) > 0 && len(q.Columns) > 0:
		return nil, usagef("--columns: the query names its columns already")
	case f.count && asked.groups():
		return nil, usagef("--count: the query counts already")
	}
	switch f.order {
	case "newest":
		asked.options.Order = firn.NewestFirst
	case "oldest":
		asked.options.Order = firn.OldestFirst
	default:
		return nil, usagef("--order %q: there are newest and oldest", f.order)
	}
	if f.limit > 0 {
		asked.query.Limit = f.limit
	}
	for _, c := range f.columns {
		if c = strings.TrimSpace(c); c == "" {
			return nil, usagef("--columns: an empty name in %q", strings.Join(f.columns, ","))
		}
		if key, ok := strings.CutPrefix(c, columnAttrs+"."); ok && key != "" {
			asked.query.Columns = append(asked.query.Columns, firn.Attr(key))
			continue
		}
		asked.query.Columns = append(asked.query.Columns, firn.Col(c))
		if !asked.groups() {
			asked.columns = append(asked.columns, c)
		}
	}
	return asked, nil
}

func (a *app) searchCommand() *cobra.Command {
	var f searchFlags
	cmd := &cobra.Command{
		Use:   "search TABLE QUERY",
		Short: "Print the rows that match a query, or what it counts",
		Long:  "Print the rows that match a query, or the groups that it makes of them.\n\n" + queryHelp,
		Example: `  firn search web 'timeout NOT level:debug' --from 2026-11-22 --limit 20
  firn search web 'trace_id:4bf92f3577b34da6' --columns _timestamp,log_msg
  firn search web '"connection reset" OR refused' --count
  firn search web 'panic' --context 10`,
		Args: exactArgs("TABLE", "QUERY"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.search(cmd.Context(), args[0], args[1], f) },
	}
	f.register(cmd)
	f.registerOutput(cmd.Flags())
	f.context.register(cmd.Flags())
	return cmd
}

func (a *app) search(ctx context.Context, name, text string, f searchFlags) error {
	parsed, err := firn.ParseQuery(text)
	if err != nil {
		return asUsage(err)
	}
	q, err := f.question(parsed)
	if err != nil {
		return err
	}
	if err := f.context.add(q); err != nil {
		return err
	}
	a.limitForPeople(q, f.changed("limit"))
	return a.ask(ctx, name, q)
}

// withScan plans a search and hands it over.
func (a *app) withScan(ctx context.Context, name, text string, f searchFlags, use func(*firn.Scan) error) (err error) {
	parsed, err := firn.ParseQuery(text)
	if err != nil {
		return asUsage(err)
	}
	q, err := f.question(parsed)
	if err != nil {
		return err
	}
	return a.withAnswer(ctx, name, q, func(_ *firn.Lake, _ *firn.Table, answer *firn.Answer) error { return use(answer.Scan()) })
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
