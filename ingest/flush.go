package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/catalog"
)

// Time allowed for what must be finished although the caller has cancelled.
const (
	commitTimeout  = 2 * time.Minute
	cleanupTimeout = 30 * time.Second
)

// manyPartitions in one commit are worth a warning.
const manyPartitions = 1000

// A flusher turns full buffers into commits, one buffer at a time.
type flusher struct {
	*destination
	opts    Options
	table   *catalog.Table
	scratch []ref
	idle    []*fileWriter
}

// A run is the rows of one partition of a buffer, in order.
type run struct {
	number    int
	partition partition
	rows      []ref
}

// flush writes and commits the rows of the buffer and returns what was written. After an error none of the rows is in the table, and what was written is
// deleted as far as possible, unless the outcome of the commit is unknown (catalog.ErrCommitUnknown).
func (f *flusher) flush(ctx context.Context, b *buffer) (*output, error) {
	start := f.opts.Now()
	out := &output{}
	err := f.writeAll(ctx, b, out)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		f.cleanUp(ctx, out)
		return nil, err
	}
	files := slices.Concat(out.files...)
	written := f.opts.Now()
	table, err := f.commit(ctx, files)
	if err != nil {
		if errors.Is(err, catalog.ErrCommitUnknown) {
			f.log.WarnContext(ctx, "files are kept, because they may belong to the table", "table", f.table.Name(), "files", len(files))
		} else {
			f.cleanUp(ctx, out)
		}
		return nil, fmt.Errorf("commit %d files: %w", len(files), err)
	}
	f.table = table
	f.log.DebugContext(ctx, "committed", "table", table.Name(), "snapshot", table.SnapshotID(), "rows", len(b.refs), "files", len(files),
		"data_bytes", out.dataBytes, "index_bytes", out.indexBytes, "write", written.Sub(start), "commit", f.opts.Now().Sub(written))
	return out, nil
}

// writeAll stores the files and sidecars of all partitions.
func (f *flusher) writeAll(ctx context.Context, b *buffer, out *output) error {
	b.refs, f.scratch = sortRefs(b.refs, f.scratch)
	runs := splitRuns(b)
	if len(runs) > manyPartitions {
		f.log.WarnContext(ctx, "the rows of one commit are spread over many days or values of the partition column, each of which gets a small file",
			"table", f.table.Name(), "rows", len(b.refs), "partitions", len(runs))
	}
	out.files = make([][]catalog.NewFile, len(runs))
	workers := min(f.opts.Parallelism, len(runs))
	for len(f.idle) < workers {
		w, err := f.newFileWriter()
		if err != nil {
			return err
		}
		f.idle = append(f.idle, w)
	}
	todo := make(chan run, len(runs))
	for _, r := range runs {
		todo <- r
	}
	close(todo)
	group, ctx := errgroup.WithContext(ctx)
	for _, w := range f.idle[:workers] {
		group.Go(func() error {
			for r := range todo {
				if err := w.writePartition(ctx, b, r, out); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// splitRuns cuts the sorted rows of a buffer by partition.
func splitRuns(b *buffer) []run {
	var runs []run
	for start := 0; start < len(b.refs); {
		number := b.refs[start].key >> dayBits
		end := start + 1
		for end < len(b.refs) && b.refs[end].key>>dayBits == number {
			end++
		}
		runs = append(runs, run{number: len(runs), partition: b.partitions[number], rows: b.refs[start:end]})
		start = end
	}
	return runs
}

// commit appends the files to the table. Once begun it is not cancelled: a commit that was cut off would leave its outcome open.
func (f *flusher) commit(ctx context.Context, files []catalog.NewFile) (*catalog.Table, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	return f.table.Append(ctx, files, catalog.AppendOptions{Summary: f.opts.Summary})
}

// cleanUp deletes what was stored for a commit that did not come about. What it cannot delete is no part of the table and left to maintenance.
func (f *flusher) cleanUp(ctx context.Context, out *output) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	for _, name := range out.objects {
		if err := f.store.Delete(ctx, name); err != nil {
			f.log.WarnContext(ctx, "a file of a failed commit could not be deleted; it does not belong to the table", "file", f.store.URI(name), "error", err)
		}
	}
}
