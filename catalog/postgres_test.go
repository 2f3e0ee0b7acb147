package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage/mem"
)

func TestPostgresURIs(t *testing.T) {
	t.Setenv("PGHOST", "from.environment")
	t.Setenv("PGPORT", "1234")
	t.Setenv("PGUSER", "somebody")
	t.Setenv("PGPASSWORD", "s3cr3t")
	t.Setenv("PGDATABASE", "lakes")
	config, name, err := postgresConfig("postgres://", "firn")
	require.NoError(t, err)
	require.Equal(t, "firn", name)
	require.Equal(t, "postgres://somebody@from.environment:1234/lakes", postgresPlace(config))
	require.Equal(t, "s3cr3t", config.Password)
	require.Equal(t, postgresDialTime, config.ConnectTimeout)

	config, name, err = postgresConfig("postgresql://me:p%40ss@[::1]:99/db?sslmode=disable&catalog_name=other&connect_timeout=7"+
		"&application_name=x", "firn")
	require.NoError(t, err)
	require.Equal(t, "other", name)
	require.Equal(t, "postgres://me@[::1]:99/db", postgresPlace(config))
	require.Equal(t, "p@ss", config.Password)
	require.Equal(t, 7*time.Second, config.ConnectTimeout)
	require.Equal(t, "x", config.RuntimeParams["application_name"])
	require.NotContains(t, config.RuntimeParams, "catalog_name")
	require.Nil(t, config.TLSConfig)

	for _, uri := range []string{"postgres://u:s3cr3t@host:port/db", "postgres://u:s3cr3t@host/db?sslmode=nonsense", "postgres://u:s3cr3t@ho st/db",
		"postgres://u:s3cr3t@host/db?connect_timeout=s3cr3t", "postgres://u:s3cr3t%zz@host/db", "postgres://host/db?password=s3cr3t&sslmode=nonsense"} {
		_, _, err := postgresConfig(uri, "firn")
		require.ErrorIs(t, err, ErrInvalid, uri)
		require.NotContains(t, err.Error(), "s3cr3t")
	}
}

// TestPostgresThatIsNotThere opens catalogs on a closed port, and on one that nobody answers on.
func TestPostgresThatIsNotThere(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for _, address := range []string{silent.Addr().String(), closed.Addr().String()} {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		_, err = Open(ctx, Options{Store: mem.New(), URI: "postgres://u:s3cr3t@" + address + "/db?sslmode=disable"})
		cancel()
		require.ErrorContains(t, err, "postgres://u@"+address+"/db")
		require.NotContains(t, err.Error(), "s3cr3t")
	}
}

func TestPostgresErrors(t *testing.T) {
	server := func(severity, code string) error {
		return fmt.Errorf("while testing: %w", &pgconn.PgError{Severity: severity, SeverityUnlocalized: severity, Code: code})
	}
	for _, c := range []struct {
		err                     error
		away, certain, conflict bool
	}{
		{err: server("ERROR", "40001"), certain: true, conflict: true},             // serialization failure
		{err: server("ERROR", "55P03"), certain: true, conflict: true},             // lock not available
		{err: server("ERROR", "57014"), away: true, certain: true, conflict: true}, // statement timeout
		{err: server("ERROR", "25006"), certain: true},                             // read-only
		{err: server("ERROR", "42501"), certain: true},                             // not allowed
		{err: server("ERROR", "22001"), certain: true},                             // location too long
		{err: server("ERROR", "53100"), away: true, certain: true},                 // disk full
		{err: server("FATAL", "57P01"), away: true},                                // terminated: perhaps after the commit
		{err: server("FATAL", "57P03"), away: true},                                // starting
		{err: server("FATAL", "28P01")},                                            // wrong password
		{err: server("PANIC", "XX000")},
		{err: server("ERROR", "XX000")},
		{err: fmt.Errorf("x: %w", io.ErrUnexpectedEOF), away: true},
		{err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, away: true},
		{err: &net.OpError{Op: "read", Err: syscall.ECONNRESET}, away: true},
		{err: &net.DNSError{Err: "no such host", IsNotFound: true}},
		{err: context.DeadlineExceeded, away: true},
		{err: context.Canceled},
		{err: errors.New("anything else")},
	} {
		require.Equal(t, c.away, postgresAway(c.err), "%v", c.err)
		certain, conflict := postgresRefused(c.err)
		require.Equal(t, c.certain, certain, "%v", c.err)
		require.Equal(t, c.conflict, conflict, "%v", c.err)
	}
}

func TestPlaceholders(t *testing.T) {
	p := &sqlPointers{dialect: dialect{numbered: true}}
	require.Equal(t, "a = $1 AND b IN ($2, $3)", p.text("a = ? AND b IN (?, ?)"))
	require.Equal(t, "a = ?", (&sqlPointers{}).text("a = ?"))
}
