package catalog

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/testservers"
)

// pyScript loads default.web through pyiceberg's own catalog, counts its rows, and sets a property. Its arguments: kind, URI, name.
const pyScript = `
import sys
kind, uri, name = sys.argv[1:]
if kind == "rest":
    from pyiceberg.catalog.rest import RestCatalog
    catalog = RestCatalog(name, uri=uri)
else:
    from pyiceberg.catalog.sql import SqlCatalog
    catalog = SqlCatalog(name, uri=uri.replace("postgres://", "postgresql+psycopg2://"))
table = catalog.load_table("default.web")
assert ("default", "web") in catalog.list_tables("default"), catalog.list_tables("default")
print(table.scan().to_arrow().num_rows, table.spec().fields[0].name, table.sort_order().order_id)
with table.transaction() as tx:
    tx.set_properties(by="pyiceberg")
`

// TestServerPyiceberg lets pyiceberg read and change tables through the server that keeps them.
func TestServerPyiceberg(t *testing.T) {
	testservers.Need(t)
	python, err := filepath.Abs("../.venv/bin/python")
	require.NoError(t, err)
	if exec.Command(python, "-c", "import pyiceberg, psycopg2").Run() != nil {
		t.Skip("no Python environment with pyiceberg and psycopg2: scripts/python-env makes one")
	}
	for kind, uri := range map[string]func() string{
		"postgres": func() string { return postgresOf(testservers.Shared(t, "postgres")) },
		"rest":     func() string { return restOf(testservers.Shared(t, "rest")) },
	} {
		t.Run(kind, func(t *testing.T) {
			ctx := context.Background()
			l := newServerLake(t, uri())
			tbl := l.create(t, TableSpec{Name: "web", PartitionBy: ColumnAppID})
			for _, text := range []string{"a", "b", "c"} {
				file := l.write(t, tbl, []logRow{message("2026-11-22T10:00:00Z", text), message("2026-11-22T11:00:00Z", text)})
				tbl, err = tbl.Append(ctx, []NewFile{file}, AppendOptions{})
				require.NoError(t, err)
			}
			cmd := exec.Command(python, "-c", pyScript, kind, l.uri, l.name)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			require.NoError(t, err)
			require.Equal(t, "6 log_date 1", strings.TrimSpace(string(out)))
			tbl, err = tbl.Refresh(ctx)
			require.NoError(t, err)
			require.Equal(t, "pyiceberg", tbl.Properties()["by"])
			_, err = tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
			require.NoError(t, err)
		})
	}
}
