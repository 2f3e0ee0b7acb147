package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"golang.org/x/sync/errgroup"
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
// An append costs, one after the other: a question to the catalog (is the table still what we know?), one round trip to the store (the
// manifest, the manifest list and, unless a REST server does that, metadata.json, side by side), and the swap. Another round trip
// follows where something is to be deleted, side by side again. Nothing is read that this process has read or written before; after
// somebody else's commit, metadata.json and the manifest list are, and with a merge the manifests, all at once.
//
// Within one process the committers of a table queue up instead of racing.
const (
	maxAttempts  = 100
	firstPause   = 4 * time.Millisecond
	longestPause = 500 * time.Millisecond
	// lookUpPatience bounds how long the catalog is asked what became of a commit, and lasts beyond the caller's context: an answer
	// is worth more than a quick return. A database that was killed is back within that time, with its log replayed.
	lookUpPatience = 3 * time.Minute
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
	var open openAttempt
	for attempt := range maxAttempts {
		if attempt > 0 {
			if err := c.wait(ctx, c.pause(attempt)); err != nil {
				return nil, open.explain(t, fmt.Errorf("%w: %w", errNotCommitted, err))
			}
		}
		committed, base, err := c.tryCommit(ctx, t, ch, attempt > 0)
		open.see(base)
		switch {
		case err == nil:
			return committed, nil
		case errors.Is(err, table.ErrCommitFailed):
			lost = err
			c.logger.Debug("commit lost, trying again", "table", t.Name(), "attempt", attempt+1, "error", err)
		case errors.Is(err, errNotCommitted):
			return nil, open.explain(t, err)
		default:
			c.logger.Warn("a commit ended without an answer, looking it up", "table", t.Name(), "error", err)
			open.begin(base)
			found, now, lookUpErr := c.lookUp(ctx, t, ch)
			if lookUpErr != nil {
				return nil, fmt.Errorf("committing to %s: %w: %w; looking it up: %w", t.Name(), ErrCommitUnknown, err, lookUpErr)
			}
			if found != nil {
				return found, nil
			}
			open.see(now)
			lost = err
		}
	}
	return nil, open.explain(t, fmt.Errorf("%w %d times: %w", ErrConflict, maxAttempts, lost))
}

// openAttempt remembers attempts without an answer that were not found in the table, but that a server which is slow, or was frozen,
// may still carry out. That is over as soon as the table has another head than the one they name as a requirement.
type openAttempt struct {
	pending bool
	head    int64
}

func headOf(t *table.Table) int64 {
	if t == nil || t.CurrentSnapshot() == nil {
		return 0
	}
	return t.CurrentSnapshot().SnapshotID
}

func (o *openAttempt) begin(base *table.Table) { o.pending, o.head = true, headOf(base) }

func (o *openAttempt) see(now *table.Table) {
	if now != nil && headOf(now) != o.head {
		o.pending = false
	}
}

// explain says what the end of a commit without success means.
func (o *openAttempt) explain(t *Table, err error) error {
	if o.pending {
		return fmt.Errorf("committing to %s: %w: an attempt got no answer and may still take effect: %w", t.Name(), ErrCommitUnknown, err)
	}
	return fmt.Errorf("committing to %s: %w", t.Name(), err)
}

// tryCommit makes one attempt, and also returns the state that it was made on last, if it came that far. Its errors are those of
// backend.commitTable.
func (c *Catalog) tryCommit(ctx context.Context, t *Table, ch change, again bool) (done *Table, base *table.Table, err error) {
	leave, err := c.enter(ctx, t.Name())
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	defer leave()
	base, err = c.backend.LoadTable(ctx, t.inner.Identifier())
	if err == nil {
		err = sameTable(t.inner, base)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	if again && ch.done(base.Metadata()) {
		return c.view(base), base, nil
	}

	files := c.stagingIO(ctx, base)
	metadata, err := asOfNow(base.Metadata())
	if err != nil {
		return nil, base, fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	try := &attempt{backend: c.backend, base: base, written: files.wait, now: c.now}
	staged := table.New(base.Identifier(), metadata, base.MetadataLocation(),
		func(context.Context) (iceio.IO, error) { return files, nil }, try)
	tx := staged.NewTransaction()
	if err := ch.stage(ctx, staged, tx); err != nil {
		c.discardAttempt(ctx, files)
		return nil, base, fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	committed, err := tx.Commit(ctx)
	if err != nil {
		if errors.Is(err, table.ErrCommitFailed) || errors.Is(err, errNotCommitted) {
			c.discardAttempt(ctx, files)
		}
		_, _ = files.finish()
		return nil, try.base, err
	}
	c.cleanUp(ctx, files, committed)
	return c.view(table.New(committed.Identifier(), committed.Metadata(), committed.MetadataLocation(),
		c.fileSystem, c.backend)), try.base, nil
}

// stagingIO returns the view of the store for a commit that builds on base.
func (c *Catalog) stagingIO(ctx context.Context, base *table.Table) *stagingIO {
	files := newStagingIO(ctx, c.store, c.logger, c.objects)
	files.merged = int64(base.Properties().GetInt(table.ManifestTargetSizeBytesKey, table.ManifestTargetSizeBytesDefault))
	if snapshot := base.CurrentSnapshot(); snapshot != nil {
		files.parent = snapshot.ManifestList
	}
	return files
}

func (c *Catalog) fileSystem(ctx context.Context) (iceio.IO, error) {
	files := newFileIO(ctx, c.store, c.logger)
	files.known = c.objects
	return files, nil
}

// pause returns how long to wait before an attempt: between half and all of a span that doubles.
func (c *Catalog) pause(attempt int) time.Duration {
	span := min(longestPause, firstPause<<min(attempt-1, 10))
	return span/2 + time.Duration(c.random()*float64(span/2))
}

// lookUp returns the table if it holds the change. If it does not, it returns the table's state only.
func (c *Catalog) lookUp(ctx context.Context, t *Table, ch change) (found *Table, now *table.Table, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookUpPatience)
	defer cancel()
	for attempt := 1; ; attempt++ {
		now, err := c.backend.LoadTable(ctx, t.inner.Identifier())
		if err == nil {
			err = sameTable(t.inner, now)
		}
		switch {
		case errors.Is(err, ErrTableNotFound):
			return nil, nil, err
		case err == nil && ch.done(now.Metadata()):
			return c.view(now), now, nil
		case err == nil:
			return nil, now, nil
		}
		if waitErr := c.wait(ctx, c.pause(attempt)); waitErr != nil {
			return nil, nil, err
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

// discardAttempt deletes what an attempt wrote that certainly was not committed.
func (c *Catalog) discardAttempt(ctx context.Context, files *stagingIO) {
	created, _ := files.finish()
	c.deleteAll(ctx, created)
}

// cleanUp deletes what a commit left without use: the metadata files that fell out of the table's log, and the manifests that it wrote
// and then merged into another one, which iceberg-go leaves.
func (c *Catalog) cleanUp(ctx context.Context, files *stagingIO, committed *table.Table) {
	const manifestAndList = 2
	created, removed := files.finish()
	var doomed []string
	if !c.backend.cleansUp() {
		for _, location := range removed {
			if name, err := nameOf(c.store, location); err == nil {
				doomed = append(doomed, name)
			}
		}
	}
	snapshot := committed.CurrentSnapshot()
	if snapshot != nil && len(created) > manifestAndList {
		if manifests, err := snapshot.Manifests(files); err == nil {
			keep := map[string]bool{}
			for _, location := range append(manifestPaths(manifests), snapshot.ManifestList) {
				if name, err := nameOf(c.store, location); err == nil {
					keep[name] = true
				}
			}
			for _, name := range created {
				if !keep[name] {
					doomed = append(doomed, name)
				}
			}
		}
	}
	c.deleteAll(ctx, doomed)
}

// deleteAll deletes objects side by side. What cannot be deleted is litter and does no harm.
func (c *Catalog) deleteAll(ctx context.Context, names []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(parallelRequests(c.store))
	for _, name := range names {
		group.Go(func() error {
			if err := c.store.Delete(ctx, name); err != nil {
				c.logger.Debug("an unused metadata file stays behind", "name", name, "error", err)
			}
			return nil
		})
	}
	_ = group.Wait()
}
