package catalog

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"
)

// TestSQLiteThatRefuses wants to know of errors of a swap that nothing was changed, and which of them another writer caused.
func TestSQLiteThatRefuses(t *testing.T) {
	ctx := context.Background()
	uri := "sqlite://" + filepath.Join(t.TempDir(), "catalog.db")
	open := func() *sqlPointers {
		p, err := openSQLite(ctx, uri, "firn")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, p.close()) })
		p.db.SetMaxOpenConns(1) // one session, with its settings
		return p
	}
	p, other, ident := open(), open(), table.Identifier{"default", "web"}
	require.NoError(t, p.insert(ctx, ident, "a"))

	_, err := p.db.ExecContext(ctx, "PRAGMA query_only = 1")
	require.NoError(t, err)
	_, err = p.swap(ctx, ident, "a", "b")
	require.ErrorIs(t, err, errNotCommitted)
	_, err = p.db.ExecContext(ctx, "PRAGMA query_only = 0; PRAGMA busy_timeout = 1")
	require.NoError(t, err)

	tx, err := other.db.BeginTx(ctx, nil)
	require.NoError(t, err)
	_, err = p.swap(ctx, ident, "a", "b")
	require.ErrorIs(t, err, table.ErrCommitFailed)
	require.NoError(t, tx.Rollback())
	won, err := p.swap(ctx, ident, "a", "b")
	require.NoError(t, err)
	require.True(t, won)
}
