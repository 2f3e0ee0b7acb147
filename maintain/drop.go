package maintain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
)

// DropReason says why an object of the index is to be removed.
type DropReason string

// The reasons.
const (
	DropNoDataFile DropReason = "no data file" // a sidecar whose data file is in no snapshot of the table
	DropSuperseded DropReason = "superseded"   // a bloom pack that a later one has replaced, or whose partition is to have none
)

// DropItem is an object that is to be removed.
type DropItem struct {
	Object string     `json:"object"` // URI
	Reason DropReason `json:"reason"`
	Bytes  int64      `json:"bytes"`
	name   string
}

// drops returns what nothing needs any more, for at least the grace period. Sidecars are kept as long as any snapshot has their data file, and where the place of
// the indexes may be shared with other tables.
func (p *packPlanner) drops(ctx context.Context, files []catalog.DataFile) ([]DropItem, error) {
	old := p.opts.Now().Add(-p.opts.Grace)
	items := p.oldPacks(files, old)
	if p.table.IndexLocation() == p.table.Location()+index.LocationSuffix {
		sidecars, err := p.oldSidecars(ctx, old)
		if err != nil {
			return nil, err
		}
		items = append(items, sidecars...)
	}
	slices.SortFunc(items, func(a, b DropItem) int { return compareText(a.name, b.name) })
	return items, nil
}

func (p *packPlanner) dropItem(info storage.Info, reason DropReason) DropItem {
	return DropItem{Object: p.store.URI(info.Name), Reason: reason, Bytes: info.Size, name: info.Name}
}

// oldPacks returns the packs that are superseded since before a time.
func (p *packPlanner) oldPacks(files []catalog.DataFile, old time.Time) (items []DropItem) {
	if p.opts.PackFiles < 0 {
		return nil
	}
	wanted := map[string]int{}
	for _, f := range files {
		wanted[index.PackPartition(f.Partition)]++
	}
	packs := map[string]index.PackName{}
	for _, pack := range p.packs {
		packs[pack.Name] = pack
	}
	for _, info := range p.objects {
		pack, ok := packs[info.Name]
		if !ok || !info.ModTime.Before(old) {
			continue
		}
		latest := p.latest[pack.Partition]
		needed := p.wantsPacks() && wanted[pack.Partition] >= max(1, p.opts.PackFiles/2)
		switch {
		case len(latest) > 0 && latest[0].Generation == pack.Generation:
			if !needed {
				items = append(items, p.dropItem(info, DropSuperseded))
			}
		case len(latest) == 0 || latest[0].Generation < pack.Generation || latest[0].Time.Before(old):
			items = append(items, p.dropItem(info, DropSuperseded)) // a later generation than the latest is one that was never finished
		}
	}
	return items
}

// oldSidecars returns the sidecars, written before a time, whose data file is in no snapshot.
func (p *packPlanner) oldSidecars(ctx context.Context, old time.Time) (items []DropItem, err error) {
	var candidates []storage.Info
	for _, info := range p.objects {
		if index.IsSidecar(info.Name) && info.ModTime.Before(old) {
			candidates = append(candidates, info)
		}
	}
	if len(candidates) == 0 {
		return nil, nil
	}
	referenced, err := p.table.Referenced(ctx)
	if err != nil {
		return nil, err
	}
	needed := make(map[string]bool, len(referenced))
	for path := range referenced {
		uri, err := p.sidecarURI(catalog.DataFile{Path: path})
		if err != nil {
			return nil, err
		}
		if name, err := p.name(uri); err == nil {
			needed[name] = true
		}
	}
	for _, info := range candidates {
		if !needed[info.Name] && strings.HasPrefix(info.Name, p.location+"/") {
			items = append(items, p.dropItem(info, DropNoDataFile))
		}
	}
	return items, nil
}

// drop removes an object.
func (l *layout) drop(ctx context.Context, item DropItem) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.store.Delete(ctx, item.name); err != nil {
		return fmt.Errorf("drop %s: %w", item.Object, err)
	}
	return nil
}
