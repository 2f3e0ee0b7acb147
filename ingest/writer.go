package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/storage"
)

// ErrClosed says that a Writer was used after Close.
var ErrClosed = errors.New("writer is closed")

// Writer appends rows to one table. It buffers them, and when the buffer is full, or on Flush, writes them as data files sorted by time, one or
// more for each partition, with their sidecars, and commits all of them as one snapshot. Every commit holds exactly a prefix of the rows
// that were appended. A Writer is safe for concurrent use. When writing fails it refuses further work with that error; what
// was committed before stays.
type Writer struct {
	opts  Options
	pool  *chunkPool
	write func(b *buffer, done chan<- struct{}) // writes and commits a buffer in the background

	// turn is held by whoever appends, and guards what follows.
	turn    chan struct{}
	decoder decoder
	active  *buffer
	closed  bool

	mu       sync.Mutex // guards what follows, for short times
	err      error
	inflight <-chan struct{} // closed when the buffer being written is done; nil if there is none
	spare    *buffer
	table    *catalog.Table
	report   Report
}

// NewWriter returns a Writer for the table, whose files go to store. ctx bounds the writing in the background, too: when it is
// cancelled, what is committed stays, the rest is dropped, and the Writer fails. Call Close to commit the last rows.
func NewWriter(ctx context.Context, table *catalog.Table, store storage.Store, opts Options) (*Writer, error) {
	opts = opts.withDefaults()
	d, err := newDestination(table, store, opts)
	if err != nil {
		return nil, fmt.Errorf("write into table %s: %w", table.Name(), err)
	}
	w := &Writer{opts: opts, pool: newChunkPool(opts.BufferBytes), turn: make(chan struct{}, 1), table: table}
	w.decoder.mapper = newMapper(d.plan)
	w.active, w.spare = newBuffer(d.plan, w.pool), newBuffer(d.plan, w.pool)
	w.report = w.report.clone()
	f := &flusher{destination: d, opts: opts, table: table}
	w.write = func(b *buffer, done chan<- struct{}) { w.finish(ctx, f, b, done) }
	return w, nil
}

// lock waits until nobody else appends, and fails if the Writer can take no more.
func (w *Writer) lock(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
	default:
		select {
		case w.turn <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := w.usable(); err != nil {
		w.unlock()
		return err
	}
	return nil
}

func (w *Writer) unlock() { <-w.turn }

func (w *Writer) usable() error {
	if w.closed {
		return fmt.Errorf("append to table %s: %w", w.table.Name(), ErrClosed)
	}
	return w.failure()
}

func (w *Writer) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// room makes room for one more row: it waits while both halves of the buffer are taken.
func (w *Writer) room(ctx context.Context) error {
	if w.active.bytes() < w.opts.BufferBytes/2 && !w.active.full() {
		return nil
	}
	_, err := w.rotate(ctx)
	return err
}

// eager hands over a full buffer if nothing else is being written, so that writing starts before the next row comes.
func (w *Writer) eager(ctx context.Context) error {
	if w.active.bytes() < w.opts.BufferBytes/2 && !w.active.full() {
		return nil
	}
	w.mu.Lock()
	busy := w.inflight != nil
	w.mu.Unlock()
	if busy {
		return nil
	}
	_, err := w.rotate(ctx)
	return err
}

// rotate hands the active buffer over for writing, as soon as the one before is done. It returns a channel that is closed when the buffer has been dealt with.
func (w *Writer) rotate(ctx context.Context) (<-chan struct{}, error) {
	w.mu.Lock()
	before := w.inflight
	w.mu.Unlock()
	if err := w.wait(ctx, before); err != nil {
		return nil, err
	}
	full := w.active
	if len(full.refs) == 0 {
		return nil, nil
	}
	full.names = full.keys.names[:len(full.keys.names):len(full.keys.names)]
	done := make(chan struct{})
	w.mu.Lock()
	w.active, w.spare, w.inflight = w.spare, nil, done
	w.mu.Unlock()
	if w.decoder.keys.full() {
		w.decoder.keys = newKeyTable(w.decoder.plan)
	}
	go w.write(full, done)
	return done, nil
}

// wait returns when a buffer has been dealt with; nil stands for none.
func (w *Writer) wait(ctx context.Context, done <-chan struct{}) error {
	if done != nil {
		select {
		case <-done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return w.failure()
}

// finish writes a buffer and records the outcome. It runs in its own goroutine, one at a time.
func (w *Writer) finish(ctx context.Context, f *flusher, b *buffer, done chan<- struct{}) {
	out, err := f.flush(ctx, b)
	rows, mark := int64(len(b.refs)), b.mark
	b.reset()
	w.mu.Lock()
	defer w.mu.Unlock()
	defer close(done)
	w.spare, w.inflight = b, nil
	if err != nil {
		w.err = w.describe(err)
		return
	}
	w.table = f.table
	r := &w.report
	r.CommittedRows += rows
	r.DataBytes += out.dataBytes
	r.IndexBytes += out.indexBytes
	r.SidecarFailures += out.sidecarFailures
	r.Commits++
	for _, files := range out.files {
		r.Files += int64(len(files))
	}
	if mark != (Position{}) {
		r.Position = mark
	}
}

// describe says of a failure what stays. The caller holds mu.
func (w *Writer) describe(err error) error {
	r := &w.report
	if errors.Is(err, catalog.ErrCommitUnknown) {
		return fmt.Errorf("write into table %s: %w; look at the table whether it has more than the first %d rows of this writer",
			w.table.Name(), err, r.CommittedRows)
	}
	kept := "nothing of this writer is committed"
	if r.Position != (Position{}) {
		kept = fmt.Sprintf("rows up to line %d of %s are committed, later ones are not", r.Position.Line, r.Position.Name)
	} else if r.CommittedRows > 0 {
		kept = fmt.Sprintf("the first %d rows of this writer are committed, later ones are not", r.CommittedRows)
	}
	return fmt.Errorf("write into table %s: %w; %s", w.table.Name(), err, kept)
}

// count adds to the report what the caller has read and appended.
func (w *Writer) count(add func(r *Report)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	add(&w.report)
}

// AppendJSON appends the row that a JSON object describes (docs/INPUT.md says how). The line is not kept. A line that cannot be a row is set
// aside with a *RejectError; a blank line is skipped. It blocks while the buffers are full.
func (w *Writer) AppendJSON(ctx context.Context, line []byte) error {
	if err := w.lock(ctx); err != nil {
		return err
	}
	defer w.unlock()
	var c lineCounts
	err := w.appendLine(ctx, line, Position{}, &c)
	w.count(c.addTo)
	if err != nil {
		return err
	}
	return w.eager(ctx)
}

// lineCounts gathers counters of lines, so that the report is not locked for each.
type lineCounts struct {
	rows, blank, bytes int64
	row                rowCounts
	rejected           map[string]int64
}

func (c *lineCounts) addTo(r *Report) {
	r.Rows += c.rows
	r.Blank += c.blank
	r.InputBytes += c.bytes
	r.add(c.row)
	for reason, n := range c.rejected {
		r.Rejected += n
		r.Reasons[reason] += n
	}
}

func (c *lineCounts) reject(reason string) {
	if c.rejected == nil {
		c.rejected = map[string]int64{}
	}
	c.rejected[reason]++
}

// appendLine appends the row of one line. The caller has the turn.
func (w *Writer) appendLine(ctx context.Context, line []byte, at Position, c *lineCounts) error {
	c.bytes += int64(len(line))
	if isBlank(line) {
		c.blank++
		return nil
	}
	if err := w.room(ctx); err != nil {
		return err
	}
	if err := w.decoder.decode(line); err != nil {
		c.reject(err.Reason)
		return err
	}
	w.active.add(w.decoder.mapper)
	w.active.mark = at
	c.rows++
	c.row.add(w.decoder.counts)
	return nil
}

func isBlank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// Flush commits everything appended so far and returns when it is committed. Others can append meanwhile.
func (w *Writer) Flush(ctx context.Context) error {
	if err := w.lock(ctx); err != nil {
		return err
	}
	done, err := w.rotate(ctx)
	w.unlock()
	if err != nil {
		return err
	}
	return w.wait(ctx, done)
}

// Close flushes and ends the Writer. If writing has failed, now or before, it returns that error. Closing twice is harmless. If ctx ends first, Close
// returns its error, the Writer stays open, and Close may be called again.
func (w *Writer) Close(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer w.unlock()
	if w.closed {
		return w.failure()
	}
	err := w.failure()
	if err == nil {
		var done <-chan struct{}
		if done, err = w.rotate(ctx); err == nil {
			err = w.wait(ctx, done)
		}
	}
	if err != nil && w.failure() == nil {
		return err // ctx has ended
	}
	w.closed = true
	w.active, w.decoder = nil, decoder{}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spare = nil
	return err
}

// Report returns what was done so far.
func (w *Writer) Report() Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.report.clone()
}

// Table returns the table with the last commit of this Writer.
func (w *Writer) Table() *catalog.Table {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.table
}
