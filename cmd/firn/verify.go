package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
)

// shownProblems is how many mismatches verify prints for people; --json prints all that are listed.
const shownProblems = 20

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify TABLE",
		Short: "Check files, statistics, order and indexes against the data",
		Long: `Read every data file of a table once and check all that is claimed about it: sizes, row counts, bounds and null counts in the manifests,
statistics of row groups and pages, order by time, partitions, bloom filters, and the text indexes, which are built again from the data and compared.

Exit code 1 says that there is a mismatch. Objects that the table does not name are listed as notes.`,
		Args: exactArgs("TABLE"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.verify(cmd.Context(), args[0]) },
	}
}

func (a *app) verify(ctx context.Context, name string) (err error) {
	lake, table, err := a.openTable(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	defer a.limitMemory(loadMemoryLimit)()
	bar := a.progress(1, "verifying")
	r, err := lake.Verify(ctx, table, firn.VerifyOptions{Logger: a.logger(), Progress: func(done, total int64) { bar.of(done, total) }})
	bar.done()
	if err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(r)
	} else {
		err = a.printVerify(name, r)
	}
	if err == nil && !r.OK {
		err = &exitError{exitFailed, fmt.Errorf("table %s: %s between claims and data", r.Table, plural2(r.Mismatches, "mismatch", "mismatches"))}
	}
	return err
}

func (a *app) printVerify(name string, r *firn.VerifyReport) error {
	err := a.printf("%s: %s in %s (%s), %s (%s)\n", r.Table, plural(r.Rows, "row"), plural(r.Files, "file"), bytesText(r.DataBytes),
		plural(r.Sidecars, "index sidecar"), bytesText(r.IndexBytes))
	for i, p := range r.Problems {
		if i == shownProblems {
			err = errors.Join(err, a.printf("… %d more; see --json\n", r.Mismatches-shownProblems))
			break
		}
		column := ""
		if p.Column != "" {
			column = ", column " + p.Column
		}
		err = errors.Join(err, a.printf("MISMATCH %s%s\n  %s\n  %s\n", p.Kind, column, p.File, p.Detail))
		if p.Fix != "" {
			err = errors.Join(err, a.printf("  fix: %s\n", strings.ReplaceAll(p.Fix, "TABLE", name)))
		}
	}
	for kind, n := range r.NotesByKind {
		err = errors.Join(err, a.printf("note: %s %s\n", countText(n), strings.ReplaceAll(string(kind), "_", " ")))
	}
	if r.OK {
		err = errors.Join(err, a.printf("ok: everything that is claimed is true\n"))
	}
	return err
}
