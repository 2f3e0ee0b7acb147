package ingest

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// SlogOptions refine NewSlogHandler. The zero value works.
type SlogOptions struct {
	Level         slog.Leveler                                              // lowest level that is written; default slog.LevelInfo
	AddSource     bool                                                      // store file, line and function of the call as source.file, source.line, source.function
	AppID         string                                                    // the app_id of every row, unless an attribute sets it
	Host          string                                                    // the host of every row, unless an attribute sets it
	QueueRows     int                                                       // records that wait for the writer; default 8192
	FlushInterval time.Duration                                             // how often rows are committed; default 5 s
	OnError       func(error)                                               // told about rows that could not be written, and how many were dropped; nil: only counted
	NewTicker     func(time.Duration) (ticks <-chan time.Time, stop func()) // the clock of the flushes; nil is time.NewTicker
}

// SlogHandler writes the records of log/slog into a table.
type SlogHandler struct{}

// NewSlogHandler returns a handler that writes into w, which it owns from now on.
func NewSlogHandler(ctx context.Context, w *Writer, opts SlogOptions) *SlogHandler {
	return &SlogHandler{}
}

func (h *SlogHandler) Enabled(ctx context.Context, level slog.Level) bool { return false }
func (h *SlogHandler) Handle(ctx context.Context, r slog.Record) error    { return errors.ErrUnsupported }
func (h *SlogHandler) WithAttrs(attrs []slog.Attr) slog.Handler           { return h }
func (h *SlogHandler) WithGroup(name string) slog.Handler                 { return h }

// Flush waits until every record handled so far is committed.
func (h *SlogHandler) Flush(ctx context.Context) error { return errors.ErrUnsupported }

// Close commits what is left and closes the Writer. Records handled later are dropped.
func (h *SlogHandler) Close(ctx context.Context) error { return errors.ErrUnsupported }

// Dropped returns how many records were lost because the queue was full or the Writer failed.
func (h *SlogHandler) Dropped() int64 { return 0 }
