package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// How Postgres is used.
//
// Through database/sql, so that SQLite and Postgres share every statement, and with few connections: a process commits to a table one
// commit at a time. Nothing is prepared, so that a statement is one round trip and a connection pooler may stand in between.
// A server that is away is waited for whenever that is safe: to open, to read, to list. A swap is sent once. If its answer is lost,
// or if the server says something from which the outcome does not follow, the commit loop finds out what became of it.
const (
	postgresConnections = 4
	postgresIdleTime    = time.Minute
	postgresDialTime    = 5 * time.Second
	// postgresTimeout bounds a statement on our side; the server is told to give up a little earlier, so that a statement that was
	// stuck there does not take effect long after it was given up here.
	postgresTimeout       = 10 * time.Second
	postgresServerTimeout = "9s"
	postgresOpenPatience  = 5 * time.Second
	postgresPatience      = 30 * time.Second
)

// postgresSession is done once for each connection. A server that acknowledges commits before they are on its disk would lose them in a
// crash, so that is switched off for us; stronger settings (waiting for replicas) stay.
const postgresSession = `SELECT set_config('statement_timeout', '` + postgresServerTimeout + `', false),
	set_config('lock_timeout', '` + postgresServerTimeout + `', false),
	set_config('idle_in_transaction_session_timeout', '` + postgresServerTimeout + `', false),
	CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', false) END`

// openPostgres opens the database that a URI postgres://user:password@host:port/database?… names. What the URI leaves out comes from the
// PG* environment variables and from ~/.pgpass. The parameter catalog_name goes before the catalog's name in Options.
func openPostgres(ctx context.Context, uri, catalogName string) (*sqlPointers, error) {
	config, name, err := postgresConfig(uri, catalogName)
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*config,
		stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, postgresSession)
			return err
		}),
		// Whether a connection still works is seen when it is used: a look-up comes before every swap, and is made again.
		stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return false }))
	db.SetMaxOpenConns(postgresConnections)
	db.SetMaxIdleConns(postgresConnections / 2)
	db.SetConnMaxIdleTime(postgresIdleTime)
	p := &sqlPointers{db: db, name: name, wait: sleep, dialect: dialect{
		numbered: true, timeout: postgresTimeout, patience: postgresOpenPatience, away: postgresAway, refused: postgresRefused,
	}}
	if err := p.again(ctx, func(ctx context.Context) error { return preparePostgres(ctx, db) }); err != nil {
		err = fmt.Errorf("opening the catalog %s: %w", postgresPlace(config), err)
		return nil, errors.Join(err, db.Close())
	}
	p.dialect.patience = postgresPatience
	return p, nil
}

// postgresConfig takes our own parameter out of a URI and lets pgx read the rest. No error shows the password.
func postgresConfig(uri, catalogName string) (*pgx.ConnConfig, string, error) {
	parsed, err := url.Parse(uri)
	if err != nil { // the error would quote the URI
		return nil, "", fmt.Errorf("%w: catalog URI: not a valid URI: write postgres://user@host:port/database", ErrInvalid)
	}
	query := parsed.Query()
	if name := query.Get("catalog_name"); name != "" {
		catalogName = name
	}
	query.Del("catalog_name")
	parsed.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // pgx takes a plus for a plus
	text := parsed.String()
	if rest, ok := strings.CutPrefix(text, parsed.Scheme+":"); ok && !strings.HasPrefix(rest, "//") {
		text = parsed.Scheme + "://" + rest // neither host nor database: all from the environment
	}
	config, err := pgx.ParseConfig(text)
	if err != nil {
		secret, _ := parsed.User.Password()
		reason := err.Error()
		for _, hidden := range []string{secret, query.Get("password"), query.Get("sslpassword")} {
			if hidden != "" && (strings.Contains(reason, hidden) || strings.Contains(reason, url.QueryEscape(hidden))) {
				reason = "not understood"
			}
		}
		parsed.RawQuery = ""
		return nil, "", fmt.Errorf("%w: catalog URI %q: %s", ErrInvalid, parsed.Redacted(), reason)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = postgresDialTime
	}
	if !query.Has("default_query_exec_mode") {
		config.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "firn"
	}
	return config, catalogName, nil
}

// postgresPlace says where a database is, without secrets.
func postgresPlace(config *pgx.ConnConfig) string {
	return fmt.Sprintf("postgres://%s@%s/%s", config.User, net.JoinHostPort(config.Host, fmt.Sprint(config.Port)), config.Database)
}

// preparePostgres makes the tables where they are missing. A database that is complete is only read, so that a user without the right
// to make tables may open it.
func preparePostgres(ctx context.Context, db *sql.DB) error {
	const attempts = 5
	var err error
	for range attempts {
		var tables, typed int
		err = db.QueryRowContext(ctx, `SELECT
			(to_regclass('iceberg_tables') IS NOT NULL)::int + (to_regclass('iceberg_namespace_properties') IS NOT NULL)::int,
			(SELECT COUNT(*) FROM pg_attribute
				WHERE attrelid = to_regclass('iceberg_tables') AND attname = 'iceberg_type' AND NOT attisdropped)`).Scan(&tables, &typed)
		if err != nil {
			return err
		}
		if tables == 2 && typed == 1 {
			return nil
		}
		statements := []string{createTablesTable, createNamespacesTable}
		if tables == 2 { // schema V0
			statements = []string{strings.Replace(addTypeColumn, "ADD COLUMN", "ADD COLUMN IF NOT EXISTS", 1)}
		}
		for _, statement := range statements {
			if _, err = db.ExecContext(ctx, statement); err != nil && !madeByAnother(err) {
				return err
			}
		}
	}
	if err == nil {
		err = fmt.Errorf("%w: the tables iceberg_tables and iceberg_namespace_properties were made, but cannot be seen: "+
			"look at the search_path", ErrInvalid)
	}
	return err
}

// madeByAnother says whether a table could not be made because another session just did: CREATE TABLE IF NOT EXISTS looks before it
// locks, and then runs into the unique indexes of the system tables.
func madeByAnother(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "23505" || pg.Code == "42P07" || pg.Code == "42701" || pg.Code == "42710")
}

// postgresAway says whether an error is that of a server that is down, starting, stopping, full or unreachable.
func postgresAway(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code[:min(2, len(pg.Code))] {
		case "08", "57", "53": // connections; operator intervention, also a statement's time; resources
			return true
		}
		return false
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.Temporary() && !dns.IsNotFound
	}
	var network net.Error
	var connect *pgconn.ConnectError
	switch {
	case errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &connect):
		return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
	}
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, context.DeadlineExceeded) ||
		pgconn.SafeToRetry(err)
}

// postgresRefused looks for an error that the server itself reported for the statement, and survived: then the statement was rolled
// back. An error that ends the connection may also come after the commit ("terminating connection"), and tells nothing.
func postgresRefused(err error) (certain, conflict bool) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.SeverityUnlocalized != "" && pg.SeverityUnlocalized != "ERROR" ||
		pg.SeverityUnlocalized == "" && pg.Severity != "ERROR" {
		return false, false
	}
	switch pg.Code {
	case "40001", "40P01", "55P03", "57014": // serialization failure, deadlock, lock timeout, statement timeout
		return true, true
	}
	switch pg.Code[:min(2, len(pg.Code))] {
	case "08", "57", "58", "XX":
		return false, false
	}
	return true, false
}
