package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCreateInspectDrop(t *testing.T) {
	dir := t.TempDir()
	r := object(t, ok(t, dir, "create", "logs.web", "--column", "status:int", "--column", "took:double", "--column", "at:timestamp",
		"--index", "log_msg=bitmap", "--index", "host=bloom", "--index", "host=bitmap", "--value-bloom", "status", "--partition-by", "app_id", "--json"))
	require.Equal(t, "logs.web", r["table"])
	require.Len(t, r["columns"], 10)
	require.Equal(t, map[string]any{"log_msg": "bitmap", "host": "bitmap,bloom"}, r["indexes"])
	require.ElementsMatch(t, []any{"trace_id", "status"}, r["value_blooms"])
	require.Equal(t, []any{"log_date", "app_id"}, r["partition_by"])
	require.Contains(t, r["location"], "file://")

	again := firnIn(t, dir, "", "create", "logs.web")
	require.Equal(t, exitFailed, again.code)
	require.Contains(t, again.stderr, "firn drop logs.web")

	text := ok(t, dir, "create", "plain", "--index", "log_msg=none", "--index-value", "attrs['took']=range,bloom", "--index-value", "json_extract(log_msg,'$[''a=b'']')=bloom")
	require.Regexp(t, `element_at\(attrs,'took'\) +range,bloom`, text)
	require.Contains(t, text, "json_extract(log_msg,'$[''a=b'']')")
	require.Contains(t, text, "firn load plain")
	require.Contains(t, text, "log_msg")

	input := write(t, dir, "in.jsonl", `{"ts":"2026-01-01T00:00:00Z","app":"x","app_id":"a","msg":"one","status":200,"took":0.5}
{"ts":"2026-01-01T00:00:01Z","app_id":"b","msg":"two","status":"many"}
{"ts":"2026-01-02T00:00:00Z","app_id":"a","msg":"three","at":1767225600}
`)
	report := object(t, ok(t, dir, "load", "logs.web", input, "--json"))
	require.Equal(t, 3, number(t, report, "rows"))
	require.Equal(t, 3, number(t, report, "files"))
	require.Equal(t, 1, number(t, report, "misfits"))
	ok(t, dir, "verify", "logs.web")

	lake := object(t, ok(t, dir, "inspect", "lake", "--json"))
	tables := lake["tables"].([]any)
	require.Len(t, tables, 2)
	require.Equal(t, "default.plain", tables[0].(map[string]any)["table"])
	web := tables[1].(map[string]any)
	require.Equal(t, "logs.web", web["table"])
	require.Equal(t, 3, number(t, web, "rows"))
	require.Equal(t, 3, number(t, web, "sidecars"))
	require.Equal(t, "2026-01-01T00:00:00Z", web["oldest"])
	require.Equal(t, "2026-01-02T00:00:00Z", web["newest"])
	require.Contains(t, ok(t, dir, "inspect", "lake"), "logs.web")

	table := object(t, ok(t, dir, "inspect", "table", "logs.web", "--json", "--files"))
	require.Equal(t, 3, number(t, table, "files"))
	require.Len(t, table["partitions"], 3)
	require.Equal(t, map[string]any{"log_date": "2026-01-01", "app_id": "a"}, table["partitions"].([]any)[0].(map[string]any)["partition"])
	require.Contains(t, ok(t, dir, "inspect", "table", "logs.web"), "log_date=2026-01-02")

	path := table["data_files"].([]any)[0].(map[string]any)["path"].(string)
	file := object(t, ok(t, dir, "inspect", "file", path, "--json"))
	require.Equal(t, 1, number(t, file, "rows"))
	require.Equal(t, true, file["sorted"])
	require.Len(t, file["columns"], 10)
	require.Contains(t, ok(t, dir, "inspect", "file", path), "_timestamp")

	sidecars, err := filepath.Glob(filepath.Join(dir, "lake", "logs", "web.index", "*", "*", "*.puffin"))
	require.NoError(t, err)
	require.Len(t, sidecars, 3)
	require.NotEmpty(t, ok(t, dir, "inspect", "index", sidecars[0]))
	require.Equal(t, 1, number(t, object(t, ok(t, dir, "inspect", "index", sidecars[0], "--json")), "rows"))

	require.Equal(t, true, object(t, ok(t, dir, "drop", "logs.web", "--json"))["dropped"])
	require.NoDirExists(t, filepath.Join(dir, "lake", "logs", "web", "data"))
	require.NoDirExists(t, filepath.Join(dir, "lake", "logs", "web.index"))
	require.Contains(t, ok(t, dir, "drop", "plain"), "Dropped")
	require.Empty(t, object(t, ok(t, dir, "inspect", "lake", "--json"))["tables"])
}

// A damaged or missing index: searches stay right, verify tells, maintain index repairs.
func TestVerifyAndRepair(t *testing.T) {
	dir := sampleLake(t)
	require.Equal(t, true, object(t, ok(t, dir, "verify", "web", "--json"))["ok"])
	sidecars, err := filepath.Glob(filepath.Join(dir, "lake", "default", "web.index", "*", "*.puffin"))
	require.NoError(t, err)
	require.Len(t, sidecars, 3)
	require.NoError(t, os.Remove(sidecars[0]))
	content, err := os.ReadFile(sidecars[1])
	require.NoError(t, err)
	require.NoError(t, os.Remove(sidecars[1])) // never change a file in place
	require.NoError(t, os.WriteFile(sidecars[1], content[:len(content)/2], 0o600))

	r := firnIn(t, dir, "", "search", "web", "day1 OR day2", "--count", "--stats", "--force-index")
	require.Equal(t, "80\n", r.stdout)
	require.Len(t, object(t, r.stderr)["index_problems"], 2)
	r = firnIn(t, dir, "", "verify", "web", "--json")
	require.Equal(t, exitFailed, r.code)
	report := object(t, r.stdout)
	require.Equal(t, 2, number(t, report, "mismatches"))
	require.Equal(t, map[string]any{"sidecar_missing": 1.0, "sidecar_damaged": 1.0}, report["mismatches_by_kind"])
	r = firnIn(t, dir, "", "verify", "web")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stdout, "firn maintain index web")

	plan := object(t, ok(t, dir, "maintain", "index", "web", "--dry-run", "--json"))
	require.Equal(t, false, plan["applied"])
	require.Len(t, plan["plan"].(map[string]any)["items"], 2)
	require.NoFileExists(t, sidecars[0])
	result := object(t, ok(t, dir, "maintain", "index", "web", "--json"))["result"].(map[string]any)
	require.Equal(t, 2, number(t, result, "built"))
	require.Contains(t, ok(t, dir, "verify", "web"), "ok")
	require.Contains(t, ok(t, dir, "maintain", "index", "web"), "0 indexes to build")
	rebuilt, err := os.ReadFile(sidecars[1])
	require.NoError(t, err)
	require.Equal(t, content, rebuilt, "the repaired index differs from the one that loading built")
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	r := firnIn(t, dir, `{"_timestamp":"2026-01-01T00:00:00Z","_msg":"one"}`, "load", "web", "-")
	require.Zero(t, r.code, r.stderr)
	left := filepath.Join(dir, "lake", "default", ".firn-tmp-left")
	require.NoError(t, os.WriteFile(left, []byte("half"), 0o600))
	r = firnIn(t, dir, "", "maintain", "sweep", "--json")
	require.Zero(t, r.code, r.stderr)
	require.JSONEq(t, `{"removed": 0}`, r.stdout)
	require.FileExists(t, left)
	old := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(left, old, old))
	r = firnIn(t, dir, "", "maintain", "sweep")
	require.Zero(t, r.code, r.stderr)
	require.Equal(t, "1 unfinished object removed\n", r.stdout)
	require.NoFileExists(t, left)
	r = firnIn(t, dir, "", "search", "web", "one", "--count")
	require.Equal(t, "1\n", r.stdout, r.stderr)
}
