package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apache/iceberg-go/table"
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
	addTypeColumn = `ALTER TABLE iceberg_tables ADD COLUMN iceberg_type VARCHAR(5)`
)

// The statements, with ? for each argument. What a row holds about views is not ours.
const (
	selectLocation = `SELECT metadata_location FROM iceberg_tables
		WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)`
	insertNamespace = `INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value)
		SELECT CAST(? AS VARCHAR(255)), CAST(? AS VARCHAR(255)), 'exists', 'true'
		WHERE NOT EXISTS (SELECT 1 FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace = ?)
		ON CONFLICT (catalog_name, namespace, property_key) DO NOTHING`
	insertTable = `INSERT INTO iceberg_tables
		(catalog_name, table_namespace, table_name, metadata_location, iceberg_type) VALUES (?, ?, ?, ?, 'TABLE')
		ON CONFLICT (catalog_name, table_namespace, table_name) DO NOTHING`
	swapLocation = `UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
		WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?`
	deleteTable = `DELETE FROM iceberg_tables
		WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)`
	selectTables = `SELECT table_namespace, table_name, metadata_location FROM iceberg_tables
		WHERE catalog_name = ? AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)
		ORDER BY table_namespace, table_name`
)

// dialect is what one database does differently from another.
type dialect struct {
	numbered bool // placeholders are $1, $2, … in place of ?
	// timeout bounds one statement, so that a server that does not answer is noticed; 0 is no bound but the caller's context.
	timeout time.Duration
	// patience is how long something that has not taken effect is tried again while the server is away.
	patience time.Duration
	// away says whether an error comes from a server that may be back soon. nil is never.
	away func(err error) bool
	// refused says whether the server said that a statement failed, so that it certainly had no effect, and whether that was
	// because of another writer. nil is never: every error leaves open what happened.
	refused func(err error) (certain, conflict bool)
}

// sqlPointers keeps pointers in two tables of a SQL database.
//
// A swap is a single UPDATE that names the location it replaces, outside of any transaction: it is atomic and durable when the
// database answers, and whatever becomes of it, it can only take effect while the table still is as it was.
type sqlPointers struct {
	db      *sql.DB
	name    string // of the catalog within the database
	dialect dialect
	wait    func(ctx context.Context, d time.Duration) error
}

func (p *sqlPointers) close() error { return p.db.Close() }

// text writes the placeholders as the database wants them.
func (p *sqlPointers) text(statement string) string {
	if !p.dialect.numbered {
		return statement
	}
	var out strings.Builder
	n := 0
	for {
		before, after, found := strings.Cut(statement, "?")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		n++
		out.WriteString("$" + strconv.Itoa(n))
		statement = after
	}
}

// try runs one step, within the time that a statement has.
func (p *sqlPointers) try(ctx context.Context, step func(ctx context.Context) error) error {
	if p.dialect.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.dialect.timeout)
		defer cancel()
	}
	return step(ctx)
}

// again runs a step that changes nothing, or nothing that matters, until the server is there.
func (p *sqlPointers) again(ctx context.Context, step func(ctx context.Context) error) error {
	var waited time.Duration
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := p.try(ctx, step)
		if err == nil || p.dialect.away == nil || !p.dialect.away(err) || ctx.Err() != nil || waited >= p.dialect.patience {
			return err
		}
		if p.wait(ctx, pause) != nil {
			return err
		}
		waited += pause
		if errors.Is(err, context.DeadlineExceeded) {
			waited += p.dialect.timeout
		}
	}
}

func (p *sqlPointers) get(ctx context.Context, ident table.Identifier) (string, error) {
	namespace, name := split(ident)
	var location sql.NullString
	err := p.again(ctx, func(ctx context.Context) error {
		return p.db.QueryRowContext(ctx, p.text(selectLocation), p.name, namespace, name).Scan(&location)
	})
	if errors.Is(err, sql.ErrNoRows) || err == nil && location.String == "" {
		return "", fmt.Errorf("%w: %s", ErrTableNotFound, fullName(ident))
	}
	if err != nil {
		return "", fmt.Errorf("reading the catalog entry of %s: %w", fullName(ident), err)
	}
	return location.String, nil
}

func (p *sqlPointers) insert(ctx context.Context, ident table.Identifier, location string) error {
	err := p.try(ctx, func(ctx context.Context) error { return p.insertOnce(ctx, ident, location) })
	if err != nil && !errors.Is(err, ErrTableExists) {
		return fmt.Errorf("adding %s to the catalog: %w", fullName(ident), err)
	}
	return err
}

func (p *sqlPointers) insertOnce(ctx context.Context, ident table.Identifier, location string) error {
	namespace, name := split(ident)
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, p.text(insertNamespace), p.name, namespace, p.name, namespace); err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, p.text(insertTable), p.name, namespace, name, location)
	if err != nil {
		return err
	}
	if added, err := result.RowsAffected(); err != nil {
		return err
	} else if added == 0 {
		return fmt.Errorf("%w: %s", ErrTableExists, fullName(ident))
	}
	return tx.Commit()
}

func (p *sqlPointers) swap(ctx context.Context, ident table.Identifier, from, to string) (bool, error) {
	namespace, name := split(ident)
	var moved int64
	err := p.try(ctx, func(ctx context.Context) error {
		result, err := p.db.ExecContext(ctx, p.text(swapLocation), to, from, p.name, namespace, name, from)
		if err != nil {
			return err
		}
		moved, err = result.RowsAffected()
		return err
	})
	if err == nil {
		return moved == 1, nil
	}
	err = fmt.Errorf("moving the catalog entry of %s: %w", fullName(ident), err)
	if p.dialect.refused != nil {
		switch certain, conflict := p.dialect.refused(err); {
		case conflict:
			return false, fmt.Errorf("%w: %w", table.ErrCommitFailed, err)
		case certain:
			return false, fmt.Errorf("%w: %w", errNotCommitted, err)
		}
	}
	return false, err
}

func (p *sqlPointers) remove(ctx context.Context, ident table.Identifier) error {
	namespace, name := split(ident)
	var removed int64
	err := p.try(ctx, func(ctx context.Context) error {
		result, err := p.db.ExecContext(ctx, p.text(deleteTable), p.name, namespace, name)
		if err != nil {
			return err
		}
		removed, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return fmt.Errorf("removing %s from the catalog: %w", fullName(ident), err)
	}
	if removed == 0 {
		return fmt.Errorf("%w: %s", ErrTableNotFound, fullName(ident))
	}
	return nil
}

func (p *sqlPointers) list(ctx context.Context) ([]pointer, error) {
	var found []pointer
	err := p.again(ctx, func(ctx context.Context) (err error) {
		found, err = p.listOnce(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the catalog: %w", err)
	}
	return found, nil
}

func (p *sqlPointers) listOnce(ctx context.Context) ([]pointer, error) {
	rows, err := p.db.QueryContext(ctx, p.text(selectTables), p.name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var found []pointer
	for rows.Next() {
		var namespace, name string
		var location sql.NullString
		if err := rows.Scan(&namespace, &name, &location); err != nil {
			return nil, err
		}
		found = append(found, pointer{ident: table.Identifier{namespace, name}, location: location.String})
	}
	return found, rows.Err()
}
