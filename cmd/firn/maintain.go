package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
)

// maintainReport is what maintain index prints with --json.
type maintainReport struct {
	Plan    *firn.IndexPlan   `json:"plan"`
	Applied bool              `json:"applied"`
	Result  *firn.IndexResult `json:"result,omitempty"`
	Error   string            `json:"error,omitempty"`
}

func (a *app) maintainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "maintain",
		Short: "Look after a table without changing its rows",
		Args:  unknownVerb,
		RunE:  needVerb,
	}
	var rebuild, dryRun bool
	index := &cobra.Command{
		Use:   "index TABLE",
		Short: "Build text indexes that are missing, damaged or out of date",
		Args:  exactArgs("TABLE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.maintainIndex(cmd.Context(), args[0], rebuild, dryRun)
		},
	}
	index.Flags().BoolVar(&rebuild, "rebuild", false, "build the indexes of all files anew")
	index.Flags().BoolVar(&dryRun, "dry-run", false, "only tell what would be built")
	cmd.AddCommand(index)
	return cmd
}

func (a *app) maintainIndex(ctx context.Context, name string, rebuild, dryRun bool) (err error) {
	lake, table, err := a.openTable(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	defer a.limitMemory(loadMemoryLimit)()
	bar := a.progress(1, "indexing")
	plan, err := lake.PlanIndex(ctx, table, firn.IndexOptions{
		Rebuild: rebuild, Now: a.now, Logger: a.logger(), Progress: func(done, total int64) { bar.of(done, total) },
	})
	if err != nil {
		bar.done()
		return err
	}
	report := maintainReport{Plan: plan}
	if !dryRun {
		var result firn.IndexResult
		result, err = plan.Apply(ctx)
		report.Applied, report.Result = true, &result
	}
	bar.done()
	if err != nil {
		report.Error = err.Error()
	}
	if a.json {
		return errors.Join(err, a.printJSON(report))
	}
	return errors.Join(err, a.printMaintain(report))
}

func (a *app) printMaintain(r maintainReport) error {
	err := a.printf("%s: %s to build, %d are good\n", r.Plan.Table, plural2(int64(len(r.Plan.Items)), "index", "indexes"), r.Plan.Good)
	if n := r.Plan.UnknownVersion; n > 0 {
		err = errors.Join(err, a.printf("%d were written by another version of firn and are left alone; --rebuild replaces them\n", n))
	}
	if !r.Applied {
		for _, item := range r.Plan.Items {
			err = errors.Join(err, a.printf("  %s  %s\n", item.Reason, item.DataFile))
		}
		return err
	}
	return errors.Join(err, a.printf("built %d (%s) from %s in %.1f s\n",
		r.Result.Built, bytesText(r.Result.IndexBytes), plural(r.Result.Rows, "row"), r.Result.Seconds))
}
