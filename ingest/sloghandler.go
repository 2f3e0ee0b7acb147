package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firnlog/firn/catalog"
)

// Defaults of SlogOptions.
const (
	DefaultQueueRows     = 8192
	DefaultFlushInterval = 5 * time.Second
)

// SlogOptions refine NewSlogHandler. The zero value works.
type SlogOptions struct {
	// Level is the lowest level that is written. Default slog.LevelInfo.
	Level slog.Leveler
	// AddSource stores where the call was made, as source.file, source.line and source.function.
	AddSource bool
	// AppID and Host are the app_id and host of every row that has no attribute of that name.
	AppID, Host string
	// QueueRows is how many records may wait for the Writer. Default DefaultQueueRows.
	QueueRows int
	// Block makes Handle wait while the queue is full. The default is to drop the record and count it: logging must not stop a service.
	Block bool
	// FlushInterval is how often rows are committed. Default DefaultFlushInterval.
	FlushInterval time.Duration
	// OnError is told, from a goroutine of the handler, about records that could not be written and about how many were dropped. It must not log into the
	// handler. nil: only Dropped tells.
	OnError func(error)
	// Now is the time of records that have none; nil is time.Now.
	Now func() time.Time
	// NewTicker is the clock of the commits: it returns a channel that is sent to every d, and a function that stops it. nil is time.NewTicker.
	NewTicker func(d time.Duration) (ticks <-chan time.Time, stop func())
}

// SlogHandler is a slog.Handler that writes into a table: the message to log_msg, the level (as slog spells it) to level, attributes to
// the columns of their names or to attrs, groups with dotted names. Values are turned into text by the call that logs them; writing happens
// in the background. Close it before the program ends, or what was logged since the last commit is lost.
type SlogHandler struct {
	sink   *slogSink
	prefix string  // dotted names of the open groups, each with its dot
	fields []Field // from WithAttrs, with full names
}

// A slogSink is what a handler and its descendants share.
type slogSink struct {
	opts    SlogOptions
	queue   chan Row
	flushes chan chan error
	stop    chan struct{} // closed by the first Close
	done    chan struct{} // closed when the goroutine has ended
	err     error         // of closing; set before done is closed
	dropped atomic.Int64

	mu     sync.RWMutex // read-locked while a row is put into the queue
	closed bool
}

// NewSlogHandler returns a handler that writes into w, which it owns from now on: Close closes it. Both the handler and the Writer should get a
// context that lives until the last record is logged: when ctx is cancelled the handler stops writing and drops what comes. Closing is the regular end.
// The Writer's own logger must not be this handler's.
func NewSlogHandler(ctx context.Context, w *Writer, opts SlogOptions) *SlogHandler {
	if opts.Level == nil {
		opts.Level = slog.LevelInfo
	}
	if opts.QueueRows <= 0 {
		opts.QueueRows = DefaultQueueRows
	}
	if opts.FlushInterval <= 0 {
		opts.FlushInterval = DefaultFlushInterval
	}
	if opts.OnError == nil {
		opts.OnError = func(error) {}
	}
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if opts.NewTicker == nil {
		opts.NewTicker = func(d time.Duration) (<-chan time.Time, func()) {
			t := time.NewTicker(d)
			return t.C, t.Stop
		}
	}
	s := &slogSink{
		opts: opts, queue: make(chan Row, opts.QueueRows), flushes: make(chan chan error),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go s.run(ctx, w)
	return &SlogHandler{sink: s}
}

// Enabled implements slog.Handler.
func (h *SlogHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.sink.opts.Level.Level()
}

// WithAttrs implements slog.Handler.
func (h *SlogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	fields := append([]Field(nil), h.fields...)
	for _, a := range attrs {
		fields = appendAttr(fields, h.prefix, a)
	}
	return &SlogHandler{sink: h.sink, prefix: h.prefix, fields: fields}
}

// WithGroup implements slog.Handler.
func (h *SlogHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &SlogHandler{sink: h.sink, prefix: h.prefix + name + ".", fields: h.fields}
}

// Handle implements slog.Handler. It does not wait for storage: if the queue is full the record is dropped and counted, unless Block is set.
// It returns ErrClosed after Close.
func (h *SlogHandler) Handle(ctx context.Context, r slog.Record) error {
	err := h.sink.send(ctx, h.row(r))
	if err != nil {
		h.sink.dropped.Add(1)
	}
	if errors.Is(err, errQueueFull) {
		return nil
	}
	return err
}

var errQueueFull = errors.New("queue is full")

// send puts a row into the queue.
func (s *slogSink) send(ctx context.Context, row Row) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	select {
	case <-s.done:
		return ErrClosed
	default:
	}
	select {
	case s.queue <- row:
		return nil
	default:
	}
	if !s.opts.Block {
		return errQueueFull
	}
	select {
	case s.queue <- row:
		return nil
	case <-s.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// row turns a record into a row that shares nothing with the caller.
func (h *SlogHandler) row(r slog.Record) Row {
	fields := make([]Field, 0, len(h.fields)+r.NumAttrs()+5)
	fields = append(fields, h.fields...)
	r.Attrs(func(a slog.Attr) bool {
		fields = appendAttr(fields, h.prefix, a)
		return true
	})
	opts := &h.sink.opts
	app, host := opts.AppID != "", opts.Host != ""
	for i, f := range fields {
		switch f.Name {
		case catalog.ColumnAppID:
			app = false
		case catalog.ColumnHost:
			host = false
		case catalog.ColumnLevel, catalog.ColumnMessage, catalog.ColumnTimestamp: // the record's own go to the columns
			fields[i] = Field{catalog.ColumnAttrs, []Field{f}}
		}
	}
	if app {
		fields = append(fields, Field{catalog.ColumnAppID, opts.AppID})
	}
	if host {
		fields = append(fields, Field{catalog.ColumnHost, opts.Host})
	}
	fields = append(fields, Field{catalog.ColumnLevel, r.Level.String()}, Field{catalog.ColumnMessage, r.Message})
	if src := r.Source(); opts.AddSource && src != nil {
		fields = append(fields, Field{"source.file", src.File}, Field{"source.line", src.Line}, Field{"source.function", src.Function})
	}
	at := r.Time
	if at.IsZero() {
		at = opts.Now()
	}
	return Row{Time: at, Fields: fields}
}

// appendAttr flattens an attribute into fields. As slog demands, an empty attribute and an empty group are ignored, and a group without a name is inlined.
func appendAttr(fields []Field, prefix string, a slog.Attr) []Field {
	v := a.Value.Resolve()
	switch {
	case a.Equal(slog.Attr{}):
		return fields
	case v.Kind() == slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range v.Group() {
			fields = appendAttr(fields, prefix, member)
		}
		return fields
	}
	return append(fields, Field{prefix + a.Key, frozen(v)})
}

// frozen returns the value as something that later changes by the caller cannot reach.
func frozen(v slog.Value) any {
	if v.Kind() != slog.KindAny || v.Any() == nil {
		return v.Any()
	}
	text, isJSON := describe(v.Any())
	if isJSON {
		return jsonText(text)
	}
	return text
}

// Flush returns when every record handled before is committed.
func (h *SlogHandler) Flush(ctx context.Context) error {
	s := h.sink
	reply := make(chan error, 1)
	select {
	case s.flushes <- reply:
	case <-s.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close commits what was handled before and closes the Writer. Records handled later are dropped. Closing twice is harmless.
func (h *SlogHandler) Close(ctx context.Context) error {
	s := h.sink
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.stop)
	}
	s.mu.Unlock()
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Dropped returns how many records were lost: because the queue was full, the Writer had failed, or the handler was closed.
func (h *SlogHandler) Dropped() int64 { return h.sink.dropped.Load() }

// run moves rows from the queue to the Writer until the handler is closed or ctx ends. Commits happen beside it, one at a time.
func (s *slogSink) run(ctx context.Context, w *Writer) {
	defer close(s.done)
	ticks, stopTicks := s.opts.NewTicker(s.opts.FlushInterval)
	defer stopTicks()
	var told int64
	var commit chan error // the outcome of the commit under way; nil: none
	for {
		select {
		case row := <-s.queue:
			s.append(ctx, w, s.waiting(row))
		case <-ticks:
			if dropped := s.dropped.Load(); dropped > told {
				s.opts.OnError(fmt.Errorf("%d log records were dropped so far", dropped))
				told = dropped
			}
			if commit == nil {
				commit = make(chan error, 1)
				go func(outcome chan<- error) { outcome <- w.Flush(ctx) }(commit)
			}
		case err := <-commit:
			commit = nil
			s.report(err)
		case reply := <-s.flushes:
			s.append(ctx, w, s.waiting())
			reply <- w.Flush(ctx)
		case <-s.stop:
			s.append(ctx, w, s.waiting())
			if commit != nil {
				s.report(<-commit)
			}
			s.err = w.Close(ctx)
			return
		case <-ctx.Done():
			if commit != nil {
				s.report(<-commit)
			}
			s.err = fmt.Errorf("log handler: %w", context.Cause(ctx))
			s.dropped.Add(int64(len(s.waiting())))
			return
		}
	}
}

func (s *slogSink) report(err error) {
	if err != nil {
		s.opts.OnError(err)
	}
}

// waiting takes what is in the queue, behind the rows given.
func (s *slogSink) waiting(rows ...Row) []Row {
	for range len(s.queue) {
		rows = append(rows, <-s.queue)
	}
	return rows
}

// append appends rows; those that are refused are dropped.
func (s *slogSink) append(ctx context.Context, w *Writer, rows []Row) {
	if len(rows) == 0 || w.Append(ctx, rows...) == nil {
		return
	}
	for _, row := range rows {
		if err := w.Append(ctx, row); err != nil {
			s.dropped.Add(1)
			s.opts.OnError(err)
		}
	}
}
