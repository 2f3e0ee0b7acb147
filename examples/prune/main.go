// Command prune uses firn for pruning only: it plans a search, does not run it, and hands what is left (data files, row ranges, the condition that is
// still to be checked) to another reader. It prints a query for DuckDB, and runs it if Python with DuckDB is there
// (set FIRN_PYTHON to choose one); else it reads the rows itself.
//
//	go run ./examples/prune ['QUERY']
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/examples/quickstart/sample"
)

// defaultQuery is searched for unless the command line says something else.
const defaultQuery = `"No instances available" level:error`

func main() {
	flag.Parse()
	query := defaultQuery
	if flag.NArg() > 0 {
		query = flag.Arg(0)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, query, findDuckDB(ctx)); err != nil {
		fmt.Fprintln(os.Stderr, "prune:", err)
		os.Exit(1)
	}
}

// run is the whole example. duckDB runs a query and returns what it prints; nil: there is none.
func run(ctx context.Context, out io.Writer, query string, duckDB func(ctx context.Context, sql string) (string, error)) (err error) {
	dir, err := os.MkdirTemp("", "firn-prune-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	lake, err := firn.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	table, err := load(ctx, lake)
	if err != nil {
		return err
	}

	predicate, err := firn.Parse(query)
	if err != nil {
		return err
	}
	scan, err := lake.Plan(ctx, table, firn.Request{Predicate: predicate, Order: firn.OldestFirst, ForceIndex: true})
	if err != nil {
		return err
	}
	tasks := scan.Tasks() // pruning ends here; no data page has been read
	printTasks(out, query, tasks, scan.Stats())
	if len(tasks) == 0 {
		fmt.Fprintln(out, "No file can hold a match: there is nothing to read.")
		return nil
	}

	sql, err := tasksSQL(tasks)
	switch {
	case err != nil:
		fmt.Fprintf(out, "\nThe rest of the condition has no SQL here (%v).\n", err)
	default:
		fmt.Fprintf(out, "\nFor DuckDB:\n\n%s\n", sql)
	}
	count := int64(0)
	if duckDB != nil && err == nil {
		answer, err := duckDB(ctx, sql)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "\nDuckDB finds %s rows.\n", answer)
		return err
	}
	if count, err = readTasks(ctx, lake, table, tasks); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nWithout DuckDB here, firn's own Parquet reader fetched the %d candidate rows.\n", count)
	return err
}

// load makes a table of the sample.
func load(ctx context.Context, lake *firn.Lake) (*firn.Table, error) {
	table, err := lake.Create(ctx, firn.TableSpec{Name: "shop"})
	if err != nil {
		return nil, err
	}
	writer, err := lake.Writer(ctx, table, firn.WriterOptions{})
	if err != nil {
		return nil, err
	}
	lines, err := sample.Open()
	if err != nil {
		return nil, err
	}
	err = firn.Load(ctx, writer, lines, firn.LoadOptions{Name: sample.Name})
	if err := errors.Join(err, lines.Close(), writer.Close(ctx)); err != nil {
		return nil, err
	}
	return lake.Table(ctx, "shop")
}

// printTasks shows what pruning left.
func printTasks(out io.Writer, query string, tasks []firn.Task, stats firn.Stats) {
	fmt.Fprintf(out, "Query: %s\n%d files with %d rows in the table; pruning left %d files with %d candidate rows, reading %d bytes.\n",
		query, stats.FilesTotal, stats.RowsTotal, len(tasks), candidates(tasks), stats.BytesRead)
	for _, t := range tasks {
		fmt.Fprintf(out, "\n%s\n  row groups %v, rows", t.File.Path, t.RowGroups)
		const most = 8
		for i, r := range t.Rows {
			if i == most {
				fmt.Fprintf(out, " … (%d ranges)", len(t.Rows))
				break
			}
			fmt.Fprintf(out, " [%d,%d)", r.Start, r.End)
		}
		if t.Residual == nil {
			fmt.Fprint(out, "\n  nothing left to check: all of them match\n")
		} else {
			fmt.Fprintf(out, "\n  still to be checked: %s\n", t.Residual)
		}
	}
}

func candidates(tasks []firn.Task) (n int64) {
	for _, t := range tasks {
		n += t.Candidates
	}
	return n
}
