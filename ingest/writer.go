package ingest

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/storage"
)

// Writer appends rows to one table. It buffers them, and when the buffer is full, or on Flush, writes them as data files sorted by time, one or more for
// each partition, with their sidecars, and commits all of them as one snapshot. Every commit holds exactly a prefix of the
// rows that were appended. A Writer is safe for concurrent use. After an error that is not a *RejectError it refuses further work with that error; what
// was committed before stays.
type Writer struct{}

// NewWriter returns a Writer for the table, whose files go to store. ctx bounds the writing in the background, too: when it is
// cancelled, what is committed stays, the rest is dropped, and the Writer fails. Call Close to commit the last rows.
func NewWriter(ctx context.Context, table *catalog.Table, store storage.Store, opts Options) (*Writer, error) {
	return nil, errors.ErrUnsupported
}

// AppendJSON appends the row that a JSON object describes (docs/INPUT.md says how). The line is not kept. A line that cannot be a row is set aside
// with a *RejectError; a blank line is skipped. It blocks while the buffers are full.
func (w *Writer) AppendJSON(ctx context.Context, line []byte) error { return errors.ErrUnsupported }

// Append appends rows, all or none: if one cannot be taken, the error is a *RejectError that names it.
func (w *Writer) Append(ctx context.Context, rows ...Row) error { return errors.ErrUnsupported }

// AppendArrow appends the rows of a record batch, all or none. Columns are matched by name, with the aliases of JSON input.
func (w *Writer) AppendArrow(ctx context.Context, batch arrow.RecordBatch) error {
	return errors.ErrUnsupported
}

// Flush commits everything appended so far and returns when it is committed.
func (w *Writer) Flush(ctx context.Context) error { return errors.ErrUnsupported }

// Close flushes and ends the Writer. After an error it returns that error. Closing twice is harmless.
func (w *Writer) Close(ctx context.Context) error { return errors.ErrUnsupported }

// Report returns what was done so far.
func (w *Writer) Report() Report { return Report{} }

// Table returns the table with the last commit of this Writer.
func (w *Writer) Table() *catalog.Table { return nil }
