package s3

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"
)

// errStalled is the cause of the cancellation of an attempt in which no byte moved for Options.RequestTimeout.
var errStalled = errors.New("no byte was sent or received for too long")

// Pauses between attempts.
const (
	longestPause = 5 * time.Second  // that the store chooses
	longestWait  = 20 * time.Second // that a server may ask for with Retry-After
)

// fewAttempts bounds attempts of what will probably fail again.
const fewAttempts = 4

// worthwhile is how many bytes a read must get ahead for its attempts to be counted anew.
const worthwhile = 64 << 10

// call describes an operation on the server.
type call struct {
	op   string // as the caller knows it: "read"
	api  string // as S3 knows it: "GetObject"
	name string // of the object
	got  *int   // how many bytes were received so far; nil for operations that are not resumed
}

// attempts is what happened to a call so far.
type attempts struct {
	made      int  // since the last progress
	doubtful  bool // the server may have done what it was asked, although it did not say so
	refreshed bool // credentials were asked for again
	skewed    bool // the clock was corrected
	got       int  // *call.got after the last attempt
}

// do makes a request until it succeeds, fails for good, has failed Options.MaxAttempts times, or ctx ends. try makes one attempt; it
// calls moved whenever bytes were sent or received. The error is a *callError.
func (s *Store) do(ctx context.Context, c call, try func(ctx context.Context, moved func()) error) error {
	var a attempts
	for {
		if err := ctx.Err(); err != nil {
			return s.failed(c, a, err)
		}
		a.made++
		s.requests.Add(1)
		err := s.attempt(ctx, try)
		if err == nil {
			s.bucketSeen.Store(true)
			return nil
		}
		if codeOf(err) == "NoSuchKey" {
			s.bucketSeen.Store(true)
		}
		if ctxErr := ctx.Err(); ctxErr != nil {
			a.doubtful = true
			return s.failed(c, a, ctxErr)
		}
		pause, again := s.judge(c, &a, err)
		if !again {
			return s.failed(c, a, err)
		}
		s.retries.Add(1)
		s.log.Debug("S3 request failed; trying again", "op", c.api, "uri", s.URI(c.name), "attempt", a.made, "pause", pause, "error", err)
		if !sleep(ctx, pause) {
			return s.failed(c, a, ctx.Err())
		}
	}
}

// attempt makes one attempt, and ends it when no byte moves for too long.
func (s *Store) attempt(ctx context.Context, try func(ctx context.Context, moved func()) error) error {
	limit := s.options.RequestTimeout
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(limit, func() { cancel(errStalled) })
	defer watchdog.Stop()
	err := try(ctx, func() { watchdog.Reset(limit) })
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}

// judge says whether to try again after an error, and after which pause.
func (s *Store) judge(c call, a *attempts, err error) (pause time.Duration, again bool) {
	v := verdictOf(err)
	a.doubtful = a.doubtful || v.doubtful
	switch {
	case v.expired && !a.refreshed, v.skewed && !a.skewed:
		if v.expired {
			a.refreshed = true
			s.credentials.Invalidate()
		}
		a.skewed = a.skewed || v.skewed // the SDK took the server's time from its answer
		return 0, true
	case v.noCredentials:
		return s.pause(a.made), s.authorized.Load() && a.made < min(fewAttempts, s.options.MaxAttempts)
	case v.perhaps, s.wrote.Load() && c.api == "PutObject" && codeOf(err) == "AccessDenied":
		// The latter is also what a server on a file system says if the directory that it writes to is removed at that moment.
		return s.pause(a.made), a.made < min(fewAttempts, s.options.MaxAttempts)
	case !v.passing:
		return 0, false
	}
	if c.got != nil && *c.got-a.got >= worthwhile {
		a.made, a.got = 1, *c.got
	}
	if a.made >= s.options.MaxAttempts {
		return 0, false
	}
	return max(s.pause(a.made), min(retryAfter(err), longestWait)), true
}

// pause returns how long to wait after a number of attempts: twice as long each time, less up to a half at random, so that clients
// that failed together do not come back together.
func (s *Store) pause(made int) time.Duration {
	full := min(s.firstPause<<min(made-1, 16), longestPause)
	return full/2 + rand.N(full/2+1)
}

// sleep waits, and returns false if ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter returns how long the server asked to be left alone, in seconds; zero if it did not.
func retryAfter(err error) time.Duration {
	seconds, parseErr := strconv.Atoi(answerOf(err).header.Get("Retry-After"))
	if parseErr != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, int(longestWait/time.Second))) * time.Second
}
