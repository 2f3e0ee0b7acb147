package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/maintain"
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
	var packFiles int
	var grace time.Duration
	index := &cobra.Command{
		Use:   "index TABLE",
		Short: "Build text indexes that are missing, damaged or out of date, bloom packs, and drop what nothing needs any more",
		Args:  exactArgs("TABLE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if packFiles == 0 || grace < 0 {
				return usagef("--pack-files %d, --older-than %v: give a number of files, -1 for no packs, and a time such as 24h", packFiles, grace)
			}
			if grace == 0 {
				grace = -1 // none
			}
			return a.maintainIndex(cmd.Context(), args[0], firn.IndexOptions{Rebuild: rebuild, PackFiles: packFiles, Grace: grace}, dryRun)
		},
	}
	index.Flags().BoolVar(&rebuild, "rebuild", false, "build the indexes of all files anew")
	index.Flags().BoolVar(&dryRun, "dry-run", false, "only tell what would be done")
	index.Flags().IntVar(&packFiles, "pack-files", maintain.DefaultPackFiles, "give partitions of at least `N` files a bloom pack; -1 leaves packs alone")
	index.Flags().DurationVar(&grace, "older-than", maintain.DefaultGrace, "drop indexes of files that are gone, and packs superseded, only after this `TIME`")
	var olderThan time.Duration
	sweep := &cobra.Command{
		Use:   "sweep",
		Short: "Remove what killed writers left half written in the lake's storage",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.maintainSweep(cmd.Context(), olderThan) },
	}
	sweep.Flags().DurationVar(&olderThan, "older-than", 24*time.Hour, "leave what was begun or changed within this `TIME`: it may still be being written")
	cmd.AddCommand(index, sweep)
	return cmd
}

// maintainSweep removes hidden files and uploads that are not under way any more.
func (a *app) maintainSweep(ctx context.Context, olderThan time.Duration) (err error) {
	if olderThan < 0 {
		return usagef("--older-than %v: give a time such as 24h", olderThan)
	}
	lake, err := a.openLake(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	removed, err := lake.RemoveUnfinished(ctx, olderThan)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(map[string]int{"removed": removed})
	}
	return a.printf("%s removed\n", plural(int64(removed), "unfinished object"))
}

func (a *app) maintainIndex(ctx context.Context, name string, opts firn.IndexOptions, dryRun bool) (err error) {
	lake, table, err := a.openTable(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	defer a.limitMemory(loadMemoryLimit)()
	bar := a.progress(1, "indexing")
	opts.Now, opts.Logger, opts.Progress = a.now, a.logger(), bar.of
	plan, err := lake.PlanIndex(ctx, table, opts)
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
		for _, item := range r.Plan.Packs {
			err = errors.Join(err, a.printf("  %s  bloom pack of %s, %s\n", item.Reason, item.Partition, plural(int64(item.Files), "file")))
		}
		for _, item := range r.Plan.Drops {
			err = errors.Join(err, a.printf("  to drop, %s  %s\n", item.Reason, item.Object))
		}
		return err
	}
	err = errors.Join(err, a.printf("built %d (%s) from %s in %.1f s\n",
		r.Result.Built, bytesText(r.Result.IndexBytes), plural(r.Result.Rows, "row"), r.Result.Seconds))
	if n := r.Result.Packs; n > 0 {
		err = errors.Join(err, a.printf("built %s (%s) of %s\n", plural(n, "bloom pack"), bytesText(r.Result.PackBytes), plural(r.Result.PackFiles, "file")))
	}
	if n := r.Result.Dropped; n > 0 {
		err = errors.Join(err, a.printf("dropped %s (%s) that nothing needed\n", plural(n, "object"), bytesText(r.Result.DroppedBytes)))
	}
	return err
}
