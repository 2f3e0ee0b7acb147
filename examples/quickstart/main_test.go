package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuickstart(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, false, time.Now))
	text := out.String()
	t.Log("\n" + text)

	require.Contains(t, text, "Loaded 3788 real log lines")
	require.Contains(t, text, "4 Parquet files")
	// How often each search finds something was counted with grep in the sample.
	var found []string
	for _, m := range regexp.MustCompile(`(\d+) found`).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	require.Equal(t, wantFound, found)
	require.Contains(t, text, "1 of 4 files read") // the needle
	require.Contains(t, text, "0 of 4 files read") // the word that is nowhere
	require.Contains(t, text, "-keep")

	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "the temporary lake was not removed")
}

// wantFound are the numbers of matches, in the order of searches.
var wantFound = []string{"25", "3", "16", "16", "0"}

func TestKeep(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, true, time.Now))
	dir := regexp.MustCompile(`FIRN_LAKE=(\S+)`).FindStringSubmatch(out.String())
	require.NotNil(t, dir)
	require.True(t, strings.HasPrefix(dir[1], temp))
	require.FileExists(t, dir[1]+"/catalog.db")
}
