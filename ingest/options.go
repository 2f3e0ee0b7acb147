package ingest

import (
	"log/slog"
	"runtime"
	"time"

	"github.com/firnlog/firn/format"
)

// Defaults of Options and LoadOptions.
const (
	DefaultBufferBytes     = 256 << 20
	DefaultTargetFileBytes = 128 << 20
	DefaultMaxLineBytes    = 64 << 20
)

// maxParallelism bounds Options.Parallelism: each file being written takes tens of megabytes.
const maxParallelism = 64

// Options say how a Writer buffers and writes. The zero value gives the defaults.
type Options struct {
	// BufferBytes bounds the memory of rows that are not committed yet: one half collects rows while the other is being written. When
	// the first is full and the second still busy, appending blocks. A single row larger than a half is taken all the same.
	// Default DefaultBufferBytes.
	BufferBytes int64
	// TargetFileBytes is the compressed size at which a data file ends and the next one of its partition begins. Default DefaultTargetFileBytes.
	TargetFileBytes int64
	// Effort says how hard data files are compressed. Default format.EffortDefault.
	Effort format.Effort
	// Parallelism is the number of files written at the same time. Default: the number of CPUs, at most 4.
	Parallelism int
	// Logger is told about commits (debug), sidecars that could not be stored and clean-ups that failed (warning). nil discards.
	Logger *slog.Logger
	// Now is the clock for durations in log records; nil is time.Now.
	Now func() time.Time
	// Summary is added to the summary of every snapshot that the Writer commits.
	Summary map[string]string
}

func (o Options) withDefaults() Options {
	if o.BufferBytes <= 0 {
		o.BufferBytes = DefaultBufferBytes
	}
	if o.TargetFileBytes <= 0 {
		o.TargetFileBytes = DefaultTargetFileBytes
	}
	if o.Parallelism <= 0 {
		o.Parallelism = min(runtime.GOMAXPROCS(0), 4)
	}
	o.Parallelism = min(o.Parallelism, maxParallelism)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	return o
}
