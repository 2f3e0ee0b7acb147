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

	"github.com/apache/iceberg-go/table"
	_ "modernc.org/sqlite" // the database/sql driver "sqlite", in pure Go
)

// The tables of a SQL catalog, as pyiceberg, iceberg-go and Java's JdbcCatalog (schema V1) make them.
const (
	createTablesTable = `CREATE TABLE IF NOT EXISTS iceberg_tables (
		catalog_name VARCHAR(255) NOT NULL,
		table_namespace VARCHAR(255) NOT NULL,
		table_name VARCHAR(255) NOT NULL,
		metadata_location VARCHAR(1000),
		previous_metadata_location VARCHAR(1000),
		iceberg_type VARCHAR(5),
		PRIMARY KEY (catalog_name, table_namespace, table_name))`
	createNamespacesTable = `CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
		catalog_name VARCHAR(255) NOT NULL,
		namespace VARCHAR(255) NOT NULL,
		property_key VARCHAR(255) NOT NULL,
		property_value VARCHAR(1000),
		PRIMARY KEY (catalog_name, namespace, property_key))`
)

// sqliteSettings make several processes wait for each other instead of failing, and each commit durable before it is acknowledged.
// The rollback journal rather than WAL: with WAL even a reader makes files beside the database, so that a lake on a full disk or a
// read-only one could not be searched. Commits are few and short, so that readers hardly ever wait for them.
const sqliteSettings = "_pragma=busy_timeout(10000)&_pragma=journal_mode(DELETE)&_pragma=synchronous(FULL)&_txlock=immediate"

// sqliteOpenPatience is how long opening waits for another process that is just making the same database: switching the journal
// of a database reports "busy" without heeding the busy timeout.
const sqliteOpenPatience = 10 * time.Second

// sqlitePointers keeps pointers in a SQLite database.
type sqlitePointers struct {
	db   *sql.DB
	name string // of the catalog within the database
}

// openSQLite opens the database that a URI sqlite:///absolute/path names, and makes it where there is none.
func openSQLite(ctx context.Context, uri, catalogName string) (*sqlitePointers, error) {
	file, ok := strings.CutPrefix(uri, "sqlite://")
	if !ok || !filepath.IsAbs(file) {
		return nil, fmt.Errorf("%w: catalog URI %q: write sqlite:///absolute/path/catalog.db", ErrInvalid, uri)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, fmt.Errorf("making the directory of the catalog: %w", err)
	}
	dsn := "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + sqliteSettings
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("opening the catalog %s: %w", file, err)
	}
	p := &sqlitePointers{db: db, name: catalogName}
	if err := p.prepareWithPatience(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the catalog %s: %w", file, err), db.Close())
	}
	return p, nil
}

func (p *sqlitePointers) prepareWithPatience(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sqliteOpenPatience)
	defer cancel()
	for {
		err := p.prepare(ctx)
		if err == nil || !isBusy(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// prepare makes the tables where they are missing. It writes nothing to a database that is complete.
func (p *sqlitePointers) prepare(ctx context.Context) error {
	var tables, typed int
	err := p.db.QueryRowContext(ctx, `SELECT
		(SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name IN ('iceberg_tables', 'iceberg_namespace_properties')),
		(SELECT COUNT(*) FROM pragma_table_info('iceberg_tables') WHERE name = 'iceberg_type')`).Scan(&tables, &typed)
	if err != nil {
		return err
	}
	if tables < 2 {
		for _, statement := range []string{createTablesTable, createNamespacesTable} {
			if _, err := p.db.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return p.prepare(ctx)
	}
	if typed == 0 { // made by an older writer, schema V0: the column that tells views from tables is added, as that schema asks
		_, err := p.db.ExecContext(ctx, `ALTER TABLE iceberg_tables ADD COLUMN iceberg_type VARCHAR(5)`)
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

func (p *sqlitePointers) close() error { return p.db.Close() }

func (p *sqlitePointers) get(ctx context.Context, ident table.Identifier) (string, error) {
	namespace, name := split(ident)
	var location sql.NullString
	err := p.db.QueryRowContext(ctx, `SELECT metadata_location FROM iceberg_tables
		WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)`,
		p.name, namespace, name).Scan(&location)
	if errors.Is(err, sql.ErrNoRows) || err == nil && location.String == "" {
		return "", fmt.Errorf("%w: %s", ErrTableNotFound, fullName(ident))
	}
	if err != nil {
		return "", fmt.Errorf("reading the catalog entry of %s: %w", fullName(ident), err)
	}
	return location.String, nil
}

func (p *sqlitePointers) insert(ctx context.Context, ident table.Identifier, location string) error {
	namespace, name := split(ident)
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("adding %s to the catalog: %w", fullName(ident), err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, `INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value)
		SELECT ?, ?, 'exists', 'true'
		WHERE NOT EXISTS (SELECT 1 FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace = ?)`,
		p.name, namespace, p.name, namespace); err != nil {
		return fmt.Errorf("adding namespace %s to the catalog: %w", namespace, err)
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO iceberg_tables
		(catalog_name, table_namespace, table_name, metadata_location, iceberg_type) VALUES (?, ?, ?, ?, 'TABLE')
		ON CONFLICT (catalog_name, table_namespace, table_name) DO NOTHING`, p.name, namespace, name, location)
	if err != nil {
		return fmt.Errorf("adding %s to the catalog: %w", fullName(ident), err)
	}
	if added, err := result.RowsAffected(); err != nil {
		return err
	} else if added == 0 {
		return fmt.Errorf("%w: %s", ErrTableExists, fullName(ident))
	}
	return tx.Commit()
}

func (p *sqlitePointers) swap(ctx context.Context, ident table.Identifier, from, to string) (bool, error) {
	namespace, name := split(ident)
	result, err := p.db.ExecContext(ctx, `UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
		WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?`,
		to, from, p.name, namespace, name, from)
	if err != nil {
		return false, fmt.Errorf("moving the catalog entry of %s: %w", fullName(ident), err)
	}
	moved, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("moving the catalog entry of %s: %w", fullName(ident), err)
	}
	return moved == 1, nil
}

func (p *sqlitePointers) remove(ctx context.Context, ident table.Identifier) error {
	namespace, name := split(ident)
	result, err := p.db.ExecContext(ctx, `DELETE FROM iceberg_tables
		WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)`,
		p.name, namespace, name)
	if err != nil {
		return fmt.Errorf("removing %s from the catalog: %w", fullName(ident), err)
	}
	if removed, err := result.RowsAffected(); err != nil {
		return err
	} else if removed == 0 {
		return fmt.Errorf("%w: %s", ErrTableNotFound, fullName(ident))
	}
	return nil
}

func (p *sqlitePointers) list(ctx context.Context) ([]pointer, error) {
	rows, err := p.db.QueryContext(ctx, `SELECT table_namespace, table_name, metadata_location FROM iceberg_tables
		WHERE catalog_name = ? AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)
		ORDER BY table_namespace, table_name`, p.name)
	if err != nil {
		return nil, fmt.Errorf("listing the catalog: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var found []pointer
	for rows.Next() {
		var namespace, name string
		var location sql.NullString
		if err := rows.Scan(&namespace, &name, &location); err != nil {
			return nil, fmt.Errorf("listing the catalog: %w", err)
		}
		found = append(found, pointer{ident: table.Identifier{namespace, name}, location: location.String})
	}
	return found, rows.Err()
}
