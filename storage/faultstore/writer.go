package faultstore

import (
	"context"
	"errors"

	"github.com/firnlog/firn/storage"
)

// writer counts the operations on a writer and lets them fail.
type writer struct {
	store *Store
	name  string
	inner storage.Writer
	ctx   context.Context //nolint:containedctx // of Create; bounds the delays of Write, which has no context of its own
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (n int, err error) {
	op, f := w.store.begin(Write, w.name)
	err = w.store.run(w.ctx, op, f, func() error {
		n, err = w.inner.Write(p)
		return err
	})
	return n, err
}

// Commit implements storage.Writer. If it is made to fail before it is done, the inner writer is aborted, as the contract of a failed
// Commit demands.
func (w *writer) Commit(ctx context.Context) error {
	op, f := w.store.begin(Commit, w.name)
	err := w.store.run(ctx, op, f, func() error { return w.inner.Commit(ctx) })
	if err != nil {
		err = errors.Join(err, w.inner.Abort()) // does nothing if the inner Commit was called
	}
	return err
}

// Abort implements storage.Writer.
func (w *writer) Abort() error { return w.inner.Abort() }
