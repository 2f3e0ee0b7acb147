package catalog

import (
	"context"
	"fmt"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// Operations of snapshots.
const (
	OperationAppend    = string(table.OpAppend)    // files with new rows were added
	OperationReplace   = string(table.OpReplace)   // files were written anew; the rows are the same
	OperationOverwrite = string(table.OpOverwrite) // rows were added and removed
	OperationDelete    = string(table.OpDelete)    // rows were removed
)

// Ancestors returns the snapshot of this view and those that it was made of, newest first: its parent, the parent of that, and so on. whole is false if the
// older ones were expired.
func (t *Table) Ancestors() (snapshots []Snapshot, whole bool) {
	known := map[int64]*table.Snapshot{}
	all := t.inner.Metadata().Snapshots()
	for i := range all {
		known[all[i].SnapshotID] = &all[i]
	}
	for s := t.inner.CurrentSnapshot(); s != nil; {
		snapshots = append(snapshots, describeSnapshot(s))
		if s.ParentSnapshotID == nil {
			return snapshots, true
		}
		if len(snapshots) > len(all) {
			return snapshots, false // the parents go in a circle
		}
		s = known[*s.ParentSnapshotID]
	}
	return snapshots, len(snapshots) == 0
}

// FilesAddedBy returns the data files that a snapshot which this view's metadata still knows added to the table, in the order of its manifests. It tells nothing of later
// deletes. Of a snapshot of OperationAppend these are the files with its new rows; others also add files with rows that were there before.
func (t *Table) FilesAddedBy(ctx context.Context, id int64) ([]DataFile, error) {
	snapshot := t.inner.SnapshotByID(id)
	if snapshot == nil {
		return nil, fmt.Errorf("listing what snapshot %d added to %s: %w: it was expired: ask for what is there now", id, t.Name(), ErrInvalid)
	}
	files, err := t.readAdded(ctx, snapshot)
	if err != nil {
		return nil, fmt.Errorf("listing what snapshot %d added to %s: %w", id, t.Name(), err)
	}
	return files, nil
}

func (t *Table) readAdded(ctx context.Context, snapshot *table.Snapshot) (files []DataFile, err error) {
	fs, err := t.catalog.fileSystem(ctx)
	if err != nil {
		return nil, err
	}
	manifests, err := snapshot.Manifests(fs)
	if err != nil {
		return nil, err
	}
	known, decoder := t.manifests.known(layoutOf(t.inner.Metadata())), newFileDecoder(t)
	for _, manifest := range manifests {
		if manifest.SnapshotID() != snapshot.SnapshotID || manifest.ManifestContent() != iceberg.ManifestContentData || manifest.AddedDataFiles() == 0 {
			continue
		}
		content := known[manifest.FilePath()]
		if content == nil {
			if content, err = t.decodeManifest(ctx, decoder, manifest); err != nil {
				return nil, err
			}
		}
		for _, file := range content.data {
			if file.added {
				files = append(files, file.DataFile)
			}
		}
	}
	return files, nil
}
