package query

import (
	"context"
	"errors"
	"fmt"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/storage"
)

// followNews is what was appended to a table since the last look at it.
type followNews struct {
	answer    *Answer
	snapshots []catalog.Snapshot // that appended, newest first
	handed    int                // rows that were handed out
}

// look loads the table and finds out what was appended; nil if nothing was.
func (f *follower) look(ctx context.Context) (*followNews, error) {
	t, err := f.load(ctx)
	switch {
	case errors.Is(err, catalog.ErrTableNotFound):
		if !f.gone {
			f.options.Notice(fmt.Sprintf("table %s is not there any more: waiting for it to be made anew", f.table.Name()))
		}
		f.gone = true
		return nil, nil //nolint:nilnil // nothing new
	case err != nil:
		return nil, err
	case t.UUID() == f.table.UUID() && t.MetadataLocation() == f.table.MetadataLocation():
		f.gone = false
		return nil, nil //nolint:nilnil // nothing new
	}
	fresh, notices := f.compare(t)
	news := &followNews{}
	files := []catalog.DataFile{}
	for _, s := range fresh {
		switch s.Operation {
		case catalog.OperationAppend, "": // writers of version 1 may leave it out
			added, err := t.FilesAddedBy(ctx, s.ID)
			if err != nil {
				return nil, err
			}
			files, news.snapshots = append(files, added...), append(news.snapshots, s)
		case catalog.OperationOverwrite:
			if s.Summary["added-records"] != "0" {
				notices = append(notices, fmt.Sprintf("snapshot %d of table %s overwrote rows: those that it added are not shown, because nobody can tell which of them are new",
					s.ID, t.Name()))
			}
		}
	}
	if len(files) > 0 {
		q := f.query
		if q.Limit > 0 {
			q.Limit = f.left
		}
		if news.answer, err = f.engine.Ask(ctx, t, q, AskOptions{Order: OldestFirst, NoIndex: f.options.NoIndex, Files: files}); err != nil {
			return nil, err
		}
	}
	for _, text := range notices {
		f.options.Notice(text)
	}
	f.take(t)
	if news.answer == nil {
		return nil, nil //nolint:nilnil // nothing new
	}
	return news, nil
}

// compare returns the snapshots that a table was not yet made of when it was looked at before, newest first, and what people should know about its history.
func (f *follower) compare(t *catalog.Table) (fresh []catalog.Snapshot, notices []string) {
	chain, whole := t.Ancestors()
	if t.UUID() != f.table.UUID() {
		return chain, []string{fmt.Sprintf("table %s was dropped and made anew: going on with the rows of the new one, from its beginning", t.Name())}
	}
	last := f.table.SnapshotID()
	reached, rolledBack := false, last != 0
	for _, s := range chain {
		rolledBack = rolledBack && s.ID != last
		if reached = reached || f.seen[s.ID]; !reached {
			fresh = append(fresh, s)
		}
	}
	switch {
	case last == 0 && !whole:
		notices = append(notices, fmt.Sprintf("snapshots of table %s were expired before they were looked at: rows that they appended are not shown", t.Name()))
	case last == 0:
	case reached && rolledBack:
		notices = append(notices, fmt.Sprintf("table %s was rolled back: rows of snapshot %d, and maybe of others before it, were shown and are not in it any more", t.Name(), last))
	case !reached && !whole:
		notices = append(notices, fmt.Sprintf("snapshots of table %s that came after %d were expired before they were looked at: rows that they appended are not shown",
			t.Name(), last))
	case !reached:
		notices = append(notices, fmt.Sprintf("the contents of table %s were replaced as a whole: going on with what was appended since", t.Name()))
	}
	return fresh, notices
}

// take remembers the state of the table. Only snapshots that the table still knows can come back.
func (f *follower) take(t *catalog.Table) {
	seen := map[int64]bool{}
	if f.table != nil && f.table.UUID() == t.UUID() {
		for _, s := range t.Snapshots() {
			if f.seen[s.ID] {
				seen[s.ID] = true
			}
		}
	}
	chain, _ := t.Ancestors()
	for _, s := range chain {
		seen[s.ID] = true
	}
	f.table, f.seen, f.gone = t, seen, false
}

// deliver hands out the rows of what was appended. If reading fails, it begins anew behind the rows that were handed out: the files and their order are the same.
func (f *follower) deliver(ctx context.Context, news *followNews) error {
	return f.patiently(ctx, "read new rows", func() error {
		skip := news.handed
		for row, err := range news.answer.Rows(ctx) {
			switch {
			case errors.Is(err, storage.ErrNotExist) && f.expired(ctx, news):
				f.options.Notice(fmt.Sprintf("files that were appended to table %s were removed before they were read: some of their rows are not shown", f.table.Name()))
				return nil
			case err != nil:
				return err
			case skip > 0:
				skip--
				continue
			}
			news.handed++
			if err := f.hand(row); err != nil {
				return err
			}
		}
		return nil
	})
}

// expired says whether a snapshot that is being read was expired, so that its files may be gone.
func (f *follower) expired(ctx context.Context, news *followNews) bool {
	t, err := f.load(ctx)
	if errors.Is(err, catalog.ErrTableNotFound) {
		return true
	}
	if err != nil {
		return false // it is tried again
	}
	known := map[int64]bool{}
	for _, s := range t.Snapshots() {
		known[s.ID] = true
	}
	for _, s := range news.snapshots {
		if t.UUID() != f.table.UUID() || !known[s.ID] {
			return true
		}
	}
	return false
}
