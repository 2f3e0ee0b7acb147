// Command quickstart shows firn end to end: it makes a lake in a temporary directory from a small real log that comes with the
// repository, searches it, and prints rows, what was skipped and why, and what to try next.
//
//	go run ./examples/quickstart          # the lake is removed at the end
//	go run ./examples/quickstart -keep    # the lake stays, to try the command line on it
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/examples/quickstart/sample"
)

func main() {
	keep := flag.Bool("keep", false, "keep the lake, and print where it is")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *keep, time.Now); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run is the whole example.
func run(ctx context.Context, out io.Writer, keep bool, now func() time.Time) (err error) {
	dir, err := os.MkdirTemp("", "firn-quickstart-")
	if err != nil {
		return err
	}
	if !keep {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}

	// A lake is a directory. This is all that it takes.
	lake, err := firn.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()

	start := now()
	report, err := load(ctx, lake)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Loaded %d real log lines (%.1f MB of JSON) into the Iceberg table \"shop\" in %.2f s:\n",
		report.CommittedRows, float64(report.InputBytes)/1e6, now().Sub(start).Seconds())
	fmt.Fprintf(out, "%d Parquet files, one a day, %.2f MB; their text indexes %.2f MB.\n",
		report.Files, float64(report.DataBytes)/1e6, float64(report.IndexBytes)/1e6)

	for _, s := range searches {
		if err := show(ctx, out, lake, s); err != nil {
			return fmt.Errorf("search for %s: %w", s.query, err)
		}
	}
	next(out, dir, keep)
	return nil
}

// load makes the table and fills it.
func load(ctx context.Context, lake *firn.Lake) (firn.WriteReport, error) {
	// The default design: partitioned by day, sorted by time, indexes on the message, a bloom filter on trace_id.
	table, err := lake.Create(ctx, firn.TableSpec{Name: "shop"})
	if err != nil {
		return firn.WriteReport{}, err
	}
	writer, err := lake.Writer(ctx, table, firn.WriterOptions{})
	if err != nil {
		return firn.WriteReport{}, err
	}
	lines, err := sample.Open()
	if err != nil {
		return firn.WriteReport{}, err
	}
	err = firn.Load(ctx, writer, lines, firn.LoadOptions{Name: sample.Name})
	// Close commits: before it, nobody sees a row; after it, everybody sees all of them.
	err = errors.Join(err, lines.Close(), writer.Close(ctx))
	return writer.Report(), err
}

// search is one thing to look for.
type search struct {
	about, query string
	rows         int // to print
}

// searches are the kinds of search that people do all day.
var searches = []search{
	{"a word", `IllegalStateException`, 2},
	{"a phrase", `"No instances available for ts-seat-service"`, 2},
	{"a field and a word", `level:error ticket`, 2},
	{"a needle: everything about one request, across services", `trace_id:7a20775247d425aa73b0a392896e3dfc`, 3},
	{"a word that is nowhere", `Zwitschermaschine`, 0},
}

// show runs one search: it is planned first, then counted, then read.
func show(ctx context.Context, out io.Writer, lake *firn.Lake, s search) error {
	table, err := lake.Table(ctx, "shop")
	if err != nil {
		return err
	}
	predicate, err := firn.Parse(s.query)
	if err != nil {
		return err
	}
	scan, err := lake.Plan(ctx, table, firn.Request{Predicate: predicate, Limit: s.rows})
	if err != nil {
		return err
	}
	count, err := lake.Count(ctx, "shop", s.query, firn.Request{})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s: firn search shop '%s'\n", strings.ToUpper(s.about[:1])+s.about[1:], s.query)
	if s.rows > 0 {
		for row, err := range scan.Rows(ctx) {
			if err != nil {
				return err
			}
			if err := printRow(out, row); err != nil {
				return err
			}
		}
	}
	if more := count - int64(s.rows); more > 0 {
		fmt.Fprintf(out, "  … and %d more\n", more)
	}
	fmt.Fprintf(out, "  %d found; %s\n", count, inWords(scan.Stats()))
	return nil
}
