package main

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/query"
	"github.com/firnlog/firn/query/sql"
)

const explainHelp = `Tell how a question is answered, as a tree: what each stage of pruning kept and skipped, where indexes were asked and why not, what is left to be
read and checked, in which order, and what that is expected to cost. No data page is read, unless --analyze runs the question: then the tree tells what really
happened beside what was expected. With --json, or --format json, the same as one JSON object.

`

// explainFlags are the flags of explain.
type explainFlags struct {
	searchFlags

	analyze bool
	sql     string
	format  string
}

func (a *app) explainCommand() *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain TABLE QUERY",
		Short: "Tell how a search is pruned, and with --analyze what it really takes",
		Long:  explainHelp + queryHelp,
		Example: `  firn explain web 'level:error NOT timeout'
  firn explain web 'trace_id:4bf92f3577b34da6' --analyze
  firn explain --sql "SELECT level, count(*) FROM web WHERE has_token(log_msg, 'timeout') GROUP BY level"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.sql != "" {
				return noArgs(cmd, args)
			}
			return exactArgs("TABLE", "QUERY")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.explain(cmd.Context(), args, &f) },
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&f.analyze, "analyze", false, "run it, print no rows, and tell what it took beside what was expected")
	cmd.Flags().StringVar(&f.sql, "sql", "", "explain a `SELECT` statement in place of TABLE and QUERY")
	cmd.Flags().StringVar(&f.format, "format", "", "print a `tree` or json (default tree, or json with --json)")
	return cmd
}

func (a *app) explain(ctx context.Context, args []string, f *explainFlags) error {
	switch f.format {
	case "", "tree", "json":
	default:
		return usagef("--format %q: there are tree and json", f.format)
	}
	name, parsed, err := f.parse(args)
	if err != nil {
		return err
	}
	q, err := f.question(parsed)
	if err != nil {
		return err
	}
	if q.count {
		q.query = firn.Query{Where: q.query.Where, Aggregates: []query.Aggregate{{Function: query.FuncCount}}}
	}
	return a.withAnswer(ctx, name, q, func(lake *firn.Lake, _ *firn.Table, answer *firn.Answer) error {
		explained := answer.Explanation()
		if f.analyze {
			if explained, err = answer.Analyze(ctx); err != nil {
				return err
			}
		}
		if f.stats {
			if err := a.printStats(lake, answer.Stats()); err != nil {
				return err
			}
		}
		if f.format == "json" || f.format == "" && a.json {
			content, err := json.Marshal(explained)
			if err != nil {
				return err
			}
			return a.printf("%s\n", content)
		}
		return a.printf("%s", explained.Tree(!a.showsUnicode()))
	})
}

// parse reads what is to be explained.
func (f *explainFlags) parse(args []string) (table string, q firn.Query, err error) {
	if f.sql == "" {
		q, err = firn.ParseQuery(args[1])
		return args[0], q, asUsage(err)
	}
	if q, err = sql.Parse(f.sql); err != nil {
		return "", q, asUsage(err)
	}
	return q.Table, q, nil
}

// showsUnicode says whether standard output shows more than ASCII: a terminal does if the locale says so.
func (a *app) showsUnicode() bool {
	if !a.isTerminal(a.stdout) {
		return true
	}
	for _, variable := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(a.getenv(variable)); locale != "" {
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return false
}

// printStats tells on standard error what an answer cost, and what the lake keeps in memory since.
func (a *app) printStats(lake *firn.Lake, st firn.Stats) error {
	return writeJSONLine(a.stderr, struct {
		firn.Stats

		Cache firn.CacheStats `json:"cache"`
	}{st, lake.CacheStats()})
}
