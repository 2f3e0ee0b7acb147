package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The numbers of matches were counted in the sample by a program of its own.
func TestPrune(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	if python, err := filepath.Abs("../../.venv/bin/python"); err == nil && os.Getenv("FIRN_PYTHON") == "" { // as "make test" made it
		if _, err := os.Stat(python); err == nil {
			t.Setenv("FIRN_PYTHON", python)
		}
	}
	duckDB := findDuckDB(t.Context())
	for query, want := range map[string]string{
		defaultQuery:            "25",
		"IllegalStateException": "25",
		`level:error ticket`:    "16",
		`trace_id:7a20775247d425aa73b0a392896e3dfc NOT error`: "14",
	} {
		var out bytes.Buffer
		var asked string
		run1 := func(ctx context.Context, sql string) (string, error) {
			asked = sql
			if duckDB == nil {
				return "?", nil
			}
			return duckDB(ctx, sql)
		}
		require.NoError(t, run(t.Context(), &out, query, run1))
		t.Log("\n" + out.String())
		require.Contains(t, out.String(), "4 files with 3788 rows in the table")
		require.Contains(t, asked, "read_parquet([")
		require.Contains(t, asked, "log_date=2023-01-29")
		if duckDB != nil {
			require.Contains(t, out.String(), "DuckDB finds "+want+" rows.")
		}
	}
}

func TestPruneWithoutDuckDB(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, "IllegalStateException", nil))
	require.Regexp(t, `fetched the \d+ candidate rows`, out.String())

	out.Reset()
	require.NoError(t, run(t.Context(), &out, "Zwitschermaschine", nil))
	require.Contains(t, out.String(), "nothing to read")
}

func TestSQLQuotes(t *testing.T) {
	require.Equal(t, `'it''s'`, quote("it's"))
	require.False(t, strings.Contains(quote("a'b"), "'b'"+"'"))
}
