package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// How a commit wins.
//
// Every commit is optimistic: the change is staged on the table as it is, and the catalog swaps one pointer if the table is still
// that. The loop below is firn's own, because iceberg-go's does not retry by default, sleeps at least 100 ms, and cannot know what to
// do about an attempt whose outcome is unknown. A lost attempt is staged anew on the reloaded table after a pause that doubles
// up to a limit and is spread at random. An attempt that ended in the dark is looked up in the table first: each change can tell
// from a table's metadata whether it is in there (Append by a unique id in the snapshot's summary). The pointer swap makes that
// safe even if a lost request is carried out late: it names the state it replaces, so of two attempts at most one takes effect.
//
// Within one process the committers of a table queue up instead of racing.
const (
	maxAttempts  = 100
	firstPause   = 4 * time.Millisecond
	longestPause = 500 * time.Millisecond
	// lookUpPatience bounds how long the catalog is asked what became of a commit, and lasts beyond the caller's context: an answer
	// is worth more than a quick return.
	lookUpPatience = 30 * time.Second
	cleanUpTime    = 10 * time.Second
)

// PropertyCommitID is the key in a snapshot's summary that says which Append made it.
const PropertyCommitID = "firn.commit-id"

// change is something to be committed.
type change struct {
	// stage adds the change to a transaction on the table's current state.
	stage func(ctx context.Context, current *table.Table, tx *table.Transaction) error
	// done says whether the table holds the change.
	done func(now table.Metadata) bool
}

// commit makes the change to the table that t is a view of.
func (c *Catalog) commit(ctx context.Context, t *Table, ch change) (*Table, error) {
	var lost error
	for attempt := range maxAttempts {
		if attempt > 0 {
			if err := c.wait(ctx, c.pause(attempt)); err != nil {
				return nil, fmt.Errorf("committing to %s: %w: %w", t.Name(), errNotCommitted, err)
			}
		}
		committed, err := c.tryCommit(ctx, t, ch, attempt > 0)
		switch {
		case err == nil:
			return committed, nil
		case errors.Is(err, table.ErrCommitFailed):
			lost = err
			c.logger.Debug("commit lost, trying again", "table", t.Name(), "attempt", attempt+1, "error", err)
		case errors.Is(err, errNotCommitted):
			return nil, fmt.Errorf("committing to %s: %w", t.Name(), err)
		default:
			c.logger.Warn("a commit ended without an answer, looking it up", "table", t.Name(), "error", err)
			found, lookUpErr := c.lookUp(ctx, t, ch)
			if lookUpErr != nil {
				return nil, fmt.Errorf("committing to %s: %w: %w; looking it up: %w", t.Name(), ErrCommitUnknown, err, lookUpErr)
			}
			if found != nil {
				return found, nil
			}
			lost = err
		}
	}
	return nil, fmt.Errorf("committing to %s: %w %d times: %w", t.Name(), ErrConflict, maxAttempts, lost)
}

// tryCommit makes one attempt. Its errors are those of backend.CommitTable.
func (c *Catalog) tryCommit(ctx context.Context, t *Table, ch change, again bool) (*Table, error) {
	leave, err := c.enter(ctx, t.Name())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	defer leave()
	current, err := c.backend.LoadTable(ctx, t.inner.Identifier())
	if err == nil {
		err = sameTable(t.inner, current)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	if again && ch.done(current.Metadata()) {
		return c.view(current), nil
	}

	files := newFileIO(ctx, c.store, c.logger)
	base := table.New(current.Identifier(), current.Metadata(), current.MetadataLocation(),
		func(context.Context) (iceio.IO, error) { return files, nil }, c.backend)
	tx := base.NewTransaction()
	if err := ch.stage(ctx, base, tx); err != nil {
		c.removeCreated(ctx, files, nil)
		return nil, fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	committed, err := tx.Commit(ctx)
	if err != nil {
		if errors.Is(err, table.ErrCommitFailed) || errors.Is(err, errNotCommitted) {
			c.removeCreated(ctx, files, nil)
		}
		return nil, err
	}
	c.removeSuperseded(ctx, files, committed)
	return c.view(table.New(committed.Identifier(), committed.Metadata(), committed.MetadataLocation(),
		c.fileSystem, c.backend)), nil
}

func (c *Catalog) fileSystem(ctx context.Context) (iceio.IO, error) {
	return newFileIO(ctx, c.store, c.logger), nil
}

// pause returns how long to wait before an attempt: between half and all of a span that doubles.
func (c *Catalog) pause(attempt int) time.Duration {
	span := min(longestPause, firstPause<<min(attempt-1, 10))
	return span/2 + time.Duration(c.random()*float64(span/2))
}

// lookUp returns the table if it holds the change, or nil if it does not.
func (c *Catalog) lookUp(ctx context.Context, t *Table, ch change) (*Table, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookUpPatience)
	defer cancel()
	for attempt := 1; ; attempt++ {
		now, err := c.backend.LoadTable(ctx, t.inner.Identifier())
		if err == nil {
			err = sameTable(t.inner, now)
		}
		switch {
		case errors.Is(err, ErrTableNotFound):
			return nil, err
		case err == nil && ch.done(now.Metadata()):
			return c.view(now), nil
		case err == nil:
			return nil, nil
		}
		if waitErr := c.wait(ctx, c.pause(attempt)); waitErr != nil {
			return nil, err
		}
	}
}

// enter waits for the caller's turn to commit to a table, and returns what ends it.
func (c *Catalog) enter(ctx context.Context, name string) (leave func(), err error) {
	c.mu.Lock()
	gate := c.gates[name]
	if gate == nil {
		gate = make(chan struct{}, 1)
		c.gates[name] = gate
	}
	c.mu.Unlock()
	select {
	case gate <- struct{}{}:
		return func() { <-gate }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// removeCreated deletes what an attempt wrote, except for what is kept. What cannot be deleted is litter and does no harm.
func (c *Catalog) removeCreated(ctx context.Context, files *fileIO, keep map[string]bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	for _, name := range files.createdNames() {
		if keep[name] {
			continue
		}
		if err := c.store.Delete(ctx, name); err != nil {
			c.logger.Debug("an unused metadata file stays behind", "name", name, "error", err)
		}
	}
}

// removeSuperseded deletes the manifests that a commit wrote and then merged into another one. iceberg-go leaves them.
func (c *Catalog) removeSuperseded(ctx context.Context, files *fileIO, committed *table.Table) {
	const manifestAndList = 2
	snapshot := committed.CurrentSnapshot()
	if snapshot == nil || len(files.createdNames()) <= manifestAndList {
		return
	}
	manifests, err := snapshot.Manifests(files)
	if err != nil {
		return
	}
	keep := map[string]bool{}
	for _, location := range append(manifestPaths(manifests), snapshot.ManifestList) {
		if name, err := nameOf(c.store, location); err == nil {
			keep[name] = true
		}
	}
	c.removeCreated(ctx, files, keep)
}
