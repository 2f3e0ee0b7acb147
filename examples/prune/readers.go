package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/storage"
)

// findDuckDB returns what runs a query in DuckDB, or nil if there is no Python with DuckDB.
func findDuckDB(ctx context.Context) func(context.Context, string) (string, error) {
	python := os.Getenv("FIRN_PYTHON")
	if python == "" {
		python = "python3"
		if _, err := os.Stat(".venv/bin/python"); err == nil { // made by the project's own tests
			python = ".venv/bin/python"
		}
	}
	if exec.CommandContext(ctx, python, "-c", "import duckdb").Run() != nil {
		return nil
	}
	return func(ctx context.Context, sql string) (string, error) {
		const program = "import duckdb, sys; print(duckdb.sql(sys.stdin.read()).fetchall()[0][0])"
		cmd := exec.CommandContext(ctx, python, "-c", program)
		cmd.Stdin = strings.NewReader(sql)
		answer, err := cmd.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("DuckDB failed: %w\n%s", err, answer)
		}
		return strings.TrimSpace(string(answer)), nil
	}
}

// readTasks reads the candidate rows of the tasks with firn's Parquet reader and returns how many there are. Any reader that can seek to
// rows would do.
func readTasks(ctx context.Context, lake *firn.Lake, table *firn.Table, tasks []firn.Task) (rows int64, err error) {
	schema, err := format.SchemaFromArrow(table.Schema())
	if err != nil {
		return 0, err
	}
	message, ok := schema.Lookup("log_msg")
	if !ok {
		return 0, fmt.Errorf("table %s has no column log_msg", table.Name())
	}
	for _, t := range tasks {
		name, ok := storage.NameOf(lake.Store(), t.File.Path)
		if !ok {
			return 0, fmt.Errorf("%s lies outside the lake", t.File.Path)
		}
		file, err := format.Open(ctx, lake.Store(), name, t.File.Size, schema)
		if err != nil {
			return 0, err
		}
		for batch, err := range file.Read(ctx, []int{message.ID}, t.Rows, format.ReadOptions{}) {
			if err != nil {
				return 0, err
			}
			rows += int64(batch.Rows)
		}
	}
	return rows, nil
}
