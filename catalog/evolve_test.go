package catalog

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"
)

func TestSchemaEvolution(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web", Columns: []Column{{Name: "n", Type: TypeInt}, {Name: "f", Type: TypeFloat}}})
	original := tbl
	before := l.write(t, tbl, []logRow{
		{ColumnTimestamp: at("2026-11-22T10:00:00Z"), "n": int32(-5), "f": float32(0.5), ColumnHost: "a"},
		{ColumnTimestamp: at("2026-11-22T11:00:00Z"), "n": int32(7), "f": float32(1.5), ColumnHost: "b"},
	})
	before.TextBounds = textBounds(tbl)
	tbl, err := tbl.Append(ctx, []NewFile{before}, AppendOptions{})
	require.NoError(t, err)

	tbl, err = tbl.UpdateSchema(ctx,
		AddColumn{Column{Name: "status", Type: TypeLong, Doc: "HTTP status"}}, AddColumn{Column{Name: "more", Type: TypeStringMap}},
		RenameColumn{From: ColumnHost, To: "machine"}, WidenColumn{Name: "n", Type: TypeLong}, WidenColumn{Name: "f", Type: TypeDouble})
	require.NoError(t, err)
	was, is := columnIDs(original), columnIDs(tbl)
	require.Equal(t, was[ColumnHost], is["machine"])
	require.NotContains(t, is, ColumnHost)
	require.Equal(t, was["n"], is["n"])
	for _, id := range was {
		require.NotEqual(t, id, is["status"])
		require.NotEqual(t, id, is["more"])
	}
	columns := tbl.Columns()
	require.Equal(t, Column{Name: "status", Type: TypeLong, Doc: "HTTP status", ID: is["status"]}, columns[9])
	require.Equal(t, arrow.PrimitiveTypes.Int64, tbl.Schema().Field(7).Type)

	// The old file's bounds are four bytes wide, and are read with the widened types.
	file := mustFiles(t, tbl)[0]
	require.Equal(t, int64(-5), file.Lower[is["n"]])
	require.Equal(t, int64(7), file.Upper[is["n"]])
	require.Equal(t, 0.5, file.Lower[is["f"]])
	require.Equal(t, 1.5, file.Upper[is["f"]])
	require.Equal(t, "a", file.Lower[is["machine"]])
	require.NotContains(t, file.Lower, is["status"])

	// A writer that started before the change commits what it wrote with the old names.
	late := l.write(t, original, []logRow{{ColumnTimestamp: at("2026-11-22T12:00:00Z"), "n": int32(9), ColumnHost: "c"}})
	late.TextBounds = textBounds(original)
	_, err = original.Append(ctx, []NewFile{late}, AppendOptions{})
	require.NoError(t, err)
	after := l.write(t, tbl, []logRow{{ColumnTimestamp: at("2026-11-22T13:00:00Z"), "n": int64(1) << 40, "status": int64(200)}})
	tbl, err = tbl.Append(ctx, []NewFile{after}, AppendOptions{})
	require.NoError(t, err)
	require.Len(t, mustFiles(t, tbl), 3)
	for _, file := range mustFiles(t, tbl) {
		switch file.Path {
		case late.Path:
			require.Equal(t, int64(9), file.Lower[is["n"]])
			require.Equal(t, "c", file.Lower[is["machine"]])
		case after.Path:
			require.Equal(t, int64(1)<<40, file.Upper[is["n"]])
			require.Equal(t, int64(200), file.Upper[is["status"]])
		}
	}
	fresh, err := openLake(t, l.dir).Load(ctx, "web")
	require.NoError(t, err)
	require.Equal(t, tbl.Columns(), fresh.Columns())
	require.Equal(t, original.SortOrderID(), fresh.SortOrderID())
	require.Len(t, original.Columns(), 9, "a view never changes")
}

func TestSchemaChangesThatCannotBe(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web", Columns: []Column{{Name: "n", Type: TypeLong}}, PartitionBy: ColumnAppID})
	for name, ch := range map[string]SchemaChange{
		"taken":            AddColumn{Column{Name: "level", Type: TypeString}},
		"taken, upper":     AddColumn{Column{Name: "LEVEL", Type: TypeString}},
		"required":         AddColumn{Column{Name: "x", Type: TypeInt, Required: true}},
		"bad name":         AddColumn{Column{Name: "a b", Type: TypeInt}},
		"bad type":         AddColumn{Column{Name: "x", Type: "text"}},
		"unknown":          RenameColumn{From: "nope", To: "x"},
		"rename to taken":  RenameColumn{From: "n", To: "Host"},
		"rename timestamp": RenameColumn{From: ColumnTimestamp, To: "ts"},
		"rename attrs":     RenameColumn{From: ColumnAttrs, To: "x"},
		"rename message":   RenameColumn{From: ColumnMessage, To: "x"},
		"narrow":           WidenColumn{Name: "n", Type: TypeInt},
		"same":             WidenColumn{Name: "n", Type: TypeLong},
		"across":           WidenColumn{Name: "n", Type: TypeDouble},
		"widen unknown":    WidenColumn{Name: "nope", Type: TypeLong},
	} {
		_, err := tbl.UpdateSchema(ctx, AddColumn{Column{Name: "fine", Type: TypeInt}}, ch)
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	fresh, err := tbl.Refresh(ctx)
	require.NoError(t, err)
	require.Same(t, tbl, fresh, "nothing was committed")
	same, err := tbl.UpdateSchema(ctx)
	require.NoError(t, err)
	require.Same(t, tbl, same)
}

func TestPartitionColumnCanBeRenamed(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web", PartitionBy: ColumnAppID})
	tbl, err := tbl.UpdateSchema(ctx, RenameColumn{From: ColumnAppID, To: "service"})
	require.NoError(t, err)
	require.Equal(t, "service", tbl.PartitionColumn())
	field := tbl.PartitionFields()[1]
	file := l.write(t, tbl, []logRow{{ColumnTimestamp: at("2026-11-22T10:00:00Z"), "service": "shop"}})
	file.Partition[field.Name] = "shop"
	tbl, err = tbl.Append(ctx, []NewFile{file}, AppendOptions{})
	require.NoError(t, err)
	require.Equal(t, "shop", mustFiles(t, tbl)[0].Partition[field.Name])
}

func TestPropertiesRoundTrip(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web", Properties: map[string]string{"commit.manifest-merge.enabled": "false"}})
	require.Equal(t, "false", tbl.Properties()["commit.manifest-merge.enabled"], "what is asked for wins over the default")
	tbl.Properties()["spoiled"] = "yes"
	tbl, err := tbl.SetProperties(ctx, map[string]string{
		"firn.index.column.host": "bloom", "odd": " \"quotes\", ünï\ncode ", PropertyIndexLocation: "file:///elsewhere/idx/", "owner": "me"})
	require.NoError(t, err)
	tbl, err = tbl.SetProperties(ctx, map[string]string{"owner": "", "never-was": ""})
	require.NoError(t, err)
	fresh, err := openLake(t, l.dir).Load(ctx, "web")
	require.NoError(t, err)
	for _, seen := range []*Table{tbl, fresh} {
		require.NotContains(t, seen.Properties(), "spoiled")
		require.NotContains(t, seen.Properties(), "owner")
		require.Equal(t, "bloom", seen.Properties()["firn.index.column.host"])
		require.Equal(t, " \"quotes\", ünï\ncode ", seen.Properties()["odd"])
		require.Equal(t, "file:///elsewhere/idx", seen.IndexLocation())
	}
	_, err = tbl.SetProperties(ctx, map[string]string{"format-version": "3"})
	require.ErrorIs(t, err, ErrInvalid)
	same, err := tbl.SetProperties(ctx, nil)
	require.NoError(t, err)
	require.Same(t, tbl, same)
	tbl, err = tbl.SetProperties(ctx, map[string]string{PropertyIndexLocation: "", "write.metadata.compression-codec": "gzip"})
	require.NoError(t, err)
	require.Equal(t, tbl.Location()+".index", tbl.IndexLocation())
	require.Contains(t, tbl.MetadataLocation(), ".gz.metadata.json")
	fresh, err = openLake(t, l.dir).Load(ctx, "web")
	require.NoError(t, err)
	require.Equal(t, tbl.Properties(), fresh.Properties())
}
