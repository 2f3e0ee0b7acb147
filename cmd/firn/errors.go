package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/firnlog/firn"
)

// Exit codes. Outside scripts rely on them.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitRejected = 3
	exitPartial  = 4
)

// exitError ends the program with a code. A nil err means that everything was said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usagef returns an error that says that the command line is wrong.
func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// asUsage marks an error as one of the command line.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitUsage, err}
}

// exitCode tells how the program ends after err, and what is left to say about it (nil: nothing).
func exitCode(err error) (int, error) {
	var exit *exitError
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE):
		return exitDone, nil
	case errors.As(err, &exit):
		return exit.code, exit.err
	case errors.Is(err, firn.ErrSyntax), errors.Is(err, firn.ErrInvalidRequest), errors.Is(err, firn.ErrInvalid):
		return exitUsage, err
	case errors.Is(err, context.Canceled):
		return exitFailed, errors.New("interrupted")
	}
	return exitFailed, err
}
