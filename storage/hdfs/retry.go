package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	hadoop "github.com/colinmarc/hdfs/v2"

	"github.com/firnlog/firn/storage"
)

const (
	firstPause = 50 * time.Millisecond
	longPause  = 2 * time.Second
)

// passing are the exceptions of Java that pass: the cluster starts, fails over, or has not noticed a dead node yet.
var passing = map[string]bool{
	"java.io.IOException":                                                  true, // such as: could only be written to 0 of 1 nodes
	"java.io.InterruptedIOException":                                       true,
	"java.lang.InterruptedException":                                       true,
	"java.nio.channels.ClosedByInterruptException":                         true,
	"java.net.ConnectException":                                            true,
	"java.net.SocketTimeoutException":                                      true,
	"org.apache.hadoop.ipc.StandbyException":                               true,
	"org.apache.hadoop.ipc.RetriableException":                             true,
	"org.apache.hadoop.ipc.ObserverRetryOnActiveException":                 true,
	"org.apache.hadoop.hdfs.protocol.RecoveryInProgressException":          true,
	"org.apache.hadoop.hdfs.server.namenode.SafeModeException":             true,
	"org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException":         true,
	"org.apache.hadoop.hdfs.server.namenode.NotReplicatedYetException":     true,
	"org.apache.hadoop.hdfs.server.blockmanagement.NotReplicatedException": true,
}

// permanent reports whether trying again is of no use: the namenode has answered, and will answer the same again. All else (connections
// that fail, nodes that hang) may pass.
func permanent(err error) bool {
	for _, target := range []error{
		storage.ErrNotExist, storage.ErrExist, storage.ErrRange, storage.ErrInvalidName, errClosed, errStriped, errNotRPC, errUnknown,
		fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid, syscall.ENOTEMPTY,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	var spool *spoolError
	if errors.As(err, &spool) {
		return true
	}
	var remote hadoop.Error
	return errors.As(err, &remote) && remote.Exception() != "" && !passing[remote.Exception()]
}

// isAbsent reports whether an error says that there is no such file, be it that one of its directories is a file.
func isAbsent(err error) bool {
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	var remote hadoop.Error
	if !errors.As(err, &remote) {
		return false
	}
	exception := remote.Exception()
	return exception == "java.io.FileNotFoundException" || strings.HasSuffix(exception, ".ParentNotDirectoryException")
}

// retry calls f until it succeeds, fails for good, ctx ends, or RetryFor is over. n counts the calls from 0.
func (s *Store) retry(ctx context.Context, what string, f func(n int) error) error {
	return s.retryFor(ctx, s.options.RetryFor, what, f)
}

// retryFor is retry with a time of its own.
func (s *Store) retryFor(ctx context.Context, most time.Duration, what string, f func(n int) error) error {
	start := s.options.Now()
	pause := firstPause
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := f(n)
		if err == nil || permanent(err) {
			return err
		}
		if ctxErr := ctx.Err(); ctxErr != nil {
			if errors.Is(err, ctxErr) {
				return err
			}
			return fmt.Errorf("%w (the last error was: %w)", ctxErr, err)
		}
		if spent := s.options.Now().Sub(start); spent+pause > most {
			return fmt.Errorf("gave up after %d attempts in %v: %w", n+1, spent.Round(time.Millisecond), err)
		}
		s.options.Logger.Warn("HDFS failed, trying again", "what", what, "where", s.place.uri, "attempt", n+1, "error", err)
		if err := sleep(ctx, pause/2+rand.N(pause)); err != nil {
			return err
		}
		pause = min(2*pause, longPause)
	}
}

// sleep waits, or returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failed describes an error: what, where, and where it can be said, what to do.
func (s *Store) failed(operation, name string, err error) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf("%s %q in %s", operation, name, s.place.uri)
	var remote hadoop.Error
	switch {
	case errors.Is(err, storage.ErrNotExist), errors.Is(err, storage.ErrExist):
	case (operation == "stat" || operation == "read") && isAbsent(err):
		return fmt.Errorf("%s: %w", what, storage.ErrNotExist)
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s: %w", what, storage.ErrExist)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: the user %q may not do that; check owner and mode of the directory, or set HADOOP_USER_NAME: %w", what, s.user, err)
	case errors.As(err, &remote):
		message, _, _ := strings.Cut(remote.Message(), "\n")
		switch {
		case strings.Contains(remote.Exception(), "QuotaExceeded"):
			return fmt.Errorf("%s: a quota of HDFS is used up; raise it or delete there: %w: %s", what, err, message)
		case strings.Contains(remote.Exception(), "PathComponentTooLong"), strings.HasSuffix(remote.Exception(), ".InvalidPathException"):
			return fmt.Errorf("%s: %w: %w: %s", what, storage.ErrInvalidName, err, message)
		}
		return fmt.Errorf("%s: %w: %s", what, err, message)
	}
	return fmt.Errorf("%s: %w", what, err)
}
