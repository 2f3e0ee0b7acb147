package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
)

// Append appends rows, all or none: if one cannot be taken, the error is a *RejectError that names it by its index. The rows of one call are committed
// together. It blocks while the buffers are full.
func (w *Writer) Append(ctx context.Context, rows ...Row) error {
	return w.appendAll(ctx, len(rows), func(t *translator, i int) *RejectError { return t.row(rows[i]) })
}

// AppendArrow appends the rows of a record batch, all or none; the rows of one call are committed together. Columns are treated as the fields of
// JSON input: matched by name and alias, the others go to attrs as text, structs flattened with dots, lists as JSON text. The batch is not kept.
// One of its columns must be the timestamp; a null in it is a *RejectError that names the row.
func (w *Writer) AppendArrow(ctx context.Context, batch arrow.RecordBatch) error {
	reader := newArrowReader(batch)
	return w.appendAll(ctx, int(batch.NumRows()), reader.row)
}

// appendAll appends n rows that place fills in, or none.
func (w *Writer) appendAll(ctx context.Context, n int, place func(t *translator, i int) *RejectError) error {
	if err := w.lock(ctx); err != nil {
		return err
	}
	defer w.unlock()
	if err := w.room(ctx); err != nil {
		return err
	}
	saved := w.active.save()
	t := translator{mapper: w.decoder.mapper}
	c := lineCounts{}
	for i := range n {
		t.begin()
		reject := place(&t, i)
		if reject == nil {
			reject = t.finish()
		}
		if reject != nil {
			w.active.rollback(saved)
			return &RejectError{Reason: reject.Reason, Detail: fmt.Sprintf("row %d: %s", i, reject.Detail)}
		}
		if len(w.active.partitions) >= maxPartitions {
			w.active.rollback(saved)
			return fmt.Errorf("append to table %s: %w", w.table.Name(), errTooManyPartitions)
		}
		c.rows++
		c.bytes += t.size()
		c.row.add(t.counts)
		w.active.add(t.mapper)
	}
	w.count(c.addTo)
	return w.eager(ctx)
}

var errTooManyPartitions = errors.New("one call holds rows of too many days and partition values; append it in parts")
