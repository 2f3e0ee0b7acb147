package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
)

// mostQueryBytes is how long a query on standard input or in a file may be.
const mostQueryBytes = 1 << 20

const sqlHelp = `Answer a question that is written as a SELECT statement. The table is what FROM says.

  SELECT * FROM web WHERE trace_id = '4bf9' AND log_date = '20261122' ORDER BY _timestamp DESC LIMIT 200
  SELECT count(*) FROM web WHERE has_token(log_msg, 'timeout')
  SELECT level, count(*) AS n FROM web WHERE _timestamp >= now() - interval '1' hour GROUP BY level ORDER BY n DESC
  SELECT date_trunc('hour', _timestamp) AS hour, quantile(0.99, attrs['took']) FROM web GROUP BY 1 ORDER BY 1

Conditions: = <> < <= > >= BETWEEN, IN, LIKE, IS NULL, AND, OR, NOT; has_token(col, 'word'), phrase(col, 'two words'). attrs['k'] and element_at(attrs, 'k') are
the value of a key. log_date is the UTC day of a row. Functions: count, count(DISTINCT x), min, max, sum, avg, quantile(q, x), date_trunc, date_histogram.
Joins, subqueries and the like are for engines such as Trino, Spark and DuckDB, which read the same tables.

- instead of the statement reads it from standard input.`

func (a *app) sqlCommand() *cobra.Command {
	var f askFlags
	cmd := &cobra.Command{
		Use:   "sql STATEMENT",
		Short: "Answer a question written as a SELECT statement",
		Long:  sqlHelp,
		Example: `  firn sql "SELECT * FROM web WHERE has_token(log_msg, 'timeout') LIMIT 20"
  firn sql "SELECT level, count(*) FROM web GROUP BY level" --format csv
  firn sql - < question.sql`,
		Args: exactArgs("STATEMENT"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.sql(cmd.Context(), args[0], f) },
	}
	f.register(cmd.Flags())
	f.registerOutput(cmd.Flags())
	return cmd
}

func (a *app) sql(ctx context.Context, text string, f askFlags) error {
	if text == "-" {
		var err error
		if text, err = a.readQuery(a.stdin); err != nil {
			return err
		}
	}
	parsed, err := firn.ParseSQL(text)
	if err != nil {
		return asUsage(err)
	}
	o, err := f.options()
	if err != nil {
		return err
	}
	q := &question{query: parsed, options: o, flags: &f}
	a.limitForPeople(q, false)
	return a.ask(ctx, parsed.Table, q)
}

// readQuery reads a query that is not on the command line.
func (a *app) readQuery(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, mostQueryBytes+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > mostQueryBytes:
		return "", usagef("a query may have %d bytes, at most", mostQueryBytes)
	case strings.TrimSpace(string(text)) == "":
		return "", usagef("the query that was read is empty")
	}
	return string(text), nil
}
