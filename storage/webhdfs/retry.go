package webhdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
	// strangerAttempts is how often a request is tried while no namenode has answered this store ever: the address may be wrong.
	strangerAttempts = 4
)

// tries counts the attempts at one operation.
type tries struct {
	s     *Store
	op    string
	count int // failed attempts
	quick int // how many of the next attempts are made without a pause, because they go to another server
}

// tries returns a counter for a new operation. As many namenodes as there are may be asked without a pause.
func (s *Store) tries(op string) *tries {
	return &tries{s: s, op: op, quick: len(s.addresses) - 1}
}

// progressed says that the last attempt achieved something, so that the count starts anew.
func (t *tries) progressed() { t.count = 0 }

// again returns nil after a pause if the operation should be tried again, and else the error to end with.
func (t *tries) again(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		if errors.Is(err, ctx.Err()) {
			return err
		}
		return fmt.Errorf("%w, after: %w", context.Cause(ctx), err)
	}
	if !temporary(err) {
		return err
	}
	limit := t.s.options.MaxAttempts
	if !t.s.answered.Load() {
		limit = min(limit, strangerAttempts)
	}
	if t.count++; t.count >= limit {
		return fmt.Errorf("%w after %d attempts (is the cluster well, and its address right?): %w", errGivenUp, t.count, err)
	}
	t.s.log.DebugContext(ctx, "webhdfs: trying again", "op", t.op, "root", t.s.uri, "attempt", t.count, "error", err)
	if t.quick > 0 {
		t.quick--
		return nil
	}
	d := min(firstPause<<min(t.count-1, 20), longPause)
	d = d/2 + time.Duration(rand.Int64N(int64(d/2)))
	if pauseErr := t.s.pause(ctx, d); pauseErr != nil {
		return fmt.Errorf("%w, after: %w", pauseErr, err)
	}
	return nil
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stallError says that a server was silent for too long.
type stallError struct{ limit time.Duration }

// Error implements error.
func (e *stallError) Error() string { return fmt.Sprintf("no sign of life for %v", e.limit) }

// Timeout implements net.Error's method.
func (e *stallError) Timeout() bool { return true }

// watchdog cancels a context when nothing happens for a while.
type watchdog struct {
	timer  *time.Timer
	limit  atomic.Int64 // time.Duration
	cancel context.CancelCauseFunc
}

// watch returns a context that is cancelled, because of a stallError, when touch was not called for a while. The caller calls stop.
func watch(ctx context.Context, limit time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watchdog{cancel: cancel}
	w.limit.Store(int64(limit))
	w.timer = time.AfterFunc(limit, func() { cancel(&stallError{limit: time.Duration(w.limit.Load())}) })
	return ctx, w
}

// touch says that something happened.
func (w *watchdog) touch() { w.timer.Reset(time.Duration(w.limit.Load())) }

// allow changes how long nothing may happen, from now on.
func (w *watchdog) allow(limit time.Duration) {
	w.limit.Store(int64(limit))
	w.touch()
}

// stop ends the watch, and the context.
func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(context.Canceled)
}

// watchedReader touches the watchdog with each read that brings bytes.
type watchedReader struct {
	from io.Reader
	w    *watchdog
}

// Read implements io.Reader.
func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if n > 0 {
		r.w.touch()
	}
	return n, err
}
