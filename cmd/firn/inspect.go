package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
)

func (a *app) inspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Show a lake, a table, a data file, an index or the disk cache",
		Args:  unknownVerb,
		RunE:  needVerb,
	}
	var files bool
	table := &cobra.Command{
		Use:   "table TABLE",
		Short: "Show a table: columns, indexes, partitions, sizes",
		Args:  exactArgs("TABLE"),
		RunE:  func(cmd *cobra.Command, args []string) error { return a.inspectTable(cmd.Context(), args[0], files) },
	}
	table.Flags().BoolVar(&files, "files", false, "list the data files, too")
	var top int
	index := &cobra.Command{
		Use:   "index PATH",
		Short: "Show what a text index (.puffin) or a bloom pack (.pack) holds, checking every byte",
		Args:  exactArgs("PATH"),
		RunE:  func(cmd *cobra.Command, args []string) error { return a.inspectIndex(cmd.Context(), args[0], top) },
	}
	index.Flags().IntVar(&top, "top", 10, "list the `N` most frequent tokens of each column")
	var check bool
	cache := &cobra.Command{
		Use:   "cache [DIR]",
		Short: "Show what the disk cache holds",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inspectCache(cmd.Context(), strings.Join(args, ""), check)
		},
	}
	cache.Flags().BoolVar(&check, "check", false, "read everything and check it")
	cmd.AddCommand(
		&cobra.Command{
			Use:   "lake",
			Short: "Show the tables of the lake",
			Args:  noArgs,
			RunE:  func(cmd *cobra.Command, _ []string) error { return a.inspectLake(cmd.Context()) },
		},
		table,
		&cobra.Command{
			Use:   "file PATH",
			Short: "Show a data file (.parquet): row groups, columns, bounds",
			Args:  exactArgs("PATH"),
			RunE:  func(cmd *cobra.Command, args []string) error { return a.inspectFile(cmd.Context(), args[0]) },
		},
		index,
		cache,
	)
	return cmd
}

// tableSizes are the numbers of one table.
type tableSizes struct {
	Table      string     `json:"table"`
	SnapshotID int64      `json:"snapshot_id"`
	Rows       int64      `json:"rows"`
	Files      int64      `json:"files"`
	DataBytes  int64      `json:"data_bytes"`
	Sidecars   int64      `json:"sidecars"`
	IndexBytes int64      `json:"index_bytes"`
	Oldest     *time.Time `json:"oldest"` // of _timestamp, as the manifests know it
	Newest     *time.Time `json:"newest"`
}

type lakeReport struct {
	Lake   string       `json:"lake"`
	Tables []tableSizes `json:"tables"`
}

func (a *app) inspectLake(ctx context.Context) (err error) {
	lake, err := a.openLake(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	names, err := lake.Tables(ctx)
	if err != nil {
		return err
	}
	r := lakeReport{Lake: lake.URI(), Tables: []tableSizes{}}
	var rows [][]string
	for _, name := range names {
		table, err := lake.Table(ctx, name)
		if errors.Is(err, firn.ErrTableNotFound) {
			continue // dropped meanwhile
		}
		if err != nil {
			return err
		}
		sizes, err := measure(ctx, lake, table)
		if err != nil {
			return err
		}
		r.Tables = append(r.Tables, sizes)
		rows = append(rows, []string{
			sizes.Table, countText(sizes.Rows), countText(sizes.Files), bytesText(sizes.DataBytes), bytesText(sizes.IndexBytes),
			timeText(sizes.Oldest), timeText(sizes.Newest),
		})
	}
	if a.json {
		return a.printJSON(r)
	}
	if err := a.printf("%s: %s\n", r.Lake, plural(int64(len(r.Tables)), "table")); err != nil || len(rows) == 0 {
		return err
	}
	return a.table("TABLE\tROWS\tFILES\tDATA\tINDEX\tOLDEST\tNEWEST", rows)
}

// measure adds up a table.
func measure(ctx context.Context, lake *firn.Lake, t *firn.Table) (tableSizes, error) {
	r := tableSizes{Table: t.Name(), SnapshotID: t.SnapshotID()}
	files, err := t.Files(ctx)
	if err != nil {
		return r, err
	}
	id := timestampID(t)
	for _, f := range files {
		r.Files++
		r.Rows += f.Rows
		r.DataBytes += f.Size
		if lower, ok := f.Lower[id].(int64); ok {
			if at := time.UnixMicro(lower).UTC(); r.Oldest == nil || at.Before(*r.Oldest) {
				r.Oldest = &at
			}
		}
		if upper, ok := f.Upper[id].(int64); ok {
			if at := time.UnixMicro(upper).UTC(); r.Newest == nil || at.After(*r.Newest) {
				r.Newest = &at
			}
		}
	}
	r.Sidecars, r.IndexBytes, err = lake.IndexSize(ctx, t)
	return r, err
}

func timestampID(t *firn.Table) int {
	for _, c := range t.Columns() {
		if c.Name == firn.ColumnTimestamp {
			return c.ID
		}
	}
	return 0
}

func timeText(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format("2006-01-02 15:04:05")
}

// tableReport is what inspect table prints.
type tableReport struct {
	tableSizes
	design
	FormatVersion   int               `json:"format_version"`
	SortOrderID     int               `json:"sort_order_id"`
	Snapshots       int               `json:"snapshots"`
	Metadata        string            `json:"metadata"`
	Partitions      []partitionReport `json:"partitions"`
	Properties      map[string]string `json:"properties"`
	DataFiles       []fileEntry       `json:"data_files,omitempty"`
	IndexLocation   string            `json:"index_location"`
	SnapshotSummary map[string]string `json:"snapshot_summary"`
}

type partitionReport struct {
	Partition map[string]any `json:"partition"`
	Files     int64          `json:"files"`
	Rows      int64          `json:"rows"`
	DataBytes int64          `json:"data_bytes"`
	name      string
}

type fileEntry struct {
	Path string `json:"path"`
	Rows int64  `json:"rows"`
	Size int64  `json:"size"`
}

func (a *app) inspectTable(ctx context.Context, name string, list bool) (err error) {
	lake, table, err := a.openTable(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	sizes, err := measure(ctx, lake, table)
	if err != nil {
		return err
	}
	files, err := table.Files(ctx)
	if err != nil {
		return err
	}
	r := tableReport{
		design: describe(table), tableSizes: sizes, FormatVersion: table.FormatVersion(),
		SortOrderID: table.SortOrderID(), Snapshots: len(table.Snapshots()), Metadata: table.MetadataLocation(),
		Properties: table.Properties(), IndexLocation: table.IndexLocation(), SnapshotSummary: table.SnapshotSummary(),
		Partitions: partitions(files),
	}
	if list {
		r.DataFiles = []fileEntry{}
		for _, f := range files {
			r.DataFiles = append(r.DataFiles, fileEntry{f.Path, f.Rows, f.Size})
		}
	}
	if a.json {
		return a.printJSON(r)
	}
	return a.printTable(r)
}

// partitions adds up the files of each partition.
func partitions(files []firn.DataFile) []partitionReport {
	byName := map[string]*partitionReport{}
	for _, f := range files {
		values := make(map[string]any, len(f.Partition))
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(f.Partition)) {
			values[key] = f.Partition[key]
			if day, ok := f.Partition[key].(int32); ok && key == firn.PartitionDay {
				values[key] = time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly)
			}
			parts = append(parts, fmt.Sprintf("%s=%v", key, values[key]))
		}
		name := strings.Join(parts, "/")
		p := byName[name]
		if p == nil {
			p = &partitionReport{Partition: values, name: name}
			byName[name] = p
		}
		p.Files++
		p.Rows += f.Rows
		p.DataBytes += f.Size
	}
	list := []partitionReport{}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		list = append(list, *byName[name])
	}
	return list
}

// printTable shows a table to people.
func (a *app) printTable(r tableReport) error {
	const most = 20
	err := a.printf("%s at %s\n%s in %s: %s of data, %s of index; %s to %s\nsnapshot %d of %d kept, Iceberg format version %d\n\n",
		r.Table, r.Location, plural(r.Rows, "row"), plural(r.Files, "file"), bytesText(r.DataBytes), bytesText(r.IndexBytes),
		timeText(r.Oldest), timeText(r.Newest), r.SnapshotID, r.Snapshots, r.FormatVersion)
	if err != nil {
		return err
	}
	if err := a.printColumns(r.design); err != nil {
		return err
	}
	var rows [][]string
	for i, p := range r.Partitions {
		if i == most {
			rows = append(rows, []string{fmt.Sprintf("… %d more; see --json", len(r.Partitions)-most)})
			break
		}
		rows = append(rows, []string{p.name, countText(p.Files), countText(p.Rows), bytesText(p.DataBytes)})
	}
	if len(rows) > 0 {
		if err := errors.Join(a.printf("\n"), a.table("PARTITION\tFILES\tROWS\tDATA", rows)); err != nil {
			return err
		}
	}
	for _, f := range r.DataFiles {
		if err := a.printf("%s  %s, %s\n", f.Path, plural(f.Rows, "row"), bytesText(f.Size)); err != nil {
			return err
		}
	}
	return nil
}
