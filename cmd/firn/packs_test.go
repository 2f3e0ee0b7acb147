package main

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// maintain index builds bloom packs, explain tells what they did, inspect shows them, and what is superseded goes.
func TestPacks(t *testing.T) {
	dir := t.TempDir()
	for i := range 9 {
		r := firnIn(t, dir, fmt.Sprintf(`{"_timestamp":"2026-01-01T00:00:00Z","_msg":"request number%d"}`, i), "load", "web", "-")
		require.Zero(t, r.code, r.stderr)
	}
	require.Contains(t, ok(t, dir, "maintain", "index", "web", "--dry-run", "--pack-files", "8"), "missing  bloom pack of log_date=20454, 9 files")
	require.NotContains(t, ok(t, dir, "maintain", "index", "web"), "bloom pack", "too few files")
	require.Contains(t, ok(t, dir, "maintain", "index", "web", "--pack-files", "8"), "built 1 bloom pack")
	packs := func() []string {
		names, err := filepath.Glob(filepath.Join(dir, "lake", "default", "web.index", "packs", "*", "*.pack"))
		require.NoError(t, err)
		return names
	}
	require.Len(t, packs(), 1)
	require.Contains(t, ok(t, dir, "explain", "web", "number5"), "bloom packs: 1 asked about 9 files")
	r := firnIn(t, dir, "", "search", "web", "number5", "--count", "--stats")
	require.Equal(t, "1\n", r.stdout)
	require.Equal(t, 8, number(t, object(t, r.stderr)["files_skipped"].(map[string]any), "bloom_pack"))
	require.Contains(t, ok(t, dir, "inspect", "index", packs()[0]), "9 files, 9 rows")
	require.Equal(t, 9, number(t, object(t, ok(t, dir, "inspect", "index", packs()[0], "--json")), "file_count"))
	require.Equal(t, 1, number(t, object(t, ok(t, dir, "verify", "web", "--json")), "packs"))

	result := object(t, ok(t, dir, "maintain", "index", "web", "--pack-files", "8", "--rebuild", "--json"))["result"].(map[string]any)
	require.Equal(t, 9, number(t, result, "pack_files"))
	require.Len(t, packs(), 2)
	require.Contains(t, ok(t, dir, "maintain", "index", "web", "--pack-files", "8"), "0 indexes to build")
	require.Len(t, packs(), 2, "searches may be using it")
	require.Contains(t, ok(t, dir, "maintain", "index", "web", "--pack-files", "8", "--older-than", "0", "--dry-run"), "to drop, superseded")
	require.Contains(t, ok(t, dir, "maintain", "index", "web", "--pack-files", "8", "--older-than", "0"), "dropped 1 object")
	require.Len(t, packs(), 1)
	require.Equal(t, exitUsage, firnIn(t, dir, "", "maintain", "index", "web", "--older-than", "-1h").code)
	require.Equal(t, exitUsage, firnIn(t, dir, "", "maintain", "index", "web", "--pack-files", "0").code)
}
