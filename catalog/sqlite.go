package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite" // also the database/sql driver "sqlite", in pure Go
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteSettings make several processes wait for each other instead of failing, and each commit durable before it is acknowledged.
// The rollback journal rather than WAL: with WAL even a reader makes files beside the database, so that a lake on a full disk or a
// read-only one could not be searched. Commits are few and short, so that readers hardly ever wait for them.
const sqliteSettings = "_pragma=busy_timeout(10000)&_pragma=journal_mode(DELETE)&_pragma=synchronous(FULL)&_txlock=immediate"

// sqliteOpenPatience is how long opening waits for another process that is just making the same database: switching the journal
// of a database reports "busy" without heeding the busy timeout.
const sqliteOpenPatience = 10 * time.Second

// openSQLite opens the database that a URI sqlite:///absolute/path names, and makes it where there is none.
func openSQLite(ctx context.Context, uri, catalogName string) (*sqlPointers, error) {
	file, err := sqliteFile(uri)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, fmt.Errorf("making the directory of the catalog: %w", err)
	}
	dsn := "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + sqliteSettings
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("opening the catalog %s: %w", file, err)
	}
	p := &sqlPointers{db: db, name: catalogName, wait: sleep, dialect: dialect{refused: sqliteRefused}}
	if err := prepareSQLiteWithPatience(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the catalog %s: %w", file, err), db.Close())
	}
	return p, nil
}

// sqliteFile returns the path that a catalog URI names, or says why the database could not keep a lake.
func sqliteFile(uri string) (string, error) {
	const form = "write sqlite:///absolute/path/catalog.db"
	file, ok := strings.CutPrefix(uri, "sqlite://")
	switch {
	case strings.Contains(uri, ":memory:"), strings.Contains(uri, "mode=memory"):
		return "", fmt.Errorf("%w: catalog URI %q: a database in memory ends with the process, and with it all tables: %s", ErrInvalid, uri, form)
	case !ok:
		return "", fmt.Errorf("%w: catalog URI %q: %s", ErrInvalid, uri, form)
	case strings.Contains(file, "://"):
		return "", fmt.Errorf("%w: catalog URI %q: SQLite locks files of a local disk only, so that two writers on another store would "+
			"overwrite each other: %s, or use postgres://", ErrInvalid, uri, form)
	case !filepath.IsAbs(file):
		return "", fmt.Errorf("%w: catalog URI %q: a relative path means another database in every directory: %s", ErrInvalid, uri, form)
	case strings.Contains(file, "?"):
		return "", fmt.Errorf("%w: catalog URI %q: parameters are not understood here: %s", ErrInvalid, uri, form)
	}
	return file, nil
}

func prepareSQLiteWithPatience(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, sqliteOpenPatience)
	defer cancel()
	for {
		err := prepareSQLite(ctx, db)
		if err == nil || !isBusy(err) {
			return err
		}
		if sleep(ctx, 20*time.Millisecond) != nil {
			return err
		}
	}
}

// prepareSQLite makes the tables where they are missing. It writes nothing to a database that is complete.
func prepareSQLite(ctx context.Context, db *sql.DB) error {
	var tables, typed int
	err := db.QueryRowContext(ctx, `SELECT
		(SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name IN ('iceberg_tables', 'iceberg_namespace_properties')),
		(SELECT COUNT(*) FROM pragma_table_info('iceberg_tables') WHERE name = 'iceberg_type')`).Scan(&tables, &typed)
	if err != nil {
		return err
	}
	if tables < 2 {
		for _, statement := range []string{createTablesTable, createNamespacesTable} {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return prepareSQLite(ctx, db)
	}
	if typed == 0 { // made by an older writer, schema V0: the column that tells views from tables is added, as that schema asks
		_, err := db.ExecContext(ctx, addTypeColumn)
		if err != nil && !strings.Contains(err.Error(), "duplicate column") {
			return err
		}
	}
	return nil
}

func isBusy(err error) bool {
	text := err.Error()
	return strings.Contains(text, "SQLITE_BUSY") || strings.Contains(text, "database is locked")
}

// sqliteRefused looks for errors after which SQLite has certainly left the database as it was.
func sqliteRefused(err error) (certain, conflict bool) {
	var failed *sqlite.Error
	if !errors.As(err, &failed) {
		return false, false
	}
	const primary = 0xff // the rest of a code is detail
	switch failed.Code() & primary {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return true, true
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return true, false
	}
	return false, false
}
