package hdfs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	hadoop "github.com/colinmarc/hdfs/v2"
)

const (
	sharedSessions = 4 // for reading and for calls; each makes one call at a time
	idleWriters    = 4 // sessions kept for the next writers
)

// sortedBy returns a copy sorted by a key, stably.
func sortedBy[T any, K cmp.Ordered](elements []T, key func(T) K) []T {
	sorted := slices.Clone(elements)
	slices.SortStableFunc(sorted, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	return sorted
}

// sessions are those of a store: some shared by readers and calls, and one for each writer at work.
type sessions struct {
	open func(ctx context.Context, kind connKind) (*session, error)
	now  func() time.Time

	slots [sharedSessions]slot

	mu      sync.Mutex
	closed  bool
	all     map[*session]struct{} // every live one, to interrupt them
	writers []idleWriter          // the last one was used last
	users   sync.WaitGroup        // holders of sessions
}

// slot holds one shared session.
type slot struct {
	turn    chan struct{} // of capacity 1: held by who looks at or replaces the session
	session *session      // may be nil, or broken
	active  atomic.Int64  // users, roughly
}

// idleWriter is a session that waits for the next writer.
type idleWriter struct {
	session *session
	since   time.Time
}

// newSessions returns an empty pool.
func newSessions(now func() time.Time, open func(ctx context.Context, kind connKind) (*session, error)) *sessions {
	p := &sessions{open: open, now: now, all: map[*session]struct{}{}}
	for i := range p.slots {
		p.slots[i].turn = make(chan struct{}, 1)
	}
	return p
}

// enter counts a user of the pool. leave ends it.
func (p *sessions) enter() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	p.users.Add(1)
	return nil
}

// start opens a session and keeps track of it.
func (p *sessions) start(ctx context.Context, kind connKind) (*session, error) {
	sess, err := p.open(ctx, kind)
	if err != nil {
		return nil, fmt.Errorf("connect to the namenode: %w", err)
	}
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.all[sess] = struct{}{}
	}
	p.mu.Unlock()
	if closed {
		sess.release()
		return nil, errClosed
	}
	return sess, nil
}

// drop gives up the pool's reference.
func (p *sessions) drop(sess *session) {
	if sess == nil {
		return
	}
	p.mu.Lock()
	_, live := p.all[sess]
	delete(p.all, sess)
	p.mu.Unlock()
	if live {
		sess.release()
	}
}

// shared returns a session for reading and for calls, and what to call when it is no longer used.
func (p *sessions) shared(ctx context.Context) (sess *session, done func(), err error) {
	if err := p.enter(); err != nil {
		return nil, nil, err
	}
	best := &p.slots[0]
	for i := range p.slots {
		if p.slots[i].active.Load() < best.active.Load() {
			best = &p.slots[i]
		}
	}
	best.active.Add(1)
	leave := func() {
		best.active.Add(-1)
		p.users.Done()
	}
	select {
	case best.turn <- struct{}{}:
	case <-ctx.Done():
		leave()
		return nil, nil, ctx.Err()
	}
	defer func() { <-best.turn }()
	if best.session == nil || best.session.broken.Load() {
		p.drop(best.session)
		best.session = nil
		if best.session, err = p.start(ctx, toRead); err != nil {
			best.session = nil
			leave()
			return nil, nil, err
		}
	}
	sess = best.session.acquire()
	return sess, func() { sess.release(); leave() }, nil
}

// writer returns a session that nobody else uses. It goes back through giveBack.
func (p *sessions) writer(ctx context.Context) (*session, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	for {
		p.mu.Lock()
		if len(p.writers) == 0 {
			p.mu.Unlock()
			break
		}
		last := p.writers[len(p.writers)-1]
		p.writers = p.writers[:len(p.writers)-1]
		p.mu.Unlock()
		if !last.session.broken.Load() {
			return last.session, nil
		}
		p.drop(last.session)
	}
	sess, err := p.start(ctx, toWrite)
	if err != nil {
		p.users.Done()
		return nil, err
	}
	return sess, nil
}

// giveBack ends the use of a writer's session. One that had a failure is not used again.
func (p *sessions) giveBack(sess *session) {
	defer p.users.Done()
	p.mu.Lock()
	keep := !p.closed && !sess.broken.Load() && !sess.data.Load() && len(p.writers) < idleWriters
	if keep {
		p.writers = append(p.writers, idleWriter{sess, p.now()})
	}
	p.mu.Unlock()
	if !keep {
		p.drop(sess)
	}
}

// sweep closes what was not used since a time.
func (p *sessions) sweep(since time.Time) {
	p.mu.Lock()
	var old []*session
	p.writers = slices.DeleteFunc(p.writers, func(w idleWriter) bool {
		if w.since.Before(since) {
			old = append(old, w.session)
			return true
		}
		return false
	})
	var live []*session
	for sess := range p.all {
		live = append(live, sess.acquire())
	}
	p.mu.Unlock()
	for _, sess := range old {
		p.drop(sess)
	}
	for _, sess := range live {
		sess.closeData(since)
		sess.release()
	}
}

// close ends all sessions and waits for their users.
func (p *sessions) close() {
	p.mu.Lock()
	p.closed = true
	var all []*session
	for sess := range p.all {
		all = append(all, sess)
	}
	p.writers = nil
	p.mu.Unlock()
	for _, sess := range all {
		sess.interrupt()
	}
	p.users.Wait()
	for _, sess := range all {
		p.drop(sess)
	}
}

// call makes one call to the namenode. The answer to a cancelled call is not waited for.
func call[T any](ctx context.Context, p *sessions, f func(*hadoop.Client) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	sess, done, err := p.shared(ctx)
	if err != nil {
		return none, err
	}
	answers := make(chan answer, 1)
	go func() {
		defer done()
		value, err := f(sess.client)
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
