package catalog

import (
	"context"
	"fmt"
	"testing"

	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"
)

// What snapshots added is told apart from what they carried on, with manifests that are merged too.
func TestFilesAddedBy(t *testing.T) {
	for _, merge := range []string{"false", "true"} {
		ctx := context.Background()
		l := newLake(t)
		tbl := l.create(t, TableSpec{Name: "web", Properties: map[string]string{
			table.ManifestMergeEnabledKey: merge, table.ManifestMinMergeCountKey: "2",
		}})
		chain, whole := tbl.Ancestors()
		require.Empty(t, chain)
		require.True(t, whole)
		want := map[int64][]string{}
		for i := range 5 {
			var files []NewFile
			var paths []string
			for range 1 + i%2 {
				file := l.write(t, tbl, []logRow{message("2026-11-22T10:00:00Z", fmt.Sprint(i))})
				files, paths = append(files, file), append(paths, file.Path)
			}
			var err error
			tbl, err = tbl.Append(ctx, files, AppendOptions{})
			require.NoError(t, err)
			want[tbl.SnapshotID()] = paths
			if i == 2 {
				mustFiles(t, tbl) // so that some manifests are known already
			}
		}
		chain, whole = tbl.Ancestors()
		require.Len(t, chain, 5)
		require.True(t, whole)
		require.Equal(t, tbl.SnapshotID(), chain[0].ID)
		for _, s := range chain {
			files, err := tbl.FilesAddedBy(ctx, s.ID)
			require.NoError(t, err)
			require.ElementsMatch(t, want[s.ID], pathsOf(files), "merge %s", merge)
			require.Equal(t, OperationAppend, s.Operation)
			require.EqualValues(t, 1, files[0].Rows)
			require.NotEmpty(t, files[0].Lower)
		}
	}
}

func pathsOf(files []DataFile) (paths []string) {
	for _, file := range files {
		paths = append(paths, file.Path)
	}
	return paths
}

func TestAncestorsAfterRollbackAndExpiry(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	var ids []int64
	for i := range 4 {
		var err error
		tbl, err = tbl.Append(ctx, []NewFile{l.write(t, tbl, []logRow{message("2026-11-22T10:00:00Z", fmt.Sprint(i))})}, AppendOptions{})
		require.NoError(t, err)
		ids = append(ids, tbl.SnapshotID())
	}
	tbl = foreignCommit(t, l, tbl, func(tx *table.Transaction) error { return tx.RollbackToSnapshot(ids[2]) })
	chain, whole := tbl.Ancestors()
	require.Equal(t, []int64{ids[2], ids[1], ids[0]}, []int64{chain[0].ID, chain[1].ID, chain[2].ID})
	require.True(t, whole)
	files, err := tbl.FilesAddedBy(ctx, ids[3])
	require.NoError(t, err, "the metadata still knows it")
	require.Len(t, files, 1)

	current, err := l.backend.LoadTable(ctx, tbl.inner.Identifier())
	require.NoError(t, err)
	_, _, err = l.backend.CommitTable(ctx, current.Identifier(), nil, []table.Update{table.NewRemoveSnapshotsUpdate(ids[:2], false)})
	require.NoError(t, err)
	tbl, err = tbl.Refresh(ctx)
	require.NoError(t, err)
	chain, whole = tbl.Ancestors()
	require.Len(t, chain, 1)
	require.False(t, whole)
	_, err = tbl.FilesAddedBy(ctx, ids[0])
	require.ErrorIs(t, err, ErrInvalid)
}
