package catalog

import (
	"context"
	"fmt"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"
)

// foreignCommit changes a table with iceberg-go itself, as another engine would.
func foreignCommit(t *testing.T, l lake, tbl *Table, stage func(tx *table.Transaction) error) *Table {
	t.Helper()
	ctx := context.Background()
	current, err := l.backend.LoadTable(ctx, tbl.inner.Identifier())
	require.NoError(t, err)
	tx := current.NewTransaction()
	require.NoError(t, stage(tx))
	_, err = tx.Commit(ctx)
	require.NoError(t, err)
	fresh, err := tbl.Refresh(ctx)
	require.NoError(t, err)
	return fresh
}

// deleteFile describes a delete file of the day 2026-11-22, or of no partition if the spec has none.
func deleteFile(t *testing.T, spec iceberg.PartitionSpec, content iceberg.ManifestEntryContent, name string,
	shape func(b *iceberg.DataFileBuilder)) iceberg.DataFile {
	t.Helper()
	partition, logical := map[int]any{}, map[int]string{}
	for _, field := range spec.Fields() {
		partition[field.FieldID] = iceberg.Date(dayOf(at("2026-11-22T00:00:00Z")))
		logical[field.FieldID] = "date"
	}
	b, err := iceberg.NewDataFileBuilder(spec, content, "file:///deletes/"+name, iceberg.ParquetFile, partition, logical, nil, 1, 100)
	require.NoError(t, err)
	if shape != nil {
		shape(b)
	}
	return b.Build()
}

func deletesByPath(t *testing.T, tbl *Table) map[string]bool {
	t.Helper()
	deletes := map[string]bool{}
	for _, file := range mustFiles(t, tbl) {
		deletes[file.Path] = file.HasDeletes
	}
	return deletes
}

func TestDeletesOfOtherEngines(t *testing.T) {
	ctx := context.Background()
	for name, kind := range map[string]struct {
		content iceberg.ManifestEntryContent
		shape   func(b *iceberg.DataFileBuilder, first NewFile)
		hits    [3]bool // same day first, same day second, other day
	}{
		"position deletes of a partition": {iceberg.EntryContentPosDeletes, nil, [3]bool{true, true, false}},
		"position deletes with bounds of the paths": {iceberg.EntryContentPosDeletes, func(b *iceberg.DataFileBuilder, first NewFile) {
			b.LowerBoundValues(map[int][]byte{deletedPathFieldID: []byte(first.Path)})
			b.UpperBoundValues(map[int][]byte{deletedPathFieldID: []byte(first.Path)})
		}, [3]bool{true, false, false}},
		"equality deletes": {iceberg.EntryContentEqDeletes, func(b *iceberg.DataFileBuilder, _ NewFile) {
			b.EqualityFieldIDs([]int{4})
		}, [3]bool{true, true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t)
			tbl := l.create(t, TableSpec{Name: "web"})
			written := []NewFile{
				l.write(t, tbl, []logRow{message("2026-11-22T10:00:00Z", "x")}),
				l.write(t, tbl, []logRow{message("2026-11-22T11:00:00Z", "x")}),
				l.write(t, tbl, []logRow{message("2026-11-23T10:00:00Z", "x")}),
			}
			tbl, err := tbl.Append(ctx, written, AppendOptions{})
			require.NoError(t, err)
			for _, has := range deletesByPath(t, tbl) {
				require.False(t, has)
			}
			tbl = foreignCommit(t, l, tbl, func(tx *table.Transaction) error {
				delta := tx.NewRowDelta(nil)
				delta.AddDeletes(deleteFile(t, tbl.inner.Spec(), kind.content, "a.parquet", func(b *iceberg.DataFileBuilder) {
					if kind.shape != nil {
						kind.shape(b, written[0])
					}
				}))
				return delta.Commit(ctx)
			})
			newer := l.write(t, tbl, []logRow{message("2026-11-22T12:00:00Z", "x")})
			tbl, err = tbl.Append(ctx, []NewFile{newer}, AppendOptions{})
			require.NoError(t, err)
			got := deletesByPath(t, tbl)
			for i, file := range written {
				require.Equal(t, kind.hits[i], got[file.Path], "file %d", i)
			}
			require.False(t, got[newer.Path], "deletes do not reach data that came after them")
		})
	}
}

func TestDeletesThatNameTheirFile(t *testing.T) { // also deletion vectors; iceberg-go writes the name in version 3 manifests only
	sequence := int64(5)
	file := deleteFile(t, *iceberg.UnpartitionedSpec, iceberg.EntryContentPosDeletes, "a.parquet",
		func(b *iceberg.DataFileBuilder) { b.ReferencedDataFile("file:///data/1.parquet") })
	index := newDeleteIndex([][]iceberg.ManifestEntry{nil, {
		iceberg.NewManifestEntry(iceberg.EntryStatusADDED, nil, &sequence, nil, file)}})
	require.True(t, index.mayApply(liveFile{DataFile: DataFile{Path: "file:///data/1.parquet"}, sequence: 5}))
	require.False(t, index.mayApply(liveFile{DataFile: DataFile{Path: "file:///data/1.parquet"}, sequence: 6}))
	require.False(t, index.mayApply(liveFile{DataFile: DataFile{Path: "file:///data/2.parquet"}, sequence: 5}))
}

func TestGlobalEqualityDeletes(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	schema := iceberg.NewSchema(0,
		iceberg.NestedField{ID: 1, Name: "id", Type: iceberg.PrimitiveTypes.Int64, Required: true},
		iceberg.NestedField{ID: 2, Name: "price", Type: iceberg.DecimalTypeOf(9, 2)},
		iceberg.NestedField{ID: 3, Name: "tags", Type: &iceberg.ListType{ElementID: 4, Element: iceberg.PrimitiveTypes.String}},
		iceberg.NestedField{ID: 5, Name: "seen", Type: iceberg.PrimitiveTypes.Timestamp},
	)
	metadata, err := table.NewMetadata(schema, iceberg.UnpartitionedSpec, table.UnsortedSortOrder, l.store.URI("lab/plain"), nil)
	require.NoError(t, err)
	created, err := l.backend.createTable(ctx, table.Identifier{"lab", "plain"}, metadata)
	require.NoError(t, err)
	tbl := l.view(created)
	require.Equal(t, []Column{
		{Name: "id", Type: TypeLong, Required: true, ID: 1}, {Name: "price", Type: "decimal(9, 2)", ID: 2},
		{Name: "tags", Type: "list<string>", ID: 3}, {Name: "seen", Type: TypeTimestamp, ID: tbl.Columns()[3].ID},
	}, tbl.Columns())
	require.Empty(t, tbl.PartitionFields())
	require.Zero(t, tbl.SortOrderID())
	require.Equal(t, tbl.Location()+".index", tbl.IndexLocation())

	plain := func(name string) iceberg.DataFile {
		b, err := iceberg.NewDataFileBuilder(*iceberg.UnpartitionedSpec, iceberg.EntryContentData, l.store.URI("lab/plain/"+name),
			iceberg.OrcFile, nil, nil, nil, 7, 100)
		require.NoError(t, err)
		b.LowerBoundValues(map[int][]byte{1: {1, 0, 0, 0, 0, 0, 0, 0}, 2: {5}, 99: {1}}).UpperBoundValues(map[int][]byte{1: {9}})
		return b.Build()
	}
	add := func(name string) func(tx *table.Transaction) error {
		return func(tx *table.Transaction) error {
			return tx.AddDataFiles(ctx, []iceberg.DataFile{plain(name)}, nil)
		}
	}
	tbl = foreignCommit(t, l, tbl, add("a.orc"))
	tbl = foreignCommit(t, l, tbl, func(tx *table.Transaction) error {
		delta := tx.NewRowDelta(nil)
		delta.AddDeletes(deleteFile(t, *iceberg.UnpartitionedSpec, iceberg.EntryContentEqDeletes, "e.parquet",
			func(b *iceberg.DataFileBuilder) { b.EqualityFieldIDs([]int{1}) }))
		return delta.Commit(ctx)
	})
	tbl = foreignCommit(t, l, tbl, add("b.orc"))
	require.Equal(t, map[string]bool{l.store.URI("lab/plain/a.orc"): true, l.store.URI("lab/plain/b.orc"): false}, deletesByPath(t, tbl))
	file := mustFiles(t, tbl)[0]
	require.Equal(t, "ORC", file.Format)
	require.Equal(t, map[int]any{1: int64(1)}, file.Lower, "bounds of unknown columns and types are left out")
	require.Empty(t, file.Upper, "a bound of the wrong width is no bound")
	require.Empty(t, file.Partition)
}

func TestOlderPartitionSpecs(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	first := l.write(t, tbl, []logRow{message("2026-11-22T10:00:00Z", "x")})
	tbl, err := tbl.Append(ctx, []NewFile{first}, AppendOptions{})
	require.NoError(t, err)
	before := tbl
	tbl = foreignCommit(t, l, tbl, func(tx *table.Transaction) error {
		return tx.UpdateSpec(true).AddField(ColumnLevel, iceberg.IdentityTransform{}, "lvl").
			AddField(ColumnHost, iceberg.BucketTransform{NumBuckets: 4}, "host_bucket").Commit()
	})
	require.Equal(t, []PartitionField{{"log_date", "_timestamp", "day"}, {"lvl", "level", "identity"}, {"host_bucket", "host", "bucket[4]"}},
		tbl.PartitionFields())
	require.Equal(t, ColumnLevel, tbl.PartitionColumn())

	second := l.write(t, tbl, []logRow{{ColumnTimestamp: at("2026-11-22T10:00:00Z"), ColumnLevel: "info", ColumnHost: "a"}})
	second.Partition["lvl"], second.Partition["host_bucket"] = "info", 3
	_, err = tbl.Append(ctx, []NewFile{second}, AppendOptions{})
	require.NoError(t, err)
	// A writer that still knows the old partitioning goes on.
	third := l.write(t, before, []logRow{message("2026-11-22T10:00:00Z", "x")})
	tbl, err = before.Append(ctx, []NewFile{third}, AppendOptions{})
	require.NoError(t, err)
	day := dayOf(at("2026-11-22T00:00:00Z"))
	want := map[string]map[string]any{
		first.Path:  {PartitionDay: day},
		second.Path: {PartitionDay: day, "lvl": "info", "host_bucket": int32(3)},
		third.Path:  {PartitionDay: day},
	}
	for _, file := range mustFiles(t, tbl) {
		require.Equal(t, want[file.Path], file.Partition)
	}
	require.Len(t, mustFiles(t, tbl), 3)
}

func TestOtherSortOrders(t *testing.T) {
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	file := l.write(t, tbl, []logRow{message("2026-11-22T10:00:00Z", "x")})
	tbl, err := tbl.Append(context.Background(), []NewFile{file}, AppendOptions{})
	require.NoError(t, err)
	order, err := table.NewSortOrder(2, []table.SortField{
		{SourceIDs: []int{2}, Transform: iceberg.IdentityTransform{}, Direction: table.SortASC, NullOrder: table.NullsFirst},
		{SourceIDs: []int{1}, Transform: iceberg.IdentityTransform{}, Direction: table.SortASC, NullOrder: table.NullsFirst},
	})
	require.NoError(t, err)
	tbl = foreignCommit(t, l, tbl, func(tx *table.Transaction) error { return tx.ReplaceSortOrder(order) })
	require.Zero(t, tbl.SortOrderID(), "not sorted by time first")
	require.True(t, mustFiles(t, tbl)[0].TimeSorted, "the file still is")
	require.Equal(t, 1, mustFiles(t, tbl)[0].SortOrderID)
}

func TestDeletedFilesAreNotListed(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	var written []NewFile
	for i := range 4 {
		written = append(written, l.write(t, tbl, []logRow{message("2026-11-22T10:00:00Z", fmt.Sprint(i))}))
	}
	tbl, err := tbl.Append(ctx, written, AppendOptions{})
	require.NoError(t, err)
	current, err := l.backend.LoadTable(ctx, tbl.inner.Identifier())
	require.NoError(t, err)
	var doomed iceberg.DataFile
	manifests, err := current.CurrentSnapshot().Manifests(newFileIO(ctx, l.store, l.logger))
	require.NoError(t, err)
	for entry, err := range manifests[0].Entries(newFileIO(ctx, l.store, l.logger), true) {
		require.NoError(t, err)
		if entry.DataFile().FilePath() == written[2].Path {
			doomed = entry.DataFile()
		}
	}
	tbl = foreignCommit(t, l, tbl, func(tx *table.Transaction) error {
		return tx.NewRewrite(nil).DeleteFile(doomed).Commit(ctx)
	})
	require.Len(t, mustFiles(t, tbl), 3)
	require.NotContains(t, deletesByPath(t, tbl), written[2].Path)
}
