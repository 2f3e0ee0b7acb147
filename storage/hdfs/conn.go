package hdfs

import (
	"bufio"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	nameNodeBuffer = 4 << 10
	dataNodeBuffer = 64 << 10
)

// connKind says what a connection is for.
type connKind int

const (
	toNameNode connKind = iota
	toRead              // from a datanode
	toWrite             // to the first datanode of a pipeline
)

// conn is a connection of the client library with a deadline for each operation of its own, in place of the library's, which are for
// whole readers and writers, and do not cover the greeting. After an error it is closed and stays failed.
type conn struct {
	net.Conn
	kind    connKind
	session *session
	address string // as it was asked for
	timeout time.Duration
	buffer  *bufio.Reader // over rawReader

	mu   sync.Mutex
	err  error // the first one
	used time.Time
}

// newConn wraps a connection.
func newConn(raw net.Conn, kind connKind, s *session, address string, timeout time.Duration) *conn {
	c := &conn{Conn: raw, kind: kind, session: s, address: address, timeout: timeout, used: s.now()}
	size := dataNodeBuffer
	if kind == toNameNode {
		size = nameNodeBuffer
	}
	c.buffer = bufio.NewReaderSize(rawReader{c}, size)
	return c
}

// rawReader reads from the network, with a deadline.
type rawReader struct{ c *conn }

func (r rawReader) Read(p []byte) (int, error) {
	if err := r.c.failure(); err != nil {
		return 0, err
	}
	timeout := r.c.timeout
	if r.c.kind == toRead {
		timeout = r.c.session.patience.of(timeout)
	}
	if err := r.c.Conn.SetReadDeadline(deadline(timeout)); err != nil {
		return 0, r.c.fail(err)
	}
	n, err := r.c.Conn.Read(p)
	if err != nil {
		return n, r.c.fail(err)
	}
	return n, nil
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) { return c.buffer.Read(p) }

// Write implements net.Conn. After a failure, what is written to a datanode vanishes without an error: the library's writer then goes on
// to wait for acknowledgements, gets the error there, and ends its goroutines, which it leaves behind when writing fails. Nobody takes the
// lost bytes for written: without the last acknowledgement the writer's Close fails.
func (c *conn) Write(p []byte) (int, error) {
	length := len(p)
	if c.kind == toNameNode {
		request, isRename, err := exclusiveRename(p)
		if err != nil {
			return 0, c.fail(err)
		}
		if isRename {
			c.session.renames.Add(1)
		}
		p = request
	}
	err := c.failure()
	if err == nil {
		err = c.Conn.SetWriteDeadline(deadline(c.timeout))
	}
	if err == nil {
		_, err = c.Conn.Write(p)
	}
	if err != nil {
		err = c.fail(err)
		if c.kind == toWrite {
			return length, nil
		}
		return 0, err
	}
	return length, nil
}

// failure returns the error that ended the connection, and notes that it is in use.
func (c *conn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = c.session.now()
	return c.err
}

// fail ends the connection with an error, unless it had one before. It returns the first one.
func (c *conn) fail(err error) error {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	err = c.err
	c.mu.Unlock()
	c.session.connFailed(c, err)
	_ = c.Conn.Close()
	return err
}

// lastUsed returns when the connection was last read or written.
func (c *conn) lastUsed() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.mu.Lock()
	if c.err == nil {
		c.err = net.ErrClosed
	}
	c.mu.Unlock()
	c.session.forget(c)
	return c.Conn.Close()
}

// SetDeadline implements net.Conn; the connection has deadlines of its own.
func (c *conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn; the connection has deadlines of its own.
func (c *conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn; the connection has deadlines of its own.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// deadline returns the time after a timeout, by the clock that the network uses.
func deadline(timeout time.Duration) time.Time {
	return time.Now().Add(timeout) //nolint:forbidigo // deadlines of connections are by the machine's clock
}

// mostPatience is by how many doublings a timeout grows.
const mostPatience = 3

// readPatience makes readers wait longer when all replicas of a block were too slow: the cluster is busy, not dead.
type readPatience struct{ doublings atomic.Int32 }

// of returns a timeout that has grown.
func (p *readPatience) of(timeout time.Duration) time.Duration { return timeout << p.doublings.Load() }

// more doubles timeouts, up to a bound.
func (p *readPatience) more() {
	if n := p.doublings.Load(); n < mostPatience {
		p.doublings.CompareAndSwap(n, n+1)
	}
}

// less takes a doubling back.
func (p *readPatience) less() {
	if n := p.doublings.Load(); n > 0 {
		p.doublings.CompareAndSwap(n, n-1)
	}
}
