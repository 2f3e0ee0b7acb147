package catalog

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/testservers"
)

// cutter passes connections on to a server, and cuts some of them when a swap passes through.
type cutter struct {
	listener net.Listener
	target   string
	cut      func(n int64) (before, after bool) // for the n-th swap, from 1
	swaps    atomic.Int64
	done     sync.WaitGroup
}

func newCutter(t *testing.T, target string, cut func(n int64) (before, after bool)) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cutter{listener: listener, target: target, cut: cut}
	c.done.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			c.done.Go(func() { c.pass(client) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		c.done.Wait()
	})
	return c
}

func (c *cutter) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	defer server.Close()
	var deaf atomic.Bool
	var answers sync.WaitGroup
	answers.Go(func() {
		defer client.Close()
		defer server.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil || deaf.Load() { // the server has answered, so it has carried out the statement
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
	defer answers.Wait()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			_ = server.Close()
			return
		}
		if bytes.Contains(buffer[:n], []byte("UPDATE iceberg_tables")) {
			before, after := c.cut(c.swaps.Add(1))
			if before {
				_ = server.Close()
				return
			}
			deaf.Store(after)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// TestServerPostgresAnswersLost cuts the connection to Postgres before a swap arrives, and after it was carried out.
func TestServerPostgresAnswersLost(t *testing.T) {
	ctx := context.Background()
	parsed, err := url.Parse(postgresOf(testservers.Shared(t, "postgres")))
	require.NoError(t, err)
	c := newCutter(t, parsed.Host, func(n int64) (before, after bool) { return n%4 == 2, n%4 == 0 || n%8 == 3 })
	direct := newServerLake(t, parsed.String())
	parsed.Host = c.listener.Addr().String()
	l := direct
	l.uri = parsed.String()
	l = l.open(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	const appends = 24
	for range appends {
		tbl, err = tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
		require.NoError(t, err)
	}
	require.EqualValues(t, appends*4/3, c.swaps.Load(), "only what did not arrive was sent again")
	fresh, err := direct.Load(ctx, "web")
	require.NoError(t, err)
	files, _ := totalRows(t, fresh)
	require.Equal(t, appends, files)
	require.Len(t, fresh.Snapshots(), appends)
}
