package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every wrong usage ends with code 2, says on standard error what is wrong, prints nothing on standard output and makes no lake.
func TestWrongUsage(t *testing.T) {
	tests := []struct {
		args []string
		says string
	}{
		{[]string{}, "Usage"},
		{[]string{"serch"}, `unknown command "serch"`},
		{[]string{"search"}, "TABLE is missing"},
		{[]string{"search", "web"}, "QUERY is missing"},
		{[]string{"search", "web", "a", "b"}, "quoted"},
		{[]string{"search", "web", "a", "--nope"}, "unknown flag: --nope"},
		{[]string{"search", "web", "a", "--limit", "x"}, "--limit"},
		{[]string{"search", "web", "a", "--limit", "-1"}, "--limit -1"},
		{[]string{"search", "web", "a", "--order", "random"}, "newest and oldest"},
		{[]string{"search", "web", "a", "--from", "yesterday"}, `"yesterday" is not a time`},
		{[]string{"search", "web", "a", "--from", "2026-01-02", "--to", "2026-01-01"}, "lies before --from"},
		{[]string{"search", "web", "a", "--columns", "a,,b"}, "empty name"},
		{[]string{"search", "web", `"open`}, ""},
		{[]string{"search", "web", "(a"}, ""},
		{[]string{"search", "web", ""}, ""},
		{[]string{"explain", "web", "a AND"}, ""},
		{[]string{"search", "web", "a", "--stream", "host"}, "--stream"},
		{[]string{"search", "web", "a", "-C", "3", "--count"}, "--context"},
		{[]string{"search", "web", "a", "-B", "x"}, "--before"},
		{[]string{"tail", "web"}, "QUERY is missing"},
		{[]string{"tail", "web", "(a"}, ""},
		{[]string{"tail", "web", "* | stats count()"}, "stats"},
		{[]string{"tail", "web", "* | sort by level"}, "sort"},
		{[]string{"tail", "web", "*", "-n", "-1"}, "--rows -1"},
		{[]string{"tail", "web", "*", "--interval", "0s"}, "--interval 0s"},
		{[]string{"patterns"}, "TABLE is missing"},
		{[]string{"patterns", "web", "a", "b"}, "quoted"},
		{[]string{"patterns", "web", "(a"}, ""},
		{[]string{"patterns", "web", "--limit", "-1"}, "--limit -1"},
		{[]string{"patterns", "web", "--min-count", "-1"}, "--min-count -1"},
		{[]string{"patterns", "web", "--max-patterns", "0"}, "--max-patterns 0"},
		{[]string{"patterns", "web", "--compare", "2026-01-02"}, "FROM..TO"},
		{[]string{"patterns", "web", "--compare", "2026-01-02..yesterday"}, "is not a time"},
		{[]string{"patterns", "web", "--compare-query", "(a"}, "--compare-query"},
		{[]string{"load"}, "TABLE is missing"},
		{[]string{"load", "web"}, "FILE is missing"},
		{[]string{"load", "web", "-", "--buffer-bytes", "-1"}, "negative"},
		{[]string{"create"}, "TABLE is missing"},
		{[]string{"create", "web", "--column", "status"}, "name:type"},
		{[]string{"create", "web", "--column", "status:number"}, `unknown type "number"`},
		{[]string{"create", "web", "--column", "level:string"}, "already"},
		{[]string{"create", "web", "--column", "a:int", "--column", "a:long"}, "already"},
		{[]string{"create", "web", "--index", "log_msg"}, "col=bitmap"},
		{[]string{"create", "web", "--index", "log_msg=fulltext"}, `unknown index "fulltext"`},
		{[]string{"create", "web", "--index", "nosuch=bloom"}, "no such column"},
		{[]string{"create", "web", "--index", "_timestamp=bloom"}, "needs a string column"},
		{[]string{"create", "web", "--index", "log_msg=none,bloom"}, "cannot be combined"},
		{[]string{"create", "web", "--value-bloom", "nosuch"}, "no such column"},
		{[]string{"create", "web", "--value-bloom", "attrs"}, "map"},
		{[]string{"create", "web", "--index-value", "took"}, "expr=bloom"},
		{[]string{"create", "web", "--index-value", "level=range"}, "compared as text"},
		{[]string{"create", "web", "--index-value", "nosuch=bloom"}, "no column"},
		{[]string{"create", "web", "--index-value", "lower(level)=bloom"}, "no function"},
		{[]string{"create", "web", "--index-value", "level=bitmap"}, "no kind of index here"},
		{[]string{"create", "web", "--partition-by", "nosuch"}, "no such column"},
		{[]string{"create", "no/slash"}, "no/slash"},
		{[]string{"inspect"}, "Usage"},
		{[]string{"inspect", "nothing"}, `unknown command "nothing"`},
		{[]string{"inspect", "lake", "x"}, "takes no arguments"},
		{[]string{"inspect", "table"}, "TABLE is missing"},
		{[]string{"inspect", "index", "x", "--top", "-1"}, "--top"},
		{[]string{"verify"}, "TABLE is missing"},
		{[]string{"maintain"}, "Usage"},
		{[]string{"maintain", "index"}, "TABLE is missing"},
		{[]string{"drop"}, "TABLE is missing"},
		{[]string{"version", "x"}, "takes no arguments"},
		{[]string{"inspect", "lake", "--lake", "s3://bucket/lake"}, "needs a catalog"},
		{[]string{"inspect", "lake", "--lake", "ftp://host/lake"}, "is not known"},
		{[]string{"inspect", "lake", "--lake", "lake", "--catalog", "sqlite://catalog.db"}, "absolute"},
		{[]string{"inspect", "lake", "--cache-bytes", "much"}, "--cache-bytes"},
		{[]string{"inspect", "cache", "--cache", "off"}, "the disk cache is off"},
	}
	for _, test := range tests {
		dir := t.TempDir()
		r := inProcess(t, dir, test.args...)
		require.Equal(t, exitUsage, r.code, "firn %q: %s", test.args, r.stderr)
		require.Contains(t, r.stderr, test.says, "firn %q", test.args)
		require.NotEmpty(t, r.stderr)
		require.Empty(t, r.stdout, "firn %q", test.args)
		if test.args == nil || len(test.args) > 0 && test.args[0] != "create" {
			require.NoFileExists(t, filepath.Join(dir, "lake", "catalog.db"), "firn %q", test.args)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	dir := t.TempDir()
	require.Contains(t, ok(t, dir, "--help"), "Usage")
	require.Contains(t, ok(t, dir, "help", "search"), "--no-index")
	require.Contains(t, ok(t, dir, "version"), "firn ")
	require.Contains(t, object(t, ok(t, dir, "version", "--json")), "version")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// Verbs that only read do not make a lake, and say how to get one.
func TestNoLake(t *testing.T) {
	for _, args := range [][]string{
		{"search", "web", "a"}, {"tail", "web", "a"}, {"explain", "web", "a"}, {"patterns", "web"}, {"inspect", "lake"}, {"inspect", "table", "web"},
		{"verify", "web"}, {"maintain", "index", "web"}, {"drop", "web"},
	} {
		dir := t.TempDir()
		r := inProcess(t, dir, args...)
		require.Equal(t, exitFailed, r.code, "firn %q", args)
		require.Contains(t, r.stderr, "--lake", "firn %q", args)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, entries, "firn %q", args)
	}
}
