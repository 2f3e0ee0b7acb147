package maintain

import (
	"bytes"
	"context"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

// build builds one planned sidecar and stores it. The bytes are complete before the old sidecar goes, so that a failing build
// costs nothing, and a crash in between leaves a file without a sidecar, which is searched in full.
func (l *layout) build(ctx context.Context, item IndexItem) (index.Summary, error) {
	if err := ctx.Err(); err != nil {
		return index.Summary{}, err
	}
	dataName, err := l.name(item.DataFile)
	if err != nil {
		return index.Summary{}, err
	}
	sidecarName, err := l.name(item.Sidecar)
	if err != nil {
		return index.Summary{}, err
	}
	file, err := format.Open(ctx, l.store, dataName, item.Bytes, l.schema)
	if err != nil {
		return index.Summary{}, err
	}
	builder, err := index.NewBuilder(l.wanted)
	if err != nil {
		return index.Summary{}, err
	}
	var sidecar bytes.Buffer
	summary, err := buildSidecar(ctx, file, builder, l.wanted, identity(item.file, file.Rows()), item.Bytes, &sidecar)
	if err != nil {
		return index.Summary{}, err
	}
	if item.replace {
		if err := l.store.Delete(ctx, sidecarName); err != nil {
			return index.Summary{}, err
		}
	}
	return summary, l.put(ctx, sidecarName, sidecar.Bytes())
}

// put stores an object.
func (l *layout) put(ctx context.Context, name string, content []byte) error {
	w, err := l.store.Create(ctx, name)
	if err != nil {
		return err
	}
	defer func() { _ = w.Abort() }()
	if _, err := w.Write(content); err != nil {
		return err
	}
	return w.Commit(ctx)
}
