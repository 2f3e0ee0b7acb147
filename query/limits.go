package query

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Limits bound what an answer may cost. Where one is reached the reading ends without an error, with what it has so far, and Stats.Partial says which.
// A zero is no limit.
type Limits struct {
	// Time is how long planning and reading may take together. The time that a consumer of Rows takes counts too.
	Time time.Duration
	// Bytes is how many bytes may be read from the storage, those of indexes and footers included; what a cache answers is free. Pieces of files that are
	// under way when it is reached are finished where their rows are handed out.
	Bytes int64
	// Rows is how many rows may be decoded. It is passed by what is under way when it is reached, as Bytes is.
	Rows int64
	// Memory is how many bytes the groups, distinct values and sorted rows of an answer may take; 0: DefaultMemory. An answer of groups that needs more is
	// partial; one of rows ordered by other columns than the time fails with ErrMemory.
	Memory int64
}

// DefaultMemory is the default of Limits.Memory.
const DefaultMemory = 512 << 20

// ErrMemory says that an answer needs more memory than Limits.Memory.
var ErrMemory = errors.New("the memory limit of the query was reached")

// limitError says that a limit was reached. As the cause for which a context ended it is no error to the caller.
type limitError struct{ why string }

func (e *limitError) Error() string { return e.why }

// limiter watches over the limits of one planning or reading. A nil limiter has none.
type limiter struct {
	limits      Limits
	counting    bool // nothing is lost if work is given up in the middle
	bytes, rows atomic.Int64
	over        atomic.Pointer[limitError] // reached: begin nothing new
	cancel      context.CancelCauseFunc
}

// limit returns a context that ends when a limit is reached, and what ends it at last. spent and bytes were needed before. Unless counting, work under way is
// finished when bytes or rows reach their limit.
func (l Limits) limit(ctx context.Context, counting bool, spent time.Duration, bytes int64) (context.Context, context.CancelFunc) {
	if l.Time <= 0 && l.Bytes <= 0 && l.Rows <= 0 {
		return ctx, func() {}
	}
	w := &limiter{limits: l, counting: counting}
	stop := func() {}
	if l.Time > 0 {
		ctx, stop = context.WithTimeoutCause(ctx, max(0, l.Time-spent), &limitError{fmt.Sprintf("the time limit of %s was reached", l.Time)})
	}
	ctx, w.cancel = context.WithCancelCause(ctx)
	w.addBytes(bytes)
	return context.WithValue(ctx, limiterKey{}, w), func() { w.cancel(context.Canceled); stop() }
}

type limiterKey struct{}

// limiterOf returns the limiter that the context carries, or nil.
func limiterOf(ctx context.Context) *limiter {
	w, _ := ctx.Value(limiterKey{}).(*limiter)
	return w
}

// addBytes counts bytes that were read.
func (w *limiter) addBytes(n int64) {
	if w != nil && w.limits.Bytes > 0 && w.bytes.Add(n) >= w.limits.Bytes {
		w.reach(fmt.Sprintf("the limit of %d bytes read was reached", w.limits.Bytes))
	}
}

// addRows counts rows that were decoded.
func (w *limiter) addRows(n int64) {
	if w != nil && w.limits.Rows > 0 && w.rows.Add(n) >= w.limits.Rows {
		w.reach(fmt.Sprintf("the limit of %d rows decoded was reached", w.limits.Rows))
	}
}

// reach is called when a limit is reached.
func (w *limiter) reach(why string) {
	reached := &limitError{why}
	w.over.CompareAndSwap(nil, reached)
	if w.counting {
		w.cancel(reached)
	}
}

// err returns an error if a limit was reached, so that nothing new is to be begun.
func (w *limiter) err() error {
	if w != nil {
		if reached := w.over.Load(); reached != nil {
			return reached
		}
	}
	return nil
}

// reachedLimit returns why work failed, if that was a limit; else "".
func reachedLimit(ctx context.Context, err error) string {
	var reached *limitError
	if err != nil && (errors.As(err, &reached) || ctx.Err() != nil && errors.As(context.Cause(ctx), &reached)) {
		return reached.why
	}
	return ""
}

// decodedRows counts rows of which a value was decoded, also for the limit of their number.
type decodedRows struct {
	atomic.Int64
	limiter atomic.Pointer[limiter]
}

// Add counts rows.
func (d *decodedRows) Add(n int64) int64 {
	d.limiter.Load().addRows(n)
	return d.Int64.Add(n)
}
