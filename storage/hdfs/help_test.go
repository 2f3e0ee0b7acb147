package hdfs

import (
	"context"
	"errors"
	"log/slog"
	"testing"
)

// testContext is the test's context, also during its clean-up.
func testContext(t testing.TB) context.Context { return context.WithoutCancel(t.Context()) }

// errorsIs is errors.Is, for goroutines, where require must not be used.
func errorsIs(err, target error) bool { return errors.Is(err, target) }

// logger logs to the test.
func logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p))
	return len(p), nil
}
