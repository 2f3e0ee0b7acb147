package catalog

import (
	"context"
	"fmt"
	"sync"

	"github.com/apache/iceberg-go"
	"golang.org/x/sync/errgroup"
)

// Referenced returns the paths, as the metadata spells them, of all data files that any snapshot of this view's metadata holds: what time travel and
// searches that are still running may read. It reads every manifest of every snapshot once, side by side.
func (t *Table) Referenced(ctx context.Context) (map[string]struct{}, error) {
	files, err := t.referenced(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the files of all snapshots of %s: %w", t.Name(), err)
	}
	return files, nil
}

func (t *Table) referenced(ctx context.Context) (map[string]struct{}, error) {
	fs, err := t.catalog.fileSystem(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var manifests []iceberg.ManifestFile
	snapshots := t.inner.Metadata().Snapshots()
	for i := range snapshots {
		list, err := snapshots[i].Manifests(fs)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			if !seen[m.FilePath()] && m.ManifestContent() == iceberg.ManifestContentData && mayHoldLive(m) {
				seen[m.FilePath()] = true
				manifests = append(manifests, m)
			}
		}
	}
	files, decoder := map[string]struct{}{}, newFileDecoder(t)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelRequests(t.catalog.store))
	for _, m := range manifests {
		group.Go(func() error {
			content, err := t.decodeManifest(ctx, decoder, m)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, f := range content.data {
				files[f.Path] = struct{}{}
			}
			return nil
		})
	}
	return files, group.Wait()
}
