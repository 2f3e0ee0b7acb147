package hdfs

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	hadoop "github.com/colinmarc/hdfs/v2"
)

// errClosed is returned after Close.
var errClosed = errors.New("the store is closed")

// session is one client of the library, with its connection to a namenode and its connections to datanodes. A client reconnects by itself
// only five seconds after a failure; a session is replaced by a new one instead.
type session struct {
	client *hadoop.Client
	now    func() time.Time
	cancel context.CancelFunc // stops dialing
	failed func(address string)
	first  *sync.Mutex // held by the first read of a client that encrypts; see guard

	patience *readPatience // of the store

	broken  atomic.Bool  // the connection to the namenode failed
	data    atomic.Bool  // a connection to a datanode failed
	renames atomic.Int64 // sent
	warm    atomic.Bool
	refs    atomic.Int64

	mu     sync.Mutex
	closed bool
	conns  map[*conn]struct{}
}

// newSession connects to a namenode. kind tells what its connections to datanodes are for. The caller holds the one reference.
func (s *Store) newSession(ctx context.Context, kind connKind) (*session, error) {
	timeout := s.options.OperationTimeout
	if kind == toWrite {
		timeout *= writePatience
	}
	alive, cancel := context.WithCancel(context.WithoutCancel(ctx))
	sess := &session{now: s.options.Now, cancel: cancel, failed: s.health.failed, patience: &s.patience, conns: map[*conn]struct{}{}}
	dialer := net.Dialer{Timeout: s.options.DialTimeout, KeepAlive: 30 * time.Second}
	dial := func(kind connKind, timeout time.Duration) func(context.Context, string, string) (net.Conn, error) {
		return func(_ context.Context, network, address string) (net.Conn, error) {
			raw, err := dialer.DialContext(alive, network, address)
			if err != nil {
				if kind == toNameNode {
					sess.failed(address)
				} else {
					sess.data.Store(true)
				}
				return nil, err
			}
			return sess.remember(newConn(raw, kind, sess, address, timeout))
		}
	}
	options := s.client
	options.Addresses = s.health.order(s.place.nameNodes)
	options.NamenodeDialFunc = dial(toNameNode, s.options.NameNodeTimeout)
	options.DatanodeDialFunc = dial(kind, timeout)

	stop := context.AfterFunc(ctx, sess.interrupt)
	defer stop()
	client, err := hadoop.NewClient(options)
	if err != nil {
		sess.interrupt()
		return nil, err
	}
	sess.client = client
	sess.refs.Store(1)
	defaults, err := client.ServerDefaults() // now, because the library's own first call of it is not safe for concurrent use
	if err != nil {
		sess.release()
		return nil, err
	}
	s.health.answered(sess.nameNode())
	if s.client.DataTransferProtection != "" || defaults.EncryptDataTransfer {
		sess.first = &sync.Mutex{}
	}
	return sess, nil
}

// guard makes the first transfer of a client that encrypts wait for nobody and all others for it: the library fetches the key then,
// without a lock.
func (sess *session) guard() (unlock func()) {
	if sess.first == nil || sess.warm.Load() {
		return func() {}
	}
	sess.first.Lock()
	return func() {
		sess.warm.Store(true)
		sess.first.Unlock()
	}
}

// note looks at the error of a call: a client that has lost its namenode tries to find one again only after five seconds.
func (sess *session) note(err error) {
	if err != nil && strings.Contains(err.Error(), "no available namenodes") {
		sess.broken.Store(true)
	}
}

// nameNode returns the address of the namenode that the session is connected to.
func (sess *session) nameNode() string {
	sess.mu.Lock()
	defer sess.mu.Unlock()
	for c := range sess.conns {
		if c.kind == toNameNode {
			return c.address
		}
	}
	return ""
}

// acquire adds a reference.
func (sess *session) acquire() *session {
	sess.refs.Add(1)
	return sess
}

// release gives a reference back. The last one closes the session.
func (sess *session) release() {
	if sess.refs.Add(-1) == 0 {
		sess.interrupt()
		_ = sess.client.Close() // its connection is closed already
	}
}

// remember adds a connection, or closes it if the session has ended.
func (sess *session) remember(c *conn) (net.Conn, error) {
	sess.mu.Lock()
	closed := sess.closed
	if !closed {
		sess.conns[c] = struct{}{}
	}
	sess.mu.Unlock()
	if closed {
		_ = c.Conn.Close()
		return nil, net.ErrClosed
	}
	return c, nil
}

// forget removes a connection.
func (sess *session) forget(c *conn) {
	sess.mu.Lock()
	defer sess.mu.Unlock()
	delete(sess.conns, c)
}

// connFailed notes that a connection has failed.
func (sess *session) connFailed(c *conn, err error) {
	sess.forget(c)
	if c.kind != toNameNode {
		sess.data.Store(true)
		return
	}
	sess.broken.Store(true)
	if !errors.Is(err, net.ErrClosed) {
		sess.failed(c.address)
	}
}

// interrupt ends all that the session does, now. It cannot be used afterwards.
func (sess *session) interrupt() {
	sess.broken.Store(true)
	sess.mu.Lock()
	sess.closed = true
	conns := sess.conns
	sess.conns = map[*conn]struct{}{}
	sess.mu.Unlock()
	sess.cancel()
	for c := range conns {
		_ = c.fail(net.ErrClosed)
	}
}

// closeData closes the connections to datanodes that were not used since a time: the library forgets to close some.
func (sess *session) closeData(since time.Time) {
	sess.mu.Lock()
	var old []*conn
	for c := range sess.conns {
		if c.kind != toNameNode && c.lastUsed().Before(since) {
			old = append(old, c)
		}
	}
	sess.mu.Unlock()
	for _, c := range old {
		_ = c.Close()
	}
}

// health remembers which namenode is active and which ones failed, so that new sessions try the right one first.
type health struct {
	now func() time.Time

	mu       sync.Mutex
	active   string
	failedAt map[string]time.Time
}

// failed notes that a namenode failed.
func (h *health) failed(address string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failedAt[address] = h.now()
	if h.active == address {
		h.active = ""
	}
}

// answered notes that a namenode has answered a call: it is active.
func (h *health) answered(address string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active = address
}

// order returns the addresses: the active one, then those that did not fail, then those whose failure is longest ago.
func (h *health) order(addresses []string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return sortedBy(addresses, func(address string) int64 {
		if address == h.active {
			return -1
		}
		if at, ok := h.failedAt[address]; ok {
			return at.UnixNano()
		}
		return 0
	})
}
