package main

import (
	"context"
	"fmt"
	"os"
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

	dsl string // where a query in JSON is

	changed func(flag string) bool // on the command line
}

// conditionHelp tells how conditions are written.
const conditionHelp = `QUERY is one argument:

  timeout                  the word, in log_msg, in any case; conn* is a word that begins so
  "connection reset"       a phrase: these words next to each other
  ~"reset by p"            a text anywhere in log_msg, as it is written
  /took [0-9]{3,}ms/       a regular expression (RE2)
  level:error              a column (or a key of attrs) has exactly this value; host:web* begins so
  host:"a phrase"          words of another text; host:~"x", host:/x/ and log_msg:timeout likewise
  level:(warn OR error)    one of several values; attrs.pod:* has any value
  status>=500              < <= > >= and ranges: took:[10 TO 20]
  last 15m                 the latest rows; _timestamp>=now-15m is the same
  log$.user.id:42          what a JSON path finds in the texts of a column
  a b, a AND b             both; OR, NOT, -a and ( ) as usual; operators are upper-case
  _pattern:a8b53aba8a8d1040   rows of a pattern, by the id that firn patterns prints
  *                        everything; a backslash takes the next character as it is

--from and --to cut out [from, to): the first instant belongs to it, the last does not.`

// queryHelp tells how questions are written.
const queryHelp = conditionHelp + `

Pipes behind it make groups, order, cut and choose:

  level:error | stats count() by host, bucket(_timestamp, 1h)
  * | stats count() as n, quantile(0.99, took) by app_id | sort by n desc | limit 10
  timeout | fields _timestamp, log_msg, attrs.pod

The functions are count, count_distinct, min, max, sum, avg and quantile.`

// searchHelp is about what search prints.
const searchHelp = `

On a terminal rows are printed for people (--format pretty): local time, coloured levels, what the query matched highlighted, a histogram of the matching rows
above, and no more than the newest 200 unless --limit or the query says otherwise. Elsewhere each row is a JSON object on a line (--format jsonl). csv, table
and arrow (an Arrow IPC stream, for DuckDB, pandas or Polars) are the other formats.

--max-time, --max-bytes and --max-rows bound what a search may cost. If one is reached, what was found is printed, standard error says that the answer is partial,
and the exit code is 4.`

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
	asked := &question{query: q, options: o, flags: &f.askFlags, count: f.count, histogram: true}
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
		Use:   "search TABLE QUERY | search TABLE --dsl FILE",
		Short: "Print the rows that match a query, or what it counts",
		Long:  "Print the rows that match a query, or the groups that it makes of them.\n\n" + queryHelp + searchHelp,
		Example: `  firn search web 'timeout NOT level:debug' --from 2026-11-22 --limit 20
  firn search web 'trace_id:4bf92f3577b34da6' --columns _timestamp,log_msg
  firn search web '"connection reset" OR refused last 15m' --count
  firn search web 'status>=500 | stats count() by host, bucket(_timestamp, 1h)' --format csv
  firn search web 'conn* ~"by peer"' --format arrow > rows.arrows
  firn search web 'panic' --context 10
  firn search web --dsl query.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.dsl != "" {
				return exactArgs("TABLE")(cmd, args)
			}
			return exactArgs("TABLE", "QUERY")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.dsl != "" {
				return a.searchDSL(cmd.Context(), args[0], f)
			}
			return a.search(cmd.Context(), args[0], args[1], f)
		},
	}
	f.register(cmd)
	f.registerOutput(cmd.Flags())
	f.context.register(cmd.Flags())
	cmd.Flags().StringVar(&f.dsl, "dsl", "", "read the query from `FILE`, or - for standard input, as JSON in the shape of Elasticsearch's query DSL")
	return cmd
}

func (a *app) search(ctx context.Context, name, text string, f searchFlags) error {
	parsed, err := firn.ParseQuery(text)
	if err != nil {
		return asUsage(err)
	}
	return a.searchQuery(ctx, name, parsed, f)
}

// searchDSL searches with a query in JSON.
func (a *app) searchDSL(ctx context.Context, name string, f searchFlags) error {
	in := a.stdin
	if f.dsl != "-" {
		file, err := os.Open(f.dsl)
		if err != nil {
			return fmt.Errorf("--dsl: %w", err)
		}
		defer file.Close() //nolint:errcheck // it was only read
		in = file
	}
	text, err := a.readQuery(in)
	if err != nil {
		return err
	}
	parsed, err := firn.ParseDSL([]byte(text))
	if err != nil {
		return asUsage(err)
	}
	return a.searchQuery(ctx, name, parsed, f)
}

// searchQuery adds the flags to a query and prints its answer.
func (a *app) searchQuery(ctx context.Context, name string, parsed firn.Query, f searchFlags) error {
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
